//! Converts an expression's result to an attribute value.

use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Object, ObjectRepr, ValueKind};

use crate::filters::{LeftOut, Set};
use crate::poolhook::mapper::types::Value as AttributeValue;

/// How to fix an undefined result.
pub(crate) const NOTHING: &str =
    "end with `| default(...)` for another value, or with `| optional` to leave the attribute out";

/// A number that keeps its digits as they were written.
#[derive(Debug)]
pub(crate) struct Decimal(pub(crate) String);

impl Object for Decimal {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Converts to an attribute value, or returns why that is not possible.
pub(crate) fn attribute_value(value: &Value) -> Result<AttributeValue, String> {
    if let Some(set) = value.downcast_object_ref::<Set>() {
        return set_value(&set.0);
    }
    if let Some(Decimal(text)) = value.downcast_object_ref() {
        return Ok(AttributeValue::N(text.clone()));
    }
    Ok(match value.kind() {
        ValueKind::Undefined => {
            return Err(format!(
                "there is nothing (this user does not have it, or a set is empty); {NOTHING}"
            ));
        }
        ValueKind::None => AttributeValue::Null,
        ValueKind::Bool => AttributeValue::Boolean(value.is_true()),
        ValueKind::Number => AttributeValue::N(number(value)?),
        ValueKind::String => AttributeValue::S(value.as_str().unwrap_or_default().to_owned()),
        ValueKind::Bytes => AttributeValue::B(value.as_bytes().unwrap_or_default().to_owned()),
        _ => {
            let mut document = String::new();
            write_json(&mut document, value)?;
            AttributeValue::Json(document)
        }
    })
}

fn set_value(members: &[Value]) -> Result<AttributeValue, String> {
    let are = |kind: ValueKind| members.iter().all(|member| member.kind() == kind);
    if are(ValueKind::String) {
        let texts = members.iter().filter_map(Value::as_str);
        return Ok(AttributeValue::Ss(texts.map(str::to_owned).collect()));
    }
    if are(ValueKind::Bytes) {
        let bytes = members.iter().filter_map(Value::as_bytes);
        return Ok(AttributeValue::Bs(bytes.map(<[u8]>::to_vec).collect()));
    }
    let numbers = members
        .iter()
        .map(|member| match member.downcast_object_ref() {
            Some(Decimal(text)) => Ok(text.clone()),
            None if member.is_number() => number(member),
            None => Err("the members of a set are all texts, all numbers, or all bytes".to_owned()),
        });
    Ok(AttributeValue::Ns(numbers.collect::<Result<_, _>>()?))
}

fn number(value: &Value) -> Result<String, String> {
    if value.is_integer() {
        return Ok(value.to_string());
    }
    let number = f64::try_from(value.clone()).unwrap_or(f64::NAN);
    if number.is_finite() {
        Ok(number.to_string())
    } else {
        Err(format!("{value} is no number that DynamoDB has"))
    }
}

/// Converts a list or a map, with everything in it.
fn write_json(document: &mut String, value: &Value) -> Result<(), String> {
    if let Some(Decimal(text)) = value.downcast_object_ref() {
        document.push_str(text);
        return Ok(());
    }
    if value.downcast_object_ref::<Set>().is_some() || value.kind() == ValueKind::Bytes {
        return Err("a set, or bytes, cannot stand in a list or a map".into());
    }
    match value.kind() {
        ValueKind::Undefined => {
            return Err(format!("something in it is not there; {NOTHING}"));
        }
        ValueKind::None => document.push_str("null"),
        ValueKind::Bool => document.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => document.push_str(&number(value)?),
        ValueKind::String => write_text(document, value),
        ValueKind::Seq | ValueKind::Iterable => {
            document.push('[');
            let mut separator = "";
            for member in value.try_iter().map_err(|error| error.to_string())? {
                if member.downcast_object_ref::<LeftOut>().is_some() {
                    continue;
                }
                document.push_str(separator);
                write_json(document, &member)?;
                separator = ",";
            }
            document.push(']');
        }
        ValueKind::Map => {
            document.push('{');
            let mut separator = "";
            for key in value.try_iter().map_err(|error| error.to_string())? {
                let member = value.get_item(&key).map_err(|error| error.to_string())?;
                if member.downcast_object_ref::<LeftOut>().is_some() {
                    continue;
                }
                if key.as_str().is_none() {
                    return Err(format!(
                        "a map's names are texts, and {} is none",
                        described(&key)
                    ));
                }
                document.push_str(separator);
                write_text(document, &key);
                document.push(':');
                write_json(document, &member)?;
                separator = ",";
            }
            document.push('}');
        }
        _ => {
            return Err(format!(
                "{} is no value that DynamoDB has",
                described(value)
            ));
        }
    }
    Ok(())
}

fn write_text(document: &mut String, text: &Value) {
    let text = serde_json::Value::from(text.as_str().unwrap_or_default());
    document.push_str(&text.to_string());
}

/// Converts a JSON document to a value. Numbers keep all their digits.
pub(crate) fn from_json(document: serde_json::Value) -> Value {
    match document {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(value) => value.into(),
        serde_json::Value::Number(number) => {
            let text = number.to_string();
            text.parse::<i128>()
                .map_or_else(|_| Value::from_object(Decimal(text)), Value::from)
        }
        serde_json::Value::String(text) => text.into(),
        serde_json::Value::Array(values) => values.into_iter().map(from_json).collect(),
        serde_json::Value::Object(members) => Value::from_pairs(
            members
                .into_iter()
                .map(|(name, value)| (name, from_json(value))),
        ),
    }
}

/// Shortens a value for an error message.
pub(crate) fn described(value: &Value) -> String {
    const MOST: usize = 40;
    match value.as_str() {
        Some(text) if text.chars().count() > MOST => {
            let beginning: String = text.chars().take(MOST).collect();
            format!("`{beginning}...`")
        }
        Some(text) => format!("`{text}`"),
        None if value.is_number() => format!("`{value}`"),
        None => format!("a value of the kind {}", value.kind()),
    }
}
