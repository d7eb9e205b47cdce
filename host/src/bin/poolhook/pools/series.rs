//! Changes pools one after the other: all are described first, then shown, then changed.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::PathBuf;

use poolhook::event::UserPoolId;
use poolhook::text::shown;
use serde_json::{Value, json};

use super::change::Change;
use super::error::PoolError;
use super::many::each;
use super::options::ChangeOptions;
use super::settings::{Cognito, Difference, Settings};
use super::snapshot::Snapshot;
use crate::Exit;
use crate::out::{self, Progress, say};
use crate::walk::Interrupt;

/// What a command makes of a pool.
pub(crate) enum Plan {
    /// A change.
    Change(Box<Planned>),
    /// Nothing, and why.
    Nothing(String),
}

/// A change to a pool that was described.
pub(crate) struct Planned {
    pub(crate) before: Settings,
    pub(crate) wanted: Settings,
    pub(crate) snapshot: Snapshot,
    /// What the reader must know before the change.
    pub(crate) notes: Vec<String>,
}

/// The words of a command.
pub(crate) struct Words {
    /// Such as `attach`.
    pub(crate) command: &'static str,
    /// Such as `attached`.
    pub(crate) done: &'static str,
}

/// What became of a pool.
enum Result {
    Changed(PathBuf),
    Planned(Box<Planned>),
    Nothing(String),
    Failed(PoolError),
    /// The command was stopped before.
    Left,
}

/// The pools of one command, and how it changes them.
pub(crate) struct Series<'a> {
    pub(crate) words: Words,
    pub(crate) cognito: &'a Cognito,
    pub(crate) options: &'a ChangeOptions,
}

