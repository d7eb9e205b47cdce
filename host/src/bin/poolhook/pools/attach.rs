//! `poolhook pools attach`: sets poolhook's function at the pools' trigger.

use anyhow::{Context as _, bail};
use clap::Args;
use poolhook::aws::{self, SdkConfig};
use poolhook::cognito::pools::UserPools;
use poolhook::event::UserPoolId;
use poolhook::pools::Pools;
use serde_json::Value;

use super::error::PoolError;
use super::function::{FunctionArn, NotChecked};
use super::lambda::Functions;
use super::options::{ChangeOptions, FunctionChoice, configured, pool_ids};
use super::owner;
use super::permission::lets_pool_invoke;
use super::rules;
use super::series::{Plan, Planned, Series, Words};
use super::settings::Cognito;
use super::snapshot::Snapshot;
use super::stacks::Stacks;
use super::trigger::{POST_CONFIRMATION, Trigger};
use crate::Exit;
use crate::options::{Config, block_on};

/// Set poolhook's function at the pools' Post Confirmation trigger, and nothing else.
///
/// UpdateUserPool resets every setting that it does not receive. Attach sends all of them,
/// and changes one. It describes each pool, refuses those that it could not leave as they
/// are, shows the change, and asks. Then, for each pool, it writes a snapshot, looks again,
/// updates the pool, and compares all settings with those from before. What an update lost
/// is put back. An attached pool is not written again.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook pools attach --configured --stack poolhook --dry-run
  poolhook pools attach eu-west-1_Ab12Cd34E --stack poolhook
  poolhook pools attach eu-west-1_Ab12Cd34E --yes \\
    --function arn:aws:lambda:eu-west-1:123456789012:function:poolhook:live

Exit codes: 0 every pool is attached; 1 one was refused, failed or is left, or
the answer was no; 2 wrong usage, or nothing could be looked up.")]
pub(crate) struct Options {
    #[command(flatten)]
    pools: PoolChoice,
    #[command(flatten)]
    function: FunctionChoice,
    /// Take the place of another function. Detach puts it back.
    #[arg(long)]
    replace: bool,
    /// Attach a pool that CloudFormation or another tool manages.
    #[arg(long)]
    force: bool,
    /// Let the account's pools call the function, if they may not yet.
    #[arg(long)]
    add_permission: bool,
    #[command(flatten)]
    change: ChangeOptions,
    #[command(flatten)]
    config: Config,
}

/// The pools to attach.
#[derive(Args)]
struct PoolChoice {
    /// The pools' ids.
    #[arg(value_name = "POOL_ID", required_unless_present = "configured")]
    ids: Vec<String>,
    /// Attach every pool that the config names.
    #[arg(long, conflicts_with = "ids")]
    configured: bool,
}

impl PoolChoice {
    /// The pools, and whether every file of the config belongs to one.
    async fn list(&self, configs: &Pools) -> anyhow::Result<(Vec<UserPoolId>, bool)> {
        if !self.configured {
            return Ok((pool_ids(&self.ids)?, true));
        }
        configured(configs).await
    }
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        block_on(self.attach())
    }

    async fn attach(&self) -> anyhow::Result<Exit> {
        let configs = self.config.open().await?;
        let shared = aws::config().await;
        let function = self.function.required(&shared).await?;
        let (pools, all_named) = self.pools.list(&configs).await?;
        let attachment = Attachment::new(self, &configs, &shared, function).await?;
        let series = Series {
            words: Words {
                command: "attach",
                done: "attached",
            },
            cognito: &attachment.cognito,
            options: &self.change,
        };
        let plan = |pool| attachment.plan(pool);
        let permit = async |pools: &[UserPoolId]| attachment.permit(pools).await;
        let exit = series.run(pools, plan, permit).await?;
        Ok(if all_named { exit } else { Exit::Failed })
    }
}

/// What attaching needs to know of all pools.
struct Attachment<'a> {
    options: &'a Options,
    configs: &'a Pools,
    trigger: Trigger,
    function: FunctionArn,
    cognito: Cognito,
    stacks: Stacks,
    functions: Functions,
    policy: Result<Option<Value>, NotChecked>,
}

impl<'a> Attachment<'a> {
    async fn new(
        options: &'a Options,
        configs: &'a Pools,
        shared: &SdkConfig,
        function: FunctionArn,
    ) -> anyhow::Result<Self> {
        let region = function.region().to_owned();
        let functions = Functions::new(shared, &region);
        let (exists, policy) = tokio::join!(
            functions.exists(function.as_str()),
            functions.policy(&function)
        );
        if let Ok(false) = exists {
            bail!(
                "{function} does not exist. Check the ARN, its alias and the credentials' account"
            );
        }
        Ok(Self {
            options,
            configs,
            trigger: POST_CONFIRMATION,
            cognito: Cognito::new(UserPools::new(shared, Some(&region))),
            stacks: Stacks::new(shared, Some(&region)),
            policy,
            functions,
            function,
        })
    }

