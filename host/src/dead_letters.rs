//! Dead letters: events that could not be written, kept whole until they are.
//!
//! One blob an event, `dead-letters/<user pool id>/<date>/<digest of the event>.json`.
//! It holds personal data.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::sleep;

use crate::blobs::{BlobError, Blobs, Condition, ETag, Key, Listed, Read, Stored};
use crate::config::PluginName;
use crate::digest::Sha256;
use crate::event::{MAX_EVENT_BYTES, UserPoolId};
use crate::failure::{Class, Failure};
use crate::timestamp::Timestamp;

/// Where dead letters begin.
pub const DEAD_LETTERS: &str = "dead-letters/";
/// The largest letter: an event, and what is said of it.
const MAX_LETTER_BYTES: u64 = MAX_EVENT_BYTES as u64 + (64 << 10);
/// What a write takes as a rule is a fraction of this.
const SECOND_TRY: Duration = Duration::from_millis(300);
/// So many attempts are told of one event.
const MAX_ATTEMPTS: usize = 20;

/// The dead letters among the blobs.
#[derive(Clone)]
pub struct DeadLetters {
    blobs: Arc<dyn Blobs>,
}

/// An event that could not be written.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The pool.
    pub user_pool_id: String,
    /// When the event was first received: a replay maps it with this time.
    pub received: Timestamp,
    /// The plugin of the pool, if its config could be read.
    pub plugin: Option<PluginName>,
    /// The digest of its component, if it was a published one and was loaded.
    pub component: Option<Sha256>,
    /// What was tried, and why it failed; Cognito makes up to three attempts.
    pub attempts: Vec<Attempt>,
    /// The event, byte for byte.
    pub event: Box<RawValue>,
}

/// An attempt to write an event.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When the event was received for it.
    pub received: Timestamp,
    /// The failure's name.
    pub error_type: String,
    /// Its text.
    pub error_message: String,
    /// Whose part it is.
    pub class: Class,
    /// Whether it may well succeed later, with nothing mended by hand.
    pub retryable: bool,
}

impl Attempt {
    /// The attempt of an event that was received then and failed so.
    pub fn new(received: Timestamp, failure: &Failure) -> Self {
        Self {
            received,
            error_type: failure.name().to_owned(),
            error_message: failure.text(),
            class: failure.class(),
            retryable: failure.is_retryable(),
        }
    }
}

/// Why a letter cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// Not what poolhook has written there.
    #[error("{address} is no dead letter: {reason}")]
    Damaged {
        /// Where it lies.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// The store of blobs failed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

impl DeadLetters {
    /// The dead letters among these blobs.
    pub fn new(blobs: Arc<dyn Blobs>) -> Self {
        Self { blobs }
    }

    /// Keeps a letter. Of an event that is kept already (Cognito tried again) the
    /// attempt is added to the letter that is there.
    ///
    /// Where that takes long, it is tried a second time beside the first: one request
    /// that hangs must not lose an event, nor a store that is slow.
    pub async fn keep(&self, pool: &UserPoolId, letter: &DeadLetter) -> Result<(), BlobError> {
        let mut first = pin!(self.try_to_keep(pool, letter));
        let mut second = pin!(async {
            sleep(SECOND_TRY).await;
            self.try_to_keep(pool, letter).await
        });
        tokio::select! {
            kept = &mut first => if kept.is_ok() { kept } else { second.await },
            kept = &mut second => if kept.is_ok() { kept } else { first.await },
        }
    }

    /// Tries until it is seen to be kept: a failed condition is no proof of that,
    /// as S3 may refuse two writes at a time, and a replay may just have removed
    /// the letter. The caller knows how long.
    async fn try_to_keep(&self, pool: &UserPoolId, letter: &DeadLetter) -> Result<(), BlobError> {
        let key = key(pool, letter);
        loop {
            let put = self.blobs.put(&key, json(letter), Condition::Absent);
            if put.await? == Stored::Written {
                return Ok(());
            }
            match self.read(&key).await {
                Ok(Some((kept, etag))) => {
                    self.add(&key, kept, etag, &letter.attempts).await;
                    return Ok(());
                }
                Ok(None) => {}
                Err(DeadLetterError::Blobs(error)) => return Err(error),
                // Something lies there, and only we write there.
                Err(DeadLetterError::Damaged { .. }) => return Ok(()),
            }
        }
    }

    /// That a letter tells of each attempt is not worth a failure.
    async fn add(&self, key: &Key, mut kept: DeadLetter, etag: ETag, attempts: &[Attempt]) {
        let is_new = |attempt: &Attempt| !kept.attempts.contains(attempt);
        if kept.attempts.len() < MAX_ATTEMPTS && attempts.iter().any(is_new) {
            kept.attempts.extend(attempts.iter().cloned());
            let _ = self.blobs.put(key, json(&kept), Condition::Is(etag)).await;
        }
    }

    /// The letters of a pool or, without one, of all, by pool and date.
    pub async fn list(&self, pool: Option<&UserPoolId>) -> Result<Vec<Listed>, BlobError> {
        let prefix = match pool {
            Some(pool) => format!("{DEAD_LETTERS}{pool}/"),
            None => DEAD_LETTERS.to_owned(),
        };
        self.blobs.list(&prefix).await
    }

    /// A letter, and its version; none if it is gone.
    pub async fn read(&self, key: &Key) -> Result<Option<(DeadLetter, ETag)>, DeadLetterError> {
        let Read::Blob(blob) = self.blobs.get(key, None, MAX_LETTER_BYTES).await? else {
            return Ok(None);
        };
        let letter = serde_json::from_slice(&blob.bytes);
        let letter = letter.map_err(|error| DeadLetterError::Damaged {
            address: self.blobs.address(key.as_str()),
            reason: error.to_string(),
        })?;
        Ok(Some((letter, blob.etag)))
    }

    /// Removes a letter.
    pub async fn remove(&self, key: &Key) -> Result<(), BlobError> {
        self.blobs.delete(key).await
    }
}

/// The same for each attempt of Cognito's, as it sends the same bytes.
fn key(pool: &UserPoolId, letter: &DeadLetter) -> Key {
    let received = letter.received.to_string();
    let date = received.split('T').next().unwrap_or_default();
    let digest = Sha256::of(letter.event.get().as_bytes());
    Key::unchecked(format!("{DEAD_LETTERS}{pool}/{date}/{digest}.json"))
}

/// Serializing a letter cannot fail.
fn json(letter: &DeadLetter) -> Vec<u8> {
    serde_json::to_vec(letter).unwrap_or_default()
}
