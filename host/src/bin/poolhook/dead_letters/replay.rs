//! `poolhook dead-letters replay`: puts events that failed through the host again.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use poolhook::blobs::{Key, Location};
use poolhook::dead_letters::DeadLetters;
use poolhook::host::{Host, Outcome};
use poolhook::replay::{ReplayOptions, Replayed, replay};
use poolhook::report::Report;
use poolhook::store::{Existing, ItemStore};
use poolhook::text::shown;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use super::Selection;
use crate::Exit;
use crate::explain;
use crate::options::{Config, Items, PluginChoice, block_on};
use crate::out::{self, Progress, say};
use crate::walk::Look;

/// Write the events that could not be written.
///
/// Replay maps each dead letter's event with the pool's current config and plugin,
/// and with the time at which the event was first received. It deletes a dead letter
/// after its item is written and leaves it otherwise, so it can be stopped and run
/// again at any time. It never replaces an existing item unless you pass
/// --overwrite.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook dead-letters replay --dry-run
  poolhook dead-letters replay --pool eu-west-1_Ab12Cd34E --retryable
  poolhook dead-letters replay --blobs s3://my-bucket \\
    --config s3://my-bucket/config --dynamodb --rate 20

Exit codes: 0 no selected dead letter is left; 1 some are left; 2 wrong usage,
or replay could not run.")]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Options {
    #[command(flatten)]
    selection: Selection,
    /// Print the items that would be written; write and delete nothing.
    #[arg(long)]
    dry_run: bool,
    /// Map with the component that was live when the event failed.
    #[arg(long)]
    recorded: bool,
    /// Also replace existing items where the pool's config says `write = "replace"`.
    /// An existing item may be newer than the dead letter.
    #[arg(long)]
    overwrite: bool,
    /// Also replay dead letters of hosts that write to another store.
    #[arg(long)]
    other_store: bool,
    /// Dead letters per second, at most.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    items: Items,
    #[command(flatten)]
    plugin: PluginChoice,
    /// Print a JSON object for each dead letter.
    #[arg(long)]
    json: bool,
}

impl Options {
    pub(super) fn run(&self) -> anyhow::Result<Exit> {
        block_on(async {
            let store = self.items.open(self.what_is_in_aws()).await?;
            let pools = self.config.open().await?;
            let releases = self.plugin.store.existing().await?;
            let letters = DeadLetters::new(releases.shared_blobs());
            let plugins = self
                .plugin
                .load(Some(releases), pools.host_config())
                .await?;
            let write = false;
            let items: Arc<dyn ItemStore> = if self.dry_run {
                Arc::new(Look { store, write })
            } else {
                store
            };
            let host = Host::new(pools, plugins, items);
            self.replay_all(&host, &letters).await
        })
    }

    async fn replay_all(&self, host: &Host, letters: &DeadLetters) -> anyhow::Result<Exit> {
        let keys = self.selection.keys(letters).await?;
        let (filter, how) = (self.selection.filter(), self.how());
        let progress = Progress::new(Some(keys.len() as u64), "dead letters");
        let mut pace = interval(Duration::from_secs(1) / self.rate);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut done, mut stay, mut differing, mut unreadable) = (0, 0, 0, 0);
        let mut tables = BTreeSet::new();
        for (at, key) in keys.into_iter().enumerate() {
            let turn = async { _ = pace.tick().await };
            let replayed = replay(host, letters, &key, &filter, how, turn).await;
            match &replayed {
                Replayed::Done(_) => done += 1,
                Replayed::Stays(report) => {
                    stay += 1;
                    differing += u32::from(report.differs());
                }
                Replayed::Failed(_) => stay += 1,
                Replayed::Unreadable => unreadable += 1,
                Replayed::Gone | Replayed::PassedOver => {}
            }
            if let Replayed::Done(report) | Replayed::Stays(report) = &replayed {
                let table = report.trace.table.as_ref();
                tables.extend(table.map(|table| format!("{} in {}", table.name, table.region)));
            }
            progress.suspend(|| self.print(&key, &replayed))?;
            progress.set(at as u64 + 1);
        }
        progress.finish();
        let did = if self.dry_run {
            "would be replayed"
        } else {
            "replayed"
        };
        let store = self.items.name();
        let tables: Vec<_> = tables.into_iter().collect();
        let tables = match &tables[..] {
            [] => String::new(),
            tables => format!(" ({})", tables.join(", ")),
        };
        say!("{done} {did}, {stay} left; store: {store}{tables}");
        if differing > 0 {
            say!("{differing} of those left differ from the rows that have their keys");
        }
        if unreadable > 0 {
            say!(
                "{unreadable} passed over: their events cannot be read. `poolhook dead-letters show` shows them, `purge` deletes them"
            );
        }
        Ok(Exit::of(stay == 0))
    }

    fn what_is_in_aws(&self) -> Option<&'static str> {
        match self.plugin.store.location {
            Location::Bucket { .. } => Some("the dead letters come"),
            Location::Folder(_) => self.config.what_is_in_aws(),
        }
    }

    fn how(&self) -> ReplayOptions {
        ReplayOptions {
            recorded: self.recorded,
            overwrite: self.overwrite,
            other_store: self.other_store,
            dry_run: self.dry_run,
        }
    }

    fn print(&self, key: &Key, replayed: &Replayed) -> io::Result<()> {
        if self.json {
            if let Some(line) = as_json(key, replayed, &self.items.name()) {
                out::json(line)?;
            }
            return Ok(());
        }
        match replayed {
            Replayed::Done(report) if self.dry_run => {
                let item = serde_json::to_string(&report.trace.item).unwrap_or_default();
                out::json(item)
            }
            Replayed::Stays(report) => {
                say!("{key}: {}", why(report));
                Ok(())
            }
            Replayed::Failed(error) => {
                say!("{key}: {error}");
                Ok(())
            }
            Replayed::Done(_) | Replayed::Unreadable | Replayed::Gone | Replayed::PassedOver => {
                Ok(())
            }
        }
    }
}

/// Why a dead letter is left, for people.
fn why(report: &Report) -> String {
    match &report.outcome {
        Err(failure) => {
            let (name, text) = (failure.name(), explain::failure(failure, &report.trace.log));
            format!("{name}: {text}")
        }
        Ok(Outcome::AlreadyThere(Existing::Different(names))) => {
            let names = names.join(", ");
            format!(
                "a different item has its key, which differs in {}",
                shown(&names)
            )
        }
        Ok(Outcome::AlreadyThere(_)) => "a different item has its key".to_owned(),
        Ok(_) => report.outcome_name().to_owned(),
    }
}

fn as_json(key: &Key, replayed: &Replayed, store: &str) -> Option<Value> {
    let (stays, report) = match replayed {
        Replayed::Done(report) => (false, report),
        Replayed::Stays(report) => (true, report),
        Replayed::Failed(error) => {
            let error = json!({ "errorMessage": error.to_string() });
            let key = key.as_str();
            return Some(json!({ "key": key, "stays": true, "store": store, "error": error }));
        }
        Replayed::Unreadable | Replayed::Gone | Replayed::PassedOver => return None,
    };
    let error = report.outcome.as_ref().err().map(|failure| {
        let message = explain::failure(failure, &report.trace.log);
        json!({ "errorType": failure.name(), "errorMessage": message })
    });
    Some(json!({
        "key": key.as_str(),
        "stays": stays,
        "outcome": report.outcome_name(),
        "store": store,
        "table": report.trace.table.as_ref().map(|table| table.name.as_str()),
        "region": report.trace.table.as_ref().map(|table| &table.region),
        "item": report.trace.item,
        "error": error,
    }))
}
