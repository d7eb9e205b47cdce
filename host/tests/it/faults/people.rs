//! The people who sign up, and the expected result for each.

use std::time::Duration;

use poolhook::digest::Sha256;
use serde_json::{Value, json};

use super::dice::{below, roll};
use super::lambda::{Answer, End, Lambda};

/// The expected result, whatever fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Gets a row.
    SignsUp,
    /// Already has another row, which is not replaced.
    IsThere,
    /// Only resets a password.
    Resets,
    /// Has no email: the default plugin skips it.
    HasNoEmail,
    /// The plugin traps on it.
    IsRefused,
    /// Is in a pool that no config names.
    IsUnknown,
    /// Comes in an event that cannot be read.
    IsMalformed,
}

/// Pools by id, with their configs, tables and the shape of their items.
pub(crate) const POOLS: [Pool; 4] = [
    Pool {
        id: "us-east-1_Accepts",
        config: "table = 'Accept'\non-failure = 'accept'",
        table: "Accept",
    },
    Pool {
        id: "us-east-1_Rejects",
        config: "table = 'Reject'\non-failure = 'reject'",
        table: "Reject",
    },
    Pool {
        id: "us-east-1_Mapped",
        config: "table = 'Mapped'\nplugin = 'acme'",
        table: "Mapped",
    },
    Pool {
        id: "us-east-1_Picky",
        config: "table = 'Picky'\nplugin = 'acme'\non-failure = 'reject'",
        table: "Picky",
    },
];

pub(crate) struct Pool {
    pub(crate) id: &'static str,
    pub(crate) config: &'static str,
    pub(crate) table: &'static str,
}

/// The published plugin traps on users whose name begins with an x.
pub(crate) const REFUSES_X: &str = "(if (i32.eq (i32.const 120)
    (i32.load8_u (i32.load offset=28 (local.get $arguments)))) (then unreachable))";

/// Breaks the event's text. Half a character in an attribute that no mapping uses breaks no
/// sign-up.
fn broken(kind: Kind, number: usize, event: String) -> String {
    match (kind, number % 3) {
        (Kind::IsMalformed, 0) => event.replace(r#""userName":"""#, r#""userName":"\ud83d""#),
        (Kind::IsMalformed, 1) => event.trim_end_matches('}').to_owned(),
        (Kind::SignsUp, 0) => event.replace(
            r#""email_verified":"true""#,
            r#""email_verified":"true","nickname":"Hana \ud83d""#,
        ),
        _ => event,
    }
}

/// A person, and the person's event.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) table: &'static str,
    pub(crate) event: String,
    /// The row that the person must have, if any.
    pub(crate) row: Option<Value>,
    chance: u64,
}

impl Person {
    /// The person with this number, in a random pool.
    pub(crate) fn any(seed: u64, number: usize) -> Self {
        let word = number.to_string();
        let kind = match below(100, seed, &["kind", &word]) {
            0..5 => Kind::IsThere,
            5..11 => Kind::Resets,
            11..14 => Kind::HasNoEmail,
            14..19 => Kind::IsRefused,
            19..22 => Kind::IsUnknown,
            22..24 => Kind::IsMalformed,
            _ => Kind::SignsUp,
        };
        let one_of_two = usize::from(below(2, seed, &["pool", &word]) == 0);
        let pool = match kind {
            Kind::IsThere | Kind::HasNoEmail => one_of_two,
            Kind::IsRefused => 2 + one_of_two,
            _ => 2 * usize::from(below(2, seed, &["plugin", &word]) == 0) + one_of_two,
        };
        Self::new(seed, kind, pool, number)
    }

    pub(crate) fn new(seed: u64, kind: Kind, pool: usize, number: usize) -> Self {
        let chance = roll(seed, &["person", &number.to_string()]);
        let first = if kind == Kind::IsRefused { 'x' } else { 'u' };
        let name = format!("{first}{number}-{chance:x}");
        let email = format!("{name}@example.com");
        let Pool { id, table, .. } = POOLS[pool];
        let source = match kind {
            Kind::Resets => "PostConfirmation_ConfirmForgotPassword",
            _ => "PostConfirmation_ConfirmSignUp",
        };
        let mut attributes = json!({ "sub": name, "email_verified": "true" });
        if kind != Kind::HasNoEmail {
            attributes["email"] = json!(email);
        }
        let event = json!({
            "version": "1",
            "region": "us-east-1",
            "userPoolId": if kind == Kind::IsUnknown { "us-east-1_Unknown" } else { id },
            "userName": if kind == Kind::IsMalformed { "" } else { &name },
            "callerContext": { "awsSdkVersion": "1", "clientId": format!("client{number}") },
            "triggerSource": source,
            "request": { "userAttributes": attributes },
            "response": {},
        });
        let event = broken(kind, number, event.to_string());
        let row = match (kind, pool) {
            (Kind::SignsUp, 0 | 1) => Some(json!({ "id": { "S": name }, "email": { "S": email } })),
            (Kind::SignsUp, _) => Some(json!({ "id": { "S": name }, "shape": { "S": "one" } })),
            (Kind::IsThere, _) => {
                let email = "before@example.com";
                Some(json!({ "id": { "S": name }, "email": { "S": email } }))
            }
            _ => None,
        };
        Self {
            kind,
            name,
            table,
            event,
            row,
            chance,
        }
    }

    /// The event's digest, as in a dead letter's key.
    pub(crate) fn digest(&self) -> String {
        Sha256::of(self.event.as_bytes()).to_string()
    }

    /// Confirms as Cognito does: after an error, or no answer within 5 s, it retries, up to
    /// three attempts. Sometimes an environment dies during an event, and sometimes an attempt
    /// starts while another one is still running.
    pub(crate) async fn confirm(&self, lambda: &Lambda, rough: bool) -> Vec<Answer> {
        let mut answers = Vec::new();
        for attempt in ["1", "2", "3"] {
            let dies = (rough && self.below(100, &["dies", attempt]) < 2)
                .then(|| Duration::from_millis(self.below(200, &["when", attempt])));
            let twin = (rough && self.below(100, &["twin", attempt]) < 5)
                .then(|| Duration::from_millis(self.below(50, &["gap", attempt])));
            let id = |what| format!("{what}-{attempt}-{}", self.name);
            let first = lambda.invoke(id("first"), self.event.clone(), dies);
            let second = async {
                tokio::time::sleep(twin?).await;
                Some(lambda.invoke(id("twin"), self.event.clone(), None).await)
            };
            let (first, second) = tokio::join!(first, second);
            let answered = matches!(first.end, End::Event(_));
            answers.push(first);
            answers.extend(second);
            if answered {
                break;
            }
        }
        answers
    }

    fn below(&self, sides: u64, words: &[&str]) -> u64 {
        below(sides, self.chance, words)
    }
}
