//! The plugin `fields`: items from expressions in a pool's TOML. `plugins/fields` tests
//! its language; these tests are about `fields` in the host.

use std::time::SystemTime;
use std::{env, fs};

use poolhook::config::{ConfigError, Defaults, PoolConfig, Source};
use poolhook::event::{PostConfirmation, UserPoolId};
use poolhook::host::{Failure, Outcome};
use poolhook::plugins::Plugins;
use serde_json::{Value, json};

use crate::hostile::plugin_name;
use crate::support::{POOL, TestFolder, block_on, event, event_names, failure, handle, tests};

const SIX_KEYS: &str = r#"
table = "User"
plugin = "fields"
[settings]
skip-when = "user.attributes['custom:plan'] | default('') == 'internal'"
[settings.item]
id    = "user.name"
email = "user.attributes.email | lower"
plan  = "user.attributes['custom:plan'] | default('free')"
seats = "user.attributes['custom:seats'] | int | optional"
tags  = "user.attributes['custom:tags'] | split(',') | set | optional"
since = "user.time"
"#;

#[test]
fn built_in() {
    makes_the_item(Plugins::builtin().unwrap());
}

#[test]
fn committed() {
    makes_the_item(compiled(
        &fs::read(tests("../../plugins/fields/fields.wasm")).unwrap(),
    ));
}

/// A component in place of the built-in `fields`, under its name: it receives programs.
fn compiled(component: &[u8]) -> Plugins {
    let mut plugins = Plugins::builtin().unwrap();
    let plugin = plugins.loader().compile(plugin_name("fields"), component);
    plugins.use_for_all(plugin.unwrap());
    plugins
}

/// The same for a component that is built from source, which CI names.
#[test]
#[ignore = "needs POOLHOOK_REBUILT_FIELDS, a component of `poolhook plugin build plugins/fields`: .ci/run builds it"]
fn rebuilt() {
    let file = env::var_os("POOLHOOK_REBUILT_FIELDS").expect("POOLHOOK_REBUILT_FIELDS is not set");
    makes_the_item(compiled(&fs::read(&file).unwrap()));
}

fn makes_the_item(plugins: Plugins) {
    let folder = TestFolder::new(&[(POOL, SIX_KEYS)]);
    let report = handle(&folder.host_with(plugins), &event("custom-attributes"));
    assert_eq!(report.outcome.unwrap(), Outcome::Written);
    let mut item = serde_json::to_value(report.trace.item).unwrap();
    let since = item.as_object_mut().unwrap().remove("since").unwrap();
    assert!(since["S"].as_str().unwrap().ends_with('Z'));
    let expected = json!({
        "id": { "S": "0f3d5f0e-8f5c-4b55-9c1c-2c0a3a4c7e11" },
        "email": { "S": "hanako@example.com" },
        "plan": { "S": "pro" },
        "seats": { "N": "12" },
    });
    assert_eq!(item, expected);
}

/// Growing an instance's memory costs more than the mapping itself.
#[test]
fn a_usual_event_takes_one_page_of_memory() {
    let plugins = Plugins::builtin().unwrap();
    let plugin = block_on(plugins.get(&plugin_name("fields").into())).unwrap();
    let pool = UserPoolId::parse(POOL).unwrap();
    let config = PoolConfig::parse(&pool, &Defaults::default(), "f", SIX_KEYS).unwrap();
    for name in event_names() {
        let event = PostConfirmation::parse(&event(&name)).unwrap();
        let (settings, limits) = (&config.settings, &config.limits);
        let run = plugin.run(&event, SystemTime::UNIX_EPOCH, settings, limits);
        assert_eq!(run.memory_bytes, 64 << 10, "{name}");
    }
}

#[test]
fn its_item_must_follow_dynamodbs_rules() {
    for (item, error) in [
        ("id = \"'another'\"", "Item.KeyNotTheUsers"),
        ("sub = 'user.name'", "Item.KeyMissing"),
        (
            "id = 'user.name'\nx = \"'111111111111111111111111111111111111111' | number\"",
            "Item.BadNumber",
        ),
        ("id = 'user.name'\n'' = 'user.name'", "Item.EmptyName"),
        (
            "id = 'user.name'\nx = 'user.attributes.nickname'",
            "Plugin.Refused",
        ),
        ("id = 'user.name'\nx = 'user.client_id.x'", "Config.Invalid"),
    ] {
        let toml = format!("table = 'User'\nplugin = 'fields'\n[settings.item]\n{item}");
        let folder = TestFolder::new(&[(POOL, &toml)]);
        let report = handle(&folder.host(), &event("confirm-sign-up"));
        assert_eq!(failure(&report), error, "{item}");
    }
}

