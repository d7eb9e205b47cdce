//! Trying a plugin out: mapping a sample user within the default limits.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::{Limits, Settings};
use crate::event::{EventError, PostConfirmation};
use crate::item::ItemError;
use crate::plugin::{Mapping, Plugin, PluginError, Run};

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

/// Maps the sample user with a plugin.
pub fn try_out(plugin: &Plugin, settings: &Settings, limits: &Limits) -> Result<Run, EventError> {
    let event = PostConfirmation::parse(SAMPLE.as_bytes())?;
    Ok(plugin.run(&event, SystemTime::now(), settings, limits))
}

pub(super) fn sample(plugin: &Plugin, settings: &Settings) -> Result<Sample, TryOutError> {
    let run = try_out(plugin, settings, &Limits::default())?;
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
