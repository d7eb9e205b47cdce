//! Where in a TOML file the settings stand that a plugin finds wrong.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::file::{ConfigError, Problem};

/// Whether the file says settings of its own.
pub(crate) fn has_settings(text: &str) -> bool {
    let (table, _) = DeTable::parse_recoverable(text);
    table.get_ref().contains_key("settings")
}

impl ConfigError {
    /// What a plugin finds wrong with the settings in a file: a line a mistake,
    /// each `settings`, then the key as TOML writes it, then `: ` and the mistake.
    /// None if one of the lines is about something else.
    ///
    /// A mistake that begins with `at character 8: ` is in the text at that key.
    pub fn of_settings(file: &str, text: &str, message: &str) -> Option<Self> {
        let (table, _) = DeTable::parse_recoverable(text);
        let settings = table.get_ref().get_key_value("settings");
        let located = message.lines().map(|line| {
            let rest = line.strip_prefix("settings")?;
            let place = Place {
                key: "settings".to_owned(),
                span: settings.map_or(0..0, |(name, _)| name.span()),
                text: None,
            };
            let (place, rule) = match settings {
                Some((_, value)) => place.follow(value.get_ref(), value.span(), rest),
                None => (place, rest),
            };
            Some(place.problem(text, rule.strip_prefix(": ")?))
        });
        let mut problems = located.collect::<Option<Vec<_>>>()?;
        problems.sort_by_key(|problem| (problem.line, problem.column));
        (!problems.is_empty()).then(|| Self::Invalid {
            file: file.to_owned(),
            problems,
        })
    }
}

/// A key in the settings.
struct Place {
    key: String,
    span: Range<usize>,
    /// Where its value begins, if that is a text.
    text: Option<usize>,
}

impl Place {
    /// Goes down to the innermost key that `rest` names, and gives what is left.
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

    fn problem(self, text: &str, rule: &str) -> Problem {
        let inner = || {
            let (character, rule) = rule.strip_prefix("at character ")?.split_once(": ")?;
            let character = character.parse::<usize>().ok()?.checked_sub(1)?;
            let start = self.text?;
            Some((start + offset(text.get(start..)?, character)?, rule))
        };
        let (start, rule) = inner().unwrap_or((self.span.start, rule));
        Problem::at(text, start, self.key, rule.to_owned())
    }
}

/// Where a character of a TOML text is, in bytes from its opening quote. None
/// where that takes more than counting: in a text of several lines, or with
/// escapes before the character.
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

/// A key as TOML writes it.
fn written(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(is_bare) {
        key.to_owned()
    } else {
        serde_json::Value::from(key).to_string()
    }
}
