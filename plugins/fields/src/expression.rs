//! Expressions: compiled, their names checked, and evaluated for a user.

use minijinja::machinery::parse_expr;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

use crate::checks;
use crate::filters;
use crate::poolhook::mapper::types::Value as AttributeValue;
use crate::value;

/// The limits of an expression: high enough for any mapping, low enough for the
/// plugin's stack.
const MAX_CHARACTERS: usize = 2000;
const MAX_BRACKETS: usize = 24;

/// Compiles expressions.
pub(crate) struct Expressions(Environment<'static>);

/// A compiled expression, with its key in the settings.
pub(crate) struct Expression<'a> {
    key: String,
    text: &'a str,
    compiled: minijinja::Expression<'a, 'a>,
}

impl Expressions {
    pub(crate) fn new() -> Self {
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // Errors state their position.
        environment.set_debug(true);
        filters::add_to(&mut environment);
        Self(environment)
    }

    /// Compiles an expression, or returns its mistakes, one per line.
    pub(crate) fn compile<'a>(
        &'a self,
        key: String,
        text: &'a str,
    ) -> Result<Expression<'a>, Vec<String>> {
        if let Some(rule) = too_large(text) {
            return Err(vec![format!("settings.{key}: {rule}")]);
        }
        let mistakes = match parse_expr(text) {
            Ok(tree) => checks::names(&tree)
                .into_iter()
                .map(|mistake| {
                    let at = mistake.span.start_offset as usize;
                    format!("settings.{key}: {}{}", place(text, at), mistake.text)
                })
                .collect(),
            Err(error) => vec![format!("settings.{key}: {}", describe(text, &error))],
        };
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        match self.0.compile_expression(text) {
            Ok(compiled) => Ok(Expression {
                key,
                text,
                compiled,
            }),
            Err(error) => Err(vec![format!("settings.{key}: {}", describe(text, &error))]),
        }
    }
}

impl Expression<'_> {
    /// The attribute's value for this user. `None` leaves the attribute out.
    pub(crate) fn attribute_value(&self, user: &Value) -> Result<Option<AttributeValue>, String> {
        let value = self.run(user)?;
        if value.downcast_object_ref::<filters::LeftOut>().is_some() {
            return Ok(None);
        }
        let value = value::attribute_value(&value);
        value.map(Some).map_err(|error| self.failed(&error))
    }

    /// The reason to skip this user, if the expression is true or a text, which is
    /// then the reason. `None` if it is false.
    pub(crate) fn reason(&self, user: &Value) -> Result<Option<String>, String> {
        let value = self.run(user)?;
        match value.kind() {
            ValueKind::Bool => Ok(value.is_true().then(|| format!("`{}` is true", self.key))),
            ValueKind::String => Ok(value.to_str().map(|reason| reason.to_string())),
            _ => {
                let value = value::described(&value);
                let text = format!("it is {value}; it must be true, false, or a reason's text");
                Err(self.failed(&text))
            }
        }
    }

    fn run(&self, user: &Value) -> Result<Value, String> {
        let value = self.compiled.eval(user.clone());
        value.map_err(|error| self.failed(&describe(self.text, &error)))
    }

    fn failed(&self, what: &str) -> String {
        format!("{}: {what}", self.key)
    }
}

fn too_large(text: &str) -> Option<String> {
    let characters = text.chars().count();
    if characters > MAX_CHARACTERS {
        return Some(format!(
            "it has {characters} characters; an expression has at most {MAX_CHARACTERS}"
        ));
    }
    let (mut depth, mut quote) = (0_usize, None);
    for (at, c) in text.char_indices() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('(' | '[' | '{', None) => depth += 1,
            (')' | ']' | '}', None) => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_BRACKETS {
            let place = place(text, at);
            return Some(format!("{place}more than {MAX_BRACKETS} brackets are open"));
        }
    }
    None
}

/// An error's message, with its position in the expression.
fn describe(text: &str, error: &Error) -> String {
    let range = error.range();
    let place = range
        .as_ref()
        .map_or_else(String::new, |range| place(text, range.start));
    if error.kind() == ErrorKind::UndefinedError {
        let at_fault = range.and_then(|range| text.get(range)).unwrap_or(text);
        return format!(
            "{place}`{at_fault}` takes something that this user does not have; {}",
            value::NOTHING
        );
    }
    let way_out = way_out(text, error.range().map_or(0, |range| range.start));
    match error.detail() {
        Some(detail) => format!("{place}{detail}{way_out}"),
        None => format!("{place}{}{way_out}", error.kind()),
    }
}

/// What to write in place of what templates have, or of a name with a colon.
fn way_out(text: &str, at: usize) -> String {
    let text = text.trim();
    if text.starts_with("{{") || text.starts_with("{%") {
        let inner = text.trim_matches(['{', '}', '%', '-']).trim();
        return format!("; an expression has no braces around it: write `{inner}`");
    }
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    let is_of_a_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let start = before.trim_end_matches(is_of_a_name);
    let name = before.get(start.len()..).unwrap_or_default();
    let rest = after.strip_prefix(':').unwrap_or_default();
    let end = rest.find(|c| !is_of_a_name(c)).unwrap_or(rest.len());
    let rest = rest.get(..end).unwrap_or_default();
    match start.strip_suffix('.') {
        Some(start) if !name.is_empty() && !rest.is_empty() => {
            format!("; a name with a colon has brackets: write `{start}['{name}:{rest}']`")
        }
        _ => String::new(),
    }
}

/// The position of a byte in the expression, as a character counted from 1.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    format!("at character {}: ", before.chars().count() + 1)
}
