//! A member: who joined, on which plan, and when the trial ends.

use exports::poolhook::mapper::mapping::{Guest, Outcome, User};
use poolhook::mapper::types::{Field, Value};
use serde::Deserialize;

wit_bindgen::generate!({
    path: "../../wit",
    world: "mapper",
    // For the tests.
    additional_derives: [PartialEq],
});

struct Mapper;

export!(Mapper);

impl Guest for Mapper {
    fn to_item(user: User, settings: String) -> Result<Outcome, String> {
        let settings: Settings =
            serde_json::from_str(&settings).map_err(|error| format!("settings: {error}"))?;
        Ok(Outcome::Put(item(&user, &settings)))
    }
}

/// The pool's `[settings]`. A pool may have none, so each key has a default.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The plan of a user without `custom:plan`.
    plan: String,
    /// How long the trial is.
    trial_days: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            plan: "free".into(),
            trial_days: 30,
        }
    }
}

fn item(user: &User, settings: &Settings) -> Vec<Field> {
    // In seconds, as DynamoDB's time to live wants it.
    let trial_ends = user.time_ms / 1000 + u64::from(settings.trial_days) * 86_400;
    let plan = attribute(user, "custom:plan").unwrap_or(&settings.plan);
    let mut item = vec![
        field("id", Value::S(user.user_name.clone())),
        field("plan", Value::S(plan.into())),
        field("joined", Value::S(user.time.clone())),
        field("trialEnds", Value::N(trial_ends.to_string())),
    ];
    // Who signed up by phone has none.
    if let Some(email) = attribute(user, "email") {
        item.push(field("email", Value::S(email.to_lowercase())));
    }
    item
}

fn attribute<'a>(user: &'a User, name: &str) -> Option<&'a str> {
    let found = user.user_attributes.iter().find(|a| a.name == name)?;
    Some(&found.value)
}

fn field(name: &str, value: Value) -> Field {
    Field {
        name: name.into(),
        value,
    }
}

// They run natively, by `cargo test`. `log` is the host's alone: it panics here.
#[cfg(test)]
mod tests {
    use super::*;
    use poolhook::mapper::types::Attribute;

    #[test]
    fn without_settings() {
        let expected = vec![
            field("id", Value::S("hanako".into())),
            field("plan", Value::S("free".into())),
            field("joined", Value::S("2026-11-23T09:06:52.123Z".into())),
            field("trialEnds", Value::N("1798016812".into())),
            field("email", Value::S("hanako@example.com".into())),
        ];
        let user = user(&[("email", "Hanako@Example.com")]);
        assert_eq!(
            Mapper::to_item(user, "{}".into()),
            Ok(Outcome::Put(expected))
        );
    }

    #[test]
    fn the_users_plan_comes_before_the_settings() {
        let settings = r#"{"plan": "basic", "trial-days": 0}"#;
        let basic = mapped(user(&[]), settings);
        assert!(basic.contains(&field("plan", Value::S("basic".into()))));
        assert!(basic.contains(&field("trialEnds", Value::N("1795424812".into()))));
        let gold = mapped(user(&[("custom:plan", "gold")]), settings);
        assert!(gold.contains(&field("plan", Value::S("gold".into()))));
    }

    #[test]
    fn an_unknown_setting_is_an_error() {
        let error = Mapper::to_item(user(&[]), r#"{"paln": "basic"}"#.into()).unwrap_err();
        assert!(
            error.starts_with("settings: unknown field `paln`"),
            "{error}"
        );
    }

    fn mapped(user: User, settings: &str) -> Vec<Field> {
        match Mapper::to_item(user, settings.into()) {
            Ok(Outcome::Put(item)) => item,
            other => panic!("{other:?}"),
        }
    }

    fn user(attributes: &[(&str, &str)]) -> User {
        let attribute = |&(name, value): &(&str, &str)| Attribute {
            name: name.into(),
            value: value.into(),
        };
        User {
            user_pool_id: "ap-northeast-1_Q7mE2xYbA".into(),
            region: "ap-northeast-1".into(),
            client_id: None,
            user_name: "hanako".into(),
            trigger_source: "PostConfirmation_ConfirmSignUp".into(),
            user_attributes: attributes.iter().map(attribute).collect(),
            client_metadata: Vec::new(),
            time: "2026-11-23T09:06:52.123Z".into(),
            time_ms: 1_795_424_812_123,
        }
    }
}
