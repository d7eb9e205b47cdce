//! The rows of a table whose keys are no user's.

use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::sync::Arc;

use poolhook::config::PoolConfig;
use poolhook::event::{PostConfirmation, UserPoolId};
use poolhook::store::ItemReader;
use serde_json::json;

use crate::pace::Pace;
use crate::walk::Users;

/// So many keys are read at a time.
const PAGE: u16 = 250;

/// The pool's rows, and which of them have been found to be users'. Of each key a
/// hash is kept: a table of a million rows takes 9 MB.
pub(super) struct Orphans {
    pool: UserPoolId,
    config: Arc<PoolConfig>,
    /// Of a seed of its own, so that nobody can choose a name to hide a row.
    hasher: RandomState,
    /// Sorted.
    rows: Vec<u64>,
    has_user: Vec<bool>,
    why_not: Option<&'static str>,
}

impl Orphans {
    /// Reads the rows' keys.
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
                rows.push(orphans.hasher.hash_one(key));
                Ok(())
            });
            scan.await?;
            rows.sort_unstable();
            orphans.has_user = vec![false; rows.len()];
            orphans.rows = rows;
        }
        Ok(orphans)
    }

    /// Why a row without a user may be another pool's.
    async fn why_not_here(&self, users: &Users) -> anyhow::Result<Option<&'static str>> {
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
                    "the config of another pool cannot be read, and its key could be one of these",
                ));
            };
            if other.table == self.config.table {
                return Ok(Some(
                    "another pool writes to the same table, and key.equals has no {userPoolId}",
                ));
            }
        }
        Ok(None)
    }

    pub(super) fn why_not(&self) -> Option<&str> {
        self.why_not
    }

    /// The row of this user, if there is one, is no orphan.
    pub(super) fn is_users(&mut self, event: &PostConfirmation) {
        let hash = self.hasher.hash_one(self.config.partition_key(event));
        if let Ok(at) = self.rows.binary_search(&hash)
            && let Some(has_user) = self.has_user.get_mut(at)
        {
            *has_user = true;
        }
    }

    /// How many rows have no user; none if they are not looked for.
    pub(super) fn count(&self) -> Option<u64> {
        let orphans = self.has_user.iter().filter(|has_user| !**has_user);
        self.why_not.is_none().then(|| orphans.count() as u64)
    }

    /// Prints the keys: they are read once more, if there are any.
    pub(super) async fn print(&self, users: &Users, store: &dyn ItemReader) -> anyhow::Result<()> {
        if self.count().unwrap_or_default() == 0 {
            return Ok(());
        }
        let print = |key: &str| {
            let at = self.rows.binary_search(&self.hasher.hash_one(key));
            let has_user = at.ok().and_then(|at| self.has_user.get(at));
            // A row that has come meanwhile was not looked at.
            if has_user != Some(&false) {
                return Ok(());
            }
            writeln!(
                io::stdout(),
                "{}",
                json!({ "key": key, "outcome": "orphaned" })
            )
        };
        self.scan(users, store, print).await
    }

    async fn scan(
        &self,
        users: &Users,
        store: &dyn ItemReader,
        mut each: impl FnMut(&str) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let pace = Pace::new(users.rate.into());
        let mut after = None;
        loop {
            pace.turn().await;
            let read = store.keys(&self.config.table, after, PAGE).await?;
            pace.took(u32::try_from(read.keys.len()).unwrap_or(u32::MAX));
            let template = &self.config.key_equals;
            for key in read.keys {
                if template.could_make(&key, &self.pool) {
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
