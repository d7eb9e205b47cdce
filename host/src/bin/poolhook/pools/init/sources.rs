//! The pools and tables in AWS.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use anyhow::bail;
use poolhook::aws::{self, SdkConfig};
use poolhook::cognito::CognitoError;
use poolhook::cognito::pools::UserPools;
use poolhook::config::{PoolConfig, Table};
use poolhook::event::UserPoolId;
use poolhook::store::dynamodb::DynamoDb;
use poolhook::store::{KeySchema, StoreError};

use super::draft::Draft;

/// The account's pools and tables; each table is described once.
pub(super) struct Aws {
    shared: SdkConfig,
    dynamodb: DynamoDb,
    tables: BTreeMap<(String, String), KeySchema>,
}

impl Aws {
    pub(super) async fn new() -> Self {
        let shared = aws::config().await;
        Self {
            dynamodb: DynamoDb::new(&shared),
            shared,
            tables: BTreeMap::new(),
        }
    }

    /// Describes the pool and its table.
    pub(super) async fn draft(
        &mut self,
        pool: &UserPoolId,
        inherited: PoolConfig,
    ) -> anyhow::Result<Draft> {
        let pools = UserPools::new(&self.shared, Some(pool.region()));
        let described = match pools.describe(pool).await {
            Err(error @ CognitoError::NoPool { .. }) => {
                bail!("{error}. Check the id, and the account of the credentials")
            }
            described => described?,
        };
        let key = self.key_of(&inherited.table).await?;
        Draft::of_pool(pool, &described, inherited, key)
    }

    async fn key_of(&mut self, table: &Table) -> anyhow::Result<KeySchema> {
        let entry = self
            .tables
            .entry((table.region.clone(), table.name.to_string()));
        let known = match entry {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => match self.dynamodb.shape(table).await {
                Err(error @ StoreError::NoTable { .. }) => bail!(
                    "{error}. Create it, pass another --table, or set `region` in defaults.toml if it is in another Region"
                ),
                shape => new.insert(shape?.key),
            },
        };
        Ok(known.clone())
    }
}
