//! The world `poolhook:mapper/mapper@0.1.0`: bindings, and what goes in and out.

use std::collections::BTreeMap;
use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::sandbox::{Level, LogLine, Sandbox};
use crate::event::PostConfirmation;
use crate::item::{AttributeValue, Item, ItemError, Number};
use bindings::poolhook::mapper::{logging, types};

#[allow(missing_docs, clippy::pedantic, reason = "generated")]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "mapper",
        imports: { "poolhook:mapper/logging.log": trappable },
    });
}

pub(super) use bindings::exports::poolhook::mapper::mapping::{Outcome, User};
pub(super) use bindings::{Mapper, MapperPre};

/// What a plugin may import. `types` holds types alone; many a tool imports it.
pub(super) const IMPORTS: [&str; 2] = [
    "poolhook:mapper/logging@0.1.0",
    "poolhook:mapper/types@0.1.0",
];

/// What a plugin returned to be put, not yet an item.
#[derive(Debug)]
pub struct Fields(Vec<types::Field>);

impl Fields {
    pub(super) fn new(fields: Vec<types::Field>) -> Self {
        Self(fields)
    }

    /// The item, if DynamoDB would take it.
    pub fn into_item(self) -> Result<Item, ItemError> {
        let attributes = self.0.into_iter().map(|types::Field { name, value }| {
            let value = attribute_value(&name, value)?;
            Ok((name, value))
        });
        Item::new(attributes.collect::<Result<Vec<_>, _>>()?)
    }
}

fn attribute_value(attribute: &str, value: types::Value) -> Result<AttributeValue, ItemError> {
    let number = |text: String| {
        Number::parse(&text).map_err(|source| ItemError::Number {
            attribute: attribute.to_owned(),
            source,
        })
    };
    Ok(match value {
        types::Value::S(text) => AttributeValue::S(text),
        types::Value::N(text) => AttributeValue::N(number(text)?),
        types::Value::B(bytes) => AttributeValue::B(bytes),
        types::Value::Boolean(value) => AttributeValue::Bool(value),
        types::Value::Null => AttributeValue::Null,
        types::Value::Ss(members) => AttributeValue::Ss(members),
        types::Value::Ns(members) => {
            AttributeValue::Ns(members.into_iter().map(number).collect::<Result<_, _>>()?)
        }
        types::Value::Bs(members) => AttributeValue::Bs(members),
        types::Value::Json(document) => AttributeValue::from_json(attribute, &document)?,
    })
}

/// The event as a plugin sees it.
pub(super) fn user(event: &PostConfirmation, received: SystemTime) -> User {
    let received = Milliseconds::of(received);
    User {
        user_pool_id: event.user_pool_id.as_str().to_owned(),
        region: event.region.clone(),
        client_id: event.client_id.clone(),
        user_name: event.user_name.clone(),
        trigger_source: event.trigger_source.as_str().to_owned(),
        user_attributes: attributes(&event.user_attributes),
        client_metadata: attributes(&event.client_metadata),
        time: received.rfc3339(),
        time_ms: received.0,
    }
}

fn attributes(texts: &BTreeMap<String, String>) -> Vec<types::Attribute> {
    let attribute = |(name, value): (&String, &String)| types::Attribute {
        name: name.clone(),
        value: value.clone(),
    };
    texts.iter().map(attribute).collect()
}

/// An instant, in milliseconds since 1970.
struct Milliseconds(u64);

impl Milliseconds {
    fn of(time: SystemTime) -> Self {
        let since_epoch = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }

    fn rfc3339(&self) -> String {
        const YEAR_10000: u64 = 253_402_300_800_000;
        // RFC 3339 ends with the year 9999.
        let millis = self.0.min(YEAR_10000 - 1);
        let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000);
        let seconds = time
            .ok()
            .and_then(|time| time.replace_nanosecond(0).ok()?.format(&Rfc3339).ok());
        let seconds = seconds.unwrap_or_default();
        format!("{}.{:03}Z", seconds.trim_end_matches('Z'), millis % 1000)
    }
}

impl logging::Host for Sandbox {
    fn log(&mut self, level: logging::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            logging::Level::Debug => Level::Debug,
            logging::Level::Info => Level::Info,
            logging::Level::Warn => Level::Warn,
            logging::Level::Error => Level::Error,
        };
        Ok(Sandbox::log(self, LogLine { level, message })?)
    }
}

impl types::Host for Sandbox {}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::Milliseconds;

    #[test]
    fn times_sort_as_text() {
        let text =
            |ms| Milliseconds::of(SystemTime::UNIX_EPOCH + Duration::from_millis(ms)).rfc3339();
        assert_eq!(text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(1_795_424_812_045), "2026-11-23T09:06:52.045Z");
        assert_eq!(text(u64::MAX >> 1), "9999-12-31T23:59:59.999Z");
    }
}
