//! The dead letters that wait, by pool.

use std::collections::BTreeMap;

use anyhow::bail;
use poolhook::dead_letters::DeadLetters;
use poolhook::event::UserPoolId;

use super::function::NotChecked;
use crate::options::Store;

/// How many dead letters each pool has.
#[derive(Debug)]
pub(crate) struct Waiting(BTreeMap<String, u64>);

impl Waiting {
    /// Counts the dead letters in the folder or bucket.
    pub(crate) async fn count(store: &Store) -> Result<Self, NotChecked> {
        let list = async {
            let Some(releases) = store.open().await? else {
                let folder = store.name();
                bail!(
                    "the folder {folder} does not exist. `--blobs` names another folder or bucket"
                );
            };
            let letters = DeadLetters::new(releases.shared_blobs());
            Ok(letters.list(None).await?)
        };
        let listed = list
            .await
            .map_err(|error| NotChecked(format!("{error:#}")))?;
        let mut counts = BTreeMap::new();
        let keys = listed.iter().map(|listed| listed.key.as_str());
        for pool in keys.filter_map(|key| key.split('/').nth(1)) {
            *counts.entry(pool.to_owned()).or_default() += 1;
        }
        Ok(Self(counts))
    }

    pub(crate) fn of(&self, pool: &UserPoolId) -> u64 {
        self.0.get(pool.as_str()).copied().unwrap_or_default()
    }
}
