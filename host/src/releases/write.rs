//! Writes releases and moves the pointer, never in the path of an event.

use serde::Serialize;

use super::{
    ArtifactEntry, Live, Rejection, Release, artifact_key, component_key, live_key, rejection_key,
    release_key,
};
use super::{Pointer, ReleaseError, Releases};
use crate::blobs::{BlobError, Condition, Key, Stored};
use crate::config::PluginName;
use crate::digest::Sha256;
use crate::timestamp::Timestamp;

/// The attempts at a write that conflicts with other writers.
const ATTEMPTS: usize = 10;

impl Releases {
    /// Writes a component's machine code, then the component: both before the
    /// release that names them.
    pub(crate) async fn write_code(
        &self,
        component: &[u8],
        entry: &ArtifactEntry,
        artifact: Vec<u8>,
    ) -> Result<(), ReleaseError> {
        let sha256 = Sha256::of(component);
        let key = artifact_key(sha256, entry);
        self.blobs.put(&key, artifact, Condition::Any).await?;
        let key = component_key(sha256);
        let component = component.to_vec();
        self.blobs.put(&key, component, Condition::Any).await?;
        Ok(())
    }

    /// Writes a release, or merges it into the existing one, which keeps its artifacts
    /// for other engines and targets.
    pub(crate) async fn write_release(&self, release: &Release) -> Result<(), ReleaseError> {
        let key = release_key(&release.plugin, release.sha256);
        for _ in 0..ATTEMPTS {
            let found = self
                .versioned_release(&release.plugin, release.sha256)
                .await;
            let (document, condition) = match found {
                Ok(None) => (release.clone(), Condition::Absent),
                Ok(Some((found, etag))) => (merged(found, release), Condition::Is(etag)),
                Err(error) if says_nothing(&error) => (release.clone(), Condition::Any),
                Err(error) => return Err(error),
            };
            let bytes = json(&document);
            if self.blobs.put(&key, bytes, condition).await? == Stored::Written {
                return Ok(());
            }
        }
        Err(self.busy(&key))
    }

    /// Moves the pointer, unless a later upload or rollback has moved it already.
    /// Returns what is live then.
    pub(crate) async fn go_live(
        &self,
        plugin: &PluginName,
        live: Live,
    ) -> Result<Live, ReleaseError> {
        let key = live_key(plugin);
        for _ in 0..ATTEMPTS {
            let condition = match self.pointer(plugin, None).await {
                Ok(Pointer::Live(now, _)) if is_later(now.since, live.since) || now == live => {
                    return Ok(now);
                }
                Ok(Pointer::Live(_, etag)) => Condition::Is(etag),
                Ok(Pointer::Unchanged) | Err(ReleaseError::NotReleased { .. }) => Condition::Absent,
                Err(error) if says_nothing(&error) => Condition::Any,
                Err(error) => return Err(error),
            };
            if self.blobs.put(&key, json(&live), condition).await? == Stored::Written {
                return Ok(live);
            }
        }
        Err(self.busy(&key))
    }

    /// Moves the pointer to an existing release: the one of `to` or, without it, the
    /// one that was published before the live one.
    pub async fn roll_back(
        &self,
        plugin: &PluginName,
        to: Option<Sha256>,
        now: Timestamp,
    ) -> Result<Option<Live>, ReleaseError> {
        let target = match to {
            Some(component) => Some(self.release(plugin, component).await?),
            None => self.before_live(plugin).await?,
        };
        let Some(target) = target else {
            return Ok(None);
        };
        for _ in 0..ATTEMPTS {
            // A rollback is meant for what is live now, also where this clock is
            // behind the one that timed the upload.
            let since = match self.live(plugin).await {
                Ok(Some(live)) => now.max(live.since),
                _ => now,
            };
            let sha256 = target.sha256;
            let live = self.go_live(plugin, Live { sha256, since }).await?;
            if live.sha256 == sha256 {
                return Ok(Some(live));
            }
        }
        Err(self.busy(&live_key(plugin)))
    }

    async fn before_live(&self, plugin: &PluginName) -> Result<Option<Release>, ReleaseError> {
        let Pointer::Live(live, _) = self.pointer(plugin, None).await? else {
            return Ok(None);
        };
        let history = self.history(plugin).await?;
        let mut older = history.releases.into_iter();
        let found = older.any(|release| release.sha256 == live.sha256);
        Ok(older.next().filter(|_| found))
    }

    /// Writes the rejection of a plugin's upload, unless a later upload was published
    /// or rejected: S3 may report uploads in any order, and more than once.
    pub(crate) async fn write_rejection(&self, rejection: &Rejection) -> Result<(), ReleaseError> {
        let Rejection {
            plugin, uploaded, ..
        } = rejection;
        let live = match self.live(plugin).await {
            Err(error) if says_nothing(&error) => None,
            live => live?,
        };
        let superseded = live.is_some_and(|live| is_later(live.since, *uploaded));
        if superseded || self.later_rejection(plugin, *uploaded).await? {
            return Ok(());
        }
        let key = rejection_key(plugin);
        let bytes = json(rejection);
        self.blobs.put(&key, bytes, Condition::Any).await?;
        Ok(())
    }

    /// Deletes the rejection, unless it is of a later upload than this one.
    pub(crate) async fn clear_rejection(
        &self,
        plugin: &PluginName,
        uploaded: Timestamp,
    ) -> Result<(), ReleaseError> {
        if !self.later_rejection(plugin, uploaded).await? {
            self.blobs.delete(&rejection_key(plugin)).await?;
        }
        Ok(())
    }

    async fn later_rejection(
        &self,
        plugin: &PluginName,
        uploaded: Timestamp,
    ) -> Result<bool, ReleaseError> {
        match self.rejection(plugin).await {
            Ok(found) => Ok(found.is_some_and(|found| is_later(found.uploaded, uploaded))),
            Err(error) if says_nothing(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn busy(&self, key: &Key) -> ReleaseError {
        ReleaseError::Busy {
            address: self.blobs.address(key.as_str()),
        }
    }
}

/// Whether what is stored there is not a document of poolhook's, so that a write may
/// replace it.
fn says_nothing(error: &ReleaseError) -> bool {
    matches!(
        error,
        ReleaseError::Damaged { .. } | ReleaseError::Blobs(BlobError::TooLarge { .. })
    )
}

/// Whether this was done after an upload. Of two things done at once, the last one that
/// is handled wins.
fn is_later(done: Timestamp, uploaded: Timestamp) -> bool {
    done > uploaded
}

/// The release, with the newer one's artifacts.
fn merged(mut release: Release, newer: &Release) -> Release {
    release.published = release.published.max(newer.published);
    release
        .artifacts
        .retain(|entry| newer.artifact(&entry.engine, &entry.target).is_none());
    release.artifacts.extend(newer.artifacts.iter().cloned());
    release
}

/// Indented, because people read rejections. Serializing these structs cannot fail.
fn json(document: &impl Serialize) -> Vec<u8> {
    let mut json = serde_json::to_vec_pretty(document).unwrap_or_default();
    json.push(b'\n');
    json
}
