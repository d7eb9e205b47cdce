//! The tests of `is`, and of `select` and its like.

use crate::filters::{Parameter, parameter_of};
use crate::kinds::Kinds;
use crate::operators::contains;
use crate::value::Value;
use crate::{filters::patterns, value::Kind};

/// A test.
pub struct Test {
    /// Its name.
    pub name: &'static str,
    /// What it takes. What is missing fails a test, except `undefined`.
    pub takes: Kinds,
    /// Its parameters.
    pub parameters: &'static [Parameter],
    pub(crate) run: fn(&Value<'_>, &[Value<'_>]) -> Result<bool, String>,
    /// What it is for.
    #[cfg(feature = "compiler")]
    pub about: &'static str,
    /// An expression, and its value.
    #[cfg(feature = "compiler")]
    pub example: (&'static str, &'static str),
}

macro_rules! tests {
    ($($name:literal $takes:expr, [$($parameter:expr),*], $run:expr, $about:literal, $example:literal => $value:literal;)*) => {
        &[$(Test {
            name: $name,
            takes: $takes,
            parameters: &[$($parameter),*],
            run: $run,
            #[cfg(feature = "compiler")]
            about: $about,
            #[cfg(feature = "compiler")]
            example: ($example, $value),
        }),*]
    };
}

const OTHER: Parameter = parameter_of("other", Kinds::ANY, None);
const PART: Parameter = parameter_of("part", Kinds::TEXT, None);

/// The tests, in the order of their numbers in a program.
pub const TESTS: &[Test] = tests! {
    "boolean" Kinds::ANY, [], |value, _| Ok(value.kind() == Kind::Boolean), "True or false", "true is boolean" => r#"{"BOOL":true}"#;
    "defined" Kinds::ANY, [], |value, _| Ok(!value.is_missing()), "Not missing", "user.attributes.nickname is defined" => r#"{"BOOL":false}"#;
    "endingwith" Kinds::TEXT, [PART], |value, arguments| Ok(texts(value, arguments).is_some_and(|(text, part)| text.ends_with(part))), "A text that ends so", "user.attributes.email is endingwith('.com')" => r#"{"BOOL":true}"#;
    "equalto" Kinds::ANY, [OTHER], |value, arguments| Ok(arguments.first() == Some(value)), "Equal, as with `==`", "user.name is equalto('hanako')" => r#"{"BOOL":true}"#;
    "false" Kinds::BOOLEAN, [], |value, _| Ok(matches!(value, Value::Boolean(false))), "`false`", "false is false" => r#"{"BOOL":true}"#;
    "in" Kinds::ANY, [parameter_of("container", crate::operators::CONTAINERS, None)], |value, arguments| arguments.first().map_or(Ok(false), |container| contains(value, container)), "In a text, list, set or map, as with `in`", "user.region is in(['eu-west-1'])" => r#"{"BOOL":true}"#;
    "mapping" Kinds::ANY, [], |value, _| Ok(value.kind() == Kind::Map), "A map", "{'a': 1} is mapping" => r#"{"BOOL":true}"#;
    "match" Kinds::TEXT, [patterns::PATTERN], |value, arguments| matches(value, arguments, true), "A text that matches a pattern at its beginning", "user.name is match('h[a-z]+$')" => r#"{"BOOL":true}"#;
    "none" Kinds::ANY, [], |value, _| Ok(value.kind() == Kind::None), "`none`, which JSON's `null` is too", "none is none" => r#"{"BOOL":true}"#;
    "number" Kinds::ANY, [], |value, _| Ok(value.kind() == Kind::Number), "A number", "'12' is number" => r#"{"BOOL":false}"#;
    "search" Kinds::TEXT, [patterns::PATTERN], |value, arguments| matches(value, arguments, false), "A text in which a pattern matches", "user.attributes.email is search('@[Ee]xample')" => r#"{"BOOL":true}"#;
    "sequence" Kinds::ANY, [], |value, _| Ok(value.kind() == Kind::List), "A list", "[1] is sequence" => r#"{"BOOL":true}"#;
    "startingwith" Kinds::TEXT, [PART], |value, arguments| Ok(texts(value, arguments).is_some_and(|(text, part)| text.starts_with(part))), "A text that begins so", "user.name is startingwith('han')" => r#"{"BOOL":true}"#;
    "string" Kinds::ANY, [], |value, _| Ok(value.kind() == Kind::Text), "A text", "user.name is string" => r#"{"BOOL":true}"#;
    "true" Kinds::BOOLEAN, [], |value, _| Ok(matches!(value, Value::Boolean(true))), "`true`", "true is true" => r#"{"BOOL":true}"#;
    "undefined" Kinds::ANY, [], |value, _| Ok(value.is_missing()), "Missing", "user.attributes.nickname is undefined" => r#"{"BOOL":true}"#;
};

fn texts<'v>(value: &'v Value<'_>, arguments: &'v [Value<'_>]) -> Option<(&'v str, &'v str)> {
    match (value, arguments.first()) {
        (Value::Text(text), Some(Value::Text(part))) => Some((text, part)),
        _ => None,
    }
}

fn matches(value: &Value<'_>, arguments: &[Value<'_>], at_start: bool) -> Result<bool, String> {
    let Some((text, pattern)) = texts(value, arguments) else {
        return Ok(false);
    };
    let pattern = patterns::regex(pattern)?;
    Ok(if at_start {
        pattern.find(text).is_some_and(|found| found.start() == 0)
    } else {
        pattern.is_match(text)
    })
}
