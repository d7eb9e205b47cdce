//! `poolhook config try`: explains what a pool writes, attribute by attribute.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use poolhook::config::{Expression, PoolConfig};
use poolhook::event::{PostConfirmation, UserPoolId};
use poolhook::host::Failure;
use poolhook::plugin::Plugin;
use poolhook::text::shown;
use serde_json::{Value, json};

use super::files::Files;
use super::samples::{self, Given};
use crate::Exit;
use crate::options::{Config, PluginChoice, block_on};
use crate::out::{self, say};
use crate::trial::{Answer, Trial, received};

/// Show what a pool writes for a user: each attribute's expression and value.
///
/// Without an event, the command maps users of several kinds: with only sub, native,
/// federated, phone only, created by an admin, with every standard attribute, and with
/// empty texts. An attribute that comes out different has a line for each value. Nothing
/// is written, and the time is 2026-11-23T09:06:52.123Z.
///
/// Expressions are those of the plugin `fields`. For another plugin, the items are shown.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook config try eu-west-1_AbCdEfGhI
  poolhook config try eu-west-1_AbCdEfGhI event.json
  poolhook config try eu-west-1_AbCdEfGhI --json

Exit codes: 0 the event is mapped or skipped, or there is no event; 1 it is
refused; 2 wrong usage, or an invalid config.")]
pub(crate) struct Try {
    /// The pool's id.
    #[arg(value_name = "POOL_ID")]
    pool: String,
    /// A file with a Post Confirmation event.
    #[arg(value_name = "EVENT.json")]
    event: Option<PathBuf>,
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    plugins: PluginChoice,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// A user, as the output names it.
struct User {
    kind: String,
    event: PostConfirmation,
    answer: Answer,
}

impl Try {
    pub(super) fn run(&self) -> anyhow::Result<Exit> {
        block_on(self.try_out())
    }

    async fn try_out(&self) -> anyhow::Result<Exit> {
        let pools = self.config.open().await?;
        let id = UserPoolId::parse(&self.pool).with_context(|| shown(&self.pool).to_string())?;
        let config = pools.get(&id).await?;
        let releases = self.plugins.store.open().await?;
        let plugins = self.plugins.load(releases, pools.host_config()).await?;
        let plugin = plugins.get(&config.plugin).await?;
        let users = self.users(&id, &plugin, &config)?;
        let is_refused = users
            .iter()
            .any(|user| matches!(user.answer, Answer::Failed(..)));

        let files = Files::read(&pools, &id).await?;
        let mut attributes = Vec::new();
        if config.plugin.evaluates() {
            let (mapping, _) = files.mapping()?;
            for expression in files.places(&mapping) {
                let Some(name) = expression.attribute() else {
                    continue;
                };
                let mut given: BTreeMap<Order, Vec<String>> = BTreeMap::new();
                for user in users
                    .iter()
                    .filter(|user| !matches!(user.answer, Answer::Skip(_)))
                {
                    let value = samples::attribute(&plugin, &config, &mapping, name, &user.event);
                    given
                        .entry(Order(value))
                        .or_default()
                        .push(user.kind.clone());
                }
                attributes.push((expression, given));
            }
        }
        if self.json {
            out::json(json!({
                "userPoolId": id.as_str(),
                "users": users.iter().map(User::to_json).collect::<Vec<_>>(),
                "attributes": attributes.iter().map(to_json).collect::<Vec<_>>(),
            }))?;
        } else {
            print(&users, &attributes)?;
        }
        Ok(Exit::of(self.event.is_none() || !is_refused))
    }

    fn users(
        &self,
        id: &UserPoolId,
        plugin: &Plugin,
        config: &PoolConfig,
    ) -> anyhow::Result<Vec<User>> {
        let events = match &self.event {
            Some(file) => {
                let context = || file.display().to_string();
                let raw = std::fs::read(file).with_context(context)?;
                let event = PostConfirmation::parse(&raw).with_context(context)?;
                vec![(context(), event)]
            }
            None => samples::all()
                .into_iter()
                .map(|sample| Ok((sample.kind.clone(), sample.event(id)?)))
                .collect::<Result<_, Failure>>()?,
        };
        let user = |(kind, event): (String, PostConfirmation)| {
            let (settings, limits) = (&config.settings, &config.limits);
            let trial = Trial::run(plugin, &event, received(), settings, limits, |item| {
                config.check_key(item, &event)
            });
            let answer = trial.answer;
            User {
                kind,
                event,
                answer,
            }
        };
        Ok(events.into_iter().map(user).collect())
    }
}

/// Values before what is left out, and failures last.
#[derive(PartialEq, Eq)]
struct Order(Given);

impl Order {
    fn rank(&self) -> (u8, &str) {
        match &self.0 {
            Given::Value(value) => (0, value),
            Given::LeftOut => (1, ""),
            Given::Failed { text, .. } => (2, text),
        }
    }
}

impl PartialOrd for Order {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Order {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl User {
    fn to_json(&self) -> Value {
        let kind = &self.kind;
        match &self.answer {
            Answer::Item(item) => json!({ "user": kind, "outcome": "put", "item": item }),
            Answer::Skip(reason) => json!({ "user": kind, "outcome": "skip", "reason": reason }),
            Answer::Failed(name, text) => {
                let error = json!({ "errorType": name, "errorMessage": text });
                json!({ "user": kind, "outcome": "failed", "error": error })
            }
        }
    }
}

type Attribute = (Expression, BTreeMap<Order, Vec<String>>);

fn to_json((expression, given): &Attribute) -> Value {
    let results = given.iter().map(|(Order(given), users)| match given {
        Given::Value(value) => {
            let value: Value = serde_json::from_str(value).unwrap_or_default();
            json!({ "users": users, "value": value })
        }
        Given::LeftOut => json!({ "users": users, "leftOut": true }),
        Given::Failed { at, text } => {
            json!({ "users": users, "error": { "character": at, "errorMessage": text } })
        }
    });
    json!({
        "attribute": expression.attribute(),
        "expression": expression.text,
        "file": expression.place.file,
        "line": expression.place.line,
        "results": results.collect::<Vec<_>>(),
    })
}

fn print(users: &[User], attributes: &[Attribute]) -> anyhow::Result<()> {
    for (expression, given) in attributes {
        let name = expression.attribute().unwrap_or_default();
        let text = expression
            .text
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        out::text(format!("{}  =  {}", shown(name), shown(&text)))?;
        for (Order(given), of) in given {
            let users = if of.len() == users.len() && of.len() > 1 {
                "every kind of user".to_owned()
            } else {
                of.join("; ")
            };
            let what = match given {
                Given::Value(value) => shown(value).to_string(),
                Given::LeftOut => "(left out)".to_owned(),
                Given::Failed { at, text } => {
                    let place = at.map_or(String::new(), |at| format!("at character {at}: "));
                    format!("fails: {place}{}", shown(text))
                }
            };
            let users = if users.is_empty() {
                users
            } else {
                format!("    {users}")
            };
            out::text(format!("    {what}{users}"))?;
        }
    }
    for user in users {
        let kind = &user.kind;
        match &user.answer {
            Answer::Item(item) if attributes.is_empty() || users.len() == 1 => {
                out::text(format!("{kind}: {}", serde_json::to_string(item)?))?;
            }
            Answer::Item(_) => {}
            Answer::Skip(reason) => out::text(format!("{kind}: skipped: {}", shown(reason)))?,
            Answer::Failed(name, text) => say!("{kind}: {name}: {}", shown(text)),
        }
    }
    Ok(())
}
