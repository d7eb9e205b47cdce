//! Trying a plugin out: mapping a sample user within the default limits.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::{Limits, Settings};
use crate::event::{EventError, PostConfirmation, UserPoolId};
use crate::item::ItemError;
use crate::plugin::{Mapping, Plugin, PluginError};

/// The sign-up of an invented user. Every plugin must be able to map it.
const SAMPLE: &str = include_str!("sample.json");

/// The result of mapping the sample user.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// The item, as DynamoDB JSON. `None` if the plugin skipped the user.
    pub item: Option<Map<String, Value>>,
    /// The fuel that the plugin used.
    pub fuel: u64,
    /// The memory that the plugin used, in bytes.
    pub memory_bytes: usize,
}

/// What a component made of the sample user. Empty if it was not tried out.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tried {
    /// With the upload's settings.
    pub(super) sample: Option<Sample>,
    /// The items with the settings of pools, in their order; `None` where there is none.
    pub(super) pools: Vec<Option<Map<String, Value>>>,
}

/// How a plugin failed with the sample.
#[derive(Debug, thiserror::Error)]
pub enum TryOutError {
    /// The plugin was stopped, trapped, or returned an error.
    #[error("with a sample user: {0}")]
    Plugin(PluginError),
    /// The plugin's item breaks a rule of DynamoDB.
    #[error("with a sample user: {0}")]
    Item(ItemError),
    /// The sample itself cannot be read.
    #[error("the sample event: {0}")]
    Event(#[from] EventError),
}

impl TryOutError {
    /// The error's name, for the rejection and for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Plugin(error) => error.name(),
            Self::Item(error) => error.name(),
            Self::Event(error) => error.name(),
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Plugin(PluginError::Refused { message }) => format!("{self}: {message}"),
            _ => self.to_string(),
        }
    }

    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Plugin(PluginError::Refused { .. }) => {
                "The plugin must map a user with an email. If it needs settings, upload them as uploads/<plugin>/settings.json, or pass `--settings`."
            }
            Self::Plugin(_) => {
                "Run the plugin with `poolhook plugin run` to see the error, and fix it."
            }
            Self::Item(_) => {
                "`poolhook plugin run` shows the item; the rules are in docs/plugins/README.md."
            }
            Self::Event(_) => "This is a bug in poolhook: please report it.",
        }
    }
}

/// The sign-up of the sample user in this pool.
pub fn sample_user(pool: &UserPoolId) -> Result<PostConfirmation, EventError> {
    Ok(PostConfirmation {
        user_pool_id: pool.clone(),
        region: pool.region().to_owned(),
        ..user()?
    })
}

/// The sample user, in a pool of its own.
pub(super) fn user() -> Result<PostConfirmation, EventError> {
    PostConfirmation::parse(SAMPLE.as_bytes())
}

pub(super) fn sample(plugin: &Plugin, settings: &Settings) -> Result<Sample, TryOutError> {
    let run = plugin.run(&user()?, SystemTime::now(), settings, &Limits::default());
    let item = match run.mapping.map_err(TryOutError::Plugin)? {
        Mapping::Put(fields) => {
            let item = fields.into_item().map_err(TryOutError::Item)?;
            serde_json::to_value(&item)
                .ok()
                .and_then(|json| json.as_object().cloned())
        }
        Mapping::Skip(_) => None,
    };
    Ok(Sample {
        item,
        fuel: run.fuel,
        memory_bytes: run.memory_bytes,
    })
}
