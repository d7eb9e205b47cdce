//! `poolhook config check`: finds the mistakes in a folder of configs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use clap::Args;
use poolhook::blobs::Location;
use poolhook::config::{
    ConfigError, PluginName, PoolConfig, Problem, Source, misplaced_keys, shared_rows,
    useless_settings,
};
use poolhook::event::UserPoolId;
use poolhook::host::Failure;
use poolhook::item::Item;
use poolhook::plugin::{Mapping, Plugin, PluginError};
use poolhook::pools::Pools;
use poolhook::publish::sample_user;
use poolhook::text::shown;
use serde_json::{Value, json};

use super::files::Files;
use super::notes::{self, Note, Shown};
use super::tables::Tables;
use super::{examples, problems, samples};
use crate::Exit;
use crate::explain;
use crate::options::{PluginChoice, block_on, locations};
use crate::out::{self, say};
use crate::trial::received;

/// Check a folder of pools' TOML files before deploying it.
///
/// The command reads every file as the trigger would, loads each plugin that a file
/// names, and maps a sample user with the pool's settings, so that the plugin can
/// report mistakes in them. The sample user's item must have the pool's key. With
/// --dynamodb, the keys and the item are compared with the real tables and their
/// indexes. All mistakes are printed at once, with file, line, column, key and rule.
///
/// The expressions of the plugin `fields` are checked for their names and types, and
/// the users in `[[settings.examples]]` must give the items there. A note names the
/// kinds of users that a mapping refuses, such as those without an email.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
#[command(after_help = "Examples:
  poolhook config check
  poolhook config check deploy/config --json
  poolhook config check --dynamodb --strict
  poolhook config check --show
  poolhook config check s3://my-bucket/config --blobs s3://my-bucket

