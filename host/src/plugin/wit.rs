//! The world `poolhook:mapper/mapper@0.1.0`: bindings and conversions.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::PluginError;
use super::sandbox::{LogLine, Sandbox};
use crate::event::PostConfirmation;
use crate::item::{AttributeValue, Item, ItemError, Number};
use crate::log::Level;
use crate::timestamp::Timestamp;
use bindings::poolhook::mapper::{logging, types};

#[allow(missing_docs, clippy::pedantic, reason = "generated")]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "mapper",
        imports: { "poolhook:mapper/logging.log": trappable },
        ownership: Borrowing { duplicate_if_necessary: false },
    });
}

pub(super) use bindings::exports::poolhook::mapper::mapping::{Outcome, User};
pub(super) use bindings::{Mapper, MapperIndices};

/// The world that this host's plugins implement.
pub const WORLD: &str = "poolhook:mapper/mapper@0.1.0";

/// What a plugin may import. `types` contains only types; many tools import it.
const IMPORTS: [&str; 2] = [
    "poolhook:mapper/logging@0.1.0",
    "poolhook:mapper/types@0.1.0",
];
const EXPORT: &str = "poolhook:mapper/mapping@0.1.0";
/// The prefix of the package's interfaces, in any version.
const PACKAGE: &str = "poolhook:mapper/";

/// Checks the names of a component's imports and exports. wasmtime checks their types,
/// but accepts one version's name for another's.
pub(super) fn check_names(imports: &[&str], exports: &[&str]) -> Result<(), PluginError> {
    let wrong_world = |reason| Err(PluginError::WrongWorld { reason });
    let other_version = |verb, name| {
        wrong_world(format!(
            "it {verb} {name}, another version. Build it against this poolhook's WIT package, or update poolhook"
        ))
    };
    let foreign = |name: &&&str| !IMPORTS.contains(name);
    let of_package = |name: &&&str| name.starts_with(PACKAGE);
    if let Some(name) = imports.iter().filter(foreign).find(of_package) {
        return other_version("imports", name);
    }
    if let Some(import) = imports.iter().find(foreign) {
        return Err(PluginError::ForbiddenImport {
            import: (*import).to_owned(),
        });
    }
    if exports.contains(&EXPORT) {
        return Ok(());
    }
    if let Some(name) = exports.iter().find(of_package) {
        return other_version("exports", name);
    }
    wrong_world(match exports {
        [] => "it exports nothing".to_owned(),
        exports => format!("it exports {}, and not {EXPORT}", exports.join(", ")),
    })
}

/// The attributes that a plugin returned, not checked yet.
#[derive(Debug)]
pub struct Fields(Vec<types::Field>, Documents);

/// How a nested value is written in its document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Documents {
    /// JSON, as the interface says.
    Plain,
    /// DynamoDB's JSON, which has sets and bytes as well: those of the plugin `fields`.
    DynamoDb,
}

impl Fields {
    pub(super) fn new(fields: Vec<types::Field>, documents: Documents) -> Self {
        Self(fields, documents)
    }

    /// Converts the attributes to an item, if DynamoDB accepts it.
    pub fn into_item(self) -> Result<Item, ItemError> {
        let attributes = self.0.into_iter().map(|types::Field { name, value }| {
            let value = attribute_value(&name, value, self.1)?;
            Ok((name, value))
        });
        Item::from_results(attributes)
    }
}

fn attribute_value(
    attribute: &str,
    value: types::Value,
    documents: Documents,
) -> Result<AttributeValue, ItemError> {
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
        types::Value::Json(document) => match documents {
            Documents::Plain => AttributeValue::from_json(attribute, &document)?,
            Documents::DynamoDb => AttributeValue::from_dynamodb_json(attribute, &document)?,
        },
    })
}

/// An event in the plugin's types, which borrow its texts.
pub(super) struct Parameters<'a> {
    event: &'a PostConfirmation,
    user_attributes: Vec<types::Attribute<'a>>,
    client_metadata: Vec<types::Attribute<'a>>,
    time: String,
    time_ms: u64,
}

impl<'a> Parameters<'a> {
    pub(super) fn of(event: &'a PostConfirmation, received: SystemTime) -> Self {
        let received = Timestamp::from(received);
        Self {
            event,
            user_attributes: attributes(&event.user_attributes),
            client_metadata: attributes(&event.client_metadata),
            time: received.to_string(),
            time_ms: received.as_millis(),
        }
    }

    pub(super) fn user(&self) -> User<'_> {
        User {
            user_pool_id: self.event.user_pool_id.as_str(),
            region: &self.event.region,
            client_id: self.event.client_id.as_deref(),
            user_name: &self.event.user_name,
            trigger_source: self.event.trigger_source.as_str(),
            user_attributes: &self.user_attributes,
            client_metadata: &self.client_metadata,
            time: &self.time,
            time_ms: self.time_ms,
        }
    }
}

fn attributes(texts: &BTreeMap<String, String>) -> Vec<types::Attribute<'_>> {
    let texts = texts.iter();
    texts
        .map(|(name, value)| types::Attribute { name, value })
        .collect()
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
