//! What operations demand of their operands.

use std::ops::Range;

use super::{Compiler, Piece};
use crate::compiler::fix::{conversion, filtered, replaced};
use crate::compiler::mistake::Wrong;
use crate::compiler::types::Type;
use crate::kinds::Kinds;

impl Compiler<'_> {
    /// Notes a mistake unless the piece can only be of these kinds, as far as is known.
    pub(super) fn want(&mut self, piece: &Piece, takes: Kinds, by: &str) -> bool {
        let there = piece.kind.kinds_there();
        let other = there.without(takes);
        if piece.kind.is_any() || other.is_empty() {
            return true;
        }
        let verb = if other == there { "is" } else { "can be" };
        let text = if self.text.get(piece.span.clone()) == Some("none") {
            format!("{by} takes {takes}, not `none`")
        } else {
            format!(
                "{} {verb} {other}, and {by} takes {takes}",
                self.quoted(piece)
            )
        };
        let help = self.converted(piece, takes);
        let wrong = Wrong::new(self.around(piece), text);
        self.mistakes.push(Wrong { help, ..wrong });
        false
    }

    /// The expression with a piece made one of these kinds.
    pub(super) fn converted(&self, piece: &Piece, takes: Kinds) -> Option<String> {
        let source = self.text.get(piece.span.clone()).unwrap_or_default();
        let there = piece.kind.kinds_there();
        if there.has(crate::Kind::None) && there.without(takes) == Kinds::NONE {
            let help = "give a value in place of `none`, as with `| default('', true)`";
            return Some(help.to_owned());
        }
        let filter = conversion(source, &piece.kind, takes)?;
        let fixed = filtered(self.text, &self.around(piece), piece.is_postfix, filter);
        Some(format!("write `{fixed}`"))
    }

    /// A condition takes every kind, as in Jinja. But a text that says `false` is true.
    pub(super) fn condition(&mut self, piece: &Piece) {
        if piece.kind.is_flag() {
            let text = format!(
                "{} is the text `true` or `false`, and each of these counts as true",
                self.quoted(piece)
            );
            let fixed = filtered(self.text, &self.around(piece), piece.is_postfix, "bool");
            let wrong = Wrong::new(self.around(piece), text);
            self.mistakes.push(wrong.help(format!("write `{fixed}`")));
        }
    }

    /// Two operands that are compared must have a kind in common.
    pub(super) fn comparable(&mut self, left: &Piece, right: &Piece, sign: &str) {
        let kinds = (left.kind.kinds_there(), right.kind.kinds_there());
        let unknown = left.kind.is_any() || right.kind.is_any();
        let empty = kinds.0.is_empty() || kinds.1.is_empty();
        if unknown || empty || !kinds.0.and(kinds.1).is_empty() {
            return;
        }
        let result = if sign == "!=" { "true" } else { "false" };
        let text = format!(
            "{} is {} and {} is {}, so `{sign}` is always {result}",
            self.quoted(left),
            kinds.0,
            self.quoted(right),
            kinds.1
        );
        let span = self.around(left).start..self.around(right).end;
        let help = self.made_alike(left, right, sign);
        let wrong = Wrong::new(span, text);
        self.mistakes.push(Wrong { help, ..wrong });
    }

    /// How to write a comparison of two kinds: with one of them made the other kind.
    pub(super) fn made_alike(&self, left: &Piece, right: &Piece, sign: &str) -> Option<String> {
        let there = (left.kind.kinds_there(), right.kind.kinds_there());
        for (none, other) in [(there.0, right), (there.1, left)] {
            if none == Kinds::NONE && ["==", "!="].contains(&sign) {
                let source = self.text.get(self.around(other))?;
                let test = if sign == "==" { "undefined" } else { "defined" };
                return Some(format!(
                    "what is not there is missing: write `{source} is {test}`"
                ));
            }
        }
        let text = |kinds: Kinds| kinds == Kinds::TEXT;
        if sign == "+" && (text(there.0) || text(there.1)) {
            let between = self.around(left).end..self.around(right).start;
            let fixed = replaced(self.text, &between, " ~ ");
            return Some(format!("to join texts, write `{fixed}`"));
        }
        if text(there.1) && !text(there.0) {
            return self.converted(right, there.0);
        }
        self.converted(left, there.1)
            .or_else(|| self.converted(right, there.0))
    }

    /// Operands that must be of one kind, of those that the operator takes.
    pub(super) fn alike(&mut self, left: &Piece, right: &Piece, takes: Kinds, sign: &str) {
        let by = format!("`{sign}`");
        let fits = self.want(left, takes, &by) & self.want(right, takes, &by);
        let (one, other) = (left.kind.kinds_there(), right.kind.kinds_there());
        let unknown = left.kind.is_any() || right.kind.is_any();
        let single = |kinds: Kinds| kinds.each().count() <= 1;
        if !fits || unknown || one.is_empty() || other.is_empty() {
            return;
        }
        if one == other && single(one) {
            return;
        }
        let text = format!(
            "{} is {one} and {} is {other}; `{sign}` takes two of one kind",
            self.quoted(left),
            self.quoted(right)
        );
        let span = self.around(left).start..self.around(right).end;
        let wrong = Wrong::new(span, text);
        let help = self.made_alike(left, right, sign);
        self.mistakes.push(Wrong { help, ..wrong });
    }

    pub(super) fn between(&self, left: &Piece, right: &Piece) -> Range<usize> {
        self.around(left).start..self.around(right).end
    }
}

/// The type of a result that is missing if an operand is.
pub(super) fn of_operands(kind: Type, left: &Piece, right: &Piece) -> Type {
    kind.missing_if(left.kind.may_be_missing() || right.kind.may_be_missing())
}
