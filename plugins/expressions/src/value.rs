//! Values, as expressions see them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::{self, Write as _};
use std::rc::Rc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::number::Number;

/// The most levels of lists and maps in a value, as in DynamoDB.
pub(crate) const MAX_DEPTH: usize = 32;
/// The most characters of a value that a message shows.
const SHOWN: usize = 40;

/// A value. It borrows from the program and from the user.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// What this user does not have.
    Missing,
    /// `none`: DynamoDB's NULL.
    None,
    /// `true` or `false`.
    Boolean(bool),
    /// A number.
    Number(Number<'a>),
    /// A text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Rc<[u8]>),
    /// A list, whose members can be missing.
    List(Rc<[Value<'a>]>),
    /// A map, sorted by name. Its members can be missing.
    Map(Rc<[Entry<'a>]>),
    /// A set: texts, numbers or bytes, each once. Never empty.
    Set(Rc<[Value<'a>]>),
}

/// A name and its value.
pub type Entry<'a> = (Cow<'a, str>, Value<'a>);

/// The kinds of values, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are the cases of `Value`")]
pub enum Kind {
    Missing,
    None,
    Boolean,
    Number,
    Text,
    Bytes,
    List,
    Map,
    Set,
}

impl Kind {
    /// The kind with its article.
    pub fn article(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::None => "`none`",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::List => "a list",
            Self::Map => "a map",
            Self::Set => "a set",
        }
    }
}

impl<'a> Value<'a> {
    pub(crate) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn integer(number: impl Into<i128>) -> Self {
        Self::Number(Number::Integer(number.into()))
    }

    pub(crate) fn list(members: Vec<Self>) -> Self {
        Self::List(members.into())
    }

    /// A map of these entries; of those with one name, the last one.
    pub(crate) fn map(entries: Vec<Entry<'a>>) -> Self {
        let mut entries: Vec<_> = entries.into_iter().enumerate().collect();
        // A stable sort would need 4 KB of the plugin's stack.
        entries.sort_unstable_by(|(at, (name, _)), (other_at, (other, _))| {
            name.cmp(other).then(other_at.cmp(at))
        });
        entries.dedup_by(|(_, next), (_, kept)| next.0 == kept.0);
        Self::Map(entries.into_iter().map(|(_, entry)| entry).collect())
    }

    /// The kind of this value.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Missing => Kind::Missing,
            Self::None => Kind::None,
            Self::Boolean(_) => Kind::Boolean,
            Self::Number(_) => Kind::Number,
            Self::Text(_) => Kind::Text,
            Self::Bytes(_) => Kind::Bytes,
            Self::List(_) => Kind::List,
            Self::Map(_) => Kind::Map,
            Self::Set(_) => Kind::Set,
        }
    }

    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }

    /// Whether `omitempty` leaves it out.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::Text(text) => text.is_empty(),
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::List(members) | Self::Set(members) => members.is_empty(),
            Self::Map(entries) => entries.is_empty(),
            Self::None | Self::Boolean(_) | Self::Number(_) => false,
        }
    }

    /// Whether it counts as true in a condition, as in Jinja.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::None => false,
            Self::Boolean(value) => *value,
            Self::Number(number) => !number.is_zero(),
            value => !value.is_empty(),
        }
    }

    /// The member of a map; missing for everything else.
    pub(crate) fn member(&self, name: &str) -> Self {
        let Self::Map(entries) = self else {
            return Self::Missing;
        };
        let at = entries.binary_search_by(|(each, _)| each.as_ref().cmp(name));
        let found = at.ok().and_then(|at| entries.get(at));
        found.map_or(Self::Missing, |(_, value)| value.clone())
    }

    /// The members of a list or a set.
    pub(crate) fn members(&self) -> Option<&[Self]> {
        match self {
            Self::List(members) | Self::Set(members) => Some(members),
            _ => None,
        }
    }

    /// The levels of lists, maps and sets in it.
    pub(crate) fn depth(&self) -> usize {
        let deepest = match self {
            Self::List(members) | Self::Set(members) => members.iter().map(Self::depth).max(),
            Self::Map(entries) => entries.iter().map(|(_, value)| value.depth()).max(),
            _ => return 0,
        };
        1 + deepest.unwrap_or_default()
    }

    /// A text's, number's or boolean's characters, as Jinja writes them.
    pub(crate) fn characters(&self) -> Option<Cow<'a, str>> {
        Some(match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.written(),
            Self::Boolean(value) => if *value { "True" } else { "False" }.into(),
            _ => return None,
        })
    }

    /// The order of two texts, or of two numbers.
    pub(crate) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => Some(one.cmp(other)),
            (Self::Number(one), Self::Number(other)) => Some(one.order(other)),
            _ => None,
        }
    }

    /// Writes the value in DynamoDB's JSON.
    pub fn write_json(&self, document: &mut String) -> Result<(), String> {
        match self {
            Self::Missing => return Err(format!("something in it is missing; {COMPACT}")),
            Self::None => document.push_str(r#"{"NULL":true}"#),
            Self::Boolean(value) => {
                document.push_str(r#"{"BOOL":"#);
                document.push_str(if *value { "true}" } else { "false}" });
            }
            Self::Number(number) => {
                document.push_str(r#"{"N":""#);
                document.push_str(&number.to_dynamodb()?);
                document.push_str(r#""}"#);
            }
            Self::Text(text) => {
                document.push_str(r#"{"S":"#);
                write_text(document, text);
                document.push('}');
            }
            Self::Bytes(bytes) => {
                document.push_str(r#"{"B":""#);
                BASE64_STANDARD.encode_string(bytes, document);
                document.push_str(r#""}"#);
            }
            Self::List(members) => {
                document.push_str(r#"{"L":["#);
                for (index, member) in members.iter().enumerate() {
                    comma(document, index);
                    member.write_json(document)?;
                }
                document.push_str("]}");
            }
            Self::Map(entries) => {
                document.push_str(r#"{"M":{"#);
                for (index, (name, value)) in entries.iter().enumerate() {
                    comma(document, index);
                    write_text(document, name);
                    document.push(':');
                    value.write_json(document)?;
                }
                document.push_str("}}");
            }
            Self::Set(members) => {
                let kind = members.first().map_or(Kind::Text, Self::kind);
                document.push_str(match kind {
                    Kind::Number => r#"{"NS":["#,
                    Kind::Bytes => r#"{"BS":["#,
                    _ => r#"{"SS":["#,
                });
                for (index, member) in members.iter().enumerate() {
                    comma(document, index);
                    match member {
                        Self::Number(number) => write_text(document, &number.to_dynamodb()?),
                        Self::Bytes(bytes) => {
                            document.push('"');
                            BASE64_STANDARD.encode_string(bytes, document);
                            document.push('"');
                        }
                        Self::Text(text) => write_text(document, text),
                        _ => {}
                    }
                }
                document.push_str("]}");
            }
        }
        Ok(())
    }
}

/// How a list or a map loses what is missing in it.
pub(crate) const COMPACT: &str = "`| compact` drops what is missing in a list or map";

fn comma(document: &mut String, index: usize) {
    if index > 0 {
        document.push(',');
    }
}

fn write_text(document: &mut String, text: &str) {
    document.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        let (before, after) = rest.split_at(at);
        document.push_str(before);
        let mut after = after.chars();
        if let Some(c) = after.next() {
            // Formatting a text cannot fail.
            let _ = write!(document, "\\u{:04x}", u32::from(c));
        }
        rest = after.as_str();
    }
    document.push_str(rest);
    document.push('"');
}

/// Equal as in Jinja: `1` and `1.0` are, and a missing value is equal to a missing one.
impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Missing, Self::Missing) | (Self::None, Self::None) => true,
            (Self::Boolean(one), Self::Boolean(other)) => one == other,
            (Self::Number(one), Self::Number(other)) => one.order(other) == Ordering::Equal,
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Bytes(one), Self::Bytes(other)) => one == other,
            (Self::List(one), Self::List(other)) => one == other,
            (Self::Map(one), Self::Map(other)) => one == other,
            (Self::Set(one), Self::Set(other)) => {
                one.len() == other.len() && one.iter().all(|member| other.contains(member))
            }
            _ => false,
        }
    }
}

/// The value as a message shows it: shortened, with its kind.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(characters) = self.characters() else {
            return f.write_str(self.kind().article());
        };
        let mut shown: String = characters.chars().take(SHOWN).collect();
        if shown.len() < characters.len() {
            shown.push_str("...");
        }
        write!(f, "`{shown}`")
    }
}
