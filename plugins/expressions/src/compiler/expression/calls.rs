//! Filters and tests with their arguments, and what Jinja has that is not here.

use std::ops::Range;

use minijinja::machinery::ast::{self, CallArg, Expr};

use super::elsewhere::elsewhere;
use super::values::first_of;
use super::{Compiler, Ending, Piece, constant_text, range};
use crate::compiler::attributes::nearest;
use crate::compiler::fix::replaced;
use crate::compiler::mistake::Wrong;
use crate::compiler::types::Type;
use crate::filters::{FILTERS, Filter, Literal, Members, Parameter};
use crate::kinds::Kinds;
use crate::program::{Writer, op};
use crate::tests::{TESTS, Test};

/// Arguments as they are written.
pub(super) type Written<'e, 'a> = &'e [CallArg<'a>];

/// Compiled arguments: one for each parameter.
pub(super) struct Arguments {
    pub(super) code: Writer,
    pub(super) kinds: Vec<Type>,
}

impl Compiler<'_> {
    pub(super) fn filter(&mut self, piece: Piece, filter: &ast::Spanned<ast::Filter<'_>>) -> Piece {
        let name = range(filter.span());
        let span = self.around(&piece).start..name.end;
        if Ending::of(filter.name).is_some() {
            return self.ending(&piece, filter.name, &name);
        }
        match filter.name {
            "map" => return self.map_filter(piece, &filter.args, name),
            "select" | "reject" | "selectattr" | "rejectattr" => {
                return self.selection(piece, filter, name);
            }
            _ => {}
        }
        let Some((number, known)) = self.known_filter(filter.name, &name) else {
            return Piece::unknown(span);
        };
        if self.want(&piece, known.takes, &format!("`{}`", known.name)) {
            self.members(&piece, known);
        }
        let parameters = known.parameters;
        let Some(arguments) = self.arguments(known.name, parameters, &filter.args, &name) else {
            return Piece::unknown(span);
        };
        let kind = result(known, &piece.kind, &arguments.kinds);
        let mut code = piece.code;
        code.0.push_str(&arguments.code.0);
        code.op(op::FILTER).number(number).number(parameters.len());
        code.part(self.part(&name));
        Piece::postfix(code, kind, span)
    }

    /// The members of a filter's input must be of its kinds.
    fn members(&mut self, piece: &Piece, filter: &Filter) {
        let (takes, alike) = match filter.members {
            Members::Any => return,
            Members::Of(takes) => (takes, false),
            Members::Alike(takes) => (takes, true),
        };
        let member = piece.kind.member();
        let kinds = member.kinds_there();
        let has_members = !piece.kind.kinds_there().and(Kinds::MEMBERS).is_empty();
        if member.is_any() || !has_members {
            return;
        }
        let name = filter.name;
        let text = if !kinds.without(takes).is_empty() {
            format!(
                "the members of {} are {kinds}, and `{name}` takes {takes}",
                self.quoted(piece)
            )
        } else if alike && kinds.each().count() > 1 {
            format!(
                "the members of {} are {kinds}, and `{name}` takes one kind",
                self.quoted(piece)
            )
        } else {
            return;
        };
        let help = if takes.has(crate::Kind::Text) && kinds.without(Kinds::CHARACTERS).is_empty() {
            "`| map('string')` makes all of them text"
        } else {
            "give it members of one kind"
        };
        self.mistakes
            .push(Wrong::new(self.around(piece), text).help(help));
    }

    pub(super) fn test(&mut self, piece: Piece, test: &ast::Spanned<ast::Test<'_>>) -> Piece {
        let name = range(test.span());
        let span = self.around(&piece).start..name.end;
        let Some((number, known)) = self.known_test(test.name, &name) else {
            return Piece::unknown(span);
        };
        self.want(&piece, known.takes, &format!("the test `{}`", known.name));
        if known.name == "equalto"
            && let [CallArg::Pos(other)] = &test.args[..]
        {
            let other = self.expression(other);
            self.comparable(&piece, &other, "==");
        }
        if known.name == "in"
            && let [CallArg::Pos(container)] = &test.args[..]
        {
            let container = self.expression(container);
            self.inside(&piece, &container, "in");
        }
        let parameters = known.parameters;
        let Some(arguments) = self.arguments(known.name, parameters, &test.args, &name) else {
            return Piece::unknown(span);
        };
        let mut code = piece.code;
        code.0.push_str(&arguments.code.0);
        code.op(op::TEST).number(number).number(parameters.len());
        code.part(self.part(&name));
        Piece {
            is_postfix: false,
            ..Piece::postfix(code, Type::boolean(), span)
        }
    }

    /// `optional` where it is not the end of the whole expression.
    fn ending(&mut self, piece: &Piece, name: &str, at: &Range<usize>) -> Piece {
        let text =
            format!("`{name}` counts only at the end of the whole expression of an attribute");
        // The bar and the name go.
        let segment = self.around(piece).end..at.end;
        let rest = replaced(self.text, &segment, "");
        let compiled = super::compile(&rest, self.lets, false);
        let help = if compiled.mistakes.is_empty() && !compiled.kind.may_be_missing() {
            format!("write `{rest}`")
        } else if compiled.mistakes.is_empty() && is_postfix(&rest) {
            format!("write `{rest} | {name}`")
        } else {
            format!("write `({rest}) | {name}`")
        };
        let in_a_list = self.text.get(..at.start).unwrap_or_default();
        let open = |c: char, d: char| in_a_list.matches(c).count() > in_a_list.matches(d).count();
        let help = if open('[', ']') || open('{', '}') {
            format!("{help}; `| compact` after a list or map drops what is missing in it")
        } else {
            help
        };
        self.mistakes.push(Wrong::new(at.clone(), text).help(help));
        Piece::unknown(piece.span.start..at.end)
    }

    pub(super) fn known_filter(
        &mut self,
        name: &str,
        at: &Range<usize>,
    ) -> Option<(usize, &'static Filter)> {
        let known = FILTERS.iter().position(|filter| filter.name == name);
        if known.is_none() {
            let names = || FILTERS.iter().map(|filter| filter.name);
            self.unknown_name("filter", name, at, names);
        }
        known.and_then(|number| Some((number, FILTERS.get(number)?)))
    }

    pub(super) fn known_test(
        &mut self,
        name: &str,
        at: &Range<usize>,
    ) -> Option<(usize, &'static Test)> {
        let name = match name {
            "eq" | "==" | "sameas" => "equalto",
            name => name,
        };
        let known = TESTS.iter().position(|test| test.name == name);
        if known.is_none() {
            let names = || TESTS.iter().map(|test| test.name);
            self.unknown_name("test", name, at, names);
        }
        known.and_then(|number| Some((number, TESTS.get(number)?)))
    }

    fn unknown_name<I: Iterator<Item = &'static str>>(
        &mut self,
        what: &str,
        name: &str,
        at: &Range<usize>,
        names: impl Fn() -> I,
    ) {
        let text = format!("unknown {what} `{name}`");
        let help = match (elsewhere(what, name), nearest(name, names())) {
            (Some(known), _) => known.to_owned(),
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) => {
                let names: Vec<_> = names().collect();
                format!("there are {}", names.join(", "))
            }
        };
        self.mistakes.push(Wrong::new(at.clone(), text).help(help));
    }

    /// Compiles arguments, by position or by name, one for each parameter.
    pub(super) fn arguments(
        &mut self,
        of: &str,
        parameters: &'static [Parameter],
        written: Written<'_, '_>,
        name: &Range<usize>,
    ) -> Option<Arguments> {
        let mut given: Vec<Option<&Expr<'_>>> = parameters.iter().map(|_| None).collect();
        for (index, argument) in written.iter().enumerate() {
            let (slot, value) = match argument {
                CallArg::Pos(value) => (given.get_mut(index), value),
                CallArg::Kwarg(key, value) => {
                    let index = parameters.iter().position(|each| each.name == *key);
                    (index.and_then(|index| given.get_mut(index)), value)
                }
                CallArg::PosSplat(value) | CallArg::KwargSplat(value) => (None, value),
            };
            if let Some(slot @ None) = slot {
                *slot = Some(value);
            } else {
                let text = match parameters {
                    [] => format!("`{of}` takes no arguments"),
                    parameters => format!("`{of}` takes {}", signature(parameters)),
                };
                self.mistakes.push(Wrong::new(range(value.span()), text));
                return None;
            }
        }
        let mut arguments = Arguments {
            code: Writer::default(),
            kinds: Vec::new(),
        };
        for (parameter, given) in parameters.iter().zip(given) {
            match (given, parameter.default) {
                (Some(value), _) => {
                    let value = self.argument(of, parameter, value);
                    arguments.code.0.push_str(&value.code.0);
                    arguments.kinds.push(value.kind);
                }
                (None, Some(literal)) => {
                    arguments
                        .kinds
                        .push(write_literal(&mut arguments.code, literal));
                }
                (None, None) => {
                    let text = format!("`{of}` takes {}", signature(parameters));
                    self.mistakes.push(Wrong::new(name.clone(), text));
                    return None;
                }
            }
        }
        Some(arguments)
    }

    fn argument(&mut self, of: &str, parameter: &Parameter, value: &Expr<'_>) -> Piece {
        let piece = self.expression(value);
        let by = format!("`{}` of `{of}`", parameter.name);
        self.want(&piece, parameter.takes, &by);
        if let Some(check) = parameter.literal {
            let at = range(value.span());
            match constant_text(value) {
                None => {
                    let text = format!("{by} must be a text in quotes, as `config check` reads it");
                    self.mistakes.push(Wrong::new(at, text));
                }
                Some(text) => {
                    if let Err(rule) = check(&text) {
                        self.mistakes.push(Wrong::new(at, format!("{by} {rule}")));
                    }
                }
            }
        }
        piece
    }

    pub(super) fn call(&mut self, call: &ast::Call<'_>, span: Range<usize>) -> Piece {
        let (name, value) = match &call.expr {
            Expr::Var(var) => (var.id, None),
            Expr::GetAttr(get) => {
                let end = range(get.span()).end - get.name.len();
                let value = self.text.get(first_of(&get.expr)..end);
                (
                    get.name,
                    value.map(|value| value.trim_end_matches(['.', ' '])),
                )
            }
            _ => ("(...)", None),
        };
        let text = format!("there are no functions, such as `{name}`");
        let filter = FILTERS.iter().any(|filter| filter.name == name);
        let argument = match &call.args[..] {
            [CallArg::Pos(argument)] => Some(self.expression(argument)),
            _ => None,
        };
        let argument = argument.and_then(|piece| self.text.get(self.around(&piece)));
        let value = value.or(argument.filter(|_| filter));
        let help = match (elsewhere("function", name), value) {
            (Some(known), _) => known.to_owned(),
            (None, Some(value)) if filter => format!("write `{value} | {name}`"),
            _ => "a value goes through filters, as in `user.name | lower`".to_owned(),
        };
        self.wrong(Wrong::new(span, text).help(help))
    }
}

