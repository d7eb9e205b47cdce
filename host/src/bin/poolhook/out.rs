//! All that the commands print. Nothing that a plugin, a user, a config or an upload
//! holds reaches a terminal raw.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::time::Duration;

use indicatif::ProgressBar;
use poolhook::text::{printable, printable_json};

/// Prints a message to standard error.
macro_rules! say {
    ($($message:tt)*) => {
        $crate::out::message(&format!($($message)*))
    };
}
pub(crate) use say;

pub(crate) fn message(message: &str) {
    eprintln!("{}", printable(message));
}

/// Prints a result to standard output.
pub(crate) fn text(result: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{}", printable(&result.to_string()))
}

/// Prints a JSON document to standard output.
pub(crate) fn json(document: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{}", printable_json(&document.to_string()))
}

/// Shows that something goes on while a component is compiled.
pub(crate) async fn compiling<T>(work: impl Future<Output = T>) -> T {
    let progress = ProgressBar::new_spinner().with_message("compiling and checking");
    progress.enable_steady_tick(Duration::from_millis(100));
    let result = work.await;
    progress.finish_and_clear();
    result
}
