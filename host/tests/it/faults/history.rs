//! What happened, according to the answers, the log, the proxy, the tables and the dead
//! letters, and whether that is allowed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::lambda::{Answer, End};
use super::people::{Kind, Person};
use super::proxy::Put;

/// The state that an event ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Written,
    AlreadyThere,
    Skipped,
    DeadLettered,
    Rejected,
}

/// A person, and the answers in the order of the attempts.
pub(crate) type Told = (Person, Vec<Answer>);

/// The log lines by request id.
pub(crate) struct Lines(HashMap<String, Value>);

impl Lines {
    pub(crate) fn new(log: Vec<Value>) -> Self {
        let events = log.into_iter().filter(|line| line.get("outcome").is_some());
        let mut lines = HashMap::new();
        for line in events {
            let id = line["requestId"].as_str().unwrap().to_owned();
            let second = lines.insert(id, line);
            assert_eq!(second, None, "two lines of one event");
        }
        Self(lines)
    }

    /// An attempt's log line; `None` if the process had ended.
    fn of(&self, answer: &Answer) -> Option<&Value> {
        let line = self.0.get(&answer.id);
        match &answer.end {
            End::Event(_) | End::Error(_) => assert!(line.is_some(), "no line: {answer:?}"),
            End::NotStarted(_) => assert_eq!(line, None, "{answer:?}"),
            End::Died => {}
            End::TimedOut => panic!("no answer: {answer:?}"),
        }
        line
    }
}

/// A person's final state according to all attempts. What one attempt has done stays done,
/// whatever another attempt reports.
pub(crate) fn state(person: &Person, answers: &[Answer], lines: &Lines) -> State {
    let mut outcomes = HashSet::new();
    for answer in answers {
        let line = lines.of(answer);
        let outcome = line.map_or("failed", |line| line["outcome"].as_str().unwrap());
        outcomes.insert(outcome);
        match (&answer.end, line) {
            (End::Event(event), Some(line)) => {
                assert_eq!(event, &person.event, "{line}");
                assert_ne!(outcome, "failed", "{line}");
            }
            (End::Error(name), Some(line)) => {
                assert_eq!(line["error"], name.as_str());
                assert!(["failed", "dead-lettered"].contains(&outcome), "{line}");
                if outcome == "failed" {
                    let not_kept = line.get("notKept").is_some();
                    assert!(not_kept || name == "Config.UnknownPool", "{line}");
                }
            }
            (End::NotStarted(name), _) => assert!(name.contains('.'), "{answer:?}"),
            (End::Died | End::TimedOut, _) | (_, None) => {}
        }
        if let (Some(line), Kind::IsThere, "already there") = (line, person.kind, outcome) {
            assert_eq!(line["differing"], json!(["email"]), "{line}");
        }
    }
    let is = |outcome| outcomes.contains(outcome);
    match () {
        () if is("written") => State::Written,
        () if is("already there") => State::AlreadyThere,
        () if is("skipped") => State::Skipped,
        () if is("dead-lettered") => State::DeadLettered,
        () => State::Rejected,
    }
}

/// Checks each person's final state against the tables and the dead letters.
pub(crate) fn check(
    told: &[Told],
    lines: &Lines,
    rows: &Rows,
    letters: &HashSet<String>,
) -> BTreeMap<State, usize> {
    let mut states = BTreeMap::new();
    for (person, answers) in told {
        let state = state(person, answers, lines);
        *states.entry(state).or_default() += 1;
        let row = rows.of(person);
        let kept = letters.contains(&person.digest());
        let seen = format!("{state:?}: {person:?}: {answers:?}: {row:?}, kept: {kept}");
        match state {
            State::Written => {
                assert_eq!(person.kind, Kind::SignsUp, "{seen}");
                assert_eq!(row, person.row.as_ref(), "{seen}");
            }
            State::AlreadyThere => {
                assert!(
                    [Kind::SignsUp, Kind::IsThere].contains(&person.kind),
                    "{seen}"
                );
                assert_eq!(row, person.row.as_ref(), "{seen}");
            }
            State::Skipped => {
                assert!(
                    [Kind::Resets, Kind::HasNoEmail].contains(&person.kind),
                    "{seen}"
                );
                assert_eq!(row, None, "{seen}");
            }
            State::DeadLettered => assert!(kept, "{seen}"),
            State::Rejected => {
                let told_so = answers
                    .iter()
                    .all(|answer| !matches!(answer.end, End::Event(_)));
                assert!(told_so, "{seen}");
            }
        }
        // The answer may have been lost after the write. But the row must be the person's.
        assert!(row.is_none() || row == person.row.as_ref(), "{seen}");
    }
    states
}

/// Checks that each row was written once, by a put that could not have replaced another row.
pub(crate) fn check_puts(told: &[Told], puts: &[Put]) -> usize {
    let people: HashMap<_, _> = told
        .iter()
        .map(|(person, _)| ((person.table, person.name.as_str()), person))
        .collect();
    let mut written = HashSet::new();
    for put in puts {
        let folder = (put.table.as_str(), put.id.as_str());
        let person = people.get(&folder).unwrap_or_else(|| panic!("{put:?}"));
        assert!(put.conditional, "{put:?}");
        assert!([200, 400].contains(&put.status), "{put:?}");
        if person.kind == Kind::IsThere {
            assert_eq!(put.status, 400, "{put:?}");
        } else {
            assert_eq!(Some(&put.item), person.row.as_ref(), "{put:?}");
        }
        if put.status == 200 {
            assert!(written.insert(folder), "twice: {put:?}");
        }
    }
    written.len()
}

/// The rows by table and id.
pub(crate) struct Rows(HashMap<(&'static str, String), Value>);

impl Rows {
    pub(crate) fn new(tables: impl Iterator<Item = (&'static str, Vec<Value>)>) -> Self {
        let mut rows = HashMap::new();
        for (table, items) in tables {
            for item in items {
                let id = item["id"]["S"].as_str().unwrap().to_owned();
                rows.insert((table, id), item);
            }
        }
        Self(rows)
    }

    pub(crate) fn of(&self, person: &Person) -> Option<&Value> {
        self.0.get(&(person.table, person.name.clone()))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The times until the answers.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn new<'a>(told: impl IntoIterator<Item = &'a Told>) -> Self {
        let answers = told.into_iter().flat_map(|(_, answers)| answers);
        // If an environment dies, there is no answer from poolhook to measure.
        let answers = answers.filter(|answer| answer.end != End::Died);
        let mut times: Vec<_> = answers.map(|answer| answer.took).collect();
        times.sort();
        Self(times)
    }

    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        self.0[(self.0.len() - 1) * percent / 100]
    }

    pub(crate) fn print(&self, what: &str) {
        eprintln!(
            "{what}: {} answers, p50 {} ms, p99 {} ms, max {} ms",
            self.0.len(),
            self.percentile(50).as_millis(),
            self.percentile(99).as_millis(),
            self.percentile(100).as_millis(),
        );
    }
}
