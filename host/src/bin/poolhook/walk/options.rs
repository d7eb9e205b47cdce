//! What `backfill` and `reconcile` share: the pool, the host, the rate limits and
//! the signal to stop.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::bail;
use clap::Args;
use poolhook::aws;
use poolhook::cognito::{PoolUser, UserPool};
use poolhook::config::{PoolConfig, Table, WriteMode};
use poolhook::event::UserPoolId;
use poolhook::host::{Host, Outcome};
use poolhook::item::Item;
use poolhook::report::Report;
use poolhook::store::dynamodb::DynamoDb;
use poolhook::store::{BoxFuture, Existing, ItemReader, ItemStore, Put};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Walk;
use super::tally::MALFORMED;
use crate::explain;
use crate::options::{Config, Items, PluginChoice};
use crate::out::{Progress, say};
use crate::pace::Pace;

/// The pool whose users are listed, and how their items are put.
#[derive(Args)]
pub(crate) struct Users {
    /// The pool whose users are listed.
    #[arg(value_parser = pool, value_name = "POOL_ID")]
    pub(crate) pool: UserPoolId,
    #[command(flatten)]
    pub(crate) config: Config,
    #[command(flatten)]
    pub(crate) items: Items,
    #[command(flatten)]
    plugin: PluginChoice,
    /// Items per second, at most; an item larger than 1 KB counts as several.
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: u32,
    /// Requests to Cognito per second, at most; each lists up to 60 users.
    #[arg(long = "users-rate", default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    requests: u32,
    /// Print JSON: a line, with the user's name, for each user with a difference or
    /// an error, and the summary at the end.
    #[arg(long)]
    pub(crate) json: bool,
}

fn pool(id: &str) -> Result<UserPoolId, String> {
    UserPoolId::parse(id).map_err(|error| error.to_string())
}

impl Users {
    /// Reads the pool's config.
    pub(crate) async fn pool_config(&self) -> anyhow::Result<Arc<PoolConfig>> {
        Ok(self.config.open().await?.get(&self.pool).await?)
    }

    /// Opens the store. A user pool is always in AWS.
    pub(crate) async fn store(&self) -> anyhow::Result<Arc<dyn ItemReader>> {
        self.items.open(Some("the users come")).await
    }

    pub(crate) async fn host(&self, items: Arc<dyn ItemStore>) -> anyhow::Result<Host> {
        let pools = self.config.open().await?;
        let releases = self.plugin.store.open().await?;
        let plugins = self.plugin.load(releases, pools.host_config()).await?;
        Ok(Host::new(pools, plugins, items))
    }

    /// Returns the walk, which begins at a page by its token and number, and its progress.
    pub(crate) async fn walk(
        &self,
        host: Host,
        rate: f64,
        from: Option<String>,
        page: u64,
    ) -> anyhow::Result<(Walk, Progress)> {
        let pool = UserPool::new(&aws::config().await, &self.pool);
        let estimated = pool.estimated_users().await;
        let estimated = estimated.map_err(super::Stopped::Cognito)?;
        let progress = Progress::new(Some(estimated).filter(|n| *n > 0), "users");
        let requests = Pace::new(self.requests.into());
        let walk = Walk::new(host, pool, requests, Pace::new(rate), from, page);
        Ok((walk, progress))
    }

    /// Items per second: `--rate`, or a share of the write capacity that the pool's
    /// table is provisioned with.
    pub(crate) async fn rate(&self, capacity_share: Option<f64>) -> anyhow::Result<f64> {
        let Some(share) = capacity_share else {
            return Ok(self.rate.into());
        };
        if !self.items.dynamodb {
            bail!(
                "--capacity-share is for --dynamodb: the embedded store has no capacity to share"
            );
        }
        let dynamodb = DynamoDb::new(&aws::config().await);
        let table = &self.pool_config().await?.table;
        let Some(units) = dynamodb.write_capacity(table).await? else {
            let name = &table.name;
            bail!(
                "the table {name} has on-demand capacity, so --capacity-share does not apply. Use --rate"
            );
        };
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        Ok(share * f64::from(units))
    }
}

/// Whether the user wants to stop. The first Ctrl-C asks for it; the second one
/// ends the process.
#[derive(Clone, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// `what` is finished before the command stops, such as `page`.
    pub(crate) fn listen(what: &'static str) -> Self {
        let interrupt = Self::default();
        let asked = interrupt.clone();
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                asked.0.store(true, Ordering::Relaxed);
                say!("finishing the current {what}; press Ctrl-C again to stop at once");
                let _ = tokio::signal::ctrl_c().await;
                process::exit(130);
            }
        });
        interrupt
    }

    pub(crate) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A store that compares first: it writes a missing item only if `write` is set.
pub(crate) struct Look {
    pub(crate) store: Arc<dyn ItemReader>,
    pub(crate) write: bool,
}

impl ItemStore for Look {
    fn name(&self) -> String {
        self.store.name()
    }

    fn put<'a>(
        &'a self,
        table: &'a Table,
        item: &'a Item,
        _: WriteMode,
        until: Instant,
    ) -> BoxFuture<'a, Put> {
        Box::pin(async move {
            match self.store.compare(table, item, until).await? {
                Some(existing) => Ok(Put::AlreadyThere(existing)),
                None if self.write => self.store.put(table, item, WriteMode::Create, until).await,
                None => Ok(Put::Written),
            }
        })
    }
}

/// The JSON line of a user that Cognito lists incompletely.
pub(crate) fn malformed_line(user_name: Option<&str>) -> Value {
    json!({
        "userName": user_name,
        "outcome": "failed",
        "errorType": MALFORMED,
        "errorMessage": "Cognito lists the user without a name, a creation date or a status",
    })
}

/// The JSON line of one user: a failure, or an item that is not as it should be.
pub(crate) fn user_line(user: &PoolUser, report: &Report, written: Option<&str>) -> Option<Value> {
    let user_name = &user.event.user_name;
    match &report.outcome {
        Err(failure) => Some(json!({
            "userName": user_name,
            "outcome": "failed",
            "errorType": failure.name(),
            "errorMessage": explain::failure(failure, &report.trace.log),
        })),
        Ok(Outcome::AlreadyThere(Existing::Different(names))) => {
            Some(json!({ "userName": user_name, "outcome": "differing", "attributes": names }))
        }
        Ok(Outcome::AlreadyThere(Existing::Unknown)) => {
            Some(json!({ "userName": user_name, "outcome": "differing" }))
        }
        Ok(Outcome::Written) => {
            written.map(|outcome| json!({ "userName": user_name, "outcome": outcome }))
        }
        Ok(Outcome::AlreadyThere(Existing::Same | Existing::OtherTime) | Outcome::Skipped(_)) => {
            None
        }
    }
}
