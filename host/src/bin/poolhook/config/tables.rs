//! The pools' tables in DynamoDB.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use poolhook::aws;
use poolhook::config::{ConfigError, PoolConfig};
use poolhook::host::Failure;
use poolhook::item::Item;
use poolhook::store::Shape;
use poolhook::store::dynamodb::DynamoDb;

/// The pools' tables in DynamoDB, each described once.
pub(crate) struct Tables {
    dynamodb: DynamoDb,
    known: BTreeMap<(String, String), Shape>,
}

impl Tables {
    pub(crate) async fn new() -> Self {
        Self {
            dynamodb: DynamoDb::new(&aws::config().await),
            known: BTreeMap::new(),
        }
    }

    /// Compares a pool's config, and its sample user's item, with the pool's table.
    pub(crate) async fn check(
        &mut self,
        file: &str,
        config: &PoolConfig,
        item: Option<&Item>,
    ) -> Result<(), Failure> {
        let table = &config.table;
        let shape = match self
            .known
            .entry((table.region.clone(), table.name.to_string()))
        {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(self.dynamodb.shape(table).await?),
        };
        let mistakes = shape.mistakes(config, item);
        if mistakes.is_empty() {
            return Ok(());
        }
        let (file, mistakes) = (file.to_owned(), mistakes.join("; "));
        Err(ConfigError::TableDiffers { file, mistakes }.into())
    }
}