#[test]
fn config_check_locates_each_mistake() {
    let folder = TestFolder::new(&[(
        POOL,
        r#"table = "User"
plugin = "fields"
[settings]
skip-when = 'user.name = "x"'
[settings.item]
id    = "user.nam"
"e.m" = "user.attributes.email | lowr | nope(1)"
plan  = '''usr['x']'''
"é"   = "'\u00e9' ~ foo(user.name)"
zip   = 1
"#,
    )]);
    let mistakes = mistakes(&folder);
    let locations: Vec<_> = mistakes
        .iter()
        .map(|(folder, text)| (folder.as_str(), text.split(';').next().unwrap()))
        .collect();
    let expected = [
        (
            "4:24 settings.skip-when",
            "unexpected input after expression",
        ),
        ("6:10 settings.item.id", "unknown field `user.nam`"),
        ("7:34 settings.item.\"e.m\"", "unknown filter `lowr`"),
        ("7:41 settings.item.\"e.m\"", "unknown filter `nope`"),
        ("8:12 settings.item.plan", "unknown name `usr`"),
        (
            "9:21 settings.item.\"é\"",
            "there are no functions, such as `foo`",
        ),
        (
            "10:1 settings.item.zip",
            "must be an expression in quotes, such as \"user.name\", not 1",
        ),
    ];
    assert_eq!(locations, expected);
}

#[test]
fn the_example_config_is_valid() {
    let config = tests("../../config");
    let check = TestFolder::new(&[]).poolhook(&["config", "check", config.to_str().unwrap()]);
    let text = String::from_utf8(check.stderr).unwrap();
    assert_eq!(check.status.code(), Some(0), "{text}");
}

#[test]
fn config_check_names_the_file_with_the_settings() {
    let folder = TestFolder::new(&[
        (POOL, "table = 'User'\nplugin = 'fields'"),
        (
            "defaults",
            "# All pools.\n[settings.item]\nid = 'user.nam'\n",
        ),
    ]);
    let check = folder.poolhook(&["config", "check"]);
    let text = String::from_utf8(check.stderr).unwrap();
    assert!(
        text.starts_with("config/defaults.toml:3:7: settings.item.id: unknown field"),
        "{text}"
    );
    folder.configure("defaults", "");
    let [(folder, text)] = &mistakes(&folder)[..] else {
        panic!("one mistake");
    };
    assert_eq!(folder, "1:1 settings");
    assert!(text.starts_with("the key `item` is missing"), "{text}");
}