    async fn plan(&self, pool: UserPoolId) -> Result<Plan, PoolError> {
        let Self {
            trigger, function, ..
        } = self;
        if pool.region() != function.region() {
            let function = function.clone();
            return Err(PoolError::OtherRegion { pool, function });
        }
        self.configs.get(&pool).await?;
        let before = self.cognito.read(&pool).await?;
        match trigger.function(&before.pool) {
            Some(arn) if arn == function.as_str() => {
                return Ok(Plan::Nothing("attached already".to_owned()));
            }
            Some(other) if !function.is_function_of(other) && !self.options.replace => {
                return Err(PoolError::OtherFunction {
                    trigger: *trigger,
                    other: other.to_owned(),
                });
            }
            _ => {}
        }
        let mut wanted = before.clone();
        trigger.set(&mut wanted.pool, Some(function.as_str()));
        rules::request(&wanted.pool, &self.options.change.carry)?;
        let mut notes = Vec::new();
        if !self.options.force {
            let look = owner::check(&self.stacks, &pool, &before.pool, *trigger, function);
            let not_checked = look.await?;
            notes.extend(not_checked.map(|why| format!("whether a stack manages the pool: {why}")));
        }
        notes.extend(self.check_permission(&before.pool)?);
        let arn = Some(function.as_str());
        Ok(Plan::Change(Box::new(Planned {
            snapshot: Snapshot::new("attach", &pool, *trigger, arn, &before),
            before,
            wanted,
            notes,
        })))
    }

    /// Whether the function lets the pool call it. Returns a note where that is not known.
    fn check_permission(
        &self,
        pool: &poolhook::cognito::pools::Document,
    ) -> Result<Option<String>, PoolError> {
        let arn = pool.get("Arn").and_then(Value::as_str).unwrap_or_default();
        let policy = match &self.policy {
            Ok(policy) => policy.as_ref(),
            Err(why) => {
                return Ok(Some(format!(
                    "whether {} lets the pool call it: {why}",
                    self.function
                )));
            }
        };
        if policy.is_some_and(|policy| lets_pool_invoke(policy, arn)) {
            return Ok(None);
        }
        // The one permission is for the pools of the function's account.
        let is_of_account = arn.split(':').nth(4) == Some(self.function.account());
        if self.options.add_permission && is_of_account {
            return Ok(Some(format!(
                "{} does not let the pool call it yet; the permission is added first",
                self.function
            )));
        }
        Err(PoolError::NoPermission {
            function: self.function.clone(),
            pool_arn: arn.to_owned(),
            way_out: if is_of_account {
                "Pass --add-permission to add it for all pools of the account".to_owned()
            } else {
                format!(
                    "The pool is of another account. Run there, where the function is: aws lambda add-permission --function-name {} --statement-id {} --principal cognito-idp.amazonaws.com --action lambda:InvokeFunction --source-arn {arn}",
                    self.function,
                    arn.rsplit('/').next().unwrap_or_default(),
                )
            },
        })
    }

    /// Adds the permission, if it is asked for and one of these pools lacks it or may.
    async fn permit(&self, pools: &[UserPoolId]) -> anyhow::Result<()> {
        let function = &self.function;
        if !self.options.add_permission || self.lets_all_invoke(&self.policy, pools) {
            return Ok(());
        }
        let added = self.functions.allow_pools(function, function.account());
        added
            .await
            .context("the permission cannot be added, so no pool was changed")?;
        let policy = self.functions.policy(function).await;
        if policy.is_ok() && !self.lets_all_invoke(&policy, pools) {
            bail!(
                "a statement of poolhook's is in the resource policy of {function}, and does not let the pools call it; no pool was changed. Remove it with `aws lambda remove-permission`, then run the command again"
            );
        }
        Ok(())
    }

    fn lets_all_invoke(
        &self,
        policy: &Result<Option<Value>, NotChecked>,
        pools: &[UserPoolId],
    ) -> bool {
        let function = &self.function;
        let lets = |pool: &UserPoolId| {
            let (partition, region) = (function.partition(), function.region());
            let (account, pool) = (function.account(), pool.as_str());
            let arn = format!("arn:{partition}:cognito-idp:{region}:{account}:userpool/{pool}");
            let policy = policy.as_ref().ok().and_then(Option::as_ref);
            policy.is_some_and(|policy| lets_pool_invoke(policy, &arn))
        };
        pools.iter().all(lets)
    }
}
