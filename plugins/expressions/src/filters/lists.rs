//! Filters of lists, maps and sets.

use std::cmp::Ordering;

use super::argument;
use crate::value::Value;

type Outcome<'a> = Result<Value<'a>, String>;

pub(super) fn first<'a>(value: Value<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    Ok(match &value {
        Value::Text(text) => character(text.chars().next()),
        value => member(value.members().and_then(<[_]>::first)),
    })
}

pub(super) fn last<'a>(value: Value<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    Ok(match &value {
        Value::Text(text) => character(text.chars().next_back()),
        value => member(value.members().and_then(<[_]>::last)),
    })
}

fn character<'a>(character: Option<char>) -> Value<'a> {
    character.map_or(Value::Missing, |c| Value::text(c.to_string()))
}

fn member<'a>(member: Option<&Value<'a>>) -> Value<'a> {
    member.map_or(Value::Missing, Value::clone)
}

pub(super) fn length<'a>(value: Value<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    let length = match &value {
        Value::Text(text) => text.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Map(entries) => entries.len(),
        value => value.members().map_or(0, <[_]>::len),
    };
    Ok(Value::integer(i128::try_from(length).unwrap_or_default()))
}

pub(super) fn reverse<'a>(value: Value<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    Ok(match value {
        Value::Text(text) => Value::text(text.chars().rev().collect::<String>()),
        Value::List(members) => Value::List(members.iter().rev().cloned().collect()),
        other => other,
    })
}

pub(super) fn compact<'a>(value: Value<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    let there = |value: &&Value<'a>| !value.is_missing();
    Ok(match value {
        Value::List(members) => Value::List(members.iter().filter(there).cloned().collect()),
        Value::Map(entries) => {
            let there = entries.iter().filter(|(_, value)| there(&value));
            Value::Map(there.cloned().collect())
        }
        other => other,
    })
}

pub(super) fn join<'a>(value: Value<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let between = argument(arguments, 0);
    let mut joined = String::new();
    for (index, member) in value.members().unwrap_or_default().iter().enumerate() {
        if member.is_missing() {
            return Ok(Value::Missing);
        }
        if index > 0 {
            joined.push_str(between);
        }
        joined.push_str(&member.characters().unwrap_or_default());
    }
    Ok(Value::text(joined))
}

/// The members of a list, each once, in their order.
fn each_once<'a>(members: &[Value<'a>]) -> Vec<Value<'a>> {
    let mut once: Vec<Value<'a>> = Vec::new();
    for member in members {
        if !once.contains(member) {
            once.push(member.clone());
        }
    }
    once
}

pub(super) fn unique<'a>(value: Value<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::list(each_once(value.members().unwrap_or_default())))
}

pub(super) fn set<'a>(value: Value<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    let members = each_once(value.members().unwrap_or_default());
    let is_missing = members.is_empty() || members.iter().any(Value::is_missing);
    Ok(if is_missing {
        Value::Missing
    } else {
        Value::Set(members.into())
    })
}

pub(super) fn sort<'a>(value: Value<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let is_true = |index: usize| arguments.get(index).is_some_and(Value::is_true);
    let (reverse, case_sensitive) = (is_true(0), is_true(1));
    let mut members = value.members().unwrap_or_default().to_vec();
    if members.iter().any(Value::is_missing) {
        return Ok(Value::Missing);
    }
    members.sort_by(|one, other| {
        let order = match (one, other) {
            (Value::Text(one), Value::Text(other)) if !case_sensitive => {
                one.to_lowercase().cmp(&other.to_lowercase())
            }
            (one, other) => one.order(other).unwrap_or(Ordering::Equal),
        };
        if reverse { order.reverse() } else { order }
    });
    Ok(Value::list(members))
}
