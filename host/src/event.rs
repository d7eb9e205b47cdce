//! The Post Confirmation event: raw JSON in, [`PostConfirmation`] out.
//!
//! The shape is [Cognito's][doc]. Parsing is lenient where Cognito and its emulators
//! vary: fields that poolhook does not read may have any value, and most of those that
//! it reads may be absent or null. Parsing is strict where a mistake would write a
//! wrong row. The caller keeps the raw bytes, which are the trigger's answer.
//!
//! [doc]: https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-post-confirmation.html

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::text::shown;

/// The largest event that is read, in bytes. A Cognito user has at most about 70
/// attributes of 2,048 characters; Lambda itself accepts 6 MB.
pub const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// The trigger source of the event that `poolhook pools check` sends.
const TEST: &str = "poolhook_Test";

/// What Cognito sends in place of a client's id if no client was involved.
const NO_CLIENT: &str = "CLIENT_ID_NOT_APPLICABLE";

/// A user whom Cognito has confirmed, and the pool that the user belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostConfirmation {
    /// `userPoolId`: the pool whose config applies.
    pub user_pool_id: UserPoolId,
    /// `region`, or the region in the pool's id if the event has none.
    pub region: String,
    /// `callerContext.clientId`; `None` if an admin confirmed the user.
    pub client_id: Option<String>,
    /// `userName`. Never empty.
    pub user_name: String,
    /// `triggerSource`: what was confirmed.
    pub trigger_source: TriggerSource,
    /// `request.userAttributes`, by name. Null values are left out; values that are
    /// not text are represented as JSON.
    pub user_attributes: BTreeMap<String, String>,
    /// `request.clientMetadata`, read in the same way.
    pub client_metadata: BTreeMap<String, String>,
}

impl PostConfirmation {
    /// Parses the bytes that Lambda received.
    pub fn parse(raw: &[u8]) -> Result<Self, EventError> {
        if raw.len() > MAX_EVENT_BYTES {
            return Err(EventError::TooLarge { bytes: raw.len() });
        }
        let RawEvent {
            user_pool_id,
            region,
            caller_context,
            user_name,
            trigger_source,
            request,
        } = RawEvent::parse(raw)?;

        let user_pool_id = user_pool_id.ok_or(EventError::Missing("userPoolId"))?;
        let user_pool_id = UserPoolId::parse(&user_pool_id)?;
        let user_name = user_name.filter(|name| !name.is_empty());
        let request = request.unwrap_or_default();
        Ok(Self {
            region: region.unwrap_or_else(|| user_pool_id.region().to_owned()),
            user_pool_id,
            client_id: caller_context
                .and_then(|caller| caller.client_id)
                .filter(|id| id != NO_CLIENT),
            user_name: user_name.ok_or(EventError::Missing("userName"))?,
            trigger_source: trigger_source
                .map(TriggerSource::from)
                .ok_or(EventError::Missing("triggerSource"))?,
            user_attributes: request.user_attributes.unwrap_or_default().0,
            client_metadata: request.client_metadata.unwrap_or_default().0,
        })
    }
}

/// A user pool's id: `<region>_<id>`, at most 55 characters, letters and digits
/// and, in the region, hyphens ([CreateUserPool][doc]). Safe in a path.
///
/// [doc]: https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UserPoolType.html
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, serde::Serialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct UserPoolId(String);

impl UserPoolId {
    /// Parses an id.
    pub fn parse(id: &str) -> Result<Self, BadUserPoolId> {
        let (region, name) = id.split_once('_').ok_or(BadUserPoolId)?;
        let well_formed = id.len() <= 55
            && !region.is_empty()
            && !name.is_empty()
            && region
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && name.bytes().all(|b| b.is_ascii_alphanumeric());
        well_formed
            .then(|| Self(id.to_owned()))
            .ok_or(BadUserPoolId)
    }

    /// The id in an event that cannot be read, if at least the id can.
    pub(crate) fn of_unreadable(raw: &[u8]) -> Option<Self> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Event {
            user_pool_id: String,
        }

        let event: Event = serde_json::from_slice(raw).ok()?;
        Self::parse(&event.user_pool_id).ok()
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The pool's region.
    pub fn region(&self) -> &str {
        self.0.split_once('_').map_or("", |(region, _)| region)
    }
}

impl TryFrom<String> for UserPoolId {
    type Error = BadUserPoolId;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        Self::parse(&id)
    }
}

impl From<UserPoolId> for String {
    fn from(id: UserPoolId) -> Self {
        id.0
    }
}

impl fmt::Display for UserPoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was confirmed: the event's `triggerSource`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TriggerSource {
    /// A sign-up.
    ConfirmSignUp,
    /// A new password after "forgot password", by a user who was confirmed earlier.
    ConfirmForgotPassword,
    /// poolhook's own: `poolhook backfill` writes a user.
    Backfill,
    /// A trigger source that Cognito did not document when this was written.
    Other(String),
}

impl TriggerSource {
    /// Cognito's name, or `backfill` for poolhook's own trigger source.
    pub fn as_str(&self) -> &str {
        match self {
            Self::ConfirmSignUp => "PostConfirmation_ConfirmSignUp",
            Self::ConfirmForgotPassword => "PostConfirmation_ConfirmForgotPassword",
            Self::Backfill => "backfill",
            Self::Other(name) => name,
        }
    }

