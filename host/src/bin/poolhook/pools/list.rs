//! `poolhook pools list`.

mod row;

use std::collections::BTreeSet;

use anyhow::Context as _;
use clap::Args;
use poolhook::aws;
use poolhook::cognito::pools::{Listed, UserPools};
use poolhook::config::ConfigError;
use poolhook::event::UserPoolId;
use poolhook::host::Failure;
use poolhook::pools::Pools;
use poolhook::text::shown;

use super::function::{FunctionArn, NotChecked};
use super::letters::Waiting;
use super::many::each;
use super::options::FunctionChoice;
use super::settings::Cognito;
use super::table::table;
use crate::Exit;
use crate::options::{Config, Store, block_on};
use crate::out::{self, say};
use row::{Described, Row, Setup, Summary};

/// List the account's user pools in the Region, and what serves their triggers.
///
/// Each pool has its name, Cognito's estimate of its users, the function at its Post
/// Confirmation trigger, whether its TOML file can be read, and the dead letters that
/// wait. With --function or --stack, the list says which pools that function serves, and
/// is of its Region; otherwise, it names each pool's function, and is of the
/// environment's Region. `poolhook pools check` looks further at each pool.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook pools list
  poolhook pools list --stack poolhook --blobs s3://my-bucket
  poolhook pools list --stack poolhook --json \\
    | jq -r 'select(.servedBy == \"none\") | .userPoolId'

Exit codes: 0 all pools are listed; 1 a pool could not be described; 2 wrong usage,
or the pools cannot be listed.")]
pub(crate) struct Options {
    #[command(flatten)]
    function: FunctionChoice,
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    store: Store,
    /// Print a JSON object for each pool, and a summary as the last one.
    #[arg(long)]
    json: bool,
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        block_on(async {
            let shared = aws::config().await;
            let function = self.function.chosen(&shared).await?;
            let region = function.as_ref().map(FunctionArn::region);
            let of_environment = shared.region().map(|region| region.as_ref().to_owned());
            let region = region
                .map(str::to_owned)
                .or(of_environment)
                .context("no Region is set. Set AWS_REGION, or pass --function or --stack")?;
            let look = Look {
                cognito: Cognito::new(UserPools::new(&shared, Some(&region))),
                configs: self.config.existing().await?,
                function,
                waiting: Waiting::count(&self.store).await,
            };
            let pools = look.listed().await?;
            look.warn_of_absent(&pools, &region).await?;
            let rows = each(pools, "pools described", |pool| look.at(pool)).await;
            let summary = Summary::of(&rows);
            self.print(&rows, &summary, &look, &region)?;
            Ok(Exit::of(summary.failed == 0))
        })
    }

    fn print(
        &self,
        rows: &[Row],
        summary: &Summary,
        look: &Look,
        region: &str,
    ) -> anyhow::Result<()> {
        if self.json {
            for row in rows {
                out::json(row.to_json())?;
            }
            out::json(summary.to_json())?;
            return Ok(());
        }
        if !rows.is_empty() {
            let names = [
                "POOL",
                "NAME",
                "USERS",
                "FUNCTION",
                "CONFIG",
                "DEAD LETTERS",
            ];
            let cells: Vec<_> = rows.iter().map(Row::cells).collect();
            out::text(table(names, &cells))?;
        }
        for row in rows {
            let id = shown(&row.id);
            if let Err(error) = &row.described {
                say!("{id}: {error}");
            }
            if let Setup::Wrong(why) = &row.config {
                say!("{id}: {why}");
            }
        }
        if let Err(not_checked) = &look.waiting {
            say!("dead letters: {not_checked}");
        }
        say!("{} in {region}", summary.text(look.function.is_some()));
        Ok(())
    }
}

/// What the pools are compared with.
struct Look {
    cognito: Cognito,
    /// `None` if the folder does not exist.
    configs: Option<Pools>,
    function: Option<FunctionArn>,
    waiting: Result<Waiting, NotChecked>,
}

impl Look {
    async fn listed(&self) -> anyhow::Result<Vec<Listed>> {
        let mut pools = Vec::new();
        let mut token = None;
        loop {
            let page = self.cognito.page(token.as_deref()).await?;
            pools.extend(page.pools);
            token = page.next;
            if token.is_none() {
                return Ok(pools);
            }
        }
    }

    /// Says which configs are of pools that the account does not have.
    async fn warn_of_absent(&self, pools: &[Listed], region: &str) -> anyhow::Result<()> {
        let Some(configs) = &self.configs else {
            say!("warning: the folder of the configs does not exist. `--config` names another one");
            return Ok(());
        };
        let there: BTreeSet<_> = pools.iter().map(|pool| pool.id.as_str()).collect();
        for id in configs.list().await? {
            match id {
                Ok(id) if id.region() == region && !there.contains(id.as_str()) => {
                    let file = configs.address(&id);
                    say!("warning: {file}: the account has no such pool");
                }
                Ok(_) => {}
                Err(error) => say!("warning: {error}"),
            }
        }
        Ok(())
    }

    async fn at(&self, pool: Listed) -> Row {
        let Ok(id) = UserPoolId::parse(&pool.id) else {
            let error = "the id is not one that a config can have".to_owned();
            return Row {
                described: Err(error),
                config: Setup::Missing,
                letters: None,
                id: pool.id,
                name: pool.name,
            };
        };
        let described = self.cognito.describe(&id).await;
        let described = described.map(|pool| Described::of(&pool, self.function.as_ref()));
        Row {
            described: described.map_err(|error| format!("{}: {error}", error.name())),
            config: self.setup(&id).await,
            letters: self.waiting.as_ref().ok().map(|waiting| waiting.of(&id)),
            id: pool.id,
            name: pool.name,
        }
    }

    async fn setup(&self, id: &UserPoolId) -> Setup {
        let Some(configs) = &self.configs else {
            return Setup::Missing;
        };
        match configs.get(id).await {
            Ok(_) => Setup::Right,
            Err(Failure::Config(ConfigError::UnknownPool { .. })) => Setup::Missing,
            Err(failure) => Setup::Wrong(failure.text()),
        }
    }
}
