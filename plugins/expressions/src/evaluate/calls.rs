//! Calls of filters and tests, whose arguments are checked before.

use super::broken;
use crate::filters::FILTERS;
use crate::kinds::Kinds;
use crate::tests::TESTS;
use crate::value::{Kind, Value};

pub(super) fn filter<'a>(
    number: usize,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>, String> {
    let filter = FILTERS.get(number).ok_or_else(broken)?;
    let takes_all = filter.takes.has(Kind::Missing);
    if !takes_all {
        if value.is_missing() || arguments.iter().any(Value::is_missing) {
            return Ok(Value::Missing);
        }
        check(filter.name, filter.takes, &value)?;
        filter.members.check(filter.name, &value)?;
        for (parameter, argument) in filter.parameters.iter().zip(arguments) {
            check(parameter.name, parameter.takes, argument)?;
        }
    }
    (filter.run)(value, arguments)
}

pub(super) fn test(
    number: usize,
    value: &Value<'_>,
    arguments: &[Value<'_>],
) -> Result<bool, String> {
    let test = TESTS.get(number).ok_or_else(broken)?;
    let takes_all = test.takes.has(Kind::Missing);
    if !takes_all {
        if value.is_missing() || arguments.iter().any(Value::is_missing) {
            return Ok(false);
        }
        check(test.name, test.takes, value)?;
        for (parameter, argument) in test.parameters.iter().zip(arguments) {
            check(parameter.name, parameter.takes, argument)?;
        }
    }
    (test.run)(value, arguments)
}

fn check(name: &str, takes: Kinds, value: &Value<'_>) -> Result<(), String> {
    let kind = value.kind();
    if takes.has(kind) {
        return Ok(());
    }
    let kind = kind.article();
    Err(if value.characters().is_some() {
        format!("`{name}` takes {takes}, and {value} is {kind}")
    } else {
        format!("`{name}` takes {takes}, not {kind}")
    })
}
