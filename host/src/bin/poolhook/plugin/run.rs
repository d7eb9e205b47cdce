//! `poolhook plugin run`: a component's answers, and what they cost.

use std::fs;
use std::io::{self, Write as _};
use std::time::{Instant, SystemTime};

use anyhow::Context as _;
use clap::Args;
use poolhook::config::{Limits, Settings};
use poolhook::event::PostConfirmation;
use poolhook::item::Item;
use poolhook::plugin::{Mapping, Plugin, PluginError, Run};
use poolhook::plugins::Plugins;
use serde_json::json;

use crate::Exit;
use crate::options::{Component, bytes, compile};

/// Run a component with events, and write nothing.
///
/// Each event's item is printed as DynamoDB's JSON, one line an event; what it
/// cost and what the plugin logged go to standard error. The limits are the
/// default ones. No pool's config is read, so the partition key is not checked.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook plugin run my-mapper.wasm event.json
  poolhook plugin run my-mapper.wasm events/*.json --settings settings.toml --json

Exit codes: 0 every event is mapped or skipped; 1 an event failed; 2 wrong usage,
or the component cannot be run.")]
pub(crate) struct Options {
    #[command(flatten)]
    component: Component,
    /// Files that hold a Post Confirmation event each.
    #[arg(required = true, value_name = "EVENT.json")]
    events: Vec<String>,
    /// Print a JSON object for each event: item, fuel, memory, time, log.
    #[arg(long)]
    json: bool,
}

/// What came of one event.
struct Mapped {
    micros: u128,
    run: Run,
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        let settings = self.component.settings.read()?;
        let plugin = compile(&Plugins::builtin()?, &self.component.file)?;
        let mut all_well = true;
        for file in &self.events {
            let raw = fs::read(file).with_context(|| format!("cannot read {file}"))?;
            let event = PostConfirmation::parse(&raw).with_context(|| file.clone())?;
            let Mapped { micros, run } = map(&plugin, &event, &settings);
            let cost = Cost {
                fuel: run.fuel,
                memory_bytes: run.memory_bytes,
                micros,
            };
            let log = run.log;
            let answer = answer(run.mapping);
            all_well &= !matches!(answer, Answer::Failed(..));
            if self.json {
                let log = serde_json::to_value(&log)?;
                print_json(file, &answer, &cost, &log)?;
                continue;
            }
            for line in log {
                eprintln!("{file}: log: {:?}: {}", line.level, line.message);
            }
            print(file, &answer, &cost)?;
        }
        Ok(Exit::of(all_well))
    }
}

/// The second of two runs: the first one touches everything for the first time.
fn map(plugin: &Plugin, event: &PostConfirmation, settings: &Settings) -> Mapped {
    let (received, limits) = (SystemTime::now(), Limits::default());
    plugin.run(event, received, settings, &limits);
    let began = Instant::now();
    let run = plugin.run(event, received, settings, &limits);
    Mapped {
        micros: began.elapsed().as_micros(),
        run,
    }
}

enum Answer {
    Item(Item),
    Skip(String),
    /// The error's name, and its text with the plugin's own words.
    Failed(&'static str, String),
}

fn answer(mapping: Result<Mapping, PluginError>) -> Answer {
    match mapping {
        Ok(Mapping::Put(fields)) => match fields.into_item() {
            Ok(item) => Answer::Item(item),
            Err(error) => Answer::Failed(error.name(), error.to_string()),
        },
        Ok(Mapping::Skip(reason)) => Answer::Skip(reason),
        Err(PluginError::Refused { message }) => {
            let error = PluginError::Refused {
                message: String::new(),
            };
            Answer::Failed(error.name(), format!("{error}: {message}"))
        }
        Err(error) => Answer::Failed(error.name(), error.to_string()),
    }
}

struct Cost {
    fuel: u64,
    memory_bytes: usize,
    micros: u128,
}

fn print(file: &str, answer: &Answer, cost: &Cost) -> io::Result<()> {
    let limits = Limits::default();
    match answer {
        Answer::Item(item) => {
            let item = serde_json::to_string(item).unwrap_or_default();
            writeln!(io::stdout(), "{item}")?;
        }
        Answer::Skip(reason) => eprintln!("{file}: skipped: {reason}"),
        Answer::Failed(name, text) => eprintln!("{file}: {name}: {text}"),
    }
    eprintln!(
        "{file}: {} of {} fuel, {} of {} memory, {} us",
        cost.fuel,
        limits.fuel,
        bytes(cost.memory_bytes as u64),
        bytes(limits.memory_bytes as u64),
        cost.micros
    );
    Ok(())
}

fn print_json(file: &str, answer: &Answer, cost: &Cost, log: &serde_json::Value) -> io::Result<()> {
    let (outcome, item, reason, error) = match answer {
        Answer::Item(item) => ("put", Some(item), None, None),
        Answer::Skip(reason) => ("skip", None, Some(reason), None),
        Answer::Failed(name, text) => {
            let error = json!({ "errorType": name, "errorMessage": text });
            ("failed", None, None, Some(error))
        }
    };
    let limits = Limits::default();
    let line = json!({
        "event": file,
        "outcome": outcome,
        "item": item,
        "reason": reason,
        "error": error,
        "fuel": cost.fuel,
        "fuelLimit": limits.fuel,
        "memoryBytes": cost.memory_bytes,
        "memoryBytesLimit": limits.memory_bytes,
        "micros": u64::try_from(cost.micros).unwrap_or(u64::MAX),
        "log": log,
    });
    writeln!(io::stdout(), "{line}")
}
