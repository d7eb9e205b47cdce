//! Locates the settings that a plugin rejects in their TOML file.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::file::{ConfigError, Problem, Source};
use super::{PluginName, literal, words};
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
pub fn misplaced_keys(source: Source<'_>) -> Vec<Problem> {
    let (table, _) = DeTable::parse_recoverable(source.text);
    let mut found = Vec::new();
    if let Some(settings) = table.get_ref().get("settings") {
        find_own_keys(source, "settings", settings.get_ref(), &mut found);
    }
    found
}

fn find_own_keys(source: Source<'_>, path: &str, value: &DeValue<'_>, found: &mut Vec<Problem>) {
    let DeValue::Table(table) = value else {
        return;
    };
    for (name, value) in table {
        let key = format!("{path}.{}", written(name.get_ref()));
        if words::has(super::raw::KEYS, name.get_ref()) {
            let rule = format!(
                "`{}` is a key of poolhook's, but here it is a setting of the plugin. If it is meant for poolhook, move it above the first [table header], or under its own",
                name.get_ref()
            );
            found.push(Problem::at(source, name.span().start, &key, &rule));
        }
        find_own_keys(source, &key, value.get_ref(), found);
    }
}

/// The settings of a file whose plugin takes none.
pub fn useless_settings(source: Source<'_>, plugin: &PluginName) -> Option<Problem> {
    let (table, _) = DeTable::parse_recoverable(source.text);
    let (name, settings) = table.get_ref().get_key_value("settings")?;
    let is_empty = matches!(settings.get_ref(), DeValue::Table(table) if table.is_empty());
    let rule = format!("the plugin `{plugin}` takes no settings, so these have no effect");
    (!is_empty).then(|| Problem::at(source, name.span().start, "settings", &rule))
}

impl ConfigError {
    /// The mistakes that a plugin reports in a file's settings, one per line: `settings`,
    /// then the key as TOML writes it, then `: ` and the mistake. A line that starts
    /// otherwise continues the mistake before it.
    ///
    /// A mistake that starts with `at character 8: ` is in the key's text, at that
    /// character.
    pub fn of_settings(source: Source<'_>, message: &str) -> Self {
        let text = source.text;
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
            problems.push(position.problem(source, rest));
        }
        problems.sort_by_key(|problem| (problem.line, problem.column));
        Self::Invalid { problems }
    }
}

/// A key in the settings, and its position.
struct Position {
    key: String,
    span: Range<usize>,
    /// The key's value, if that is a text.
    text: Option<Range<usize>>,
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
                let text = Some(span);
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
    fn problem(self, source: Source<'_>, rest: &str) -> Problem {
        let text = source.text;
        let is_key = rest.starts_with(['.', '[', ':']);
        let (missing, rule) = rest
            .split_once(": ")
            .filter(|_| is_key)
            .unwrap_or(("", rest));
        let inner = || {
            let (character, rule) = rule.strip_prefix("at character ")?.split_once(": ")?;
            let character = character.parse::<usize>().ok()?.checked_sub(1)?;
            let Range { start, end } = self.text.clone()?;
            Some((
                start + literal::offset(text.get(start..end)?, character)?,
                rule,
            ))
        };
        let (start, rule) = inner().unwrap_or((self.span.start, rule));
        Problem::at(source, start, &(self.key + missing), rule)
    }
}

/// Formats a key as TOML writes it.
pub(super) fn written(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(is_bare) {
        key.to_owned()
    } else {
        serde_json::Value::from(key).to_string()
    }
}
