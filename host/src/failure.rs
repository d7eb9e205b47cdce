//! How an event can end: the outcome, or the failure and who must fix it.

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

/// The outcome of an event that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The item was written.
    Written,
    /// The table already had an item with this key, which was not replaced.
    AlreadyThere(Existing),
    /// A rule decided that nothing is written.
    Skipped(Skip),
}

/// The rule by which an event was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// The pool's config does not list the event's trigger source.
    TriggerSource,
    /// The plugin skipped the user.
    Plugin {
        /// The plugin's reason, which may contain personal data.
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

/// Why an event failed. Cognito receives its name and text as the error.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The event cannot be read.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The platform engineer must fix the config.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A bucket or folder failed or refused access, so that a config could not be read
    /// or a dead letter not be written.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The pool's plugin does not exist, or not for this host's engine.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The plugin failed; the tenant must fix it.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The plugin's item breaks a rule; the tenant must fix it.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// The table cannot be used, or AWS failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A step took until the event's deadline.
    #[error("{what} took too long: the event's deadline has passed")]
    Late {
        /// The step, as the text's subject.
        what: &'static str,
    },
}

/// Who must fix a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Class {
    /// The event's sender.
    Event,
    /// The platform engineer.
    Config,
    /// The tenant.
    Plugin,
    /// AWS, or the platform engineer for permissions and capacity.
    Store,
    /// poolhook itself, or its machine.
    Host,
}

impl Class {
    /// The name that logs and dead letters use.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Failure {
    /// The failure's name, such as `Store.Timeout`: Lambda's `errorType`.
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

    /// Whether the event is from a pool that no config names.
    pub(crate) fn is_of_unknown_pool(&self) -> bool {
        matches!(self, Self::Config(ConfigError::UnknownPool { .. }))
    }

    /// Who must fix the failure.
    pub fn class(&self) -> Class {
        match self {
            Self::Event(_) => Class::Event,
            Self::Config(_) => Class::Config,
            Self::Release(ReleaseError::Blobs(_)) | Self::Blobs(_) | Self::Store(_) => Class::Store,
            Self::Plugin(PluginError::Engine { .. }) | Self::Late { .. } => Class::Host,
            Self::Release(_) | Self::Plugin(_) | Self::Item(_) => Class::Plugin,
        }
    }

    /// Whether the failure is transient, so that a later attempt may succeed.
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

    /// The failure's text with its causes: Lambda's `errorMessage`.
    pub fn text(&self) -> String {
        with_causes(self)
    }
}

/// Runs `work`; fails with [`Failure::Late`] at the deadline.
pub(crate) async fn within<T>(
    until: Instant,
    what: &'static str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let in_time = timeout_at(until, work).await;
    in_time.unwrap_or(Err(Failure::Late { what }))
}

/// An error's text, followed by its causes' texts.
pub fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
