//! Filters that make a value of another type.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use struson::reader::{JsonReader, JsonStreamReader, ReaderError, ReaderSettings, ValueType};

use super::{argument, whole};
use crate::number::{Number, Plain, integer};
use crate::value::{MAX_DEPTH, Value};

#[cfg(feature = "compiler")]
use crate::compiler::types::Type;

type Outcome<'a> = Result<Value<'a>, String>;

/// The most digits after the point that `round` keeps.
const MAX_PRECISION: i64 = 30;

pub(super) fn default<'a>(value: Value<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let also_empty = arguments.get(1).is_some_and(Value::is_true);
    let is_replaced = value.is_missing() || (also_empty && !value.is_true());
    Ok(match arguments.first() {
        Some(other) if is_replaced => other.clone(),
        _ => value,
    })
}

#[cfg(feature = "compiler")]
pub(super) fn default_type(input: &Type, arguments: &[Type]) -> Type {
    match arguments {
        [other, ..] => input.there().join(other),
        [] => Type::any(),
    }
}

pub(super) fn base64<'a>(value: Value<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    let Value::Text(text) = &value else {
        return Ok(value);
    };
    let bytes = BASE64_STANDARD.decode(text.as_bytes());
    let bytes = bytes.map_err(|_| format!("{value} is not base64"))?;
    Ok(Value::Bytes(bytes.into()))
}

pub(super) fn bool<'a>(value: Value<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    match &value {
        Value::Text(text) if text.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
        Value::Text(text) if text.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
        Value::Boolean(_) => Ok(value),
        _ => Err(format!("{value} is not `true` or `false`")),
    }
}

/// Digits, with an optional `-` before them.
pub(super) fn int<'a>(value: Value<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    let number = match &value {
        Value::Text(text) => integer(text),
        Value::Number(number) => match number.plain() {
            Plain::Integer(number) => Some(number),
            #[expect(clippy::cast_possible_truncation, reason = "it is in range")]
            Plain::Float(number) if number.abs() < 1e38 => Some(number as i128),
            Plain::Float(_) => None,
        },
        _ => None,
    };
    let number: Option<i128> = number;
    let number = number.ok_or_else(|| format!("{value} is not a whole number"))?;
    Ok(Value::integer(number))
}

pub(super) fn number<'a>(value: Value<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    match value {
        Value::Text(text) => match Number::parse(text.clone()) {
            Some(number) => Ok(Value::Number(number)),
            None => Err(format!("{} is not a number", Value::Text(text))),
        },
        other => Ok(other),
    }
}

pub(super) fn round<'a>(value: Value<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let precision = whole(arguments.first(), "precision")?;
    let digits = usize::try_from(precision).ok();
    let digits = digits.filter(|_| precision <= MAX_PRECISION);
    let digits = digits.ok_or_else(|| format!("`precision` must be from 0 to {MAX_PRECISION}"))?;
    let method = argument(arguments, 1);
    if !["common", "ceil", "floor"].contains(&method) {
        return Err("`method` must be 'common', 'ceil' or 'floor'".to_owned());
    }
    let Value::Number(number) = &value else {
        return Ok(value);
    };
    let Plain::Float(number) = number.plain() else {
        return Ok(value);
    };
    let scale = 10_f64.powi(i32::try_from(digits).unwrap_or_default());
    let rounded = match method {
        _ if !number.is_finite() => number,
        "ceil" => ((number * scale).ceil() + 0.0) / scale,
        "floor" => ((number * scale).floor() + 0.0) / scale,
        // Formatting rounds a half to the even digit, as Python does.
        _ => crate::number::float(&format!("{number:.digits$}")),
    };
    Ok(Value::Number(Number::Float(rounded)))
}

/// Reads a JSON document. Numbers keep all their digits; of two members with one name, the
/// last one counts.
pub(super) fn json<'a>(value: Value<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    let Value::Text(text) = &value else {
        return Ok(value);
    };
    let settings = ReaderSettings {
        max_nesting_depth: u32::try_from(MAX_DEPTH).ok(),
        restrict_number_values: false,
        track_path: false,
        ..ReaderSettings::default()
    };
    // It is too large for the plugin's stack, beside the document's levels.
    let mut reader = Box::new(JsonStreamReader::new_custom(text.as_bytes(), settings));
    let document = document(&mut *reader);
    let document = document.and_then(|document| {
        reader.consume_trailing_whitespace()?;
        Ok(document)
    });
    document.map_err(|error| match error {
        ReaderError::MaxNestingDepthExceeded { .. } => {
            format!("{value} is nested deeper than {MAX_DEPTH} levels")
        }
        _ => format!("{value} is not a JSON document"),
    })
}

fn document<'a, R: JsonReader>(reader: &mut R) -> Result<Value<'a>, ReaderError> {
    Ok(match reader.peek()? {
        ValueType::Null => {
            reader.next_null()?;
            Value::None
        }
        ValueType::Boolean => Value::Boolean(reader.next_bool()?),
        ValueType::Number => {
            let text = reader.next_number_as_string()?;
            let number = integer(&text).map(Number::Integer);
            Value::Number(number.unwrap_or_else(|| Number::Decimal(text.into())))
        }
        ValueType::String => Value::text(reader.next_string()?),
        ValueType::Array => {
            let mut members = Vec::new();
            reader.begin_array()?;
            while reader.has_next()? {
                members.push(document(reader)?);
            }
            reader.end_array()?;
            Value::list(members)
        }
        ValueType::Object => {
            let mut entries = Vec::new();
            reader.begin_object()?;
            while reader.has_next()? {
                let name = reader.next_name_owned()?;
                entries.push((name.into(), document(reader)?));
            }
            reader.end_object()?;
            Value::map(entries)
        }
    })
}
