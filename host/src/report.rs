//! The result of one event, its timings, and its log line.

use std::future::Future;
use std::time::Instant;

use serde::Serialize;

use crate::config::{OnFailure, PluginName, PluginRef, Table};
use crate::digest::Sha256;
use crate::event::UserPoolId;
use crate::failure::{Failure, Outcome, Skip};
use crate::item::Item;
use crate::log::{self, Level};
use crate::plugin::{LogLine, Mapping, Plugin, PluginError, Run};
use crate::store::Existing;
use crate::text::shown;

/// The most attributes that a log line names, and the most bytes of each name.
const MAX_NAMES: usize = 20;
const MAX_NAME_BYTES: usize = 64;

/// The result of one event.
#[derive(Debug)]
pub struct Report {
    /// The outcome, or the failure.
    pub outcome: Result<Outcome, Failure>,
    /// Whether the event was dead-lettered.
    pub dead_lettered: DeadLettered,
    /// What is known of the event, up to the step that it reached.
    pub trace: Trace,
}

/// Whether an event was dead-lettered.
#[derive(Debug)]
pub enum DeadLettered {
    /// Not needed, or no bucket or folder is configured.
    No,
    /// The dead letter was written; Cognito gets this answer.
    Yes(OnFailure),
    /// The dead letter could not be written either.
    Failed(Failure),
}

/// What is known of an event up to the step that it reached, and each step's time.
#[derive(Debug)]
pub struct Trace {
    /// The event's user pool.
    pub user_pool_id: Option<UserPoolId>,
    /// Whether it is a test event, which writes nothing.
    pub is_test: bool,
    /// The name of the pool's plugin.
    pub plugin: Option<PluginName>,
    /// The digest of the plugin's component; `None` for a built-in plugin.
    pub component: Option<Sha256>,
    /// The fuel that the plugin used; 0 if it did not run.
    pub fuel: u64,
    /// What the plugin logged.
    pub log: Vec<LogLine>,
    /// The pool's `on-failure`; the default until the config is read.
    pub on_failure: OnFailure,
    /// The table that the item was put to.
    pub table: Option<Table>,
    /// The item, once it has passed all checks.
    pub item: Option<Item>,
    /// The time of each step.
    pub micros: Micros,
    began: Instant,
}

/// The steps of an event, in order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Event,
    Config,
    Load,
    Plugin,
    Check,
    Store,
}

/// Microseconds by step; `None` for a step that was not reached.
#[derive(Clone, Debug, Default, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Micros {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<u64>,
    pub total: u64,
}

impl Trace {
    pub(crate) fn begin() -> Self {
        Self {
            user_pool_id: None,
            is_test: false,
            plugin: None,
            component: None,
            fuel: 0,
            log: Vec::new(),
            on_failure: OnFailure::default(),
            table: None,
            item: None,
            micros: Micros::default(),
            began: Instant::now(),
        }
    }

    pub(crate) fn end(
        mut self,
        outcome: Result<Outcome, Failure>,
        dead_lettered: DeadLettered,
    ) -> Report {
        self.micros.total = micros_since(self.began);
        Report {
            outcome,
            dead_lettered,
            trace: self,
        }
    }

    /// Records the plugin, whether it could be loaded or not.
    pub(crate) fn loaded(&mut self, reference: &PluginRef, plugin: Option<&Plugin>) {
        let name = plugin.map_or(&reference.name, Plugin::name);
        self.plugin = Some(name.clone());
        self.component = plugin.and_then(Plugin::component);
    }

    /// Records what the run used and logged.
    pub(crate) fn ran(&mut self, run: Run) -> Result<Mapping, PluginError> {
        self.fuel = run.fuel;
        self.log = run.log;
        run.mapping
    }

    pub(crate) fn time<T>(&mut self, step: Step, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = work();
        self.took(step, began);
        result
    }

    pub(crate) async fn time_async<T>(&mut self, step: Step, work: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let result = work.await;
        self.took(step, began);
        result
    }

    fn took(&mut self, step: Step, began: Instant) {
        let micros = match step {
            Step::Event => &mut self.micros.event,
            Step::Config => &mut self.micros.config,
            Step::Load => &mut self.micros.load,
            Step::Plugin => &mut self.micros.plugin,
            Step::Check => &mut self.micros.check,
            Step::Store => &mut self.micros.store,
        };
        *micros = Some(micros_since(began));
    }
}

fn micros_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
}

