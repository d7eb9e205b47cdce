//! Publishing: an uploaded component becomes a release, or its author reads why
//! not.
//!
//! Everything is written before the pointer moves, which is the last write: at
//! whatever step a publish is cut off, either the old or the new release is live,
//! and whole.

mod child;
mod compile;
mod rejected;
mod try_out;
mod uploads;

use std::path::PathBuf;
use std::time::SystemTime;

use crate::config::{PluginName, PublishLimits, Settings};
use crate::digest::{Blake3, Sha256};
use crate::failure::with_causes;
use crate::plugin::{Artifact, ENGINE, TARGET, WORLD, is_builtin};
use crate::release::{ArtifactEntry, Live, Rejection, Release};
use crate::releases::{ReleaseError, Releases};
use crate::timestamp::Timestamp;
pub use child::{Refusal, compile_stdin};
pub use compile::CompileError;
use compile::Compiled;
pub use rejected::Rejected;
pub use try_out::{Sample, TryOutError, try_out};
pub use uploads::{Handled, upload_log_line};

/// What makes releases of uploads.
pub struct Publisher {
    releases: Releases,
    limits: PublishLimits,
    /// The program that compiles: see [`compile_stdin`].
    compiler: PathBuf,
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

/// A component that was checked.
#[derive(Debug)]
pub struct Checked {
    /// Its digest.
    pub sha256: Sha256,
    /// Its size.
    pub bytes: u64,
    /// What it made of the sample event.
    pub sample: Sample,
    artifact: Artifact,
}

/// What became of an upload.
#[derive(Debug)]
pub enum Published {
    /// It is live.
    Live(Checked),
    /// It is a release, but a later upload or a rollback keeps the pointer.
    Superseded(Checked, Live),
    /// It is no release, and its rejection is written, unless a later upload has
    /// its own say.
    Rejected(Rejected),
}

/// Why nothing can be said of a component: not its author's fault.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The releases could not be read or written.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The compiling process could not be started or spoken to.
    #[error("cannot run the compiler")]
    Compiler(#[source] std::io::Error),
}

impl PublishError {
    /// The error's name, for logs and callers.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Release(error) => error.name(),
            Self::Compiler(_) => "Publish.NoCompiler",
        }
    }

    /// The error and its causes, each once.
    pub fn text(&self) -> String {
        with_causes(self)
    }
}

impl Publisher {
    /// A publisher into these releases. `compiler` is a program that calls
    /// [`compile_stdin`] when its first argument is `precompile`.
    pub fn new(releases: Releases, limits: PublishLimits, compiler: PathBuf) -> Self {
        Self {
            releases,
            limits,
            compiler,
        }
    }

    /// The largest component that is accepted, in bytes.
    pub fn max_component_bytes(&self) -> u64 {
        self.limits.component_bytes
    }

    /// Where it publishes to.
    pub fn releases(&self) -> &Releases {
        &self.releases
    }

    /// Checks an upload and, if nothing is wrong with it, makes it live. If
    /// something is, writes that as the plugin's rejection.
    pub async fn publish(&self, upload: &Upload) -> Result<Published, PublishError> {
        let checked = match self.check(upload).await? {
            Ok(checked) => checked,
            Err(rejected) => {
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

    /// Writes the rejection of an upload, of which not even the digest need be
    /// known.
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
            error_message: rejected.to_string(),
            advice: rejected.advice().to_owned(),
        };
        self.releases.write_rejection(&rejection).await
    }

    /// What publishing would say of an upload, without writing anything.
    pub async fn check(&self, upload: &Upload) -> Result<Result<Checked, Rejected>, PublishError> {
        let (plugin, component) = (&upload.plugin, &upload.component);
        if is_builtin(plugin) {
            let plugin = plugin.clone();
            return Ok(Err(Rejected::NameTaken { plugin }));
        }
        let (bytes, max_bytes) = (component.len() as u64, self.limits.component_bytes);
        if bytes > max_bytes {
            return Ok(Err(Rejected::TooLarge { bytes, max_bytes }));
        }
        let compiled = self.compile(component, Some(&upload.settings)).await?;
        Ok(compiled.and_then(|Compiled { artifact, sample }| {
            let sample = sample.ok_or_else(|| CompileError::Crashed {
                status: "no answer about the sample user".to_owned(),
            })?;
            Ok(Checked {
                sha256: Sha256::of(component),
                bytes,
                sample,
                artifact,
            })
        }))
    }

    /// Compiles a component, loads it as the trigger would and, with settings,
    /// tries it out.
    async fn compile(
        &self,
        component: &[u8],
        settings: Option<&Settings>,
    ) -> Result<Result<Compiled, Rejected>, PublishError> {
        let compiled =
            compile::in_a_process(&self.compiler, component, settings, &self.limits).await;
        compiled.map_err(PublishError::Compiler)
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

    /// Writes what a release names, and gives the name.
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

    /// Makes a release's machine code for this build's engine and target, if it
    /// has none that can be read; true if it was made. Nothing else changes.
    pub async fn rebuild(&self, release: &Release) -> Result<Result<bool, Rejected>, PublishError> {
        if self.is_built(release).await? {
            return Ok(Ok(false));
        }
        let component = self.releases.component(release).await?;
        let artifact = match self.compile(&component, None).await? {
            Ok(compiled) => compiled.artifact,
            Err(rejected) => return Ok(Err(rejected)),
        };
        let entry = self.write_code(&component, &artifact).await?;
        let release = Release {
            artifacts: vec![entry],
            ..release.clone()
        };
        self.releases.write_release(&release).await?;
        Ok(Ok(true))
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
