//! The values of a config file. Each has one fallible constructor, whose error states
//! the rule.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use struson::reader::{JsonReader as _, JsonStreamReader, ReaderSettings};
use struson::writer::{JsonStreamWriter, JsonWriter as _};
use toml::Value;

use crate::digest::Sha256;
use crate::event::TriggerSource;

/// A DynamoDB table's name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TableName(String);

impl TableName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TableName {
    type Error = BadTableName;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        let well_formed = (3..=255).contains(&name.len()) && name.bytes().all(allowed);
        well_formed.then_some(Self(name)).ok_or(BadTableName)
    }
}

/// The text is not a valid value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a table's name: 3 to 255 letters, digits, underscores, hyphens and dots")]
pub struct BadTableName;

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A mapping plugin's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct PluginName(String);

impl PluginName {
    /// Whether this is the built-in plugin `fields`. Its settings are a mapping, which is
    /// compiled, and its nested values are in DynamoDB's JSON.
    pub(crate) fn evaluates(&self) -> bool {
        self.0 == "fields"
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for PluginName {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl TryFrom<String> for PluginName {
    type Error = BadPluginName;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let well_formed = (1..=64).contains(&name.len()) && name.bytes().all(allowed);
        well_formed.then_some(Self(name)).ok_or(BadPluginName)
    }
}

/// The text is not a valid value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a plugin's name: 1 to 64 lower-case letters, digits and hyphens")]
pub struct BadPluginName;

impl From<PluginName> for String {
    fn from(name: PluginName) -> Self {
        name.0
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The plugin of a pool: `acme` follows that plugin's live release, and
/// `acme@sha256:<digest>` is pinned to one component.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct PluginRef {
    /// The plugin's name.
    pub name: PluginName,
    /// The digest of the pinned component, if the plugin is pinned.
    pub pin: Option<Sha256>,
}

impl PluginRef {
    /// Whether this is the built-in plugin `fields`, whose settings are compiled.
    pub fn evaluates(&self) -> bool {
        self.name.evaluates() && self.pin.is_none()
    }
}

impl From<PluginName> for PluginRef {
    fn from(name: PluginName) -> Self {
        Self { name, pin: None }
    }
}

impl TryFrom<String> for PluginRef {
    type Error = BadPluginRef;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let Some((name, pin)) = text.split_once('@') else {
            return Ok(PluginName::try_from(text)?.into());
        };
        let name = PluginName::try_from(name.to_owned())?;
        let pin = pin.strip_prefix("sha256:").ok_or(BadPluginRef::Pin)?;
        let pin = pin.parse().map_err(|_| BadPluginRef::Pin)?;
        Ok(Self {
            name,
            pin: Some(pin),
        })
    }
}

/// The text is not a valid reference to a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPluginRef {
    /// The name is not valid.
    #[error(transparent)]
    Name(#[from] BadPluginName),
    /// What follows the name is not a pin.
    #[error(
        "must be a plugin's name or, to pin a release, NAME@sha256: and 64 lower-case hexadecimal digits"
    )]
    Pin,
}

impl fmt::Display for PluginRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        self.pin
            .map_or(Ok(()), |digest| write!(f, "@sha256:{digest}"))
    }
}

/// A pool's `[settings]` for its plugin, as one JSON object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct Settings {
    json: String,
    /// What the plugin `fields` evaluates: the settings, compiled.
    program: Option<String>,
}

impl Settings {
    fn new(json: String) -> Self {
        Self {
            json,
            program: None,
        }
    }

    /// The settings as JSON text.
    pub fn as_json(&self) -> &str {
        &self.json
    }

    /// The program for the plugin `fields`; none if these are another plugin's settings.
    pub(crate) fn program(&self) -> Option<&str> {
        self.program.as_deref()
    }

    pub(super) fn with_program(self, program: String) -> Self {
        let program = Some(program);
        Self { program, ..self }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.json == "{}"
    }

    /// The memory that they take, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.json.len() + self.program.as_ref().map_or(0, String::len)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new("{}".to_owned())
    }
}

