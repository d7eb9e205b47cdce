//! The way to write what an expression probably means.

use std::ops::Range;

use crate::kinds::Kinds;

use super::types::Type;

/// The characters of an expression that a message quotes.
const QUOTED: usize = 60;

/// A part of an expression, in backticks, shortened.
pub(super) fn quoted(text: &str, span: &Range<usize>) -> String {
    let part = text.get(span.clone()).unwrap_or(text).trim();
    let mut short: String = part.chars().take(QUOTED).collect();
    if short.len() < part.len() {
        short.push_str("...");
    }
    format!(
        "`{}`",
        short.split_whitespace().collect::<Vec<_>>().join(" ")
    )
}

/// The expression with a filter after one of its parts.
pub(super) fn filtered(text: &str, span: &Range<usize>, is_postfix: bool, filter: &str) -> String {
    let part = text.get(span.clone()).unwrap_or_default();
    let part = if is_postfix || part.starts_with('(') {
        format!("{part} | {filter}")
    } else {
        format!("({part}) | {filter}")
    };
    // Before an operator, brackets say what a filter belongs to; before `.` and `[`, it
    // needs them.
    let after = text.get(span.end..).unwrap_or_default().trim_start();
    let is_last = after.is_empty() || after.starts_with(['|', ')', ']', '}', ',']);
    let is_word = after.starts_with(|c: char| c.is_alphabetic());
    if is_last || is_word {
        replaced(text, span, &part)
    } else {
        replaced(text, span, &format!("({part})"))
    }
}

/// The expression with another text in place of one of its parts.
pub(super) fn replaced(text: &str, span: &Range<usize>, other: &str) -> String {
    let before = text.get(..span.start).unwrap_or_default();
    let after = text.get(span.end..).unwrap_or_default();
    format!("{before}{other}{after}").trim().to_owned()
}

/// The filter that makes a value of one of the wanted kinds, if there is one.
pub(super) fn conversion(source: &str, from: &Type, to: Kinds) -> Option<&'static str> {
    let wants = |kinds: Kinds| !to.and(kinds).is_empty();
    let from = from.kinds_there();
    let is_document = source.ends_with("identities") || source.ends_with("address");
    if from == Kinds::TEXT {
        return if wants(Kinds::NUMBER) {
            Some("int")
        } else if wants(Kinds::BOOLEAN) {
            Some("bool")
        } else if is_document || (wants(Kinds::MAP) && !wants(Kinds::LIST)) {
            Some("json")
        } else if wants(Kinds::MEMBERS) {
            Some("split(',')")
        } else if wants(Kinds::BYTES) {
            Some("base64")
        } else {
            None
        };
    }
    if !wants(Kinds::TEXT) {
        return (from == Kinds::LIST && wants(Kinds::SET)).then_some("set");
    }
    if from.without(Kinds::CHARACTERS).is_empty() {
        Some("string")
    } else if from.without(Kinds::MEMBERS).is_empty() {
        Some("join(',')")
    } else {
        None
    }
}

/// The position of brackets around a part, if there are any directly around it.
pub(super) fn with_brackets(text: &str, span: Range<usize>) -> Range<usize> {
    let before = text.get(..span.start).unwrap_or_default().trim_end();
    let after = text.get(span.end..).unwrap_or_default();
    let inner = after.trim_start();
    match (before.strip_suffix('('), inner.strip_prefix(')')) {
        (Some(outside), Some(_)) if !is_a_call(outside) => {
            let end = span.end + (after.len() - inner.len()) + 1;
            with_brackets(text, outside.len()..end)
        }
        _ => span,
    }
}

/// Whether brackets that follow this text hold arguments.
fn is_a_call(before: &str) -> bool {
    let before = before.trim_end();
    let word_start = before.rfind(|c: char| !(c.is_alphanumeric() || c == '_'));
    let word = before
        .get(word_start.map_or(0, |at| at + 1)..)
        .unwrap_or_default();
    !word.is_empty() && !["not", "and", "or", "in", "if", "else"].contains(&word)
}
