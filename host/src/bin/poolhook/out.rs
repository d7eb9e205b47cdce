//! All that the commands print. Nothing that a plugin, a user, a config or an upload
//! holds reaches a terminal raw.

use std::cell::Cell;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
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

/// How often progress is a line, where there is no terminal to draw a bar on.
const LINES: Duration = Duration::from_secs(10);

/// The progress of long work: a bar on a terminal, a line now and then elsewhere.
pub(crate) struct Progress {
    bar: ProgressBar,
    what: &'static str,
    said: Cell<Instant>,
}

impl Progress {
    /// Of `total`, about, if that is known. `what` is counted, such as `users`.
    pub(crate) fn new(total: Option<u64>, what: &'static str) -> Self {
        let progress = Self {
            bar: ProgressBar::no_length(),
            what,
            said: Cell::new(Instant::now()),
        };
        if let Some(total) = total {
            progress.bar.set_length(total);
        }
        progress.set_style();
        progress
    }

    fn set_style(&self) {
        let what = self.what;
        let template = match self.bar.length() {
            Some(_) => {
                format!("{{bar:30}} {{pos}} of about {{len}} {what}, {{per_sec}}, {{eta}} left")
            }
            None => format!("{{spinner}} {{pos}} {what}, {{per_sec}}"),
        };
        if let Ok(style) = ProgressStyle::with_template(&template) {
            self.bar.set_style(style);
        }
    }

    /// Begins at `done`, which an earlier run did.
    pub(crate) fn begin_at(&self, done: u64) {
        self.bar.set_position(done);
        self.bar.reset_eta();
    }

    /// Shows that `done` are done. A total that was too small is not shown any more.
    pub(crate) fn set(&self, done: u64) {
        if self.bar.length().is_some_and(|total| done > total) {
            self.bar.unset_length();
            self.set_style();
        }
        self.bar.set_position(done);
        if self.bar.is_hidden() && self.said.get().elapsed() >= LINES {
            self.said.set(Instant::now());
            match self.bar.length() {
                Some(total) => say!("{done} of about {total} {}", self.what),
                None => say!("{done} {}", self.what),
            }
        }
    }

    /// Prints without disturbing the bar.
    pub(crate) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Leaves the bar as it is.
    pub(crate) fn abandon(&self) {
        self.bar.abandon();
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Shows that something goes on while a component is compiled.
pub(crate) async fn compiling<T>(work: impl Future<Output = T>) -> T {
    let progress = ProgressBar::new_spinner().with_message("compiling and checking");
    progress.enable_steady_tick(Duration::from_millis(100));
    let result = work.await;
    progress.finish_and_clear();
    result
}
