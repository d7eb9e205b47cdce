//! `poolhook run`: handles events from files.

use std::io::{self, Read as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use poolhook::host::{Host, Outcome, Skip};
use poolhook::report::Report;
use poolhook::store::{Existing, ItemStore};
use poolhook::text::shown;
use serde_json::json;

use crate::Exit;
use crate::explain;
use crate::options::{Config, Items, PluginChoice, block_on, warn_of_shared_rows};
use crate::out::{self, say};
use crate::walk::Look;

/// Handle Post Confirmation events from files.
///
/// Each event takes the path that it takes on Lambda: its pool's config, its
/// pool's plugin in the sandbox, all checks, the store. The item is printed as
/// DynamoDB's JSON, one line per event.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook run host/tests/events/confirm-sign-up.json
  poolhook run --json events/*.json
  poolhook run --dry-run event.json
  poolhook run --plugin my-mapper.wasm event.json
  poolhook run --dynamodb - < event.json

Exit codes: 0 all events were written, already there or skipped; 1 an event
failed; 2 wrong usage, or nothing could be run.")]
pub(crate) struct Options {
    /// Files with one event each; `-` is standard input.
    #[arg(required = true, value_name = "EVENT.json")]
    events: Vec<String>,
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    items: Items,
    #[command(flatten)]
    plugin: PluginChoice,
    /// Print the items and what would become of them; write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print a JSON object for each event: outcome, item, fuel, times, log.
    #[arg(long)]
    json: bool,
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        block_on(async {
            let items = self.items.open(self.config.what_is_in_aws()).await?;
            let pools = self.config.open().await?;
            if self.config.is_local() {
                warn_of_shared_rows(&pools).await?;
            }
            let releases = self.plugin.store.open().await?;
            let plugins = self.plugin.load(releases, pools.host_config()).await?;
            let write = false;
            let items: Arc<dyn ItemStore> = if self.dry_run {
                Arc::new(Look {
                    store: items,
                    write,
                })
            } else {
                items
            };
            let host = Host::new(pools, plugins, items);
            self.handle_all(&host).await
        })
    }

    async fn handle_all(&self, host: &Host) -> anyhow::Result<Exit> {
        let mut all_well = true;
        for file in &self.events {
            let raw = read(file).with_context(|| format!("cannot read {file}"))?;
            let report = host.handle(host.deliver(&raw, Duration::MAX)).await;
            all_well &= report.outcome.is_ok();
            if self.json {
                self.print_json(file, &report)?;
            } else {
                self.print(file, &report)?;
            }
        }
        Ok(Exit::of(all_well))
    }

    fn print(&self, file: &str, report: &Report) -> io::Result<()> {
        let trace = &report.trace;
        for line in &trace.log {
            say!(
                "{file}: plugin log: {:?}: {}",
                line.level,
                shown(&line.message)
            );
        }
        if let Some(item) = trace.item.as_ref().filter(|_| report.outcome.is_ok()) {
            let item = serde_json::to_string(item).unwrap_or_default();
            out::json(item)?;
        }
        let table = trace.table.as_ref();
        let table = table
            .map(|table| self.items.table(table))
            .unwrap_or_default();
        match &report.outcome {
            Ok(Outcome::Written) if self.dry_run => {
                say!("{file}: would be written to {table}{}", cost(report));
            }
            Ok(Outcome::Written) => say!("{file}: written to {table}{}", cost(report)),
            Ok(Outcome::AlreadyThere(existing)) => {
                let differs = how_it_differs(existing);
                say!("{file}: already there{differs}: {table} already has an item with this key");
            }
            Ok(Outcome::Skipped(Skip::TriggerSource)) => {
                say!("{file}: skipped: the pool's config does not list this trigger source");
            }
            Ok(Outcome::Skipped(Skip::Plugin { reason })) => {
                say!("{file}: skipped by the plugin: {}", shown(reason));
            }
            Err(failure) => say!(
                "{file}: {}: {}",
                failure.name(),
                explain::failure(failure, &report.trace.log)
            ),
        }
        Ok(())
    }

    fn print_json(&self, file: &str, report: &Report) -> io::Result<()> {
        let trace = &report.trace;
        let reason = match &report.outcome {
            Ok(Outcome::Skipped(Skip::TriggerSource)) => Some("trigger source"),
            Ok(Outcome::Skipped(Skip::Plugin { reason })) => Some(reason.as_str()),
            _ => None,
        };
        let error = report.outcome.as_ref().err().map(|failure| {
            let message = explain::failure(failure, &report.trace.log);
            json!({ "errorType": failure.name(), "errorMessage": message })
        });
        let differing = match &report.outcome {
            Ok(Outcome::AlreadyThere(Existing::Different(names))) => Some(names),
            _ => None,
        };
        let line = json!({
            "event": file,
            "userPoolId": trace.user_pool_id.as_ref().map(ToString::to_string),
            "outcome": report.outcome_name(),
            "dryRun": self.dry_run,
            "reason": reason,
            "error": error,
            "differing": differing,
            "store": self.items.name(),
            "table": trace.table.as_ref().map(|table| table.name.as_str()),
            "region": trace.table.as_ref().map(|table| &table.region),
            "item": trace.item,
            "plugin": trace.plugin.as_ref().map(ToString::to_string),
            "fuel": trace.fuel,
            "micros": trace.micros,
            "log": trace.log,
        });
        out::json(line)
    }
}

fn read(file: &str) -> std::io::Result<Vec<u8>> {
    if file != "-" {
        return std::fs::read(file);
    }
    let mut raw = Vec::new();
    std::io::stdin().lock().read_to_end(&mut raw)?;
    Ok(raw)
}

/// Describes the item that is there already, to append to a message.
fn how_it_differs(existing: &Existing) -> String {
    match existing {
        Existing::Same => ", identical".to_owned(),
        Existing::Different(names) => format!(", differing in {}", shown(&names.join(", "))),
        Existing::OtherTime => ", identical but for the time of receipt".to_owned(),
        Existing::Unknown => String::new(),
    }
}

fn cost(report: &Report) -> String {
    let trace = &report.trace;
    let plugin = trace
        .plugin
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let micros = trace.micros.plugin.unwrap_or_default();
    format!(" (plugin {plugin}: {micros} us, {} fuel)", trace.fuel)
}
