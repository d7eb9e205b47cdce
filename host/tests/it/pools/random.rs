//! Random user pools: states that Cognito could show, over all documented fields and some that
//! are not documented.

mod settings;
mod strange;

use arbitrary::Unstructured;
use serde_json::{Value, json};

use super::server::pool::Pool;
use super::server::{ACCOUNT, REGION};
use crate::random::noise;

pub(super) use strange::Strange;

/// A field that no rule of ours names; the commands are told to carry it.
pub(super) const CARRIED: &str = "FutureConfiguration";
/// A field that no rule of ours names, and no option carries.
pub(super) const UNKNOWN: &str = "NewConfiguration";

/// A random pool.
pub(super) struct Random {
    pub(super) id: String,
    pub(super) pool: Pool,
    /// Why no update leaves the pool as it is.
    pub(super) strange: Option<Strange>,
}

impl Random {
    /// The pool with this number; one in six cannot be updated exactly.
    pub(super) fn new(seed: u64, number: u64) -> Self {
        let noise = noise(seed, number);
        let mut dice = Dice(Unstructured::new(&noise));
        let id = format!("{REGION}_Random{number:05}");
        let mut pool = settings::pool(&id, &mut dice);
        let strange = (number % 6 == 5).then(|| Strange::all()[dice.below(Strange::all().len())]);
        if let Some(strange) = strange {
            strange.make(&mut pool);
        }
        Self { id, pool, strange }
    }
}

/// Random choices. When the noise ends, each is the first.
struct Dice<'a>(Unstructured<'a>);

impl Dice<'_> {
    fn below(&mut self, sides: usize) -> usize {
        self.0.choose_index(sides).unwrap_or_default()
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 1
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Some of the choices, in their order.
    fn some<T: Copy>(&mut self, choices: &[T]) -> Vec<T> {
        let choices = choices.iter().copied();
        choices
            .filter(|_| self.0.arbitrary().unwrap_or(false))
            .collect()
    }

    /// A text with what JSON escapes and what it does not.
    fn text(&mut self) -> String {
        const PARTS: [&str; 12] = [
            "Your code is {####}",
            "",
            " ",
            "<a href=\"https://example.com/?a=1&b=2\">{##Verify##}</a>",
            "確認コード",
            "\\",
            "\"",
            "\n\t",
            "🦀",
            "\u{7f}\u{85}\u{2028}",
            "é",
            "/",
        ];
        let length = 1 + self.below(4);
        let parts: String = (0..length).map(|_| self.pick(&PARTS)).collect();
        // Cognito has no empty texts.
        format!("x{parts}")
    }

    fn arn(&mut self, service: &str, resource: &str) -> String {
        let name = self.below(1000);
        format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}-{name}")
    }

    /// Any JSON but null, as a field that is new to everybody may have.
    fn anything(&mut self, depth: usize) -> Value {
        let kinds = if depth == 0 { 4 } else { 6 };
        match self.below(kinds) {
            0 => self.text().into(),
            1 => self.number(),
            2 => self.pick(&[true, false]).into(),
            3 => self.pick(&["", "ENABLED", "1"]).into(),
            4 => (0..self.below(4))
                .map(|_| self.anything(depth - 1))
                .collect(),
            _ => {
                let members = (0..self.below(4)).map(|member| {
                    let name = self.pick(&["Mode", "mode", "Größe", "a.b", "Enabled", ""]);
                    (format!("{name}{member}"), self.anything(depth - 1))
                });
                Value::Object(members.collect())
            }
        }
    }

    /// Numbers that a program could round or write in another way.
    fn number(&mut self) -> Value {
        const NUMBERS: [&str; 8] = [
            "0",
            "-1",
            "1.0",
            "1.10",
            "1E3",
            "18446744073709551617",
            "0.1000000000000000055511151231257827",
            "-0",
        ];
        serde_json::from_str(self.pick(&NUMBERS)).unwrap()
    }

    /// With a chance, adds a member that is not documented.
    fn new_member(&mut self, object: &mut Value) {
        if self.chance(5) {
            let name = self.pick(&["NewMember", "futureMode", "Neu"]);
            object[name] = self.anything(2);
        }
    }
}

/// An object of these members, without those that are `None`.
fn object(members: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Value {
    let mut object = json!({});
    for (name, value) in members {
        if let Some(value) = value {
            object[name] = value;
        }
    }
    object
}
