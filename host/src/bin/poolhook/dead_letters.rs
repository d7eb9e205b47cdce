//! `poolhook dead-letters`: lists, shows, replays and purges dead letters.

mod replay;

use std::collections::BTreeMap;
use std::io;

use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use poolhook::blobs::{Key, Listed};
use poolhook::dead_letters::{DeadLetter, DeadLetters};
use poolhook::event::UserPoolId;
use poolhook::failure::Class;
use poolhook::replay::Filter;
use serde_json::json;
use time::format_description::well_known::Iso8601;

use crate::Exit;
use crate::options::{Store, block_on};
use crate::out::{self, say};

#[derive(Subcommand)]
pub(crate) enum Command {
    List(List),
    Show(Show),
    Replay(replay::Options),
    Purge(Purge),
}

impl Command {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        match self {
            Self::List(options) => options.run(),
            Self::Show(options) => options.run(),
            Self::Replay(options) => options.run(),
            Self::Purge(options) => options.run(),
        }
    }
}

/// Which dead letters a command selects.
#[derive(Args)]
pub(super) struct Selection {
    /// Only dead letters of this pool.
    #[arg(long, value_parser = pool, value_name = "POOL_ID")]
    pool: Option<UserPoolId>,
    /// Only dead letters of the user with this user name or `sub`.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only dead letters received on this date (UTC) or later.
    #[arg(long, value_parser = date, value_name = "YYYY-MM-DD")]
    since: Option<String>,
    /// Only dead letters received on this date (UTC) or earlier.
    #[arg(long, value_parser = date, value_name = "YYYY-MM-DD")]
    until: Option<String>,
    /// Only dead letters whose last failure is of this class.
    #[arg(long)]
    class: Option<ClassName>,
    /// Only dead letters whose last failure was transient, so that a retry may succeed.
    #[arg(long)]
    retryable: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ClassName {
    /// The event cannot be read.
    Event,
    /// The platform engineer must fix it.
    Config,
    /// The tenant must fix it.
    Plugin,
    /// A table or bucket failed or denied access.
    Store,
    /// poolhook or its machine failed.
    Host,
}

fn pool(id: &str) -> Result<UserPoolId, String> {
    UserPoolId::parse(id).map_err(|error| error.to_string())
}

fn date(text: &str) -> Result<String, &'static str> {
    let form = |(at, b): (usize, u8)| match at {
        4 | 7 => b == b'-',
        _ => b.is_ascii_digit(),
    };
    let well_formed = text.len() == 10 && text.bytes().enumerate().all(form);
    let is_a_day = || time::Date::parse(text, &Iso8601::DATE).is_ok();
    (well_formed && is_a_day())
        .then(|| text.to_owned())
        .ok_or("must be a date such as 2026-11-23")
}

impl Selection {
    fn filter(&self) -> Filter {
        Filter {
            class: self.class.map(|class| match class {
                ClassName::Event => Class::Event,
                ClassName::Config => Class::Config,
                ClassName::Plugin => Class::Plugin,
                ClassName::Store => Class::Store,
                ClassName::Host => Class::Host,
            }),
            retryable: self.retryable,
            user: self.user.clone(),
        }
    }

    /// Says that dead letters were passed over whose user is not known, if that matters.
    fn say_unreadable(&self, unreadable: usize) {
        if self.user.is_some() && unreadable > 0 {
            say!(
                "{unreadable} more cannot be read, so their users are not known. `poolhook dead-letters list --class event` lists them, and `show` shows them"
            );
        }
    }

    /// Lists the selected keys by pool and date, without reading the dead letters.
    pub(super) async fn keys(&self, letters: &DeadLetters) -> anyhow::Result<Vec<Key>> {
        let listed = letters.list(self.pool.as_ref()).await?;
        Ok(self.dated(listed))
    }

    fn dated(&self, listed: Vec<Listed>) -> Vec<Key> {
        let in_time = |key: &Key| {
            let date = key.as_str().split('/').nth(2).unwrap_or_default();
            self.since.as_deref().is_none_or(|since| date >= since)
                && self.until.as_deref().is_none_or(|until| date <= until)
        };
        let keys = listed.into_iter().map(|listed| listed.key);
        keys.filter(in_time).collect()
    }
}

/// List the dead letters.
///
/// Each line has the key, the time at which the event was received, and its last
/// failure. No personal data is printed.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook dead-letters list
  poolhook dead-letters list --pool eu-west-1_Ab12Cd34E --class store
  poolhook dead-letters list --since 2026-11-01 --until 2026-11-30
  poolhook dead-letters list --blobs s3://my-bucket --json \\
    | jq -r .errorType | sort | uniq -c")]
