//! The publisher on AWS Lambda: what a tenant uploads to S3 becomes a release,
//! or a rejection that says why not.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "Lambda's log is what we print"
)]

use std::env;
use std::process::ExitCode;
use std::sync::Arc;

use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use percent_encoding::percent_decode_str;
use poolhook::aws;
use poolhook::blobs::s3::Timeouts;
use poolhook::blobs::{Key, Location, Places};
use poolhook::config::HostConfig;
use poolhook::pools::Pools;
use poolhook::publish::{Checker, Publisher, compile_stdin, upload_log_line};
use poolhook::releases::Releases;
use serde::Deserialize;

/// The bucket whose uploads are published: `s3://bucket` or `s3://bucket/prefix`.
const BLOBS: &str = "POOLHOOK_BLOBS";
/// Where `host.toml` with the limits lies; unset, they are the defaults.
const CONFIG: &str = "POOLHOOK_CONFIG";

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "precompile") {
        return compile_stdin(arguments).unwrap_or_else(|error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let served = match runtime {
        Ok(runtime) => runtime.block_on(serve()),
        Err(error) => Err(error.into()),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Error> {
    let aws = aws::config().await;
    let places = Places::new(&aws, Timeouts::Batch);
    let location = location_of(BLOBS)?.ok_or_else(|| format!("{BLOBS} is not set"))?;
    let Location::Bucket { name, prefix } = location.clone() else {
        return Err(format!("{BLOBS} must be s3://BUCKET or s3://BUCKET/PREFIX").into());
    };
    let config = match location_of(CONFIG)? {
        Some(location) => Pools::open(places.open(&location)?)
            .await?
            .host_config()
            .clone(),
        None => HostConfig::default(),
    };
    let releases = Releases::new(places.open(&location)?);
    let checker = Checker::new(config.publish, env::current_exe()?);
    let publisher = Publisher::new(releases, checker);

    let uploads = Uploads {
        publisher,
        bucket: name,
        prefix,
    };
    let uploads = Arc::new(uploads);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<S3Event>| {
        let uploads = Arc::clone(&uploads);
        async move { uploads.publish(event.payload).await }
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

/// What S3 sends, as far as it is read ([its shape][doc]); its test event has no
/// records.
///
/// [doc]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
#[derive(Deserialize)]
struct S3Event {
    #[serde(default, rename = "Records")]
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    s3: Entity,
}

#[derive(Deserialize)]
struct Entity {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
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
    async fn publish(&self, event: S3Event) -> Result<(), Diagnostic> {
        let mut failed = None;
        for Record { s3 } in event.records {
            let Some(key) = self.key(&s3) else {
                let (bucket, key) = (s3.bucket.name, s3.object.key);
                println!(
                    "{}",
                    serde_json::json!({ "level": "WARN", "bucket": bucket, "upload": key,
                                        "published": "nothing",
                                        "message": "no upload of this publisher's" })
                );
                continue;
            };
            let handled = self.publisher.publish_upload(&key).await;
            println!("{}", upload_log_line(&key, &handled));
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

    /// The key without the prefix; S3 encodes keys as in a form.
    fn key(&self, s3: &Entity) -> Option<Key> {
        let key = s3.object.key.replace('+', " ");
        let key = percent_decode_str(&key).decode_utf8().ok()?;
        let key = key.strip_prefix(&self.prefix)?;
        let own = s3.bucket.name == self.bucket;
        own.then(|| Key::try_from(key.to_owned()).ok()).flatten()
    }
}
