//! `poolhook pools check`: looks at each pool, from its config to its row.

mod finding;
mod setup;
mod test_event;
mod trigger;
mod users;

use std::collections::BTreeMap;
use std::io;

use clap::Args;
use poolhook::aws::{self, SdkConfig};
use poolhook::cognito::CognitoError;
use poolhook::cognito::pools::{Document, UserPools};
use poolhook::config::shared_rows;
use poolhook::event::UserPoolId;
use poolhook::plugins::Plugins;
use poolhook::pools::Pools;
use poolhook::releases::Releases;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::function::{FunctionArn, NotChecked};
use super::lambda::Functions;
use super::letters::Waiting;
use super::many::{Known, each};
use super::options::{FunctionChoice, configured, pool_ids};
use super::roles::Roles;
use super::settings::Cognito;
use super::trigger::POST_CONFIRMATION;
use crate::Exit;
use crate::config::{Tables, shared_row};
use crate::options::{Config, PluginChoice, block_on};
use crate::out::{self, say};
use finding::{Diagnosis, Finding};

/// Check pools from their config to their rows, and say what fixes what is wrong.
///
/// For each pool, the command checks its TOML file, as `poolhook config check` does; that
/// its plugin is live and compiled for this version; that the pool has the custom
/// attributes that a mapping of `fields` names, and that no user whom the pool lets sign
/// up is refused; the table and its keys; whether the function's role may put items; the
/// trigger, its function's Region and the permission to invoke it; and the dead letters
/// that wait. It changes nothing. What the credentials may not look at is reported as not
/// checked.
///
/// --send-test-event also invokes the function, with an event for each pool whose trigger
/// source is `poolhook_Test`. The function reads the pool's config and loads its plugin, and
/// writes neither an item nor a dead letter.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook pools check --stack poolhook --blobs s3://my-bucket
  poolhook pools check eu-west-1_Ab12Cd34E --stack poolhook --send-test-event
  poolhook pools check --json | jq -r '.findings[]? | select(.outcome == \"wrong\") | .fix'

Exit codes: 0 nothing is wrong; 1 something is wrong; 2 wrong usage, or the config
cannot be read.")]
pub(crate) struct Options {
    /// The pools' ids; every pool that the config names if there are none.
    #[arg(value_name = "POOL_ID")]
    pools: Vec<String>,
    #[command(flatten)]
    function: FunctionChoice,
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    plugins: PluginChoice,
    /// Invoke the function with an event that writes nothing.
    #[arg(long)]
    send_test_event: bool,
    /// Print a JSON object for each pool, and a summary as the last one.
    #[arg(long)]
    json: bool,
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        block_on(async {
            let doctor = self.doctor().await?;
            let (pools, all_named) = if self.pools.is_empty() {
                configured(&doctor.configs).await?
            } else {
                (pool_ids(&self.pools)?, true)
            };
            let doctor = doctor.with_pools(&pools).await;
            // First all of them: what takes the processor would delay requests that have their
            // turn, and then they would come at once.
            let describe = async |id| (doctor.describe(&id).await, id);
            let described = each(pools, "pools described", describe).await;
            let examine = |(described, id)| doctor.examine(id, described);
            let diagnoses = each(described, "pools checked", examine).await;
            self.print(&diagnoses, &doctor)?;
            let is_wrong = diagnoses.iter().any(Diagnosis::is_wrong);
            Ok(Exit::of(all_named && !is_wrong))
        })
    }

    async fn doctor(&self) -> anyhow::Result<Doctor> {
        let configs = self.config.open().await?;
        let shared = aws::config().await;
        let releases = self.plugins.store.open().await?;
        let function = self.function.chosen(&shared).await?;
        let region = function.as_ref().map(FunctionArn::region);
        Ok(Doctor {
            roles: Roles::new(&shared, region),
            plugins: self
                .plugins
                .load(releases.clone(), configs.host_config())
                .await?,
            configs,
            releases,
            function,
            waiting: Waiting::count(&self.plugins.store).await,
            blobs: self.plugins.store.name(),
            sends_event: self.send_test_event,
            tables: Mutex::new(Tables::new().await),
            aws: shared,
            regions: BTreeMap::new(),
            shared: BTreeMap::new(),
            policies: Known::default(),
            functions_roles: Known::default(),
            rights: Known::default(),
        })
    }

    fn print(&self, diagnoses: &[Diagnosis], doctor: &Doctor) -> io::Result<()> {
        let wrong = diagnoses.iter().filter(|pool| pool.is_wrong()).count();
        let attached = diagnoses.iter().filter(|pool| pool.is_attached).count();
        for diagnosis in diagnoses {
            if self.json {
                out::json(diagnosis.to_json())?;
            } else {
                diagnosis.print()?;
            }
        }
        let pools = diagnoses.len();
        if self.json {
            let summary = json!({ "pools": pools, "wrong": wrong, "attached": attached });
            out::json(json!({ "summary": summary }))?;
        } else {
            say!("{pools} pools checked, {wrong} with something wrong");
            if attached > 0 {
                let function = doctor.function.as_ref();
                let function = function.map_or("at their trigger", FunctionArn::name);
                say!(
                    "{attached} are attached: their sign-ups would fail if the function {function} or its stack were deleted. `poolhook pools detach` comes first"
                );
            }
        }
        Ok(())
    }
}

