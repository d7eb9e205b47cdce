//! Compiles one expression: its type, its instructions, and all mistakes in it.

mod apply;
mod calls;
mod elsewhere;
mod lists;
mod operands;
mod values;

pub(super) use calls::signature;

use std::ops::Range;

use minijinja::machinery::ast::{self, Expr, UnaryOpKind};
use minijinja::machinery::{Span, parse_expr};

use super::fix::{quoted, with_brackets};
use super::limits::{self, MAX_LEVELS};
use super::mistake::Wrong;
use super::types::Type;
use crate::kinds::Kinds;
use crate::program::{Part, Writer, op};
use values::{Root, root_of};

/// An intermediate value that expressions can use.
pub(super) struct Let {
    pub(super) name: String,
    pub(super) kind: Type,
}

/// A compiled expression.
pub(super) struct Compiled {
    pub(super) code: Writer,
    pub(super) kind: Type,
    pub(super) mistakes: Vec<Wrong>,
    pub(super) warnings: Vec<Wrong>,
    /// The user attributes that it names.
    pub(super) attributes: Vec<String>,
    /// How an item's attribute ends: `optional`, `omitempty`.
    pub(super) ending: Option<Ending>,
}

/// What follows an attribute's whole expression.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Optional,
    UnlessEmpty,
}

impl Ending {
    fn of(name: &str) -> Option<Self> {
        match name {
            "optional" => Some(Self::Optional),
            "omitempty" => Some(Self::UnlessEmpty),
            _ => None,
        }
    }
}

/// Compiles an expression. `can_end` says whether it can end with `optional`.
pub(super) fn compile(text: &str, lets: &[Let], can_end: bool) -> Compiled {
    let failed = |wrong| Compiled {
        code: Writer::default(),
        kind: Type::any(),
        mistakes: vec![wrong],
        warnings: Vec::new(),
        attributes: Vec::new(),
        ending: None,
    };
    if let Err(wrong) = limits::check(text) {
        return failed(wrong);
    }
    let tree = match parse_expr(text) {
        Ok(tree) => tree,
        Err(error) => return failed(elsewhere::syntax(text, &error)),
    };
    let mut compiler = Compiler {
        text,
        lets,
        mistakes: Vec::new(),
        warnings: Vec::new(),
        attributes: Vec::new(),
        level: 0,
    };
    let (inner, ending) = match &tree {
        Expr::Filter(filter) if can_end && filter.args.is_empty() => {
            (filter.expr.as_ref(), Ending::of(filter.name))
        }
        _ => (None, None),
    };
    let whole = ending.and(inner).unwrap_or(&tree);
    let piece = compiler.expression(whole);
    Compiled {
        code: piece.code,
        kind: piece.kind,
        mistakes: compiler.mistakes,
        warnings: compiler.warnings,
        attributes: compiler.attributes,
        ending,
    }
}

struct Compiler<'c> {
    text: &'c str,
    lets: &'c [Let],
    mistakes: Vec<Wrong>,
    warnings: Vec<Wrong>,
    attributes: Vec<String>,
    level: usize,
}

/// A part of the expression that is compiled.
struct Piece {
    code: Writer,
    kind: Type,
    span: Range<usize>,
    /// Whether a filter can follow it without brackets around it.
    is_postfix: bool,
}

