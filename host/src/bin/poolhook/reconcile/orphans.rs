//! Orphaned rows: rows of a table whose keys belong to no user.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::sync::Arc;

use poolhook::config::{PoolConfig, Table};
use poolhook::event::{PostConfirmation, UserPoolId};
use poolhook::item::{AttributeValue, Key};
use poolhook::store::ItemReader;
use serde_json::json;

use crate::out;
use crate::pace::Pace;
use crate::walk::Users;

/// The keys per read.
const PAGE: u16 = 250;

/// The pool's rows, and which of them belong to users. Only a hash of each key is
/// stored: a table of a million rows takes 9 MB.
pub(super) struct Orphans {
    pool: UserPoolId,
    config: Arc<PoolConfig>,
    /// Randomly seeded, so that no user can choose a name whose hash hides a row.
    hasher: RandomState,
    rows: Vec<u64>,
    has_user: Vec<bool>,
    why_not: Option<&'static str>,
}

impl Orphans {
    /// Reads the keys of the pool's rows.
    pub(super) async fn read(users: &Users, store: &dyn ItemReader) -> anyhow::Result<Self> {
        let mut orphans = Self {
            pool: users.pool.clone(),
            config: users.pool_config().await?,
            hasher: RandomState::new(),
            rows: Vec::new(),
            has_user: Vec::new(),
            why_not: None,
        };
        orphans.why_not = orphans.why_not_here(users).await?;
        if orphans.why_not.is_none() {
            let mut rows = Vec::new();
            let scan = orphans.scan(users, store, |key| {
                rows.push(orphans.hasher.hash_one(&key.partition));
                Ok(())
            });
            scan.await?;
            rows.sort_unstable();
            orphans.has_user = vec![false; rows.len()];
            orphans.rows = rows;
        }
        Ok(orphans)
    }

    /// Why a row without a user might not be one that this pool's plugin writes; `None` if
    /// it is.
    async fn why_not_here(&self, users: &Users) -> anyhow::Result<Option<&'static str>> {
        if self.config.table.sort_key.is_some() && self.config.sort_equals.is_none() {
            return Ok(Some(
                "the plugin chooses the sort key, so other rows may have any. Set key.sort.equals",
            ));
        }
        if self.config.key_equals.names_the_pool() {
            return Ok(None);
        }
        let pools = users.config.open().await?;
        for other in pools.list().await? {
            let Ok(other) = other else { continue };
            if other == self.pool {
                continue;
            }
            let Ok(other) = pools.get(&other).await else {
                return Ok(Some(
                    "the config of another pool cannot be read, and that pool may use the same table",
                ));
            };
            if other.table == self.config.table {
                return Ok(Some(
                    "another pool writes to the same table, and key.equals does not contain {userPoolId}",
                ));
            }
        }
        Ok(None)
    }

    /// The pool's table.
    pub(super) fn table(&self) -> &Table {
        &self.config.table
    }

    pub(super) fn why_not(&self) -> Option<&str> {
        self.why_not
    }

    /// Marks this user's row, if there is one, as not orphaned.
    pub(super) fn is_users(&mut self, event: &PostConfirmation) {
        let hash = self.hasher.hash_one(self.config.partition_key(event));
        if let Ok(at) = self.rows.binary_search(&hash)
            && let Some(has_user) = self.has_user.get_mut(at)
        {
            *has_user = true;
        }
    }

    /// The number of orphaned rows; `None` if reconcile does not look for them.
    pub(super) fn count(&self) -> Option<u64> {
        let orphans = self.has_user.iter().filter(|has_user| !**has_user);
        self.why_not.is_none().then(|| orphans.count() as u64)
    }

    /// Prints the orphaned keys. Reads the keys again, as only hashes were stored.
    pub(super) async fn print(&self, users: &Users, store: &dyn ItemReader) -> anyhow::Result<()> {
        if self.count().unwrap_or_default() == 0 {
            return Ok(());
        }
        let print = |key: &Key| {
            let at = self
                .rows
                .binary_search(&self.hasher.hash_one(&key.partition));
            let has_user = at.ok().and_then(|at| self.has_user.get(at));
            // A row that was written after the first read was not checked.
            if has_user != Some(&false) {
                return Ok(());
            }
            out::json(match &key.sort {
                Some(AttributeValue::S(sort)) => {
                    json!({ "key": key.partition, "sort": sort, "outcome": "orphaned" })
                }
                _ => json!({ "key": key.partition, "outcome": "orphaned" }),
            })
        };
        self.scan(users, store, print).await
    }

    async fn scan(
        &self,
        users: &Users,
        store: &dyn ItemReader,
        mut each: impl FnMut(&Key) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let pace = Pace::new(users.rate.into());
        let mut after = None;
        loop {
            pace.turn().await;
            let read = store.keys(&self.config.table, after, PAGE).await?;
            pace.took(u32::try_from(read.keys.len()).unwrap_or(u32::MAX));
            for key in read.keys {
                // A row's sort key follows from its partition key.
                if self.config.could_write(&key, &self.pool) {
                    each(&key)?;
                }
            }
            after = read.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}
