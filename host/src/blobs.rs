//! Storage for everything that is not an item: the trait [`Blobs`] and its
//! implementations, a folder and a prefix of an S3 bucket. One conformance test
//! holds for both (`host/tests/it/blobs.rs`).

pub mod dir;
mod location;
pub mod s3;

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::pin::Pin;

use crate::timestamp::Timestamp;
pub use location::{BadLocation, Location, Locations};

/// A call of [`Blobs`], on its way.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, BlobError>> + Send + 'a>>;

/// A store of blobs by key.
pub trait Blobs: Send + Sync {
    /// Reads a blob of at most `max_bytes`, unless it is still the version `known` that
    /// the caller has.
    fn get<'a>(
        &'a self,
        key: &'a Key,
        known: Option<&'a ETag>,
        max_bytes: u64,
    ) -> BoxFuture<'a, Read>;

    /// Copies a blob of at most `max_bytes` piece by piece, so that it is never in
    /// memory as a whole. If this fails, `to` may have received a part of it.
    fn copy<'a>(
        &'a self,
        key: &'a Key,
        max_bytes: u64,
        to: &'a mut (dyn Write + Send),
    ) -> BoxFuture<'a, Copied>;

    /// Writes a blob atomically, if the condition holds.
    fn put<'a>(
        &'a self,
        key: &'a Key,
        bytes: Vec<u8>,
        condition: Condition,
    ) -> BoxFuture<'a, Stored>;

    /// The blobs whose keys begin with `prefix`, in the order of their keys.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Vec<Listed>>;

    /// At most `limit` (up to 1,000) of the blobs whose keys begin with `prefix`, after the
    /// key `after`, in the order of their keys.
    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: u16,
    ) -> BoxFuture<'a, Vec<Listed>>;

    /// The segments that follow `prefix`, which ends with a slash, in keys that have more
    /// segments after them; each once, in order.
    fn folders<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Vec<String>>;

    /// Deletes a blob. A blob that does not exist is not an error.
    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, ()>;

    /// A blob's address for messages: a path, or `s3://bucket/key`. An empty key stands
    /// for the folder or prefix itself.
    fn address(&self, key: &str) -> String;
}

/// A blob's key: at most 512 bytes of segments between slashes, of which none
/// is empty, begins with a dot, or holds a control character or a backslash.
/// Safe as a path below a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// A key made of names that are safe in a key.
    pub(crate) fn unchecked(key: String) -> Self {
        Self(key)
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Key {
    type Error = BadKey;

    fn try_from(key: String) -> Result<Self, BadKey> {
        let allowed = |c: char| !c.is_control() && c != '\\';
        let segment = |segment: &str| !segment.is_empty() && !segment.starts_with('.');
        let well_formed =
            key.len() <= 512 && key.split('/').all(segment) && key.chars().all(allowed);
        well_formed.then_some(Self(key)).ok_or(BadKey)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key has at most 512 bytes, in segments between slashes; none is empty, begins with a dot, or holds a backslash or a control character"
)]
pub struct BadKey;

/// A blob's version. Two versions of one blob are equal only if its bytes are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag(pub(crate) String);

/// A blob that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its version.
    pub etag: ETag,
    /// When it was written.
    pub modified: Timestamp,
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// This blob.
    Blob(Blob),
    /// The blob is still the version that the caller has.
    Unchanged,
    /// There is no such blob.
    Absent,
}

/// What a copy did.
#[derive(Debug)]
pub enum Copied {
    /// All of the blob was written.
    Whole,
    /// There is no such blob.
    Absent,
    /// The blob could be read, but its copy could not be written.
    NotWritten(io::Error),
}

/// The condition for a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// None: an existing blob is replaced.
    Any,
    /// No blob has the key.
    Absent,
    /// The blob is still this version.
    Is(ETag),
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The blob is written.
    Written,
    /// Its condition did not hold; nothing was written.
    ConditionFailed,
}

/// A blob in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: Key,
    /// Its size.
    pub bytes: u64,
    /// When it was written.
    pub modified: Timestamp,
}

/// Why a blob could not be read or written.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "Blobs.")]
pub enum BlobError {
    /// Larger than the caller's limit.
    #[error("{address} has {bytes} bytes; at most {max_bytes} are read")]
    TooLarge {
        /// Where it lies.
        address: String,
        /// Its size.
        bytes: u64,
        /// The most that would have been read.
        max_bytes: u64,
    },
    /// The credentials are missing, or do not permit it.
    #[error("access to {address} is denied ({code})")]
    AccessDenied {
        /// Where it lies.
        address: String,
        /// The system's or S3's error code.
        code: String,
    },
    /// No bucket of that name.
    #[error("there is no bucket {bucket}")]
    NoBucket {
        /// Its name.
        bucket: String,
    },
    /// Any other failure: no answer, a timeout, a full disk.
    #[error("cannot reach {address}")]
    Unavailable {
        /// Where it lies.
        address: String,
        /// The system's or the SDK's reason.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl BlobError {
    /// The error's name, for logs and callers.
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// Whether it is this blob that cannot be read, for good: it is encrypted with a key
    /// that its reader may not use.
    #[cfg(feature = "compiler")]
    pub(crate) fn is_of_the_object(&self) -> bool {
        let of_the_object = |code: &str| {
            ["AccessDenied", "InvalidRequest"].contains(&code) || code.starts_with("KMS.")
        };
        matches!(self, Self::AccessDenied { code, .. } if of_the_object(code))
    }

    /// Whether the same call may well succeed later, without a fix by hand.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
