//! What an expression begins with: constants, fields of `user`, user attributes, intermediate
//! values.

use std::ops::Range;

use minijinja::machinery::ast::Expr;
use minijinja::value::ValueKind;

use super::{Compiler, Piece, constant_text, range};
use crate::compiler::attributes::{self, nearest};
use crate::compiler::mistake::Wrong;
use crate::compiler::types::Type;
use crate::kinds::Kinds;
use crate::program::{Writer, op};
use crate::user::FIELDS;

impl Compiler<'_> {
    pub(super) fn constant(&mut self, value: &minijinja::Value, span: Range<usize>) -> Piece {
        let mut code = Writer::default();
        let kind = match value.kind() {
            ValueKind::Bool => {
                code.op(if value.is_true() { op::TRUE } else { op::FALSE });
                Type::boolean()
            }
            ValueKind::None => {
                code.op(op::NONE);
                Type::of(Kinds::NONE)
            }
            ValueKind::Number if value.is_integer() => {
                if i128::try_from(value.clone()).is_err() {
                    return self.wrong(Wrong::new(span, "this number is too large"));
                }
                code.op(op::INTEGER).text(&value.to_string());
                Type::number()
            }
            ValueKind::Number => {
                let number = f64::try_from(value.clone()).unwrap_or(f64::NAN);
                if !number.is_finite() {
                    return self.wrong(Wrong::new(span, "this number is too large"));
                }
                code.op(op::FLOAT).text(&format!("{:x}", number.to_bits()));
                Type::number()
            }
            ValueKind::String => {
                code.op(op::TEXT).text(value.as_str().unwrap_or_default());
                Type::text()
            }
            _ => return self.wrong(Wrong::new(span, "this cannot be used here")),
        };
        Piece::postfix(code, kind, span)
    }

    pub(super) fn variable(&mut self, name: &str, span: Range<usize>) -> Piece {
        let wrong = match name {
            "user" => Wrong::new(span, "`user` alone is not a value")
                .help(format!("write one of {}", fields())),
            "let" => Wrong::new(span, "`let` alone is not a value")
                .help("write `let.NAME`, with a name from [settings.let]"),
            name if self.lets.iter().any(|each| each.name == name) => {
                let text = format!("unknown name `{name}`");
                Wrong::new(span, text).help(format!("write `let.{name}`"))
            }
            name => {
                let text = format!("unknown name `{name}`");
                let near = nearest(name, ["user", "let"].into_iter());
                let field = FIELDS.contains(&name).then(|| format!("user.{name}"));
                let attribute = attributes::STANDARD.contains(&name);
                let attribute = attribute.then(|| format!("user.attributes.{name}"));
                Wrong::new(span, text).help(match near.map(String::from).or(attribute).or(field) {
                    Some(near) => {
                        format!("did you mean `{near}`? A text stands in quotes: '{name}'")
                    }
                    None => {
                        format!("there are `user` and `let`; a text stands in quotes: '{name}'")
                    }
                })
            }
        };
        self.wrong(wrong)
    }

    /// A field of `user`, a user attribute, or an intermediate value.
    pub(super) fn named(&mut self, of: &Expr<'_>, name: &str, span: Range<usize>) -> Piece {
        let span = first_of(of)..span.end;
        let mut code = Writer::default();
        let kind = match root_of(of) {
            Some(Root::User) => {
                let Some(number) = FIELDS.iter().position(|field| *field == name) else {
                    let wrong = Wrong::new(span, format!("unknown field `user.{name}`"));
                    return self.wrong(wrong.help(field_help(name)));
                };
                code.op(op::FIELD).number(number);
                match name {
                    "attributes" | "client_metadata" => Type::map_of(Type::text()),
                    "client_id" => Type::text().or_missing(),
                    "time_ms" => Type::number(),
                    _ => Type::text(),
                }
            }
            Some(Root::Attributes) => {
                if let Some((text, help)) = attributes::mistaken(name) {
                    let wrong = Wrong::new(span.clone(), text);
                    self.warnings.push(Wrong { help, ..wrong });
                }
                self.attributes.push(name.to_owned());
                code.op(op::ATTRIBUTE).text(name);
                match name {
                    "sub" => Type::text(),
                    name if attributes::FLAGS.contains(&name) => Type::flag().or_missing(),
                    _ => Type::text().or_missing(),
                }
            }
            Some(Root::Metadata) => {
                code.op(op::METADATA).text(name);
                Type::text().or_missing()
            }
            Some(Root::Let) => {
                let Some(number) = self.lets.iter().position(|each| each.name == name) else {
                    let text = format!("[settings.let] has no `{name}`");
                    let names = self.lets.iter().map(|each| each.name.as_str());
                    let near = nearest(name, names);
                    let wrong = Wrong::new(span, text);
                    return self.wrong(match near {
                        Some(near) => wrong.help(format!("did you mean `let.{near}`?")),
                        None => wrong.help(format!("add `{name} = \"...\"` to [settings.let]")),
                    });
                };
                code.op(op::LOAD).number(number);
                self.lets
                    .get(number)
                    .map_or(Type::any(), |each| each.kind.clone())
            }
            None => return self.wrong(Wrong::new(span, "this cannot be used here")),
        };
        Piece::postfix(code, kind, span)
    }
}

/// What `user.` and `let.` lead to.
pub(super) enum Root {
    User,
    Attributes,
    Metadata,
    Let,
}

pub(super) fn root_of(expression: &Expr<'_>) -> Option<Root> {
    let (of, name) = match expression {
        Expr::Var(var) if var.id == "user" => return Some(Root::User),
        Expr::Var(var) if var.id == "let" => return Some(Root::Let),
        Expr::GetAttr(get) => (&get.expr, get.name.to_owned()),
        Expr::GetItem(get) => (&get.expr, constant_text(&get.subscript_expr)?),
        _ => return None,
    };
    // Only these two are roots. A long chain of names is not followed to its beginning.
    match (of, name.as_str()) {
        (Expr::Var(var), "attributes") if var.id == "user" => Some(Root::Attributes),
        (Expr::Var(var), "client_metadata") if var.id == "user" => Some(Root::Metadata),
        _ => None,
    }
}

/// The first byte of a name such as `user.attributes`.
pub(super) fn first_of(expression: &Expr<'_>) -> usize {
    match expression {
        Expr::GetAttr(get) => first_of(&get.expr),
        Expr::GetItem(get) => first_of(&get.expr),
        other => range(other.span()).start,
    }
}

fn fields() -> String {
    let fields: Vec<_> = FIELDS
        .iter()
        .map(|field| format!("`user.{field}`"))
        .collect();
    fields.join(", ")
}

fn field_help(name: &str) -> String {
    let attribute = attributes::STANDARD.contains(&name);
    if attribute {
        return format!("write `user.attributes.{name}`");
    }
    match nearest(name, FIELDS.into_iter()) {
        Some(near) => format!("did you mean `user.{near}`?"),
        None => format!("there are {}", fields()),
    }
}
