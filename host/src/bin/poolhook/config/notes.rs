//! The kinds of users that a mapping refuses, and what it writes for the others.

use std::fmt;

use poolhook::config::{Expression, Mapping, PoolConfig};
use poolhook::event::{PostConfirmation, UserPoolId};
use poolhook::host::Failure;
use poolhook::plugin::Plugin;
use poolhook::text::shown;
use serde_json::{Value, json};

use super::samples::{self, Given, Sample};
use crate::trial::{Answer, Trial, received};

/// An expression that fails for some kinds of users: their events become dead letters.
pub(crate) struct Note {
    expression: Expression,
    text: String,
    users: Vec<String>,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            expression,
            text,
            users,
        } = self;
        let text = shown(text);
        let users = users.join("; ");
        write!(
            f,
            "{}refuses users of these kinds: {users}\n  {text}",
            expression.place
        )
    }
}

impl Note {
    /// The expression's key, such as `settings.item.email`.
    pub(crate) fn key(&self) -> &str {
        &self.expression.place.key
    }

    /// The kinds of users that it refuses.
    pub(crate) fn users(&self) -> String {
        self.users.join("; ")
    }

    /// Why the expression fails.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn to_json(&self) -> Value {
        let place = &self.expression.place;
        json!({
            "severity": "note",
            "errorMessage": self.text,
            "file": place.file,
            "line": place.line,
            "column": place.column,
            "key": place.key,
            "users": self.users,
        })
    }
}

/// Maps these kinds of users, and notes which expressions refuse them.
pub(crate) fn of(
    plugin: &Plugin,
    id: &UserPoolId,
    config: &PoolConfig,
    mapping: &Mapping,
    expressions: &[Expression],
    users: &[Sample],
) -> Result<Vec<Note>, Failure> {
    let mut notes: Vec<Note> = Vec::new();
    for sample in users {
        let event = sample.event(id)?;
        if !matches!(map(plugin, config, &event).answer, Answer::Failed(..)) {
            continue;
        }
        for expression in expressions {
            let Some(attribute) = expression.attribute() else {
                continue;
            };
            let given = samples::attribute(plugin, config, mapping, attribute, &event);
            let Given::Failed { text, .. } = given else {
                continue;
            };
            let known = notes
                .iter_mut()
                .find(|note| note.expression.key == expression.key && note.text == text);
            match known {
                Some(note) => note.users.push(sample.kind.clone()),
                None => notes.push(Note {
                    expression: expression.clone(),
                    text,
                    users: vec![sample.kind.clone()],
                }),
            }
        }
    }
    Ok(notes)
}

/// What each kind of user becomes: the kind, and the item or the reason.
pub(super) type Shown = Vec<(String, String)>;

/// Maps each kind of user.
pub(super) fn show(
    plugin: &Plugin,
    id: &UserPoolId,
    config: &PoolConfig,
) -> Result<Shown, Failure> {
    let mut all = Vec::new();
    for sample in samples::all() {
        let trial = map(plugin, config, &sample.event(id)?);
        let text = match trial.answer {
            Answer::Item(item) => serde_json::to_string(&item).unwrap_or_default(),
            Answer::Skip(reason) => format!("skipped: {}", shown(&reason)),
            Answer::Failed(name, text) => format!("{name}: {}", shown(&text)),
        };
        all.push((sample.kind, text));
    }
    Ok(all)
}

/// Maps a user, and checks the item's key.
pub(crate) fn map(plugin: &Plugin, config: &PoolConfig, event: &PostConfirmation) -> Trial {
    Trial::run(
        plugin,
        event,
        received(),
        &config.settings,
        &config.limits,
        |item| config.check_key(item, event),
    )
}
