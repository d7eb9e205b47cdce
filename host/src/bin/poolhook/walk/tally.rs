//! Counts of users by outcome.

use std::collections::BTreeMap;
use std::fmt;

use poolhook::host::Outcome;
use poolhook::report::Report;
use poolhook::store::Existing;
use serde::{Deserialize, Serialize};

/// A plugin chooses attribute names, so no more of them than this are counted.
const MAX_NAMES: usize = 200;

/// The name of the failure of a user that Cognito lists incompletely.
pub(crate) const MALFORMED: &str = "Cognito.Malformed";

/// The number of users with each outcome.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tally {
    pub(crate) users: u64,
    /// Their items were missing.
    pub(crate) written: u64,
    /// Their items were there: identical but for the time of receipt, or not comparable.
    pub(crate) present: u64,
    /// Different items have their keys.
    pub(crate) differing: u64,
    /// The number of `differing` users by attribute that differs.
    pub(crate) differing_attributes: BTreeMap<String, u64>,
    /// Skipped by the plugin, or because the pool writes nothing at sign-up.
    pub(crate) skipped: u64,
    /// The trigger will still fire for them.
    pub(crate) unconfirmed: u64,
    pub(crate) failed: u64,
    /// The number of `failed` users by the failure's name.
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
            Ok(Outcome::AlreadyThere(Existing::Same | Existing::OtherTime | Existing::Unknown)) => {
                self.present += 1;
            }
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

    /// Counts a user without a name, a creation date or a status.
    pub(crate) fn add_malformed(&mut self) {
        self.users += 1;
        self.failed += 1;
        *self.failures.entry(MALFORMED.to_owned()).or_default() += 1;
    }

    /// Formats the counts for people, without those that are zero.
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
