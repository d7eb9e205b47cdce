//! Plain JSON in (a plugin's nested value), DynamoDB's JSON out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::{AttributeValue, Item, ItemError, MAX_DEPTH, Number};

pub(super) fn parse(attribute: &str, document: &str) -> Result<AttributeValue, ItemError> {
    let document: Value = serde_json::from_str(document).map_err(|error| ItemError::NotJson {
        attribute: attribute.to_owned(),
        line: error.line(),
        column: error.column(),
    })?;
    convert(attribute, document, 1)
}

/// `serde_json` keeps a number's digits as they were written, so that what
/// DynamoDB could hold is not rounded on the way, and reads at most 128 levels.
fn convert(attribute: &str, value: Value, depth: usize) -> Result<AttributeValue, ItemError> {
    if depth > MAX_DEPTH {
        let attribute = attribute.to_owned();
        return Err(ItemError::NestedTooDeep { attribute });
    }
    Ok(match value {
        Value::Null => AttributeValue::Null,
        Value::Bool(value) => AttributeValue::Bool(value),
        Value::String(text) => AttributeValue::S(text),
        Value::Number(number) => {
            let number = Number::parse(number.as_str()).map_err(|source| ItemError::Number {
                attribute: attribute.to_owned(),
                source,
            })?;
            AttributeValue::N(number)
        }
        Value::Array(values) => AttributeValue::L(
            values
                .into_iter()
                .map(|value| convert(attribute, value, depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(entries) => AttributeValue::M(
            entries
                .into_iter()
                .map(|(name, value)| Ok((name, convert(attribute, value, depth + 1)?)))
                .collect::<Result<_, _>>()?,
        ),
    })
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.attributes())
    }
}

impl Serialize for AttributeValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tagged = serializer.serialize_map(Some(1))?;
        match self {
            Self::S(text) => tagged.serialize_entry("S", text),
            Self::N(number) => tagged.serialize_entry("N", number.as_str()),
            Self::B(bytes) => tagged.serialize_entry("B", &BASE64.encode(bytes)),
            Self::Bool(value) => tagged.serialize_entry("BOOL", value),
            Self::Null => tagged.serialize_entry("NULL", &true),
            Self::Ss(members) => tagged.serialize_entry("SS", members),
            Self::Ns(members) => {
                let members: Vec<_> = members.iter().map(Number::as_str).collect();
                tagged.serialize_entry("NS", &members)
            }
            Self::Bs(members) => {
                let members: Vec<_> = members.iter().map(|bytes| BASE64.encode(bytes)).collect();
                tagged.serialize_entry("BS", &members)
            }
            Self::L(values) => tagged.serialize_entry("L", values),
            Self::M(entries) => tagged.serialize_entry("M", entries),
        }?;
        tagged.end()
    }
}
