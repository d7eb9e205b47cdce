//! Valid and invalid events.

use poolhook::event::{MAX_EVENT_BYTES, PostConfirmation};
use poolhook::host::{Outcome, Skip};
use serde_json::{Value, json};

use crate::support::{POOL, TestFolder, event, event_names, failure, handle};

#[test]
fn invalid_events_fail_by_name_and_write_nothing() {
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    let host = folder.host();
    let changed = |change: fn(&mut Value)| {
        let mut event: Value = serde_json::from_slice(&event("confirm-sign-up")).unwrap();
        change(&mut event);
        event.to_string()
    };
    let huge = format!("\"{}\"", "x".repeat(6 * 1024 * 1024));
    let nested = "[".repeat(100_000);
    let cases: &[(&str, &str)] = &[
        ("", "Event.NotJson"),
        ("not json", "Event.NotJson"),
        ("{\"userName\": \"a\"", "Event.NotJson"),
        ("{} {}", "Event.NotJson"),
        ("\u{feff}{}", "Event.NotJson"),
        (&nested, "Event.Malformed"),
        (&huge, "Event.TooLarge"),
        ("[]", "Event.Malformed"),
        ("3", "Event.Malformed"),
        ("null", "Event.Malformed"),
        ("{}", "Event.MissingField"),
        (
            &changed(|event| event["userName"] = Value::Null),
            "Event.MissingField",
        ),
        (
            &changed(|event| event["userName"] = "".into()),
            "Event.MissingField",
        ),
        (
            &changed(|event| event["userName"] = 5.into()),
            "Event.Malformed",
        ),
        (
            &changed(|event| event["triggerSource"] = Value::Null),
            "Event.MissingField",
        ),
        (
            &changed(|event| event["request"] = "text".into()),
            "Event.Malformed",
        ),
        (
            &changed(|event| event["userPoolId"] = "../x".into()),
            "Event.BadUserPoolId",
        ),
        (
            &changed(|event| event["userPoolId"] = "a_b/../c".into()),
            "Event.BadUserPoolId",
        ),
        (
            &changed(|event| event["userPoolId"] = "a_".into()),
            "Event.BadUserPoolId",
        ),
        (
            &changed(|event| event["userPoolId"] = "a_b_c".into()),
            "Event.BadUserPoolId",
        ),
        (
            &changed(|event| event["userPoolId"] = "a_b\0".into()),
            "Event.BadUserPoolId",
        ),
        (
            &changed(|event| event["userPoolId"] = format!("a_{}", "b".repeat(54)).into()),
            "Event.BadUserPoolId",
        ),
        (
            &changed(|event| event["userPoolId"] = "eu-west-1_Nobody".into()),
            "Config.UnknownPool",
        ),
    ];
    for (raw, name) in cases {
        let report = handle(&host, raw.as_bytes());
        let start: String = raw.chars().take(80).collect();
        assert_eq!(failure(&report), *name, "{start}");
        let text = report.outcome.unwrap_err().text();
        assert!(!text.contains("hanako"), "{text}");
    }
    assert!(folder.items("User").is_empty());
    assert_eq!(
        handle(&host, &event("confirm-sign-up")).outcome_name(),
        "written"
    );
    assert_eq!(MAX_EVENT_BYTES, 1_048_576);
}

#[test]
fn variations_of_cognito_and_its_emulators_are_accepted() {
    let event = json!({
        "version": "0",
        "region": "local",
        "userPoolId": POOL,
        "userName": "hanako",
        "triggerSource": "PostConfirmation_ConfirmSignUp",
        "callerContext": { "clientId": null },
        "request": {
            "userAttributes": { "email": "a@example.com", "email_verified": true, "name": null, "n": 1.50 },
        },
        "response": null,
    });
    let event = PostConfirmation::parse(event.to_string().as_bytes()).unwrap();
    assert_eq!(event.client_id, None);
    assert_eq!(event.region, "local");
    let attributes: Vec<_> = event
        .user_attributes
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        attributes,
        [
            ("email", "a@example.com"),
            ("email_verified", "true"),
            ("n", "1.5")
        ]
    );
    assert!(event.client_metadata.is_empty());

    let bare = json!({ "userPoolId": POOL, "userName": "a", "triggerSource": "PostConfirmation_ConfirmSignUp" });
    let event = PostConfirmation::parse(bare.to_string().as_bytes()).unwrap();
    assert_eq!(event.region, "ap-northeast-1");
}

#[test]
fn only_listed_trigger_sources_write() {
    let skipped = Ok(Outcome::Skipped(Skip::TriggerSource));
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    let report = handle(&folder.host(), &event("forgot-password"));
    assert_eq!(report.outcome.map_err(|error| error.name()), skipped);
    let unknown = String::from_utf8(event("confirm-sign-up")).unwrap();
    let unknown = unknown.replace(
        "PostConfirmation_ConfirmSignUp",
        "PostConfirmation_Something",
    );
    let report = handle(&folder.host(), unknown.as_bytes());
    assert_eq!(report.outcome.map_err(|error| error.name()), skipped);
    assert!(folder.items("User").is_empty());

    folder.configure(
        POOL,
        "table = 'User'\ntriggers = ['PostConfirmation_ConfirmForgotPassword']",
    );
    let report = handle(&folder.host(), &event("forgot-password"));
    assert_eq!(report.outcome_name(), "written");
    let report = handle(&folder.host(), &event("confirm-sign-up"));
    assert_eq!(report.outcome.map_err(|error| error.name()), skipped);
}

#[test]
fn the_log_line_contains_no_value_of_the_users() {
    let folder = TestFolder::with_sample_pools();
    let host = folder.host();
    for name in event_names() {
        let raw = event(&name);
        let report = handle(&host, &raw);
        let line = report.log_line("request-1");
        let fields: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(fields["requestId"], "request-1");
        assert_eq!(fields["outcome"], report.outcome_name());
        assert!(fields["micros"]["total"].is_u64(), "{line}");
        let event: Value = serde_json::from_slice(&raw).unwrap();
        assert_eq!(fields["userPoolId"], event["userPoolId"]);
        let mut personal = vec![&event["userName"]];
        personal.extend(
            event["request"]["userAttributes"]
                .as_object()
                .unwrap()
                .values(),
        );
        for value in personal.iter().filter_map(|value| value.as_str()) {
            // "true" and "12" occur in any line.
            assert!(
                value.len() < 5 || !line.contains(value),
                "{value} in {line}"
            );
        }
    }
}
