//! Dead letters: complete events that could not be written, stored until they are
//! replayed.
//!
//! There is one document per event,
//! `dead-letters/<user pool id>/<date>/<digest of the event>.json`. It contains
//! personal data. An event whose pool cannot be read has `unreadable` in its place.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::sleep;

use crate::blobs::{BlobError, Blobs, Condition, ETag, Key, Listed, Read, Stored};
use crate::config::PluginName;
use crate::digest::Sha256;
use crate::event::UserPoolId;
use crate::failure::{Class, Failure};
use crate::timestamp::Timestamp;

/// The prefix of all dead letters' keys.
pub const DEAD_LETTERS: &str = "dead-letters/";
/// The folder of events whose pool cannot be read, in place of the pool's id.
const UNREADABLE: &str = "unreadable";
/// The largest dead letter in bytes: Lambda's largest event (6 MiB) in Base64, and 64 KiB for
/// its attempts.
const MAX_LETTER_BYTES: u64 = (8 << 20) + (64 << 10);
/// How long the first write may take before a hedged one starts. A write usually
/// takes a fraction of this.
const SECOND_TRY: Duration = Duration::from_millis(300);
/// The most attempts that a dead letter records.
const MAX_ATTEMPTS: usize = 20;

/// The dead letters in a bucket or folder.
#[derive(Clone)]
pub struct DeadLetters {
    blobs: Arc<dyn Blobs>,
}

/// A dead letter: an event that could not be written, and the attempts to write it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The user pool's id; `None` if it cannot be read from the event.
    pub user_pool_id: Option<UserPoolId>,
    /// When the event was first received; replay maps the event with this time.
    pub received: Timestamp,
    /// The pool's plugin, if the pool's config could be read.
    pub plugin: Option<PluginName>,
    /// The digest of the plugin's component, if the plugin was published and was loaded.
    pub component: Option<Sha256>,
    /// The store that the item was to be written to: see [`ItemStore::name`]. `None` in
    /// those that were written before it was recorded.
    ///
    /// [`ItemStore::name`]: crate::store::ItemStore::name
    #[serde(default)]
    pub store: Option<String>,
    /// The attempts and why they failed: of Cognito, which may try again after 5 s
    /// without an answer, and of replays.
    pub attempts: Vec<Attempt>,
    /// The event, byte for byte; `None` if it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Box<RawValue>>,
    /// An event that cannot be read, byte for byte, in Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_base64: Option<String>,
}

impl DeadLetter {
    /// The dead letter of an event that was received at `received` and failed. The caller
    /// adds what else it knows.
    pub fn new(
        pool: Option<UserPoolId>,
        raw: &[u8],
        received: Timestamp,
        failure: &Failure,
    ) -> Self {
        let event = match failure {
            Failure::Event(_) => None,
            _ => String::from_utf8(raw.to_vec()).ok(),
        };
        let event = event.and_then(|event| RawValue::from_string(event).ok());
        Self {
            user_pool_id: pool,
            received,
            plugin: None,
            component: None,
            store: None,
            attempts: vec![Attempt::new(received, failure)],
            event_base64: event.is_none().then(|| BASE64.encode(raw)),
            event,
        }
    }

    /// The event's bytes.
    pub fn raw(&self) -> Cow<'_, [u8]> {
        match (&self.event, &self.event_base64) {
            (Some(event), _) => event.get().as_bytes().into(),
            (None, Some(raw)) => BASE64.decode(raw).unwrap_or_default().into(),
            (None, None) => Cow::default(),
        }
    }

    /// Cognito's retries send the same bytes, so they all have the same key.
    fn key(&self) -> Key {
        let received = self.received.to_string();
        let date = received.split('T').next().unwrap_or_default();
        let digest = Sha256::of(&self.raw());
        let folder = self
            .user_pool_id
            .as_ref()
            .map_or(UNREADABLE, UserPoolId::as_str);
        Key::unchecked(format!("{DEAD_LETTERS}{folder}/{date}/{digest}.json"))
    }
}

/// An attempt to write an event.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When the event was received for this attempt.
    pub received: Timestamp,
    /// The failure's name, such as `Store.Timeout`.
    pub error_type: String,
    /// The failure's text.
    pub error_message: String,
    /// Who must fix the failure.
    pub class: Class,
    /// Whether the failure is transient, so that a later attempt may succeed.
    pub retryable: bool,
}

impl Attempt {
    /// Records an attempt that failed.
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

/// Why a dead letter cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// The document is not one that poolhook writes.
    #[error("{address} is not a dead letter: {reason}")]
    Damaged {
        /// The document's path or URL.
        address: String,
        /// The JSON error.
        reason: String,
    },
    /// The item was to be written to another store than the one that replay writes to.
    #[error(
        "its item was to be written to {expected}, not to {found}. Replay it into that store, or pass `--other-store`"
    )]
    OtherStore {
        /// The store of the host that wrote the dead letter.
        expected: String,
        /// The store of this host.
        found: String,
    },
    /// The bucket or folder failed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

