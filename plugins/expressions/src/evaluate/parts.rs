//! Parts of values: members and slices.

use crate::number::Plain;
use crate::value::Value;

/// `name` of `user.name`, or `a.b` of members with members.
pub(super) fn at_path<'a>(value: &Value<'a>, path: &str) -> Value<'a> {
    path.split('.').fold(value.clone(), |value, step| {
        match (&value, step.parse::<usize>()) {
            (Value::List(members), Ok(index)) => {
                members.get(index).map_or(Value::Missing, Value::clone)
            }
            _ => value.member(step),
        }
    })
}

/// The member of a map with a name, or of a list at an index, which counts from the end if
/// it is negative. Missing for everything else.
pub(super) fn item<'a>(value: &Value<'a>, key: &Value<'_>) -> Value<'a> {
    match (value, key) {
        (value, Value::Text(name)) => value.member(name),
        (Value::List(members), Value::Number(index)) => {
            let Plain::Integer(index) = index.plain() else {
                return Value::Missing;
            };
            let length = i128::try_from(members.len()).unwrap_or_default();
            let index = if index < 0 { index + length } else { index };
            let found = usize::try_from(index).ok();
            let found = found.and_then(|index| members.get(index));
            found.map_or(Value::Missing, Value::clone)
        }
        _ => Value::Missing,
    }
}

/// `value[start:stop:step]`, as in Python.
pub(super) fn slice<'a>(value: Value<'a>, bounds: &[Value<'a>]) -> Result<Value<'a>, String> {
    let bound = |index: usize| match bounds.get(index) {
        None | Some(Value::None) => Ok(None),
        Some(Value::Number(number)) => match number.plain() {
            Plain::Integer(number) => Ok(Some(number)),
            Plain::Float(_) => Err("a slice takes whole numbers".to_owned()),
        },
        Some(other) => Err(format!(
            "a slice takes whole numbers, not {}",
            other.kind().article()
        )),
    };
    if bounds.iter().any(Value::is_missing) {
        return Ok(Value::Missing);
    }
    let (start, end, stride) = (bound(0)?, bound(1)?, bound(2)?.unwrap_or(1));
    if stride == 0 {
        return Err("a slice cannot have steps of 0".to_owned());
    }
    Ok(match value {
        Value::Missing => Value::Missing,
        Value::Text(text) => {
            let characters: Vec<char> = text.chars().collect();
            let indices = indices(characters.len(), start, end, stride);
            Value::text(
                indices
                    .filter_map(|at| characters.get(at))
                    .collect::<String>(),
            )
        }
        Value::List(members) => {
            let indices = indices(members.len(), start, end, stride);
            Value::List(indices.filter_map(|at| members.get(at)).cloned().collect())
        }
        other => {
            let kind = other.kind().article();
            return Err(format!("{other} is {kind}; a slice is of text or a list"));
        }
    })
}

/// The indices of a slice, which all exist.
fn indices(
    length: usize,
    start: Option<i128>,
    end: Option<i128>,
    stride: i128,
) -> impl Iterator<Item = usize> {
    let length = i128::try_from(length).unwrap_or_default();
    let is_up = stride > 0;
    // Downward, the end is before the first one.
    let (least, most) = if is_up { (0, length) } else { (-1, length - 1) };
    let bound = |at: i128| {
        let at = if at < 0 {
            at.saturating_add(length)
        } else {
            at
        };
        at.clamp(least, most)
    };
    let (from, to) = if is_up { (least, most) } else { (most, least) };
    let (mut at, end) = (start.map_or(from, bound), end.map_or(to, bound));
    std::iter::from_fn(move || {
        let is_before_end = if is_up { at < end } else { at > end };
        let index = is_before_end.then_some(at)?;
        at = at.saturating_add(stride);
        usize::try_from(index).ok()
    })
}
