//! Storage locations, as options and the environment name them.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use super::dir::Dir;
use super::s3::{S3, Timeouts};
use super::{BlobError, Blobs, Key};
use crate::aws::SdkConfig;

/// A storage location: a folder, or `s3://bucket/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A folder.
    Folder(PathBuf),
    /// A prefix of a bucket's keys.
    Bucket {
        /// The bucket's name.
        name: String,
        /// Empty, or ends with a slash.
        prefix: String,
    },
}

impl FromStr for Location {
    type Err = BadLocation;

    fn from_str(text: &str) -> Result<Self, BadLocation> {
        let Some(bucket) = text.strip_prefix("s3://") else {
            return if text.is_empty() {
                Err(BadLocation)
            } else {
                Ok(Self::Folder(text.into()))
            };
        };
        let (name, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
        let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        // Between dots, as in a host's name: no end of a part is a hyphen.
        let part = |part: &str| {
            let ends = [part.bytes().next(), part.bytes().next_back()];
            ends.into_iter().all(|end| end.is_some_and(alphanumeric))
                && part.bytes().all(|b| alphanumeric(b) || b == b'-')
        };
        if !(3..=63).contains(&name.len()) || !name.split('.').all(part) {
            return Err(BadLocation);
        }
        let prefix = prefix.trim_end_matches('/');
        if prefix.is_empty() {
            let (name, prefix) = (name.to_owned(), String::new());
            return Ok(Self::Bucket { name, prefix });
        }
        let prefix = Key::try_from(prefix.to_owned()).map_err(|_| BadLocation)?;
        Ok(Self::Bucket {
            name: name.to_owned(),
            prefix: format!("{prefix}/"),
        })
    }
}

/// The text is not a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a folder, or s3://bucket or s3://bucket/prefix with a bucket's name in S3's rules"
)]
pub struct BadLocation;

/// Opens locations. All that are in S3 share their connections.
pub struct Locations {
    shared: SdkConfig,
    timeouts: Timeouts,
    s3: OnceLock<S3>,
}

impl Locations {
    /// Opens locations with these timeouts.
    pub fn new(shared: &SdkConfig, timeouts: Timeouts) -> Self {
        Self {
            shared: shared.clone(),
            timeouts,
            s3: OnceLock::new(),
        }
    }

    /// Opens an existing location. Whether a bucket exists shows at its first use.
    pub fn open(&self, location: &Location) -> Result<Arc<dyn Blobs>, BlobError> {
        Ok(match location {
            Location::Folder(folder) => Arc::new(Dir::open(folder)?),
            Location::Bucket { name, prefix } => Arc::new(self.bucket(name, prefix)),
        })
    }

    /// Opens a location. A folder is created if it does not exist.
    pub fn create(&self, location: &Location) -> Result<Arc<dyn Blobs>, BlobError> {
        if let Location::Folder(folder) = location {
            Dir::create(folder)?;
        }
        self.open(location)
    }

    fn bucket(&self, name: &str, prefix: &str) -> S3 {
        let (name, prefix) = (name.to_owned(), prefix.to_owned());
        let first = || S3::new(&self.shared, name.clone(), prefix.clone(), self.timeouts);
        let s3 = self.s3.get_or_init(first);
        s3.beside(name, prefix)
    }
}
