//! How far a backfill has come: a small file, replaced as a whole after each page.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use poolhook::event::UserPoolId;
use serde::{Deserialize, Serialize};

use crate::walk::Tally;

/// Where the file lies.
pub(super) struct Checkpoint(PathBuf);

/// What it says.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Progress {
    user_pool_id: String,
    /// The page that comes next.
    pub(super) next: String,
    /// What became of the users of the pages before.
    pub(super) so_far: Tally,
}

impl Checkpoint {
    /// The file, by default one of the pool's own in the current folder.
    pub(super) fn new(file: Option<&Path>, pool: &UserPoolId) -> Self {
        let own = || PathBuf::from(format!("poolhook-backfill-{pool}.json"));
        Self(file.map_or_else(own, Path::to_owned))
    }

    pub(super) fn file(&self) -> std::path::Display<'_> {
        self.0.display()
    }

    /// What an earlier backfill of this pool has left. A file that is damaged, or
    /// of another pool, is an error: it may be somebody else's.
    pub(super) fn read(&self, pool: &UserPoolId) -> anyhow::Result<Option<Progress>> {
        let text = match fs::read(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| self.file().to_string()),
        };
        let progress = serde_json::from_slice::<Progress>(&text).ok();
        let own = progress.filter(|progress| progress.user_pool_id == pool.as_str());
        own.map(Some).with_context(|| {
            let file = self.file();
            format!(
                "{file} is not a checkpoint of {pool}'s; remove it to begin anew, which is harmless"
            )
        })
    }

    pub(super) fn write(
        &self,
        pool: &UserPoolId,
        next: &str,
        so_far: &Tally,
    ) -> anyhow::Result<()> {
        let progress = Progress {
            user_pool_id: pool.to_string(),
            next: next.to_owned(),
            so_far: so_far.clone(),
        };
        let mut fresh = self.0.clone().into_os_string();
        fresh.push(".new");
        let written = serde_json::to_vec(&progress)
            .map_err(io::Error::from)
            .and_then(|text| fs::write(&fresh, text))
            .and_then(|()| fs::rename(&fresh, &self.0));
        written.with_context(|| self.file().to_string())
    }

    pub(super) fn remove(&self) -> anyhow::Result<()> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| self.file().to_string())
            }
            _ => Ok(()),
        }
    }
}
