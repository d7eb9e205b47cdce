//! Why an upload is rejected, in words for its author.

use super::{CompileError, TryOutError};
use crate::config::PluginName;
use crate::plugin::PluginError;

/// Why a component is none that poolhook runs.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// Larger than the host's config allows.
    #[error("the component has {bytes} bytes; at most {max_bytes} are allowed")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit: `publish.component-bytes` in `host.toml`.
        max_bytes: u64,
    },
    /// A built-in plugin has this name.
    #[error("the plugin `{plugin}` is built in; nothing can be published under its name")]
    NameTaken {
        /// The name.
        plugin: PluginName,
    },
    /// The settings with which it is to be tried out are no JSON object.
    #[error("its settings.json is not one JSON object: {0}")]
    Settings(#[source] serde_json::Error),
    /// It does not compile, or not within the limits.
    #[error(transparent)]
    Compile(CompileError),
    /// It compiles, but is not of our world.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// It fails with the sample event.
    #[error(transparent)]
    TryOut(TryOutError),
}

impl Rejected {
    /// The error's name, for the rejection and for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "Upload.TooLarge",
            Self::NameTaken { .. } => "Upload.NameTaken",
            Self::Settings(_) => "Upload.BadSettings",
            Self::Compile(error) => error.name(),
            Self::Plugin(error) => error.name(),
            Self::TryOut(error) => error.name(),
        }
    }

    /// The error, with the plugin's own words where it has some: the sample's
    /// user is nobody.
    pub fn text(&self) -> String {
        match self {
            Self::TryOut(error) => error.text(),
            error => error.to_string(),
        }
    }

    /// What its author can do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => {
                "Build for size (`poolhook plugin build` does); a language that brings its own engine needs a larger `publish.component-bytes` in host.toml, up to 33554432."
            }
            Self::NameTaken { .. } => "Publish it under a name of its own.",
            Self::Settings(_) => {
                "Mend uploads/<plugin>/settings.json, then upload the component again."
            }
            Self::Compile(error) => error.advice(),
            Self::Plugin(PluginError::ForbiddenImport { .. }) => {
                "Build for wasm32-unknown-unknown, without WASI. `poolhook plugin new` makes a project that does."
            }
            Self::Plugin(PluginError::WrongWorld { .. }) => {
                "Build it against wit/mapper.wit of poolhook:mapper@0.1.0: `poolhook plugin new` makes a project with it."
            }
            Self::Plugin(_) => "Build it again with `poolhook plugin build`, of fewer parts.",
            Self::TryOut(error) => error.advice(),
        }
    }
}
