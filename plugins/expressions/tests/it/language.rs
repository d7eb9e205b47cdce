//! What expressions give.

use poolhook_expressions::filters::FILTERS;
use poolhook_expressions::operators::BINARY;
use poolhook_expressions::tests::TESTS;

use crate::support::map;

/// The examples of the tables, which are those of the reference.
#[test]
fn the_examples_hold() {
    let filters = FILTERS.iter().map(|filter| filter.example);
    let tests = TESTS.iter().map(|test| test.example);
    let operators = BINARY.iter().map(|operator| operator.example);
    hold(filters.chain(tests).chain(operators));
}

#[test]
fn every_type_of_dynamodb() {
    hold([
        ("user.name", r#"{"S":"hanako"}"#),
        (
            "user.pool_id ~ '#' ~ user.name",
            r#"{"S":"eu-west-1_A#hanako"}"#,
        ),
        ("user.client_metadata.campaign", r#"{"S":"spring"}"#),
        ("user['client_metadata']['campaign']", r#"{"S":"spring"}"#),
        ("user.time[:10]", r#"{"S":"2026-11-23"}"#),
        ("user.time_ms // 1000 + 30 * 86400", r#"{"N":"1798016812"}"#),
        ("'-0.10' | number", r#"{"N":"-0.10"}"#),
        (
            "'99999999999999999999999999999999999999' | int",
            r#"{"N":"99999999999999999999999999999999999999"}"#,
        ),
        ("2.0", r#"{"N":"2"}"#),
        ("'v' ~ 2.0", r#"{"S":"v2.0"}"#),
        ("none", r#"{"NULL":true}"#),
        (
            "['1', '2.50'] | map('number') | set",
            r#"{"NS":["1","2.50"]}"#,
        ),
        (
            "['aGk=', 'aG8='] | map('base64') | set",
            r#"{"BS":["aGk=","aG8="]}"#,
        ),
        ("['a'] | set | unique", r#"{"L":[{"S":"a"}]}"#),
        (
            "{'city': 'Köln', 'zip': none}",
            r#"{"M":{"city":{"S":"Köln"},"zip":{"NULL":true}}}"#,
        ),
        (
            "{'tags': user.attributes['custom:tags'] | split(',') | select | set, 'key': 'aGk=' | base64, 'in': [['a'] | set]}",
            r#"{"M":{"in":{"L":[{"SS":["a"]}]},"key":{"B":"aGk="},"tags":{"SS":["b","gold"]}}}"#,
        ),
        (
            "user.attributes.address | json",
            r#"{"M":{"lines":{"L":[{"S":"a"},{"BOOL":true}]},"zip":{"N":"1.50"}}}"#,
        ),
        ("['\"\\n']", r#"{"L":[{"S":"\u0022\u000a"}]}"#),
        ("{'a': 1, 'a': 2}.a", r#"{"N":"2"}"#),
        ("user.attributes | length", r#"{"N":"7"}"#),
        ("'email' in user.attributes", r#"{"BOOL":true}"#),
    ]);
}

#[test]
fn what_is_missing_stays_missing() {
    for expression in [
        "user.attributes.nickname | optional",
        "user.attributes.nickname | lower | trim | optional",
        "user.attributes.nickname | split(',') | set | optional",
        "(user.attributes.nickname | int) | optional",
        "[] | set | optional",
        "('x' if user.name == 'taro') | optional",
        "('NICK#' ~ user.attributes.nickname) | optional",
        "(user.attributes.nickname | int * 2 + 1) | optional",
        "(-(user.attributes.nickname | int)) | optional",
        "user.attributes.nickname[:2] | optional",
        "user.client_id | optional",
        "(user.attributes.identities | json)[7].providerName.x['y'][0] | optional",
        "('a' | json if false).b | optional",
        "[user.attributes.nickname, 'a'] | join(' ') | optional",
        "[user.attributes.nickname, 'a'] | set | optional",
        "[user.attributes.nickname, 'a'] | sort | optional",
        "user.attributes.nickname | omitempty",
        "'' | omitempty",
        "[] | omitempty",
        "{} | omitempty",
        "[] | set | omitempty",
        "'a' | replace('a', user.attributes.nickname) | optional",
    ] {
        assert_eq!(map(expression).as_deref(), Ok("left out"), "{expression}");
    }
    hold([
        (
            "(user.attributes.nickname | json)[0].providerName | default('Cognito')",
            r#"{"S":"Cognito"}"#,
        ),
        (
            "(user.attributes.identities | json)[0].providerName | default('Cognito')",
            r#"{"S":"Google"}"#,
        ),
        ("user.attributes.nickname == 'x'", r#"{"BOOL":false}"#),
        ("user.attributes.nickname != 'x'", r#"{"BOOL":true}"#),
        ("'x' in user.attributes.nickname", r#"{"BOOL":false}"#),
        ("user.attributes.nickname in ['x']", r#"{"BOOL":false}"#),
        (
            "user.attributes.nickname is startingwith('x')",
            r#"{"BOOL":false}"#,
        ),
        ("user.attributes.nickname is none", r#"{"BOOL":false}"#),
        ("'a' if user.attributes.nickname else 'b'", r#"{"S":"b"}"#),
        ("user.attributes.nickname or user.name", r#"{"S":"hanako"}"#),
        ("'' | default('x', true)", r#"{"S":"x"}"#),
        ("0 | omitempty", r#"{"N":"0"}"#),
        ("false | omitempty", r#"{"BOOL":false}"#),
        (
            "[user.attributes.nickname, 'a'] | select | join(' ')",
            r#"{"S":"a"}"#,
        ),
        (
            "[user.attributes.nickname, 'a'] | select('defined') | join(' ')",
            r#"{"S":"a"}"#,
        ),
        (
            "[user.attributes.nickname, 'a'] | compact | join(' ')",
            r#"{"S":"a"}"#,
        ),
        ("{'a': user.attributes.nickname} | compact", r#"{"M":{}}"#),
    ]);
    for expression in [
        "user.attributes.nickname",
        "user.attributes.nickname | lower",
        "'a' ~ user.attributes.nickname",
        "user.attributes.nickname.x | json",
        "user.client_id",
        "1 < (user.attributes.nickname | int)",
    ] {
        let found = map(expression).unwrap_err();
        let words = ["missing", "text", "there is nothing"];
        let says = words.iter().any(|word| found.contains(word));
        assert!(says, "{expression}: {found}");
    }
    let found = map("[user.attributes.nickname]").unwrap_err();
    assert!(
        found.contains("something in it is missing; `| compact`"),
        "{found}"
    );
}

#[test]
fn what_cannot_be_made_is_an_error_that_says_what_it_is() {
    for (expression, error) in [
        (
            "user.name | int",
            "at character 13: `hanako` is not a whole number",
        ),
        ("'1.5' | int", "at character 9: `1.5` is not a whole number"),
        ("'+1' | int", "at character 8: `+1` is not a whole number"),
        ("'nan' | number", "at character 9: `nan` is not a number"),
        ("'1e' | number", "at character 8: `1e` is not a number"),
        (
            "'yes' | bool",
            "at character 9: `yes` is not `true` or `false`",
        ),
        ("'{' | json", "at character 7: `{` is not a JSON document"),
        (
            "'[1] x' | json",
            "at character 11: `[1] x` is not a JSON document",
        ),
        ("'?' | base64", "at character 7: `?` is not base64"),
        ("('[1]' | json) | set | length + 'x' | length", ""),
        (
            "('[1, \"a\"]' | json) | set",
            "`set` takes a list whose members are of one kind; it has a number and text",
        ),
        (
            "('[1, \"a\"]' | json) | sort",
            "`sort` takes a list whose members are of one kind",
        ),
        (
            "('5' | json) | lower",
            "at character 16: `lower` takes text, and `5` is a number",
        ),
        (
            "('[]' | json) | lower",
            "at character 17: `lower` takes text, not a list",
        ),
        (
            "('5' | json) ~ ('[]' | json)",
            "at character 1: `~` takes text, a number or a boolean, not a list",
        ),
        ("1 // 0", "at character 1: `1` // 0 has no result"),
        ("1 / 0", "at character 1: `1` / 0 has no result"),
        ("1 % (1 - 1)", "at character 1: `1` % 0 has no result"),
        ("0 ** -1", "at character 1: 0 ** `-1` has no result"),
        ("2 ** 200", "at character 1: `2` ** `200` is too large"),
        (
            "'abc'[::0]",
            "at character 1: a slice cannot have steps of 0",
        ),
        ("1e308 * 10", "inf is not a number that DynamoDB has"),
        ("'x' | zfill(9999)", "`width` must be from 0 to 1024"),
        ("1.5 | round(99)", "`precision` must be from 0 to 30"),
        (
            "1.5 | round(1, 'up')",
            "`method` must be 'common', 'ceil' or 'floor'",
        ),
        (
            "'x' | timestamp",
            "`x` is not a time such as `2026-11-23T09:06:52Z`",
        ),
        ("'2026-02-30' | timestamp", "`2026-02-30` is not a time"),
        (
            "'1' | to_datetime('%Y')",
            "`1` is not a time in the format `%Y`",
        ),
        ("'ab' | regex_search('a', 1)", "the pattern has no group 1"),
        (
            "'ab' | regex_search('a', 'x')",
            "the pattern has no group `x`",
        ),
    ] {
        match map(expression) {
            Err(found) => assert!(
                !error.is_empty() && found.contains(error),
                "{expression}: {found}"
            ),
            Ok(found) => assert!(error.is_empty(), "{expression}: {found}"),
        }
    }
    let long = format!("'{}' | int", "ü".repeat(1000));
    assert!(map(&long).unwrap_err().len() < 200);
}

/// The type of a member is not only the list's, if the value can be a text as well.
#[test]
fn a_value_of_two_kinds_has_members_of_both() {
    let found = map("(('abc' if user.name else [1]) | first) * 2").unwrap_err();
    assert!(
        found.contains("can be text, and `*` takes a number"),
        "{found}"
    );
}

#[test]
fn times_are_read_and_written() {
    hold([
        (
            "user.time | strftime('%d.%m.%y %j %u %w')",
            r#"{"S":"23.11.26 327 1 1"}"#,
        ),
        (
            "user.time | strftime('%A %a %B %b %%')",
            r#"{"S":"Monday Mon November Nov %"}"#,
        ),
        (
            "user.time | strftime('%FT%T.%f%z', tz='-03:30')",
            r#"{"S":"2026-11-23T05:36:52.123-0330"}"#,
        ),
        ("user.time | timestamp", r#"{"N":"1795424812"}"#),
        ("user.time | timestamp(-1)", r#"{"N":"1795338412"}"#),
        ("'1990-02-28' | timestamp", r#"{"N":"636163200"}"#),
        ("'1969-12-31T23:59:59Z' | timestamp", r#"{"N":"-1"}"#),
        (
            "'2026-11-23T18:06:52+09:00' | to_datetime",
            r#"{"S":"2026-11-23T09:06:52.000Z"}"#,
        ),
        (
            "1795424812 | to_datetime",
            r#"{"S":"2026-11-23T09:06:52.000Z"}"#,
        ),
        (
            "1795424812.5 | to_datetime",
            r#"{"S":"2026-11-23T09:06:52.500Z"}"#,
        ),
        (
            "'3 Mar 2026, 7:05' | to_datetime('%d %b %Y, %H:%M')",
            r#"{"S":"2026-03-03T07:05:00.000Z"}"#,
        ),
        (
            "'2026-06-30T23:59:60Z' | to_datetime",
            r#"{"S":"2026-06-30T23:59:59.000Z"}"#,
        ),
        (
            "'0099-01-01' | to_datetime | strftime('%Y')",
            r#"{"S":"0099"}"#,
        ),
    ]);
}

#[test]
fn patterns_are_found_and_replaced() {
    hold([
        ("'a1b22' | regex_replace('[0-9]+', '#')", r#"{"S":"a#b#"}"#),
        (
            "'hanako yamada' | regex_replace('(\\\\w+) (?P<last>\\\\w+)', '${last}, $1')",
            r#"{"S":"yamada, hanako"}"#,
        ),
        ("'hanako' | regex_search('an')", r#"{"S":"an"}"#),
        (
            "'k=v' | regex_search('(?P<key>[a-z])=', 'key')",
            r#"{"S":"k"}"#,
        ),
        (
            "'x' | regex_search('y') | default('none')",
            r#"{"S":"none"}"#,
        ),
        ("'hanako' is match('an')", r#"{"BOOL":false}"#),
        ("'hanako' is search('an')", r#"{"BOOL":true}"#),
    ]);
}

/// Each expression gives the value.
fn hold<'e>(expected: impl IntoIterator<Item = (&'e str, &'e str)>) {
    let mut wrong = Vec::new();
    for (expression, expected) in expected {
        let found = map(expression);
        if found.as_deref() != Ok(expected) {
            wrong.push(format!(
                "{expression}\n  expected {expected}\n  found    {found:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