impl Compiler<'_> {
    /// Compiles from the innermost left operand outward, so that a long chain needs no
    /// stack.
    fn expression(&mut self, expression: &Expr<'_>) -> Piece {
        let mut spine = Vec::new();
        let mut innermost = expression;
        while let Some(left) = left_of(innermost) {
            spine.push(innermost);
            innermost = left;
        }
        if self.level == MAX_LEVELS {
            let text = format!("more than {MAX_LEVELS} levels of brackets and operators");
            return self.wrong(Wrong::new(range(innermost.span()), text));
        }
        self.level += 1;
        let mut piece = self.innermost(innermost);
        while let Some(outer) = spine.pop() {
            piece = match outer {
                Expr::BinOp(first) if matches!(first.op, ast::BinOpKind::Concat) => {
                    let mut parts = vec![&first.right];
                    while let Some(Expr::BinOp(next)) = spine.last() {
                        if !matches!(next.op, ast::BinOpKind::Concat) {
                            break;
                        }
                        parts.push(&next.right);
                        spine.pop();
                    }
                    self.concat(piece, &parts)
                }
                outer => self.apply(outer, piece),
            };
        }
        self.level -= 1;
        piece
    }

    fn innermost(&mut self, expression: &Expr<'_>) -> Piece {
        let span = range(expression.span());
        match expression {
            Expr::Const(constant) => self.constant(&constant.value, span),
            Expr::Var(var) => self.variable(var.id, span),
            Expr::GetAttr(get) => self.named(&get.expr, get.name, span),
            Expr::GetItem(get) => {
                let name = constant_text(&get.subscript_expr).unwrap_or_default();
                self.named(&get.expr, &name, span)
            }
            Expr::UnaryOp(unary) => self.unary(unary, span),
            Expr::IfExpr(choice) => self.choice(choice),
            Expr::List(list) => {
                let mut code = Writer::default();
                let mut member: Option<Type> = None;
                for each in &list.items {
                    let piece = self.expression(each);
                    code.0.push_str(&piece.code.0);
                    member = Some(member.map_or(piece.kind.clone(), |kind| kind.join(&piece.kind)));
                }
                code.op(op::LIST)
                    .number(list.items.len())
                    .part(self.part(&span));
                let kind = Type::list_of(member.unwrap_or(Type::of(Kinds::NOTHING)));
                Piece::postfix(code, kind, span)
            }
            Expr::Map(map) => self.map(map, span),
            Expr::Tuple(_) => {
                let wrong = Wrong::new(span, "a list has square brackets");
                self.wrong(wrong.help("write `[a, b]`"))
            }
            Expr::Call(call) => self.call(call, span),
            // The others have a left operand.
            _ => self.wrong(Wrong::new(span, "this cannot be used here")),
        }
    }

    fn map(&mut self, map: &ast::Map<'_>, span: Range<usize>) -> Piece {
        let mut code = Writer::default();
        let mut member: Option<Type> = None;
        for (name, value) in map.keys.iter().zip(&map.values) {
            let name = self.expression(name);
            self.want(&name, Kinds::TEXT, "a map's name");
            let value = self.expression(value);
            code.0.push_str(&name.code.0);
            code.0.push_str(&value.code.0);
            member = Some(member.map_or(value.kind.clone(), |kind| kind.join(&value.kind)));
        }
        code.op(op::MAP)
            .number(map.keys.len())
            .part(self.part(&span));
        let kind = Type::map_of(member.unwrap_or(Type::of(Kinds::NOTHING)));
        Piece::postfix(code, kind, span)
    }

    fn unary(&mut self, unary: &ast::UnaryOp<'_>, span: Range<usize>) -> Piece {
        let operand = self.expression(&unary.expr);
        // `a not in b` and `a is not b` are such operations too.
        let sign = self.text.get(span.start..).unwrap_or_default();
        let is_prefix =
            span.start < operand.span.start && (sign.starts_with('-') || sign.starts_with("not"));
        let start = if is_prefix {
            span.start
        } else {
            self.around(&operand).start
        };
        let span = start..self.around(&operand).end;
        let (number, kind) = match unary.op {
            UnaryOpKind::Not => {
                self.condition(&operand);
                (0, Type::boolean())
            }
            UnaryOpKind::Neg => {
                self.want(&operand, Kinds::NUMBER, "`-`");
                let missing = operand.kind.may_be_missing();
                (1, Type::number().missing_if(missing))
            }
        };
        let mut code = operand.code;
        code.op(op::UNARY).number(number).part(self.part(&span));
        Piece {
            is_postfix: false,
            ..Piece::postfix(code, kind, span)
        }
    }

    fn choice(&mut self, choice: &ast::IfExpr<'_>) -> Piece {
        let test = self.expression(&choice.test_expr);
        self.condition(&test);
        let mut yes = self.expression(&choice.true_expr);
        let no = if let Some(no) = &choice.false_expr {
            self.expression(no)
        } else {
            let mut code = Writer::default();
            code.op(op::MISSING);
            Piece::postfix(code, Type::missing(), test.span.clone())
        };
        let end = self.around(&no).end.max(self.around(&test).end);
        let span = self.around(&yes).start..end;
        let kind = yes.kind.join(&no.kind);
        // Only the length; the code of the other branch follows.
        yes.code.op(op::JUMP).number(no.code.0.len());
        let mut code = test.code;
        code.over(op::UNLESS, &yes.code);
        code.0.push_str(&no.code.0);
        Piece {
            is_postfix: false,
            ..Piece::postfix(code, kind, span)
        }
    }

    /// Notes a mistake, and goes on with a value of which nothing is known.
    fn wrong(&mut self, wrong: Wrong) -> Piece {
        let span = wrong.span.clone();
        self.mistakes.push(wrong);
        Piece::unknown(span)
    }

    /// The part of an expression that a failure names.
    fn part(&self, span: &Range<usize>) -> Part {
        let count =
            |range: Range<usize>| self.text.get(range).map_or(0, |text| text.chars().count());
        Part {
            at: count(0..span.start) + 1,
            length: count(span.clone()),
        }
    }

    /// The position of a piece with the brackets around it.
    fn around(&self, piece: &Piece) -> Range<usize> {
        with_brackets(self.text, piece.span.clone())
    }

    fn quoted(&self, piece: &Piece) -> String {
        quoted(self.text, &piece.span)
    }
}

impl Piece {
    /// A value of which nothing is known, after a mistake.
    fn unknown(span: Range<usize>) -> Self {
        let mut code = Writer::default();
        code.op(op::MISSING);
        Self::postfix(code, Type::any(), span)
    }

    fn postfix(code: Writer, kind: Type, span: Range<usize>) -> Self {
        Self {
            code,
            kind,
            span,
            is_postfix: true,
        }
    }
}

/// The operand that stands left of everything else in an expression.
fn left_of<'e, 'a>(expression: &'e Expr<'a>) -> Option<&'e Expr<'a>> {
    match expression {
        Expr::Slice(slice) => Some(&slice.expr),
        Expr::BinOp(binary) => Some(&binary.left),
        Expr::Compare(compare) => Some(&compare.expr),
        Expr::Filter(filter) => filter.expr.as_ref(),
        Expr::Test(test) => Some(&test.expr),
        Expr::GetAttr(get) => root_of(&get.expr).is_none().then_some(&get.expr),
        Expr::GetItem(get) => {
            let is_named = || constant_text(&get.subscript_expr).is_some();
            let is_named = root_of(&get.expr).is_some_and(|root| match root {
                Root::User | Root::Let => true,
                Root::Attributes | Root::Metadata => is_named(),
            });
            (!is_named).then_some(&get.expr)
        }
        _ => None,
    }
}

fn constant_text(expression: &Expr<'_>) -> Option<String> {
    match expression {
        Expr::Const(constant) => constant.value.as_str().map(str::to_owned),
        _ => None,
    }
}

fn range(span: Span) -> Range<usize> {
    span.start_offset as usize..span.end_offset as usize
}
