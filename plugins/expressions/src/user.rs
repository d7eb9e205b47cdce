//! The user, the only input of a mapping.

use std::borrow::Cow;

use crate::number::Number;
use crate::value::Value;

/// The fields of `user`, in the order of their numbers in a program.
#[cfg(feature = "compiler")]
pub(crate) const FIELDS: [&str; 9] = [
    "name",
    "attributes",
    "client_metadata",
    "client_id",
    "pool_id",
    "region",
    "trigger_source",
    "time",
    "time_ms",
];

/// A user.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the fields are those of the event")]
pub struct User<'a> {
    pub name: &'a str,
    /// Sorted by name.
    pub attributes: Vec<(&'a str, &'a str)>,
    /// Sorted by name.
    pub client_metadata: Vec<(&'a str, &'a str)>,
    pub client_id: Option<&'a str>,
    pub pool_id: &'a str,
    pub region: &'a str,
    pub trigger_source: &'a str,
    /// RFC 3339, in UTC, with milliseconds.
    pub time: &'a str,
    /// The same time in milliseconds since 1970.
    pub time_ms: u64,
}

impl<'a> User<'a> {
    /// The field with this number.
    pub(crate) fn field(&self, number: usize) -> Value<'a> {
        match number {
            0 => Value::text(self.name),
            1 => map(&self.attributes),
            2 => map(&self.client_metadata),
            3 => self.client_id.map_or(Value::Missing, Value::text),
            4 => Value::text(self.pool_id),
            5 => Value::text(self.region),
            6 => Value::text(self.trigger_source),
            7 => Value::text(self.time),
            8 => Value::Number(Number::Integer(self.time_ms.into())),
            _ => Value::Missing,
        }
    }
}

/// The text with this name.
pub(crate) fn find<'a>(texts: &[(&'a str, &'a str)], name: &str) -> Value<'a> {
    let at = texts.binary_search_by(|(each, _)| (*each).cmp(name));
    let found = at.ok().and_then(|at| texts.get(at));
    found.map_or(Value::Missing, |(_, text)| Value::text(*text))
}

fn map<'a>(texts: &[(&'a str, &'a str)]) -> Value<'a> {
    let entry = |&(name, text): &(&'a str, &'a str)| (Cow::Borrowed(name), Value::text(text));
    Value::Map(texts.iter().map(entry).collect())
}
