//! `poolhook plugin run`: runs a component with events.

use std::fs;
use std::io;
use std::time::SystemTime;

use anyhow::Context as _;
use clap::Args;
use poolhook::config::Limits;
use poolhook::event::PostConfirmation;
use poolhook::plugin::Loader;
use poolhook::text::shown;
use serde_json::Value;

use crate::Exit;
use crate::options::{Component, Config, block_on, compile};
use crate::out::{self, say};
use crate::trial::{Answer, Trial};

/// Run a component with events, without writing items.
///
/// Each event's item is printed as DynamoDB's JSON, one line per event; its cost and
/// the plugin's log lines go to standard error. The default limits apply. No pool's
/// config is read, so the partition key is not checked.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook plugin run my-mapper.wasm event.json
  poolhook plugin run my-mapper.wasm events/*.json --json \\
    --settings settings.toml

Exit codes: 0 every event was mapped or skipped; 1 an event failed; 2 wrong
usage, or the component cannot be run.")]
pub(crate) struct Options {
    #[command(flatten)]
    component: Component,
    #[command(flatten)]
    config: Config,
    /// Files with one Post Confirmation event each.
    #[arg(required = true, value_name = "EVENT.json")]
    events: Vec<String>,
    /// Print a JSON object for each event: item, fuel, memory, time, log.
    #[arg(long)]
    json: bool,
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        let settings = self.component.settings.read()?;
        let limits = block_on(self.config.host())?.publish;
        let loader = Loader::new()?;
        let plugin = block_on(compile(&loader, limits, &self.component.file))?;
        let limits = Limits::default();
        let mut all_well = true;
        for file in &self.events {
            let raw = fs::read(file).with_context(|| format!("cannot read {file}"))?;
            let event = PostConfirmation::parse(&raw).with_context(|| file.clone())?;
            let received = SystemTime::now();
            let trial = Trial::run(&plugin, &event, received, &settings, &limits, |_| Ok(()));
            all_well &= !matches!(trial.answer, Answer::Failed(..));
            if self.json {
                let mut line = trial.to_json();
                line.insert("event".to_owned(), file.as_str().into());
                out::json(Value::from(line))?;
            } else {
                print(file, &trial)?;
            }
        }
        Ok(Exit::of(all_well))
    }
}

fn print(file: &str, trial: &Trial) -> io::Result<()> {
    for line in &trial.log {
        say!("{file}: log: {:?}: {}", line.level, shown(&line.message));
    }
    match &trial.answer {
        Answer::Item(item) => {
            let item = serde_json::to_string(item).unwrap_or_default();
            out::json(item)?;
        }
        Answer::Skip(reason) => say!("{file}: skipped: {}", shown(reason)),
        Answer::Failed(name, text) => say!("{file}: {name}: {}", shown(text)),
    }
    say!("{file}: {}", trial.cost);
    Ok(())
}
