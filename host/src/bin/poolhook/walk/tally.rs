//! What became of the users, in numbers.

use std::collections::BTreeMap;
use std::fmt;

use poolhook::host::Outcome;
use poolhook::report::Report;
use poolhook::store::Existing;
use serde::{Deserialize, Serialize};

/// A plugin chooses an item's names: no more of them than this are counted apart.
const MAX_NAMES: usize = 200;

/// How many users came to which end.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tally {
    pub(crate) users: u64,
    /// Their items were not there.
    pub(crate) written: u64,
    /// Their items were there, the very same, or for all that the store says.
    pub(crate) present: u64,
    /// Other items have their keys.
    pub(crate) differing: u64,
    /// Of these, how many differ in an attribute.
    pub(crate) differing_attributes: BTreeMap<String, u64>,
    /// By the plugin, or since the pool writes at no sign-up.
    pub(crate) skipped: u64,
    /// They have the trigger before them.
    pub(crate) unconfirmed: u64,
    pub(crate) failed: u64,
    /// These by the failure's name.
    pub(crate) failures: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn add(&mut self, report: Option<&Report>) {
        self.users += 1;
        let Some(report) = report else {
            self.unconfirmed += 1;
            return;
        };
        match &report.outcome {
            Ok(Outcome::Written) => self.written += 1,
            Ok(Outcome::AlreadyThere(Existing::Same | Existing::Unknown)) => self.present += 1,
            Ok(Outcome::AlreadyThere(Existing::Different(names))) => {
                self.differing += 1;
                for name in names {
                    let known = self.differing_attributes.contains_key(name);
                    if known || self.differing_attributes.len() < MAX_NAMES {
                        *self.differing_attributes.entry(name.clone()).or_default() += 1;
                    }
                }
            }
            Ok(Outcome::Skipped(_)) => self.skipped += 1,
            Err(failure) => {
                self.failed += 1;
                *self.failures.entry(failure.name().to_owned()).or_default() += 1;
            }
        }
    }

    /// The numbers for people, what is none left out.
    pub(crate) fn text(&self, written: &str) -> String {
        let mut parts = vec![format!("{} users", self.users)];
        let mut part = |n: u64, what: &dyn fmt::Display| {
            if n > 0 {
                parts.push(format!("{n} {what}"));
            }
        };
        part(self.written, &written);
        part(self.present, &"present");
        let names = &self.differing_attributes;
        part(self.differing, &format!("differing{}", counts(names)));
        part(self.skipped, &"skipped");
        part(self.unconfirmed, &"not confirmed");
        part(self.failed, &format!("failed{}", counts(&self.failures)));
        parts.join(", ")
    }
}

fn counts(counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return String::new();
    }
    let counts = counts.iter().map(|(name, n)| format!("{name} {n}"));
    format!(" ({})", counts.collect::<Vec<_>>().join(", "))
}
