//! Compiles a whole mapping: intermediate values, the condition to skip, the item.

use std::collections::{BTreeMap, BTreeSet};

use super::expression::{Compiled as Expression, Ending, Let, compile as compile_expression};
use super::mistake::{Mistake, Wrong};
use super::types::Type;
use crate::kinds::Kinds;
use crate::program::{FORMAT, Writer, op};

/// The most intermediate values.
const MAX_LETS: usize = 100;

/// A mapping as it is written: names and expressions.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// Intermediate values.
    pub lets: BTreeMap<String, String>,
    /// A condition; users for whom it is true are skipped.
    pub skip_when: Option<String>,
    /// The reason for skipping them.
    pub skip_reason: Option<String>,
    /// The attributes of the item.
    pub item: BTreeMap<String, String>,
}

impl Mapping {
    /// The mapping of one attribute alone, for every user, with the intermediate values that
    /// it needs.
    #[must_use]
    pub fn only(&self, attribute: &str) -> Self {
        let text = self.item.get(attribute).cloned().unwrap_or_default();
        let needed = self.needed(vec![&text]);
        let lets = self.lets.iter().filter(|(name, _)| needed.contains(name));
        Self {
            lets: lets
                .map(|(name, text)| (name.clone(), text.clone()))
                .collect(),
            item: [(attribute.to_owned(), text)].into(),
            ..Self::default()
        }
    }

    /// The intermediate values that these expressions use, and those that these use.
    fn needed<'m>(&'m self, mut texts: Vec<&'m String>) -> BTreeSet<&'m String> {
        let mut needed = BTreeSet::new();
        while let Some(text) = texts.pop() {
            for (name, value) in &self.lets {
                if uses(text, name) && needed.insert(name) {
                    texts.push(value);
                }
            }
        }
        needed
    }
}

/// A mapping whose expressions are compiled.
#[derive(Debug)]
pub struct Compiled {
    /// The program, for [`crate::evaluate`].
    pub program: String,
    /// What is probably a mistake.
    pub warnings: Vec<Mistake>,
    /// The user attributes that the expressions name, each with the key of one that does.
    pub attributes: BTreeMap<String, String>,
}

/// Compiles a mapping, or finds all mistakes in it.
pub fn compile(mapping: &Mapping) -> Result<Compiled, Vec<Mistake>> {
    if mapping.lets.len() > MAX_LETS {
        let text = format!("there are more than {MAX_LETS} intermediate values");
        return Err(vec![at_key(&["let"], &text, None)]);
    }
    let mut compiler = Compiler::default();
    compiler.code.op(FORMAT);
    compiler.names(mapping);
    // A user who is skipped needs nothing else.
    let skipping = mapping.skip_when.iter().chain(&mapping.skip_reason);
    let first = mapping.needed(skipping.collect());
    compiler.lets(mapping, |name| first.contains(name));
    compiler.skip(mapping);
    compiler.lets(mapping, |name| !first.contains(name));
    for (name, text) in &mapping.item {
        compiler.attribute(name, text);
    }
    if compiler.mistakes.is_empty() {
        Ok(Compiled {
            program: compiler.code.0,
            warnings: compiler.warnings,
            attributes: compiler.attributes,
        })
    } else {
        Err(compiler.mistakes)
    }
}

#[derive(Default)]
struct Compiler {
    code: Writer,
    /// The intermediate values that are compiled, in the order of their evaluation.
    lets: Vec<Let>,
    mistakes: Vec<Mistake>,
    warnings: Vec<Mistake>,
    attributes: BTreeMap<String, String>,
}

impl Compiler {
    /// Checks the names of the intermediate values, and whether something uses them.
    fn names(&mut self, mapping: &Mapping) {
        let expressions = mapping.item.values().chain(mapping.lets.values());
        let expressions = expressions.chain(&mapping.skip_when);
        let expressions: Vec<_> = expressions.chain(&mapping.skip_reason).collect();
        for name in mapping.lets.keys() {
            if !is_name(name) {
                let text = "must be a name: letters, digits and `_`, and no digit first";
                self.mistakes.push(at_key(&["let", name], text, None));
            } else if !expressions.iter().any(|text| uses(text, name)) {
                let text = "no expression uses it";
                let help = format!("use it as `let.{name}`, or remove it");
                let mistake = at_key(&["let", name], text, Some(help));
                self.mistakes.push(mistake);
            }
        }
    }

