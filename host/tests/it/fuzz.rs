//! Random input for what reads hostile bytes: events, answers, components, keys.
//!
//! Each target runs for `POOLHOOK_FUZZ_SECONDS`, with the seeds 1, 2, 3 and so on; a failure
//! names its seed, and `POOLHOOK_SEED` begins with it. What was found is a case in
//! `host/tests/fuzz`, which runs first.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use arbitrary::{Arbitrary as _, Result, Unstructured};
use poolhook::config::{Defaults, KeyTemplate, PoolConfig, PublishLimits, Settings, shared_rows};
use poolhook::event::{PostConfirmation, UserPoolId};
use poolhook::item::{AttributeValue, Item, MAX_DEPTH, MAX_ITEM_BYTES};
use poolhook::publish::{Checker, NotAccepted};
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::random::{from_env, noise};
use crate::support::{OTHER_POOL, POOL, block_on, event, event_names, files, tests};

fn fuzz(target: impl FnMut(&mut Unstructured<'_>) -> Result<()>) {
    let time = Duration::from_secs(from_env("POOLHOOK_FUZZ_SECONDS", 2));
    fuzz_for(time, target);
}

/// Calls `target` with one seed's random choices after another.
fn fuzz_for(time: Duration, mut target: impl FnMut(&mut Unstructured<'_>) -> Result<()>) {
    let (began, first) = (Instant::now(), from_env("POOLHOOK_SEED", 1));
    let mut seed = first;
    while began.elapsed() < time {
        let bytes = noise(seed, 0);
        let once = AssertUnwindSafe(|| target(&mut Unstructured::new(&bytes)));
        match catch_unwind(once) {
            // The choices used up all bytes: the next seed has others.
            Ok(Ok(()) | Err(_)) => seed += 1,
            Err(panic) => {
                eprintln!("POOLHOOK_SEED={seed}");
                resume_unwind(panic);
            }
        }
    }
    eprintln!("{} inputs", seed - first);
    assert!(seed > first, "no input was tried");
}

/// The cases in `host/tests/fuzz` with this extension.
fn found(extension: &str) -> Vec<Vec<u8>> {
    let files = files("fuzz", extension);
    let path = |file: &String| tests(&format!("fuzz/{file}.{extension}"));
    files
        .iter()
        .map(|file| fs::read(path(file)).unwrap())
        .collect()
}

/// Changes some bytes: one to another, a part removed, doubled, or moved.
fn mutate(dice: &mut Unstructured<'_>, bytes: &mut Vec<u8>) -> Result<()> {
    for _ in 0..dice.int_in_range(1..=8)? {
        if bytes.is_empty() {
            return Ok(());
        }
        let at = dice.choose_index(bytes.len())?;
        let end = at + dice.int_in_range(0..=(bytes.len() - at).min(64))?;
        match dice.int_in_range(0..=4)? {
            0 => bytes[at] = u8::arbitrary(dice)?,
            1 => bytes[at] ^= 1 << dice.int_in_range(0..=7)?,
            2 => drop(bytes.drain(at..end)),
            3 => {
                let part = bytes[at..end].to_vec();
                let to = dice.choose_index(bytes.len())?;
                bytes.splice(to..to, part);
            }
            _ => {
                let word = *dice.choose(&WORDS)?;
                bytes.splice(at..end, word.bytes());
            }
        }
    }
    Ok(())
}

const WORDS: [&str; 16] = [
    "null",
    "{}",
    "[]",
    "\"\"",
    "1e999",
    "-0",
    "\\ud83d",
    "\\u0000",
    "\u{202e}",
    "\u{0}",
    "$serde_json::private::Number",
    "userName",
    "{userName}",
    "[[[[[[[[",
    "true",
    "\u{feff}",
];

#[test]
fn events() {
    let names = event_names();
    let corpus: Vec<_> = names.iter().map(|name| event(name)).collect();
    let read = |raw: &[u8]| {
        let Ok(event) = PostConfirmation::parse(raw) else {
            return;
        };
        assert!(!event.user_name.is_empty());
        let texts = event
            .user_attributes
            .values()
            .chain(event.client_metadata.values());
        let bytes: usize = texts.map(String::len).sum();
        assert!(bytes <= 3 * raw.len(), "an event cannot grow");
        for template in ["{userName}", "a{userPoolId}#{userName}z"] {
            let template = KeyTemplate::try_from(template.to_owned()).unwrap();
            let key = template.expand(&event);
            assert!(template.could_make(&key, &event.user_pool_id), "{key}");
        }
    };
    for raw in found("event") {
        read(&raw);
    }
    fuzz(|dice| {
        let mut raw = dice.choose(&corpus)?.clone();
        mutate(dice, &mut raw)?;
        read(&raw);
        Ok(())
    });
}

#[test]
fn configs() {
    let corpus: Vec<_> = files("config", "toml")
        .iter()
        .map(|file| fs::read(tests(&format!("config/{file}.toml"))).unwrap())
        .collect();
    let pool = UserPoolId::parse(POOL).unwrap();
    let read = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        match PoolConfig::parse(&pool, &Defaults::default(), "f", &text) {
            Ok(config) => {
                let settings = config.settings.as_json();
                serde_json::from_str::<IgnoredAny>(settings).unwrap();
            }
            Err(error) => {
                let text = error.to_string();
                assert!(
                    !text.contains(|c: char| c.is_control() && c != '\n'),
                    "{text:?}"
                );
                assert!(text.len() < 100_000, "{} bytes", text.len());
            }
        }
    };
    for bytes in found("toml") {
        read(&bytes);
    }
    fuzz(|dice| {
        let mut text = dice.choose(&corpus)?.clone();
        mutate(dice, &mut text)?;
        read(&text);
        Ok(())
    });
}

/// A random JSON document.
fn document(dice: &mut Unstructured<'_>, depth: usize, json: &mut String) -> Result<()> {
    let kinds = if depth > 34 { 3 } else { 6 };
    match dice.int_in_range(0..=kinds)? {
        0 => json.push_str(["null", "true", "false", " 0 "][dice.choose_index(4)?]),
        1 => *json += &serde_json::to_string(<&str>::arbitrary(dice)?).unwrap(),
        2 => {
            let (digits, exponent) = (u64::arbitrary(dice)?, dice.int_in_range(-140..=140)?);
            write!(json, "{digits}e{exponent}").unwrap();
        }
        3 => *json += *dice.choose(&WORDS)?,
        4 => {
            json.push('[');
            for member in 0..dice.int_in_range(0..=4)? {
                json.push_str(if member == 0 { "" } else { ", " });
                document(dice, depth + 1, json)?;
            }
            json.push(']');
        }
        5 => {
            json.push('{');
            for member in 0..dice.int_in_range(0..=4)? {
                json.push_str(if member == 0 { "" } else { "," });
                *json += &serde_json::to_string(<&str>::arbitrary(dice)?).unwrap();
                json.push(':');
                document(dice, depth + 1, json)?;
            }
            json.push('}');
        }
        _ => {
            let times = dice.int_in_range(1..=40)?;
            json.push_str(&"[".repeat(times));
            document(dice, depth + times, json)?;
            json.push_str(&"]".repeat(times));
        }
    }
    Ok(())
}

/// Levels of a value, as DynamoDB counts them.
fn depth(value: &AttributeValue) -> usize {
    1 + match value {
        AttributeValue::L(values) => values.iter().map(depth).max().unwrap_or_default(),
        AttributeValue::M(entries) => entries.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

#[test]
fn answers() {
    let read = |json: &str| {
        let is_json = serde_json::from_str::<Value>(json).is_ok();
        match AttributeValue::from_json("a", json) {
            Ok(value) => {
                assert!(serde_json::from_str::<IgnoredAny>(json).is_ok(), "{json}");
                assert!(depth(&value) <= MAX_DEPTH);
                assert!(value.is_same(&value));
                // What DynamoDB's JSON says is the same item.
                let item = Item::new([("a".to_owned(), value)]).unwrap();
                let written = serde_json::to_string(&item).unwrap();
                assert_eq!(serde_json::from_str::<Item>(&written).unwrap(), item);
                assert!(written.len() <= 20 * MAX_ITEM_BYTES);
            }
            Err(error) if error.name() == "Item.NotJson" => {
                // serde_json reads at most 128 levels, too.
                assert!(
                    !is_json || json.matches(['[', '{']).count() > 120,
                    "{json}: {error}"
                );
            }
            Err(error) => assert!(
                ["Item.NestedTooDeep", "Item.BadNumber", "Item.TooLarge"].contains(&error.name()),
                "{json}: {error}"
            ),
        }
        if let Ok(settings) = Settings::from_json(json.as_bytes()) {
            assert!(serde_json::from_str::<IgnoredAny>(settings.as_json()).is_ok());
            let value = |json: &str| serde_json::from_str::<Value>(json);
            // serde_json refuses, or changes, what has its own keys.
            if let (Ok(one), Ok(other)) = (value(settings.as_json()), value(json)) {
                assert_eq!(one, other, "{json}");
            }
        }
    };
    for json in found("json") {
        read(&String::from_utf8(json).unwrap());
    }
    fuzz(|dice| {
        let mut json = String::new();
        document(dice, 0, &mut json)?;
        read(&json);
        let mut bytes = json.into_bytes();
        mutate(dice, &mut bytes)?;
        read(&String::from_utf8_lossy(&bytes));
        Ok(())
    });
}

#[test]
fn keys_and_templates() {
    let part = |dice: &mut Unstructured<'_>| {
        let parts = [
            "",
            "#",
            "a",
            "ab",
            "{userPoolId}",
            "USER#",
            "\u{e9}",
            ":",
            "{",
            "}",
        ];
        Ok::<_, arbitrary::Error>(*dice.choose(&parts)?)
    };
    let pools = [POOL, OTHER_POOL].map(|pool| UserPoolId::parse(pool).unwrap());
    let event = |pool: &UserPoolId, name: &str| {
        let raw = String::from_utf8(event("confirm-sign-up")).unwrap();
        let mut event = PostConfirmation::parse(raw.as_bytes()).unwrap();
        event.user_pool_id = pool.clone();
        name.clone_into(&mut event.user_name);
        event
    };
    fuzz(|dice| {
        let mut template = || -> Result<_> {
            let text = [
                part(dice)?,
                part(dice)?,
                "{userName}",
                part(dice)?,
                part(dice)?,
            ];
            Ok(text.concat())
        };
        let texts = [template()?, template()?];
        let [Ok(one), Ok(other)] = texts.clone().map(KeyTemplate::try_from) else {
            return Ok(());
        };
        let config = |pool: &UserPoolId, key: &str| {
            let text = format!("table = 'User'\nregion = 'eu-west-1'\nkey.equals = '{key}'");
            PoolConfig::parse(pool, &Defaults::default(), "f", &text).unwrap()
        };
        let configs = [config(&pools[0], &texts[0]), config(&pools[1], &texts[1])];
        let shared = !shared_rows(pools.iter().zip(&configs)).is_empty();
        // A key of either pool whose users' names contain the other's parts.
        let names: [String; 4] = [
            format!("{}x{}", part(dice)?, part(dice)?),
            "x".to_owned(),
            other.expand(&event(&pools[1], "x")),
            one.expand(&event(&pools[0], "x")),
        ];
        let mut keys = BTreeMap::new();
        for name in &names {
            for (template, pool) in [(&one, &pools[0]), (&other, &pools[1])] {
                let key = template.expand(&event(pool, name));
                assert!(template.could_make(&key, pool), "{key}");
                let owner = keys.entry(key.clone()).or_insert((pool, name));
                if *owner != (pool, name) {
                    assert_ne!(owner.0, pool, "two users of one pool have {key}");
                    assert!(shared, "{texts:?} share {key}");
                }
            }
        }
        if shared {
            // The longer text before the name and the longer one after it, and any name.
            let around = |template: &KeyTemplate, pool| {
                let key = template.expand(&event(pool, "\u{1}"));
                let (before, after) = key.split_once('\u{1}').unwrap();
                (before.to_owned(), after.to_owned())
            };
            let (one_before, one_after) = around(&one, &pools[0]);
            let (other_before, other_after) = around(&other, &pools[1]);
            let longer = |one: String, other: String| {
                if one.len() > other.len() { one } else { other }
            };
            let key = longer(one_before, other_before) + "x" + &longer(one_after, other_after);
            assert!(one.could_make(&key, &pools[0]), "{texts:?}: {key}");
            assert!(other.could_make(&key, &pools[1]), "{texts:?}: {key}");
        }
        Ok(())
    });
}

/// A key belongs to one user name of one pool, whatever both contain: to one name of a pool
/// under any template, and to one pool under a template with its id.
#[test]
fn no_two_users_have_one_key() {
    // Of these, one begins or ends with another.
    let ids = [
        "eu-west-1_Ab",
        "eu-west-1_AbC",
        "eu-west-1_AbCx",
        "eu-1_A",
        "a-eu-1_A",
        "eu-1_Aeu",
        "1_A",
        "a_1",
        "1_a_1",
    ];
    let pools: Vec<_> = ids
        .iter()
        .filter_map(|id| UserPoolId::parse(id).ok())
        .collect();
    let texts = [
        "",
        "#",
        ":",
        "-",
        "_",
        "C",
        "Cx",
        "x",
        "a-",
        "eu",
        "1_A",
        "{userPoolId}",
        "{userName}",
        "é",
        "名",
        "\u{202e}",
        "\0",
        " ",
    ];
    let mut accepted = 0;
    fuzz_for(Duration::from_secs(2), |dice| {
        let mut some = |least, most| -> Result<String> {
            let parts = (0..dice.int_in_range(least..=most)?).map(|_| dice.choose(&texts).copied());
            parts.collect()
        };
        let text = some(0, 3)? + "{userName}" + &some(0, 3)?;
        let name = some(1, 4)? + "x";
        let another = some(0, 4)? + "x";
        let Ok(template) = KeyTemplate::try_from(text.clone()) else {
            return Ok(());
        };
        accepted += 1;
        let mut event = PostConfirmation::parse(&event("confirm-sign-up")).unwrap();
        for pool in &pools {
            event.user_pool_id = pool.clone();
            event.user_name = name.clone();
            let key = template.expand(&event);
            for other in &pools {
                if pool == other {
                    event.user_name.clone_from(&another);
                    let is_one_key = template.expand(&event) == key;
                    assert_eq!(is_one_key, another == name, "{text}: {name} and {another}");
                } else if template.names_the_pool() {
                    assert!(
                        !template.could_make(&key, other),
                        "{text}: {key} of {pool} and {other}"
                    );
                }
            }
        }
        Ok(())
    });
    assert!(accepted > 100, "{accepted} templates were accepted");
}

/// Components with some bytes changed: the child answers, whatever they are.
#[test]
fn components() {
    let corpus: Vec<_> = ["default", "fields"]
        .map(|plugin| fs::read(tests(&format!("../../plugins/{plugin}/{plugin}.wasm"))).unwrap())
        .into();
    let checker = Checker::new(
        PublishLimits::default(),
        env!("CARGO_BIN_EXE_poolhook").into(),
    );
    let check = |component: &[u8]| match block_on(checker.artifact(component)) {
        Ok(_) => {}
        Err(NotAccepted::Rejected(rejected)) => {
            assert_ne!(rejected.name(), "Upload.CompilerFailed", "{rejected}");
            let text = rejected.to_string();
            assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
        }
        Err(error) => panic!("{error}"),
    };
    for component in found("wasm") {
        check(&component);
    }
    fuzz(|dice| {
        let mut component = dice.choose(&corpus[..1])?.clone();
        mutate(dice, &mut component)?;
        check(&component);
        Ok(())
    });
}
