//! The trigger on AWS Lambda: passes an invocation's bytes through the host and, if
//! nothing failed, answers with the same bytes.
//!
//! It speaks to the [Runtime API][api] itself: `lambda_runtime` would parse and reserialize
//! the payload, and end the process for a header that it cannot read.
//!
//! With the handler `replay`, the same program replays dead letters.
//!
//! [api]: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
// The AWS SDKs' futures are deeply nested types.
#![recursion_limit = "256"]
#![allow(clippy::print_stdout, reason = "Lambda logs what the process prints")]

#[path = "bootstrap/replay.rs"]
mod replay;

use std::ffi::OsStr;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fmt, mem};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use lambda_runtime::{Diagnostic, Error};
use lambda_runtime_api_client::body::Body;
use lambda_runtime_api_client::{PooledClient, build_request};
use poolhook::aws;
use poolhook::blobs::s3::Timeouts;
use poolhook::blobs::{Location, Locations};
use poolhook::config::{ConfigError, HostConfig};
use poolhook::dead_letters::DeadLetters;
use poolhook::failure::Class;
use poolhook::host::{Failure, Host};
use poolhook::log::{self, Level};
use poolhook::plugin::{ArtifactFiles, Loader};
use poolhook::plugins::Plugins;
use poolhook::pools::Pools;
use poolhook::releases::Releases;
use poolhook::store::dynamodb::DynamoDb;
use serde_json::json;

/// The handler's name for the function that replays dead letters instead of serving
/// Cognito.
const REPLAY: &str = "replay";
/// The location of the config: a folder, or `s3://bucket/prefix`. By default the
/// folder `config` next to the binary.
const CONFIG: &str = "POOLHOOK_CONFIG";
/// The location of published plugins and dead letters, in the same form. If unset,
/// there are neither.
const BLOBS: &str = "POOLHOOK_BLOBS";
/// The part of an invocation's time that is reserved for posting the answer.
const TO_ANSWER: Duration = Duration::from_millis(200);
/// The most that a cold start is charged to the first event's deadline. Reading the config
/// takes no longer: its requests time out after 2 s, which ends the process.
const LONGEST_COLD_START: Duration = Duration::from_secs(2);
/// Background refreshes may delay the next event by at most this; they usually take
/// far less.
const SETTLE: Duration = Duration::from_secs(1);
/// On managed instances, this header tells apart the attempts of one request.
const INVOCATION_ID: &str = "lambda-runtime-invocation-id";

fn main() -> ExitCode {
    log::serve(|line| println!("{line}"), serve())
}

async fn serve() -> Result<(), Error> {
    if env::var_os("_HANDLER").is_some_and(|handler| handler == REPLAY) {
        return Box::pin(replay::serve(set_up(Timeouts::Batch).await?)).await;
    }
    let began = Instant::now();
    let mut trigger = Trigger {
        runtime_api: PooledClient::builder().build(),
        cold_start: Mutex::default(),
    };
    let host = match host().await {
        Ok(host) => host,
        Err(failure) => {
            let failure = diagnostic(failure.name(), failure.text());
            trigger
                .post("init/error".into(), None, serde_json::to_vec(&failure)?)
                .await?;
            return Err(failure.error_message.into());
        }
    };
    trigger.cold_start = Mutex::new(began.elapsed());
    loop {
        if let Some(invocation) = trigger.next().await? {
            trigger.answer(&host, invocation).await?;
        }
    }
}

async fn host() -> Result<Host, Failure> {
    let Setup { host, dead_letters } = set_up(Timeouts::SignUp).await?;
    Ok(match dead_letters {
        Some(dead_letters) => host.with_dead_letters(dead_letters),
        None => host,
    })
}

/// What the environment variables configure.
struct Setup {
    host: Host,
    dead_letters: Option<DeadLetters>,
}

