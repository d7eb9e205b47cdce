//! The types of expressions, as far as they are known before a user comes.

use std::rc::Rc;

use crate::kinds::Kinds;
use crate::value::Kind;

/// The kinds that a value can have, and the type of its members.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Type {
    kinds: Kinds,
    /// The type of a list's, map's or set's members; `None` if it is not known.
    member: Option<Rc<Type>>,
    /// A text that is `true` or `false`, both of which count as true in a condition.
    is_flag: bool,
}

impl Type {
    pub(crate) fn of(kinds: Kinds) -> Self {
        Self {
            kinds,
            member: None,
            is_flag: false,
        }
    }

    /// Nothing is known: the value came from a JSON document.
    pub(crate) fn any() -> Self {
        Self::of(Kinds::ANY)
    }

    pub(crate) fn text() -> Self {
        Self::of(Kinds::TEXT)
    }

    /// The text `true` or `false`.
    pub(crate) fn flag() -> Self {
        Self {
            is_flag: true,
            ..Self::text()
        }
    }

    pub(crate) fn number() -> Self {
        Self::of(Kinds::NUMBER)
    }

    pub(crate) fn boolean() -> Self {
        Self::of(Kinds::BOOLEAN)
    }

    pub(crate) fn bytes() -> Self {
        Self::of(Kinds::BYTES)
    }

    pub(crate) fn missing() -> Self {
        Self::of(Kinds::MISSING)
    }

    pub(crate) fn list_of(member: Self) -> Self {
        Self::of(Kinds::LIST).holding(member)
    }

    pub(crate) fn map_of(member: Self) -> Self {
        Self::of(Kinds::MAP).holding(member)
    }

    fn holding(self, member: Self) -> Self {
        Self {
            member: Some(Rc::new(member)),
            ..self
        }
    }

    pub(crate) fn is_any(&self) -> bool {
        self.kinds == Kinds::ANY && self.member.is_none()
    }

    pub(crate) fn is_flag(&self) -> bool {
        self.is_flag
    }

    /// The kinds of a value that is there.
    pub(crate) fn kinds_there(&self) -> Kinds {
        self.kinds.without(Kinds::MISSING)
    }

    pub(crate) fn may_be_missing(&self) -> bool {
        self.kinds.has(Kind::Missing)
    }

    /// The type of the members; of a text, its characters.
    pub(crate) fn member(&self) -> Self {
        let there = self.kinds_there();
        let of_others = match &self.member {
            Some(member) => (**member).clone(),
            None => Self::any(),
        };
        match there.has(Kind::Text) {
            true if there == Kinds::TEXT => Self::text(),
            true => of_others.join(&Self::text()),
            false => of_others,
        }
    }

    /// The type without being missing.
    pub(crate) fn there(&self) -> Self {
        if self.is_any() {
            return self.clone();
        }
        Self {
            kinds: self.kinds_there(),
            ..self.clone()
        }
    }

    pub(crate) fn with(&self, kinds: Kinds) -> Self {
        Self {
            kinds: self.kinds.or(kinds),
            ..self.clone()
        }
    }

    pub(crate) fn or_missing(self) -> Self {
        self.with(Kinds::MISSING)
    }

    pub(crate) fn missing_if(self, missing: bool) -> Self {
        if missing { self.or_missing() } else { self }
    }

    /// The type of a value that has one of two types.
    pub(crate) fn join(&self, other: &Self) -> Self {
        if self.is_any() || other.is_any() {
            return Self::any();
        }
        let has_members = Kinds::MEMBERS.or(Kinds::MAP);
        let holds = |each: &Self| !each.kinds.and(has_members).is_empty();
        let member = match (&self.member, &other.member) {
            (Some(one), Some(other)) => Some(Rc::new(one.join(other))),
            (Some(member), None) if !holds(other) => Some(Rc::clone(member)),
            (None, Some(member)) if !holds(self) => Some(Rc::clone(member)),
            _ => None,
        };
        Self {
            kinds: self.kinds.or(other.kinds),
            member,
            is_flag: self.is_flag || other.is_flag,
        }
    }

    /// A list or map whose missing members are gone.
    pub(crate) fn compacted(&self) -> Self {
        match &self.member {
            Some(member) => self.clone().holding(member.there()),
            None => self.clone(),
        }
    }

    /// A set of the members. An empty list has none, and no set has missing members.
    pub(crate) fn made_a_set(&self) -> Self {
        Self::of(Kinds::SET)
            .holding(self.member().there())
            .or_missing()
    }

    /// A list of the members.
    pub(crate) fn made_a_list(&self) -> Self {
        let member = self.member();
        let missing = member.may_be_missing() && !member.is_any();
        Self::list_of(member).missing_if(missing)
    }
}