impl DeadLetters {
    /// The dead letters in this bucket or folder.
    pub fn new(blobs: Arc<dyn Blobs>) -> Self {
        Self { blobs }
    }

    /// Writes a dead letter. If the event already has one, because Cognito retried,
    /// adds the attempt to it.
    ///
    /// If the first write is slow, a second, hedged one starts, so that a request that
    /// hangs loses no event.
    pub async fn write(&self, dead_letter: &DeadLetter) -> Result<(), BlobError> {
        let mut first = pin!(self.try_to_write(dead_letter));
        let mut second = pin!(async {
            sleep(SECOND_TRY).await;
            self.try_to_write(dead_letter).await
        });
        tokio::select! {
            written = &mut first => if written.is_ok() { written } else { second.await },
            written = &mut second => if written.is_ok() { written } else { first.await },
        }
    }

    /// Retries until the dead letter is known to be there. A failed condition does not
    /// prove that: S3 may refuse two concurrent writes, and a replay may just have
    /// deleted the dead letter. The caller sets the deadline.
    async fn try_to_write(&self, dead_letter: &DeadLetter) -> Result<(), BlobError> {
        let key = dead_letter.key();
        loop {
            let put = self.blobs.put(&key, json(dead_letter), Condition::Absent);
            if put.await? == Stored::Written {
                return Ok(());
            }
            match self.read(&key).await {
                Ok(Some((existing, etag))) => {
                    self.add(&key, existing, etag, &dead_letter.attempts).await;
                    return Ok(());
                }
                Ok(None) => {}
                Err(DeadLetterError::Blobs(error)) => return Err(error),
                // Something has this key, and only poolhook writes there.
                Err(DeadLetterError::Damaged { .. } | DeadLetterError::OtherStore { .. }) => {
                    return Ok(());
                }
            }
        }
    }

    /// Best effort: a missing attempt in a dead letter is not worth a failure.
    pub(crate) async fn add(
        &self,
        key: &Key,
        mut existing: DeadLetter,
        etag: ETag,
        attempts: &[Attempt],
    ) {
        let is_new = |attempt: &Attempt| !existing.attempts.contains(attempt);
        if existing.attempts.len() < MAX_ATTEMPTS && attempts.iter().any(is_new) {
            existing.attempts.extend(attempts.iter().cloned());
            let _ = self
                .blobs
                .put(key, json(&existing), Condition::Is(etag))
                .await;
        }
    }

    /// Lists the dead letters of one pool or of all, ordered by pool and date.
    pub async fn list(&self, pool: Option<&UserPoolId>) -> Result<Vec<Listed>, BlobError> {
        let prefix = match pool {
            Some(pool) => format!("{DEAD_LETTERS}{pool}/"),
            None => DEAD_LETTERS.to_owned(),
        };
        self.blobs.list(&prefix).await
    }

    /// The pools that have dead letters, ordered by id.
    pub(crate) async fn pools(&self) -> Result<Vec<UserPoolId>, BlobError> {
        let folders = self.blobs.folders(DEAD_LETTERS).await?;
        let pools = folders.iter().filter_map(|id| UserPoolId::parse(id).ok());
        Ok(pools.collect())
    }

    /// At most `limit` dead letters of a pool after the key `after`, ordered by date.
    pub(crate) async fn page(
        &self,
        pool: &UserPoolId,
        after: &str,
        limit: u16,
    ) -> Result<Vec<Listed>, BlobError> {
        let prefix = format!("{DEAD_LETTERS}{pool}/");
        self.blobs.page(&prefix, after, limit).await
    }

    pub(crate) fn blobs(&self) -> &dyn Blobs {
        &*self.blobs
    }

    /// Reads a dead letter and its version; `None` if it was deleted.
    pub async fn read(&self, key: &Key) -> Result<Option<(DeadLetter, ETag)>, DeadLetterError> {
        let Read::Blob(blob) = self.blobs.get(key, None, MAX_LETTER_BYTES).await? else {
            return Ok(None);
        };
        let dead_letter = serde_json::from_slice(&blob.bytes);
        let dead_letter = dead_letter.map_err(|error| DeadLetterError::Damaged {
            address: self.blobs.address(key.as_str()),
            reason: error.to_string(),
        })?;
        Ok(Some((dead_letter, blob.etag)))
    }

    /// Deletes a dead letter.
    pub async fn remove(&self, key: &Key) -> Result<(), BlobError> {
        self.blobs.delete(key).await
    }
}

/// Serializing a dead letter cannot fail.
fn json(dead_letter: &DeadLetter) -> Vec<u8> {
    serde_json::to_vec(dead_letter).unwrap_or_default()
}
