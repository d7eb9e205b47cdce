//! `poolhook plugin rebuild`: compiles releases for this build's engine.

use std::io;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use poolhook::plugin::{ENGINE, TARGET};
use poolhook::publish::Rebuilt;
use poolhook::releases::{Release, Releases};
use serde_json::json;

use super::check::rejected_text;
use crate::Exit;
use crate::options::{Config, Store, block_on, publisher};
use crate::out::{self, say};

/// Compile the live releases for this version's engine, unless they already are.
///
/// Run this with the new version before you deploy it: machine code for the old and
/// the new version exists side by side, and nothing else changes. Rebuild skips what
/// is already compiled, so it can be run again at any time.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook plugin rebuild --blobs s3://my-bucket
  poolhook plugin rebuild --all --json

Exit codes: 0 all are built; 1 a release cannot be compiled; 2 wrong usage, or
the releases cannot be read.")]
pub(crate) struct Options {
    /// Compile every release, not only the live ones: for pools that pin a digest, and
    /// for rollbacks.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    store: Store,
    /// Print a JSON object for each release.
    #[arg(long)]
    json: bool,
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        block_on(self.rebuild())
    }

    async fn rebuild(&self) -> anyhow::Result<Exit> {
        let releases = self.store.existing().await?;
        let wanted = self.wanted(&releases).await?;
        let publisher = publisher(&self.config, releases).await?;
        let progress = ProgressBar::new(wanted.len() as u64).with_style(
            ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {eta}")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        let (mut built, mut failed) = (0, 0);
        for release in wanted {
            let (plugin, sha256) = (&release.plugin, release.sha256);
            progress.set_message(plugin.to_string());
            let rebuilt = publisher.rebuild(&release).await?;
            let (outcome, error) = match rebuilt {
                Rebuilt::Now => ("built", None),
                Rebuilt::Already => ("already built", None),
                Rebuilt::Rejected(rejected) => ("failed", Some(rejected)),
            };
            built += usize::from(outcome == "built");
            failed += usize::from(error.is_some());
            progress.suspend(|| -> io::Result<()> {
                if self.json {
                    let error = error.as_ref().map(|error| {
                        json!({ "errorType": error.name(), "errorMessage": error.to_string(),
                                        "advice": error.advice() })
                    });
                    let line = json!({ "plugin": plugin, "sha256": sha256, "engine": ENGINE,
                                       "target": TARGET, "outcome": outcome, "error": error });
                    return out::json(line);
                }
                if let Some(error) = &error {
                    say!("{plugin} sha256:{sha256}: {}", rejected_text(error));
                }
                Ok(())
            })?;
            progress.inc(1);
        }
        progress.finish_and_clear();
        say!("{built} built for {ENGINE} on {TARGET}, {failed} failed");
        Ok(Exit::of(failed == 0))
    }

    async fn wanted(&self, releases: &Releases) -> anyhow::Result<Vec<Release>> {
        let mut wanted = Vec::new();
        for plugin in releases.plugins().await? {
            if self.all {
                wanted.extend(releases.history(&plugin).await?.releases);
            } else if let Some(live) = releases.live(&plugin).await? {
                wanted.push(releases.release(&plugin, live.sha256).await?);
            }
        }
        Ok(wanted)
    }
}