    /// TOML's keys have no order, so each value is evaluated after those that it uses.
    fn lets(&mut self, mapping: &Mapping, is_one: impl Fn(&String) -> bool) {
        let of_these = mapping.lets.iter().filter(|(name, _)| is_one(name));
        let mut waiting: Vec<(&String, &String, Vec<&String>)> = of_these
            .map(|(name, text)| {
                let used = mapping.lets.keys().filter(|each| uses(text, each));
                (name, text, used.collect())
            })
            .collect();
        while !waiting.is_empty() {
            let is_ready = |(_, _, used): &(&String, &String, Vec<&String>)| {
                used.iter()
                    .all(|name| self.lets.iter().any(|each| each.name == **name))
            };
            let Some(next) = waiting.iter().position(is_ready) else {
                break;
            };
            let (name, text, _) = waiting.remove(next);
            let kind = self.expression(&["let", name], text, false).kind;
            self.code.op(op::STORE);
            let name = name.clone();
            self.lets.push(Let { name, kind });
        }
        for (name, _, used) in &waiting {
            let known = |name: &String| self.lets.iter().any(|each| each.name == *name);
            let others: Vec<_> = used.iter().filter(|name| !known(name)).collect();
            let others: Vec<_> = others.iter().map(|name| format!("`let.{name}`")).collect();
            let text = format!("it needs its own value, through {}", others.join(" and "));
            self.mistakes.push(at_key(&["let", name], &text, None));
        }
        // The others can then be checked as well.
        for (name, ..) in waiting {
            let (name, kind) = (name.clone(), Type::any());
            self.lets.push(Let { name, kind });
        }
    }

    fn skip(&mut self, mapping: &Mapping) {
        let Some(when) = &mapping.skip_when else {
            if mapping.skip_reason.is_some() {
                let text = "`skip-reason` needs `skip-when`, the condition";
                self.mistakes.push(at_key(&["skip-reason"], text, None));
            }
            return;
        };
        let with_reason = old_form(when).filter(|_| mapping.skip_reason.is_none());
        let when = match &with_reason {
            Some((condition, reason)) => {
                let text = "a reason in the condition";
                let help = format!(
                    "write `skip-when = {}` and `skip-reason = {}`",
                    toml(condition),
                    toml(reason)
                );
                self.warnings.push(at_key(&["skip-when"], text, Some(help)));
                condition
            }
            None => when,
        };
        let condition = self.expression(&["skip-when"], when, false);
        let there = condition.kind.kinds_there();
        let is_wrong = !condition.kind.is_any() && !there.without(Kinds::BOOLEAN).is_empty();
        if is_wrong {
            self.mistakes.push(not_a_condition(when, &condition.kind));
        }
        let before = std::mem::take(&mut self.code);
        match (&mapping.skip_reason, &with_reason) {
            (Some(reason), _) | (None, Some((_, reason))) => {
                let key = if with_reason.is_some() {
                    "skip-when"
                } else {
                    "skip-reason"
                };
                let reason_kind = self.expression(&[key], reason, false).kind;
                let there = reason_kind.kinds_there();
                if !reason_kind.is_any() && !there.without(Kinds::CHARACTERS).is_empty() {
                    let text = format!("it is {there}; a reason is text");
                    self.mistakes.push(at_key(&[key], &text, None));
                }
            }
            (None, None) => {
                self.code.op(op::TEXT).text("`skip-when` is true");
            }
        }
        self.code.op(op::SKIP);
        let reason = std::mem::replace(&mut self.code, before);
        self.code.op(op::KEY).text("skip-when");
        self.code.over(op::SKIP_WHEN, &reason);
    }

    fn attribute(&mut self, name: &str, text: &str) {
        let ending = self.expression(&["item", name], text, true).ending;
        let op = match ending {
            None => op::PUT,
            Some(Ending::Optional) => op::PUT_OPTIONAL,
            Some(Ending::UnlessEmpty) => op::PUT_UNLESS_EMPTY,
        };
        self.code.op(op).text(name);
    }

