//! `poolhook pools init`: writes a pool's file to begin with.

mod attribute;
mod draft;
mod sources;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use poolhook::blobs::dir::create_file;
use poolhook::config::{BadTableName, Defaults, PoolConfig, TableName, shared_rows};
use poolhook::event::UserPoolId;

use crate::Exit;
use crate::options::{Config, block_on};
use crate::out::{self, say};
use draft::Draft;
use sources::Aws;

/// The table of a pool that is set up offline, if the defaults name none.
const OFFLINE_TABLE: &str = "User";

/// A sign-up, in a pool whose id is replaced.
const EVENT: &str = include_str!("../../../../tests/events/confirm-sign-up.json");
const EVENT_POOL: &str = "ap-northeast-1_Q7mE2xYbA";
const EVENT_REGION: &str = "\"ap-northeast-1\"";

/// Write a pool's file to begin with, from the pool itself.
///
/// The file maps the pool's own attributes, standard and custom, with the built-in plugin
/// `fields`. The user's name, the email and the required attributes are active; the others
/// are comments. The table's key comes from DynamoDB, and from defaults.toml. A file that is
/// there is never changed.
///
/// With --offline, the file has the standard attributes, and a sample event for `poolhook
/// run` is written beside the config folder.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook pools init eu-west-1_Ab12Cd34E --table Member
  poolhook pools init eu-west-1_Ab12Cd34E eu-west-1_Fg56Hi78J --table Member
  poolhook pools init eu-west-1_Ab12Cd34E --offline

Exit codes: 0 all files are written; 1 one was there, or its pool or table could
not be read; 2 wrong usage, or nothing could be written.")]
pub(crate) struct Options {
    /// The pools' ids.
    #[arg(required = true, value_name = "POOL_ID", value_parser = UserPoolId::parse)]
    pools: Vec<UserPoolId>,
    #[command(flatten)]
    config: Config,
    /// The pools' DynamoDB table [default: the one in defaults.toml, or `User` with
    /// --offline]
    #[arg(long, value_name = "NAME", value_parser = table_name)]
    table: Option<TableName>,
    /// Ask neither Cognito nor DynamoDB. Also write event.json, a sign-up in the first
    /// pool.
    #[arg(long)]
    offline: bool,
}

fn table_name(name: &str) -> Result<TableName, BadTableName> {
    TableName::try_from(name.to_owned())
}