impl Settings {
    /// Parses settings from a JSON document, which must be an object.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        let json: &RawValue = serde_json::from_slice(json)?;
        if !json.get().starts_with('{') {
            return Err(serde::de::Error::custom("must be an object"));
        }
        // As serde_json builds a tree, it takes some keys for its own.
        let settings = ReaderSettings {
            restrict_number_values: false,
            ..ReaderSettings::default()
        };
        let mut reader = JsonStreamReader::new_custom(json.get().as_bytes(), settings);
        let mut compact = Vec::new();
        let mut writer = JsonStreamWriter::new(&mut compact);
        let read = reader.transfer_to(&mut writer);
        read.map_err(serde::de::Error::custom)?;
        writer.finish_document().map_err(serde::de::Error::custom)?;
        let compact = String::from_utf8(compact);
        compact.map(Self::new).map_err(serde::de::Error::custom)
    }

    /// Parses settings from a TOML document.
    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

impl TryFrom<toml::Table> for Settings {
    type Error = BadSettings;

    fn try_from(table: toml::Table) -> Result<Self, Self::Error> {
        to_json(Value::Table(table)).map(|json| Self::new(json.to_string()))
    }
}

/// The settings cannot be represented in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must not hold inf or nan: plugins get the settings as JSON")]
pub struct BadSettings;

/// Converts TOML to JSON: dates become text, and `inf` and `nan` are errors.
fn to_json(value: Value) -> Result<serde_json::Value, BadSettings> {
    Ok(match value {
        Value::String(text) => text.into(),
        Value::Integer(number) => number.into(),
        Value::Float(number) => serde_json::Number::from_f64(number)
            .ok_or(BadSettings)?
            .into(),
        Value::Boolean(value) => value.into(),
        Value::Datetime(time) => time.to_string().into(),
        Value::Array(values) => values
            .into_iter()
            .map(to_json)
            .collect::<Result<Vec<_>, _>>()?
            .into(),
        Value::Table(entries) => {
            let entry = |(key, value)| to_json(value).map(|value| (key, value));
            serde_json::Value::Object(entries.into_iter().map(entry).collect::<Result<_, _>>()?)
        }
    })
}

/// An AWS region's name.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Region(pub(super) String);

impl TryFrom<String> for Region {
    type Error = BadRegion;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        // Words and, at the end, a number: us-gov-west-1.
        let well_formed = name.len() <= 32
            && name.rsplit_once('-').is_some_and(|(words, number)| {
                let is_word =
                    |word: &str| word.len() > 1 && word.bytes().all(|b| b.is_ascii_lowercase());
                let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
                is_number && words.contains('-') && words.split('-').all(is_word)
            });
        well_formed.then_some(Self(name)).ok_or(BadRegion)
    }
}

/// The text is not a valid value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a Region's name, such as ap-northeast-1")]
pub(super) struct BadRegion;

/// The name of a table's partition key.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct AttributeName(pub(super) String);

impl TryFrom<String> for AttributeName {
    type Error = BadAttributeName;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let well_formed = (1..=255).contains(&name.len());
        well_formed.then_some(Self(name)).ok_or(BadAttributeName)
    }
}

/// The text is not a valid value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a key's name: 1 to 255 bytes")]
pub(super) struct BadAttributeName;

/// A trigger source that can write.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Trigger(pub(super) TriggerSource);

impl TryFrom<String> for Trigger {
    type Error = BadTrigger;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        match TriggerSource::from(name) {
            TriggerSource::Other(_) => Err(BadTrigger),
            known => Ok(Self(known)),
        }
    }
}

/// The text is not a valid value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be PostConfirmation_ConfirmSignUp or PostConfirmation_ConfirmForgotPassword")]
pub(super) struct BadTrigger;

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "i64")]
pub(super) struct Bounded<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Bounded<MIN, MAX> {
    pub(super) fn get(self) -> u64 {
        self.0
    }

    /// The number as a `usize`, which has 64 bits on every target of poolhook.
    pub(super) fn size(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<const MIN: u64, const MAX: u64> TryFrom<i64> for Bounded<MIN, MAX> {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        let in_bounds = u64::try_from(number)
            .ok()
            .filter(|n| (MIN..=MAX).contains(n));
        in_bounds
            .map(Self)
            .ok_or_else(|| format!("must be from {MIN} to {MAX}"))
    }
}
