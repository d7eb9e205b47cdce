//! Why an upload is rejected, in words for its author.

use super::{CompileError, Refusal};
use crate::blobs::{BadKey, BlobError};
use crate::config::PluginName;
use crate::event::UserPoolId;
use crate::item::ItemError;
use crate::timestamp::Timestamp;

/// Why a component does not become a release.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// The component is larger than the host's config allows.
    #[error("the component has {bytes} bytes; at most {max_bytes} are allowed")]
    TooLarge {
        /// The component's size.
        bytes: u64,
        /// The limit: `publish.component-bytes` in `host.toml`.
        max_bytes: u64,
    },
    /// The name is a built-in plugin's.
    #[error("the plugin `{plugin}` is built in; no upload can be published under its name")]
    NameTaken {
        /// The name.
        plugin: PluginName,
    },
    /// An earlier upload of the plugin used up the limits for compiling.
    #[error(
        "an earlier upload of this plugin used up the limits for compiling; its uploads are compiled again from {until}"
    )]
    TooSoon {
        /// The end of the pause.
        until: Timestamp,
    },
    /// The upload's key is not one that poolhook reads.
    #[error("the upload's key cannot be used: {0}")]
    BadKey(#[source] BadKey),
    /// The publisher may not read the upload.
    #[error("the upload cannot be read: {0}")]
    Unreadable(#[source] BlobError),
    /// The `settings.json` for its try-out is not a JSON object.
    #[error("its settings.json is not one JSON object: {0}")]
    Settings(#[source] serde_json::Error),
    /// Its item does not have the key of any pool that follows the plugin.
    #[error(
        "none of the {pools} pools that follow the plugin would write its items. For a sample user in {pool}: {error}"
    )]
    WrongKey {
        /// One of the pools.
        pool: UserPoolId,
        /// Their number.
        pools: usize,
        /// Why that pool refuses the item.
        error: ItemError,
    },
    /// The compile child ended without an answer.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The compile child refused the component.
    #[error("{}", .0.error_message)]
    Component(Refusal),
}

impl Rejected {
    /// The error's name, for the rejection and for logs.
    pub fn name(&self) -> &str {
        match self {
            Self::TooLarge { .. } => "Upload.TooLarge",
            Self::NameTaken { .. } => "Upload.NameTaken",
            Self::TooSoon { .. } => "Upload.TooSoon",
            Self::BadKey(_) => "Upload.BadKey",
            Self::Unreadable(_) => "Upload.Unreadable",
            Self::Settings(_) => "Upload.BadSettings",
            Self::WrongKey { .. } => "Upload.WrongKey",
            Self::Compile(error) => error.name(),
            Self::Component(refusal) => &refusal.error_type,
        }
    }

    /// How the component's author can fix it.
    pub fn advice(&self) -> &str {
        match self {
            Self::TooLarge { .. } => {
                "Build for size (`poolhook plugin build` does); a language with an engine of its own, such as Python, needs a larger `publish.component-bytes` in host.toml, up to 33554432."
            }
            Self::NameTaken { .. } => "Publish it under a name of its own.",
            Self::TooSoon { .. } => {
                "Upload it again then. `poolhook plugin check` says before whether it compiles within the limits."
            }
            Self::BadKey(_) => "Upload it as uploads/<plugin>/<file>.wasm, with a short file name.",
            Self::Unreadable(_) => {
                "Upload it again with the bucket's own encryption: not with a key of yours (SSE-C), nor with a KMS key that the publisher may not use."
            }
            Self::Settings(_) => {
                "Fix uploads/<plugin>/settings.json, then upload the component again."
            }
            Self::WrongKey { .. } => {
                "Return the key that `key` in the pools' configs names, with the value that `equals` gives. `poolhook config check` shows what each pool needs."
            }
            Self::Compile(error) => error.advice(),
            Self::Component(refusal) => &refusal.advice,
        }
    }
}