impl Report {
    /// The answer to Cognito: `Ok` for the event's own bytes, or the failure.
    pub fn answer(&self) -> Result<(), &Failure> {
        match (&self.outcome, &self.dead_lettered) {
            (Ok(_), _) | (Err(_), DeadLettered::Yes(OnFailure::Accept)) => Ok(()),
            (Err(failure), _) => Err(failure),
        }
    }

    /// The outcome, as logs and commands name it.
    pub fn outcome_name(&self) -> &'static str {
        match (&self.outcome, &self.dead_lettered) {
            (Ok(Outcome::Written), _) => "written",
            (Ok(Outcome::AlreadyThere(_)), _) => "already there",
            (Ok(Outcome::Skipped(_)), _) => "skipped",
            (Err(_), DeadLettered::Yes(_)) => "dead-lettered",
            (Err(_), _) => "failed",
        }
    }

    /// Whether a different item has the key, and not only because of the time of receipt.
    pub fn differs(&self) -> bool {
        matches!(
            self.outcome,
            Ok(Outcome::AlreadyThere(Existing::Different(_)))
        )
    }

    /// The event's log line, one JSON object: what happened, but not to which user. It
    /// contains no user name, no attribute's value and no text of the plugin's. If a
    /// different item is already there, it names the attributes that differ.
    pub fn log_line(&self, request_id: &str) -> String {
        let trace = &self.trace;
        let error = self.outcome.as_ref().err();
        let line = EventLine {
            request_id,
            user_pool_id: trace.user_pool_id.as_ref().map(UserPoolId::as_str),
            plugin: trace.plugin.as_ref().map(PluginName::as_str),
            component: trace.component,
            table: trace.table.as_ref().map(|table| table.name.as_str()),
            outcome: self.outcome_name(),
            skipped_by: match &self.outcome {
                Ok(Outcome::Skipped(Skip::TriggerSource)) => Some("trigger source"),
                Ok(Outcome::Skipped(Skip::Plugin { .. })) => Some("plugin"),
                _ => None,
            },
            differing: match &self.outcome {
                Ok(Outcome::AlreadyThere(Existing::Different(names))) => shortened(names),
                _ => Vec::new(),
            },
            error: error.map(Failure::name),
            class: error.map(|failure| failure.class().as_str()),
            message: error.and_then(loggable),
            not_kept: match &self.dead_lettered {
                DeadLettered::Failed(failure) => Some(failure.name()),
                DeadLettered::No | DeadLettered::Yes(_) => None,
            },
            fuel: trace.fuel,
            micros: &trace.micros,
        };
        log::line(self.level(), &line)
    }

    /// A different item is a warning: two users, or two pools, may share a key. So is a
    /// transient failure if the event was dead-lettered.
    fn level(&self) -> Level {
        match (&self.outcome, &self.dead_lettered) {
            (Ok(_), _) if self.differs() => Level::Warn,
            (Ok(_), _) => Level::Info,
            (Err(failure), DeadLettered::Yes(_)) if failure.is_retryable() => Level::Warn,
            (Err(_), _) => Level::Error,
        }
    }

    /// The plugin's log lines, one JSON object each. The plugin's author chose the texts.
    pub fn plugin_log_lines(&self, request_id: &str) -> Vec<String> {
        let line = |logged: &LogLine| {
            let line = PluginLine {
                message: shown(&logged.message).to_string(),
                request_id,
                user_pool_id: self.trace.user_pool_id.as_ref().map(UserPoolId::as_str),
                plugin: self.trace.plugin.as_ref().map(PluginName::as_str),
            };
            log::line(logged.level, &line)
        };
        self.trace.log.iter().map(line).collect()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventLine<'a> {
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_pool_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<Sha256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<&'a str>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differing: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_kept: Option<&'static str>,
    fuel: u64,
    micros: &'a Micros,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PluginLine<'a> {
    message: String,
    request_id: &'a str,
    user_pool_id: Option<&'a str>,
    plugin: Option<&'a str>,
}

/// The plugin chose these names, so their number and length in a line are limited.
fn shortened(names: &[String]) -> Vec<&str> {
    let name = |name: &String| name.floor_char_boundary(MAX_NAME_BYTES);
    let names = names.iter().take(MAX_NAMES);
    names.filter_map(|text| text.get(..name(text))).collect()
}

/// A failure's text with its causes. `None` if the plugin chose a part of it, such as
/// the names of an item's attributes.
fn loggable(failure: &Failure) -> Option<String> {
    let own_words = !matches!(failure, Failure::Item(_));
    own_words.then(|| shown(&failure.text()).to_string())
}