async fn set_up(timeouts: Timeouts) -> Result<Setup, Failure> {
    let aws = aws::config().await;
    let locations = Locations::new(&aws, timeouts);
    let pools = Pools::open(locations.open(&config_location()?)?).await?;
    let plugins = Plugins::with_loader(Loader::for_one_thread()?)?;
    let items = Arc::new(DynamoDb::new(&aws));
    let Some(location) = env::var_os(BLOBS) else {
        let host = Host::new(pools, plugins, items);
        let dead_letters = None;
        return Ok(Setup { host, dead_letters });
    };
    let blobs = locations.open(&location_of(BLOBS, &location)?)?;
    let files = artifact_files(pools.host_config());
    let releases = Releases::new(Arc::clone(&blobs));
    let plugins = plugins.with_published(releases, files, pools.host_config());
    Ok(Setup {
        host: Host::new(pools, plugins, items),
        dead_letters: Some(DeadLetters::new(blobs)),
    })
}

fn config_location() -> Result<Location, ConfigError> {
    let beside_binary = || {
        let binary = env::current_exe().unwrap_or_default();
        Ok(Location::Folder(binary.with_file_name("config")))
    };
    env::var_os(CONFIG).map_or_else(beside_binary, |location| location_of(CONFIG, &location))
}

fn location_of(variable: &'static str, location: &OsStr) -> Result<Location, ConfigError> {
    let location = location.to_str().and_then(|text| text.parse().ok());
    location.ok_or(ConfigError::BadLocation { variable })
}

/// Uses the temporary folder, which lives as long as the function's environment. If
/// that fails, plugins are copied into memory, which is slower, but the host works.
fn artifact_files(config: &HostConfig) -> Option<ArtifactFiles> {
    let folder = ArtifactFiles::own_folder(&env::temp_dir());
    let files = ArtifactFiles::open(&folder, config.plugin_disk_bytes);
    files
        .inspect_err(|error| {
            let message = format!("cannot use {}: {error}", folder.display());
            println!("{}", log::line(Level::Warn, &json!({ "message": message })));
        })
        .ok()
}

/// An event, and what the Runtime API says of it. Nothing that it says ends the process.
struct Invocation {
    event: Bytes,
    request_id: String,
    deadline: Option<SystemTime>,
    /// On managed instances, which attempt of the request this is.
    attempt: Option<String>,
}

/// Answers invocations.
struct Trigger {
    runtime_api: PooledClient,
    /// How long the first event waited for the process to start.
    cold_start: Mutex<Duration>,
}

impl Trigger {
    /// Waits for the next invocation; `None` for one that cannot be answered.
    async fn next(&self) -> Result<Option<Invocation>, Error> {
        let request = build_request()
            .method("GET")
            .uri("/2018-06-01/runtime/invocation/next")
            .body(Body::empty())?;
        let (parts, body) = self.runtime_api.call(request).await?.into_parts();
        let event = body.collect().await?.to_bytes();
        if !parts.status.is_success() {
            return Err(format!("the Runtime API has no event: {}", parts.status).into());
        }
        let header = |name| parts.headers.get(name)?.to_str().ok().map(str::to_owned);
        let Some(request_id) = header("lambda-runtime-aws-request-id") else {
            let message = "an invocation without a request id cannot be answered";
            println!(
                "{}",
                log::line(Level::Error, &json!({ "message": message }))
            );
            return Ok(None);
        };
        let deadline = header("lambda-runtime-deadline-ms").and_then(|ms| ms.parse().ok());
        Ok(Some(Invocation {
            event,
            request_id,
            deadline: deadline.and_then(|ms| UNIX_EPOCH.checked_add(Duration::from_millis(ms))),
            attempt: header(INVOCATION_ID),
        }))
    }