pub(crate) struct List {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    store: Store,
    /// Print a JSON object for each dead letter.
    #[arg(long)]
    json: bool,
}

impl List {
    fn run(&self) -> anyhow::Result<Exit> {
        block_on(async {
            let letters = open(&self.store).await?;
            let filter = self.selection.filter();
            let (mut counts, mut unreadable) = (BTreeMap::new(), 0);
            for key in self.selection.keys(&letters).await? {
                let Some((letter, _)) = letters.read(&key).await? else {
                    continue;
                };
                if !filter.takes(&letter) {
                    unreadable += usize::from(letter.event.is_none());
                    continue;
                }
                let name = last_error(&letter).to_owned();
                self.print(&key, &letter)?;
                *counts.entry(name).or_insert(0) += 1;
            }
            let counts: Vec<_> = counts
                .iter()
                .map(|(name, n)| format!("{n} {name}"))
                .collect();
            say!(
                "{}",
                if counts.is_empty() {
                    "no dead letters".into()
                } else {
                    counts.join(", ")
                }
            );
            self.selection.say_unreadable(unreadable);
            Ok(Exit::Done)
        })
    }

    fn print(&self, key: &Key, letter: &DeadLetter) -> io::Result<()> {
        let last = letter.attempts.last();
        if self.json {
            let line = json!({
                "key": key.as_str(),
                "userPoolId": letter.user_pool_id,
                "received": letter.received,
                "plugin": letter.plugin,
                "component": letter.component,
                "attempts": letter.attempts.len(),
                "errorType": last.map(|attempt| &attempt.error_type),
                "class": last.map(|attempt| attempt.class),
                "retryable": last.map(|attempt| attempt.retryable),
            });
            return out::json(line);
        }
        out::text(format!(
            "{key}  {}  {}",
            letter.received,
            last_error(letter)
        ))
    }
}

fn last_error(letter: &DeadLetter) -> &str {
    let last = letter.attempts.last();
    last.map_or("unknown", |attempt| attempt.error_type.as_str())
}

/// Show a dead letter as it is stored, including personal data.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook dead-letters show \\
    dead-letters/eu-west-1_Ab12Cd34E/2026-11-23/9f86....json
  poolhook dead-letters show KEY | jq .event > event.json")]
pub(crate) struct Show {
    /// The dead letter's key, as `list` prints it.
    #[arg(value_parser = key)]
    key: Key,
    #[command(flatten)]
    store: Store,
}

fn key(text: &str) -> Result<Key, String> {
    Key::try_from(text.to_owned()).map_err(|error| error.to_string())
}

impl Show {
    fn run(&self) -> anyhow::Result<Exit> {
        block_on(async {
            let letters = open(&self.store).await?;
            let Some((letter, _)) = letters.read(&self.key).await? else {
                bail!(
                    "there is no dead letter {}. `poolhook dead-letters list` lists the keys",
                    self.key
                );
            };
            out::json(serde_json::to_string_pretty(&letter)?)?;
            Ok(Exit::Done)
        })
    }
}

/// Delete dead letters permanently, after you have handled their users yourself.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook dead-letters purge --pool eu-west-1_Ab12Cd34E --until 2026-10-31
  poolhook dead-letters purge --pool eu-west-1_Ab12Cd34E \\
    --until 2026-10-31 --yes
  poolhook dead-letters purge --user 0f7f6c2c-1111-4d3b-9c2a-2f1f0e9d8c7b --yes")]
pub(crate) struct Purge {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    store: Store,
    /// Delete them. Without this option, purge only prints what it would delete.
    #[arg(long)]
    yes: bool,
}

impl Purge {
    fn run(&self) -> anyhow::Result<Exit> {
        block_on(async {
            let letters = open(&self.store).await?;
            let filter = self.selection.filter();
            let (mut removed, mut unreadable) = (0, 0);
            for key in self.selection.keys(&letters).await? {
                let Some((letter, _)) = letters.read(&key).await? else {
                    continue;
                };
                if !filter.takes(&letter) {
                    unreadable += usize::from(letter.event.is_none());
                    continue;
                }
                out::text(&key)?;
                if self.yes {
                    letters.remove(&key).await?;
                }
                removed += 1;
            }
            let did = if self.yes {
                "deleted"
            } else {
                "would be deleted; `--yes` deletes them"
            };
            say!("{removed} {did}");
            self.selection.say_unreadable(unreadable);
            Ok(Exit::Done)
        })
    }
}

async fn open(store: &Store) -> anyhow::Result<DeadLetters> {
    Ok(DeadLetters::new(store.existing().await?.shared_blobs()))
}
