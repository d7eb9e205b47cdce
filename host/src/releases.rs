//! Reads releases, and moves the pointer to the live one.

mod documents;
#[cfg(feature = "compiler")]
mod write;

use std::cmp::Reverse;
use std::io::Write;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::blobs::{Blob, BlobError, Blobs, Copied, ETag, Key, Read};
use crate::config::{MAX_ARTIFACT_BYTES, PluginName};
use crate::digest::Sha256;
pub use documents::{
    ArtifactEntry, Live, RELEASES, Rejection, Release, UPLOADS, artifact_key, component_key,
    live_key, rejection_key, release_key, settings_key, uploaded_plugin,
};

#[cfg(feature = "compiler")]
pub(crate) use documents::plugin_of;

/// The largest component that any configuration allows, in bytes.
pub const MAX_COMPONENT_BYTES: u64 = 32 << 20;
/// The largest release, pointer or rejection that is read.
const MAX_DOCUMENT_BYTES: u64 = 1 << 20;

/// The releases of all plugins.
#[derive(Clone)]
pub struct Releases {
    blobs: Arc<dyn Blobs>,
}

/// Why a release cannot be read or loaded.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "Plugin.")]
pub enum ReleaseError {
    /// Nothing was published under that name.
    #[error(
        "the plugin `{plugin}` has no live release in {address}: publish one with `poolhook plugin publish FILE.wasm --name {plugin}`"
    )]
    NotReleased {
        /// The plugin.
        plugin: PluginName,
        /// Where its pointer was looked for.
        address: String,
    },
    /// The pointer, or a pin, names a component that has no release.
    #[error(
        "the plugin `{plugin}` has no release sha256:{sha256} in {address}: `poolhook plugin show {plugin}` lists them"
    )]
    NoSuchRelease {
        /// The plugin.
        plugin: PluginName,
        /// The component's digest.
        sha256: Sha256,
        /// Where the release was looked for.
        address: String,
    },
    /// A pointer or release that cannot be read as one.
    #[error(
        "{address} is not what poolhook has written there: {reason}; publish the component again"
    )]
    #[strum(serialize = "DamagedRelease")]
    Damaged {
        /// Where it lies.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// Published for other engines or targets than this one.
    #[error(
        "the release sha256:{sha256} of the plugin `{plugin}` has no artifact for {engine} on {target}: run `poolhook plugin rebuild` of this version"
    )]
    NoArtifact {
        /// The plugin.
        plugin: PluginName,
        /// The component's digest.
        sha256: Sha256,
        /// This host's engine.
        engine: &'static str,
        /// This host's target.
        target: &'static str,
    },
    /// A release names an artifact or component that does not exist.
    #[error(
        "{address} is missing, though a release of the plugin `{plugin}` names it: run `poolhook plugin rebuild` or publish the component again"
    )]
    #[strum(serialize = "ArtifactMissing")]
    Missing {
        /// The plugin.
        plugin: PluginName,
        /// Where it should lie.
        address: String,
    },
    /// Machine code that is larger than any that is published now.
    #[error(
        "the plugin `{plugin}` has {bytes} bytes of machine code; at most {MAX_ARTIFACT_BYTES} are loaded: publish a smaller component"
    )]
    ArtifactTooLarge {
        /// The plugin.
        plugin: PluginName,
        /// The size that its release names, or that the object has.
        bytes: u64,
    },
    /// Other writers came first at every attempt.
    #[error("{address} is being written by others all the time; try again")]
    #[strum(serialize = "ReleaseBusy")]
    Busy {
        /// Where it lies.
        address: String,
    },
    /// The bucket or folder failed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

impl ReleaseError {
    /// The error's name, for logs and callers.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Blobs(error) => error.name(),
            own => own.into(),
        }
    }
}

/// A plugin's releases.
#[derive(Debug, Default)]
pub struct History {
    /// The releases, the latest published first.
    pub releases: Vec<Release>,
    /// Those that cannot be read; publishing their components again fixes them.
    pub damaged: Vec<ReleaseError>,
}