#[test]
fn config_check_runs_the_examples() {
    let examples = r#"
[[settings.examples]]
attributes = { email = "Hanako@Example.com", "custom:tags" = "b,a,b" }
item = { id.S = "hanako", email.S = "hanako@example.com", plan.S = "free", tags.SS = ["a", "b"], since.S = "2026-11-23T09:06:52.123Z" }

[[settings.examples]]
user-name = "taro"
attributes = { "custom:plan" = "internal" }
skip = true

[[settings.examples]]
attributes = { email = "Hanako@Example.com" }
item = { email.S = "hanako@example.com" }
partial = true

[[settings.examples]]
error = "item.email: there is nothing"
"#;
    let right =
        SIX_KEYS.to_owned() + &examples.replace("user.attributes.email", "there is nothing");
    let folder = TestFolder::new(&[(POOL, &right)]);
    assert_eq!(mistakes(&folder), []);

    let wrong = r#"
[[settings.examples]]
attributes = { email = "Hanako@Example.com" }
item = { id.S = "taro", email.S = "hanako@example.com", plan.S = "free", nix.N = "1" }

[[settings.examples]]
attributes = { email = "Hanako@Example.com" }
skip = true

[[settings.examples]]
attributes = { "custom:plan" = "internal" }
error = "x"

[[settings.examples]]
skip = true
error = "x"

[[settings.examples]]
attributes = { email = "Hanako@Example.com" }
item = { email.S = "other@example.com" }
partial = true
"#;
    folder.configure(POOL, &(SIX_KEYS.to_owned() + wrong));
    let found = mistakes(&folder);
    let expected = [
        (
            "16:1",
            "[0].item: `id` must be {\"S\":\"taro\"}, but is {\"S\":\"hanako\"}",
        ),
        (
            "16:1",
            "[0].item: `nix` must be {\"N\":\"1\"}, but is missing",
        ),
        (
            "16:1",
            "[0].item: `since` must be absent, but is {\"S\":\"2026-11-23T09:06:52.123Z\"}",
        ),
        ("18:1", "[1]: expected a skip, got the item {"),
        (
            "22:1",
            "[2]: expected the error `x`, got skipped: `skip-when` is true",
        ),
        (
            "26:1",
            "[3]: must have one of `item`, `skip = true` and `error`",
        ),
        (
            "32:1",
            "[4].item: `email` must be {\"S\":\"other@example.com\"}, but is",
        ),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for ((folder, text), (at, mistake)) in found.iter().zip(expected) {
        let found = format!("{folder}: {text}").replacen(" settings.examples", "", 1);
        assert!(found.starts_with(&format!("{at}{mistake}")), "{found}");
    }

    let misspelt = "[[settings.examples]]\nitme = {}\n";
    folder.configure(POOL, &(SIX_KEYS.to_owned() + misspelt));
    let [(at, text)] = &mistakes(&folder)[..] else {
        panic!("one mistake");
    };
    assert_eq!(at, "14:1 settings.examples[0].itme");
    assert!(text.starts_with("unknown field `itme`"), "{text}");
}

/// However a plugin words a mistake in its settings, it is reported as one.
#[test]
fn every_complaint_about_settings_is_a_mistake() {
    let text = "table = 'User'\n[settings]\nplan = 'a'\n";
    for (message, expected) in [
        (
            "settings.plan: too short",
            &["f:3:1: settings.plan: too short"][..],
        ),
        (
            "settings.seats: missing",
            &["f:2:2: settings.seats: missing"],
        ),
        (
            "settings are bad: all of them",
            &["f:2:2: settings: settings are bad: all of them"],
        ),
        (
            "settings: wrong:\nthis and that\nsettings.plan: too short",
            &[
                "f:2:2: settings: wrong:\n  this and that",
                "f:3:1: settings.plan: too short",
            ],
        ),
    ] {
        let error = ConfigError::of_settings(Source { file: "f", text }, message);
        assert_eq!(error.to_string(), expected.join("\n"), "{message}");
    }
    let toml = SIX_KEYS.to_owned()
        + "nick = \"\"\"'a' ~\nuser.attributes.nickname\"\"\"\n[[settings.examples]]\n"
        + "attributes.email = 'a'\nitem.id.S = 'hanako'\n";
    let folder = TestFolder::new(&[(POOL, &toml)]);
    let [(at, rule)] = &mistakes(&folder)[..] else {
        panic!("one mistake");
    };
    assert!(at.ends_with("settings.examples[0]"), "{at}");
    assert!(
        rule.starts_with("expected an item, got Plugin.Refused: item.nick:"),
        "{rule}"
    );
}

/// Expressions of a malicious tenant: each ends in a named error, within the limits, in
/// `config check` and in an event.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of expressions")]
fn hostile_expressions_end_in_a_named_error() {
    let many = |text: &str, times: usize| text.repeat(times);
    let brackets = format!("{}1{}", many("(", 5000), many(")", 5000));
    let within_brackets = format!("{}1{}", many("[", 24), many("]", 24));
    let cases = [
        // Deeply nested.
        (brackets.as_str(), "Config.Invalid"),
        (&within_brackets, "none"),
        (&(many("not ", 90) + "1"), "none"),
        (&(many("not ", 500) + "1"), "Config.Invalid"),
        (&(many("-", 1999) + "1"), "Config.Invalid"),
        (&("1".to_owned() + &many(" if 1 else 1", 90)), "none"),
        (
            &("1".to_owned() + &many(" if 1 else 1", 160)),
            "Config.Invalid",
        ),
        (
            &("('{}' | json)".to_owned() + &many(".a", 980) + " | default(1)"),
            "none",
        ),
        (&("1".to_owned() + &many("~1", 999)), "none"),
        (&("'a'".to_owned() + &many("|lower", 330)), "none"),
        (&("1".to_owned() + &many("+1", 999)), "none"),
        (&("'a'".to_owned() + &many(" == 'a'", 280)), "none"),
        (
            &format!("'{}{}' | json", many("[", 33), many("]", 33)),
            "Plugin.Refused",
        ),
        (
            &format!("'{}{}' | json", many("[", 900), many("]", 900)),
            "Plugin.Refused",
        ),
        // Long.
        (
            &("'".to_owned() + &many("x", 100_000) + "'"),
            "Config.Invalid",
        ),
        ("'x' * 1000000000", "Config.Invalid"),
        (
            &format!(
                "'{}'{}",
                many("x", 1000),
                many("|replace('x','xxxxxxxxxx')", 5)
            ),
            "Plugin.FuelLimit",
        ),
        (
            &format!(
                "'{}'{}",
                many("x", 200),
                many("|replace('x','xxxxxxxxxx')", 4)
            ),
            "Plugin.OutputLimit",
        ),
        (
            &format!(
                "'{}'{}",
                many("x", 500),
                many("|replace('x','xxxxxxxxxx')", 3)
            ),
            "Item.TooLarge",
        ),
        ("'1' | zfill(1000000000)", "Plugin.Refused"),
        ("2 ** 100000", "Plugin.Refused"),
        // Expensive.
        (
            &format!(
                "'{}'{} | split(',') | unique | length",
                many("x,", 300),
                many("|replace('x','x,x1')", 3)
            ),
            "none",
        ),
        (
            &format!(
                "'{}' | regex_replace('(a|a|aa|a*)*{}', 'x')",
                many("a", 900),
                many("(a|b)*", 40)
            ),
            "none",
        ),
        (
            "'a' | regex_replace('(((a{50}){50}){50})', 'x')",
            "Config.Invalid",
        ),
        (
            &format!(
                "'a' | regex_replace('{}a{}', 'x')",
                many("(", 16),
                many(")", 16)
            ),
            "none",
        ),
        (
            &format!(
                "'a' | regex_replace('{}a{}', 'x')",
                many("(", 17),
                many(")", 17)
            ),
            "Config.Invalid",
        ),
        // Unusual.
        ("1 // 0", "Plugin.Refused"),
        ("user.name[::0]", "Plugin.Refused"),
        (
            "-(0 - 170141183460469231731687303715884105727 - 1)",
            "Plugin.Refused",
        ),
        (
            "user.attributes | map('map', 'map') | join",
            "Config.Invalid",
        ),
        ("'\\ud800'", "Config.Invalid"),
    ];
    for (expression, expected) in cases {
        let shown: String = expression.chars().take(60).collect();
        let settings = json!({ "item": { "id": "user.name", "x": expression } });
        let toml = toml::to_string(&json!({
            "table": "User", "plugin": "fields", "settings": settings,
        }));
        let folder = TestFolder::new(&[(POOL, &toml.unwrap())]);
        let report = handle(&folder.host(), &event("confirm-sign-up"));
        let name = report
            .outcome
            .as_ref()
            .map_or_else(Failure::name, |_| "none");
        assert_eq!(name, expected, "{shown}");

        let check = folder.poolhook(&["config", "check"]);
        let code = check.status.code().unwrap();
        let text = String::from_utf8(check.stderr).unwrap();
        assert!(code < 2, "{shown}: {text}");
        assert!(text.len() < 2000, "{shown}: {text}");
    }
}

/// The mistakes that `config check` finds: line, column and key, and the rule.
fn mistakes(folder: &TestFolder) -> Vec<(String, String)> {
    let check = folder.poolhook(&["config", "check", "--json"]);
    let found: Value = serde_json::from_slice(&check.stdout).unwrap();
    let errors = found["errors"].as_array().unwrap();
    assert_eq!(check.status.code(), Some(i32::from(!errors.is_empty())));
    let mistake = |error: &Value| {
        assert_eq!(error["errorType"], "Config.Invalid", "{error}");
        let key = error["key"].as_str().unwrap();
        let folder = format!("{}:{} {key}", error["line"], error["column"]);
        (folder, error["errorMessage"].as_str().unwrap().to_owned())
    };
    errors.iter().map(mistake).collect()
}