/// Whether a filter can follow an expression without brackets around it.
fn is_postfix(text: &str) -> bool {
    minijinja::machinery::parse_expr(text).is_ok_and(|tree| {
        !matches!(
            tree,
            Expr::BinOp(_) | Expr::UnaryOp(_) | Expr::IfExpr(_) | Expr::Compare(_) | Expr::Test(_)
        )
    })
}

/// The type of a filter's result.
pub(super) fn result(filter: &Filter, input: &Type, arguments: &[Type]) -> Type {
    let takes_missing = filter.takes.has(crate::Kind::Missing);
    let missing = input.may_be_missing() || arguments.iter().any(Type::may_be_missing);
    let kind = (filter.gives)(input, arguments);
    kind.missing_if(missing && !takes_missing)
}

fn write_literal(code: &mut Writer, literal: Literal) -> Type {
    match literal {
        Literal::None => {
            code.op(op::NONE);
            Type::of(Kinds::NONE)
        }
        Literal::Boolean(value) => {
            code.op(if value { op::TRUE } else { op::FALSE });
            Type::boolean()
        }
        Literal::Integer(number) => {
            code.op(op::INTEGER).text(&number.to_string());
            Type::number()
        }
        Literal::Text(text) => {
            code.op(op::TEXT).text(text);
            Type::text()
        }
    }
}

/// `old, new, count=-1`.
pub(crate) fn signature(parameters: &[Parameter]) -> String {
    let each = parameters.iter().map(|parameter| {
        let name = parameter.name;
        match parameter.default {
            None => format!("`{name}`"),
            Some(_) => format!("`{name}` (optional)"),
        }
    });
    each.collect::<Vec<_>>().join(", ")
}