/// What the pointer says.
pub(crate) enum Pointer {
    /// This release is live.
    Live(Live, ETag),
    /// The version that the caller knows.
    Unchanged,
}

impl Releases {
    /// The releases among these blobs.
    pub fn new(blobs: Arc<dyn Blobs>) -> Self {
        Self { blobs }
    }

    /// The blobs.
    pub fn blobs(&self) -> &dyn Blobs {
        &*self.blobs
    }

    /// The blobs, to share.
    pub fn shared_blobs(&self) -> Arc<dyn Blobs> {
        Arc::clone(&self.blobs)
    }

    /// Reads the pointer, unless it is still the version that the caller knows.
    pub(crate) async fn pointer(
        &self,
        plugin: &PluginName,
        known: Option<&ETag>,
    ) -> Result<Pointer, ReleaseError> {
        let key = live_key(plugin);
        match self.blobs.get(&key, known, MAX_DOCUMENT_BYTES).await? {
            Read::Blob(blob) => Ok(Pointer::Live(self.document(&key, &blob)?, blob.etag)),
            Read::Unchanged => Ok(Pointer::Unchanged),
            Read::Absent => Err(ReleaseError::NotReleased {
                plugin: plugin.clone(),
                address: self.blobs.address(key.as_str()),
            }),
        }
    }

