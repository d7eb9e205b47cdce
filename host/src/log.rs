//! Log lines: one JSON object each, with the keys that Lambda's [JSON log format][doc]
//! reads. A line without a valid `timestamp` would be filed as INFO, errors too.
//!
//! [doc]: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html

#[cfg(feature = "lambda")]
use std::error::Error;
use std::fmt;
use std::panic::{self, PanicHookInfo};
#[cfg(feature = "lambda")]
use std::process::ExitCode;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::text::printable_json;
use crate::timestamp::Timestamp;

/// How urgent a line is, by Lambda's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// Only plugins use it.
    Debug,
    /// What happens every day.
    Info,
    /// poolhook continues, but an operator should look.
    Warn,
    /// An event, an upload or the process failed.
    Error,
}

/// A line of this moment. `body` must serialize as a JSON object; its keys follow
/// `timestamp` and `level`.
pub fn line(level: Level, body: &impl Serialize) -> String {
    #[derive(Serialize)]
    struct Line<'a, T> {
        timestamp: Timestamp,
        level: Level,
        #[serde(flatten)]
        body: &'a T,
    }
    let timestamp = SystemTime::now().into();
    let line = Line {
        timestamp,
        level,
        body,
    };
    // Objects with text keys can always be written to memory.
    let line = serde_json::to_string(&line).unwrap_or_default();
    printable_json(&line).into_owned()
}

/// Prints the warnings and errors of the AWS SDKs and of Lambda's runtime as lines.
/// Only the first call in a process has an effect.
pub fn forward_warnings(print: fn(String)) {
    let _ = tracing::subscriber::set_global_default(Lines { print });
}

/// Runs a Lambda function's loop on one thread. Prints the libraries' warnings, panics and
/// the error that ends the loop as lines.
#[cfg(feature = "lambda")]
pub fn serve(
    print: fn(String),
    serve: impl Future<Output = Result<(), Box<dyn Error + Send + Sync>>>,
) -> ExitCode {
    forward_warnings(print);
    forward_panics(print);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let served = match runtime {
        Ok(runtime) => runtime.block_on(serve),
        Err(error) => Err(error.into()),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let message = error.to_string();
            print(line(Level::Error, &json!({ "message": message })));
            ExitCode::FAILURE
        }
    }
}

/// Prints a panic as a line that says where it happened. Its message may contain
/// personal data.
pub fn forward_panics(print: fn(String)) {
    panic::set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
        let location = panic.location().map(ToString::to_string);
        print(line(
            Level::Error,
            &json!({ "message": "poolhook panicked", "location": location }),
        ));
    }));
}

/// Prints events, and has nothing to do with spans.
struct Lines {
    print: fn(String),
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= tracing::Level::WARN
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata: &Metadata<'_> = event.metadata();
        let level = if *metadata.level() == tracing::Level::ERROR {
            Level::Error
        } else {
            Level::Warn
        };
        let mut fields = Fields(Map::new());
        fields.0.insert("target".into(), metadata.target().into());
        event.record(&mut fields);
        (self.print)(line(level, &fields.0));
    }
}

/// An event's fields, by their names; a sentence is the field `message`.
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // These two are the line's own.
        if !["timestamp", "level"].contains(&field.name()) {
            self.0.insert(field.name().into(), value.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::forward_warnings;
    use crate::timestamp::Timestamp;

    #[test]
    fn warnings_of_libraries_are_lines_with_a_timestamp_and_a_level() {
        static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
        forward_warnings(|line| LINES.lock().unwrap().push(line));
        tracing::info!("not printed");
        tracing::warn!(attempt = 2, "retrying");
        tracing::error!(error = %"no \"answer\"\n", level = "own", "failed");
        let lines = LINES.lock().unwrap();
        let values = lines.iter().map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            let timestamp = value["timestamp"].as_str().unwrap();
            assert!(timestamp.parse::<Timestamp>().is_ok(), "{line}");
            assert_eq!(value["target"], "poolhook::log::tests");
            ["level", "message", "attempt", "error"]
                .map(|key| value[key].as_str().unwrap_or_default().to_owned())
        });
        let expected = [
            ["WARN", "retrying", "2", ""],
            ["ERROR", "failed", "", "no \"answer\"\n"],
        ];
        assert_eq!(values.collect::<Vec<_>>(), expected);
    }
}
