//! The mapping plugin `fields`: the pool's TOML defines the item, with one expression per
//! attribute.
//!
//! ```toml
//! plugin = "fields"
//! [settings.item]
//! id    = "user.name"
//! email = "user.attributes.email | lower"
//! ```
//!
//! The host compiles the expressions when it reads the pool's config. This plugin receives
//! the program in place of the settings, and evaluates it. README.md describes the language.

use std::mem::ManuallyDrop;

use exports::poolhook::mapper::mapping::{Guest, Outcome, User};
use poolhook::mapper::types::{Attribute, Field, Value as AttributeValue};
use poolhook_expressions as expressions;
use poolhook_expressions::{Kind, Value};
use poolhook_heap as _;

#[allow(missing_docs, clippy::pedantic, unreachable_pub, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "mapper" });
}
use bindings::{exports, poolhook};

struct Fields;

bindings::export!(Fields with_types_in bindings);

impl Guest for Fields {
    fn to_item(user: User, settings: String) -> Result<Outcome, String> {
        // The memory ends with the event: taking it apart would only cost time.
        let (user, settings) = (ManuallyDrop::new(user), ManuallyDrop::new(settings));
        let user = ManuallyDrop::new(seen(&user));
        let outcome = expressions::evaluate(&settings, &user);
        match outcome.map_err(|failure| failure.to_string())? {
            expressions::Outcome::Skip(reason) => Ok(Outcome::Skip(reason)),
            expressions::Outcome::Put(item) => {
                let mut fields = Vec::with_capacity(item.len());
                for (name, value) in &*ManuallyDrop::new(item) {
                    let value = attribute_value(value);
                    let value = value.map_err(|error| format!("item.{name}: {error}"))?;
                    let name = (*name).to_owned();
                    fields.push(Field { name, value });
                }
                Ok(Outcome::Put(fields))
            }
        }
    }
}

/// The user, as expressions see it.
fn seen(user: &User) -> expressions::User<'_> {
    expressions::User {
        name: &user.user_name,
        attributes: texts(&user.user_attributes),
        client_metadata: texts(&user.client_metadata),
        client_id: user.client_id.as_deref(),
        pool_id: &user.user_pool_id,
        region: &user.region,
        trigger_source: &user.trigger_source,
        time: &user.time,
        time_ms: user.time_ms,
    }
}

fn texts(attributes: &[Attribute]) -> Vec<(&str, &str)> {
    let each = attributes.iter();
    each.map(|attribute| (attribute.name.as_str(), attribute.value.as_str()))
        .collect()
}

/// Lists and maps become documents in DynamoDB's JSON. The host knows that those of this
/// plugin are.
fn attribute_value(value: &Value<'_>) -> Result<AttributeValue, String> {
    Ok(match value {
        Value::Text(text) => AttributeValue::S(text.clone().into_owned()),
        Value::Number(number) => AttributeValue::N(number.to_dynamodb()?.into_owned()),
        Value::Boolean(value) => AttributeValue::Boolean(*value),
        Value::None | Value::Missing => AttributeValue::Null,
        Value::Bytes(bytes) => AttributeValue::B(bytes.to_vec()),
        Value::List(_) | Value::Map(_) => {
            let mut document = String::new();
            value.write_json(&mut document)?;
            AttributeValue::Json(document)
        }
        Value::Set(members) => set(members)?,
    })
}

fn set(members: &[Value<'_>]) -> Result<AttributeValue, String> {
    Ok(match members.first().map(Value::kind) {
        Some(Kind::Number) => {
            let mut numbers = Vec::with_capacity(members.len());
            for member in members {
                if let Value::Number(number) = member {
                    numbers.push(number.to_dynamodb()?.into_owned());
                }
            }
            AttributeValue::Ns(numbers)
        }
        Some(Kind::Bytes) => AttributeValue::Bs(
            members
                .iter()
                .filter_map(|member| match member {
                    Value::Bytes(bytes) => Some(bytes.to_vec()),
                    _ => None,
                })
                .collect(),
        ),
        _ => AttributeValue::Ss(
            members
                .iter()
                .filter_map(|member| match member {
                    Value::Text(text) => Some(text.clone().into_owned()),
                    _ => None,
                })
                .collect(),
        ),
    })
}
