//! Runs a plugin with an event without writing: its answer, and its cost.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use poolhook::config::{Limits, Settings};
use poolhook::event::PostConfirmation;
use poolhook::item::{Item, ItemError};
use poolhook::plugin::{LogLine, Mapping, Plugin, PluginError};
use serde_json::{Map, Value, json};

use crate::explain;
use crate::options::bytes;

/// The time at which every case's and every example's event is received:
/// 2026-11-23T09:06:52.123Z.
pub(crate) fn received() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_424_812_123)
}

/// The result of a run.
pub(crate) struct Trial {
    pub(crate) answer: Answer,
    pub(crate) cost: Cost,
    pub(crate) log: Vec<LogLine>,
}

pub(crate) enum Answer {
    Item(Item),
    /// The reason, as the plugin wrote it.
    Skip(String),
    /// The error's name and text; for `Plugin.Refused`, the plugin's message.
    Failed(&'static str, String),
}

pub(crate) struct Cost {
    fuel: u64,
    memory_bytes: usize,
    micros: u128,
    limits: Limits,
}

impl Trial {
    /// Runs the plugin and writes nothing. `check` is called with the item.
    ///
    /// The plugin runs twice, and the second run is measured: the first one pays for
    /// cold memory and caches.
    pub(crate) fn run(
        plugin: &Plugin,
        event: &PostConfirmation,
        received: SystemTime,
        settings: &Settings,
        limits: &Limits,
        check: impl FnOnce(&Item) -> Result<(), ItemError>,
    ) -> Self {
        plugin.run(event, received, settings, limits);
        let began = Instant::now();
        let run = plugin.run(event, received, settings, limits);
        let cost = Cost {
            micros: began.elapsed().as_micros(),
            fuel: run.fuel,
            memory_bytes: run.memory_bytes,
            limits: limits.clone(),
        };
        Self {
            answer: answer(run.mapping, check, &run.log),
            cost,
            log: run.log,
        }
    }

    /// Whether the plugin trapped or exceeded a limit, rather than answered.
    pub(crate) fn was_stopped(&self) -> bool {
        let refused = "Plugin.Refused";
        matches!(self.answer, Answer::Failed(name, _) if name.starts_with("Plugin.") && name != refused)
    }

    /// The keys that all commands print with `--json`.
    pub(crate) fn to_json(&self) -> Map<String, Value> {
        let (outcome, item, reason, error) = match &self.answer {
            Answer::Item(item) => ("put", Some(item), None, None),
            Answer::Skip(reason) => ("skip", None, Some(reason), None),
            Answer::Failed(name, text) => {
                let error = json!({ "errorType": name, "errorMessage": text });
                ("failed", None, None, Some(error))
            }
        };
        let cost = &self.cost;
        let keys = [
            ("outcome", json!(outcome)),
            ("item", json!(item)),
            ("reason", json!(reason)),
            ("error", json!(error)),
            ("fuel", json!(cost.fuel)),
            ("fuelLimit", json!(cost.limits.fuel)),
            ("memoryBytes", json!(cost.memory_bytes)),
            ("memoryBytesLimit", json!(cost.limits.memory_bytes)),
            (
                "micros",
                json!(u64::try_from(cost.micros).unwrap_or(u64::MAX)),
            ),
            ("log", json!(self.log)),
        ];
        keys.map(|(key, value)| (key.to_owned(), value))
            .into_iter()
            .collect()
    }
}

fn answer(
    mapping: Result<Mapping, PluginError>,
    check: impl FnOnce(&Item) -> Result<(), ItemError>,
    log: &[LogLine],
) -> Answer {
    let checked = |item: Item| check(&item).map(|()| item);
    match mapping {
        Ok(Mapping::Put(fields)) => match fields.into_item().and_then(checked) {
            Ok(item) => Answer::Item(item),
            Err(error) => Answer::Failed(error.name(), explain::item(&error)),
        },
        Ok(Mapping::Skip(reason)) => Answer::Skip(reason),
        Err(error) => {
            let name = error.name();
            let text = match error {
                PluginError::Refused { message } => message,
                error => explain::plugin(&error, log),
            };
            Answer::Failed(name, text)
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} fuel, {} of {} memory, {} us",
            self.fuel,
            self.limits.fuel,
            bytes(self.memory_bytes as u64),
            bytes(self.limits.memory_bytes as u64),
            self.micros
        )
    }
}
