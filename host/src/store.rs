//! The stores of items: the trait [`ItemStore`] and its implementations, DynamoDB and
//! one SQLite file. Both pass the same conformance test (`host/tests/it/stores.rs`).

pub mod dynamodb;
#[cfg(feature = "cli")]
mod shape;
#[cfg(feature = "cli")]
pub mod sqlite;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::pin::Pin;

use tokio::time::Instant;

#[cfg(feature = "cli")]
pub use shape::{KeySchema, Shape};

use crate::config::{Table, WriteMode};
#[cfg(feature = "cli")]
use crate::item::Key;
use crate::item::{AttributeValue, Item};
use crate::text::shown;

/// A call of a store. Its future is large, so it is on the heap.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store of items by table and key.
pub trait ItemStore: Send + Sync {
    /// The store's name, for dead letters and people: `DynamoDB`, or a file's whole path.
    fn name(&self) -> String;

    /// Puts an item, which has the table's key, by the deadline `until`.
    ///
    /// [`WriteMode::Create`] does not replace an item that has the key; [`WriteMode::Replace`]
    /// does. Either way, the table then has exactly one item with the key. If the call
    /// fails, that may be this item; putting it again is safe.
    fn put<'a>(
        &'a self,
        table: &'a Table,
        item: &'a Item,
        write: WriteMode,
        until: Instant,
    ) -> BoxFuture<'a, Put>;
}

/// A store whose items can be read, for the command line. The trigger only writes.
#[cfg(feature = "cli")]
pub trait ItemReader: ItemStore {
    /// Compares the stored item that has this item's key; `None` if there is no such item.
    fn compare<'a>(
        &'a self,
        table: &'a Table,
        item: &'a Item,
        until: Instant,
    ) -> BoxFuture<'a, Option<Existing>>;

    /// Lists at most `limit` keys of a table, in the store's own order: the first ones, or
    /// those after `after`.
    fn keys<'a>(&'a self, table: &'a Table, after: Option<Key>, limit: u16) -> BoxFuture<'a, Keys>;
}

/// A page of a table's keys.
#[cfg(feature = "cli")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The keys, in the store's order.
    pub keys: Vec<Key>,
    /// The last key, if there may be more after it.
    pub next: Option<Key>,
}

/// What a put did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// The item was written.
    Written,
    /// An item already has the key; nothing was written.
    AlreadyThere(Existing),
}

/// How an existing item compares to the item that was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Existing {
    /// The items are identical: an earlier attempt wrote the item, perhaps without
    /// receiving the answer.
    Same,
    /// The items differ in the attributes with these names.
    Different(Vec<String>),
    /// The items differ only in attributes that depend on when the event was received, as
    /// those of two attempts for one user do.
    OtherTime,
    /// The store did not return the existing item.
    Unknown,
}

impl Existing {
    /// Compares an existing item with the one that was put.
    pub(crate) fn compare(there: &BTreeMap<String, AttributeValue>, item: &Item) -> Self {
        let item = item.attributes();
        let names: BTreeSet<_> = there.keys().chain(item.keys()).collect();
        let same = |name: &str| match (there.get(name), item.get(name)) {
            (Some(one), Some(other)) => one.is_same(other),
            _ => false,
        };
        let names = names.into_iter().filter(|name| !same(name));
        let names: Vec<_> = names.cloned().collect();
        if names.is_empty() {
            Self::Same
        } else {
            Self::Different(names)
        }
    }
}

impl Put {
    /// Leaves out differences that only the time of receipt makes: attributes that differ
    /// between `item` and what the plugin makes of the same user at another time.
    pub(crate) fn but_for_time(self, item: &Item, other: impl FnOnce() -> Option<Item>) -> Self {
        let Self::AlreadyThere(Existing::Different(names)) = self else {
            return self;
        };
        let other = other().map(|other| Existing::compare(other.attributes(), item));
        let depends = match other {
            Some(Existing::Different(names)) => names,
            _ => Vec::new(),
        };
        let differs = |name: &String| !depends.contains(name);
        let names: Vec<_> = names.into_iter().filter(differs).collect();
        Self::AlreadyThere(if names.is_empty() {
            Existing::OtherTime
        } else {
            Existing::Different(names)
        })
    }
}

/// Why an item was not written or read. No text contains a value of the item's.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "Store.")]
#[allow(missing_docs, reason = "the texts and the names say it")]
pub enum StoreError {
    /// The table does not exist.
    #[error("the table {table} does not exist in {region}")]
    NoTable { table: String, region: String },
    /// No credentials, or credentials without the permission.
    #[error(
        "access to the table {table} in {region} is denied ({code}). Allow dynamodb:{action} on it"
    )]
    AccessDenied {
        action: &'static str,
        table: String,
        region: String,
        code: String,
    },
    /// Too many requests, until the deadline.
    #[error("the table {table} in {region} is throttled ({code})")]
    Throttled {
        table: String,
        region: String,
        code: String,
    },
    /// The item does not fit the table, for example its key has another name or type.
    #[error(
        "DynamoDB rejected the item for the table {table} in {region} ({code}){}. `key.attribute` and `key.sort` must name the table's key, and in the item, the keys of the table and its indexes must have their types and not be empty",
        .attribute.as_ref().map(|attribute| format!(": {attribute}")).unwrap_or_default()
    )]
    Refused {
        table: String,
        region: String,
        code: String,
        /// The attribute that DynamoDB names.
        attribute: Option<Box<RefusedAttribute>>,
        /// DynamoDB's own text, which may hold a value.
        message: Box<str>,
    },
    /// The store did not answer in time.
    #[error("the table {table} in {region} did not answer in time")]
    Timeout { table: String, region: String },
    /// The store did not answer, or failed.
    #[error("the store failed")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

/// An attribute that does not fit the table or an index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the attribute `{}` {rule}", shown(name))]
pub struct RefusedAttribute {
    pub(crate) name: String,
    pub(crate) rule: &'static str,
}

impl RefusedAttribute {
    /// What is wrong with this attribute of an item, as a key of a table or an index.
    pub(crate) fn new(name: &str, item: &Item) -> Self {
        let rule = match item.attributes().get(name) {
            None => "is missing, and is a key",
            Some(AttributeValue::S(text)) if text.is_empty() => "is empty, and is a key",
            Some(AttributeValue::B(bytes)) if bytes.is_empty() => "is empty, and is a key",
            Some(_) => "is a key of another type",
        };
        Self {
            name: name.to_owned(),
            rule,
        }
    }
}

impl StoreError {
    /// The error's name, for logs and callers.
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// Whether the error is transient, so that a later attempt may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Throttled { .. } | Self::Timeout { .. } | Self::Unavailable(_) => true,
            Self::NoTable { .. } | Self::AccessDenied { .. } | Self::Refused { .. } => false,
        }
    }
}