    /// The trigger source of a test event, which writes nothing: its pool's config is read and
    /// its plugin is loaded. No config can list it.
    pub fn test() -> Self {
        Self::Other(TEST.to_owned())
    }

    /// Whether it is that of a test event.
    pub(crate) fn is_test(&self) -> bool {
        self.as_str() == TEST
    }
}

impl From<String> for TriggerSource {
    fn from(name: String) -> Self {
        [Self::ConfirmSignUp, Self::ConfirmForgotPassword]
            .into_iter()
            .find(|known| known.as_str() == name)
            .unwrap_or(Self::Other(name))
    }
}

/// Why an event cannot be read. No text contains a value from the event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "Event.")]
pub enum EventError {
    /// Larger than [`MAX_EVENT_BYTES`].
    #[error("the event has {bytes} bytes; a Post Confirmation event has at most {MAX_EVENT_BYTES}")]
    TooLarge {
        /// The event's size in bytes.
        bytes: usize,
    },
    /// Begins with a byte order mark, which editors on Windows add, and JSON forbids.
    #[error("the event begins with a byte order mark (BOM); save the file as UTF-8 without one")]
    #[strum(serialize = "NotJson")]
    ByteOrderMark,
    /// Not one JSON document.
    #[error("the event is not valid JSON: error at line {line}, column {column}")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1; 0 at a line's start.
        column: usize,
    },
    /// A field that has another type than Cognito documents, or appears twice.
    #[error("the event's `{}` has the wrong type, or appears twice", shown(path))]
    Malformed {
        /// The field's path from the event's root; `.` is the event itself.
        path: String,
    },
    /// A required field is missing.
    #[error("the event has no `{0}`; a Post Confirmation event always has one")]
    #[strum(serialize = "MissingField")]
    Missing(&'static str),
    /// An invalid `userPoolId`.
    #[error("the event's `userPoolId` is not a user pool's id")]
    #[strum(serialize = "BadUserPoolId")]
    UserPoolId(#[from] BadUserPoolId),
}

impl EventError {
    /// The error's name, for logs and callers.
    pub fn name(&self) -> &'static str {
        self.into()
    }
}

/// An invalid user pool's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a user pool id is `<region>_<letters and digits>`, at most 55 characters, such as `ap-northeast-1_Q7mE2xYbA`"
)]
pub struct BadUserPoolId;

/// The fields of the event's JSON that poolhook reads.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEvent {
    user_pool_id: Option<String>,
    region: Option<String>,
    caller_context: Option<RawCaller>,
    user_name: Option<String>,
    trigger_source: Option<String>,
    request: Option<RawRequest>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawCaller {
    client_id: Option<String>,
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRequest {
    user_attributes: Option<Texts>,
    client_metadata: Option<Texts>,
}

impl RawEvent {
    fn parse(raw: &[u8]) -> Result<Self, EventError> {
        serde_json::from_slice(raw).map_err(|error| {
            if raw.starts_with("\u{feff}".as_bytes()) {
                EventError::ByteOrderMark
            } else if error.is_data() {
                let path = Self::path_of_mistake(raw);
                EventError::Malformed { path }
            } else {
                EventError::NotJson {
                    line: error.line(),
                    column: error.column(),
                }
            }
        })
    }

    /// Parses the event again with a slower parser that reports the path of the mistake.
    fn path_of_mistake(raw: &[u8]) -> String {
        let mut json = serde_json::Deserializer::from_slice(raw);
        let event: Result<Self, _> = serde_path_to_error::deserialize(&mut json);
        let path = event.map_err(|error| error.path().to_string());
        path.err().unwrap_or_default()
    }
}

/// Texts by name. Cognito sends only text; an emulator may send a boolean or a null. Nulls
/// are left out; any other value stays JSON, and is never built as a tree.
#[derive(Default)]
struct Texts(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
                let mut texts = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    let value = map.next_value::<&RawValue>()?.get();
                    match value.as_bytes() {
                        b"null" => texts.remove(&name),
                        [b'"', ..] => {
                            let text = text(value).map_err(A::Error::custom)?;
                            texts.insert(name, text)
                        }
                        _ => texts.insert(name, compact(value)),
                    };
                }
                Ok(Texts(texts))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// Reads a text of JSON. Half of a surrogate pair is no character: U+FFFD replaces it.
fn text(json: &str) -> Result<String, serde_json::Error> {
    struct Bytes;

    impl Visitor<'_> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_owned())
        }
    }

    if let Ok(text) = serde_json::from_str(json) {
        return Ok(text);
    }
    // As bytes, serde_json reads half a pair as the three bytes of its code point.
    let mut bytes = serde_json::Deserializer::from_str(json).deserialize_bytes(Bytes)?;
    for at in 0..bytes.len() {
        if let Some([0xed, second, _]) = bytes.get(at..at + 3)
            && *second >= 0xa0
            && let Some(half) = bytes.get_mut(at..at + 3)
        {
            half.copy_from_slice("\u{fffd}".as_bytes());
        }
    }
    String::from_utf8(bytes).map_err(serde_json::Error::custom)
}

/// A JSON document without the white space between its parts.
fn compact(json: &str) -> String {
    let (mut in_text, mut escaped) = (false, false);
    let is_kept = |c: &char| {
        let is_space = !in_text && c.is_ascii_whitespace();
        in_text ^= *c == '"' && !escaped;
        escaped = in_text && *c == '\\' && !escaped;
        !is_space
    };
    json.chars().filter(is_kept).collect()
}
