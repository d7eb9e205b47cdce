//! Operations on a left operand that is compiled already.

use minijinja::machinery::ast::{self, BinOpKind, CompareOpKind, Expr};

use super::operands::of_operands;
use super::{Compiler, Piece, constant_text, range};
use crate::compiler::mistake::Wrong;
use crate::compiler::types::Type;
use crate::kinds::Kinds;
use crate::operators::{BINARY, CONTAINERS};
use crate::program::op;

impl Compiler<'_> {
    pub(super) fn apply(&mut self, outer: &Expr<'_>, piece: Piece) -> Piece {
        match outer {
            Expr::GetAttr(get) => self.member(piece, get.name, range(get.span()).end),
            Expr::GetItem(get) => self.item(piece, get),
            Expr::Slice(slice) => self.slice(piece, slice),
            Expr::Filter(filter) => self.filter(piece, filter),
            Expr::Test(test) => self.test(piece, test),
            Expr::BinOp(binary) => {
                let right = self.expression(&binary.right);
                match binary.op {
                    BinOpKind::ScAnd => self.and_or(piece, &right, op::AND),
                    BinOpKind::ScOr => self.and_or(piece, &right, op::OR),
                    kind => self.binary(piece, &right, sign(kind)),
                }
            }
            Expr::Compare(compare) => self.chain(piece, compare),
            other => self.wrong(Wrong::new(range(other.span()), "this cannot be used here")),
        }
    }

    fn member(&mut self, piece: Piece, name: &str, end: usize) -> Piece {
        let span = self.around(&piece).start..end;
        if !self.holds_names(&piece, name) {
            return Piece::unknown(span);
        }
        let kind = piece.kind.member().or_missing();
        let mut code = piece.code;
        code.op(op::MEMBER).text(name);
        Piece::postfix(code, kind, span)
    }

    fn holds_names(&mut self, piece: &Piece, name: &str) -> bool {
        let there = piece.kind.kinds_there();
        if piece.kind.is_any() || !there.and(Kinds::MAP).is_empty() || there.is_empty() {
            return true;
        }
        let text = format!("{} is {there}, which has no `{name}`", self.quoted(piece));
        let help = self.converted(piece, Kinds::MAP);
        let wrong = Wrong::new(self.around(piece), text);
        self.mistakes.push(Wrong { help, ..wrong });
        false
    }

    fn item(&mut self, piece: Piece, get: &ast::Spanned<ast::GetItem<'_>>) -> Piece {
        let end = range(get.span()).end;
        if let Some(name) = constant_text(&get.subscript_expr) {
            return self.member(piece, &name, end);
        }
        let key = self.expression(&get.subscript_expr);
        let span = self.around(&piece).start..end;
        let there = piece.kind.kinds_there();
        let of = "what stands in square brackets";
        let takes = match (piece.kind.is_any(), there) {
            (true, _) => Kinds::TEXT.or(Kinds::NUMBER),
            (_, there) if there.without(Kinds::MAP).is_empty() => Kinds::TEXT,
            (_, there) if there.without(Kinds::LIST).is_empty() => Kinds::NUMBER,
            (_, there) if there == Kinds::TEXT => {
                let text = format!("{} is text, which has no members", self.quoted(&piece));
                let json = self.converted(&piece, Kinds::LIST);
                let is_document = json.as_ref().is_some_and(|fixed| fixed.contains("| json"));
                let slice = "a character is `first`, `last`, or a slice such as `[:1]`";
                let help = if is_document { json } else { None };
                let help = help.unwrap_or_else(|| slice.to_owned());
                self.mistakes
                    .push(Wrong::new(span.clone(), text).help(help));
                return Piece::unknown(span);
            }
            _ => {
                self.want(&piece, Kinds::LIST.or(Kinds::MAP), "an index");
                return Piece::unknown(span);
            }
        };
        self.want(&key, takes, of);
        let kind = piece.kind.member().or_missing();
        let mut code = piece.code;
        code.0.push_str(&key.code.0);
        code.op(op::ITEM);
        Piece::postfix(code, kind, span)
    }

    fn slice(&mut self, piece: Piece, slice: &ast::Spanned<ast::Slice<'_>>) -> Piece {
        let span = self.around(&piece).start..range(slice.span()).end;
        self.want(&piece, Kinds::TEXT.or(Kinds::LIST), "a slice");
        let mut kind = piece.kind.clone();
        let mut code = piece.code;
        for bound in [&slice.start, &slice.stop, &slice.step] {
            match bound {
                Some(bound) => {
                    let bound = self.expression(bound);
                    self.want(&bound, Kinds::NUMBER.or(Kinds::NONE), "a slice");
                    kind = kind.missing_if(bound.kind.may_be_missing());
                    code.0.push_str(&bound.code.0);
                }
                None => {
                    code.op(op::NONE);
                }
            }
        }
        code.op(op::SLICE).part(self.part(&span));
        Piece::postfix(code, kind, span)
    }

    fn and_or(&mut self, left: Piece, right: &Piece, op: u8) -> Piece {
        self.condition(&left);
        self.condition(right);
        let span = self.between(&left, right);
        let kind = left.kind.join(&right.kind);
        let mut code = left.code;
        code.over(op, &right.code);
        Piece {
            is_postfix: false,
            ..Piece::postfix(code, kind, span)
        }
    }

    fn binary(&mut self, left: Piece, right: &Piece, sign: &str) -> Piece {
        let span = self.between(&left, right);
        let kind = self.operation(&left, right, sign);
        let number = BINARY.iter().position(|each| each.sign == sign);
        let mut code = left.code;
        code.0.push_str(&right.code.0);
        code.op(op::BINARY).number(number.unwrap_or_default());
        code.part(self.part(&span));
        Piece {
            is_postfix: false,
            ..Piece::postfix(code, kind, span)
        }
    }

    /// Checks the operands of an operation, and returns its type.
    fn operation(&mut self, left: &Piece, right: &Piece, sign: &str) -> Type {
        let takes = BINARY.iter().find(|each| each.sign == sign);
        let takes = takes.map_or(Kinds::ANY, |operator| operator.takes);
        match sign {
            "==" | "!=" => self.comparable(left, right, sign),
            "in" | "not in" => self.inside(left, right, sign),
            "<" | "<=" | ">" | ">=" => self.alike(left, right, takes, sign),
            "+" => {
                self.alike(left, right, takes, sign);
                let kind = match left.kind.kinds_there() {
                    Kinds::NUMBER => Type::number(),
                    Kinds::TEXT => Type::text(),
                    _ => left.kind.join(&right.kind),
                };
                return of_operands(kind, left, right);
            }
            sign => {
                let by = format!("`{sign}`");
                self.want(left, takes, &by);
                self.want(right, takes, &by);
                return of_operands(Type::number(), left, right);
            }
        }
        match sign {
            "==" | "!=" | "in" | "not in" => Type::boolean(),
            _ => of_operands(Type::boolean(), left, right),
        }
    }

    /// `left in right`.
    pub(super) fn inside(&mut self, left: &Piece, right: &Piece, sign: &str) {
        if !self.want(right, CONTAINERS, &format!("`{sign}`")) || right.kind.is_any() {
            return;
        }
        let there = right.kind.kinds_there();
        let by_name = Kinds::TEXT.or(Kinds::MAP);
        if there.without(by_name).is_empty() && !there.is_empty() {
            self.want(left, Kinds::TEXT, &format!("`{sign}` with {there}"));
        } else if there.and(by_name).is_empty() {
            let member = right.kind.member();
            let kinds = (left.kind.kinds_there(), member.kinds_there());
            let unknown = left.kind.is_any() || member.is_any();
            let empty = kinds.0.is_empty() || kinds.1.is_empty();
            if !unknown && !empty && kinds.0.and(kinds.1).is_empty() {
                let text = format!(
                    "{} is {}, and the members of {} are {}",
                    self.quoted(left),
                    kinds.0,
                    self.quoted(right),
                    kinds.1
                );
                let help = self.converted(left, kinds.1);
                let wrong = Wrong::new(self.around(left), text);
                self.mistakes.push(Wrong { help, ..wrong });
            }
        }
    }

    fn chain(&mut self, first: Piece, compare: &ast::Spanned<ast::Compare<'_>>) -> Piece {
        let mut operands = vec![first];
        let mut numbers = Vec::new();
        let mut missing = false;
        for next in &compare.ops {
            let right = self.expression(&next.expr);
            let sign = comparison(next.op);
            if let Some(left) = operands.pop() {
                missing |= self.operation(&left, &right, sign).may_be_missing();
                operands.push(left);
            }
            let number = BINARY.iter().position(|each| each.sign == sign);
            numbers.push(number.unwrap_or_default());
            operands.push(right);
        }
        let mut code = crate::program::Writer::default();
        for operand in &operands {
            code.0.push_str(&operand.code.0);
        }
        let span = match (operands.first(), operands.last()) {
            (Some(first), Some(last)) => self.between(first, last),
            _ => range(compare.span()),
        };
        code.op(op::CHAIN)
            .number(numbers.len())
            .part(self.part(&span));
        for number in numbers {
            code.number(number);
        }
        Piece {
            is_postfix: false,
            ..Piece::postfix(code, Type::boolean().missing_if(missing), span)
        }
    }

    /// `left ~ a ~ b`, as one operation.
    pub(super) fn concat(&mut self, left: Piece, others: &[&Expr<'_>]) -> Piece {
        self.want(&left, Kinds::CHARACTERS, "`~`");
        let mut missing = left.kind.may_be_missing();
        let mut span = self.around(&left);
        let mut code = left.code;
        for other in others {
            let right = self.expression(other);
            self.want(&right, Kinds::CHARACTERS, "`~`");
            missing |= right.kind.may_be_missing();
            span.end = self.around(&right).end;
            code.0.push_str(&right.code.0);
        }
        code.op(op::CONCAT)
            .number(others.len() + 1)
            .part(self.part(&span));
        Piece {
            is_postfix: false,
            ..Piece::postfix(code, Type::text().missing_if(missing), span)
        }
    }
}

fn sign(kind: BinOpKind) -> &'static str {
    match kind {
        BinOpKind::Eq => "==",
        BinOpKind::Ne => "!=",
        BinOpKind::Lt => "<",
        BinOpKind::Lte => "<=",
        BinOpKind::Gt => ">",
        BinOpKind::Gte => ">=",
        BinOpKind::Add => "+",
        BinOpKind::Sub => "-",
        BinOpKind::Mul => "*",
        BinOpKind::Div => "/",
        BinOpKind::FloorDiv => "//",
        BinOpKind::Rem => "%",
        BinOpKind::Pow => "**",
        BinOpKind::In => "in",
        BinOpKind::ScAnd => "and",
        BinOpKind::ScOr => "or",
        BinOpKind::Concat => "~",
    }
}

fn comparison(kind: CompareOpKind) -> &'static str {
    match kind {
        CompareOpKind::Eq => "==",
        CompareOpKind::Ne => "!=",
        CompareOpKind::Lt => "<",
        CompareOpKind::Lte => "<=",
        CompareOpKind::Gt => ">",
        CompareOpKind::Gte => ">=",
        CompareOpKind::In => "in",
        CompareOpKind::NotIn => "not in",
    }
}
