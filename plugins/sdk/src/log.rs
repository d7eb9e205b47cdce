//! Each call writes one line to the platform's log, marked as the plugin's. Never
//! log personal data. If an event's lines are longer than `limits.log-bytes` in all,
//! the event fails with `Plugin.LogLimit`.
//!
//! Natively, in `cargo test`, a line goes to standard error.
//!
//! ```
//! poolhook_plugin::log::warn("unknown plan: using the plan free");
//! ```

use crate::bindings::poolhook::mapper::logging::{self, Level};

/// Logs a line at level DEBUG.
pub fn debug(message: &str) {
    line(Level::Debug, message);
}

/// Logs a line at level INFO.
pub fn info(message: &str) {
    line(Level::Info, message);
}

/// Logs a line at level WARN.
pub fn warn(message: &str) {
    line(Level::Warn, message);
}

/// Logs a line at level ERROR.
pub fn error(message: &str) {
    line(Level::Error, message);
}

/// Makes a panic log its message before the plugin traps.
#[doc(hidden)]
pub fn panics() {
    // The log has a limit, and a line over it would end the run in the trap's place.
    const MOST: usize = 1024;
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.to_string();
        error(
            text.get(..text.floor_char_boundary(MOST))
                .unwrap_or_default(),
        );
    }));
}

#[allow(clippy::print_stderr, reason = "where there is no host to log to")]
fn line(level: Level, message: &str) {
    if cfg!(target_family = "wasm") {
        logging::log(level, message);
    } else {
        eprintln!("{level:?}: {message}");
    }
}
