//! The embedded store: tables of items in one SQLite file. The only file that uses
//! SQLite.
//!
//! `sqlite3 poolhook.db 'select * from items'` shows one row per item, with its region,
//! table, partition key, sort key (as DynamoDB's JSON; empty if the table has none) and the
//! item as DynamoDB's JSON.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use tokio::time::Instant;

use super::{BoxFuture, Existing, ItemReader, ItemStore, Keys, Put, StoreError};
use crate::config::{Table, WriteMode};
use crate::item::{AttributeValue, Item, Key};

const SCHEMA: &str = "
    create table if not exists items (
        region     text not null,
        table_name text not null,
        key        text not null,
        sort       text not null default '',
        item       text not null,
        written_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ')),
        primary key (region, table_name, key, sort)
    ) strict";

/// Tables in one file. Every table exists, empty, in every region.
pub struct Sqlite(Mutex<Connection>);

/// An item in the store.
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
    /// Opens the file; creates it if it does not exist.
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
        add_sort_keys(&connection).map_err(unavailable)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Opens the file to read it; a file that does not exist is an error.
    pub fn open_existing(file: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(file, flags).map_err(unavailable)?;
        add_sort_keys(&connection).map_err(unavailable)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// A table's items in all regions, ordered by region and key.
    pub fn items(&self, table: &str) -> Result<Vec<StoredItem>, StoreError> {
        let connection = self.connection();
        let mut rows = connection
            .prepare(
                "select region, key, item from items where table_name = ?
                 order by region, key, sort",
            )
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

impl Sqlite {
    fn put_now(&self, table: &Table, item: &Item, write: WriteMode) -> Result<Put, StoreError> {
        let key = key(table, item)?;
        let json = serde_json::to_string(item).map_err(unavailable)?;
        let statement = match write {
            WriteMode::Create => {
                "insert into items (region, table_name, key, sort, item) values (?, ?, ?, ?, ?)
                 on conflict do nothing"
            }
            WriteMode::Replace => {
                "insert or replace into items (region, table_name, key, sort, item)
                 values (?, ?, ?, ?, ?)"
            }
        };
        let sort = sort_column(key.sort.as_ref())?;
        let row = params![table.region, table.name.as_str(), key.partition, sort, json];
        let connection = self.connection();
        let written = connection.execute(statement, row).map_err(unavailable)?;
        if written > 0 {
            return Ok(Put::Written);
        }
        let there = there(&connection, table, &key)?;
        let existing = there.map_or(Existing::Unknown, |there| compare(&there, item));
        Ok(Put::AlreadyThere(existing))
    }

    fn compare_now(&self, table: &Table, item: &Item) -> Result<Option<Existing>, StoreError> {
        let there = there(&self.connection(), table, &key(table, item)?)?;
        Ok(there.map(|there| compare(&there, item)))
    }

    fn keys_now(&self, table: &Table, after: Option<Key>, limit: u16) -> Result<Keys, StoreError> {
        let connection = self.connection();
        let mut rows = connection
            .prepare(
                "select key, sort from items
                 where region = ? and table_name = ? and (key, sort) > (?, ?)
                 order by key, sort limit ?",
            )
            .map_err(unavailable)?;
        // No key is empty.
        let (after, after_sort) = match after {
            Some(Key { partition, sort }) => (partition, sort_column(sort.as_ref())?),
            None => Default::default(),
        };
        let parameters = params![table.region, table.name.as_str(), after, after_sort, limit];
        let columns = rows
            .query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(unavailable)?;
        let columns: Vec<(String, String)> =
            columns.collect::<Result<_, _>>().map_err(unavailable)?;
        let key = |(partition, sort): (String, String)| {
            let sort = (!sort.is_empty()).then(|| serde_json::from_str(&sort));
            let sort = sort.transpose().map_err(unavailable)?;
            Ok(Key { partition, sort })
        };
        let keys: Vec<Key> = columns.into_iter().map(key).collect::<Result<_, _>>()?;
        let full = keys.len() == usize::from(limit);
        let next = keys.last().filter(|_| full).cloned();
        Ok(Keys { keys, next })
    }
}

impl ItemStore for Sqlite {
    fn name(&self) -> String {
        self.connection().path().unwrap_or_default().to_owned()
    }

    fn put<'a>(
        &'a self,
        table: &'a Table,
        item: &'a Item,
        write: WriteMode,
        _: Instant,
    ) -> BoxFuture<'a, Put> {
        Box::pin(async move { self.put_now(table, item, write) })
    }
}

impl ItemReader for Sqlite {
    fn compare<'a>(
        &'a self,
        table: &'a Table,
        item: &'a Item,
        _: Instant,
    ) -> BoxFuture<'a, Option<Existing>> {
        Box::pin(async move { self.compare_now(table, item) })
    }

    fn keys<'a>(&'a self, table: &'a Table, after: Option<Key>, limit: u16) -> BoxFuture<'a, Keys> {
        Box::pin(async move { self.keys_now(table, after, limit) })
    }
}

fn key(table: &Table, item: &Item) -> Result<Key, StoreError> {
    let key = item.key(&table.partition_key, table.sort_key.as_deref());
    key.ok_or_else(|| StoreError::Refused {
        table: table.name.to_string(),
        region: table.region.clone(),
        code: "ValidationException".to_owned(),
        attribute: None,
        message: "the item does not have the table's key".into(),
    })
}

/// The column `sort`: DynamoDB's JSON, with one form for each number.
fn sort_column(sort: Option<&AttributeValue>) -> Result<String, StoreError> {
    let json = match sort {
        None => return Ok(String::new()),
        Some(AttributeValue::N(number)) => {
            serde_json::to_string(&AttributeValue::N(number.canonical()))
        }
        Some(sort) => serde_json::to_string(sort),
    };
    json.map_err(unavailable)
}

/// Gives a file that was made before there were sort keys the column for them.
fn add_sort_keys(connection: &Connection) -> rusqlite::Result<()> {
    let has_items = connection.table_exists(None, "items")?;
    if !has_items || connection.column_exists(None, "items", "sort")? {
        return Ok(());
    }
    connection.execute_batch(&format!(
        "begin immediate;
         alter table items rename to items_without_sort;
         {SCHEMA};
         insert into items (region, table_name, key, item, written_at)
             select region, table_name, key, item, written_at from items_without_sort;
         drop table items_without_sort;
         commit"
    ))
}

fn there(connection: &Connection, table: &Table, key: &Key) -> Result<Option<String>, StoreError> {
    let sort = sort_column(key.sort.as_ref())?;
    connection
        .prepare(
            "select item from items where region = ? and table_name = ? and key = ? and sort = ?",
        )
        .and_then(|mut rows| {
            let parameters = params![table.region, table.name.as_str(), key.partition, sort];
            rows.query_row(parameters, |row| row.get(0)).optional()
        })
        .map_err(unavailable)
}

/// Compares a stored item as DynamoDB would: sets have no order, and numbers are equal by
/// value.
fn compare(there: &str, item: &Item) -> Existing {
    serde_json::from_str::<Item>(there).map_or(Existing::Unknown, |there| {
        Existing::compare(there.attributes(), item)
    })
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}
