//! What the command line adds to a failure's text: a plugin's own words, values, and what
//! DynamoDB said. All of it can hold personal data, so no log has it.

use std::fmt::Write as _;

use poolhook::host::Failure;
use poolhook::item::ItemError;
use poolhook::plugin::{LogLine, PluginError};
use poolhook::store::StoreError;
use poolhook::text::shown;

/// A failure's text with all that is known; `log` is what the plugin logged.
pub(crate) fn failure(failure: &Failure, log: &[LogLine]) -> String {
    let text = failure.text();
    match failure {
        Failure::Plugin(PluginError::Refused { message }) => format!("{text}: {}", shown(message)),
        Failure::Plugin(error) => plugin(error, log),
        Failure::Item(error) => item(error),
        Failure::Store(StoreError::Refused { message, .. }) if !message.is_empty() => {
            format!("{text}. DynamoDB says: {}", shown(message))
        }
        _ => text,
    }
}

/// The text of an error that is not the plugin's own answer.
pub(crate) fn plugin(error: &PluginError, log: &[LogLine]) -> String {
    let text = error.to_string();
    let PluginError::Trap { backtrace, .. } = error else {
        return text;
    };
    let mut text = format!("{text}. {}", cause(backtrace, log));
    if !backtrace.is_empty() {
        text.push_str(" Functions, the innermost first: ");
        let names = backtrace.iter().map(|name| shown(name));
        for (at, name) in names.enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let _ = write!(text, "{comma}{name}");
        }
    }
    text
}

/// The text of an item that breaks a rule.
pub(crate) fn item(error: &ItemError) -> String {
    match error {
        ItemError::KeyNotTheUsers {
            expected, found, ..
        } => format!(
            "{error}: it must be `{}`, but is `{}`",
            shown(expected),
            shown(found)
        ),
        error => error.to_string(),
    }
}

/// What probably made the plugin trap. Rust's panics are told by what the SDK logs, Python
/// by its engine's functions; what JavaScript throws is no trap.
fn cause(backtrace: &[String], log: &[LogLine]) -> String {
    let panic = log
        .iter()
        .rev()
        .find(|line| line.message.starts_with("panicked at "));
    if let Some(panic) = panic {
        return format!("The plugin {}.", shown(&panic.message));
    }
    let python = ["componentize_py", "PyEval_", "Py_", "__wasilibc_"];
    let is_python = |name: &String| python.iter().any(|part| name.contains(part));
    if backtrace.iter().any(is_python) {
        "Probably a Python exception that nothing caught, an import in a function, a clock, or print.".to_owned()
    } else {
        "Probably a panic, an assertion, abort(), a clock, or, in JavaScript, a value of another shape than the interface has.".to_owned()
    }
}