/// Looks at pools, and at each thing that they share once.
struct Doctor {
    aws: SdkConfig,
    configs: Pools,
    plugins: Plugins,
    /// `None` if the folder does not exist.
    releases: Option<Releases>,
    function: Option<FunctionArn>,
    waiting: Result<Waiting, NotChecked>,
    /// The value of `--blobs`.
    blobs: String,
    sends_event: bool,
    tables: Mutex<Tables>,
    roles: Roles,
    /// By name.
    regions: BTreeMap<String, Region>,
    /// The errors of the pools that could write another one's rows.
    shared: BTreeMap<UserPoolId, String>,
    /// The resource policies, by the function's ARN.
    policies: Known<Result<Option<Value>, NotChecked>>,
    /// The functions' roles, by the function's ARN.
    functions_roles: Known<Result<Option<String>, NotChecked>>,
    /// Whether a role may put items, by the role's and the table's ARNs.
    rights: Known<Result<bool, NotChecked>>,
}

/// The services of a Region.
struct Region {
    cognito: Cognito,
    functions: Functions,
}

impl Doctor {
    /// Reads the configs of these pools, and compares them with each other.
    async fn with_pools(mut self, pools: &[UserPoolId]) -> Self {
        let mut configs = Vec::new();
        for pool in pools {
            // An error is a finding later.
            if let Ok(config) = self.configs.get(pool).await {
                configs.push((pool, config));
            }
        }
        let shared = shared_rows(configs.iter().map(|(id, config)| (*id, &**config)));
        for (pool, other) in shared {
            if let Some((_, config)) = configs.iter().find(|(id, _)| *id == pool) {
                let error = shared_row(&self.configs, pool, other, config);
                self.shared.insert(pool.clone(), error.to_string());
            }
        }
        let of_pools = pools.iter().map(UserPoolId::region);
        let of_function = self.function.as_ref().map(FunctionArn::region);
        self.regions = of_pools
            .chain(of_function)
            .map(|region| {
                let services = Region {
                    cognito: Cognito::new(UserPools::new(&self.aws, Some(region))),
                    functions: Functions::new(&self.aws, region),
                };
                (region.to_owned(), services)
            })
            .collect();
        self
    }

    async fn examine(&self, id: UserPoolId, described: Result<Document, Finding>) -> Diagnosis {
        let mut findings = Vec::new();
        let setup = self.setup(&id, &mut findings).await;
        let described = described.map_err(|finding| findings.push(finding)).ok();
        if let (Some(setup), Some(pool)) = (&setup, &described) {
            self.users(&id, setup, pool, &mut findings).await;
        }
        if let Some(setup) = &setup {
            findings.push(self.table(&id, setup).await);
        }
        let mut is_attached = false;
        let function = match &described {
            Some(pool) => {
                let (function, finding) = self.trigger(&id, pool);
                findings.push(finding);
                let there = POST_CONFIRMATION.function(pool);
                is_attached = there.is_some_and(|there| match &self.function {
                    Some(function) => function.is_function_of(there),
                    None => true,
                });
                function
            }
            None => self.function.clone(),
        };
        if let Some(function) = &function {
            if let Some(setup) = &setup {
                findings.push(self.role(function, &setup.config.table).await);
            }
            if let Some(pool) = &described {
                findings.push(self.permission(function, pool).await);
            }
            if self.sends_event {
                findings.push(self.test_event(function, &id).await);
            }
        }
        findings.push(self.dead_letters(&id));
        Diagnosis {
            pool: id,
            findings,
            is_attached,
        }
    }

    async fn describe(&self, id: &UserPoolId) -> Result<Document, Finding> {
        const CHECK: &str = "pool";
        let Some(region) = self.regions.get(id.region()) else {
            return Err(Finding::not_checked(CHECK, "it is in another Region"));
        };
        region.cognito.describe(id).await.map_err(|error| {
            if let CognitoError::NoPool { .. } = error {
                let text = format!("{error}. Check the credentials' account, or remove its file");
                return Finding::wrong(CHECK, text, "poolhook pools list".to_owned());
            }
            Finding::not_checked(CHECK, format!("{:#}", anyhow::Error::from(error)))
        })
    }
}
