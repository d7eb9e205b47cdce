//! A backfill's checkpoint: a small file, replaced atomically after each page.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use poolhook::blobs::dir::replace_file;
use poolhook::event::UserPoolId;
use serde::{Deserialize, Serialize};

use crate::walk::Tally;

/// The checkpoint file's path.
pub(super) struct Checkpoint(PathBuf);

/// The checkpoint's content.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Progress {
    user_pool_id: String,
    /// The token of the next page; `None` for the first one.
    pub(super) next: Option<String>,
    /// That page's number, from 1.
    #[serde(default = "second")]
    pub(super) page: u64,
    /// Whether an earlier run could not list that page.
    #[serde(default)]
    pub(super) failed: bool,
    /// The counts of the pages before it.
    pub(super) so_far: Tally,
}

/// The least that a checkpoint without the number can have.
fn second() -> u64 {
    2
}

impl Checkpoint {
    /// Uses `file`, by default one named after the pool in the current folder.
    pub(super) fn new(file: Option<&Path>, pool: &UserPoolId) -> Self {
        let own = || PathBuf::from(format!("poolhook-backfill-{pool}.json"));
        Self(file.map_or_else(own, Path::to_owned))
    }

    pub(super) fn file(&self) -> std::path::Display<'_> {
        self.0.display()
    }

    /// Reads the checkpoint that an earlier backfill of this pool left. A damaged file,
    /// or another pool's, is an error: it may belong to something else.
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
                "{file} is not a checkpoint of {pool}. Remove it to start from the first page, which is safe"
            )
        })
    }

    pub(super) fn write(
        &self,
        pool: &UserPoolId,
        next: &str,
        page: u64,
        so_far: &Tally,
    ) -> anyhow::Result<()> {
        self.replace(&Progress {
            user_pool_id: pool.to_string(),
            next: Some(next.to_owned()),
            page,
            failed: false,
            so_far: so_far.clone(),
        })
    }

    /// Records that the next page could not be listed.
    pub(super) fn fail(&self, pool: &UserPoolId) -> anyhow::Result<()> {
        let progress = self.read(pool)?.unwrap_or_else(|| Progress {
            user_pool_id: pool.to_string(),
            next: None,
            page: 1,
            failed: false,
            so_far: Tally::default(),
        });
        self.replace(&Progress {
            failed: true,
            ..progress
        })
    }

    fn replace(&self, progress: &Progress) -> anyhow::Result<()> {
        let written = serde_json::to_vec(progress)
            .map_err(io::Error::from)
            .and_then(|text| replace_file(&self.0, &text));
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
