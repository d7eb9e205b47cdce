//! `poolhook config show`: a pool's config as it is in force, and where each key is set.

use anyhow::Context as _;
use clap::Args;
use poolhook::config::{Limits, OnFailure, PoolConfig, Table, WriteMode, line_of};
use poolhook::event::UserPoolId;
use poolhook::text::shown;
use serde_json::{Value, json};

use super::files::Files;
use crate::Exit;
use crate::options::{Config, block_on};
use crate::out;

/// Show a pool's config as it is in force: each key with the file and line that sets it.
///
/// The output is TOML. A comment names the origin of each key: the pool's own file,
/// defaults.toml, or poolhook's default.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook config show eu-west-1_AbCdEfGhI
  poolhook config show eu-west-1_AbCdEfGhI --config s3://my-bucket/config
  poolhook config show eu-west-1_AbCdEfGhI --json

Exit codes: 0 the config is valid; 2 it is not, or wrong usage.")]
pub(crate) struct Show {
    /// The pool's id.
    #[arg(value_name = "POOL_ID")]
    pool: String,
    #[command(flatten)]
    config: Config,
    /// Print a JSON object for each key: `key`, `value`, `file` and `line`.
    #[arg(long)]
    json: bool,
}

/// A key, its value, and the file and line that set it.
struct Entry {
    key: Vec<String>,
    value: toml::Value,
    origin: Option<(String, usize)>,
}

impl Show {
    pub(super) fn run(&self) -> anyhow::Result<Exit> {
        let entries = block_on(self.entries())?;
        if self.json {
            for entry in &entries {
                out::json(entry.to_json())?;
            }
        } else {
            print(&entries)?;
        }
        Ok(Exit::Done)
    }

    async fn entries(&self) -> anyhow::Result<Vec<Entry>> {
        let pools = self.config.open().await?;
        let id = UserPoolId::parse(&self.pool).with_context(|| shown(&self.pool).to_string())?;
        let config = pools.get(&id).await?;
        let files = Files::read(&pools, &id).await?;
        let origin = |key: &[&str]| {
            [files.own(), files.defaults()]
                .into_iter()
                .find_map(|source| Some((source.file.to_owned(), line_of(source, key)?)))
        };
        let mut entries: Vec<_> = values(&config)
            .into_iter()
            .map(|(key, value)| Entry {
                origin: origin(&key),
                key: key.into_iter().map(str::to_owned).collect(),
                value,
            })
            .collect();
        if config.plugin.evaluates() {
            let (mapping, _) = files.mapping()?;
            entries.extend(files.places(&mapping).into_iter().map(|expression| {
                let settings = "settings".to_owned();
                Entry {
                    key: [settings].into_iter().chain(expression.key).collect(),
                    value: expression.text.into(),
                    origin: Some((expression.place.file, expression.place.line)),
                }
            }));
        } else {
            let own = toml::from_str::<toml::Table>(files.own().text)?;
            let source = if own.contains_key("settings") {
                files.own()
            } else {
                files.defaults()
            };
            let all = toml::from_str::<toml::Table>(source.text)?;
            if let Some(toml::Value::Table(settings)) = all.get("settings") {
                entries.extend(settings.iter().map(|(name, value)| {
                    let line = line_of(source, &["settings", name]);
                    Entry {
                        key: vec!["settings".to_owned(), name.clone()],
                        value: value.clone(),
                        origin: line.map(|line| (source.file.to_owned(), line)),
                    }
                }));
            }
        }
        Ok(entries)
    }
}

/// Every key of a config but the settings.
fn values(config: &PoolConfig) -> Vec<(Vec<&'static str>, toml::Value)> {
    let PoolConfig {
        table,
        key_equals,
        sort_equals,
        triggers,
        write,
        plugin,
        settings: _,
        limits,
        on_failure,
        shared,
    } = config;
    let Table {
        region,
        name,
        partition_key,
        sort_key,
    } = table;
    let Limits {
        fuel,
        memory_bytes,
        table_elements,
        output_bytes,
        log_bytes,
        time_ms,
    } = limits;
    let write = match write {
        WriteMode::Create => "create",
        WriteMode::Replace => "replace",
    };
    let on_failure = match on_failure {
        OnFailure::Accept => "accept",
        OnFailure::Reject => "reject",
    };
    let text = |text: &str| toml::Value::from(text);
    let number = |number: u64| toml::Value::from(i64::try_from(number).unwrap_or(i64::MAX));
    let size = |size: usize| number(size as u64);
    let triggers: Vec<_> = triggers
        .iter()
        .map(|trigger| text(trigger.as_str()))
        .collect();
    let mut values = vec![
        (vec!["table"], text(name.as_str())),
        (vec!["region"], text(region)),
        (vec!["triggers"], triggers.into()),
        (vec!["write"], text(write)),
        (vec!["plugin"], text(&plugin.to_string())),
        (vec!["on-failure"], text(on_failure)),
        (vec!["shared"], (*shared).into()),
        (vec!["key", "attribute"], text(partition_key)),
        (vec!["key", "equals"], text(&key_equals.to_string())),
    ];
    if let Some(sort_key) = sort_key {
        values.push((vec!["key", "sort", "attribute"], text(sort_key)));
    }
    if let Some(equals) = sort_equals {
        values.push((vec!["key", "sort", "equals"], text(&equals.to_string())));
    }
    values.extend([
        (vec!["limits", "fuel"], number(*fuel)),
        (vec!["limits", "memory-bytes"], size(*memory_bytes)),
        (vec!["limits", "table-elements"], size(*table_elements)),
        (vec!["limits", "output-bytes"], size(*output_bytes)),
        (vec!["limits", "log-bytes"], size(*log_bytes)),
        (vec!["limits", "time-ms"], number(*time_ms)),
    ]);
    values
}

impl Entry {
    fn to_json(&self) -> Value {
        let (file, line) = match &self.origin {
            Some((file, line)) => (json!(file), json!(line)),
            None => (Value::Null, Value::Null),
        };
        json!({ "key": self.key.join("."), "value": self.value, "file": file, "line": line })
    }

    /// The key and its value, under its table's header.
    fn assignment(&self) -> String {
        let name = self
            .key
            .last()
            .map(|name| written(name))
            .unwrap_or_default();
        format!("{name} = {}", self.value)
    }

    fn table(&self) -> &[String] {
        self.key.split_last().map_or(&[], |(_, table)| table)
    }
}

fn written(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) {
        name.to_owned()
    } else {
        toml::Value::from(name).to_string()
    }
}

fn print(entries: &[Entry]) -> anyhow::Result<()> {
    /// Values that are longer do not move the comments of the others.
    const WIDEST: usize = 60;
    let assignments = entries
        .iter()
        .map(|entry| entry.assignment().chars().count());
    let width = assignments
        .filter(|width| *width <= WIDEST)
        .max()
        .unwrap_or_default();
    let mut table: &[String] = &[];
    for entry in entries {
        if entry.table() != table {
            table = entry.table();
            let names: Vec<_> = table.iter().map(|name| written(name)).collect();
            out::text(format!("\n[{}]", names.join(".")))?;
        }
        let origin = match &entry.origin {
            Some((file, line)) => format!("{file}:{line}"),
            None if entry.key == ["region"] => "the pool's".to_owned(),
            None => "default".to_owned(),
        };
        out::text(format!(
            "{:width$}  # {}",
            entry.assignment(),
            shown(&origin)
        ))?;
    }
    Ok(())
}
