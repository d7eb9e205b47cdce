//! Parses a TOML file into a struct and reports all of its errors at once.

use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use super::words::{self, Keys};
use crate::event::BadUserPoolId;
use crate::text::shown;

/// The largest config file, in bytes.
pub(crate) const MAX_FILE_BYTES: usize = 256 * 1024;
/// The most errors that are reported at once.
const MAX_PROBLEMS: usize = 20;

/// Why a config cannot be used.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "Config.")]
#[allow(missing_docs, reason = "the texts and the names say it")]
pub enum ConfigError {
    /// No file exists for the pool. The host serves only pools that have one.
    #[error("the pool {pool} has no config: {file} does not exist")]
    UnknownPool {
        pool: String,
        /// The file that would configure it.
        file: String,
    },
    /// A TOML file in the config folder that is not named after a pool.
    #[error("{file} is not named after a user pool: {rule}")]
    Misnamed {
        file: String,
        /// The rule for a pool's id.
        rule: BadUserPoolId,
    },
    /// An environment variable that does not name a folder or bucket.
    #[error("{variable} must be a folder, or s3://BUCKET or s3://BUCKET/PREFIX")]
    BadLocation { variable: &'static str },
    /// A file that is not UTF-8.
    #[error("cannot read {file}: it is not UTF-8")]
    NotText { file: String },
    /// An invalid file, with all mistakes that were found.
    #[error("{}", Problem::lines(problems, file))]
    Invalid {
        file: String,
        /// The mistakes, in the file's order. Never empty.
        problems: Vec<Problem>,
    },
    /// Users of two pools could have the same row.
    #[error(
        "{file} and {other} write to the table {table}, and users of both can have the same key. Tell them apart, as with `equals = \"{{userPoolId}}#{{userName}}\"`, or set `shared = true` in both"
    )]
    SharedRow {
        file: String,
        /// The other pool's file.
        other: String,
        table: String,
    },
    /// The pool's table has other keys than its config or its plugin's item.
    #[error("{file}: {mistakes}")]
    TableDiffers {
        file: String,
        /// What differs, and what to change.
        mistakes: String,
    },
    /// A plugin that this host does not have.
    #[error(
        "the plugin `{plugin}` is unknown; this host has {known}, and no folder or bucket with published plugins (`POOLHOOK_BLOBS`)"
    )]
    UnknownPlugin {
        plugin: String,
        /// The names of the plugins that the host has.
        known: String,
    },
}

impl ConfigError {
    /// The error's name, for logs and callers.
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// A mistake that has no position in the file.
    pub(crate) fn invalid(file: &str, key: &str, rule: impl Into<String>) -> Self {
        let problem = Problem {
            line: 1,
            column: 1,
            key: key.to_owned(),
            rule: rule.into(),
        };
        Self::Invalid {
            file: file.to_owned(),
            problems: vec![problem],
        }
    }
}

/// One mistake in a config file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The key, such as `limits.fuel`; empty for a mistake in TOML itself.
    pub key: String,
    /// The rule that the key breaks.
    pub rule: String,
}

impl Problem {
    /// A mistake at a byte offset of the file's text.
    pub(super) fn at(text: &str, start: usize, key: &str, rule: &str) -> Self {
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            key: shown(key).to_string(),
            rule: shown(rule).to_string(),
        }
    }

    fn lines(problems: &[Self], file: &str) -> String {
        let lines: Vec<_> = problems
            .iter()
            .map(|problem| format!("{file}:{problem}"))
            .collect();
        lines.join("\n")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            key,
            rule,
        } = self;
        write!(f, "{line}:{column}: ")?;
        if !key.is_empty() {
            write!(f, "{key}: ")?;
        }
        // What follows the first line is the plugin's, and no line of ours.
        f.write_str(&rule.replace('\n', "\n  "))
    }
}

/// Serde stops at the first mistake. To find the next one, this removes the key at
/// fault and parses the rest again.
pub(super) fn parse<T: DeserializeOwned>(
    file: &str,
    text: &str,
    keys: Keys,
) -> Result<T, ConfigError> {
    if text.len() > MAX_FILE_BYTES {
        let rule = format!(
            "the file has {} bytes; the limit is {MAX_FILE_BYTES}",
            text.len()
        );
        return Err(ConfigError::invalid(file, "", rule));
    }
    let (mut table, errors) = DeTable::parse_recoverable(text);
    let syntax = errors.iter().map(|error| syntax(text, error));
    let mut problems: Vec<_> = syntax.take(MAX_PROBLEMS).collect();

    // After a syntax error, the parts that could be read would give misleading errors.
    if errors.is_empty() {
        problems = words::take_mistakes(text, table.get_mut(), keys);
        problems.truncate(MAX_PROBLEMS);
    }
    while errors.is_empty() && problems.len() < MAX_PROBLEMS {
        match T::deserialize(toml::Deserializer::from(table.clone())) {
            Ok(value) if problems.is_empty() => return Ok(value),
            Ok(_) => break,
            Err(error) => {
                let key = error
                    .span()
                    .and_then(|span| take_out(table.get_mut(), &span));
                problems.push(problem(text, key.as_deref().unwrap_or_default(), &error));
                if key.is_none() {
                    break;
                }
            }
        }
    }
    problems.sort_by_key(|problem| (problem.line, problem.column));
    Err(ConfigError::Invalid {
        file: file.to_owned(),
        problems,
    })
}

/// A mistake in TOML itself.
fn syntax(text: &str, error: &toml::de::Error) -> Problem {
    // The message is the only thing that distinguishes a repeated key from other mistakes.
    let span = error.span().filter(|_| error.message() == "duplicate key");
    let again = span.and_then(|span| {
        let name = text.get(span.clone())?.trim_matches(['"', '\'']);
        let earlier = words::earlier_line(text, name, span.start)?;
        Some((span.start, name, earlier))
    });
    match again {
        Some((start, name, earlier)) => {
            let rule = format!("is set again; it is set in line {earlier} already");
            Problem::at(text, start, name, &rule)
        }
        None => problem(text, "", error),
    }
}

fn problem(text: &str, key: &str, error: &toml::de::Error) -> Problem {
    let start = error.span().map_or(0, |span| span.start);
    Problem::at(text, start, key, error.message())
}

/// Removes the innermost entry that contains `span` and returns its dotted key.
fn take_out(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<String> {
    let within = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    let (key, inner) = table.iter_mut().find_map(|(key, value)| {
        let name = key.get_ref().to_string();
        if within(key.span()) {
            return Some((name, None));
        }
        let inner = match value.get_mut() {
            DeValue::Table(inner) => take_out(inner, span),
            _ => None,
        };
        (inner.is_some() || within(value.span())).then_some((name, inner))
    })?;
    if let Some(inner) = inner {
        return Some(format!("{key}.{inner}"));
    }
    table.remove(key.as_str());
    Some(key)
}
