//! `poolhook pools restore`: puts a pool back to a snapshot.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use poolhook::aws;
use poolhook::cognito::pools::UserPools;
use poolhook::event::UserPoolId;
use poolhook::text::shown;

use super::error::PoolError;
use super::options::{ChangeOptions, pool_id};
use super::rules::{self, READ_ONLY};
use super::series::{Plan, Planned, Series, Words};
use super::settings::Cognito;
use super::snapshot::Snapshot;
use super::trigger::{POST_CONFIRMATION, Trigger};
use crate::Exit;
use crate::options::block_on;

/// Put a pool back to a snapshot: all settings, its triggers and MFA among them.
///
/// Restore shows what differs between the pool and the snapshot, and asks. It writes a
/// snapshot of its own first, and compares all settings afterwards. To restore MFA, it
/// switches MFA off for a moment. Some things cannot be taken back, such as an attribute
/// that was added to the pool's schema; restore names them.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook pools restore --dry-run \\
    poolhook-snapshots/eu-west-1_Ab12Cd34E.20261201T090000000Z.attach.json

Exit codes: 0 the pool is as in the snapshot; 1 it is not, or the answer was no;
2 wrong usage, or the snapshot cannot be read.")]
pub(crate) struct Options {
    /// The snapshot's file.
    #[arg(value_name = "SNAPSHOT.json")]
    snapshot: PathBuf,
    #[command(flatten)]
    change: ChangeOptions,
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        block_on(self.restore())
    }

    async fn restore(&self) -> anyhow::Result<Exit> {
        let snapshot = Snapshot::read(&self.snapshot)?;
        let pool =
            pool_id(&snapshot.user_pool_id).with_context(|| self.snapshot.display().to_string())?;
        let shared = aws::config().await;
        let cognito = Cognito::new(UserPools::new(&shared, Some(pool.region())));
        let series = Series {
            words: Words {
                command: "restore",
                done: "restored",
            },
            cognito: &cognito,
            options: &self.change,
        };
        let plan = |pool| self.plan(pool, &snapshot, &cognito);
        series.run(vec![pool], plan, async |_| Ok(())).await
    }

    async fn plan(
        &self,
        pool: UserPoolId,
        snapshot: &Snapshot,
        cognito: &Cognito,
    ) -> Result<Plan, PoolError> {
        let before = cognito.read(&pool).await?;
        let mut wanted = snapshot.settings();
        let mut notes = Vec::new();
        for difference in wanted.differences(&before) {
            let field = difference.path.first().map_or("", String::as_str);
            if READ_ONLY.contains(&field) {
                notes.push(format!(
                    "cannot be restored: {}",
                    shown(&difference.to_string())
                ));
            }
        }
        for field in READ_ONLY {
            match before.pool.get(field) {
                Some(value) => wanted.pool.insert(field.to_owned(), value.clone()),
                None => wanted.pool.remove(field),
            };
        }
        if before.differences(&wanted).is_empty() {
            return Ok(Plan::Nothing("as in the snapshot already".to_owned()));
        }
        rules::request(&wanted.pool, &self.change.carry)?;
        let trigger: Trigger = POST_CONFIRMATION;
        let sets = trigger.function(&wanted.pool);
        Ok(Plan::Change(Box::new(Planned {
            snapshot: Snapshot::new("restore", &pool, trigger, sets, &before),
            before,
            wanted,
            notes,
        })))
    }
}
