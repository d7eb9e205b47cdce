//! Filters that take a regular expression.

use regex_lite::{Captures, Regex, RegexBuilder};

use super::{Parameter, argument, parameter, whole};
use crate::kinds::Kinds;
use crate::value::Value;

type Outcome<'a> = Result<Value<'a>, String>;

/// The memory of a compiled pattern, in bytes.
const MAX_BYTES: usize = 64 << 10;
/// The most groups in groups. The plugin's stack is sized for them.
const MAX_NESTED: u32 = 16;

pub(crate) const PATTERN: Parameter = parameter!(
    "pattern",
    Kinds::TEXT,
    None,
    Some(|text| regex(text).map(|_| ()))
);

/// A pattern, which searches in time that grows linearly with the text.
pub(crate) fn regex(pattern: &str) -> Result<Regex, String> {
    let mut builder = RegexBuilder::new(pattern);
    let built = builder.size_limit(MAX_BYTES).nest_limit(MAX_NESTED).build();
    built.map_err(|error| format!("is not a regular expression: {error}"))
}

pub(super) fn replace<'a>(value: Value<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let pattern = regex(argument(arguments, 0))?;
    let replacement = argument(arguments, 1);
    Ok(match value {
        Value::Text(text) => Value::text(pattern.replace_all(&text, replacement).into_owned()),
        other => other,
    })
}

pub(super) fn search<'a>(value: Value<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let pattern = regex(argument(arguments, 0))?;
    let text = value.characters().unwrap_or_default();
    let Some(found) = pattern.captures(&text) else {
        return Ok(Value::Missing);
    };
    let group = group(&pattern, &found, arguments)?;
    Ok(group.map_or(Value::Missing, |text| Value::text(text.to_owned())))
}

/// The text of the group that the second argument names.
fn group<'t>(
    pattern: &Regex,
    found: &Captures<'t>,
    arguments: &[Value<'_>],
) -> Result<Option<&'t str>, String> {
    let group = if let Some(Value::Text(name)) = arguments.get(1) {
        let mut names = pattern.capture_names();
        let index = names.position(|each| each == Some(name));
        index.ok_or_else(|| format!("the pattern has no group `{name}`"))?
    } else {
        let index = whole(arguments.get(1), "group")?;
        let known = usize::try_from(index).ok();
        let known = known.filter(|index| *index < pattern.captures_len());
        known.ok_or_else(|| format!("the pattern has no group {index}"))?
    };
    Ok(found.get(group).map(|group| group.as_str()))
}
