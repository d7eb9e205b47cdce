//! Runs a program for a user.

mod calls;
mod parts;

use std::fmt;

use calls::{filter, test};
use parts::{at_path, item, slice};

use crate::kinds::Kinds;
use crate::number::Number;
use crate::operators::{BINARY, unary};
use crate::program::{Broken, FORMAT, Part, Reader, op};
use crate::tests::TESTS;
use crate::user::{User, find};
use crate::value::{MAX_DEPTH, Value};

/// What a program makes of a user.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// An item: each attribute's name and value, none of which is missing.
    Put(Vec<(&'a str, Value<'a>)>),
    /// No item, for this reason.
    Skip(String),
}

/// Why a program has no outcome for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// The key of the expression, such as `item.email`.
    pub key: &'a str,
    /// The part of the expression that failed; `None` if its value is at fault.
    pub part: Option<Part>,
    /// What is wrong.
    pub text: String,
}

/// `item.seats: at character 13: it is not a whole number`.
impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, part, text } = self;
        match part {
            Some(part) => write!(f, "{key}: at character {}: {text}", part.at),
            None => write!(f, "{key}: {text}"),
        }
    }
}

/// How to fix a missing result.
pub(crate) const MISSING: &str =
    "end with `| default(...)` for another value, or with `| optional` to leave the attribute out";

/// Runs a program, which the compiler of this version has made.
pub fn evaluate<'a>(program: &'a str, user: &User<'a>) -> Result<Outcome<'a>, Failure<'a>> {
    let mut machine = Machine {
        code: Reader::new(program),
        user,
        stack: Vec::with_capacity(16),
        kept: Vec::new(),
        item: Vec::with_capacity(16),
        key: "settings",
    };
    match machine.run() {
        Ok(None) => Ok(Outcome::Put(machine.item)),
        Ok(Some(reason)) => Ok(Outcome::Skip(reason)),
        Err(Stop { part, text }) => Err(Failure {
            key: machine.key,
            part,
            text,
        }),
    }
}

struct Machine<'a, 'u> {
    code: Reader<'a>,
    user: &'u User<'a>,
    stack: Vec<Value<'a>>,
    /// The intermediate values.
    kept: Vec<Value<'a>>,
    item: Vec<(&'a str, Value<'a>)>,
    key: &'a str,
}

struct Stop {
    part: Option<Part>,
    text: String,
}

impl From<Broken> for Stop {
    fn from(Broken: Broken) -> Self {
        let text = "this is not a program of this version's compiler";
        Self {
            part: None,
            text: text.to_owned(),
        }
    }
}

impl From<String> for Stop {
    fn from(text: String) -> Self {
        Self { part: None, text }
    }
}

