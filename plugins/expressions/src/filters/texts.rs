//! Filters of texts.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{argument, whole};
use crate::value::Value;

type Outcome<'a> = Result<Value<'a>, String>;

/// What `urlencode` leaves as it is, as in Jinja.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_');
/// The largest width of `zfill`.
const MAX_WIDTH: i64 = 1024;

pub(super) fn lower<'a>(value: Value<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    let unchanged = |c: u8| c.is_ascii() && !c.is_ascii_uppercase();
    of_text(value, |text| match text {
        text if text.bytes().all(unchanged) => text,
        text => text.to_lowercase().into(),
    })
}

pub(super) fn upper<'a>(value: Value<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    of_text(value, |text| text.to_uppercase().into())
}

pub(super) fn capitalize<'a>(value: Value<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    of_text(value, |text| capitalized(&text).into())
}

pub(super) fn title<'a>(value: Value<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    let ends_word = |c: char| c.is_whitespace() || "-([{<".contains(c);
    of_text(value, |text| {
        let words = text.split_inclusive(ends_word);
        words.map(capitalized).collect::<String>().into()
    })
}

fn capitalized(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().into_iter().flat_map(char::to_uppercase);
    first.collect::<String>() + &rest.as_str().to_lowercase()
}

pub(super) fn trim<'a>(value: Value<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let is_trimmed = |c: char| match arguments.first() {
        Some(Value::Text(these)) => these.contains(c),
        _ => c.is_whitespace(),
    };
    of_text(value, |text| match text {
        Cow::Borrowed(text) => text.trim_matches(is_trimmed).into(),
        Cow::Owned(text) => text.trim_matches(is_trimmed).to_owned().into(),
    })
}

pub(super) fn replace<'a>(value: Value<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let (old, new) = (argument(arguments, 0), argument(arguments, 1));
    of_text(value, |text| text.replace(old, new).into())
}

pub(super) fn split<'a>(value: Value<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let most = whole(arguments.get(1), "maxsplit")?;
    let most = usize::try_from(most).map_or(usize::MAX, |most| most.saturating_add(1));
    let Value::Text(text) = value else {
        return Ok(value);
    };
    let separator = match arguments.first() {
        Some(Value::Text(separator)) => Some(&**separator),
        _ => None,
    };
    let parts = match &text {
        Cow::Borrowed(text) => {
            let parts = parts(text, separator, most).into_iter();
            parts.map(Value::text).collect()
        }
        Cow::Owned(text) => {
            let parts = parts(text, separator, most).into_iter();
            parts.map(|part| Value::text(part.to_owned())).collect()
        }
    };
    Ok(Value::List(parts))
}

/// The parts of a text, at most so many.
fn parts<'t>(text: &'t str, separator: Option<&str>, most: usize) -> Vec<&'t str> {
    match separator {
        // Searching for one character needs no preparation.
        Some(separator) => match separator.as_bytes() {
            [byte] => text.splitn(most, char::from(*byte)).collect(),
            _ => text.splitn(most, separator).collect(),
        },
        None => words(text, most).collect(),
    }
}

/// The words of a text. The last one is the rest of the text, if there are more words.
fn words(text: &str, most: usize) -> impl Iterator<Item = &str> {
    let (mut rest, mut left) = (text.trim_start(), most);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        left = left.saturating_sub(1);
        let end = rest.find(char::is_whitespace).filter(|_| left > 0);
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.trim_start();
        Some(word)
    })
}

pub(super) fn string<'a>(value: Value<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    Ok(value.characters().map_or(value, Value::Text))
}

pub(super) fn urlencode<'a>(value: Value<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    let text = value.characters().unwrap_or_default();
    Ok(Value::text(utf8_percent_encode(&text, ENCODED).to_string()))
}

pub(super) fn zfill<'a>(value: Value<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let width = whole(arguments.first(), "width")?;
    let width = usize::try_from(width).ok().filter(|_| width <= MAX_WIDTH);
    let width = width.ok_or_else(|| format!("`width` must be from 0 to {MAX_WIDTH}"))?;
    let text = value.characters().unwrap_or_default();
    let digits = text.strip_prefix(['-', '+']);
    let sign = text.get(..text.len() - digits.unwrap_or(&text).len());
    let zeros = width.saturating_sub(text.chars().count());
    let sign = sign.unwrap_or_default();
    let digits = digits.unwrap_or(&text);
    Ok(Value::text(format!("{sign}{}{digits}", "0".repeat(zeros))))
}

fn of_text<'a>(value: Value<'a>, change: impl FnOnce(Cow<'a, str>) -> Cow<'a, str>) -> Outcome<'a> {
    Ok(match value {
        Value::Text(text) => Value::Text(change(text)),
        other => other,
    })
}
