//! Publishing: an uploaded component becomes a release, or a rejection tells its
//! author why not.
//!
//! Everything is written before the pointer moves, which is the last write. If a
//! publish is interrupted, either the old or the new release is live, and complete.

mod check;
mod child;
mod compile;
mod confine;
mod followers;
mod rejected;
mod try_out;
mod uploads;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::blobs::Blobs;
use crate::config::{PluginName, Settings};
use crate::digest::{Blake3, Sha256};
use crate::failure::{Failure, with_causes};
use crate::plugin::{Artifact, ENGINE, TARGET, WORLD};
use crate::releases::{ArtifactEntry, Live, Rejection, Release, ReleaseError, Releases};
use crate::text::shown;
use crate::timestamp::Timestamp;
pub use check::{Checked, Checker, NotAccepted};
pub use child::{Refusal, compile_stdin};
pub use compile::CompileError;
pub use confine::{Confinement, confine};
use followers::Followers;
pub use rejected::Rejected;
pub use try_out::{Sample, TryOutError, sample_user};
pub use uploads::{Handled, upload_log_line};

/// What makes releases of uploads.
pub struct Publisher {
    releases: Releases,
    checker: Checker,
    configs: Option<Arc<dyn Blobs>>,
    pause: Option<Duration>,
}

/// A component from outside.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The plugin that it is to become.
    pub plugin: PluginName,
    /// The component.
    pub component: Vec<u8>,
    /// The settings with which it is tried out.
    pub settings: Settings,
    /// When it was uploaded.
    pub uploaded: Timestamp,
}

/// What became of an upload.
#[derive(Debug)]
pub enum Published {
    /// It is live.
    Live(Checked),
    /// It is a release, but a later upload or a rollback keeps the pointer.
    Superseded(Checked, Live),
    /// It is not a release. Its rejection is written, unless there was a later upload.
    Rejected(Rejected),
}

/// What became of a release that was to be rebuilt.
#[derive(Debug)]
pub enum Rebuilt {
    /// It has machine code for this engine now.
    Now,
    /// It had it before.
    Already,
    /// Its component is not accepted any more; the release is as it was.
    Rejected(Rejected),
}

/// Why publishing failed for a reason that is not the component's.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The releases could not be read or written.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The pools' configs could not be read.
    #[error("cannot read the pools' configs")]
    Configs(#[source] Failure),
    /// The compiling process could not be started or spoken to.
    #[error("cannot run the compiler")]
    Compiler(#[source] std::io::Error),
}

impl PublishError {
    /// The error's name, for logs and callers.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Release(error) => error.name(),
            Self::Configs(failure) => failure.name(),
            Self::Compiler(_) => "Publish.NoCompiler",
        }
    }

    /// The error and its causes, each once.
    pub fn text(&self) -> String {
        with_causes(self)
    }
}

impl Publisher {
    /// A publisher into these releases.
    pub fn new(releases: Releases, checker: Checker) -> Self {
        Self {
            releases,
            checker,
            configs: None,
            pause: None,
        }
    }

    /// Rejects a component whose items none of the pools that follow the plugin would
    /// write, as they have another key. The pools' configs are read for each upload.
    #[must_use]
    pub fn with_configs(mut self, configs: Arc<dyn Blobs>) -> Self {
        self.configs = Some(configs);
        self
    }

    /// Makes uploads of a plugin wait after one that used up the limits for compiling, for
    /// five times the processor time that it may have taken. So no plugin takes more than
    /// its share of a publisher that serves several tenants.
    #[must_use]
    pub fn with_pauses(mut self) -> Self {
        self.pause = Some(5 * self.checker.compile_time());
        self
    }

    /// Where it publishes to.
    pub fn releases(&self) -> &Releases {
        &self.releases
    }

    /// Checks an upload and, if it is accepted, makes it live; if not, writes the
    /// reason as the plugin's rejection.
    pub async fn publish(&self, upload: &Upload) -> Result<Published, PublishError> {
        let followers = match &self.configs {
            Some(configs) => Followers::of(&upload.plugin, configs).await,
            None => Ok(Followers::default()),
        };
        let followers = followers.map_err(PublishError::Configs)?;
        let checked = self.checker.check_with(upload, &followers.settings()).await;
        let checked = checked.and_then(|checked| {
            followers.check(&checked.pools)?;
            Ok(checked)
        });
        let checked = match checked {
            Ok(checked) => checked,
            Err(NotAccepted::NoCompiler(error)) => return Err(PublishError::Compiler(error)),
            Err(NotAccepted::Rejected(rejected)) => {
                let Upload {
                    plugin,
                    component,
                    uploaded,
                    ..
                } = upload;
                self.reject_component(plugin, *uploaded, component, &rejected)
                    .await?;
                return Ok(Published::Rejected(rejected));
            }
        };
        let live = self.release(upload, &checked).await?;
        self.releases
            .clear_rejection(&upload.plugin, upload.uploaded)
            .await?;
        Ok(if live.sha256 == checked.sha256 {
            Published::Live(checked)
        } else {
            Published::Superseded(checked, live)
        })
    }

