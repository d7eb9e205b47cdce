//! The operators: their signs, what they take, and what they do.

use std::cmp::Ordering;

use crate::kinds::Kinds;
use crate::number::{Number, Plain};
use crate::value::Value;

/// An operator of two operands.
pub struct Operator {
    /// How it is written.
    pub sign: &'static str,
    /// What it takes, on both sides.
    pub takes: Kinds,
    pub(crate) run: for<'a> fn(&Value<'a>, &Value<'a>) -> Result<Value<'a>, String>,
    /// What it is for.
    #[cfg(feature = "compiler")]
    pub about: &'static str,
    /// An expression, and its value.
    #[cfg(feature = "compiler")]
    pub example: (&'static str, &'static str),
}

macro_rules! operators {
    ($($sign:literal $takes:expr, $run:expr, $about:literal, $example:literal => $value:literal;)*) => {
        &[$(Operator {
            sign: $sign,
            takes: $takes,
            run: $run,
            #[cfg(feature = "compiler")]
            about: $about,
            #[cfg(feature = "compiler")]
            example: ($example, $value),
        }),*]
    };
}

const ADDED: Kinds = Kinds::NUMBER.or(Kinds::TEXT).or(Kinds::LIST);
const ORDERED: Kinds = Kinds::NUMBER.or(Kinds::TEXT);

/// The operators, in the order of their numbers in a program.
pub const BINARY: &[Operator] = operators! {
    "+" ADDED, add, "Adds numbers, and joins texts or lists", "1 + 0.5" => r#"{"N":"1.5"}"#;
    "-" Kinds::NUMBER, |a, b| calculate("-", a, b, i128::checked_sub, |a, b| a - b), "Subtracts", "3 - 5" => r#"{"N":"-2"}"#;
    "*" Kinds::NUMBER, |a, b| calculate("*", a, b, i128::checked_mul, |a, b| a * b), "Multiplies", "30 * 86400" => r#"{"N":"2592000"}"#;
    "/" Kinds::NUMBER, divide, "Divides; the result is a fraction", "7 / 2" => r#"{"N":"3.5"}"#;
    "//" Kinds::NUMBER, |a, b| no_zero("//", a, b, floor_divide, |a, b| float_divide(a, b).0), "Divides, and rounds down to a whole number", "7 // 2" => r#"{"N":"3"}"#;
    "%" Kinds::NUMBER, |a, b| no_zero("%", a, b, remainder, |a, b| float_divide(a, b).1), "The remainder of a division, with the divisor's sign", "7 % 4" => r#"{"N":"3"}"#;
    "**" Kinds::NUMBER, power, "Raises to a power", "2 ** 10" => r#"{"N":"1024"}"#;
    "==" Kinds::ANY, |a, b| Ok(Value::Boolean(a == b)), "Equal. What is missing is equal to nothing else", "user.name == 'hanako'" => r#"{"BOOL":true}"#;
    "!=" Kinds::ANY, |a, b| Ok(Value::Boolean(a != b)), "Not equal", "user.name != 'hanako'" => r#"{"BOOL":false}"#;
    "<" ORDERED, |a, b| compare("<", a, b, Ordering::is_lt), "Less, of two numbers or two texts", "2 < 10" => r#"{"BOOL":true}"#;
    "<=" ORDERED, |a, b| compare("<=", a, b, Ordering::is_le), "Less or equal", "'a' <= 'b'" => r#"{"BOOL":true}"#;
    ">" ORDERED, |a, b| compare(">", a, b, Ordering::is_gt), "Greater", "2 > 10" => r#"{"BOOL":false}"#;
    ">=" ORDERED, |a, b| compare(">=", a, b, Ordering::is_ge), "Greater or equal", "user.time >= '2026-01-01'" => r#"{"BOOL":true}"#;
    "in" Kinds::ANY, |a, b| contains(a, b).map(Value::Boolean), "Part of a text, member of a list or set, name in a map", "'@' in user.attributes.email" => r#"{"BOOL":true}"#;
    "not in" Kinds::ANY, |a, b| contains(a, b).map(|found| Value::Boolean(!found)), "The opposite of `in`", "'@' not in user.attributes.email" => r#"{"BOOL":false}"#;
};

/// What `in` looks into.
pub(crate) const CONTAINERS: Kinds = Kinds::TEXT.or(Kinds::MEMBERS).or(Kinds::MAP);

/// The operators of one operand, in the order of their numbers in a program.
pub(crate) const UNARY: [&str; 2] = ["not", "-"];

pub(crate) fn unary<'a>(number: usize, value: &Value<'a>) -> Result<Value<'a>, String> {
    match (UNARY.get(number).copied(), value) {
        (Some("not"), value) => Ok(Value::Boolean(!value.is_true())),
        (_, Value::Missing) => Ok(Value::Missing),
        (_, Value::Number(number)) => match number.plain() {
            Plain::Integer(number) => number
                .checked_neg()
                .map(Value::integer)
                .ok_or_else(|| format!("-{value} is too large")),
            Plain::Float(number) => Ok(Value::Number(Number::Float(-number))),
        },
        _ => Err(format!("`-` takes a number, not {value}")),
    }
}

fn add<'a>(a: &Value<'a>, b: &Value<'a>) -> Result<Value<'a>, String> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Ok(Value::text([a.as_ref(), b.as_ref()].concat())),
        (Value::List(a), Value::List(b)) => {
            Ok(Value::list(a.iter().chain(&**b).cloned().collect()))
        }
        _ => calculate("+", a, b, i128::checked_add, |a, b| a + b),
    }
}

