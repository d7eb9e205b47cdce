//! Sets of kinds of values: what an operation takes.

use std::fmt;

use crate::value::Kind;

/// A set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u16);

#[allow(missing_docs, reason = "they are the cases of `Kind`")]
impl Kinds {
    pub const NOTHING: Self = Self(0);
    pub const MISSING: Self = Self::of(Kind::Missing);
    pub const NONE: Self = Self::of(Kind::None);
    pub const BOOLEAN: Self = Self::of(Kind::Boolean);
    pub const NUMBER: Self = Self::of(Kind::Number);
    pub const TEXT: Self = Self::of(Kind::Text);
    pub const BYTES: Self = Self::of(Kind::Bytes);
    pub const LIST: Self = Self::of(Kind::List);
    pub const MAP: Self = Self::of(Kind::Map);
    pub const SET: Self = Self::of(Kind::Set);
    /// All kinds.
    pub const ANY: Self = Self(0x1ff);
    /// What can be written as characters.
    pub const CHARACTERS: Self = Self(Self::TEXT.0 | Self::NUMBER.0 | Self::BOOLEAN.0);
    /// What has members, one after the other.
    pub const MEMBERS: Self = Self(Self::LIST.0 | Self::SET.0);

    const fn of(kind: Kind) -> Self {
        Self(1 << kind as u16)
    }

    pub fn has(self, kind: Kind) -> bool {
        self.0 & Self::of(kind).0 != 0
    }

    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn each(self) -> impl Iterator<Item = Kind> {
        const ALL: [Kind; 9] = [
            Kind::Text,
            Kind::Number,
            Kind::Boolean,
            Kind::List,
            Kind::Map,
            Kind::Set,
            Kind::Bytes,
            Kind::None,
            Kind::Missing,
        ];
        ALL.into_iter().filter(move |kind| self.has(*kind))
    }
}

/// `text or a number`.
impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ANY {
            return f.write_str("any value");
        }
        let last = self.each().count().saturating_sub(1);
        for (index, kind) in self.each().enumerate() {
            match index {
                0 => {}
                _ if index == last => f.write_str(" or ")?,
                _ => f.write_str(", ")?,
            }
            f.write_str(kind.article())?;
        }
        Ok(())
    }
}
