//! What a pool's partition keys must equal.

use serde::Deserialize;

use crate::event::{PostConfirmation, UserPoolId};

/// A template for partition keys: text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct KeyTemplate(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    UserName,
    UserPoolId,
}

impl KeyTemplate {
    /// The key for this user.
    pub fn expand(&self, event: &PostConfirmation) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text,
            Part::UserName => event.user_name.as_str(),
            Part::UserPoolId => event.user_pool_id.as_str(),
        });
        parts.collect()
    }

    /// Returns `true` if keys of different pools always differ, for any users' names.
    pub fn names_the_pool(&self) -> bool {
        self.0.contains(&Part::UserPoolId)
    }

    /// Returns `true` if this is the key of some user of this pool.
    pub fn could_make(&self, key: &str, pool: &UserPoolId) -> bool {
        let (before, after) = self.around_the_user(pool);
        let name = key
            .strip_prefix(&before)
            .and_then(|rest| rest.strip_suffix(&after));
        name.is_some_and(|name| !name.is_empty())
    }

    /// The text before and after a user's name in this pool's keys.
    pub(super) fn around_the_user(&self, pool: &UserPoolId) -> (String, String) {
        let fixed = |parts: &[Part]| {
            let texts = parts.iter().map(|part| match part {
                Part::Text(text) => text,
                Part::UserName => "",
                Part::UserPoolId => pool.as_str(),
            });
            texts.collect::<String>()
        };
        let mut sides = self.0.split(|part| *part == Part::UserName).map(fixed);
        (
            sides.next().unwrap_or_default(),
            sides.next().unwrap_or_default(),
        )
    }
}

impl Default for KeyTemplate {
    fn default() -> Self {
        Self(vec![Part::UserName])
    }
}

impl TryFrom<String> for KeyTemplate {
    type Error = BadKeyTemplate;

    /// Each user needs a unique key, so `{userName}` must occur exactly once.
    fn try_from(template: String) -> Result<Self, Self::Error> {
        let mut parts = Vec::new();
        let mut rest = template.as_str();
        while let Some((text, placeholder)) = rest.split_once('{') {
            let (name, after) = placeholder.split_once('}').ok_or(BadKeyTemplate)?;
            parts.push(Part::Text(text.to_owned()));
            parts.push(match name {
                "userName" => Part::UserName,
                "userPoolId" => Part::UserPoolId,
                _ => return Err(BadKeyTemplate),
            });
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| *part != Part::Text(String::new()));

        let stray = |part: &Part| matches!(part, Part::Text(text) if text.contains('}'));
        let users = parts.iter().filter(|part| **part == Part::UserName).count();
        let well_formed = users == 1 && !parts.iter().any(stray);
        well_formed.then_some(Self(parts)).ok_or(BadKeyTemplate)
    }
}

/// The text is not a valid template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must hold {{userName}} once, and may hold {{userPoolId}} and other text, such as \"USER#{{userName}}\""
)]
pub struct BadKeyTemplate;
