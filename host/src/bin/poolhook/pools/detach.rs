//! `poolhook pools detach`: removes poolhook's function from the pools' trigger.

use clap::Args;
use poolhook::aws;
use poolhook::cognito::pools::UserPools;
use poolhook::event::UserPoolId;

use super::error::PoolError;
use super::function::FunctionArn;
use super::lambda::Functions;
use super::options::{ChangeOptions, FunctionChoice, pool_ids};
use super::rules;
use super::series::{Plan, Planned, Series, Words};
use super::settings::{Cognito, Settings};
use super::snapshot::Snapshot;
use super::trigger::{POST_CONFIRMATION, Trigger};
use crate::Exit;
use crate::options::block_on;

/// Remove poolhook's function from the pools' Post Confirmation trigger, and nothing else.
///
/// A pool with another function at the trigger, or none, is left as it is. Where attach
/// replaced another function, detach puts it back, if it still exists: the snapshots tell
/// which one it was. Everything else is as for attach.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook pools detach eu-west-1_Ab12Cd34E --stack poolhook --dry-run
  poolhook pools detach eu-west-1_Ab12Cd34E eu-west-1_Cd34Ef56G --stack poolhook --yes

Exit codes: 0 poolhook serves none of the pools; 1 one failed or is left, or the
answer was no; 2 wrong usage, or nothing could be looked up.")]
pub(crate) struct Options {
    /// The pools' ids.
    #[arg(value_name = "POOL_ID", required = true)]
    pools: Vec<String>,
    #[command(flatten)]
    function: FunctionChoice,
    #[command(flatten)]
    change: ChangeOptions,
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        block_on(self.detach())
    }

    async fn detach(&self) -> anyhow::Result<Exit> {
        let pools = pool_ids(&self.pools)?;
        let shared = aws::config().await;
        let function = self.function.required(&shared).await?;
        let region = function.region().to_owned();
        let detachment = Detachment {
            options: self,
            trigger: POST_CONFIRMATION,
            cognito: Cognito::new(UserPools::new(&shared, Some(&region))),
            functions: Functions::new(&shared, &region),
            function,
        };
        let series = Series {
            words: Words {
                command: "detach",
                done: "detached",
            },
            cognito: &detachment.cognito,
            options: &self.change,
        };
        let plan = |pool| detachment.plan(pool);
        series.run(pools, plan, async |_| Ok(())).await
    }
}

/// What detaching needs to know of all pools.
struct Detachment<'a> {
    options: &'a Options,
    trigger: Trigger,
    function: FunctionArn,
    cognito: Cognito,
    functions: Functions,
}

impl Detachment<'_> {
    async fn plan(&self, pool: UserPoolId) -> Result<Plan, PoolError> {
        let Self {
            trigger, function, ..
        } = self;
        if pool.region() != function.region() {
            let function = function.clone();
            return Err(PoolError::OtherRegion { pool, function });
        }
        let before = self.cognito.read(&pool).await?;
        match trigger.function(&before.pool) {
            Some(arn) if function.is_function_of(arn) => {}
            Some(other) => {
                return Ok(Plan::Nothing(format!(
                    "not poolhook's: {other} is at the trigger"
                )));
            }
            None => return Ok(Plan::Nothing("not attached".to_owned())),
        }
        let mut notes = Vec::new();
        let wanted = self.wanted(&pool, &before, &mut notes).await?;
        rules::request(&wanted.pool, &self.options.change.carry)?;
        let sets = trigger.function(&wanted.pool);
        Ok(Plan::Change(Box::new(Planned {
            snapshot: Snapshot::new("detach", &pool, *trigger, sets, &before),
            before,
            wanted,
            notes,
        })))
    }

    /// The pool without the function, or with the one that attach replaced.
    async fn wanted(
        &self,
        pool: &UserPoolId,
        before: &Settings,
        notes: &mut Vec<String>,
    ) -> Result<Settings, PoolError> {
        let folder = &self.options.change.snapshots;
        let is_ours = |arn: &str| self.function.is_function_of(arn);
        let attachment = Snapshot::last_attachment(folder, pool, self.trigger, is_ours);
        let attachment = attachment.map_err(|error| PoolError::NoSnapshot {
            folder: folder.clone(),
            reason: error.to_string(),
        })?;
        let mut wanted = before.clone();
        let Some(attachment) = attachment else {
            notes.push(format!(
                "{} has no snapshot of its attachment, so whether another function was at the trigger before is not known",
                folder.display()
            ));
            self.trigger.set(&mut wanted.pool, None);
            return Ok(wanted);
        };
        let mut replaced = attachment.replaced.as_deref();
        if let Some(arn) = replaced {
            match self.functions.exists(arn).await {
                Ok(true) => {}
                Ok(false) => {
                    notes.push(format!(
                        "{arn}, which attach replaced, does not exist any more"
                    ));
                    replaced = None;
                }
                Err(why) => notes.push(format!("whether {arn} still exists: {why}")),
            }
        }
        self.trigger.set(&mut wanted.pool, replaced);
        // Where the pool had no LambdaConfig at all, it has none again.
        let had_none = attachment.settings().pool.get("LambdaConfig").is_none();
        let is_empty = wanted
            .pool
            .get("LambdaConfig")
            .is_some_and(|it| it == &serde_json::json!({}));
        if had_none && is_empty {
            wanted.pool.remove("LambdaConfig");
        }
        Ok(wanted)
    }
}
