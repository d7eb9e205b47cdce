//! Reads plain JSON, a plugin's nested value; reads and writes DynamoDB's JSON.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, SerializeMap, Serializer};
use struson::reader::{JsonReader, JsonStreamReader, ReaderError, ReaderSettings, ValueType};

use super::{
    AttributeValue, BadNumber, Item, ItemError, LIST_BYTES, MAX_DEPTH, MAX_ITEM_BYTES,
    MEMBER_BYTES, Number,
};

/// The longest document: an item of the largest size with every byte escaped, as in
/// `\u0041`.
const MAX_DOCUMENT_BYTES: usize = 6 * MAX_ITEM_BYTES;

/// Reads a value from a JSON document, and stops at DynamoDB's limits: no more of a
/// hostile document is built in memory than an item can hold. A number's digits stay as
/// written, so no number is rounded on the way to DynamoDB.
pub(super) fn parse(attribute: &str, document: &str) -> Result<AttributeValue, ItemError> {
    read(attribute, document, false)
}

/// Reads a value in DynamoDB's JSON, with the same limits.
pub(super) fn parse_tagged(attribute: &str, document: &str) -> Result<AttributeValue, ItemError> {
    read(attribute, document, true)
}

fn read(attribute: &str, document: &str, is_tagged: bool) -> Result<AttributeValue, ItemError> {
    if document.len() > MAX_DOCUMENT_BYTES {
        return Err(ItemError::TooLarge);
    }
    let settings = ReaderSettings {
        // `Number` has DynamoDB's rules.
        restrict_number_values: false,
        track_path: false,
        ..ReaderSettings::default()
    };
    let mut document = Document {
        reader: JsonStreamReader::new_custom(document.as_bytes(), settings),
        bytes_left: MAX_ITEM_BYTES,
        is_tagged,
    };
    let value = if is_tagged {
        document.tagged(1)
    } else {
        document.value(1)
    };
    let read = value.and_then(|value| {
        document.reader.consume_trailing_whitespace()?;
        Ok(value)
    });
    read.map_err(|fault| fault.of(attribute))
}

struct Document<'a> {
    reader: JsonStreamReader<&'a [u8]>,
    bytes_left: usize,
    /// Whether it is in DynamoDB's JSON.
    is_tagged: bool,
}