fn calculate<'a>(
    sign: &str,
    a: &Value<'a>,
    b: &Value<'a>,
    integers: fn(i128, i128) -> Option<i128>,
    floats: fn(f64, f64) -> f64,
) -> Result<Value<'a>, String> {
    Ok(match (a, b) {
        (Value::Missing, _) | (_, Value::Missing) => Value::Missing,
        (Value::Number(one), Value::Number(other)) => match (one.plain(), other.plain()) {
            (Plain::Integer(one), Plain::Integer(other)) => integers(one, other)
                .map(Value::integer)
                .ok_or_else(|| too_large(sign, a, b))?,
            (one, other) => Value::Number(Number::Float(floats(one.float(), other.float()))),
        },
        _ => return Err(wrong(sign, a, b)),
    })
}

fn no_zero<'a>(
    sign: &str,
    a: &Value<'a>,
    b: &Value<'a>,
    integers: fn(i128, i128) -> Option<i128>,
    floats: fn(f64, f64) -> f64,
) -> Result<Value<'a>, String> {
    match b {
        Value::Number(number) if number.is_zero() && matches!(a, Value::Number(_)) => {
            Err(format!("{a} {sign} 0 has no result"))
        }
        _ => calculate(sign, a, b, integers, floats),
    }
}

fn divide<'a>(a: &Value<'a>, b: &Value<'a>) -> Result<Value<'a>, String> {
    match (a, b) {
        (Value::Number(one), Value::Number(other)) if !other.is_zero() => {
            let result = one.plain().float() / other.plain().float();
            Ok(Value::Number(Number::Float(result)))
        }
        _ => no_zero("/", a, b, |_, _| None, |a, b| a / b),
    }
}

fn floor_divide(a: i128, b: i128) -> Option<i128> {
    let quotient = a.checked_div(b)?;
    let is_exact = a.checked_rem(b)? == 0;
    let down = i128::from(!is_exact && (a < 0) != (b < 0));
    quotient.checked_sub(down)
}

fn remainder(a: i128, b: i128) -> Option<i128> {
    let rest = a.checked_rem(b)?;
    if rest != 0 && (rest < 0) != (b < 0) {
        rest.checked_add(b)
    } else {
        Some(rest)
    }
}

/// The quotient, rounded down, and the remainder, as in Python.
fn float_divide(a: f64, b: f64) -> (f64, f64) {
    let mut rest = a % b;
    let mut quotient = (a - rest) / b;
    if rest != 0.0 && (rest < 0.0) != (b < 0.0) {
        rest += b;
        quotient -= 1.0;
    }
    // The division above can miss a whole number by a little.
    let floor = quotient.floor();
    let quotient = if quotient - floor > 0.5 {
        floor + 1.0
    } else {
        floor
    };
    (quotient, rest)
}

fn power<'a>(a: &Value<'a>, b: &Value<'a>) -> Result<Value<'a>, String> {
    let (Value::Number(base), Value::Number(exponent)) = (a, b) else {
        return calculate("**", a, b, |_, _| None, f64::powf);
    };
    let is_negative = exponent.plain().float() < 0.0;
    match (base.plain(), exponent.plain()) {
        _ if is_negative && base.is_zero() => Err(format!("0 ** {b} has no result")),
        (Plain::Integer(base), Plain::Integer(exponent)) if !is_negative => {
            let result = u32::try_from(exponent).ok();
            let result = result.and_then(|exponent| base.checked_pow(exponent));
            result
                .map(Value::integer)
                .ok_or_else(|| too_large("**", a, b))
        }
        (base, exponent) => {
            let result = base.float().powf(exponent.float());
            Ok(Value::Number(Number::Float(result)))
        }
    }
}

fn compare<'a>(
    sign: &str,
    a: &Value<'a>,
    b: &Value<'a>,
    is: fn(Ordering) -> bool,
) -> Result<Value<'a>, String> {
    match (a, b) {
        (Value::Missing, _) | (_, Value::Missing) => Ok(Value::Missing),
        _ => match a.order(b) {
            Some(order) => Ok(Value::Boolean(is(order))),
            None => Err(wrong(sign, a, b)),
        },
    }
}

/// Whether a value is in a container. A missing container holds nothing.
pub(crate) fn contains(value: &Value<'_>, container: &Value<'_>) -> Result<bool, String> {
    match (value, container) {
        (_, Value::Missing) | (Value::Missing, Value::Text(_) | Value::Map(_)) => Ok(false),
        (Value::Text(part), Value::Text(text)) => Ok(text.contains(part.as_ref())),
        (Value::Text(name), Value::Map(entries)) => {
            Ok(entries.iter().any(|(each, _)| each == name))
        }
        (value, Value::List(members) | Value::Set(members)) => Ok(members.contains(value)),
        _ => Err(wrong("in", value, container)),
    }
}

fn wrong(sign: &str, a: &Value<'_>, b: &Value<'_>) -> String {
    format!(
        "`{sign}` cannot take {} and {}",
        a.kind().article(),
        b.kind().article()
    )
}

fn too_large(sign: &str, a: &Value<'_>, b: &Value<'_>) -> String {
    format!("{a} {sign} {b} is too large")
}
