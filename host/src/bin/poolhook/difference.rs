//! How a plugin's answer differs from what a case or an example expects.

use std::collections::BTreeSet;

use poolhook::item::{AttributeValue, Item};
use serde::Serialize;

use crate::trial::Answer;

/// One difference.
#[derive(Serialize)]
pub(crate) struct Difference {
    /// `outcome`, `reason`, `error`, `message`, or `item.` and an attribute's name.
    pub(crate) what: String,
    /// `None` for an attribute that is not expected.
    pub(crate) expected: Option<String>,
    /// `None` for an attribute that is missing.
    pub(crate) got: Option<String>,
}

impl Difference {
    /// The outcome itself differs, such as a skip instead of an item.
    pub(crate) fn of_outcome(expected: Option<String>, answer: &Answer) -> Self {
        let got = match answer {
            Answer::Item(item) => {
                let item = serde_json::to_string(item).unwrap_or_default();
                format!("the item {item}")
            }
            Answer::Skip(reason) => format!("skipped: {reason}"),
            Answer::Failed(name, text) => format!("{name}: {text}"),
        };
        Self {
            what: "outcome".to_owned(),
            expected,
            got: Some(got),
        }
    }

    /// The attributes that differ. Sets have no order, and numbers are equal by
    /// value.
    pub(crate) fn of_items(expected: &Item, got: &Item) -> Vec<Self> {
        let (expected, got) = (expected.attributes(), got.attributes());
        let names: BTreeSet<_> = expected.keys().chain(got.keys()).collect();
        let differing = names.into_iter().filter_map(|name| {
            let (expected, got) = (expected.get(name), got.get(name));
            let same = expected
                .zip(got)
                .is_some_and(|(one, other)| one.is_same(other));
            let json = |value: &AttributeValue| serde_json::to_string(value).unwrap_or_default();
            (!same).then(|| Self {
                what: format!("item.{name}"),
                expected: expected.map(json),
                got: got.map(json),
            })
        });
        differing.collect()
    }

    /// Compares a text; any text matches if none is expected.
    pub(crate) fn of_texts(what: &str, expected: Option<&String>, got: &str) -> Vec<Self> {
        let other = expected.filter(|expected| expected.as_str() != got);
        let difference = other.map(|expected| Self {
            what: what.to_owned(),
            expected: Some(expected.clone()),
            got: Some(got.to_owned()),
        });
        difference.into_iter().collect()
    }
}