Exit codes: 0 all files are valid; 1 a file is invalid, or there is none;
2 wrong usage.")]
pub(crate) struct Check {
    #[arg(
        help = "The folder with the pools' TOML files, or s3://BUCKET/PREFIX",
        value_name = "DIR",
        env = "POOLHOOK_CONFIG",
        default_value = "config"
    )]
    location: Location,
    #[command(flatten)]
    plugins: PluginChoice,
    /// Compare with the pools' tables. Region, endpoint and credentials come from the
    /// environment, as for the AWS CLI.
    #[arg(long)]
    dynamodb: bool,
    /// Let warnings fail the check, too. Notes never do.
    #[arg(long)]
    strict: bool,
    /// Show what the plugin `fields` writes for each kind of user, or why it does not.
    #[arg(long)]
    show: bool,
    /// Print one JSON object: `pools`, `errors`, `warnings`, `notes` and `ignored` files.
    /// Each error, warning and note has a `severity`.
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(&self) -> anyhow::Result<Exit> {
        let Checked {
            pools,
            errors,
            warnings,
            notes,
            shown: users,
            ignored,
            folder,
        } = block_on(self.check())?;
        let (valid, invalid, warned) = (pools.len(), errors.len(), warnings.len() + ignored.len());
        if self.json {
            let pools: Vec<_> = pools.iter().map(|pool| pool_json(pool, &users)).collect();
            let errors: Vec<_> = errors.iter().flat_map(error_json).collect();
            let warning = |problem| problems::json("warning", None, problem);
            let warnings: Vec<_> = warnings.iter().map(warning).collect();
            let notes: Vec<_> = notes.iter().map(Note::to_json).collect();
            out::json(json!({
                "pools": pools, "errors": errors, "warnings": warnings, "notes": notes,
                "ignored": ignored,
            }))?;
        } else {
            for (id, pool) in &pools {
                let table = &pool.table;
                out::text(format!(
                    "{id}  {} in {}, plugin {}",
                    table.name, table.region, pool.plugin
                ))?;
                for (kind, outcome) in users.get(id).into_iter().flatten() {
                    out::text(format!("  {kind}: {outcome}"))?;
                }
            }
            for Wrong { file, failure } in &errors {
                match failure {
                    Failure::Config(ConfigError::Invalid { problems }) => {
                        for problem in problems {
                            say!("{}", problems::text(problem));
                        }
                    }
                    // The error's text already has the file and the line.
                    Failure::Config(error) if !is_of_plugin(error) => say!("{error}"),
                    Failure::Store(_) => say!("{file}: table: {}", failure.text()),
                    failure => say!("{file}: plugin: {}", explain::failure(failure, &[])),
                }
            }
            for problem in &warnings {
                say!("warning: {}", problems::text(problem));
            }
            for note in &notes {
                say!("note: {note}");
            }
            for file in &ignored {
                say!(
                    "warning: {} is ignored: a pool's file is <user pool id>.toml, next to the others",
                    shown(file)
                );
            }
            if pools.is_empty() && errors.is_empty() {
                say!(
                    "no pool has a file in {folder}. Is that the folder, or the bucket's prefix, of the configs?"
                );
            }
            say!(
                "{} valid pools, {} invalid files",
                pools.len(),
                errors.len()
            );
        }
        let warned = self.strict && warned > 0;
        Ok(Exit::of(valid > 0 && invalid == 0 && !warned))
    }

    async fn check(&self) -> anyhow::Result<Checked> {
        let blobs = locations(&self.location).await.open(&self.location)?;
        let pools = match Pools::open(Arc::clone(&blobs)).await {
            Ok(pools) => pools,
            Err(failure @ Failure::Config(_)) => {
                let file = blobs.address("");
                return Ok(Checked {
                    pools: Vec::new(),
                    folder: file.clone(),
                    errors: vec![Wrong { file, failure }],
                    warnings: Vec::new(),
                    notes: Vec::new(),
                    shown: BTreeMap::new(),
                    ignored: Vec::new(),
                });
            }
            Err(failure) => return Err(failure.into()),
        };
        let releases = self.plugins.store.open().await?;
        let plugins = self.plugins.load(releases, pools.host_config()).await?;
        let (mut right, mut wrong) = (Vec::new(), Vec::new());
        let (mut read, mut warnings, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        let mut shown = BTreeMap::new();
        let mut tables = None;
        if self.dynamodb {
            tables = Some(Tables::new().await);
        }
        for pool in pools.list().await? {
            let file = pool.as_ref().map(|id| pools.address(id));
            let file = file.unwrap_or_default();
            let checked = async {
                let id = pool?;
                let config = pools.get(&id).await?;
                read.push((id.clone(), Arc::clone(&config)));
                let plugin = plugins.get(&config.plugin).await?;
                let files = Files::read(&pools, &id).await?;
                if !config.settings.is_empty() {
                    let useless = (config.plugin.name == PluginName::default())
                        .then(|| useless_settings(files.own(), &config.plugin.name))
                        .flatten();
                    warnings.extend(misplaced_keys(files.own()).into_iter().chain(useless));
                }
                if config.plugin.evaluates() {
                    let (mapping, probable) = files.mapping()?;
                    warnings.extend(probable);
                    let expressions = files.places(&mapping);
                    let users = samples::all();
                    let users = notes::of(&plugin, &id, &config, &mapping, &expressions, &users);
                    notes.extend(users?);
                    if self.show {
                        shown.insert(id.clone(), notes::show(&plugin, &id, &config)?);
                    }
                }
                let item = sample_item(&pools, &plugin, &id, &config).await?;
                if let Some(problem) =
                    sort_key_by_time(&plugin, &id, &config, item.as_ref(), files.own())?
                {
                    warnings.push(problem);
                }
                if let Some(tables) = &mut tables {
                    tables
                        .check(&pools.address(&id), &config, item.as_ref())
                        .await?;
                }
                Ok((id, config))
            };
            match checked.await {
                Ok(pool) => right.push(pool),
                Err(failure) => wrong.push(Wrong { file, failure }),
            }
        }
        let shared = shared_rows(read.iter().map(|(id, config)| (id, &**config)));
        right.retain(|(id, _)| !shared.contains_key(id));
        wrong.extend(shared.iter().filter_map(|(id, other)| {
            let (_, config) = read.iter().find(|(read, _)| read == *id)?;
            let failure = shared_row(&pools, id, other, config).into();
            let file = pools.address(id);
            Some(Wrong { file, failure })
        }));
        Ok(Checked {
            pools: right,
            errors: wrong,
            warnings,
            notes,
            shown,
            ignored: pools.ignored().await?,
            folder: pools.folder(),
        })
    }
}

/// The error of a pool that could write another one's row.
pub(crate) fn shared_row(
    pools: &Pools,
    id: &UserPoolId,
    other: &UserPoolId,
    config: &PoolConfig,
) -> ConfigError {
    ConfigError::SharedRow {
        file: pools.address(id),
        other: pools.address(other),
        table: config.table.name.to_string(),
    }
}

