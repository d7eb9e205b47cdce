//! Where items go: the trait [`ItemStore`] and its implementations, DynamoDB
//! and one SQLite file. One conformance test holds for both
//! (`host/tests/it/stores.rs`).

pub mod dynamodb;
#[cfg(feature = "cli")]
pub mod sqlite;

use std::error::Error;
use std::future::Future;

use crate::config::{Table, Write};
use crate::item::Item;

/// A store of items by table and partition key.
pub trait ItemStore: Send + Sync {
    /// Puts an item, which holds the table's partition key.
    ///
    /// [`Write::Create`] leaves an item alone that has the key already;
    /// [`Write::Replace`] replaces it. Either way the table then holds exactly
    /// one item under the key.
    fn put(
        &self,
        table: &Table,
        item: &Item,
        write: Write,
    ) -> impl Future<Output = Result<Put, StoreError>> + Send;
}

/// What a put did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The item is written.
    Written,
    /// An item has the key already; nothing was written.
    AlreadyThere,
}

/// Why an item was not written. No text here holds a value of the item's.
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
    /// Nobody, or somebody who may not write there.
    #[error(
        "writing to the table {table} in {region} is not allowed ({code}): the role needs dynamodb:PutItem on it"
    )]
    AccessDenied {
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
    /// The store did not answer, or not in time, or with an error of its own.
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
            Self::Unavailable(_) => "Store.Unavailable",
        }
    }
}