impl<'a> Machine<'a, '_> {
    /// Runs to the end, or to a skip, whose reason it returns.
    fn run(&mut self) -> Result<Option<String>, Stop> {
        if self.code.op() != Some(FORMAT) {
            return Err(Broken.into());
        }
        while let Some(op) = self.code.op() {
            if op == op::SKIP {
                let reason = self.pop()?;
                let reason = reason.characters().map(String::from);
                return Ok(Some(reason.unwrap_or_else(|| "no reason".to_owned())));
            }
            self.step(op)?;
        }
        Ok(None)
    }

    #[expect(clippy::too_many_lines, reason = "one instruction after the other")]
    fn step(&mut self, op: u8) -> Result<(), Stop> {
        match op {
            op::TEXT => {
                let text = self.code.text()?;
                self.push(Value::text(text));
            }
            op::INTEGER => {
                let number: i128 = self.code.text()?.parse().map_err(|_| Broken)?;
                self.push(Value::integer(number));
            }
            op::FLOAT => {
                let bits = u64::from_str_radix(self.code.text()?, 16).map_err(|_| Broken)?;
                self.push(Value::Number(Number::Float(f64::from_bits(bits))));
            }
            op::TRUE => self.push(Value::Boolean(true)),
            op::FALSE => self.push(Value::Boolean(false)),
            op::NONE => self.push(Value::None),
            op::MISSING => self.push(Value::Missing),
            op::FIELD => {
                let field = self.user.field(self.code.number()?);
                self.push(field);
            }
            op::ATTRIBUTE => {
                let text = find(&self.user.attributes, self.code.text()?);
                self.push(text);
            }
            op::METADATA => {
                let text = find(&self.user.client_metadata, self.code.text()?);
                self.push(text);
            }
            op::LOAD => {
                let value = self.kept.get(self.code.number()?);
                let value = value.ok_or(Broken)?.clone();
                self.push(value);
            }
            op::STORE => {
                let value = self.pop()?;
                self.kept.push(value);
            }
            op::LIST => {
                let count = self.code.number()?;
                let part = self.code.part()?;
                let members = Value::list(self.take(count)?);
                self.nested(members, part)?;
            }
            op::MAP => {
                let count = self.code.number()?;
                let part = self.code.part()?;
                self.map(count, part)?;
            }
            op::MEMBER => {
                let name = self.code.text()?;
                let value = self.pop()?.member(name);
                self.push(value);
            }
            op::ITEM => {
                let (key, value) = (self.pop()?, self.pop()?);
                self.push(item(&value, &key));
            }
            op::SLICE => {
                let part = self.code.part()?;
                let bounds = self.take(3)?;
                let value = self.pop()?;
                let value = slice(value, &bounds);
                self.result(value, part)?;
            }
            op::UNARY => {
                let (number, part) = (self.code.number()?, self.code.part()?);
                let value = self.pop()?;
                self.result(unary(number, &value), part)?;
            }
            op::BINARY => {
                let (number, part) = (self.code.number()?, self.code.part()?);
                let (right, left) = (self.pop()?, self.pop()?);
                let operator = BINARY.get(number).ok_or(Broken)?;
                self.result((operator.run)(&left, &right), part)?;
            }
            op::CONCAT => {
                let (count, part) = (self.code.number()?, self.code.part()?);
                let parts = self.take(count)?;
                self.result(concat(&parts), part)?;
            }
            op::CHAIN => self.chain()?,
            op::AND | op::OR => {
                let length = self.code.number()?;
                let is_true = self.stack.last().ok_or(Broken)?.is_true();
                if is_true == (op == op::OR) {
                    self.code.skip(length)?;
                } else {
                    self.pop()?;
                }
            }
            op::UNLESS => {
                let length = self.code.number()?;
                if !self.pop()?.is_true() {
                    self.code.skip(length)?;
                }
            }
            op::JUMP => {
                let length = self.code.number()?;
                self.code.skip(length)?;
            }
            op::FILTER => {
                let (number, count) = (self.code.number()?, self.code.number()?);
                let part = self.code.part()?;
                let at = self.stack.len().checked_sub(count + 1).ok_or(Broken)?;
                let (value, arguments) = self
                    .stack
                    .get_mut(at..)
                    .and_then(<[_]>::split_first_mut)
                    .ok_or(Broken)?;
                let value = std::mem::replace(value, Value::Missing);
                let result = filter(number, value, arguments);
                self.stack.truncate(at);
                self.result(result, part)?;
            }
            op::TEST => {
                let (number, count) = (self.code.number()?, self.code.number()?);
                let part = self.code.part()?;
                let arguments = self.take(count)?;
                let value = self.pop()?;
                self.result(test(number, &value, &arguments).map(Value::Boolean), part)?;
            }
            op::EACH | op::EACH_MEMBER | op::SELECT | op::SELECT_MEMBER => self.each(op)?,
            op::KEY => self.key = self.code.text()?,
            op::PUT | op::PUT_OPTIONAL | op::PUT_UNLESS_EMPTY => {
                let name = self.code.text()?;
                let value = self.pop()?;
                let is_left_out = match op {
                    op::PUT_OPTIONAL => value.is_missing(),
                    op::PUT_UNLESS_EMPTY => value.is_empty(),
                    _ => false,
                };
                if value.is_missing() && !is_left_out {
                    let text = format!(
                        "there is nothing (this user does not have it, or a set is empty); {MISSING}"
                    );
                    return Err(text.into());
                }
                if !is_left_out {
                    self.item.push((name, value));
                }
            }
            op::SKIP_WHEN => {
                let length = self.code.number()?;
                match self.pop()? {
                    Value::Boolean(true) => {}
                    Value::Boolean(false) | Value::Missing => self.code.skip(length)?,
                    other => {
                        let kind = other.kind().article();
                        let text = format!("it is {kind}; a condition must be true or false");
                        return Err(text.into());
                    }
                }
            }
            _ => return Err(Broken.into()),
        }
        Ok(())
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(value);
    }

    fn pop(&mut self) -> Result<Value<'a>, Broken> {
        self.stack.pop().ok_or(Broken)
    }

    /// Pops so many values, which are in their order.
    fn take(&mut self, count: usize) -> Result<Vec<Value<'a>>, Broken> {
        let from = self.stack.len().checked_sub(count).ok_or(Broken)?;
        Ok(self.stack.split_off(from))
    }

    fn result(&mut self, value: Result<Value<'a>, String>, part: Part) -> Result<(), Stop> {
        let part = Some(part);
        let value = value.map_err(|text| Stop { part, text })?;
        self.push(value);
        Ok(())
    }

    /// Pushes a list or a map, if it is not nested too deep.
    fn nested(&mut self, value: Value<'a>, part: Part) -> Result<(), Stop> {
        let fits = value.depth() <= MAX_DEPTH;
        let text = || format!("it is nested deeper than {MAX_DEPTH} levels");
        self.result(fits.then_some(value).ok_or_else(text), part)
    }

    fn map(&mut self, count: usize, part: Part) -> Result<(), Stop> {
        let flat = self.take(count.checked_mul(2).ok_or(Broken)?)?;
        let mut flat = flat.into_iter();
        let mut entries = Vec::with_capacity(count);
        while let (Some(name), Some(value)) = (flat.next(), flat.next()) {
            match name {
                Value::Text(name) => entries.push((name, value)),
                other => {
                    let text = format!("a map's names are texts, not {}", other.kind().article());
                    let part = Some(part);
                    return Err(Stop { part, text });
                }
            }
        }
        self.nested(Value::map(entries), part)
    }

    /// `a < b < c`.
    fn chain(&mut self) -> Result<(), Stop> {
        let (count, part) = (self.code.number()?, self.code.part()?);
        let operands = self.take(count.checked_add(1).ok_or(Broken)?)?;
        let mut result = Ok(Value::Boolean(true));
        for pair in operands.windows(2) {
            let operator = BINARY.get(self.code.number()?).ok_or(Broken)?;
            let [left, right] = pair else {
                return Err(Broken.into());
            };
            if result.as_ref().is_ok_and(Value::is_true) {
                result = (operator.run)(left, right);
            }
        }
        self.result(result, part)
    }

    /// A filter or a test of each member of a list.
    fn each(&mut self, op: u8) -> Result<(), Stop> {
        let (number, count) = (self.code.number()?, self.code.number()?);
        let is_kept = self.code.number()? == 1;
        let path = self.code.text()?;
        let part = self.code.part()?;
        let arguments = self.take(count)?;
        let list = self.pop()?;
        let Some(members) = list.members() else {
            let missing = match list {
                Value::Missing => Ok(Value::Missing),
                other => Err(format!(
                    "{other} is {}; this filter takes a list",
                    other.kind().article()
                )),
            };
            return self.result(missing, part);
        };
        let mut results = Vec::with_capacity(members.len());
        let passes = |value: &Value<'a>| {
            // The number after the last test's stands for no test.
            if number == TESTS.len() {
                Ok(value.is_true())
            } else {
                test(number, value, &arguments)
            }
        };
        for member in members {
            let result = match op {
                op::EACH => filter(number, member.clone(), &arguments).map(Some),
                op::EACH_MEMBER => {
                    let found = at_path(member, path);
                    let other = arguments.first().filter(|_| found.is_missing());
                    Ok(Some(other.map_or(found, Value::clone)))
                }
                op::SELECT => {
                    passes(member).map(|passed| (passed == is_kept).then(|| member.clone()))
                }
                _ => passes(&at_path(member, path))
                    .map(|passed| (passed == is_kept).then(|| member.clone())),
            };
            let part = Some(part);
            results.extend(result.map_err(|text| Stop { part, text })?);
        }
        self.nested(Value::list(results), part)
    }
}

fn concat<'a>(parts: &[Value<'a>]) -> Result<Value<'a>, String> {
    let mut text = String::new();
    for part in parts {
        if part.is_missing() {
            return Ok(Value::Missing);
        }
        match part {
            Value::Text(part) => text.push_str(part),
            part => text.push_str(&part.characters().ok_or_else(|| {
                let (wanted, kind) = (Kinds::CHARACTERS, part.kind().article());
                format!("`~` takes {wanted}, not {kind}")
            })?),
        }
    }
    Ok(Value::text(text))
}

fn broken() -> String {
    Stop::from(Broken).text
}