    /// The live release; `None` if nothing was published.
    pub async fn live(&self, plugin: &PluginName) -> Result<Option<Live>, ReleaseError> {
        match self.pointer(plugin, None).await {
            Ok(Pointer::Live(live, _)) => Ok(Some(live)),
            Ok(Pointer::Unchanged) | Err(ReleaseError::NotReleased { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The release of a component.
    pub async fn release(
        &self,
        plugin: &PluginName,
        component: Sha256,
    ) -> Result<Release, ReleaseError> {
        let found = self.versioned_release(plugin, component).await?;
        found.map(|(release, _)| release).ok_or_else(|| {
            let key = release_key(plugin, component);
            ReleaseError::NoSuchRelease {
                plugin: plugin.clone(),
                sha256: component,
                address: self.blobs.address(key.as_str()),
            }
        })
    }

    async fn versioned_release(
        &self,
        plugin: &PluginName,
        component: Sha256,
    ) -> Result<Option<(Release, ETag)>, ReleaseError> {
        let key = release_key(plugin, component);
        let Read::Blob(blob) = self.blobs.get(&key, None, MAX_DOCUMENT_BYTES).await? else {
            return Ok(None);
        };
        let release: Release = self.document(&key, &blob)?;
        if release.plugin != *plugin || release.sha256 != component {
            return Err(ReleaseError::Damaged {
                address: self.blobs.address(key.as_str()),
                reason: "it is the release of another component".into(),
            });
        }
        Ok(Some((release, blob.etag)))
    }

    /// Reads the machine code that an entry of a release names. The caller compares it
    /// with the entry's digest.
    pub async fn artifact(
        &self,
        release: &Release,
        entry: &ArtifactEntry,
    ) -> Result<Vec<u8>, ReleaseError> {
        let key = artifact_key(release.sha256, entry);
        check_size(release, entry.bytes)?;
        let read = self.blob(&release.plugin, &key, MAX_ARTIFACT_BYTES).await;
        read.map_err(|error| too_large(release, error))
    }

    /// Copies the same machine code piece by piece.
    pub(crate) async fn copy_artifact(
        &self,
        release: &Release,
        entry: &ArtifactEntry,
        to: &mut (dyn Write + Send),
    ) -> Result<Copied, ReleaseError> {
        let key = artifact_key(release.sha256, entry);
        check_size(release, entry.bytes)?;
        let copied = self.blobs.copy(&key, MAX_ARTIFACT_BYTES, to).await;
        match copied.map_err(|error| too_large(release, error.into()))? {
            copied @ (Copied::Whole | Copied::NotWritten(_)) => Ok(copied),
            Copied::Absent => Err(ReleaseError::Missing {
                plugin: release.plugin.clone(),
                address: self.blobs.address(key.as_str()),
            }),
        }
    }

    /// The component of a release.
    pub async fn component(&self, release: &Release) -> Result<Vec<u8>, ReleaseError> {
        let key = component_key(release.sha256);
        let component = self
            .blob(&release.plugin, &key, MAX_COMPONENT_BYTES)
            .await?;
        if Sha256::of(&component) != release.sha256 {
            return Err(ReleaseError::Damaged {
                address: self.blobs.address(key.as_str()),
                reason: "its digest is not the release's".into(),
            });
        }
        Ok(component)
    }

    async fn blob(
        &self,
        plugin: &PluginName,
        key: &Key,
        max_bytes: u64,
    ) -> Result<Vec<u8>, ReleaseError> {
        match self.blobs.get(key, None, max_bytes).await? {
            Read::Blob(blob) => Ok(blob.bytes),
            Read::Unchanged | Read::Absent => Err(ReleaseError::Missing {
                plugin: plugin.clone(),
                address: self.blobs.address(key.as_str()),
            }),
        }
    }

    /// The plugins that have a live release, in the order of their names.
    pub async fn plugins(&self) -> Result<Vec<PluginName>, ReleaseError> {
        let listed = self.blobs.list(RELEASES).await?;
        let plugin = |key: &Key| {
            let plugin = key.as_str().strip_prefix(RELEASES)?;
            let plugin = plugin.strip_suffix("/live.json")?;
            PluginName::try_from(plugin.to_owned()).ok()
        };
        Ok(listed.iter().filter_map(|blob| plugin(&blob.key)).collect())
    }

    /// A plugin's releases, the latest published first.
    pub async fn history(&self, plugin: &PluginName) -> Result<History, ReleaseError> {
        let prefix = format!("{RELEASES}{plugin}/");
        let mut history = History::default();
        for listed in self.blobs.list(&prefix).await? {
            let component = listed.key.as_str().strip_prefix(&prefix);
            let component = component.and_then(|file| file.strip_suffix(".json"));
            let Some(Ok(component)) = component.map(str::parse) else {
                continue;
            };
            match self.release(plugin, component).await {
                Ok(release) => history.releases.push(release),
                Err(error @ ReleaseError::Damaged { .. }) => history.damaged.push(error),
                Err(error) => return Err(error),
            }
        }
        let latest_first = |release: &Release| Reverse((release.published, release.sha256));
        history.releases.sort_by_key(latest_first);
        Ok(history)
    }

    /// The last upload's rejection, if it was rejected.
    pub async fn rejection(&self, plugin: &PluginName) -> Result<Option<Rejection>, ReleaseError> {
        let key = rejection_key(plugin);
        match self.blobs.get(&key, None, MAX_DOCUMENT_BYTES).await? {
            Read::Blob(blob) => Ok(Some(self.document(&key, &blob)?)),
            Read::Unchanged | Read::Absent => Ok(None),
        }
    }

    fn document<T: DeserializeOwned>(&self, key: &Key, blob: &Blob) -> Result<T, ReleaseError> {
        serde_json::from_slice(&blob.bytes).map_err(|error| ReleaseError::Damaged {
            address: self.blobs.address(key.as_str()),
            reason: error.to_string(),
        })
    }
}

/// Refuses machine code by the size that its release names, before any of it is
/// downloaded.
fn check_size(release: &Release, bytes: u64) -> Result<(), ReleaseError> {
    if bytes <= MAX_ARTIFACT_BYTES {
        return Ok(());
    }
    let plugin = release.plugin.clone();
    Err(ReleaseError::ArtifactTooLarge { plugin, bytes })
}

/// The same by the size that the object has.
fn too_large(release: &Release, error: ReleaseError) -> ReleaseError {
    match error {
        ReleaseError::Blobs(BlobError::TooLarge { bytes, .. }) => ReleaseError::ArtifactTooLarge {
            plugin: release.plugin.clone(),
            bytes,
        },
        error => error,
    }
}
