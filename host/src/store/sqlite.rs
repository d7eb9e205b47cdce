//! The embedded store: tables of items in one SQLite file, the only file that
//! knows SQLite.
//!
//! `sqlite3 poolhook.db 'select * from items'` shows it: one row an item, with
//! its region, its table, its partition key, and the item as DynamoDB's JSON.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};
use tokio::time::Instant;

use super::{Existing, ItemStore, Put, StoreError};
use crate::config::{Table, Write};
use crate::item::{AttributeValue, Item};

const SCHEMA: &str = "
    create table if not exists items (
        region     text not null,
        table_name text not null,
        key        text not null,
        item       text not null,
        written_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ')),
        primary key (region, table_name, key)
    ) strict";

/// Tables in one file. Every table exists, empty, in every region.
pub struct Sqlite(Mutex<Connection>);

/// An item as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredItem {
    /// Its table's region.
    pub region: String,
    /// Its partition key.
    pub key: String,
    /// The item, as DynamoDB's JSON.
    pub item: String,
}

impl Sqlite {
    /// Opens the file, or makes it.
    pub fn open(file: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(file).map_err(unavailable)?;
        // Another poolhook may be writing.
        connection
            .busy_timeout(Duration::from_secs(3))
            .map_err(unavailable)?;
        connection
            .pragma_update(None, "journal_mode", "wal")
            .map_err(unavailable)?;
        connection.execute(SCHEMA, []).map_err(unavailable)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Opens the file to read it; it must be there.
    pub fn open_existing(file: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(file, flags).map_err(unavailable)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// A table's items in all regions, by region and key.
    pub fn items(&self, table: &str) -> Result<Vec<StoredItem>, StoreError> {
        let connection = self.connection();
        let mut rows = connection
            .prepare("select region, key, item from items where table_name = ? order by 1, 2")
            .map_err(unavailable)?;
        let item = |row: &rusqlite::Row<'_>| {
            Ok(StoredItem {
                region: row.get(0)?,
                key: row.get(1)?,
                item: row.get(2)?,
            })
        };
        let items = rows.query_map([table], item).map_err(unavailable)?;
        items.collect::<Result<_, _>>().map_err(unavailable)
    }

    /// The tables that hold items.
    pub fn tables(&self) -> Result<Vec<String>, StoreError> {
        let connection = self.connection();
        let mut rows = connection
            .prepare("select distinct table_name from items order by 1")
            .map_err(unavailable)?;
        let names = rows.query_map([], |row| row.get(0)).map_err(unavailable)?;
        names.collect::<Result<_, _>>().map_err(unavailable)
    }

    fn connection(&self) -> std::sync::MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ItemStore for Sqlite {
    async fn put(
        &self,
        table: &Table,
        item: &Item,
        write: Write,
        _until: Instant,
    ) -> Result<Put, StoreError> {
        let key = item.attributes().get(&table.partition_key);
        let Some(AttributeValue::S(key)) = key else {
            return Err(StoreError::Refused {
                table: table.name.to_string(),
                region: table.region.clone(),
                code: "ValidationException".to_owned(),
            });
        };
        let item = serde_json::to_string(item).map_err(unavailable)?;
        let statement = match write {
            Write::Create => {
                "insert into items (region, table_name, key, item) values (?, ?, ?, ?)
                 on conflict do nothing"
            }
            Write::Replace => {
                "insert or replace into items (region, table_name, key, item) values (?, ?, ?, ?)"
            }
        };
        let row = params![table.region, table.name.as_str(), key, item];
        let connection = self.connection();
        let written = connection.execute(statement, row).map_err(unavailable)?;
        if written > 0 {
            return Ok(Put::Written);
        }
        let there: String = connection
            .query_row(
                "select item from items where region = ? and table_name = ? and key = ?",
                params![table.region, table.name.as_str(), key],
                |row| row.get(0),
            )
            .map_err(unavailable)?;
        Ok(Put::AlreadyThere(compare(&there, &item)))
    }
}

/// Compares two items as they are written: sets in their order, numbers in their
/// form. Only poolhook writes here, and the same user gives the same text.
fn compare(there: &str, item: &str) -> Existing {
    type Attributes = BTreeMap<String, serde_json::Value>;
    let parsed = |text| serde_json::from_str::<Attributes>(text);
    let (Ok(there), Ok(item)) = (parsed(there), parsed(item)) else {
        return Existing::Unknown;
    };
    Existing::compare(&there, &item, |one, other| one == other)
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}
