//! The publisher on AWS Lambda: what a tenant uploads to S3 becomes a release,
//! or a rejection that says why not.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "Lambda's log is what we print"
)]

#[path = "publisher/notification.rs"]
mod notification;

use std::env;
use std::process::ExitCode;
use std::sync::Arc;

use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use notification::{Unread, Written};
use poolhook::aws;
use poolhook::blobs::s3::Timeouts;
use poolhook::blobs::{Key, Location, Locations};
use poolhook::config::HostConfig;
use poolhook::log::{self, Level};
use poolhook::pools::Pools;
use poolhook::publish::{Checker, Publisher, compile_stdin, upload_log_line};
use poolhook::releases::Releases;
use serde_json::{Value, json};

/// The bucket whose uploads are published: `s3://bucket` or `s3://bucket/prefix`.
const BLOBS: &str = "POOLHOOK_BLOBS";
/// Where `host.toml` with the limits lies, and the pools' configs; unset, the limits are
/// the defaults.
const CONFIG: &str = "POOLHOOK_CONFIG";

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "precompile") {
        return compile_stdin(arguments).unwrap_or_else(|error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        });
    }
    log::serve(|line| println!("{line}"), serve())
}

async fn serve() -> Result<(), Error> {
    let aws = aws::config().await;
    let locations = Locations::new(&aws, Timeouts::Batch);
    let location = location_of(BLOBS)?.ok_or_else(|| format!("{BLOBS} is not set"))?;
    let Location::Bucket { name, prefix } = location.clone() else {
        return Err(format!("{BLOBS} must be s3://BUCKET or s3://BUCKET/PREFIX").into());
    };
    let configs = match location_of(CONFIG)? {
        Some(location) => Some(locations.open(&location)?),
        None => None,
    };
    let config = match &configs {
        Some(configs) => Pools::open(Arc::clone(configs))
            .await?
            .host_config()
            .clone(),
        None => HostConfig::default(),
    };
    let releases = Releases::new(locations.open(&location)?);
    let checker = Checker::new(config.publish, env::current_exe()?);
    let mut publisher = Publisher::new(releases, checker).with_pauses();
    if let Some(configs) = configs {
        publisher = publisher.with_configs(configs);
    }

    let uploads = Uploads {
        publisher,
        bucket: name,
        prefix,
    };
    let uploads = Arc::new(uploads);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let uploads = Arc::clone(&uploads);
        async move { uploads.publish(&event.payload).await }
    }))
    .await
}

fn location_of(variable: &str) -> Result<Option<Location>, Error> {
    let Some(location) = env::var_os(variable) else {
        return Ok(None);
    };
    let location = location.to_string_lossy().parse();
    location
        .map(Some)
        .map_err(|error| format!("{variable} {error}").into())
}

/// The uploads of one bucket.
struct Uploads {
    publisher: Publisher,
    bucket: String,
    prefix: String,
}

impl Uploads {
    /// Publishes the uploads of an event. An error asks Lambda to send the event
    /// again, which is harmless for those that are done.
    async fn publish(&self, event: &Value) -> Result<(), Diagnostic> {
        let uploads = match notification::parse(event) {
            Ok(uploads) => uploads,
            Err(test @ Unread::Test) => {
                let body = json!({ "message": test.to_string() });
                println!("{}", log::line(Level::Info, &body));
                return Ok(());
            }
            Err(unknown @ Unread::Unknown { .. }) => {
                let error = Diagnostic {
                    error_type: "Publish.UnknownEvent".to_owned(),
                    error_message: unknown.to_string(),
                };
                let body = json!({ "error": error.error_type, "message": error.error_message });
                println!("{}", log::line(Level::Error, &body));
                return Err(error);
            }
        };
        let mut failed = None;
        for Written { bucket, key, at } in uploads {
            let Some(key) = self.key(&bucket, &key) else {
                let body = json!({ "bucket": bucket, "upload": key, "published": "nothing",
                                   "message": "no upload of this publisher's" });
                println!("{}", log::line(Level::Warn, &body));
                continue;
            };
            let handled = match Key::try_from(key.to_owned()) {
                Ok(key) => self.publisher.publish_upload(&key, Some(at)).await,
                Err(error) => self.publisher.reject_key(key, error, at).await,
            };
            println!("{}", upload_log_line(key, &handled));
            failed = handled.err().or(failed);
        }
        match failed {
            None => Ok(()),
            Some(error) => Err(Diagnostic {
                error_type: error.name().to_owned(),
                error_message: error.text(),
            }),
        }
    }

    /// The key without the prefix.
    fn key<'a>(&self, bucket: &str, key: &'a str) -> Option<&'a str> {
        let key = key.strip_prefix(&self.prefix)?;
        (bucket == self.bucket).then_some(key)
    }
}
