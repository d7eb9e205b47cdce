//! `poolhook reconcile`: compares a pool's users with its table's rows.

mod orphans;

use std::io;
use std::sync::Arc;

use clap::Args;
use poolhook::config::Table;
use serde_json::json;

use crate::Exit;
use crate::options::block_on_all_cores;
use crate::out::{self, say};
use crate::walk::{Interrupt, Look, Tally, Users, malformed_line, user_line};
use orphans::Orphans;

/// Compare the users of a pool with the rows of its table.
///
/// Reconcile compares each confirmed user's row with the item that the pool's plugin
/// makes of the user today: missing, present or differing. A row whose key belongs to
/// no user is orphaned. Reconcile looks for orphaned rows only where the rows are known
/// to be this pool's: if key.equals contains {userPoolId}, or no other pool uses the
/// table.
///
/// Reconcile deletes and replaces nothing. With --apply, it writes the missing rows.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook reconcile eu-west-1_Ab12Cd34E --dynamodb
  poolhook reconcile eu-west-1_Ab12Cd34E --dynamodb --json \\
    | jq 'select(.outcome == \"orphaned\")'
  poolhook reconcile eu-west-1_Ab12Cd34E --dynamodb --apply --rate 100

Exit codes: 0 users and rows match (with --apply: after writing); 1 they do not
match, or reconcile was stopped; 2 wrong usage, or reconcile could not continue.")]
pub(crate) struct Options {
    #[command(flatten)]
    users: Users,
    /// Write the missing rows.
    #[arg(long)]
    apply: bool,
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        block_on_all_cores(self.reconcile())
    }

    async fn reconcile(&self) -> anyhow::Result<Exit> {
        let rows = self.users.store().await?;
        // Rows are read first: the row of a user who signs up while this runs is then
        // not among them, and is not reported as an orphan.
        let mut orphans = Orphans::read(&self.users, &*rows).await?;
        let look = Look {
            store: Arc::clone(&rows),
            write: self.apply,
        };
        let host = self.users.host(Arc::new(look)).await?;
        let rate = self.users.rate.into();
        let (mut walk, progress) = self.users.walk(host, rate, None, 1).await?;
        let interrupt = Interrupt::listen("page");
        let missing = if self.apply { "written" } else { "missing" };
        let mut tally = Tally::default();
        let mut complete = true;
        while let Some(walked) = walk.next().await? {
            for user_name in &walked.malformed {
                tally.add_malformed();
                if self.users.json {
                    out::json(malformed_line(user_name.as_deref()))?;
                }
            }
            for (user, report) in &walked.users {
                tally.add(report.as_ref());
                orphans.is_users(&user.event);
                let line = report
                    .as_ref()
                    .and_then(|report| user_line(user, report, Some(missing)));
                if let Some(line) = line.filter(|_| self.users.json) {
                    out::json(line)?;
                }
            }
            progress.set(tally.users);
            if interrupt.asked() && walked.next.is_some() {
                complete = false;
                break;
            }
        }
        progress.finish();
        let orphaned = if complete { orphans.count() } else { None };
        if self.users.json && complete {
            orphans.print(&self.users, &*rows).await?;
        }
        self.summarize(
            orphans.table(),
            &tally,
            orphaned,
            complete,
            orphans.why_not(),
        )?;
        let missing = if self.apply { 0 } else { tally.written };
        let wrong = missing + tally.differing + tally.failed + orphaned.unwrap_or_default();
        Ok(Exit::of(complete && wrong == 0))
    }

    fn summarize(
        &self,
        table: &Table,
        tally: &Tally,
        orphaned: Option<u64>,
        complete: bool,
        why_not: Option<&str>,
    ) -> io::Result<()> {
        if self.users.json {
            let line = json!({
                "summary": {
                    "users": tally.users,
                    "missing": tally.written,
                    "present": tally.present,
                    "differing": tally.differing,
                    "differingAttributes": tally.differing_attributes,
                    "skipped": tally.skipped,
                    "unconfirmed": tally.unconfirmed,
                    "failed": tally.failed,
                    "failures": tally.failures,
                    "orphaned": orphaned,
                },
                "complete": complete,
                "applied": self.apply,
                "store": self.users.items.name(),
                "table": table.name.as_str(),
                "region": table.region,
                "orphansNotLookedFor": why_not,
            });
            return out::json(line);
        }
        let missing = if self.apply {
            "missing, now written"
        } else {
            "missing"
        };
        say!(
            "{}; store: {}",
            tally.text(missing),
            self.users.items.table(table)
        );
        match (orphaned, why_not) {
            (Some(n), _) => say!("{n} orphaned rows"),
            (None, Some(why)) => say!("did not look for orphaned rows: {why}"),
            (None, None) => say!("stopped early; orphaned rows are unknown"),
        }
        Ok(())
    }
}