/// Maps the sample user of a pool, and checks the item's key: the item, or `None` if the
/// plugin skipped or refused the user, which it may. Mistakes that it reports in the settings
/// are an error with their places.
pub(crate) async fn sample_item(
    pools: &Pools,
    plugin: &Plugin,
    id: &UserPoolId,
    config: &PoolConfig,
) -> Result<Option<Item>, Failure> {
    match try_out(plugin, id, config, SystemTime::now())? {
        Tried::Item(item) => Ok(item),
        Tried::WrongSettings(message) => {
            let (file, text) = pools.settings_file(id).await?;
            let source = Source {
                file: &file,
                text: &text,
            };
            Err(ConfigError::of_settings(source, &message).into())
        }
    }
}

/// What a plugin makes of the sample user.
enum Tried {
    /// The item; `None` if the plugin skipped or refused the user, which it may.
    Item(Option<Item>),
    /// The mistakes that it reports in the settings, in the form that
    /// [`ConfigError::of_settings`] reads.
    WrongSettings(String),
}

/// Maps the sample user of a pool, and checks the item's key.
fn try_out(
    plugin: &Plugin,
    id: &UserPoolId,
    config: &PoolConfig,
    received: SystemTime,
) -> Result<Tried, Failure> {
    let user = sample_user(id)?;
    let run = plugin.run(&user, received, &config.settings, &config.limits);
    let item = match run.mapping {
        Err(PluginError::Refused { message }) if message.starts_with("settings") => {
            return Ok(Tried::WrongSettings(message));
        }
        Ok(Mapping::Put(fields)) => {
            let item = fields.into_item()?;
            config.check_key(&item, &user)?;
            Some(item)
        }
        Ok(Mapping::Skip(_)) | Err(PluginError::Refused { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    if plugin.name().as_str() == "fields"
        && let Some(mistakes) = examples::check(plugin, id, config)?
    {
        return Ok(Tried::WrongSettings(mistakes));
    }
    Ok(Tried::Item(item))
}

/// A warning if the plugin chooses the sort key, and another one at another time.
fn sort_key_by_time(
    plugin: &Plugin,
    id: &UserPoolId,
    config: &PoolConfig,
    item: Option<&Item>,
    file: Source<'_>,
) -> Result<Option<Problem>, Failure> {
    let (Some(sort_key), None, Some(item)) = (&config.table.sort_key, &config.sort_equals, item)
    else {
        return Ok(None);
    };
    let Tried::Item(Some(later)) = try_out(plugin, id, config, received())? else {
        return Ok(None);
    };
    let same = item.attributes().get(sort_key) == later.attributes().get(sort_key);
    Ok((!same).then(|| Problem {
        file: file.file.to_owned(),
        line: 1,
        column: 1,
        key: "key.sort".to_owned(),
        help: None,
        excerpt: None,
        rule: format!(
            "the plugin's sort key `{}` depends on the time: a second attempt for the same user may write a second item. Set `key.sort.equals`, or make it the same each time",
            shown(sort_key)
        ),
    }))
}

type Pool = (UserPoolId, Arc<PoolConfig>);

/// What was found in a folder of configs.
struct Checked {
    pools: Vec<Pool>,
    errors: Vec<Wrong>,
    warnings: Vec<Problem>,
    notes: Vec<Note>,
    shown: BTreeMap<UserPoolId, Shown>,
    /// Files that look like configs, and are none.
    ignored: Vec<String>,
    folder: String,
}

/// An invalid file.
struct Wrong {
    file: String,
    failure: Failure,
}

fn is_of_plugin(error: &ConfigError) -> bool {
    matches!(error, ConfigError::UnknownPlugin { .. })
}

fn pool_json((id, pool): &Pool, users: &BTreeMap<UserPoolId, Shown>) -> Value {
    let user = |(kind, outcome): &(String, String)| json!({ "user": kind, "outcome": outcome });
    let users = users.get(id);
    let users = users.map(|users| users.iter().map(user).collect::<Vec<_>>());
    json!({
        "userPoolId": id.as_str(),
        "table": pool.table.name.as_str(),
        "region": pool.table.region,
        "plugin": pool.plugin.to_string(),
        "users": users,
    })
}

fn error_json(Wrong { file, failure }: &Wrong) -> Vec<Value> {
    let name = failure.name();
    let Failure::Config(ConfigError::Invalid { problems }) = failure else {
        let message = explain::failure(failure, &[]);
        return vec![
            json!({ "severity": "error", "errorType": name, "errorMessage": message, "file": file }),
        ];
    };
    let located = problems.iter();
    let located = located.map(|problem| problems::json("error", Some(name), problem));
    located.collect()
}
