//! The filters and tests of expressions: minijinja's own where they exist, and those
//! that make DynamoDB's types.
//!
//! A filter on an undefined value (an attribute that the user does not have) returns
//! undefined, so that one `default` or `optional` at the end is enough.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use minijinja::value::{Enumerator, Object, ObjectRepr, Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters, tests};

use crate::value::{Decimal, described, from_json};

/// All filters, by name.
pub(crate) const FILTERS: [&str; 26] = [
    "base64",
    "bool",
    "capitalize",
    "default",
    "first",
    "int",
    "join",
    "json",
    "last",
    "length",
    "lower",
    "map",
    "number",
    "optional",
    "reject",
    "replace",
    "reverse",
    "round",
    "select",
    "set",
    "sort",
    "split",
    "string",
    "title",
    "trim",
    "upper",
];
/// All tests, by name.
pub(crate) const TESTS: [&str; 8] = [
    "defined",
    "endingwith",
    "none",
    "number",
    "startingwith",
    "string",
    "true",
    "undefined",
];

/// The result of `optional` for an undefined value: the attribute is left out.
#[derive(Debug)]
pub(crate) struct LeftOut;

impl Object for LeftOut {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

/// A set of unique texts, numbers or byte strings.
#[derive(Debug)]
pub(crate) struct Set(pub(crate) Vec<Value>);

impl Object for Set {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.clone())
    }
}

pub(crate) fn add_to(environment: &mut Environment<'static>) {
    let mut add = |name: &'static str, filter: Value| {
        let through = move |state: &mut State, arguments: Rest<Value>| match arguments.first() {
            Some(value) if value.is_undefined() || is_left_out(value) => Ok(value.clone()),
            _ => filter.call(state, &arguments),
        };
        environment.add_filter(name, through);
    };
    add("base64", Value::from_function(base64));
    add("bool", Value::from_function(bool));
    add("capitalize", Value::from_function(filters::capitalize));
    add("first", Value::from_function(filters::first));
    add("int", Value::from_function(int));
    add("join", Value::from_function(filters::join));
    add("json", Value::from_function(json));
    add("last", Value::from_function(filters::last));
    add("length", Value::from_function(filters::length));
    add("lower", Value::from_function(filters::lower));
    add("map", Value::from_function(filters::map));
    add("number", Value::from_function(number));
    add("reject", Value::from_function(filters::reject));
    add("replace", Value::from_function(filters::replace));
    add("reverse", Value::from_function(filters::reverse));
    add("round", Value::from_function(filters::round));
    add("select", Value::from_function(filters::select));
    add("set", Value::from_function(set));
    add("sort", Value::from_function(filters::sort));
    add("split", Value::from_function(filters::split));
    add("string", Value::from_function(filters::string));
    add("title", Value::from_function(filters::title));
    add("trim", Value::from_function(filters::trim));
    add("upper", Value::from_function(filters::upper));
    environment.add_filter("default", filters::default);
    environment.add_filter("optional", optional);

    environment.add_test("defined", tests::is_defined);
    environment.add_test("endingwith", tests::is_endingwith);
    environment.add_test("none", tests::is_none);
    environment.add_test("number", tests::is_number);
    environment.add_test("startingwith", tests::is_startingwith);
    environment.add_test("string", tests::is_string);
    environment.add_test("true", tests::is_true);
    environment.add_test("undefined", tests::is_undefined);
}

fn is_left_out(value: &Value) -> bool {
    value.downcast_object_ref::<LeftOut>().is_some()
}

fn optional(value: Value) -> Value {
    if value.is_undefined() {
        Value::from_object(LeftOut)
    } else {
        value
    }
}

/// Converts a text of digits, with an optional `-` before them, to a whole number.
fn int(value: Value) -> Result<Value, Error> {
    if value.is_integer() {
        return Ok(value);
    }
    let text = value.as_str().filter(|text| !text.starts_with('+'));
    let number = text.and_then(|text| text.parse::<i128>().ok());
    number
        .map(Value::from)
        .ok_or_else(|| wrong(&value, "a whole number"))
}

/// Converts to a number with all its digits. The host checks DynamoDB's limits.
fn number(value: Value) -> Result<Value, Error> {
    if value.is_number() || value.downcast_object_ref::<Decimal>().is_some() {
        return Ok(value);
    }
    let is_number = |text: &&str| {
        text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.')
            && text.parse::<f64>().is_ok()
    };
    let decimal = value.as_str().filter(is_number);
    decimal
        .map(|text| Value::from_object(Decimal(text.to_owned())))
        .ok_or_else(|| wrong(&value, "a number"))
}

fn bool(value: Value) -> Result<Value, Error> {
    match value.as_str() {
        Some("true") => Ok(true.into()),
        Some("false") => Ok(false.into()),
        None if value.kind() == ValueKind::Bool => Ok(value),
        _ => Err(wrong(&value, "`true` or `false`")),
    }
}

/// The unique values of a list, in their order. DynamoDB has no empty set, so the
/// result for an empty list is undefined.
fn set(value: Value) -> Result<Value, Error> {
    if value.as_str().is_some() {
        return Err(wrong(&value, "a list; `split(',')` makes one of a text"));
    }
    let mut members: Vec<Value> = Vec::new();
    for member in value.try_iter()? {
        if !members.contains(&member) {
            members.push(member);
        }
    }
    Ok(if members.is_empty() {
        Value::UNDEFINED
    } else {
        Value::from_object(Set(members))
    })
}

/// Parses a text as a JSON document.
fn json(value: Value) -> Result<Value, Error> {
    let text = value.as_str();
    let document = text.and_then(|text| serde_json::from_str(text).ok());
    document
        .map(from_json)
        .ok_or_else(|| wrong(&value, "a JSON document"))
}

/// Decodes a base64 text.
fn base64(value: Value) -> Result<Value, Error> {
    let text = value.as_str();
    let bytes = text.and_then(|text| BASE64_STANDARD.decode(text).ok());
    bytes
        .map(Value::from_bytes)
        .ok_or_else(|| wrong(&value, "base64"))
}

fn wrong(value: &Value, wanted: impl fmt::Display) -> Error {
    let text = format!("{} is not {wanted}", described(value));
    Error::new(ErrorKind::InvalidOperation, text)
}
