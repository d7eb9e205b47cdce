//! How an event can end: what became of it, or why it failed and whose part that
//! is.

use std::error::Error;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use crate::blobs::BlobError;
use crate::config::ConfigError;
use crate::event::EventError;
use crate::item::ItemError;
use crate::plugin::PluginError;
use crate::releases::ReleaseError;
use crate::store::{Existing, Put, StoreError};

/// What became of an event that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The item is in the table.
    Written,
    /// The table held an item with this key already, and still holds that one.
    AlreadyThere(Existing),
    /// By rule, nothing was written.
    Skipped(Skip),
}

/// The rule by which an event was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// The pool's config does not list the event's trigger source.
    TriggerSource,
    /// The plugin decided so.
    Plugin {
        /// Why, in the plugin's words, which may hold personal data.
        reason: String,
    },
}

impl From<Put> for Outcome {
    fn from(put: Put) -> Self {
        match put {
            Put::Written => Self::Written,
            Put::AlreadyThere(existing) => Self::AlreadyThere(existing),
        }
    }
}

/// Why an event failed, by whose part it is: what Cognito gets as the error.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The event is none that we can read.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The platform engineer's part.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The platform engineer's part, or S3's: a config or a release could not be
    /// read.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The pool's plugin is not there, or not for this host.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The tenant's part: the plugin failed.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The tenant's part: the plugin's item breaks a rule.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// AWS's part, or the table's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something before the write took all the time there was.
    #[error("{what} took too long: the event's time is over")]
    Late {
        /// What.
        what: &'static str,
    },
}

/// Whose part a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// The sender's.
    Event,
    /// The platform engineer's.
    Config,
    /// The tenant's.
    Plugin,
    /// AWS's.
    Store,
    /// poolhook's own, or its machine's.
    Host,
}

impl Class {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Config => "config",
            Self::Plugin => "plugin",
            Self::Store => "store",
            Self::Host => "host",
        }
    }
}

impl Failure {
    /// The failure's name, `<part>.<what>`: Lambda's `errorType`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Event(error) => error.name(),
            Self::Config(error) => error.name(),
            Self::Blobs(error) => error.name(),
            Self::Release(error) => error.name(),
            Self::Plugin(error) => error.name(),
            Self::Item(error) => error.name(),
            Self::Store(error) => error.name(),
            Self::Late { .. } => "Host.Late",
        }
    }

    /// Whether it is an event of a pool that nobody has configured.
    pub(crate) fn is_of_unknown_pool(&self) -> bool {
        matches!(self, Self::Config(ConfigError::UnknownPool { .. }))
    }

    /// Whose part it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Event(_) => Class::Event,
            Self::Config(_) => Class::Config,
            Self::Release(ReleaseError::Blobs(_)) | Self::Blobs(_) | Self::Store(_) => Class::Store,
            Self::Plugin(PluginError::Engine { .. }) | Self::Late { .. } => Class::Host,
            Self::Release(_) | Self::Plugin(_) | Self::Item(_) => Class::Plugin,
        }
    }

    /// Whether the same event may well succeed later, with nothing mended by hand.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Blobs(error) | Self::Release(ReleaseError::Blobs(error)) => error.is_retryable(),
            Self::Store(error) => error.is_retryable(),
            Self::Plugin(PluginError::Engine { .. }) | Self::Late { .. } => true,
            Self::Event(_)
            | Self::Config(_)
            | Self::Release(_)
            | Self::Plugin(_)
            | Self::Item(_) => false,
        }
    }

    /// The failure and its causes, each once: Lambda's `errorMessage`.
    pub fn text(&self) -> String {
        with_causes(self)
    }
}

/// What the work gives, or that the time was over before it was done.
pub(crate) async fn within<T>(
    until: Instant,
    what: &'static str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let in_time = timeout_at(until, work).await;
    in_time.unwrap_or(Err(Failure::Late { what }))
}

/// An error's text and those of its causes, each once.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