impl Document<'_> {
    fn value(&mut self, depth: usize) -> Result<AttributeValue, Fault> {
        if depth > MAX_DEPTH {
            self.reader.skip_value()?;
            return Err(Fault::NestedTooDeep);
        }
        let reader = &mut self.reader;
        Ok(match reader.peek()? {
            ValueType::Null => {
                reader.next_null()?;
                self.count(1)?;
                AttributeValue::Null
            }
            ValueType::Boolean => {
                let value = reader.next_bool()?;
                self.count(1)?;
                AttributeValue::Bool(value)
            }
            ValueType::Number => {
                let number = Number::parse(reader.next_number_as_str()?)?;
                self.count(number.size())?;
                AttributeValue::N(number)
            }
            ValueType::String => AttributeValue::S(self.text()?),
            ValueType::Array => AttributeValue::L(self.list(depth)?),
            ValueType::Object => AttributeValue::M(self.map(depth)?),
        })
    }

    /// A value in DynamoDB's JSON: an object whose only name is the type.
    fn tagged(&mut self, depth: usize) -> Result<AttributeValue, Fault> {
        if depth > MAX_DEPTH {
            self.reader.skip_value()?;
            return Err(Fault::NestedTooDeep);
        }
        self.reader.begin_object()?;
        let name = self.reader.next_name_owned()?;
        let value = match name.as_str() {
            "S" => AttributeValue::S(self.text()?),
            "N" => AttributeValue::N(self.number()?),
            "B" => AttributeValue::B(self.bytes()?),
            "BOOL" => {
                self.count(1)?;
                AttributeValue::Bool(self.reader.next_bool()?)
            }
            "NULL" => {
                self.count(1)?;
                self.reader.next_bool()?;
                AttributeValue::Null
            }
            "SS" => AttributeValue::Ss(self.members(Self::text)?),
            "NS" => AttributeValue::Ns(self.members(Self::number)?),
            "BS" => AttributeValue::Bs(self.members(Self::bytes)?),
            "L" => AttributeValue::L(self.list(depth)?),
            "M" => AttributeValue::M(self.map(depth)?),
            _ => return Err(Fault::UnknownType),
        };
        self.reader.end_object()?;
        Ok(value)
    }

    fn nested(&mut self, depth: usize) -> Result<AttributeValue, Fault> {
        self.count(MEMBER_BYTES)?;
        if self.is_tagged {
            self.tagged(depth + 1)
        } else {
            self.value(depth + 1)
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<AttributeValue>, Fault> {
        let mut values = Vec::new();
        self.reader.begin_array()?;
        self.count(LIST_BYTES)?;
        while self.reader.has_next()? {
            values.push(self.nested(depth)?);
        }
        self.reader.end_array()?;
        // There may be many short lists, each with room for more.
        values.shrink_to_fit();
        Ok(values)
    }

    fn map(&mut self, depth: usize) -> Result<BTreeMap<String, AttributeValue>, Fault> {
        let mut entries = BTreeMap::new();
        self.reader.begin_object()?;
        self.count(LIST_BYTES)?;
        while self.reader.has_next()? {
            let name = self.reader.next_name_owned()?;
            self.count(name.len())?;
            entries.insert(name, self.nested(depth)?);
        }
        self.reader.end_object()?;
        Ok(entries)
    }

    fn members<T>(
        &mut self,
        member: impl Fn(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut members = Vec::new();
        self.reader.begin_array()?;
        while self.reader.has_next()? {
            members.push(member(self)?);
        }
        self.reader.end_array()?;
        Ok(members)
    }

    fn text(&mut self) -> Result<String, Fault> {
        let text = self.reader.next_string()?;
        self.count(text.len())?;
        Ok(text)
    }

    fn number(&mut self) -> Result<Number, Fault> {
        let number = Number::parse(self.reader.next_str()?)?;
        self.count(number.size())?;
        Ok(number)
    }

    fn bytes(&mut self) -> Result<Vec<u8>, Fault> {
        let bytes = BASE64.decode(self.reader.next_str()?);
        let bytes = bytes.map_err(|_| Fault::NotBase64)?;
        self.count(bytes.len())?;
        Ok(bytes)
    }

    fn count(&mut self, bytes: usize) -> Result<(), Fault> {
        let left = self.bytes_left.checked_sub(bytes);
        self.bytes_left = left.ok_or(Fault::TooLarge)?;
        Ok(())
    }
}

/// What is wrong with a document.
enum Fault {
    NestedTooDeep,
    TooLarge,
    Number(BadNumber),
    NotJson(ReaderError),
    /// No type of DynamoDB has this name.
    UnknownType,
    NotBase64,
}

impl From<BadNumber> for Fault {
    fn from(error: BadNumber) -> Self {
        Self::Number(error)
    }
}

impl From<ReaderError> for Fault {
    fn from(error: ReaderError) -> Self {
        Self::NotJson(error)
    }
}

impl Fault {
    fn of(self, attribute: &str) -> ItemError {
        let attribute = attribute.to_owned();
        match self {
            Self::NestedTooDeep => ItemError::NestedTooDeep { attribute },
            Self::TooLarge => ItemError::TooLarge,
            Self::Number(source) => ItemError::Number { attribute, source },
            Self::UnknownType | Self::NotBase64 => ItemError::NotJson {
                attribute,
                line: 1,
                column: 1,
            },
            Self::NotJson(error) => {
                let location = match error {
                    ReaderError::SyntaxError(error) => Some(error.location),
                    ReaderError::IoError { location, .. }
                    | ReaderError::MaxNestingDepthExceeded { location, .. } => Some(location),
                    // The others are about numbers and the order of calls.
                    _ => None,
                };
                let position = location.and_then(|location| location.line_pos);
                let from_one = |n: u64| usize::try_from(n + 1).unwrap_or(usize::MAX);
                ItemError::NotJson {
                    attribute,
                    line: position.as_ref().map_or(1, |at| from_one(at.line)),
                    column: position.as_ref().map_or(1, |at| from_one(at.column)),
                }
            }
        }
    }
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

impl<'de> Deserialize<'de> for AttributeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Tagged::deserialize(deserializer)?
            .untag()
            .map_err(D::Error::custom)
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
