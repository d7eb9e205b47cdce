//! `poolhook config`: the pools' configuration.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use poolhook::config::{ConfigError, DEFAULTS_FILE, PoolConfig};
use poolhook::event::UserPoolId;
use poolhook::plugin::Plugins;
use poolhook::pools::Pools;
use serde_json::{Value, json};

use crate::Exit;

#[derive(Subcommand)]
pub(crate) enum Command {
    Check(Check),
}

impl Command {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        match self {
            Self::Check(options) => options.run(),
        }
    }
}

/// Check a folder of pools' TOML files before it is deployed.
///
/// Every file is read as the trigger would read it. Mistakes are printed with
/// file, line, column, key and rule, all of them at once.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook config check
  poolhook config check deploy/config --json

Exit codes: 0 all files are right; 1 a file is wrong; 2 wrong usage.")]
pub(crate) struct Check {
    /// The folder.
    #[arg(value_name = "DIR", env = "POOLHOOK_CONFIG", default_value = "config")]
    folder: PathBuf,
    /// Print one JSON object: `pools` and `errors`.
    #[arg(long)]
    json: bool,
}

impl Check {
    fn run(&self) -> anyhow::Result<Exit> {
        let (pools, errors) = match Pools::open(&self.folder) {
            Ok(pools) => check(&pools)?,
            Err(error @ ConfigError::Unreadable { .. }) => return Err(error.into()),
            Err(error) => {
                let file = self.folder.join(DEFAULTS_FILE).display().to_string();
                (Vec::new(), vec![Wrong { file, error }])
            }
        };
        let mut out = io::stdout().lock();
        if self.json {
            let pools: Vec<_> = pools.iter().map(pool_json).collect();
            let errors: Vec<_> = errors.iter().flat_map(error_json).collect();
            writeln!(out, "{}", json!({ "pools": pools, "errors": errors }))?;
        } else {
            for (id, pool) in &pools {
                let table = &pool.table;
                writeln!(
                    out,
                    "{id}  {} in {}, plugin {}",
                    table.name, table.region, pool.plugin
                )?;
            }
            for Wrong { file, error } in &errors {
                match error {
                    ConfigError::UnknownPlugin { .. } => eprintln!("{file}: plugin: {error}"),
                    error => eprintln!("{error}"),
                }
            }
            eprintln!(
                "{} pools are right, {} files are wrong",
                pools.len(),
                errors.len()
            );
        }
        Ok(Exit::of(errors.is_empty()))
    }
}

type Pool = (UserPoolId, Arc<PoolConfig>);

/// A file that is wrong.
struct Wrong {
    file: String,
    error: ConfigError,
}

fn check(pools: &Pools) -> anyhow::Result<(Vec<Pool>, Vec<Wrong>)> {
    let plugins = Plugins::builtin()?;
    let (mut right, mut wrong) = (Vec::new(), Vec::new());
    for pool in pools.list()? {
        let file = pool.as_ref().map(|id| pools.file(id).display().to_string());
        let file = file.unwrap_or_default();
        let checked = pool.and_then(|id| {
            let config = pools.get(&id)?;
            plugins.get(&config.plugin)?;
            Ok((id, config))
        });
        match checked {
            Ok(pool) => right.push(pool),
            Err(error) => wrong.push(Wrong { file, error }),
        }
    }
    Ok((right, wrong))
}

fn pool_json((id, pool): &Pool) -> Value {
    json!({
        "userPoolId": id.as_str(),
        "table": pool.table.name.as_str(),
        "region": pool.table.region,
        "plugin": pool.plugin.as_str(),
    })
}

fn error_json(Wrong { file, error }: &Wrong) -> Vec<Value> {
    let ConfigError::Invalid { problems, .. } = error else {
        let message = error.to_string();
        return vec![json!({ "errorType": error.name(), "errorMessage": message, "file": file })];
    };
    let located = problems.iter().map(|problem| {
        json!({
            "errorType": error.name(),
            "errorMessage": problem.rule,
            "file": file,
            "line": problem.line,
            "column": problem.column,
            "key": problem.key,
        })
    });
    located.collect()
}