    async fn reject_component(
        &self,
        plugin: &PluginName,
        uploaded: Timestamp,
        component: &[u8],
        rejected: &Rejected,
    ) -> Result<(), ReleaseError> {
        let (bytes, sha256) = (component.len() as u64, Sha256::of(component));
        self.reject(plugin, uploaded, bytes, Some(sha256), rejected)
            .await
    }

    /// Writes the rejection of an upload. One that is too large to read has no digest.
    async fn reject(
        &self,
        plugin: &PluginName,
        uploaded: Timestamp,
        bytes: u64,
        sha256: Option<Sha256>,
        rejected: &Rejected,
    ) -> Result<(), ReleaseError> {
        let rejection = Rejection {
            plugin: plugin.clone(),
            sha256,
            bytes,
            uploaded,
            error_type: rejected.name().to_owned(),
            error_message: shown(&rejected.to_string()).to_string(),
            advice: rejected.advice().to_owned(),
            retry_after: match rejected {
                Rejected::Compile(CompileError::Time { .. } | CompileError::Memory { .. }) => {
                    self.pause.map(|pause| (SystemTime::now() + pause).into())
                }
                Rejected::TooSoon { until } => Some(*until),
                _ => None,
            },
        };
        self.releases.write_rejection(&rejection).await
    }

    /// Writes a release and moves the pointer to it.
    async fn release(&self, upload: &Upload, checked: &Checked) -> Result<Live, ReleaseError> {
        let entry = self
            .write_code(&upload.component, &checked.artifact)
            .await?;
        let release = Release {
            plugin: upload.plugin.clone(),
            sha256: checked.sha256,
            bytes: checked.bytes,
            world: WORLD.to_owned(),
            published: SystemTime::now().into(),
            artifacts: vec![entry],
        };
        self.releases.write_release(&release).await?;
        let live = Live {
            sha256: checked.sha256,
            since: upload.uploaded,
        };
        self.releases.go_live(&upload.plugin, live).await
    }

    /// Writes the component and its machine code, and returns the release's entry.
    async fn write_code(
        &self,
        component: &[u8],
        artifact: &Artifact,
    ) -> Result<ArtifactEntry, ReleaseError> {
        let entry = ArtifactEntry {
            engine: ENGINE.to_owned(),
            target: TARGET.to_owned(),
            blake3: Blake3::of(artifact.as_slice()),
            bytes: artifact.bytes(),
        };
        let bytes = artifact.as_slice().to_vec();
        self.releases.write_code(component, &entry, bytes).await?;
        Ok(entry)
    }

    /// Makes a release's machine code for this build's engine and target, if it has
    /// none that can be read. Nothing else changes.
    pub async fn rebuild(&self, release: &Release) -> Result<Rebuilt, PublishError> {
        if self.is_built(release).await? {
            return Ok(Rebuilt::Already);
        }
        let component = self.releases.component(release).await?;
        let artifact = match self.checker.compile(&component, &[]).await {
            Ok(compiled) => compiled.artifact,
            Err(NotAccepted::NoCompiler(error)) => return Err(PublishError::Compiler(error)),
            Err(NotAccepted::Rejected(rejected)) => return Ok(Rebuilt::Rejected(rejected)),
        };
        let entry = self.write_code(&component, &artifact).await?;
        let release = Release {
            artifacts: vec![entry],
            ..release.clone()
        };
        self.releases.write_release(&release).await?;
        Ok(Rebuilt::Now)
    }

    async fn is_built(&self, release: &Release) -> Result<bool, ReleaseError> {
        let Some(entry) = release.artifact(ENGINE, TARGET) else {
            return Ok(false);
        };
        match self.releases.artifact(release, entry).await {
            Ok(bytes) => Ok(Artifact::verify(bytes, entry.blake3).is_ok()),
            Err(ReleaseError::Missing { .. } | ReleaseError::ArtifactTooLarge { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
