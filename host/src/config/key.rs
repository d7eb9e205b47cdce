//! What the keys of a pool's items must equal.

use std::fmt;

use serde::Deserialize;

use crate::event::{PostConfirmation, UserPoolId};

/// A template for partition keys: text with placeholders.
///
/// No two users of a pool have the same key, whatever characters their names contain.
/// With `{userPoolId}`, neither do users of different pools.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct KeyTemplate(Vec<Part>);

/// A template for sort keys. Unlike a partition key's, it need not contain `{userName}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SortKeyTemplate(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    UserName,
    UserPoolId,
}

impl KeyTemplate {
    /// The key for this user.
    pub fn expand(&self, event: &PostConfirmation) -> String {
        expand(&self.0, &event.user_pool_id, &event.user_name)
    }

    /// Returns `true` if keys of different pools always differ, for any users' names.
    pub fn names_the_pool(&self) -> bool {
        self.0.contains(&Part::UserPoolId)
    }

    /// Returns `true` if this is the key of some user of this pool.
    pub fn could_make(&self, key: &str, pool: &UserPoolId) -> bool {
        self.user_name(key, pool).is_some()
    }

    /// The name of the user of this pool whose key this is, if there can be one.
    pub(super) fn user_name<'a>(&self, key: &'a str, pool: &UserPoolId) -> Option<&'a str> {
        let (before, after) = self.around_the_user(pool);
        let name = key.strip_prefix(&before)?.strip_suffix(&after)?;
        (!name.is_empty()).then_some(name)
    }

    /// The text before and after a user's name in this pool's keys.
    pub(super) fn around_the_user(&self, pool: &UserPoolId) -> (String, String) {
        let mut sides = self.0.split(|part| *part == Part::UserName);
        let mut side = || expand(sides.next().unwrap_or_default(), pool, "");
        (side(), side())
    }

    /// Whether a character that no id contains separates the pool's id from the name, so
    /// that no id can be read as a part of a longer one. With `{userPoolId}{userName}`, the
    /// user `Cx` of `eu-west-1_Ab` and the user `x` of `eu-west-1_AbC` have the same key.
    ///
    /// An id is a Region, an underscore, and letters and digits. So of two ids of which one
    /// begins with the other, the rest is letters and digits; and where one ends with the
    /// other, the rest is a part of a Region.
    fn separates_the_pool(&self) -> bool {
        let mut sides = self.0.split(|part| *part == Part::UserName);
        let before = sides.next().unwrap_or_default();
        let after = sides.next().unwrap_or_default();
        let is_pool = |part: &Part| *part == Part::UserPoolId;
        let follows = |part: &Part| match part {
            Part::Text(text) => !text.starts_with(|c: char| c.is_ascii_alphanumeric()),
            Part::UserName | Part::UserPoolId => false,
        };
        let precedes = |part: &Part| match part {
            Part::Text(text) => !text.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '-'),
            Part::UserName | Part::UserPoolId => false,
        };
        let first = before.iter().position(is_pool);
        let last = after.iter().rposition(is_pool);
        let before = first.and_then(|at| before.get(at + 1)).is_some_and(follows);
        let after = last
            .and_then(|at| after.get(at.checked_sub(1)?))
            .is_some_and(precedes);
        before || after || !self.names_the_pool()
    }
}

/// The template as it is written.
fn write(parts: &[Part], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for part in parts {
        f.write_str(match part {
            Part::Text(text) => text,
            Part::UserName => "{userName}",
            Part::UserPoolId => "{userPoolId}",
        })?;
    }
    Ok(())
}

impl fmt::Display for KeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(&self.0, f)
    }
}

impl fmt::Display for SortKeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(&self.0, f)
    }
}

impl Default for KeyTemplate {
    fn default() -> Self {
        Self(vec![Part::UserName])
    }
}

impl TryFrom<String> for KeyTemplate {
    type Error = BadKeyTemplate;

    fn try_from(template: String) -> Result<Self, Self::Error> {
        let parts = parts(&template).ok_or(BadKeyTemplate::Form)?;
        if parts.iter().filter(|part| **part == Part::UserName).count() != 1 {
            return Err(BadKeyTemplate::Form);
        }
        let template = Self(parts);
        if !template.separates_the_pool() {
            return Err(BadKeyTemplate::PoolNotSeparate);
        }
        Ok(template)
    }
}

impl SortKeyTemplate {
    /// The key for this user.
    pub fn expand(&self, event: &PostConfirmation) -> String {
        self.expand_for(&event.user_pool_id, &event.user_name)
    }

    pub(super) fn expand_for(&self, pool: &UserPoolId, user_name: &str) -> String {
        expand(&self.0, pool, user_name)
    }

    /// This pool's sort key, if all of its users have the same.
    pub(super) fn same_for_all(&self, pool: &UserPoolId) -> Option<String> {
        let named = self.0.contains(&Part::UserName);
        (!named).then(|| self.expand_for(pool, ""))
    }
}

impl TryFrom<String> for SortKeyTemplate {
    type Error = BadSortKeyTemplate;

    fn try_from(template: String) -> Result<Self, Self::Error> {
        let parts = parts(&template).filter(|parts| !parts.is_empty());
        parts.map(Self).ok_or(BadSortKeyTemplate)
    }
}

fn expand(parts: &[Part], pool: &UserPoolId, user_name: &str) -> String {
    let parts = parts.iter().map(|part| match part {
        Part::Text(text) => text,
        Part::UserName => user_name,
        Part::UserPoolId => pool.as_str(),
    });
    parts.collect()
}

/// The parts of a template; `None` if a brace is out of place, or a placeholder unknown.
fn parts(template: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((text, placeholder)) = rest.split_once('{') {
        let (name, after) = placeholder.split_once('}')?;
        parts.push(Part::Text(text.to_owned()));
        parts.push(match name {
            "userName" => Part::UserName,
            "userPoolId" => Part::UserPoolId,
            _ => return None,
        });
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    parts.retain(|part| *part != Part::Text(String::new()));
    let stray = |part: &Part| matches!(part, Part::Text(text) if text.contains('}'));
    (!parts.iter().any(stray)).then_some(parts)
}

/// The text is not a valid template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeyTemplate {
    /// Without a user's name, or with an unknown placeholder.
    #[error(
        "must hold {{userName}} once, and may hold {{userPoolId}} and other text, such as \"USER#{{userName}}\""
    )]
    Form,
    /// A pool's id that the name after or before it could continue.
    #[error(
        "must separate {{userPoolId}} from the name, or users of two pools could have the same key: put a sign such as # between them, as in \"{{userPoolId}}#{{userName}}\", or after the name, \"{{userName}}#{{userPoolId}}\""
    )]
    PoolNotSeparate,
}

/// The text is not a valid template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be text, such as \"PROFILE\", and may hold {{userName}} and {{userPoolId}}")]
pub struct BadSortKeyTemplate;