    /// Appends an expression's instructions, and notes its mistakes under its key.
    fn expression(&mut self, key: &[&str], text: &str, can_end: bool) -> Expression {
        let mut compiled = compile_expression(text, &self.lets, can_end);
        let mistakes = std::mem::take(&mut compiled.mistakes);
        let warnings = std::mem::take(&mut compiled.warnings);
        self.mistakes
            .extend(mistakes.into_iter().map(|wrong| wrong.of(key)));
        self.warnings
            .extend(warnings.into_iter().map(|wrong| wrong.of(key)));
        for attribute in std::mem::take(&mut compiled.attributes) {
            self.attributes.insert(attribute, dotted(key));
        }
        self.code.op(op::KEY).text(&dotted(key));
        self.code.0.push_str(&compiled.code.0);
        compiled
    }
}

fn not_a_condition(text: &str, kind: &Type) -> Mistake {
    let whole = 0..text.len();
    let wrong = Wrong::new(
        whole.clone(),
        format!(
            "it is {}; a condition must be true or false",
            kind.kinds_there()
        ),
    );
    let source = text.trim();
    let help = if kind.is_flag() {
        format!("write `{source} | bool`")
    } else if kind.kinds_there() == Kinds::TEXT {
        format!("compare it, as in `{source} == 'yes'`; a reason is `skip-reason`")
    } else {
        "compare it, as with `==`; a reason is `skip-reason`".to_owned()
    };
    wrong.help(help).of(&["skip-when"])
}

/// A condition that gives a reason, as earlier versions had it: `'reason' if condition else
/// false`. Its condition and its reason.
fn old_form(text: &str) -> Option<(String, String)> {
    use minijinja::machinery::ast::Expr;
    let tree = minijinja::machinery::parse_expr(text).ok()?;
    let Expr::IfExpr(choice) = &tree else {
        return None;
    };
    let (Expr::Const(reason), Some(Expr::Const(no))) = (&choice.true_expr, &choice.false_expr)
    else {
        return None;
    };
    let is_false = no.value == minijinja::Value::from(false);
    reason.value.as_str().filter(|_| is_false)?;
    let start = reason.span().end_offset as usize;
    let end = no.span().start_offset as usize;
    let condition = text.get(start..end)?.trim();
    let condition = condition.strip_prefix("if")?.strip_suffix("else")?.trim();
    let reason = text.get(reason.span().start_offset as usize..start)?;
    Some((condition.to_owned(), reason.to_owned()))
}

fn at_key(key: &[&str], text: &str, help: Option<String>) -> Mistake {
    Mistake {
        key: key.iter().map(ToString::to_string).collect(),
        span: None,
        text: text.to_owned(),
        help,
    }
}

/// Whether an expression uses an intermediate value. Mistakes in it are found later.
fn uses(text: &str, name: &str) -> bool {
    let is_of_a_name = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices("let").any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + 3..).unwrap_or_default().trim_start();
        let named = |rest: &str, end: &[char]| {
            rest.trim_start()
                .strip_prefix(name)
                .is_some_and(|rest| match end {
                    [] => !rest.starts_with(is_of_a_name),
                    end => rest.starts_with(end),
                })
        };
        let is_word = !before.is_some_and(|c| is_of_a_name(c) || c == '.');
        let dot = after.strip_prefix('.').is_some_and(|rest| named(rest, &[]));
        let bracket = after.strip_prefix('[').map(str::trim_start);
        let bracket = bracket.and_then(|rest| rest.strip_prefix(['\'', '"']));
        is_word && (dot || bracket.is_some_and(|rest| named(rest, &['\'', '"'])))
    })
}

fn is_name(name: &str) -> bool {
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(is_of_a_name)
}

/// A key as TOML writes it: `item.email`, `item."a b"`.
fn dotted(key: &[&str]) -> String {
    let names: Vec<_> = key.iter().map(|name| quoted_key(name)).collect();
    names.join(".")
}

fn quoted_key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) {
        name.to_owned()
    } else {
        format!("{name:?}")
    }
}

/// A text as TOML writes it.
fn toml(text: &str) -> String {
    if text.contains(['"', '\\', '\n']) {
        format!("'''{text}'''")
    } else {
        format!("\"{text}\"")
    }
}
