//! A TOML file's text into a struct, with all of its errors at once.

use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use crate::event::BadUserPoolId;

/// The largest config file, in bytes.
pub(crate) const MAX_FILE_BYTES: usize = 256 * 1024;
/// So many errors are enough for one reading.
const MAX_PROBLEMS: usize = 20;

/// Why there is no config for a pool.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The folder has no file for the pool: the host serves no pool by accident.
    #[error("the pool {pool} has no config: {file} does not exist")]
    UnknownPool {
        /// The pool.
        pool: String,
        /// The file that would configure it.
        file: String,
    },
    /// A TOML file beside the pools' that no pool will ever use.
    #[error("{file} is not named after a user pool: {rule}")]
    Misnamed {
        /// Its path.
        file: String,
        /// What the name must be.
        rule: BadUserPoolId,
    },
    /// An environment variable that should name a place and does not.
    #[error("{variable} must be a folder, or s3://BUCKET or s3://BUCKET/PREFIX")]
    BadLocation {
        /// Its name.
        variable: &'static str,
    },
    /// A file that is no text.
    #[error("cannot read {file}: it is not UTF-8")]
    NotText {
        /// Its path.
        file: String,
    },
    /// A file that is wrong, with every mistake found.
    #[error("{}", Problem::lines(problems, file))]
    Invalid {
        /// Its path.
        file: String,
        /// What is wrong, in the file's order. Never empty.
        problems: Vec<Problem>,
    },
    /// A plugin that this host does not have.
    #[error(
        "the plugin `{plugin}` is not known; this host has: {known}, and no place for published ones (`POOLHOOK_BLOBS`)"
    )]
    UnknownPlugin {
        /// The name in the config.
        plugin: String,
        /// The names that would do.
        known: String,
    },
}

impl ConfigError {
    /// The error's name, for logs and callers.
    pub fn name(&self) -> &'static str {
        match self {
            Self::UnknownPool { .. } => "Config.UnknownPool",
            Self::Misnamed { .. } => "Config.Misnamed",
            Self::BadLocation { .. } => "Config.BadLocation",
            Self::NotText { .. } => "Config.NotText",
            Self::Invalid { .. } => "Config.Invalid",
            Self::UnknownPlugin { .. } => "Config.UnknownPlugin",
        }
    }

    /// A file that is wrong as a whole.
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
    /// The rule that is broken.
    pub rule: String,
}

impl Problem {
    /// A mistake at a byte of the file's text.
    pub(super) fn at(text: &str, start: usize, key: String, rule: String) -> Self {
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            key,
            rule,
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
        f.write_str(rule)
    }
}

/// Serde stops at the first mistake. To find the next, the key at fault is
/// taken out and the rest read again.
pub(super) fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, ConfigError> {
    if text.len() > MAX_FILE_BYTES {
        let rule = format!(
            "the file has {} bytes; at most {MAX_FILE_BYTES} are read",
            text.len()
        );
        return Err(ConfigError::invalid(file, "", rule));
    }
    let (mut table, errors) = DeTable::parse_recoverable(text);
    let syntax = errors
        .iter()
        .map(|error| problem(text, String::new(), error));
    let mut problems: Vec<_> = syntax.take(MAX_PROBLEMS).collect();

    // What could be read of a file that is no TOML would give errors of its own.
    while errors.is_empty() && problems.len() < MAX_PROBLEMS {
        match T::deserialize(toml::Deserializer::from(table.clone())) {
            Ok(value) if problems.is_empty() => return Ok(value),
            Ok(_) => break,
            Err(error) => {
                let key = error
                    .span()
                    .and_then(|span| take_out(table.get_mut(), &span));
                problems.push(problem(text, key.clone().unwrap_or_default(), &error));
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

fn problem(text: &str, key: String, error: &toml::de::Error) -> Problem {
    let start = error.span().map_or(0, |span| span.start);
    Problem::at(text, start, key, error.message().to_owned())
}

/// Removes the entry in which `span` lies, the innermost, and gives its dotted key.
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
