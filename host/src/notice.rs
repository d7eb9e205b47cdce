//! What happens beside the events: a newer config or release came into use, or
//! could not.

use serde::Serialize;

use crate::config::PluginRef;
use crate::digest::Sha256;
use crate::event::UserPoolId;
use crate::failure::Failure;
use crate::report::json;

/// A change that was found between two events, for the log.
#[derive(Debug)]
pub enum Notice {
    /// The pool's config has changed, and the new one is in use.
    NewConfig(UserPoolId),
    /// The pool's config cannot be used or reached; the one from before stays,
    /// unless there is none any more.
    ConfigKept(UserPoolId, Failure),
    /// The plugin's live release has changed, and this component is in use.
    NewRelease(PluginRef, Sha256),
    /// The plugin's live release cannot be used or reached; the one from before
    /// stays.
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
