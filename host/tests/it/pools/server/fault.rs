//! What goes wrong with a pool's requests.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use super::http::Answer;
use super::pool::Refused;

/// Relative to the moment when the server does what a request asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    After,
}

/// What happens to a request. Fields are JSON pointers: `/pool/Name`,
/// `/mfa/WebAuthnConfiguration`.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Refused with this code; nothing is done.
    Refuse(&'static str),
    Throttle,
    /// An internal error, before or after the request is done.
    Fail(Moment),
    /// The connection ends without an answer, before or after the request is done.
    Cut(Moment),
    /// Another writer sets this field, before or after the request is done.
    Writer(Moment, &'static str, Value),
    /// The server resets this field, although the request had it.
    Lose(&'static str),
    /// The same, for a field of the pool by its name.
    LoseField(&'static str),
    /// The server switches MFA off, although the request had it on.
    LoseMfa,
}

/// A pool's faults.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    faults: Vec<(&'static str, Range<usize>, Fault)>,
    /// The number of requests by action.
    seen: BTreeMap<String, usize>,
}

impl Faults {
    /// Adds a fault for the requests of this action with these numbers. They count from the
    /// next request.
    pub(crate) fn add(&mut self, action: &'static str, numbers: Range<usize>, fault: Fault) {
        let seen = self.seen.get(action).copied().unwrap_or_default();
        let end = numbers.end.saturating_add(seen);
        self.faults.push((action, numbers.start + seen..end, fault));
    }

    /// The faults of the next request of this action.
    pub(crate) fn next(&mut self, action: &str) -> Vec<Fault> {
        let seen = self.seen.entry(action.to_owned()).or_default();
        let number = *seen;
        *seen += 1;
        let of_it = self.faults.iter();
        let of_it = of_it.filter(|(of, numbers, _)| *of == action && numbers.contains(&number));
        of_it.map(|(_, _, fault)| fault.clone()).collect()
    }
}

/// The answer in place of what the request asks for, if a fault has one.
pub(crate) fn before(faults: &[Fault]) -> Option<Answer> {
    faults.iter().find_map(|fault| match fault {
        Fault::Refuse(code) => Some(Refused::new(code, "refused by the test").answer()),
        Fault::Throttle => Some(throttled().answer()),
        Fault::Fail(Moment::Before) => Some(failed()),
        Fault::Cut(Moment::Before) => Some(Answer::Cut),
        _ => None,
    })
}

/// The answer in place of a success, if a fault has one.
pub(crate) fn after(faults: &[Fault]) -> Option<Answer> {
    faults.iter().find_map(|fault| match fault {
        Fault::Fail(Moment::After) => Some(failed()),
        Fault::Cut(Moment::After) => Some(Answer::Cut),
        _ => None,
    })
}

pub(crate) fn throttled() -> Refused {
    Refused::new("TooManyRequestsException", "Rate exceeded")
}

fn failed() -> Answer {
    let mut refused = Refused::new("InternalErrorException", "Something went wrong");
    refused.status = 500;
    refused.answer()
}