impl Series<'_> {
    /// Plans all pools, asks, runs `first` once if anything is to be changed, and changes them.
    pub(crate) async fn run<P, F>(
        &self,
        pools: Vec<UserPoolId>,
        plan: P,
        first: impl AsyncFnOnce(&[UserPoolId]) -> anyhow::Result<()>,
    ) -> anyhow::Result<Exit>
    where
        P: Fn(UserPoolId) -> F,
        F: Future<Output = std::result::Result<Plan, PoolError>>,
    {
        let interrupt = Interrupt::listen("pool");
        let mut results = self.plan(pools, plan, &interrupt).await;
        let planned = |result: &Result| matches!(result, Result::Planned(_));
        let changing: Vec<_> = results
            .iter()
            .filter(|(_, result)| planned(result))
            .map(|(pool, _)| pool.clone())
            .collect();
        self.show(&results)?;
        let mut is_refused = false;
        if !changing.is_empty() && !self.options.dry_run {
            if interrupt.asked() || !self.may_write(changing.len())? {
                is_refused = true;
            } else {
                first(&changing).await?;
                self.change(&mut results, &interrupt).await;
            }
        }
        self.summarize(&results)?;
        let is_left = |result: &Result| match result {
            Result::Failed(_) | Result::Left => true,
            Result::Planned(_) => !self.options.dry_run,
            Result::Changed(_) | Result::Nothing(_) => false,
        };
        let failed = is_refused || results.iter().any(|(_, result)| is_left(result));
        Ok(Exit::of(!failed))
    }

    async fn plan<P, F>(
        &self,
        pools: Vec<UserPoolId>,
        plan: P,
        interrupt: &Interrupt,
    ) -> Vec<(UserPoolId, Result)>
    where
        P: Fn(UserPoolId) -> F,
        F: Future<Output = std::result::Result<Plan, PoolError>>,
    {
        let plan = async |pool: UserPoolId| {
            let planned = if interrupt.asked() {
                Result::Left
            } else {
                match plan(pool.clone()).await {
                    Ok(Plan::Change(planned)) => Result::Planned(planned),
                    Ok(Plan::Nothing(why)) => Result::Nothing(why),
                    Err(error) => Result::Failed(error),
                }
            };
            (pool, planned)
        };
        each(pools, "pools described", plan).await
    }

    async fn change(&self, results: &mut [(UserPoolId, Result)], interrupt: &Interrupt) {
        let total = results
            .iter()
            .filter(|(_, result)| matches!(result, Result::Planned(_)));
        let progress = Progress::new(Some(total.count() as u64), "pools");
        let mut changed = 0;
        for (pool, result) in results {
            let Result::Planned(planned) = &*result else {
                continue;
            };
            if interrupt.asked() {
                *result = Result::Left;
                continue;
            }
            let change = Change {
                cognito: self.cognito,
                pool,
                before: &planned.before,
                wanted: &planned.wanted,
                carry: &self.options.carry,
            };
            let written = change
                .apply(&planned.snapshot, &self.options.snapshots)
                .await;
            *result = written.map_or_else(Result::Failed, Result::Changed);
            changed += 1;
            progress.set(changed);
        }
        progress.finish();
    }

    /// Whether the user wants the changes.
    fn may_write(&self, pools: usize) -> anyhow::Result<bool> {
        let command = self.words.command;
        if self.options.yes {
            return Ok(true);
        }
        if !io::stdin().is_terminal() {
            say!("nothing was written: pass --yes to {command} without being asked");
            return Ok(false);
        }
        say!("{command} {pools} pools? [y/N]");
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        let is_yes = matches!(answer.trim(), "y" | "Y" | "yes");
        if !is_yes {
            say!("nothing was written");
        }
        Ok(is_yes)
    }

    /// What would change, before it does.
    fn show(&self, results: &[(UserPoolId, Result)]) -> io::Result<()> {
        for (pool, result) in results {
            let Result::Planned(planned) = result else {
                continue;
            };
            for note in &planned.notes {
                say!("{}: {note}", pool.as_str());
            }
            if self.options.json {
                continue;
            }
            let name = planned.before.pool.get("Name").and_then(Value::as_str);
            out::text(format!(
                "{} {}",
                pool.as_str(),
                shown(name.unwrap_or_default())
            ))?;
            for difference in planned.before.differences(&planned.wanted) {
                out::text(format!("  {difference}"))?;
            }
        }
        Ok(())
    }

    fn summarize(&self, results: &[(UserPoolId, Result)]) -> io::Result<()> {
        let (mut changed, mut nothing, mut failed, mut left) = (0, 0, 0, 0);
        for (pool, result) in results {
            match result {
                Result::Changed(_) => changed += 1,
                Result::Nothing(_) => nothing += 1,
                Result::Failed(_) => failed += 1,
                Result::Planned(_) | Result::Left => left += 1,
            }
            if self.options.json {
                out::json(self.to_json(pool, result))?;
                continue;
            }
            let text = match result {
                Result::Changed(snapshot) => {
                    format!("{}; snapshot: {}", self.words.done, snapshot.display())
                }
                Result::Planned(_) | Result::Left => "not changed".to_owned(),
                Result::Nothing(why) => why.clone(),
                Result::Failed(error) => format!("{}: {error}", error.name()),
            };
            out::text(format!("{}  {text}", pool.as_str()))?;
        }
        let done = self.words.done;
        if self.options.json {
            let summary = json!({
                "summary": { "changed": changed, "unchanged": nothing, "failed": failed, "left": left },
                "dryRun": self.options.dry_run,
            });
            return out::json(summary);
        }
        say!("{changed} {done}, {nothing} with nothing to do, {failed} failed, {left} not changed");
        Ok(())
    }

    fn to_json(&self, pool: &UserPoolId, result: &Result) -> Value {
        let pool = pool.as_str();
        match result {
            Result::Changed(snapshot) => {
                json!({ "userPoolId": pool, "outcome": self.words.done, "snapshot": snapshot })
            }
            Result::Planned(planned) => {
                let differences = planned.before.differences(&planned.wanted);
                let differences: Vec<_> = differences.iter().map(Difference::to_json).collect();
                json!({ "userPoolId": pool, "outcome": "planned", "differences": differences })
            }
            Result::Nothing(why) => {
                json!({ "userPoolId": pool, "outcome": "unchanged", "reason": why })
            }
            Result::Left => json!({ "userPoolId": pool, "outcome": "left" }),
            Result::Failed(error) => {
                let error = json!({ "errorType": error.name(), "errorMessage": error.to_string() });
                json!({ "userPoolId": pool, "outcome": "failed", "error": error })
            }
        }
    }
}