    async fn answer(&self, host: &Host, invocation: Invocation) -> Result<(), Error> {
        let Invocation {
            event,
            request_id,
            deadline,
            attempt,
        } = invocation;
        // A panic in a library fails one event and does not end the process.
        // Boxed, because the future is large and would otherwise be copied.
        let mut delivery = host.deliver(&event, time_left(deadline));
        let until = delivery.until.checked_sub(self.waited());
        delivery.until = until.unwrap_or(delivery.until);
        let handle = Box::pin(host.handle(delivery));
        let handled = AssertUnwindSafe(handle).catch_unwind();

        let request_id = &request_id;
        let failure = if let Ok(report) = handled.await {
            println!("{}", report.log_line(request_id));
            for line in report.plugin_log_lines(request_id) {
                println!("{line}");
            }
            let failure = report.answer().err();
            failure.map(|failure| diagnostic(failure.name(), failure.text()))
        } else {
            // The panic's message may contain personal data.
            let panicked = diagnostic("Host.Panicked", "poolhook panicked");
            let line = json!({
                "requestId": request_id,
                "outcome": "failed",
                "error": panicked.error_type,
                "class": Class::Host.as_str(),
            });
            println!("{}", log::line(Level::Error, &line));
            Some(panicked)
        };
        let attempt = attempt.as_deref();
        match failure {
            None => {
                self.post(format!("invocation/{request_id}/response"), attempt, event)
                    .await?;
            }
            Some(failure) => {
                let body = serde_json::to_vec(&failure)?;
                self.post(format!("invocation/{request_id}/error"), attempt, body)
                    .await?;
            }
        }
        // Cognito has its answer. Once this process asks for the next event, Lambda
        // may freeze it, together with its background tasks.
        host.settle(SETTLE).await;
        for notice in host.notices() {
            println!("{}", notice.log_line());
        }
        Ok(())
    }

    /// How long this event waited before it reached this process. In an environment
    /// that Lambda started in advance no event waited, but that cannot be detected; the
    /// cap leaves the first event enough time in any case.
    fn waited(&self) -> Duration {
        let mut cold_start = self
            .cold_start
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut *cold_start).min(LONGEST_COLD_START)
    }

    /// Posts to the Runtime API. If it refuses, for example because the invocation has
    /// timed out, this invocation needs nothing more.
    async fn post(
        &self,
        path: String,
        attempt: Option<&str>,
        body: impl Into<Body>,
    ) -> Result<(), Error> {
        let mut request = build_request()
            .method("POST")
            .uri(format!("/2018-06-01/runtime/{path}"));
        if path.ends_with("error") {
            request = request.header("lambda-runtime-function-error-type", "Unhandled");
        }
        if let Some(attempt) = attempt {
            request = request.header(INVOCATION_ID, attempt);
        }
        // A request id that fits in no URI: the invocation cannot be answered.
        let request = match request.body(body.into()) {
            Ok(request) => request,
            Err(error) => {
                let message = format!("cannot answer the invocation: {error}");
                println!(
                    "{}",
                    log::line(Level::Error, &json!({ "message": message }))
                );
                return Ok(());
            }
        };
        let response = self.runtime_api.call(request).await?;
        if !response.status().is_success() {
            let message = format!("the Runtime API refused {path}: {}", response.status());
            println!("{}", log::line(Level::Warn, &json!({ "message": message })));
        }
        Ok(())
    }
}

/// The invocation's remaining time, less what is reserved for the answer. Without a
/// deadline, or with one that has passed on arrival by another clock, `deadline-ms` alone
/// applies.
fn time_left(deadline: Option<SystemTime>) -> Duration {
    let left = deadline.and_then(|deadline| deadline.duration_since(SystemTime::now()).ok());
    let left = left.unwrap_or_default().saturating_sub(TO_ANSWER);
    if left.is_zero() { Duration::MAX } else { left }
}

fn diagnostic(name: &str, text: impl fmt::Display) -> Diagnostic {
    Diagnostic {
        error_type: name.to_owned(),
        error_message: text.to_string(),
    }
}
