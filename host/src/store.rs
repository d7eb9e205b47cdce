//! Where items go: the trait [`ItemStore`] and its implementations, DynamoDB
//! and one SQLite file. One conformance test holds for both
//! (`host/tests/it/stores.rs`).

pub mod dynamodb;
#[cfg(feature = "cli")]
pub mod sqlite;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::pin::Pin;

use tokio::time::Instant;

use crate::config::{Table, Write};
use crate::item::Item;

/// A call of a store, on its way. A call is large, so it is on the heap.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store of items by table and partition key.
pub trait ItemStore: Send + Sync {
    /// Puts an item, which holds the table's partition key, and ends by `until`.
    ///
    /// [`Write::Create`] leaves an item alone that has the key already;
    /// [`Write::Replace`] replaces it. Either way the table then holds exactly
    /// one item under the key. Where the call fails, it may hold this one: to put
    /// it again is harmless.
    fn put<'a>(
        &'a self,
        table: &'a Table,
        item: &'a Item,
        write: Write,
        until: Instant,
    ) -> BoxFuture<'a, Put>;
}

/// A store whose items can be read: for the command line. The trigger only writes.
#[cfg(feature = "cli")]
pub trait ItemReader: ItemStore {
    /// How the item under this one's partition key compares to it; none if there
    /// is no item.
    fn compare<'a>(
        &'a self,
        table: &'a Table,
        item: &'a Item,
        until: Instant,
    ) -> BoxFuture<'a, Option<Existing>>;

    /// Some partition keys of a table, at most `limit`: the first ones, or those
    /// after `after`, in an order of the store's own.
    fn keys<'a>(
        &'a self,
        table: &'a Table,
        after: Option<String>,
        limit: u16,
    ) -> BoxFuture<'a, Keys>;
}

/// Some partition keys of a table.
#[cfg(feature = "cli")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The keys.
    pub keys: Vec<String>,
    /// The last one, if there may be more after it.
    pub next: Option<String>,
}

/// What a put did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// The item is written.
    Written,
    /// An item has the key already; nothing was written.
    AlreadyThere(Existing),
}

/// The item that has the key already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is the very item that was to be written: an earlier attempt wrote it,
    /// perhaps without an answer.
    Same,
    /// It is another one, which differs in these attributes, by name.
    Different(Vec<String>),
    /// The store does not say.
    Unknown,
}

impl Existing {
    /// How the item that is there differs from the one that was to be written.
    pub(crate) fn compare<V>(
        there: &BTreeMap<String, V>,
        item: &BTreeMap<String, V>,
        is_same: impl Fn(&V, &V) -> bool,
    ) -> Self {
        let names: BTreeSet<_> = there.keys().chain(item.keys()).collect();
        let same = |name: &str| match (there.get(name), item.get(name)) {
            (Some(one), Some(other)) => is_same(one, other),
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

/// Why an item was not written or read. No text here holds a value of the item's.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The table does not exist.
    #[error("the table {table} does not exist in {region}")]
    NoTable {
        /// The table.
        table: String,
        /// Where it was looked for.
        region: String,
    },
    /// Nobody, or somebody who may not do that there.
    #[error(
        "{action} on the table {table} in {region} is not allowed ({code}): the role needs dynamodb:{action} on it"
    )]
    AccessDenied {
        /// The permission that is missing.
        action: &'static str,
        /// The table.
        table: String,
        /// Its region.
        region: String,
        /// DynamoDB's error code.
        code: String,
    },
    /// Too many requests, for longer than we may wait.
    #[error("the table {table} in {region} is throttled ({code})")]
    Throttled {
        /// The table.
        table: String,
        /// Its region.
        region: String,
        /// DynamoDB's error code.
        code: String,
    },
    /// The item does not fit the table: a key of another name or type, say.
    #[error(
        "DynamoDB refused the item for the table {table} in {region} ({code}): does `key.attribute` name its partition key, and is its type S?"
    )]
    Refused {
        /// The table.
        table: String,
        /// Its region.
        region: String,
        /// DynamoDB's error code.
        code: String,
    },
    /// The store did not answer in time.
    #[error("the table {table} in {region} did not answer in time")]
    Timeout {
        /// The table.
        table: String,
        /// Its region.
        region: String,
    },
    /// The store did not answer, or with an error of its own.
    #[error("the store failed")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// The error's name, for logs and callers.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoTable { .. } => "Store.NoTable",
            Self::AccessDenied { .. } => "Store.AccessDenied",
            Self::Throttled { .. } => "Store.Throttled",
            Self::Refused { .. } => "Store.Refused",
            Self::Timeout { .. } => "Store.Timeout",
            Self::Unavailable(_) => "Store.Unavailable",
        }
    }

    /// Whether the same put may well succeed later, with nothing mended by hand.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Throttled { .. } | Self::Timeout { .. } | Self::Unavailable(_) => true,
            Self::NoTable { .. } | Self::AccessDenied { .. } | Self::Refused { .. } => false,
        }
    }
}
