//! The language against minijinja: where it means the same, it gives the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use minijinja::value::ValueKind;
use minijinja::{Environment, UndefinedBehavior, Value};

use crate::random::Random;
use crate::support::{map, user};

/// What minijinja does not have, or has with another meaning, which the reference says.
const OWN: [&str; 22] = [
    "base64",
    "bool",
    "compact",
    "hash",
    "int",
    "json",
    "number",
    "omitempty",
    "optional",
    "regex_",
    "set",
    "strftime",
    "timestamp",
    "to_datetime",
    "to_uuid",
    "zfill",
    "search(",
    "match(",
    "sort",
    "unique",
    "selectattr",
    "attribute=",
];

#[test]
fn random_expressions() {
    let environment = environment();
    let (mut alike, mut wrong) = (0, Vec::new());
    for seed in 0..100_000 {
        let expression = Random::new(seed).expression(3);
        if OWN.iter().any(|own| expression.contains(own)) {
            continue;
        }
        // A check or a failure of ours has no counterpart: minijinja is laxer.
        let Ok(ours) = map(&format!("({expression}) | optional")) else {
            continue;
        };
        let theirs = environment
            .compile_expression(&expression)
            .and_then(|compiled| compiled.eval(minijinja::context!(user => theirs())))
            .map(|value| json(&value))
            .map_err(|error| error.detail().unwrap_or_default().to_owned());
        match theirs {
            Ok(Some(theirs)) if theirs == ours => alike += 1,
            Ok(None) => {}
            theirs => {
                if !can_miss(&expression) {
                    wrong.push(format!(
                        "{expression}\n  ours   {ours}\n  theirs {theirs:?}"
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of them:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(30)].join("\n")
    );
    assert!(alike > 5000, "{alike} expressions were compared");
}

/// What is missing stays missing through operators and filters here; in minijinja, the result
/// depends on which one it is.
fn can_miss(expression: &str) -> bool {
    let parts = [
        "nickname",
        "client_id",
        "phone_number",
        "locale",
        "first",
        "last",
        "[0]",
        "[-1]",
        "zip",
        "['a']",
        "| select",
        "| reject",
    ];
    parts.iter().any(|part| expression.contains(part))
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment
}

fn theirs() -> Value {
    let user = user();
    let texts = |texts: &[(&str, &str)]| -> Value {
        let texts = texts
            .iter()
            .map(|(name, text)| (name.to_string(), text.to_string()));
        Value::from(texts.collect::<BTreeMap<_, _>>())
    };
    minijinja::context! {
        name => user.name,
        attributes => texts(&user.attributes),
        client_metadata => texts(&user.client_metadata),
        pool_id => user.pool_id,
        region => user.region,
        trigger_source => user.trigger_source,
        time => user.time,
        time_ms => user.time_ms,
    }
}

/// A value of minijinja's as the support code writes ours; `None` if it has no counterpart.
fn json(value: &Value) -> Option<String> {
    Some(match value.kind() {
        ValueKind::Undefined => "left out".to_owned(),
        ValueKind::None => r#"{"NULL":true}"#.to_owned(),
        ValueKind::Bool => format!(r#"{{"BOOL":{}}}"#, value.is_true()),
        ValueKind::Number if value.is_integer() => format!(r#"{{"N":"{value}"}}"#),
        ValueKind::Number => format!(r#"{{"N":"{}"}}"#, f64::try_from(value.clone()).ok()?),
        ValueKind::String => {
            let mut text = String::new();
            for c in value.as_str()?.chars() {
                match c {
                    '"' | '\\' | '\0'..' ' => write!(text, "\\u{:04x}", u32::from(c)).unwrap(),
                    c => text.push(c),
                }
            }
            format!(r#"{{"S":"{text}"}}"#)
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let members = value.try_iter().ok()?.map(|member| json(&member));
            let members = members.collect::<Option<Vec<_>>>()?;
            format!(r#"{{"L":[{}]}}"#, members.join(","))
        }
        ValueKind::Map => {
            let mut entries = Vec::new();
            for key in value.try_iter().ok()? {
                let member = json(&value.get_item(&key).ok()?)?;
                entries.push(format!(r#""{}":{member}"#, key.as_str()?));
            }
            entries.sort();
            format!(r#"{{"M":{{{}}}}}"#, entries.join(","))
        }
        _ => return None,
    })
}
