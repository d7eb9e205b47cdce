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
pub(super) const MAX_PROBLEMS: usize = 20;

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
    #[error("{}", lines(problems))]
    Invalid {
        /// The mistakes, in the files' order. Never empty.
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
        let source = Source { file, text: "" };
        Self::Invalid {
            problems: vec![Problem::at(source, 0, key, &rule.into())],
        }
    }
}

/// A file, with its text.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The path or URL, for messages.
    pub file: &'a str,
    /// The text.
    pub text: &'a str,
}

/// One mistake in a config file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The file's path or URL.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The key, such as `limits.fuel`; empty for a mistake in TOML itself.
    pub key: String,
    /// The rule that the key breaks.
    pub rule: String,
    /// What to write, or to do, instead.
    pub help: Option<String>,
    /// The part of an expression that is at fault.
    pub excerpt: Option<Excerpt>,
}

/// A line of a file, of which a part is at fault.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Excerpt {
    /// The line's text.
    pub text: String,
    /// The number of characters at fault, from the mistake's column on; at least 1.
    pub length: usize,
}

impl Problem {
    /// A mistake at a byte offset of the file's text.
    pub(super) fn at(source: Source<'_>, start: usize, key: &str, rule: &str) -> Self {
        let before = source.text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            file: source.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            key: shown(key).to_string(),
            rule: shown(rule).to_string(),
            help: None,
            excerpt: None,
        }
    }

    /// Adds the line, of which the bytes of this range are at fault.
    pub(super) fn with_excerpt(self, source: Source<'_>, range: Range<usize>) -> Self {
        let before = source.text.get(..range.start).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = source.text.get(start..).unwrap_or_default();
        let line = line.lines().next().unwrap_or_default();
        let end = range.end.min(start + line.len());
        let fault = source.text.get(range.start..end).unwrap_or_default();
        let length = fault.trim_end().chars().count().max(1);
        let text = line.to_owned();
        let excerpt = Some(Excerpt { text, length });
        Self { excerpt, ..self }
    }
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            key,
            rule,
            help,
            excerpt: _,
        } = self;
        write!(f, "{file}:{line}:{column}: ")?;
        if !key.is_empty() {
            write!(f, "{key}: ")?;
        }
        // What follows the first line is the plugin's, and no line of ours.
        f.write_str(&rule.replace('\n', "\n  "))?;
        match help {
            Some(help) => write!(f, "; {}", help.replace('\n', "\n  ")),
            None => Ok(()),
        }
    }
}

/// The line, from 1, in which a key is set; `None` if the file does not have it.
pub fn line_of(source: Source<'_>, key: &[&str]) -> Option<usize> {
    let (table, _) = DeTable::parse_recoverable(source.text);
    let mut table = Some(table.get_ref());
    let mut start = None;
    for name in key {
        let (key, value) = table?.get_key_value(*name)?;
        start = Some(key.span().start);
        table = match value.get_ref() {
            DeValue::Table(inner) => Some(inner),
            _ => None,
        };
    }
    Some(Problem::at(source, start?, "", "").line)
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
    let source = Source { file, text };
    let (mut table, errors) = DeTable::parse_recoverable(text);
    let syntax = errors.iter().map(|error| syntax(source, error));
    let mut problems: Vec<_> = syntax.take(MAX_PROBLEMS).collect();

    // After a syntax error, the parts that could be read would give misleading errors.
    if errors.is_empty() {
        problems = words::take_mistakes(source, table.get_mut(), keys);
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
                problems.push(problem(source, key.as_deref().unwrap_or_default(), &error));
                if key.is_none() {
                    break;
                }
            }
        }
    }
    problems.sort_by_key(|problem| (problem.line, problem.column));
    Err(ConfigError::Invalid { problems })
}

/// A mistake in TOML itself.
fn syntax(source: Source<'_>, error: &toml::de::Error) -> Problem {
    let text = source.text;
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
            Problem::at(source, start, name, &rule)
        }
        None => problem(source, "", error),
    }
}

fn problem(source: Source<'_>, key: &str, error: &toml::de::Error) -> Problem {
    let start = error.span().map_or(0, |span| span.start);
    Problem::at(source, start, key, error.message())
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
