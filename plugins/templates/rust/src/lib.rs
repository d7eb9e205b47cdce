//! A member: who joined, on which plan, with how many seats, and when the trial
//! ends.

use poolhook_plugin::{Item, Outcome, User, Value, export};
use serde::{Deserialize, Serialize};

export!(to_item);

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

/// The item's `address`: a map.
#[derive(Serialize)]
struct Address<'a> {
    city: &'a str,
    /// NULL if there is none.
    country: Option<&'a str>,
}

fn to_item(user: &User, settings: &Settings) -> Result<Outcome, String> {
    if user.is_true("custom:internal") {
        return Ok(Outcome::skip("the user is internal"));
    }
    // Who signed up by phone has none. An index refuses an empty one.
    let email = user.attribute("email").filter(|email| !email.is_empty());
    let plan = user.attribute("custom:plan").unwrap_or(&settings.plan);
    // In seconds, as DynamoDB's time to live wants it.
    let trial_ends = user.time_ms / 1000 + u64::from(settings.trial_days) * 86_400;
    let item = Item::new()
        .set("id", &user.user_name)
        .set_some("email", email)
        // A sort key for an index: the members of a plan, in the order of joining.
        .set("planJoined", format!("{plan}#{}", user.time))
        .set("seats", user.whole_number("custom:seats", 6)?.unwrap_or(1))
        .set_some("groups", Value::text_set(user.parts("custom:groups", ',')))
        .set_some("address", address(user)?)
        .set("verified", user.is_true("email_verified"))
        .set("trialEnds", trial_ends);
    Ok(Outcome::put(item))
}

fn address(user: &User) -> Result<Option<Value>, String> {
    let country = user.attribute("custom:country");
    let address = user
        .attribute("custom:city")
        .map(|city| Address { city, country });
    address.map(|address| Value::json(&address)).transpose()
}

// They run natively, by `cargo test`.
#[cfg(test)]
mod tests {
    use super::*;
    use poolhook_plugin::map;

    fn hanako() -> User {
        User::for_test("hanako")
    }

    #[test]
    fn who_has_nothing_gets_the_defaults() {
        let expected = Item::new()
            .set("id", "hanako")
            .set("planJoined", "free#2026-11-23T09:06:52.123Z")
            .set("seats", 1)
            .set("verified", false)
            .set("trialEnds", 1_798_016_812_u64);
        let mapped = map(to_item, &hanako(), "{}");
        assert_eq!(mapped, Ok(Outcome::put(expected)));
    }

    #[test]
    fn who_has_all_gets_all() {
        let user = hanako()
            .with_attribute("email", "Hanako@Example.com")
            .with_attribute("email_verified", "true")
            .with_attribute("custom:plan", "pro")
            .with_attribute("custom:seats", "007")
            .with_attribute("custom:groups", "red,,blue,red")
            .with_attribute("custom:city", "Kyoto")
            .with_attribute("custom:country", "JP");
        let expected = Item::new()
            .set("id", "hanako")
            .set("email", "Hanako@Example.com")
            .set("planJoined", "pro#2026-11-23T09:06:52.123Z")
            .set("seats", 7)
            .set("groups", Value::Ss(vec!["red".into(), "blue".into()]))
            .set(
                "address",
                Value::Json(r#"{"city":"Kyoto","country":"JP"}"#.into()),
            )
            .set("verified", true)
            .set("trialEnds", 1_798_016_812_u64);
        let mapped = map(to_item, &user, "{}");
        assert_eq!(mapped, Ok(Outcome::put(expected)));
    }

    #[test]
    fn a_city_may_lie_in_no_country() {
        let user = hanako().with_attribute("custom:city", "Kyoto");
        let mapped = map(to_item, &user, "{}").unwrap();
        let address = Value::Json(r#"{"city":"Kyoto","country":null}"#.into());
        assert_eq!(mapped.get("address"), Some(&address));

        let user = hanako().with_attribute("custom:country", "JP");
        let mapped = map(to_item, &user, "{}").unwrap();
        assert_eq!(mapped.get("address"), None);
    }

    #[test]
    fn an_empty_email_is_none() {
        let user = hanako().with_attribute("email", "");
        let mapped = map(to_item, &user, "{}").unwrap();
        assert_eq!(mapped.get("email"), None);
    }

    #[test]
    fn groups_of_nothing_are_left_out() {
        let user = hanako().with_attribute("custom:groups", ",,");
        let mapped = map(to_item, &user, "{}").unwrap();
        assert_eq!(mapped.get("groups"), None);
    }

    #[test]
    fn internal_users_are_skipped() {
        let user = hanako().with_attribute("custom:internal", "true");
        let skipped = Outcome::skip("the user is internal");
        assert_eq!(map(to_item, &user, "{}"), Ok(skipped));
    }

    #[test]
    fn seats_are_a_whole_number() {
        let user = hanako().with_attribute("custom:seats", "two");
        let error = map(to_item, &user, "{}").unwrap_err();
        assert_eq!(error, "custom:seats is not a whole number: two");
    }

    #[test]
    fn settings() {
        let settings = r#"{"plan": "basic", "trial-days": 0}"#;
        let mapped = map(to_item, &hanako(), settings).unwrap();
        let joined = Value::from("basic#2026-11-23T09:06:52.123Z");
        assert_eq!(mapped.get("planJoined"), Some(&joined));
        let now = Value::number(1_795_424_812_u64);
        assert_eq!(mapped.get("trialEnds"), Some(&now));

        let user = hanako().with_attribute("custom:plan", "gold");
        let mapped = map(to_item, &user, settings).unwrap();
        let joined = Value::from("gold#2026-11-23T09:06:52.123Z");
        assert_eq!(mapped.get("planJoined"), Some(&joined), "the user's own");

        for (settings, says) in [
            (r#"{"paln": "basic"}"#, "settings: unknown field `paln`"),
            (r#"{"trial-days": "30"}"#, "settings: invalid type: string"),
            (r#"{"trial-days": 65536}"#, "settings: invalid value"),
        ] {
            let error = map(to_item, &hanako(), settings).unwrap_err();
            assert!(error.starts_with(says), "{error}");
        }
    }
}
