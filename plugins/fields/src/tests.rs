//! Natively: what expressions give, and what they are told.

use crate::Fields;
use crate::exports::poolhook::mapper::mapping::{Guest, Outcome, User};
use crate::poolhook::mapper::types::{Attribute, Value};

#[test]
fn every_type_of_dynamodb() {
    let text = |text: &str| Value::S(text.into());
    let number = |text: &str| Value::N(text.into());
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    let json = |document: &str| Value::Json(document.into());
    for (expression, expected) in [
        ("user.name", text("hanako")),
        ("user.pool_id ~ '#' ~ user.name", text("eu-west-1_A#hanako")),
        ("user.attributes.email | lower", text("hanako@example.com")),
        (
            "user.attributes['custom:plan'] | default('free')",
            text("free"),
        ),
        ("user.client_metadata.campaign", text("spring")),
        ("user.time[:10]", text("2026-11-23")),
        ("user.attributes['custom:seats'] | int", number("12")),
        ("user.time_ms // 1000 + 30 * 86400", number("1798016812")),
        ("'-0.10' | number", number("-0.10")),
        ("0.5 + 1", number("1.5")),
        (
            "'99999999999999999999999999999999999999' | int",
            number(&"9".repeat(38)),
        ),
        (
            "user.attributes.email_verified | bool",
            Value::Boolean(true),
        ),
        ("user.name is startingwith('han')", Value::Boolean(true)),
        (
            "'gold' in user.attributes['custom:tags']",
            Value::Boolean(true),
        ),
        ("none", Value::Null),
        ("'aGk=' | base64", Value::B(b"hi".to_vec())),
        (
            "user.attributes['custom:tags'] | split(',') | select | set",
            Value::Ss(texts(&["b", "gold"])),
        ),
        (
            "['1', '2.50'] | map('number') | set",
            Value::Ns(texts(&["1", "2.50"])),
        ),
        (
            "['aGk=', 'aG8='] | map('base64') | set",
            Value::Bs(vec![b"hi".to_vec(), b"ho".to_vec()]),
        ),
        (
            "user.attributes['custom:tags'] | split(',')",
            json(r#"["b","gold","","b"]"#),
        ),
        (
            "{'city': 'Köln', 'zip': none, 'far': user.attributes.x | optional}",
            json(r#"{"city":"Köln","zip":null}"#),
        ),
        (
            "user.attributes.address | json",
            json(r#"{"zip":1.50,"lines":["a",true]}"#),
        ),
    ] {
        let mapped = map(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
        match (mapped, expected) {
            // A map's names have no order.
            (Some(Value::Json(got)), Value::Json(expected)) => {
                let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
                assert_eq!(read(&got), read(&expected), "{expression}");
                assert!(
                    !expression.contains("address") || got.contains("1.50"),
                    "{got}"
                );
            }
            (got, expected) => assert_eq!(got, Some(expected), "{expression}"),
        }
    }
}

#[test]
fn what_is_not_there_is_left_out_or_an_error() {
    for expression in [
        "user.attributes.nickname | optional",
        "user.attributes.nickname | lower | trim | optional",
        "user.attributes.nickname | split(',') | set | optional",
        "(user.attributes.nickname | int) | optional",
        "[] | set | optional",
        "('x' if user.name == 'taro') | optional",
    ] {
        assert_eq!(map(expression), Ok(None), "{expression}");
    }
    for (expression, error) in [
        (
            "user.attributes.nickname",
            "item.x: there is nothing (this user",
        ),
        (
            "user.attributes.nickname | lower",
            "item.x: there is nothing (this user",
        ),
        (
            "'a' ~ user.attributes.nickname",
            "item.x: at character 1: `'a' ~ user.attributes.nickname` takes something that",
        ),
        (
            "user.attributes.nickname.x",
            "item.x: at character 16: `.nickname.x` takes something",
        ),
        ("user.client_id", "item.x: there is nothing"),
    ] {
        let found = map(expression).unwrap_err();
        assert!(found.starts_with(error), "{expression}: {found}");
        assert!(found.contains("| optional"), "{expression}: {found}");
    }
}

#[test]
fn what_cannot_be_made_is_an_error_that_says_what_it_is() {
    for (expression, error) in [
        (
            "user.name | int",
            "item.x: at character 13: `hanako` is not a whole number",
        ),
        (
            "'1.5' | int",
            "item.x: at character 9: `1.5` is not a whole number",
        ),
        (
            "'nan' | number",
            "item.x: at character 9: `nan` is not a number",
        ),
        (
            "'yes' | bool",
            "item.x: at character 9: `yes` is not `true` or `false`",
        ),
        (
            "'{' | json",
            "item.x: at character 7: `{` is not a JSON document",
        ),
        ("'?' | base64", "item.x: at character 7: `?` is not base64"),
        (
            "user.name | set",
            "item.x: at character 13: `hanako` is not a list; `split(',')` makes one",
        ),
        (
            "['a', 1] | set",
            "item.x: the members of a set are all texts",
        ),
        (
            "[['a'] | set]",
            "item.x: a set, or bytes, cannot stand in a list or a map",
        ),
        ("{1: 2}", "item.x: a map's names are texts, and `1` is none"),
        (
            "1 // 0",
            "item.x: at character 1: unable to calculate 1 // 0",
        ),
        ("1e308 * 10", "item.x: inf is no number"),
    ] {
        let found = map(expression).unwrap_err();
        assert!(found.starts_with(error), "{expression}: {found}");
    }
    let long = format!("'{}' | int", "ü".repeat(1000));
    assert!(map(&long).unwrap_err().len() < 200);
}

#[test]
fn wrong_expressions_are_errors_for_every_user() {
    for (expression, error) in [
        (
            "user.nam",
            "at character 1: unknown field `user.nam`; there are: user.name, user.attr",
        ),
        (
            "'ü' ~ user['nam']",
            "at character 7: unknown field `user.nam`",
        ),
        ("usr.name", "at character 1: unknown name `usr`"),
        (
            "user.name | lowr",
            "at character 13: unknown filter `lowr`; there are: base64, bool,",
        ),
        (
            "user.name if false else (1 | nope)",
            "at character 30: unknown filter `nope`",
        ),
        (
            "[1] | map('nope')",
            "at character 11: unknown filter `nope`",
        ),
        (
            "[1] | select('nope')",
            "at character 14: unknown test `nope`; there are: defined,",
        ),
        ("user.name is odd", "at character 14: unknown test `odd`"),
        (
            "now()",
            "at character 1: unknown function `now`: a value goes through filters",
        ),
        (
            "user.name.upper()",
            "at character 10: unknown function `upper`",
        ),
        (
            "user.name | default('a'",
            "at character 21: unexpected end of input",
        ),
        (
            "{{ user.name }}",
            "at character 14: unexpected `}`, expected `:`; an expression has no braces around it: write `user.name`",
        ),
        (
            "user.attributes.custom:seats | int",
            "at character 23: unexpected input after expression; a name with a colon has brackets: write `user.attributes['custom:seats']`",
        ),
        (
            "user.x = 1",
            "at character 8: unexpected input after expression",
        ),
        (
            "",
            "at character 1: unexpected end of input, expected expression",
        ),
        (
            &"(".repeat(25),
            "at character 25: more than 24 brackets are open",
        ),
        (
            &"'x'".repeat(667),
            "it has 2001 characters; an expression has at most 2000",
        ),
    ] {
        let found = map(expression).unwrap_err();
        let expected = format!("settings.item.x: {error}");
        assert!(found.starts_with(&expected), "{expression}: {found}");
    }
    let all = r#"{"item": {"a b": "x", "c.\"d": "user.nam ~ y"}, "skip-when": "1 +"}"#;
    let found = Fields::to_item(user(), all.into()).unwrap_err();
    let keys: Vec<_> = found
        .lines()
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    let quoted = [r#"settings.item."a b""#, r#"settings.item."c.\"d""#];
    let expected = [quoted[0], quoted[1], quoted[1], "settings.skip-when"];
    assert_eq!(keys, expected, "{found}");
}

#[test]
fn wrong_settings_are_errors() {
    for (settings, error) in [
        ("{}", "settings: missing field `item`"),
        (
            r#"{"item": {"id": 1}}"#,
            "settings.item.id: must be an expression in quotes, such as \"user.name\", and is 1",
        ),
        (
            r#"{"item": {}, "itme": {}}"#,
            "settings: unknown field `itme`",
        ),
        (
            r#"{"item": {}, "skip-when": "1"}"#,
            "skip-when: it is `1`; it must be true, false, or a reason's text",
        ),
    ] {
        let found = Fields::to_item(user(), settings.into()).unwrap_err();
        assert!(found.starts_with(error), "{settings}: {found}");
        assert!(!found.contains(" line "), "{found}");
    }
}

#[test]
fn skip_when_it_is_true() {
    let map = |condition: &str| {
        let settings = serde_json::json!({ "item": {}, "skip-when": condition });
        Fields::to_item(user(), settings.to_string()).unwrap()
    };
    let skipped = Outcome::Skip("`skip-when` is true".into());
    assert_eq!(map("user.attributes.email is endingwith('.com')"), skipped);
    assert_eq!(map("'x' in user.attributes.email and true"), skipped);
    let reason = Outcome::Skip("no Hanako".into());
    assert_eq!(
        map("'no Hanako' if user.name == 'hanako' else false"),
        reason
    );
    assert_eq!(
        map("user.attributes.nickname is defined"),
        Outcome::Put(Vec::new())
    );
}

/// The value of the attribute `x`; none if it is left out.
fn map(expression: &str) -> Result<Option<Value>, String> {
    let settings = serde_json::json!({ "item": { "x": expression }, "examples": [{}] });
    match Fields::to_item(user(), settings.to_string())? {
        Outcome::Put(mut item) => {
            assert!(item.iter().all(|field| field.name == "x"));
            Ok(item.pop().map(|field| field.value))
        }
        Outcome::Skip(reason) => panic!("{reason}"),
    }
}

fn user() -> User {
    let texts = |texts: &[(&str, &str)]| {
        let text = |&(name, value): &(&str, &str)| Attribute {
            name: name.into(),
            value: value.into(),
        };
        texts.iter().map(text).collect()
    };
    User {
        user_pool_id: "eu-west-1_A".into(),
        region: "eu-west-1".into(),
        client_id: None,
        user_name: "hanako".into(),
        trigger_source: "PostConfirmation_ConfirmSignUp".into(),
        user_attributes: texts(&[
            ("address", r#"{"zip": 1.50, "lines": ["a", true]}"#),
            ("custom:seats", "12"),
            ("custom:tags", "b,gold,,b"),
            ("email", "Hanako@Example.com"),
            ("email_verified", "true"),
        ]),
        client_metadata: texts(&[("campaign", "spring")]),
        time: "2026-11-23T09:06:52.123Z".into(),
        time_ms: 1_795_424_812_123,
    }
}
