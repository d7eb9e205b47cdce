//! Blobs in an S3 bucket, below a prefix: the only file that knows its SDK.

use std::error::Error;
use std::io::Write;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::Object;

use crate::aws::{self, Limits, SdkConfig};
use crate::blobs::{
    Blob, BlobError, Blobs, BoxFuture, Condition, Copied, ETag, Key, Listed, Read, Stored,
};
use crate::timestamp::Timestamp;

/// A prefix of a bucket's keys.
///
/// Needs `s3:GetObject`, `s3:PutObject` and `s3:DeleteObject` on what is below
/// the prefix, as far as they are used, and `s3:ListBucket` on the bucket even if
/// nothing is listed: without it, S3 answers that access is denied if a key does not
/// exist.
///
/// `modified` has whole seconds.
#[derive(Debug)]
pub struct S3 {
    client: Client,
    bucket: String,
    prefix: String,
    timeouts: Timeouts,
}

/// How long a call may take, including its retries and all bytes of its body. The SDK
/// has no such limit by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeouts {
    /// 2 s: for a sign-up, for which Cognito waits 5 s in all.
    SignUp,
    /// 60 s, enough for about 32 MiB: for work that no user waits for.
    Batch,
}

impl Timeouts {
    fn connect(self) -> Duration {
        Duration::from_secs(match self {
            Self::SignUp => 1,
            Self::Batch => 3,
        })
    }

    fn attempt(self) -> Duration {
        Duration::from_secs(match self {
            Self::SignUp => 1,
            Self::Batch => 30,
        })
    }

    /// The SDK's own backoff is up to a second before the first retry.
    fn retries(self) -> RetryConfig {
        let standard = RetryConfig::standard();
        match self {
            Self::SignUp => standard
                .with_initial_backoff(Duration::from_millis(50))
                .with_max_backoff(Duration::from_millis(500)),
            Self::Batch => standard,
        }
    }

    fn all(self) -> Duration {
        Duration::from_secs(match self {
            Self::SignUp => 2,
            Self::Batch => 60,
        })
    }
}

impl S3 {
    /// The blobs of `bucket` whose keys begin with `prefix`, which is empty or
    /// ends with a slash, as in [`Location`](crate::blobs::Location).
    pub fn new(shared: &SdkConfig, bucket: String, prefix: String, timeouts: Timeouts) -> Self {
        let limits = Limits {
            connect: timeouts.connect(),
            attempt: timeouts.attempt(),
            retries: timeouts.retries(),
        };
        Self {
            client: Client::new(&aws::client_config(shared, limits, None)),
            bucket,
            prefix,
            timeouts,
        }
    }

    /// The blobs of another bucket or prefix, over the same connections.
    #[must_use]
    pub fn beside(&self, bucket: String, prefix: String) -> Self {
        Self {
            client: self.client.clone(),
            bucket,
            prefix,
            timeouts: self.timeouts,
        }
    }

    async fn read(&self, key: &Key, known: Option<&ETag>, max: u64) -> Result<Read, BlobError> {
        let request = self.client.get_object().bucket(&self.bucket);
        let request = request
            .key(self.full(key.as_str()))
            .set_if_none_match(known.map(|etag| etag.0.clone()));
        match request.send().await {
            Ok(found) => self.blob(key, found, max).await.map(Read::Blob),
            Err(error) => match answer(&error) {
                (304, _) => Ok(Read::Unchanged),
                (404, "NoSuchKey") => Ok(Read::Absent),
                // The object is encrypted with a key of its writer's (SSE-C).
                (400, code @ "InvalidRequest") => Err(self.denied(key.as_str(), code)),
                _ => Err(self.failed(key.as_str(), error)),
            },
        }
    }

    async fn copy_object(
        &self,
        key: &Key,
        max: u64,
        to: &mut (dyn Write + Send),
    ) -> Result<Copied, BlobError> {
        let request = self.client.get_object().bucket(&self.bucket);
        match request.key(self.full(key.as_str())).send().await {
            Ok(found) => self.receive(key, found, max, to).await,
            Err(error) => match answer(&error) {
                (404, "NoSuchKey") => Ok(Copied::Absent),
                _ => Err(self.failed(key.as_str(), error)),
            },
        }
    }

