//! Reads plain JSON, a plugin's nested value; reads and writes DynamoDB's JSON.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{Deserialize, Deserializer, Error as _};
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

/// `serde_json` preserves a number's digits as written, so no number is rounded on
/// the way to DynamoDB. It reads at most 128 levels.
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

/// Rejects an item that breaks DynamoDB's rules.
impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let attributes = BTreeMap::<String, Tagged>::deserialize(deserializer)?;
        let attributes = attributes.into_iter().map(|(name, value)| {
            let value = value.untag().map_err(|error| format!("`{name}` {error}"))?;
            Ok((name, value))
        });
        let attributes: Result<Vec<_>, String> = attributes.collect();
        Self::new(attributes.map_err(D::Error::custom)?).map_err(D::Error::custom)
    }
}

/// A value in DynamoDB's JSON.
#[derive(serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Tagged {
    S(String),
    N(String),
    B(String),
    Bool(bool),
    Null(bool),
    Ss(Vec<String>),
    Ns(Vec<String>),
    Bs(Vec<String>),
    L(Vec<Tagged>),
    M(BTreeMap<String, Tagged>),
}

impl Tagged {
    fn untag(self) -> Result<AttributeValue, String> {
        let number = |text: String| {
            Number::parse(&text).map_err(|rule| format!("holds a number that {rule}"))
        };
        let bytes = |text: String| {
            let bytes = BASE64.decode(text);
            bytes.map_err(|_| "holds bytes that are not in Base64".to_owned())
        };
        Ok(match self {
            Self::S(text) => AttributeValue::S(text),
            Self::N(text) => AttributeValue::N(number(text)?),
            Self::B(text) => AttributeValue::B(bytes(text)?),
            Self::Bool(value) => AttributeValue::Bool(value),
            Self::Null(true) => AttributeValue::Null,
            Self::Null(false) => {
                return Err("is {\"NULL\": false}, which is not a value".to_owned());
            }
            Self::Ss(members) => AttributeValue::Ss(members),
            Self::Ns(members) => AttributeValue::Ns(all(members, number)?),
            Self::Bs(members) => AttributeValue::Bs(all(members, bytes)?),
            Self::L(values) => AttributeValue::L(all(values, Self::untag)?),
            Self::M(entries) => {
                let entry = |(name, value): (_, Self)| Ok((name, value.untag()?));
                AttributeValue::M(all(entries, entry)?)
            }
        })
    }
}

fn all<T, U, C: FromIterator<U>>(
    values: impl IntoIterator<Item = T>,
    convert: impl Fn(T) -> Result<U, String>,
) -> Result<C, String> {
    values.into_iter().map(convert).collect()
}

#[cfg(test)]
mod tests {
    use super::Item;

    #[test]
    fn dynamodbs_json_comes_back() {
        let json = r#"{"b":{"B":"/9g="},"bs":{"BS":["AQ==","/w=="]},"l":{"L":[{"NULL":true},{"S":""}]},"m":{"M":{"a":{"BOOL":false}}},"n":{"N":"0.10"},"ns":{"NS":["2","1"]},"ss":{"SS":["b","a"]}}"#;
        let item: Item = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&item).unwrap(), json);
    }

    #[test]
    fn invalid_items_are_rejected() {
        for (json, rule) in [
            (r#"{"a":"b"}"#, "unknown variant `b`, expected one of `S`"),
            (r#"{"a":{"X":"b"}}"#, "unknown variant `X`"),
            (r#"{"a":{"N":"x"}}"#, "`a` holds a number that "),
            (
                r#"{"a":{"B":"!"}}"#,
                "`a` holds bytes that are not in Base64",
            ),
            (r#"{"a":{"NULL":false}}"#, "which is not a value"),
            (r#"{"a":{"SS":[]}}"#, "`a` is an empty set"),
            ("[]", "invalid type"),
        ] {
            let error = serde_json::from_str::<Item>(json).unwrap_err().to_string();
            assert!(error.contains(rule), "{json}: {error}");
        }
    }
}
