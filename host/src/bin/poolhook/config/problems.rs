//! How mistakes in a file are printed: the place and the rule on one line, as editors read
//! it; below, the line with the part at fault underlined, and the way out.

use std::fmt::Write as _;

use poolhook::config::{Excerpt, Problem};
use poolhook::text::shown;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

/// A problem as a person reads it.
pub(super) fn text(problem: &Problem) -> String {
    let Problem { help, excerpt, .. } = problem;
    let head = Problem {
        help: None,
        ..problem.clone()
    };
    let mut text = head.to_string();
    if let Some(excerpt) = excerpt {
        text.push_str(&underlined(problem, excerpt));
    }
    if let Some(help) = help {
        let indent = if excerpt.is_some() {
            " ".repeat(margin(problem)) + "= "
        } else {
            "  ".to_owned()
        };
        // Writing into a text cannot fail.
        let _ = write!(text, "\n{indent}{}", shown(help));
    }
    text
}

fn margin(problem: &Problem) -> usize {
    problem.line.to_string().len() + 1
}

fn underlined(problem: &Problem, excerpt: &Excerpt) -> String {
    /// Of a long line, what is this far from the mistake is left out.
    const AROUND: usize = 60;
    let column = problem.column - 1;
    let from = column.saturating_sub(AROUND);
    let length = excerpt.length.min(2 * AROUND);
    let part = |from: usize, length| {
        let part: String = excerpt.text.chars().skip(from).take(length).collect();
        shown(&part.replace('\t', " ")).to_string()
    };
    let dots = |cut: bool| if cut { "..." } else { "" };
    let end = column + length + AROUND;
    let is_cut = end < excerpt.text.chars().count();
    let before = dots(from > 0).to_owned() + &part(from, column - from);
    let part_at_fault = part(column, length);
    let text = format!(
        "{before}{part_at_fault}{}{}",
        part(column + length, AROUND),
        dots(is_cut)
    );
    let margin = " ".repeat(margin(problem));
    let indent = " ".repeat(before.width());
    let line = problem.line;
    format!(
        "\n{margin}|\n{line} | {text}\n{margin}| {indent}{}",
        "^".repeat(part_at_fault.width().max(1))
    )
}

/// The keys of a problem with `--json`. `name` is the error's, if it is one.
pub(super) fn json(severity: &str, name: Option<&str>, problem: &Problem) -> Value {
    json!({
        "severity": severity,
        "errorType": name,
        "errorMessage": problem.rule,
        "help": problem.help,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "length": problem.excerpt.as_ref().map(|excerpt| excerpt.length),
        "key": problem.key,
    })
}
