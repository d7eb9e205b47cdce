//! Filters of each member of a list: `map`, `select` and their like. Their first argument names
//! a filter, a test or an attribute.

use std::ops::Range;

use minijinja::machinery::ast::{self, CallArg};

use super::calls::{Written, result};
use super::{Compiler, Piece, constant_text, range};
use crate::compiler::fix::quoted;
use crate::compiler::mistake::Wrong;
use crate::compiler::types::Type;
use crate::kinds::Kinds;
use crate::program::op;
use crate::tests::TESTS;

impl Compiler<'_> {
    /// `map('lower')`, `map(attribute='name')`.
    pub(super) fn map_filter(
        &mut self,
        piece: Piece,
        written: Written<'_, '_>,
        name: Range<usize>,
    ) -> Piece {
        let span = self.around(&piece).start..name.end;
        self.want(&piece, Kinds::MEMBERS, "`map`");
        let member = piece.kind.member();
        let attribute = written.iter().find_map(|each| match each {
            CallArg::Kwarg("attribute", value) => Some(value),
            _ => None,
        });
        if let Some(attribute) = attribute {
            let Some(path) = constant_text(attribute) else {
                let at = range(attribute.span());
                return self.wrong(Wrong::new(at, "`attribute` must be a text in quotes"));
            };
            let others: Vec<&CallArg<'_>> = written
                .iter()
                .filter(|each| !matches!(each, CallArg::Kwarg("attribute", _)))
                .collect();
            let mut code = piece.code;
            let mut kind = along(&member, &path);
            let count = match others[..] {
                [] => 0,
                [CallArg::Kwarg("default", value)] => {
                    let value = self.expression(value);
                    kind = kind.there().join(&value.kind);
                    code.0.push_str(&value.code.0);
                    1
                }
                _ => {
                    let text = "`map(attribute=...)` takes `default`, and nothing else";
                    self.mistakes.push(Wrong::new(name.clone(), text));
                    0
                }
            };
            code.op(op::EACH_MEMBER).number(0).number(count).number(1);
            code.text(&path).part(self.part(&name));
            return Piece::postfix(code, list_from(&piece.kind, kind), span);
        }
        let Some((inner, arguments)) = self.named_by(written, "filter", "map('lower')", &name)
        else {
            return Piece::unknown(span);
        };
        let Some((number, known)) = self.known_filter(&inner.0, &inner.1) else {
            return Piece::unknown(span);
        };
        if [
            "map",
            "select",
            "reject",
            "selectattr",
            "rejectattr",
            "optional",
            "omitempty",
        ]
        .contains(&known.name)
        {
            let text = format!("`map` cannot use the filter `{}`", known.name);
            return self.wrong(Wrong::new(inner.1, text));
        }
        if !member.is_any() {
            let other = member.kinds_there().without(known.takes);
            if !other.is_empty() {
                let text = format!(
                    "a member of {} can be {other}, and `{}` takes {}",
                    self.quoted(&piece),
                    known.name,
                    known.takes
                );
                self.mistakes.push(Wrong::new(inner.1.clone(), text));
            }
        }
        let parameters = known.parameters;
        let Some(arguments) = self.arguments(known.name, parameters, arguments, &name) else {
            return Piece::unknown(span);
        };
        let kind = result(known, &member, &arguments.kinds);
        let mut code = piece.code;
        code.0.push_str(&arguments.code.0);
        code.op(op::EACH)
            .number(number)
            .number(parameters.len())
            .number(1);
        code.text("").part(self.part(&name));
        Piece::postfix(code, list_from(&piece.kind, kind), span)
    }

    /// `select('string')`, `rejectattr('name', 'equalto', 'x')`.
    pub(super) fn selection(
        &mut self,
        piece: Piece,
        filter: &ast::Spanned<ast::Filter<'_>>,
        name: Range<usize>,
    ) -> Piece {
        let span = self.around(&piece).start..name.end;
        self.want(&piece, Kinds::MEMBERS, &format!("`{}`", filter.name));
        let member = piece.kind.member();
        let is_kept = filter.name.starts_with("select");
        let by_attribute = filter.name.ends_with("attr");
        let (path, rest) = if by_attribute {
            let example = format!("{}('providerName', 'equalto', 'Google')", filter.name);
            let path = self.named_by(&filter.args, "attribute", &example, &name);
            let Some((path, rest)) = path else {
                return Piece::unknown(span);
            };
            (path.0, rest)
        } else {
            (String::new(), &filter.args[..])
        };
        let subject = if by_attribute {
            along(&member, &path)
        } else {
            member.clone()
        };
        let mut code = piece.code;
        let drops_missing;
        let (number, count) = if rest.is_empty() {
            drops_missing = is_kept;
            (TESTS.len(), 0)
        } else {
            let example = format!("{}('string')", filter.name);
            let Some((named, arguments)) = self.named_by(rest, "test", &example, &name) else {
                return Piece::unknown(span);
            };
            let Some((number, known)) = self.known_test(&named.0, &named.1) else {
                return Piece::unknown(span);
            };
            let other = subject.kinds_there().without(known.takes);
            if !subject.is_any() && !other.is_empty() {
                let text = format!(
                    "a member of {} can be {other}, and the test `{}` takes {}",
                    quoted(self.text, &span),
                    known.name,
                    known.takes
                );
                self.mistakes.push(Wrong::new(named.1.clone(), text));
            }
            // What is missing passes no other test.
            drops_missing = is_kept != (known.name == "undefined");
            let parameters = known.parameters;
            let Some(arguments) = self.arguments(known.name, parameters, arguments, &name) else {
                return Piece::unknown(span);
            };
            code.0.push_str(&arguments.code.0);
            (number, parameters.len())
        };
        let op = if by_attribute {
            op::SELECT_MEMBER
        } else {
            op::SELECT
        };
        code.op(op)
            .number(number)
            .number(count)
            .number(usize::from(is_kept));
        code.text(&path).part(self.part(&name));
        let kept = if drops_missing && !by_attribute {
            member.there()
        } else {
            member
        };
        Piece::postfix(code, list_from(&piece.kind, kept), span)
    }

    /// The text in the first argument, and the other arguments.
    fn named_by<'e, 'a>(
        &mut self,
        written: Written<'e, 'a>,
        what: &str,
        example: &str,
        name: &Range<usize>,
    ) -> Option<((String, Range<usize>), Written<'e, 'a>)> {
        let found = match written.split_first() {
            Some((CallArg::Pos(first), rest)) => {
                constant_text(first).map(|text| ((text, range(first.span())), rest))
            }
            _ => None,
        };
        if found.is_none() {
            let text = format!("the first argument must be the name of a {what}, in quotes");
            let wrong = Wrong::new(name.clone(), text);
            self.mistakes
                .push(wrong.help(format!("write it as in `{example}`")));
        }
        found
    }
}

/// A list that is missing if the one is from which it is made.
fn list_from(list: &Type, member: Type) -> Type {
    let missing = list.may_be_missing();
    Type::list_of(member).missing_if(missing)
}

/// The type at a path such as `address.zip` of a member.
fn along(member: &Type, path: &str) -> Type {
    path.split('.')
        .fold(member.clone(), |kind, _| kind.member().or_missing())
}
