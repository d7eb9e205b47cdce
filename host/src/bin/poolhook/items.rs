//! `poolhook items`: shows the embedded store's items.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use poolhook::store::sqlite::Sqlite;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::Exit;
use crate::out::{self, say};

/// Show the items of a table of the embedded store.
///
/// One item per line, as DynamoDB's JSON, ordered by key.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook items User
  poolhook items User --json | jq .Count
  sqlite3 poolhook.db 'select key, item from items'")]
pub(crate) struct Options {
    /// The table's name, as in the pool's config.
    #[arg(value_name = "TABLE")]
    table: String,
    /// The file of the embedded store.
    #[arg(
        long,
        env = "POOLHOOK_STORE",
        value_name = "FILE",
        default_value = "poolhook.db"
    )]
    store: PathBuf,
    /// Print one JSON object, as `aws dynamodb scan` does.
    #[arg(long)]
    json: bool,
}

/// The result of `aws dynamodb scan`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    count: usize,
    items: Vec<Box<RawValue>>,
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        let file = self.store.display();
        if !self.store.exists() {
            bail!(
                "the store {file} does not exist. `poolhook run` creates it; `--store` names another file"
            );
        }
        let store = Sqlite::open_existing(&self.store).with_context(|| file.to_string())?;
        let items = store.items(&self.table).with_context(|| file.to_string())?;
        if self.json {
            let items: Result<Vec<_>, _> = items
                .into_iter()
                .map(|stored| RawValue::from_string(stored.item))
                .collect();
            let items = items.with_context(|| format!("{file} has an invalid item"))?;
            let page = Page {
                count: items.len(),
                items,
            };
            out::json(serde_json::to_string(&page)?)?;
            return Ok(Exit::Done);
        }
        if items.is_empty() {
            let tables = store.tables()?.join(", ");
            say!(
                "the table {} has no items in {file}; tables with items: {tables}",
                self.table
            );
        }
        for stored in items {
            out::json(stored.item)?;
        }
        Ok(Exit::Done)
    }
}
