//! What all tests use.

use poolhook_expressions::compiler::{Mapping, Mistake, compile};
use poolhook_expressions::{Outcome, User, evaluate};

/// The result of one expression: a value in DynamoDB's JSON, `left out`, or an error.
pub(crate) fn map(expression: &str) -> Result<String, String> {
    map_of(expression, &user())
}

pub(crate) fn map_of(expression: &str, user: &User<'_>) -> Result<String, String> {
    let mapping = Mapping {
        item: [("x".to_owned(), expression.to_owned())].into(),
        ..Mapping::default()
    };
    let compiled = compile(&mapping).map_err(|mistakes| first(expression, &mistakes))?;
    match evaluate(&compiled.program, user) {
        Ok(Outcome::Put(item)) => match &item[..] {
            [] => Ok("left out".to_owned()),
            [(_, value)] => {
                let mut json = String::new();
                value.write_json(&mut json).map(|()| json)
            }
            _ => panic!("one attribute"),
        },
        Ok(Outcome::Skip(reason)) => panic!("{reason}"),
        Err(failure) => Err(failure.to_string()),
    }
}

/// The first mistake: its position as a character, its text, and the help.
pub(crate) fn first(expression: &str, mistakes: &[Mistake]) -> String {
    let Mistake {
        span, text, help, ..
    } = &mistakes[0];
    let at = span.as_ref().map_or_else(String::new, |span| {
        format!("at {}: ", expression[..span.start].chars().count() + 1)
    });
    let help = help
        .as_ref()
        .map_or_else(String::new, |help| format!("; {help}"));
    format!("{at}{text}{help}")
}

pub(crate) fn user() -> User<'static> {
    User {
        name: "hanako",
        attributes: vec![
            ("address", r#"{"zip": 1.50, "lines": ["a", true]}"#),
            ("custom:seats", "12"),
            ("custom:tags", "b,gold,,b"),
            ("email", "Hanako@Example.com"),
            ("email_verified", "true"),
            (
                "identities",
                r#"[{"userId":"1234","providerName":"Google","providerType":"Google","primary":true,"dateCreated":1600000000000}]"#,
            ),
            ("sub", "0f3d5f0e-8f5c-4b55-9c1c-2c0a3a4c7e11"),
        ],
        client_metadata: vec![("campaign", "spring")],
        client_id: None,
        pool_id: "eu-west-1_A",
        region: "eu-west-1",
        trigger_source: "PostConfirmation_ConfirmSignUp",
        time: "2026-11-23T09:06:52.123Z",
        time_ms: 1_795_424_812_123,
    }
}
