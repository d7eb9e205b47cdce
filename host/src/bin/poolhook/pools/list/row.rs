//! The rows of the list, and their summary.

use poolhook::cognito::pools::Document;
use poolhook::text::shown;
use serde_json::{Value, json};

use super::super::function::FunctionArn;
use super::super::trigger::POST_CONFIRMATION;

/// A pool of the list.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) name: String,
    /// Or why it is not.
    pub(super) described: Result<Described, String>,
    pub(super) config: Setup,
    /// How many dead letters wait; `None` if that is not known.
    pub(super) letters: Option<u64>,
}

pub(super) struct Described {
    /// Cognito's estimate.
    users: u64,
    server: Server,
}

/// What is at the pool's trigger.
enum Server {
    Nothing,
    /// The chosen function, by the ARN that the pool has.
    Ours(String),
    /// Another function or, if none was chosen, any.
    Function(String),
}

/// The pool's config.
pub(super) enum Setup {
    Right,
    Wrong(String),
    Missing,
}

impl Setup {
    fn name(&self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong(_) => "wrong",
            Self::Missing => "missing",
        }
    }
}

impl Described {
    pub(super) fn of(pool: &Document, function: Option<&FunctionArn>) -> Self {
        let users = pool.get("EstimatedNumberOfUsers").and_then(Value::as_u64);
        let server = match POST_CONFIRMATION.function(pool).map(str::to_owned) {
            None => Server::Nothing,
            Some(arn) if function.is_some_and(|ours| ours.is_function_of(&arn)) => {
                Server::Ours(arn)
            }
            Some(arn) => Server::Function(arn),
        };
        Self {
            users: users.unwrap_or_default(),
            server,
        }
    }
}

impl Server {
    fn arn(&self) -> Option<&str> {
        match self {
            Self::Nothing => None,
            Self::Ours(arn) | Self::Function(arn) => Some(arn),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Nothing => "none".to_owned(),
            Self::Ours(_) => "this poolhook".to_owned(),
            Self::Function(arn) => {
                let name = arn
                    .split_once(":function:")
                    .map_or(&**arn, |(_, name)| name);
                shown(name).to_string()
            }
        }
    }
}

impl Row {
    pub(super) fn cells(&self) -> [String; 6] {
        let unknown = || "?".to_owned();
        let described = self.described.as_ref().ok();
        let letters = self.letters.map(|letters| letters.to_string());
        [
            shown(&self.id).to_string(),
            shown(&self.name).to_string(),
            described.map_or_else(unknown, |pool| pool.users.to_string()),
            described.map_or_else(unknown, |pool| pool.server.text()),
            self.config.name().to_owned(),
            letters.unwrap_or_else(unknown),
        ]
    }

    pub(super) fn to_json(&self) -> Value {
        let described = self.described.as_ref().ok();
        let served_by = described.map(|pool| match pool.server {
            Server::Nothing => "none",
            Server::Ours(_) => "this",
            Server::Function(_) => "other",
        });
        let error = match &self.config {
            Setup::Wrong(why) => Some(why),
            Setup::Right | Setup::Missing => None,
        };
        json!({
            "userPoolId": self.id,
            "name": self.name,
            "users": described.map(|pool| pool.users),
            "servedBy": served_by,
            "functionArn": described.and_then(|pool| pool.server.arn()),
            "config": self.config.name(),
            "configError": error,
            "deadLetters": self.letters,
            "error": self.described.as_ref().err(),
        })
    }
}

/// How many pools there are of each kind.
#[derive(Default)]
pub(super) struct Summary {
    pools: u64,
    ours: u64,
    others: u64,
    unserved: u64,
    wrong: u64,
    missing: u64,
    letters: Option<u64>,
    pub(super) failed: u64,
}

impl Summary {
    pub(super) fn of(rows: &[Row]) -> Self {
        let mut summary = Self::default();
        for row in rows {
            summary.pools += 1;
            match row.described.as_ref().map(|pool| &pool.server) {
                Ok(Server::Ours(_)) => summary.ours += 1,
                Ok(Server::Function(_)) => summary.others += 1,
                Ok(Server::Nothing) => summary.unserved += 1,
                Err(_) => summary.failed += 1,
            }
            match row.config {
                Setup::Right => {}
                Setup::Wrong(_) => summary.wrong += 1,
                Setup::Missing => summary.missing += 1,
            }
            if let Some(letters) = row.letters {
                *summary.letters.get_or_insert_default() += letters;
            }
        }
        summary
    }

    pub(super) fn to_json(&self) -> Value {
        json!({ "summary": {
            "pools": self.pools,
            "servedByThis": self.ours,
            "servedByOther": self.others,
            "servedByNone": self.unserved,
            "configsWrong": self.wrong,
            "configsMissing": self.missing,
            "deadLetters": self.letters,
            "failed": self.failed,
        }})
    }

    /// The numbers for people, without those that are zero. `is_chosen` says whether one
    /// function is poolhook's.
    pub(super) fn text(&self, is_chosen: bool) -> String {
        let mut parts = vec![format!("{} pools", self.pools)];
        let mut part = |n: u64, what: &str| {
            if n > 0 {
                parts.push(format!("{n} {what}"));
            }
        };
        if is_chosen {
            part(self.ours, "served by this poolhook");
            part(self.others, "served by another function");
        } else {
            part(self.others, "served by a function");
        }
        part(self.unserved, "not served");
        part(self.wrong, "with a wrong config");
        part(self.missing, "without a config");
        part(self.letters.unwrap_or_default(), "dead letters");
        part(self.failed, "not described");
        parts.join(", ")
    }
}
