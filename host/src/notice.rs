//! What happened in the background: a newer config or release is in use, or could
//! not be used.

use serde::Serialize;

use crate::config::PluginRef;
use crate::digest::Sha256;
use crate::event::UserPoolId;
use crate::failure::Failure;
use crate::report::json;

/// The result of a background refresh, for the log.
#[derive(Debug)]
pub enum Notice {
    /// The pool's config has changed; the new one is in use.
    NewConfig(UserPoolId),
    /// The pool's config is invalid or could not be read. The previous one stays in
    /// use; if the file was deleted, the config is evicted.
    ConfigKept(UserPoolId, Failure),
    /// The plugin's live release has changed; this component is in use.
    NewRelease(PluginRef, Sha256),
    /// The plugin's live release is invalid or could not be read. The previous one
    /// stays in use.
    ReleaseKept(PluginRef, Failure),
}

impl Notice {
    /// The notice's log line, one JSON object.
    pub fn log_line(&self) -> String {
        let (notice, pool, plugin) = match self {
            Self::NewConfig(pool) => ("new config", Some(pool), None),
            Self::ConfigKept(pool, _) => ("config kept", Some(pool), None),
            Self::NewRelease(plugin, _) => ("new release", None, Some(plugin)),
            Self::ReleaseKept(plugin, _) => ("release kept", None, Some(plugin)),
        };
        let failure = match self {
            Self::ConfigKept(_, failure) | Self::ReleaseKept(_, failure) => Some(failure),
            Self::NewConfig(_) | Self::NewRelease(..) => None,
        };
        let component = match self {
            Self::NewRelease(_, component) => Some(*component),
            _ => None,
        };
        json(&NoticeLine {
            level: if failure.is_some() { "WARN" } else { "INFO" },
            notice,
            user_pool_id: pool.map(UserPoolId::as_str),
            plugin: plugin.map(ToString::to_string),
            component,
            error: failure.map(Failure::name),
            message: failure.map(Failure::text),
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NoticeLine<'a> {
    level: &'static str,
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
