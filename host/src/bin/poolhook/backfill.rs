//! `poolhook backfill`: writes items for users whose event the trigger never received.

mod checkpoint;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use poolhook::cognito::CognitoError;
use poolhook::config::Table;
use poolhook::store::ItemStore;
use serde_json::json;

use crate::Exit;
use crate::options::block_on_all_cores;
use crate::out::{self, say};
use crate::walk::{Interrupt, Look, Stopped, Tally, Users, Walked, malformed_line, user_line};
use checkpoint::{Checkpoint, Progress};

/// Write items for the users whose event the trigger never received.
///
/// Users whom an admin created or imported, or who were confirmed before
/// poolhook was attached, never fired the trigger. Backfill puts each confirmed
/// user through the pool's config and plugin as an event would, with the trigger
/// source `backfill` and the user's creation time. It skips unconfirmed users: the
/// trigger will still fire for them. It never replaces an existing item, so it can
/// be stopped, killed and run again at any time.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook backfill eu-west-1_Ab12Cd34E --dynamodb --dry-run
  poolhook backfill eu-west-1_Ab12Cd34E --dynamodb --rate 500
  poolhook backfill eu-west-1_Ab12Cd34E --dynamodb --capacity-share 0.25 --json

Exit codes: 0 all users have their items; 1 some users failed, or the backfill
was stopped; 2 wrong usage, or the backfill could not continue.")]
pub(crate) struct Options {
    #[command(flatten)]
    users: Users,
    /// Instead of --rate: the share of the table's provisioned write capacity to use,
    /// above 0 and up to 1.
    #[arg(long, conflicts_with = "rate", value_name = "SHARE", value_parser = share)]
    capacity_share: Option<f64>,
    /// The file that stores the progress [default:
    /// poolhook-backfill-POOL_ID.json].
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Report how many items would be written; write nothing.
    #[arg(long)]
    dry_run: bool,
}

fn share(text: &str) -> Result<f64, &'static str> {
    let share = text.parse().ok();
    let share = share.filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or("must be above 0 and up to 1, such as 0.25")
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        block_on_all_cores(async {
            let store = self.users.store().await?;
            let rate = self.users.rate(self.capacity_share).await?;
            let write = false;
            let items: Arc<dyn ItemStore> = if self.dry_run {
                Arc::new(Look { store, write })
            } else {
                store
            };
            self.backfill(items, rate).await
        })
    }

    async fn backfill(&self, items: Arc<dyn ItemStore>, rate: f64) -> anyhow::Result<Exit> {
        let pool = &self.users.pool;
        let checkpoint = Checkpoint::new(self.checkpoint.as_deref(), pool);
        let earlier = self.earlier(&checkpoint)?;
        let failed_before = earlier.as_ref().is_some_and(|earlier| earlier.failed);
        let (from, page, mut tally) = match earlier {
            Some(Progress {
                next, page, so_far, ..
            }) => (next, page, so_far),
            None => (None, 1, Tally::default()),
        };
        // A pool without a valid config fails before the first user is listed.
        let config = self.users.pool_config().await?;
        let host = self.users.host(items).await?;
        let resumed = from.is_some();
        let (mut walk, progress) = self.users.walk(host, rate, from, page).await?;
        progress.begin_at(tally.users);
        let interrupt = Interrupt::listen("page");
        let mut first = true;
        loop {
            let walked = match walk.next().await {
                Ok(Some(walked)) => walked,
                Ok(None) => break,
                Err(Stopped::Page {
                    error: CognitoError::BadToken,
                    ..
                }) if resumed && first => {
                    say!(
                        "Cognito no longer accepts the checkpoint's page token: starting from the first page"
                    );
                    tally = Tally::default();
                    walk.restart();
                    first = false;
                    continue;
                }
                Err(stopped) => {
                    progress.abandon();
                    self.summarize(&config.table, &tally, false)?;
                    if matches!(stopped, Stopped::Page { .. }) && !self.dry_run {
                        if failed_before && first {
                            say!("this is the page that the last run could not list, either");
                        }
                        checkpoint.fail(pool)?;
                    }
                    return Err(anyhow::Error::new(stopped).context(self.way_on(&checkpoint)));
                }
            };
            first = false;
            self.count(&walked, &mut tally)?;
            progress.set(tally.users);
            let Some(next) = walked.next else { break };
            if !self.dry_run {
                checkpoint.write(pool, &next, walk.page(), &tally)?;
            }
            if interrupt.asked() {
                progress.abandon();
                self.summarize(&config.table, &tally, false)?;
                say!("{}", self.way_on(&checkpoint));
                return Ok(Exit::Failed);
            }
        }
        progress.finish();
        if !self.dry_run {
            checkpoint.remove()?;
        }
        self.summarize(&config.table, &tally, true)?;
        Ok(Exit::of(tally.failed == 0))
    }

    /// Reads where an earlier backfill stopped. A dry run starts at the first user.
    fn earlier(&self, checkpoint: &Checkpoint) -> anyhow::Result<Option<Progress>> {
        if self.dry_run {
            return Ok(None);
        }
        let earlier = checkpoint.read(&self.users.pool)?;
        if let Some(earlier) = earlier.as_ref().filter(|earlier| earlier.next.is_some()) {
            let (file, users) = (checkpoint.file(), earlier.so_far.users);
            say!("resuming after {users} users, from {file}");
        }
        Ok(earlier)
    }

    fn way_on(&self, checkpoint: &Checkpoint) -> String {
        if self.dry_run {
            return "stopped".to_owned();
        }
        let file = checkpoint.file();
        format!("stopped; run the same command to resume from {file}")
    }

    fn count(&self, walked: &Walked, tally: &mut Tally) -> io::Result<()> {
        for user_name in &walked.malformed {
            tally.add_malformed();
            if self.users.json {
                out::json(malformed_line(user_name.as_deref()))?;
            }
        }
        for (user, report) in &walked.users {
            tally.add(report.as_ref());
            let line = report
                .as_ref()
                .and_then(|report| user_line(user, report, None));
            if let Some(line) = line.filter(|_| self.users.json) {
                out::json(line)?;
            }
        }
        Ok(())
    }

    fn summarize(&self, table: &Table, tally: &Tally, complete: bool) -> io::Result<()> {
        if self.users.json {
            let line = json!({ "summary": tally, "complete": complete, "dryRun": self.dry_run,
                               "store": self.users.items.name(), "table": table.name.as_str(),
                               "region": table.region });
            return out::json(line);
        }
        let written = if self.dry_run {
            "to be written"
        } else {
            "written"
        };
        say!(
            "{}; store: {}",
            tally.text(written),
            self.users.items.table(table)
        );
        Ok(())
    }
}
