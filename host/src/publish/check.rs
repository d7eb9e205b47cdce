//! Checking a component: the part of publishing that comes before any write.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::compile::{self, Compiled};
use super::{CompileError, Rejected, Sample, Upload};
use crate::config::{PublishLimits, Settings};
use crate::digest::Sha256;
use crate::plugin::{Artifact, is_builtin};

/// Checks components, without writing anything.
pub struct Checker {
    limits: PublishLimits,
    program: PathBuf,
}

/// A component that was accepted.
#[derive(Debug)]
pub struct Checked {
    /// The component's digest.
    pub sha256: Sha256,
    /// The component's size, in bytes.
    pub bytes: u64,
    /// The result of mapping the sample user.
    pub sample: Sample,
    pub(super) artifact: Artifact,
    /// The sample user's items with the settings of the pools that follow the plugin.
    pub(super) pools: Vec<Option<Map<String, Value>>>,
}

/// Why a component was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum NotAccepted {
    /// The component was rejected.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The compile child could not be started, or the pipes to it failed. The
    /// component may be valid.
    #[error("cannot run the compiler")]
    NoCompiler(#[source] io::Error),
}

impl From<CompileError> for NotAccepted {
    fn from(error: CompileError) -> Self {
        Self::Rejected(error.into())
    }
}

impl Checker {
    /// A checker with these limits. `program` calls
    /// [`compile_stdin`](super::compile_stdin) when its first argument is
    /// `precompile`.
    pub fn new(limits: PublishLimits, program: PathBuf) -> Self {
        Self { limits, program }
    }

    /// The largest component that is accepted, in bytes.
    pub fn max_component_bytes(&self) -> u64 {
        self.limits.component_bytes
    }

    /// The processor time for compiling a component.
    pub(super) fn compile_time(&self) -> Duration {
        Duration::from_secs(self.limits.compile_seconds)
    }

    /// Checks an upload as publishing does, but for the keys of pools.
    pub async fn check(&self, upload: &Upload) -> Result<Checked, NotAccepted> {
        self.check_with(upload, &[]).await
    }

    /// Checks an upload, and also tries it out with the settings of pools.
    pub(super) async fn check_with(
        &self,
        upload: &Upload,
        pools: &[&Settings],
    ) -> Result<Checked, NotAccepted> {
        let Upload {
            plugin, component, ..
        } = upload;
        if is_builtin(plugin) {
            let plugin = plugin.clone();
            return Err(Rejected::NameTaken { plugin }.into());
        }
        let (bytes, max_bytes) = (component.len() as u64, self.limits.component_bytes);
        if bytes > max_bytes {
            return Err(Rejected::TooLarge { bytes, max_bytes }.into());
        }
        let settings: Vec<_> = [&upload.settings]
            .into_iter()
            .chain(pools.iter().copied())
            .collect();
        let Compiled { artifact, tried } = self.compile(component, &settings).await?;
        let sample = tried.sample.ok_or_else(|| CompileError::Crashed {
            status: "no answer about the sample user".to_owned(),
        })?;
        Ok(Checked {
            sha256: Sha256::of(component),
            bytes,
            sample,
            artifact,
            pools: tried.pools,
        })
    }

    /// Compiles a component in the compile child, whatever its size is.
    pub async fn artifact(&self, component: &[u8]) -> Result<Artifact, NotAccepted> {
        Ok(self.compile(component, &[]).await?.artifact)
    }

    /// Compiles a component, loads it as the trigger does and tries it out with each of
    /// the settings.
    pub(super) async fn compile(
        &self,
        component: &[u8],
        settings: &[&Settings],
    ) -> Result<Compiled, NotAccepted> {
        compile::in_a_process(&self.program, component, settings, &self.limits).await
    }
}
