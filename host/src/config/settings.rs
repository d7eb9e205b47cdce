//! Locates the settings that a plugin rejects in their TOML file.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::file::{ConfigError, Problem};
use super::{PluginName, words};
use crate::text::shown;

/// The most lines of a plugin's message that are shown.
const MAX_LINES: usize = 100;

/// Whether the file has settings.
pub(crate) fn has_settings(text: &str) -> bool {
    let (table, _) = DeTable::parse_recoverable(text);
    table.get_ref().contains_key("settings")
}

/// The keys in a file's settings that are poolhook's own. In TOML, a key belongs to the
/// table header above it, so such a key probably belongs to the top of the file.
pub fn misplaced_keys(text: &str) -> Vec<Problem> {
    let (table, _) = DeTable::parse_recoverable(text);
    let mut found = Vec::new();
    if let Some(settings) = table.get_ref().get("settings") {
        find_own_keys(text, "settings", settings.get_ref(), &mut found);
    }
    found
}

fn find_own_keys(text: &str, path: &str, value: &DeValue<'_>, found: &mut Vec<Problem>) {
    let DeValue::Table(table) = value else {
        return;
    };
    for (name, value) in table {
        let key = format!("{path}.{}", written(name.get_ref()));
        if words::has(super::KEYS, name.get_ref()) {
            let rule = format!(
                "`{}` is a key of poolhook's, but here it is a setting of the plugin. If it is meant for poolhook, move it above the first [table header], or under its own",
                name.get_ref()
            );
            found.push(Problem::at(text, name.span().start, &key, &rule));
        }
        find_own_keys(text, &key, value.get_ref(), found);
    }
}

/// The settings of a file whose plugin takes none.
pub fn useless_settings(text: &str, plugin: &PluginName) -> Option<Problem> {
    let (table, _) = DeTable::parse_recoverable(text);
    let (name, settings) = table.get_ref().get_key_value("settings")?;
    let is_empty = matches!(settings.get_ref(), DeValue::Table(table) if table.is_empty());
    let rule = format!("the plugin `{plugin}` takes no settings, so these have no effect");
    (!is_empty).then(|| Problem::at(text, name.span().start, "settings", &rule))
}

impl ConfigError {
    /// The mistakes that a plugin reports in a file's settings, one per line: `settings`,
    /// then the key as TOML writes it, then `: ` and the mistake. A line that starts
    /// otherwise continues the mistake before it.
    ///
    /// A mistake that starts with `at character 8: ` is in the key's text, at that
    /// character.
    pub fn of_settings(file: &str, text: &str, message: &str) -> Self {
        let (table, _) = DeTable::parse_recoverable(text);
        let settings = table.get_ref().get_key_value("settings");
        let mut problems: Vec<Problem> = Vec::new();
        for line in message.lines().take(MAX_LINES) {
            let begun = line
                .strip_prefix("settings")
                .filter(|rest| rest.starts_with(['.', '[', ':']));
            if let (None, Some(before)) = (begun, problems.last_mut()) {
                before.rule = format!("{}\n{}", before.rule, shown(line));
                continue;
            }
            let position = Position {
                key: "settings".to_owned(),
                span: settings.map_or(0..0, |(name, _)| name.span()),
                text: None,
            };
            let rest = begun.unwrap_or(line);
            let (position, rest) = match settings {
                Some((_, value)) => position.follow(value.get_ref(), value.span(), rest),
                None => (position, rest),
            };
            problems.push(position.problem(text, rest));
        }
        problems.sort_by_key(|problem| (problem.line, problem.column));
        Self::Invalid {
            file: file.to_owned(),
            problems,
        }
    }
}

/// A key in the settings, and its position.
struct Position {
    key: String,
    span: Range<usize>,
    /// The start of the key's value, if that is a text.
    text: Option<usize>,
}

impl Position {
    /// Descends to the innermost key that `rest` names and returns the rest of it.
    fn follow<'a>(self, value: &DeValue<'_>, span: Range<usize>, rest: &'a str) -> (Self, &'a str) {
        match value {
            DeValue::Table(table) => {
                let below = table.iter().find_map(|(name, value)| {
                    let step = format!(".{}", written(name.get_ref()));
                    let rest = rest.strip_prefix(&step)?;
                    rest.starts_with(['.', '[', ':'])
                        .then_some((step, name.span(), value, rest))
                });
                match below {
                    Some((step, span, value, rest)) => {
                        self.below(&step, span)
                            .follow(value.get_ref(), value.span(), rest)
                    }
                    None => (self, rest),
                }
            }
            DeValue::Array(values) => {
                let below = values.iter().enumerate().find_map(|(index, value)| {
                    let step = format!("[{index}]");
                    Some((rest.strip_prefix(&step)?, step, value))
                });
                match below {
                    Some((rest, step, value)) => {
                        self.below(&step, value.span())
                            .follow(value.get_ref(), value.span(), rest)
                    }
                    None => (self, rest),
                }
            }
            DeValue::String(_) => {
                let text = Some(span.start);
                (Self { text, ..self }, rest)
            }
            _ => (self, rest),
        }
    }

    fn below(self, step: &str, span: Range<usize>) -> Self {
        Self {
            key: self.key + step,
            span,
            text: None,
        }
    }

    /// The rest names keys that are not in the file, if any, and then the mistake.
    fn problem(self, text: &str, rest: &str) -> Problem {
        let is_key = rest.starts_with(['.', '[', ':']);
        let (missing, rule) = rest
            .split_once(": ")
            .filter(|_| is_key)
            .unwrap_or(("", rest));
        let inner = || {
            let (character, rule) = rule.strip_prefix("at character ")?.split_once(": ")?;
            let character = character.parse::<usize>().ok()?.checked_sub(1)?;
            let start = self.text?;
            Some((start + offset(text.get(start..)?, character)?, rule))
        };
        let (start, rule) = inner().unwrap_or((self.span.start, rule));
        Problem::at(text, start, &(self.key + missing), rule)
    }
}

/// The byte offset of a character in a TOML text, from its opening quote. `None` if
/// that takes more than counting: for a multi-line text, or escapes before the
/// character.
fn offset(literal: &str, character: usize) -> Option<usize> {
    let quote = literal.chars().next()?;
    let inner = literal.get(1..)?;
    if inner.starts_with(&String::from(quote).repeat(2)) {
        return None;
    }
    let before = || inner.char_indices().take(character);
    let is_plain = |c: char| c != quote && c != '\n' && (c != '\\' || quote == '\'');
    before()
        .all(|(_, c)| is_plain(c))
        .then(|| 1 + before().map(|(_, c)| c.len_utf8()).sum::<usize>())
}

/// Formats a key as TOML writes it.
fn written(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(is_bare) {
        key.to_owned()
    } else {
        serde_json::Value::from(key).to_string()
    }
}