/// The configs that are in the folder already.
#[derive(Default)]
struct Known {
    defaults: Defaults,
    configs: BTreeMap<UserPoolId, Arc<PoolConfig>>,
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        block_on(async {
            let folder = self.config.folder()?;
            let known = self.known().await?;
            let (mut drafts, drafted) = self.drafts(folder, &known).await?;
            let shared = tell_apart(&mut drafts, &known.defaults, &known.configs)?;
            let mut written = Vec::new();
            let mut all_well = drafted;
            for draft in &drafts {
                match write(folder, draft, shared.get(&draft.pool)) {
                    Ok(file) => {
                        out::text(file.display())?;
                        written.push(&draft.pool);
                    }
                    Err(error) => {
                        say!("{}: {error:#}", draft.pool);
                        all_well = false;
                    }
                }
            }
            let event = self.write_event(folder)?;
            all_well &= event.is_some() || !self.offline;
            self.say_next(folder, &written, event.as_deref());
            Ok(Exit::of(all_well))
        })
    }

    /// Reads the defaults and the configs that can be read. `config check` reports the
    /// others.
    async fn known(&self) -> anyhow::Result<Known> {
        let Some(pools) = self.config.existing().await? else {
            return Ok(Known::default());
        };
        let (file, text) = pools.defaults_file().await?;
        let mut configs = BTreeMap::new();
        for pool in pools.list().await?.into_iter().flatten() {
            if let Ok(config) = pools.get(&pool).await {
                configs.insert(pool, config);
            }
        }
        Ok(Known {
            defaults: Defaults::parse(&file, &text)?,
            configs,
        })
    }

    /// The pools' drafts, and whether every pool has one.
    async fn drafts(&self, folder: &Path, known: &Known) -> anyhow::Result<(Vec<Draft>, bool)> {
        let mut pools = Vec::new();
        for pool in &self.pools {
            if !pools.iter().any(|(known, _)| *known == pool) {
                pools.push((pool, self.inherited(pool, &known.defaults)?));
            }
        }
        let mut aws = if self.offline {
            None
        } else {
            Some(Aws::new().await)
        };
        let (mut drafts, mut all_well) = (Vec::new(), true);
        for (pool, inherited) in pools {
            let drafted = async {
                let file = file_of(folder, pool);
                if file.try_exists()? {
                    bail!(is_there(&file));
                }
                match &mut aws {
                    Some(aws) => aws.draft(pool, inherited).await,
                    None => Draft::offline(pool, inherited),
                }
            };
            match drafted.await {
                Ok(draft) => drafts.push(draft),
                Err(error) => {
                    say!("{pool}: {error:#}");
                    all_well = false;
                }
            }
        }
        Ok((drafts, all_well))
    }

    /// What a pool's file inherits from the defaults, with its table.
    fn inherited(&self, pool: &UserPoolId, defaults: &Defaults) -> anyhow::Result<PoolConfig> {
        let parse = |table: Option<&TableName>| {
            let table = table.map(|name| format!("table = \"{name}\"\n"));
            let table = table.unwrap_or_default();
            // The mapping of the defaults does not matter: the file has its own.
            let text = format!("{table}plugin = \"default\"\nsettings = {{}}\n");
            PoolConfig::parse(pool, defaults, &format!("{pool}.toml"), &text)
        };
        if let Some(table) = &self.table {
            return Ok(parse(Some(table))?);
        }
        match parse(None) {
            Ok(inherited) => Ok(inherited),
            Err(_) if self.offline => Ok(parse(Some(&table_name(OFFLINE_TABLE)?))?),
            Err(_) => {
                bail!("no table is named. Pass --table NAME, or set `table` in defaults.toml")
            }
        }
    }

    /// Writes the sample event beside the folder, and returns its path; `None` if it is not
    /// asked for, or a file is there.
    fn write_event(&self, folder: &Path) -> anyhow::Result<Option<PathBuf>> {
        let Some(pool) = self.pools.first().filter(|_| self.offline) else {
            return Ok(None);
        };
        let file = match folder.file_name() {
            Some(_) => folder.with_file_name("event.json"),
            None => folder.join("../event.json"),
        };
        let event = EVENT.replace(EVENT_POOL, pool.as_str());
        let event = event.replace(EVENT_REGION, &format!("\"{}\"", pool.region()));
        if let Err(error) = create(&file, &event) {
            say!("{error:#}");
            return Ok(None);
        }
        out::text(file.display())?;
        Ok(Some(file))
    }

    fn say_next(&self, folder: &Path, written: &[&UserPoolId], event: Option<&Path>) {
        let Some(first) = written.first() else {
            return;
        };
        let folder = folder.display().to_string();
        let (checked, option) = if folder == "config" {
            (String::new(), String::new())
        } else {
            (format!(" {folder}"), format!(" --config {folder}"))
        };
        say!("Next:");
        if self.offline {
            say!("  poolhook config check{checked}");
            if let Some(event) = event {
                say!("  poolhook run {}{option}", event.display());
            }
            say!("  poolhook serve{option}");
            return;
        }
        let pools = match written {
            [_] => first.as_str(),
            _ => "--configured",
        };
        say!("  poolhook config check{checked} --dynamodb");
        say!("  aws s3 sync {folder} s3://BUCKET/config --exclude \"*\" --include \"*.toml\"");
        say!("  poolhook pools attach {pools}{option} --stack poolhook");
    }
}

fn file_of(folder: &Path, pool: &UserPoolId) -> PathBuf {
    folder.join(format!("{pool}.toml"))
}

/// Puts the pool's id into the keys of those pools that could write another one's rows.
/// Returns the pools for which that is not enough, each with the other pool.
fn tell_apart(
    drafts: &mut [Draft],
    defaults: &Defaults,
    configs: &BTreeMap<UserPoolId, Arc<PoolConfig>>,
) -> anyhow::Result<BTreeMap<UserPoolId, UserPoolId>> {
    let shared = |drafts: &[Draft]| {
        let config = |draft: &Draft| Ok((draft.pool.clone(), draft.config(defaults)?));
        let new = drafts.iter().map(config);
        let new: Vec<_> = new.collect::<anyhow::Result<_>>()?;
        let known = configs.iter().map(|(pool, config)| (pool, &**config));
        let all = known.chain(new.iter().map(|(pool, config)| (pool, config)));
        let shared = shared_rows(all).into_iter();
        let owned = shared.map(|(pool, other)| (pool.clone(), other.clone()));
        anyhow::Ok(owned.collect::<BTreeMap<_, _>>())
    };
    let found = shared(drafts)?;
    for draft in drafts.iter_mut() {
        draft.names_the_pool = found.contains_key(&draft.pool);
    }
    shared(drafts)
}

fn write(folder: &Path, draft: &Draft, shares: Option<&UserPoolId>) -> anyhow::Result<PathBuf> {
    if let Some(other) = shares {
        bail!(
            "its users and those of {other} could have the same rows in the table {}. Pass another --table, or give {other} keys of its own, as with `key.equals = \"{{userPoolId}}#{{userName}}\"`",
            draft.table()
        );
    }
    let file = file_of(folder, &draft.pool);
    create(&file, &draft.text())?;
    Ok(file)
}

fn create(file: &Path, text: &str) -> anyhow::Result<()> {
    match create_file(file, text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => bail!(is_there(file)),
        written => written.with_context(|| format!("cannot write {}", file.display())),
    }
}

fn is_there(file: &Path) -> String {
    let file = file.display();
    format!("{file} is there already, and is not changed. Move it away first to have a new one")
}
