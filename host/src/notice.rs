//! What happened in the background: a newer config or release is in use, or could
//! not be used.

use serde::Serialize;

use crate::config::PluginRef;
use crate::digest::Sha256;
use crate::event::UserPoolId;
use crate::failure::Failure;
use crate::log::{self, Level};
use crate::text::shown;

/// The result of a background refresh, for the log.
#[derive(Debug)]
pub enum Notice {
    /// The pool's config has changed; the new one is in use.
    NewConfig(UserPoolId),
    /// The pool's config is invalid or could not be read. The previous one stays in
    /// use; if the file was deleted, the config is evicted.
    ConfigRefreshFailed(UserPoolId, Failure),
    /// The plugin's live release has changed; this component is in use.
    NewRelease(PluginRef, Sha256),
    /// The plugin's live release is invalid or could not be read. The previous one
    /// stays in use.
    ReleaseRefreshFailed(PluginRef, Failure),
}

impl Notice {
    /// The notice's log line, one JSON object.
    pub fn log_line(&self) -> String {
        let (notice, pool, plugin) = match self {
            Self::NewConfig(pool) => ("new config", Some(pool), None),
            Self::ConfigRefreshFailed(pool, _) => ("config refresh failed", Some(pool), None),
            Self::NewRelease(plugin, _) => ("new release", None, Some(plugin)),
            Self::ReleaseRefreshFailed(plugin, _) => ("release refresh failed", None, Some(plugin)),
        };
        let failure = match self {
            Self::ConfigRefreshFailed(_, failure) | Self::ReleaseRefreshFailed(_, failure) => {
                Some(failure)
            }
            Self::NewConfig(_) | Self::NewRelease(..) => None,
        };
        let component = match self {
            Self::NewRelease(_, component) => Some(*component),
            _ => None,
        };
        let level = if failure.is_some() {
            Level::Warn
        } else {
            Level::Info
        };
        let line = NoticeLine {
            notice,
            user_pool_id: pool.map(UserPoolId::as_str),
            plugin: plugin.map(ToString::to_string),
            component,
            error: failure.map(Failure::name),
            message: failure.map(|failure| shown(&failure.text()).to_string()),
        };
        log::line(level, &line)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NoticeLine<'a> {
    notice: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_pool_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<Sha256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}
