//! One line to the platform's log, marked as the plugin's. Keep personal data out
//! of it. The bytes of an event's lines are limited (`limits.log-bytes`), and more
//! of them end the event with `Plugin.LogLimit`.
//!
//! Natively, in `cargo test`, a line goes to standard error.
//!
//! ```
//! poolhook_plugin::log::warn("the plan is unknown: taken for free");
//! ```

use crate::bindings::poolhook::mapper::logging::{self, Level};

/// For the plugin's author.
pub fn debug(message: &str) {
    line(Level::Debug, message);
}

/// Worth knowing.
pub fn info(message: &str) {
    line(Level::Info, message);
}

/// Looks wrong.
pub fn warn(message: &str) {
    line(Level::Warn, message);
}

/// Is wrong.
pub fn error(message: &str) {
    line(Level::Error, message);
}

#[allow(clippy::print_stderr, reason = "where there is no host to log to")]
fn line(level: Level, message: &str) {
    if cfg!(target_family = "wasm") {
        logging::log(level, message);
    } else {
        eprintln!("{level:?}: {message}");
    }
}