    async fn blob(&self, key: &Key, found: GetObjectOutput, max: u64) -> Result<Blob, BlobError> {
        let etag = found.e_tag().map(|etag| ETag(etag.to_owned()));
        let modified = found.last_modified().and_then(timestamp);
        let mut bytes = Vec::new();
        // A vector takes everything.
        self.receive(key, found, max, &mut bytes).await?;
        let (Some(etag), Some(modified)) = (etag, modified) else {
            return Err(
                self.unavailable(key.as_str(), "the answer has no ETag or no Last-Modified")
            );
        };
        Ok(Blob {
            bytes,
            etag,
            modified,
        })
    }

    /// Writes an object's body. A body that breaks off is not retried here: the caller
    /// reads again.
    async fn receive(
        &self,
        key: &Key,
        from: GetObjectOutput,
        max: u64,
        to: &mut (dyn Write + Send),
    ) -> Result<Copied, BlobError> {
        let too_large = |bytes| BlobError::TooLarge {
            address: self.address(key.as_str()),
            bytes,
            max_bytes: max,
        };
        let announced = from.content_length().and_then(|n| u64::try_from(n).ok());
        if let Some(bytes) = announced.filter(|bytes| *bytes > max) {
            return Err(too_large(bytes));
        }
        let (mut body, mut bytes) = (from.body, 0_u64);
        loop {
            let piece = body.try_next().await;
            let Some(piece) = piece.map_err(|error| self.unavailable(key.as_str(), error))? else {
                return Ok(Copied::Whole);
            };
            // Also where no length was announced.
            bytes = bytes.saturating_add(piece.len() as u64);
            if bytes > max {
                return Err(too_large(bytes));
            }
            if let Err(error) = to.write_all(&piece) {
                return Ok(Copied::NotWritten(error));
            }
        }
    }

    /// If an attempt's answer is lost, the retry may find the blob that it wrote, and
    /// fail on its condition. So after a failed condition the caller must read the blob
    /// again: it may be the caller's own.
    async fn write(
        &self,
        key: &Key,
        bytes: Vec<u8>,
        condition: Condition,
    ) -> Result<Stored, BlobError> {
        let request = self.client.put_object().bucket(&self.bucket);
        let request = request
            .key(self.full(key.as_str()))
            .body(ByteStream::from(bytes));
        let request = match condition {
            Condition::Any => request,
            Condition::Absent => request.if_none_match("*"),
            Condition::Is(ETag(etag)) => request.if_match(etag),
        };
        match request.send().await {
            Ok(_) => Ok(Stored::Written),
            Err(error) => match answer(&error) {
                // Not that version or some version, another write at the same
                // time, no version at all.
                (412, _) | (409, "ConditionalRequestConflict") | (404, "NoSuchKey") => {
                    Ok(Stored::ConditionFailed)
                }
                _ => Err(self.failed(key.as_str(), error)),
            },
        }
    }

