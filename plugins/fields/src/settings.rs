//! The pool's `[settings]`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::expression::{Expression, Expressions};

/// The settings as the pool's TOML has them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Settings {
    /// Each attribute's name and expression.
    item: BTreeMap<String, Value>,
    /// Users for whom this is true, or a text, are skipped.
    skip_when: Option<Value>,
    /// Only `poolhook config check` reads it.
    #[serde(default, rename = "examples")]
    _examples: IgnoredAny,
}

/// The compiled settings.
pub(crate) struct Compiled<'a> {
    pub(crate) item: Vec<(String, Expression<'a>)>,
    pub(crate) skip_when: Option<Expression<'a>>,
}

impl Settings {
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| format!("settings: {}", message(&error)))
    }

    /// Compiles all expressions, or returns all mistakes in them, one per line, each
    /// starting with its key's name.
    pub(crate) fn compile<'a>(
        &'a self,
        expressions: &'a Expressions,
    ) -> Result<Compiled<'a>, String> {
        let mut mistakes = Vec::new();
        let mut compile = |key: String, text: &'a Value| {
            let Some(text) = text.as_str() else {
                let rule = "must be an expression in quotes, such as \"user.name\"";
                mistakes.push(format!("settings.{key}: {rule}, and is {text}"));
                return None;
            };
            let compiled = expressions.compile(key, text);
            compiled.map_err(|found| mistakes.extend(found)).ok()
        };
        let item = self.item.iter().filter_map(|(name, text)| {
            let compiled = compile(format!("item.{}", key(name)), text)?;
            Some((name.clone(), compiled))
        });
        let item = item.collect();
        let skip_when = self.skip_when.as_ref();
        let skip_when = skip_when.and_then(|text| compile("skip-when".into(), text));
        if mistakes.is_empty() {
            Ok(Compiled { item, skip_when })
        } else {
            Err(mistakes.join("\n"))
        }
    }
}

/// A key as TOML writes it.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) {
        name.to_owned()
    } else {
        Value::from(name).to_string()
    }
}

/// What is wrong, without a place: the settings are not a text of the pool's.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}
