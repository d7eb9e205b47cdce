//! Mistakes in a mapping.

use std::ops::Range;

/// A mistake, or what is probably one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The key of the expression: its names from the settings on, such as `item`, `email`.
    pub key: Vec<String>,
    /// The bytes of the expression that are at fault. `None` if it is the key.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub text: String,
    /// What to write, or to do, instead.
    pub help: Option<String>,
}

/// A mistake in an expression whose key is not known yet.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    pub(super) span: Range<usize>,
    pub(super) text: String,
    pub(super) help: Option<String>,
}

impl Wrong {
    pub(super) fn new(span: Range<usize>, text: impl Into<String>) -> Self {
        Self {
            span,
            text: text.into(),
            help: None,
        }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    pub(super) fn of(self, key: &[&str]) -> Mistake {
        Mistake {
            key: key.iter().map(ToString::to_string).collect(),
            span: Some(self.span),
            text: self.text,
            help: self.help,
        }
    }
}
