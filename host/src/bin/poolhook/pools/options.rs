//! Options that several of the `pools` commands take.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use poolhook::aws::SdkConfig;
use poolhook::event::UserPoolId;
use poolhook::pools::Pools;
use poolhook::text::shown;

use super::function::FunctionArn;
use super::stacks::Stacks;
use crate::out::say;

/// The function that serves the triggers.
#[derive(Args)]
#[group(multiple = false)]
pub(crate) struct FunctionChoice {
    /// The function's ARN, or its alias's.
    #[arg(long, value_name = "ARN")]
    function: Option<FunctionArn>,
    /// The CloudFormation stack of poolhook, whose output FunctionArn names the function.
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
}

impl FunctionChoice {
    /// The function's ARN; an error if neither option is given.
    pub(crate) async fn required(&self, shared: &SdkConfig) -> anyhow::Result<FunctionArn> {
        self.chosen(shared)
            .await?
            .context("pass --function ARN, or --stack NAME for the function of a stack")
    }

    /// The function's ARN; `None` if neither option is given.
    pub(crate) async fn chosen(&self, shared: &SdkConfig) -> anyhow::Result<Option<FunctionArn>> {
        match (&self.function, &self.stack) {
            (Some(function), _) => Ok(Some(function.clone())),
            (None, Some(stack)) => Stacks::new(shared, None).function(stack).await.map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// How a command changes pools.
#[derive(Args)]
pub(crate) struct ChangeOptions {
    /// Write without asking.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Show what would change, and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Send this field of the pool's description as it is; poolhook has no rule for it.
    #[arg(long, value_name = "FIELD")]
    pub(crate) carry: Vec<String>,
    /// The folder for snapshots: each pool's settings before a change.
    #[arg(long, value_name = "DIR", default_value = "poolhook-snapshots")]
    pub(crate) snapshots: PathBuf,
    /// Print a JSON object for each pool, and one with the numbers.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Parses a pool's id; the error names it.
pub(crate) fn pool_id(text: &str) -> anyhow::Result<UserPoolId> {
    UserPoolId::parse(text).with_context(|| shown(text).to_string())
}

/// Parses the ids of pools, each once.
pub(crate) fn pool_ids(texts: &[String]) -> anyhow::Result<Vec<UserPoolId>> {
    let mut pools = Vec::new();
    for text in texts {
        let pool = pool_id(text)?;
        if !pools.contains(&pool) {
            pools.push(pool);
        }
    }
    Ok(pools)
}

/// Every pool that the config names, and whether every file of the config belongs to one;
/// names the files that do not.
pub(crate) async fn configured(configs: &Pools) -> anyhow::Result<(Vec<UserPoolId>, bool)> {
    let (mut pools, mut all_named) = (Vec::new(), true);
    for pool in configs.list().await? {
        match pool {
            Ok(pool) => pools.push(pool),
            Err(error) => {
                say!("{}: {error}", error.name());
                all_named = false;
            }
        }
    }
    if pools.is_empty() {
        bail!(
            "no pool has a file in {}. Is that the folder, or the bucket's prefix, of the configs?",
            configs.folder()
        );
    }
    Ok((pools, all_named))
}
