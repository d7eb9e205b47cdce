//! What became of one event, how long each step took, and the log line of it.

use std::future::Future;
use std::time::Instant;

use serde::Serialize;

use crate::config::{OnFailure, PluginName, PluginRef, TableName};
use crate::digest::Sha256;
use crate::event::{EventError, UserPoolId};
use crate::failure::{Failure, Outcome, Skip};
use crate::item::Item;
use crate::plugin::{LogLine, Mapping, Plugin, PluginError, Run};
use crate::store::Existing;

/// So many attributes are named in a log line, each by so many bytes.
const MAX_NAMES: usize = 20;
const MAX_NAME_BYTES: usize = 64;

/// What became of one event.
#[derive(Debug)]
pub struct Report {
    /// How it ended.
    pub outcome: Result<Outcome, Failure>,
    /// Whether it is kept as a dead letter, where it could not be written.
    pub kept: Kept,
    /// How far it came on the way there.
    pub trace: Trace,
}

/// Whether an event is kept as a dead letter.
#[derive(Debug)]
pub enum Kept {
    /// There was no need, or no place.
    No,
    /// It is, and Cognito is to hear this.
    Yes(OnFailure),
    /// It could not be kept either.
    Failed(Failure),
}

/// How far an event came: what is known by then, and the time of each step.
#[derive(Debug)]
pub struct Trace {
    /// The event's user pool.
    pub user_pool_id: Option<UserPoolId>,
    /// The pool's plugin.
    pub plugin: Option<PluginName>,
    /// The digest of its component; none for a built-in one.
    pub component: Option<Sha256>,
    /// The fuel that the plugin used.
    pub fuel: u64,
    /// What the plugin logged.
    pub log: Vec<LogLine>,
    /// What the pool's config says of failures; the default, until it is read.
    pub on_failure: OnFailure,
    /// The table to which the item was put.
    pub table: Option<TableName>,
    /// The item.
    pub item: Option<Item>,
    /// How long it took.
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

/// Microseconds by step; a step that was not reached is none.
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

    pub(crate) fn end(mut self, outcome: Result<Outcome, Failure>, kept: Kept) -> Report {
        self.micros.total = micros_since(self.began);
        Report {
            outcome,
            kept,
            trace: self,
        }
    }

    /// The plugin is loaded, or could not be.
    pub(crate) fn loaded(&mut self, reference: &PluginRef, plugin: Option<&Plugin>) {
        let name = plugin.map_or(&reference.name, Plugin::name);
        self.plugin = Some(name.clone());
        self.component = plugin.and_then(Plugin::component);
    }

    /// The plugin has run.
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
    /// The report of an event that is none.
    pub(crate) fn of_unreadable(error: EventError) -> Self {
        Trace::begin().end(Err(error.into()), Kept::No)
    }

    /// What Cognito is to hear: the event's own bytes, or the failure.
    pub fn answer(&self) -> Result<(), &Failure> {
        match (&self.outcome, &self.kept) {
            (Ok(_), _) | (Err(_), Kept::Yes(OnFailure::Accept)) => Ok(()),
            (Err(failure), _) => Err(failure),
        }
    }

    /// How the event ended, in a word or two.
    pub fn outcome_name(&self) -> &'static str {
        match (&self.outcome, &self.kept) {
            (Ok(Outcome::Written), _) => "written",
            (Ok(Outcome::AlreadyThere(_)), _) => "already there",
            (Ok(Outcome::Skipped(_)), _) => "skipped",
            (Err(_), Kept::Yes(_)) => "dead-lettered",
            (Err(_), _) => "failed",
        }
    }

    /// The event's log line, one JSON object: what happened, never to whom. It
    /// holds no user name, no attribute's value, no word of the plugin's; of an
    /// item that is there already and differs, it names the attributes.
    pub fn log_line(&self, request_id: &str) -> String {
        let trace = &self.trace;
        let error = self.outcome.as_ref().err();
        json(&EventLine {
            level: self.level(),
            request_id,
            user_pool_id: trace.user_pool_id.as_ref().map(UserPoolId::as_str),
            plugin: trace.plugin.as_ref().map(PluginName::as_str),
            component: trace.component,
            table: trace.table.as_ref().map(TableName::as_str),
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
            not_kept: match &self.kept {
                Kept::Failed(failure) => Some(failure.name()),
                Kept::No | Kept::Yes(_) => None,
            },
            fuel: trace.fuel,
            micros: &trace.micros,
        })
    }

    /// A failure that passes by itself is a warning, as long as the event is kept.
    fn level(&self) -> &'static str {
        match (&self.outcome, &self.kept) {
            (Ok(_), _) => "INFO",
            (Err(failure), Kept::Yes(_)) if failure.is_retryable() => "WARN",
            (Err(_), _) => "ERROR",
        }
    }

    /// The plugin's log lines, one JSON object each: its author's words.
    pub fn plugin_log_lines(&self, request_id: &str) -> Vec<String> {
        let line = |line| {
            json(&PluginLine {
                line,
                request_id,
                user_pool_id: self.trace.user_pool_id.as_ref().map(UserPoolId::as_str),
                plugin: self.trace.plugin.as_ref().map(PluginName::as_str),
            })
        };
        self.trace.log.iter().map(line).collect()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventLine<'a> {
    level: &'static str,
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
    #[serde(flatten)]
    line: &'a LogLine,
    request_id: &'a str,
    user_pool_id: Option<&'a str>,
    plugin: Option<&'a str>,
}

/// The plugin chose these names, so a line holds no more of them than it needs.
fn shortened(names: &[String]) -> Vec<&str> {
    let name = |name: &String| name.floor_char_boundary(MAX_NAME_BYTES);
    let names = names.iter().take(MAX_NAMES);
    names.filter_map(|text| text.get(..name(text))).collect()
}

/// A failure's text with its causes, unless a plugin can choose a part of it:
/// the names of an item's attributes.
fn loggable(failure: &Failure) -> Option<String> {
    let own_words = !matches!(failure, Failure::Item(_));
    own_words.then(|| failure.text())
}

/// Serializing these structs to memory cannot fail.
pub(crate) fn json(line: &impl Serialize) -> String {
    serde_json::to_string(line).unwrap_or_default()
}