    /// S3 lists keys in the order of their UTF-8, which is also [`Key`]'s.
    async fn list_all(&self, prefix: &str) -> Result<Vec<Listed>, BlobError> {
        let request = self.client.list_objects_v2().bucket(&self.bucket);
        let mut pages = request.prefix(self.full(prefix)).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failed(prefix, error))?;
            found.extend(page.contents().iter().filter_map(|o| self.listed(o)));
        }
        Ok(found)
    }

    async fn list_page(
        &self,
        prefix: &str,
        after: &str,
        limit: u16,
    ) -> Result<Vec<Listed>, BlobError> {
        let request = self.client.list_objects_v2().bucket(&self.bucket);
        let request = request
            .prefix(self.full(prefix))
            .set_start_after((!after.is_empty()).then(|| self.full(after)))
            .max_keys(limit.into());
        // A page may hold objects that are no blobs of poolhook's: then more are read.
        let mut pages = request.into_paginator().send();
        let mut found = Vec::new();
        while found.len() < limit.into()
            && let Some(page) = pages.next().await
        {
            let page = page.map_err(|error| self.failed(prefix, error))?;
            found.extend(page.contents().iter().filter_map(|o| self.listed(o)));
        }
        found.truncate(limit.into());
        Ok(found)
    }

    async fn list_folders(&self, prefix: &str) -> Result<Vec<String>, BlobError> {
        let full = self.full(prefix);
        let request = self.client.list_objects_v2().bucket(&self.bucket);
        let request = request.prefix(&full).delimiter("/");
        let mut pages = request.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failed(prefix, error))?;
            let folders = page.common_prefixes().iter().filter_map(|common| {
                let folder = common.prefix()?.strip_prefix(&full)?;
                folder.strip_suffix('/').map(str::to_owned)
            });
            found.extend(folders);
        }
        Ok(found)
    }

    /// `None` for an object that is not a blob of poolhook's, such as a console's
    /// `folder/`.
    fn listed(&self, object: &Object) -> Option<Listed> {
        let key = object.key()?.strip_prefix(&self.prefix)?;
        Some(Listed {
            key: Key::try_from(key.to_owned()).ok()?,
            bytes: u64::try_from(object.size()?).ok()?,
            modified: timestamp(object.last_modified()?)?,
        })
    }

    async fn remove(&self, key: &Key) -> Result<(), BlobError> {
        let request = self.client.delete_object().bucket(&self.bucket);
        let removed = request.key(self.full(key.as_str())).send().await;
        let removed = removed.map_err(|error| self.failed(key.as_str(), error));
        removed.map(|_| ())
    }

    /// The SDK's time limits end with the answer's headers; this one covers the body.
    async fn in_time<T>(
        &self,
        key: &str,
        work: impl Future<Output = Result<T, BlobError>>,
    ) -> Result<T, BlobError> {
        let done = tokio::time::timeout(self.timeouts.all(), work).await;
        done.unwrap_or_else(|late| Err(self.unavailable(key, late)))
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// By S3's [status and code][doc].
    ///
    /// [doc]: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    fn failed<E>(&self, key: &str, error: SdkError<E>) -> BlobError
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        match answer(&error) {
            (404, "NoSuchBucket") => BlobError::NoBucket {
                bucket: self.bucket.clone(),
            },
            // Tokens that are no good come as 400.
            (403, code)
            | (400, code @ ("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired")) => {
                self.denied(key, code)
            }
            (400, code) if code.starts_with("KMS.") => self.denied(key, code),
            _ if aws::lacks_credentials(&error) => self.denied(key, aws::NO_CREDENTIALS),
            _ => self.unavailable(key, error),
        }
    }

    fn denied(&self, key: &str, code: &str) -> BlobError {
        BlobError::AccessDenied {
            address: self.address(key),
            code: code.to_owned(),
        }
    }

    fn unavailable(&self, key: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> BlobError {
        BlobError::Unavailable {
            address: self.address(key),
            source: source.into(),
        }
    }
}

impl Blobs for S3 {
    fn get<'a>(
        &'a self,
        key: &'a Key,
        known: Option<&'a ETag>,
        max_bytes: u64,
    ) -> BoxFuture<'a, Read> {
        Box::pin(self.in_time(key.as_str(), self.read(key, known, max_bytes)))
    }

    fn copy<'a>(
        &'a self,
        key: &'a Key,
        max_bytes: u64,
        to: &'a mut (dyn Write + Send),
    ) -> BoxFuture<'a, Copied> {
        Box::pin(self.in_time(key.as_str(), self.copy_object(key, max_bytes, to)))
    }

    fn put<'a>(
        &'a self,
        key: &'a Key,
        bytes: Vec<u8>,
        condition: Condition,
    ) -> BoxFuture<'a, Stored> {
        Box::pin(self.in_time(key.as_str(), self.write(key, bytes, condition)))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Vec<Listed>> {
        Box::pin(self.in_time(prefix, self.list_all(prefix)))
    }

    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: u16,
    ) -> BoxFuture<'a, Vec<Listed>> {
        Box::pin(self.in_time(prefix, self.list_page(prefix, after, limit)))
    }

    fn folders<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Vec<String>> {
        Box::pin(self.in_time(prefix, self.list_folders(prefix)))
    }

    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, ()> {
        Box::pin(self.in_time(key.as_str(), self.remove(key)))
    }

    fn address(&self, key: &str) -> String {
        format!("s3://{}/{}{key}", self.bucket, self.prefix)
    }
}

/// The status and code of S3's answer; 0 and an empty code if there was no answer.
fn answer<E: ProvideErrorMetadata>(error: &SdkError<E>) -> (u16, &str) {
    let response = error.raw_response();
    let status = response.map_or(0, |response| response.status().as_u16());
    (status, error.code().unwrap_or_default())
}

fn timestamp(time: &DateTime) -> Option<Timestamp> {
    SystemTime::try_from(*time).ok().map(Timestamp::from)
}
