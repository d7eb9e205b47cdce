//! What other languages write, and what to write here.

use std::ops::Range;

use minijinja::ErrorKind;

use crate::compiler::mistake::Wrong;

/// What Jinja or Ansible has under another name.
pub(super) fn elsewhere(what: &str, name: &str) -> Option<&'static str> {
    Some(match (what, name) {
        ("filter", "d") => "write `default`",
        ("filter", "count") => "write `length`",
        ("filter", "from_json" | "fromjson") => "write `json`",
        ("filter", "b64decode") => "write `base64`",
        ("filter", "sha256") => "write `hash('sha256')`",
        ("filter", "datetimeformat" | "dateformat" | "timeformat" | "date") => {
            "write `strftime('%Y-%m-%d')`"
        }
        ("filter", "regex_findall" | "regex_match") => "write `regex_search('...')`",
        ("filter", "attr") => "write `.name` or `['name']`",
        ("filter", "omit_empty" | "presence" | "nonempty") => "write `omitempty`",
        ("filter", "omit") => "write `optional`",
        ("filter", "tojson" | "to_json") => {
            "a list or a map becomes DynamoDB's L or M, not a JSON text"
        }
        ("filter", "list") => "write `split(',')` for a text, `unique` for a set",
        ("test", "eq" | "==") => "write `equalto`",
        ("test", "regex") => "write `search`, or `match` from the beginning",
        ("test", "empty" | "blank") => "write `== ''`",
        ("test", "startswith") => "write `startingwith`",
        ("test", "endswith") => "write `endingwith`",
        ("test", "list") => "write `sequence`",
        ("test", "dict" | "map" | "object") => "write `mapping`",
        ("test", "null") => "write `none`",
        ("test", "missing") => "write `undefined`",
        ("test", "text") => "write `string`",
        ("test", "bool") => "write `boolean`",
        ("filter", "float") | ("test", "int" | "integer" | "float") => "write `number`",
        ("function", "now" | "today" | "utcnow") => "the event's time is `user.time`",
        ("function", "random" | "uuid" | "uuid4") => {
            "a mapping is the same each time; a UUID of a text is `user.name | to_uuid('dns')`"
        }
        ("function", "len") => "write `... | length`",
        ("function", "str") => "write `... | string`",
        ("function", "int") => "write `... | int`",
        ("function", "range") => "a list is written as `[1, 2]`",
        ("function", "startswith") => "write `... is startingwith('...')`",
        ("function", "endswith") => "write `... is endingwith('...')`",
        ("function", "strip") => "write `... | trim`",
        ("function", "get") => "write `['name'] | default('...')`",
        _ => return None,
    })
}

/// A mistake that the parser found.
pub(super) fn syntax(text: &str, error: &minijinja::Error) -> Wrong {
    let at = error.range().unwrap_or(text.len()..text.len());
    // The parser's position can be behind the end of a text that is not closed.
    let start = text.floor_char_boundary(at.start);
    let at = start..text.floor_char_boundary(at.end).max(start);
    let what = match error.detail() {
        Some(detail) if error.kind() == ErrorKind::SyntaxError => detail.to_owned(),
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    let what = if text.trim().is_empty() {
        "the expression is empty".to_owned()
    } else {
        what
    };
    let wrong = Wrong::new(at.clone(), what);
    match way_out(text, &at) {
        Some(help) => wrong.help(help),
        None => wrong,
    }
}

/// What to write in place of what templates, Python, or shells have.
fn way_out(text: &str, at: &Range<usize>) -> Option<String> {
    let trimmed = text.trim();
    if trimmed.starts_with("{{") || trimmed.starts_with("{%") || trimmed.starts_with("${") {
        let inner = trimmed.trim_matches(['{', '}', '%', '-', '$']).trim();
        return Some(format!(
            "an expression has no braces around it: write `{inner}`"
        ));
    }
    let (before, after) = text.split_at_checked(at.start)?;
    let is_of_a_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let start = before.trim_end_matches(is_of_a_name);
    let name = before.get(start.len()..)?;
    if let Some(rest) = after.strip_prefix(':') {
        let end = rest.find(|c| !is_of_a_name(c)).unwrap_or(rest.len());
        let rest = rest.get(..end)?;
        let start = start
            .strip_suffix('.')
            .filter(|_| !name.is_empty() && !rest.is_empty());
        return Some(format!(
            "a name with a colon stands in square brackets: write `{}['{name}:{rest}']`",
            start?
        ));
    }
    let is = |sign: &str| after.trim_start().starts_with(sign);
    if is("=") && !is("==") {
        return Some("a comparison is written `==`".to_owned());
    }
    for (theirs, ours) in [
        ("&&", "and"),
        ("||", "or"),
        ("?", "... if ... else ..."),
        ("!", "not"),
    ] {
        if is(theirs) || before.trim_end().ends_with(theirs) {
            return Some(format!("in place of `{theirs}` write `{ours}`"));
        }
    }
    if trimmed.ends_with('|') {
        return Some("the name of a filter comes after `|`, as in `user.name | lower`".to_owned());
    }
    let quotes = text.matches('\'').count() + text.matches('"').count();
    if quotes % 2 == 1 {
        return Some("a text ends with the quote with which it begins".to_owned());
    }
    let open = |c: char, d: char| text.matches(c).count() > text.matches(d).count();
    for (c, d) in [('(', ')'), ('[', ']'), ('{', '}')] {
        if open(c, d) {
            return Some(format!("a `{c}` needs a `{d}`"));
        }
    }
    None
}
