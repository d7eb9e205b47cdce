//! Mappings without code: the documented ones, shared ones, and how they are checked and
//! explained.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::command_line::text;
use crate::servers::node_modules;
use crate::support::{POOL, TestFolder, event, handle, tests};

const HEAD: &str = "table = 'User'\nplugin = 'fields'\n";

/// Each file in docs/fields/examples is a pool's config with examples, which hold.
#[test]
fn the_documented_mappings_hold() {
    let mut count = 0;
    for file in examples() {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.display();
        assert!(text.starts_with("#:schema ./schema.json\n# "), "{name}");
        assert!(text.matches("[[settings.examples]]").count() >= 1, "{name}");
        let folder = TestFolder::new(&[(POOL, &text)]);
        let check = checked(&folder);
        assert_eq!(check["errors"], json!([]), "{name}");
        assert_eq!(check["warnings"], json!([]), "{name}");
        count += 1;
    }
    assert_eq!(count, 20);
}

#[test]
fn the_schema_in_the_docs_is_the_commands() {
    let schema = TestFolder::new(&[]).poolhook(&["config", "schema"]);
    let committed = fs::read(tests("../../docs/fields/examples/schema.json")).unwrap();
    assert!(
        schema.stdout == committed,
        "poolhook config schema > docs/fields/examples/schema.json"
    );
    let host = TestFolder::new(&[]).poolhook(&["config", "schema", "--host"]);
    let host: Value = serde_json::from_slice(&host.stdout).unwrap();
    assert_eq!(
        host["properties"]["deadline-ms"]["$ref"],
        "#/definitions/From1000To4500"
    );
}

/// As Taplo and the editors with it read `#:schema`.
#[test]
fn an_editor_finds_mistakes_by_the_schema() {
    let folder = TestFolder::new(&[]);
    let schema = fs::read(tests("../../docs/fields/examples/schema.json")).unwrap();
    fs::write(folder.path().join("schema.json"), schema).unwrap();
    let taplo = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        let mut command = Command::new("node");
        command.arg(node_modules().join("@taplo/cli/dist/cli.js"));
        let output = command
            .args(["lint", name])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said)
    };
    for file in examples() {
        let name = file.file_name().unwrap().to_str().unwrap();
        let (valid, said) = taplo(name, &fs::read_to_string(&file).unwrap());
        assert!(valid, "{name}: {said}");
    }
    for (line, mistake) in [
        ("tabel = 'User'", "'tabel' was unexpected"),
        (
            "write = 'upsert'",
            "\"upsert\" is not valid under any of the schemas",
        ),
        ("limits.fuel = 0", "0 is less than the minimum of 1"),
        ("region = 'Tokyo'", "does not match"),
        ("key.equals = 'x'", "does not match"),
        (
            "settings.item.id = 5",
            "5 is not valid under any of the schemas",
        ),
        ("settings.extends = 'other'", "\"other\" is not one of"),
        (
            "settings.examples = [{ itme = {} }]",
            "'itme' was unexpected",
        ),
    ] {
        let text = format!("#:schema ./schema.json\n{HEAD}{line}\n");
        let (valid, said) = taplo("wrong.toml", &text);
        assert!(!valid && said.contains(mistake), "{line}: {said}");
    }
}

/// Each was seen: the check was green, and items or users were lost or wrong.
#[test]
fn no_mapping_goes_wrong_without_a_word() {
    for (settings, rule, help) in [
        (
            "item.nick = \"'NICK#' ~ user.attributes.nickname | optional\"",
            "`optional` counts only at the end of the whole expression",
            "write `('NICK#' ~ user.attributes.nickname) | optional`",
        ),
        (
            "item.names = \"[user.attributes.given_name | optional, user.name] | join(' ')\"",
            "`optional` counts only at the end of the whole expression",
            "`| compact` after a list or map drops what is missing in it",
        ),
        (
            "item.has = '(user.attributes.nickname | optional) is defined'",
            "`optional` counts only at the end of the whole expression",
            "write `(user.attributes.nickname) is defined`",
        ),
        (
            "skip-when = 'user.attributes.email_verified'",
            "it is text; a condition must be true or false",
            "write `user.attributes.email_verified | bool`",
        ),
        (
            "skip-when = 'user.attributes.nickname'",
            "it is text; a condition must be true or false",
            "a reason is `skip-reason`",
        ),
        (
            "skip-when = 'user.time_ms'",
            "it is a number; a condition must be true or false",
            "a reason is `skip-reason`",
        ),
        (
            "item.seats = \"user.attributes['custom:seats'] * 2\"",
            "is text, and `*` takes a number",
            "write `(user.attributes['custom:seats'] | int) * 2`",
        ),
        (
            "item.ok = 'user.attributes.email_verified == true'",
            "so `==` is always false",
            "write `(user.attributes.email_verified | bool) == true`",
        ),
        (
            "item.ok = \"'yes' if user.attributes.email_verified else 'no'\"",
            "is the text `true` or `false`, and each of these counts as true",
            "write `'yes' if user.attributes.email_verified | bool else 'no'`",
        ),
        (
            "skip-reason = 'user.name'",
            "`skip-reason` needs `skip-when`",
            "",
        ),
        (
            "skip-when = 'false'\nskip-reason = '[]'",
            "it is a list; a reason is text",
            "",
        ),
        (
            "let.a = 'let.b'\nlet.b = 'let.a'\nitem.x = 'let.a'",
            "it needs its own value, through `let.b`",
            "",
        ),
        (
            "let.a = 'let.a ~ user.name'\nitem.x = 'let.a'",
            "it needs its own value",
            "",
        ),
        (
            "let.a = 'user.name'",
            "no expression uses it",
            "use it as `let.a`, or remove it",
        ),
        (
            "let.'a b' = 'user.name'",
            "must be a name: letters, digits and `_`",
            "",
        ),
        ("item.x = 'let.a'", "[settings.let] has no `a`", ""),
    ] {
        let toml = format!("{HEAD}[settings]\nitem.id = 'user.name'\n{settings}\n");
        let folder = TestFolder::new(&[(POOL, &toml)]);
        let check = checked(&folder);
        let error = &check["errors"][0];
        let (said, way) = (error["errorMessage"].as_str(), error["help"].as_str());
        assert!(
            said.unwrap_or_default().contains(rule),
            "{settings}: {check}"
        );
        assert!(
            way.unwrap_or_default().contains(help),
            "{settings}: {check}"
        );
        // The trigger finds the same, when it reads the config, and keeps the event.
        let report = handle(&folder.host(), &event("confirm-sign-up"));
        assert_eq!(
            report.outcome.unwrap_err().name(),
            "Config.Invalid",
            "{settings}"
        );
    }
}

#[test]
fn what_was_wrong_for_some_users_is_right() {
    let toml = HEAD.to_owned()
        + r#"
[settings]
skip-when = "user.attributes.email_verified | bool and false"
[settings.item]
id = "user.name"
provider = "(user.attributes.identities | json)[0].providerName | default('Cognito')"
nick = "('NICK#' ~ user.attributes.nickname) | optional"
verified = "'True' | bool"
seats = "(user.attributes['custom:seats'] | default('3') | int) * 2"

[[settings.examples]]
attributes = { email_verified = "false" }
item = { id.S = "hanako", provider.S = "Cognito", verified.BOOL = true, seats.N = "6" }

[[settings.examples]]
attributes = { nickname = "hana", identities = '[{"providerName": "Google"}]' }
item = { id.S = "hanako", provider.S = "Google", verified.BOOL = true, seats.N = "6", nick.S = "NICK#hana" }
"#;
    let folder = TestFolder::new(&[(POOL, &toml)]);
    assert_eq!(checked(&folder)["errors"], json!([]));
}

/// An intermediate value that fails is no reason to keep a skipped user.
#[test]
fn a_user_who_is_skipped_needs_no_other_value() {
    let toml = HEAD.to_owned()
        + r#"
[settings]
skip-when = "let.isInternal"
[settings.let]
seats = "user.attributes['custom:seats'] | int"
isInternal = "user.name is startingwith('int-')"
[settings.item]
id = "user.name"
seats = "let.seats"
[[settings.examples]]
user-name = "int-1"
attributes = { "custom:seats" = "none" }
skip = true
[[settings.examples]]
attributes = { "custom:seats" = "none" }
error = "let.seats: at character 35: `none` is not a whole number"
"#;
    let folder = TestFolder::new(&[(POOL, &toml)]);
    assert_eq!(checked(&folder)["errors"], json!([]));
}

/// Until poolhook had `skip-reason`, the condition gave the reason.
#[test]
fn a_reason_in_the_condition_still_works_with_a_warning() {
    let toml = HEAD.to_owned()
        + r#"
[settings]
skip-when = "'no mail' if user.attributes.email | default('') == '' else false"
[settings.item]
id = "user.name"
[[settings.examples]]
skip = true
[[settings.examples]]
attributes.email = "a"
item.id.S = "hanako"
"#;
    let folder = TestFolder::new(&[(POOL, &toml)]);
    let check = checked(&folder);
    assert_eq!(check["errors"], json!([]));
    let warning = &check["warnings"][0];
    assert_eq!(warning["errorMessage"], "a reason in the condition");
    let way = "write `skip-when = \"user.attributes.email | default('') == ''\"` and `skip-reason = \"'no mail'\"`";
    assert_eq!(warning["help"], way);
}

#[test]
fn misspelt_attributes_are_warned_of() {
    let toml = HEAD.to_owned()
        + "[settings.item]\nid = 'user.name'\na = 'user.attributes.emial | optional'\n\
           b = 'user.attributes.plan | optional'\nc = \"user.attributes['custom:plan'] | optional\"\n\
           d = 'user.attributes.zoneinfo | optional'\n";
    let folder = TestFolder::new(&[(POOL, &toml)]);
    let check = checked(&folder);
    assert_eq!(check["errors"], json!([]));
    let warnings: Vec<_> = check["warnings"].as_array().unwrap().iter().collect();
    assert_eq!(warnings.len(), 2, "{check}");
    assert_eq!(warnings[0]["help"], "did you mean `email`?");
    let custom = "a custom attribute is `user.attributes['custom:plan']`";
    assert_eq!(warnings[1]["help"], custom);
    let strict = folder.poolhook(&["config", "check", "--strict"]);
    assert_eq!(strict.status.code(), Some(1));
}

#[test]
fn a_mistake_is_underlined() {
    let toml = HEAD.to_owned()
        + "[settings.item]\nid = 'user.name'\n\tkey  = \"'\\u00e9日本' ~ nope ~ 'x'\"\n\
           long = \"\"\"\n  user.name\n  | lowr\"\"\"\n";
    let folder = TestFolder::new(&[(POOL, &toml)]);
    let check = folder.poolhook(&["config", "check"]);
    let said = String::from_utf8(check.stderr).unwrap();
    let lines: Vec<_> = said.lines().collect();
    let at = |text: &str| {
        let found = lines.iter().position(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("{text}: {said}"))
    };
    let first = at("5:23: settings.item.key: unknown name `nope`");
    let (source, marks) = (lines[first + 2], lines[first + 3]);
    assert!(source.contains("~ nope ~"), "{said}");
    // The two wide characters take two columns each.
    let column = source.find("nope").unwrap() - 2 * "日".len() + 2 * 2;
    assert_eq!(
        *marks,
        format!("  |{}^^^^", " ".repeat(column - 3)),
        "{said}"
    );
    let second = at("8:5: settings.item.long: unknown filter `lowr`");
    assert_eq!(lines[second + 2], "8 |   | lowr\"\"\"", "{said}");
    assert_eq!(lines[second + 3], "  |     ^^^^", "{said}");
    assert_eq!(lines[second + 4], "  = did you mean `lower`?", "{said}");
}

const DEFAULTS: &str = r#"
plugin = "fields"
[settings]
skip-when = "user.attributes['custom:internal'] is defined"
[settings.let]
email = "user.attributes.email | lower"
[settings.item]
id = "user.name"
email = "let.email | optional"
since = "user.time"
"#;

const OWN: &str = r#"
table = "User"
[settings]
extends = "defaults"
[settings.item]
plan = "user.attributes['custom:plan'] | default('free')"
email = "let.email | default('none')"
since = false
[[settings.examples]]
item = { id.S = "hanako", email.S = "none", plan.S = "free" }
[[settings.examples]]
attributes = { "custom:internal" = "x" }
skip = true
"#;

#[test]
fn a_pool_that_adds_one_attribute_says_only_that_one() {
    let folder = TestFolder::new(&[(POOL, OWN), ("defaults", DEFAULTS)]);
    assert_eq!(checked(&folder)["errors"], json!([]));

    let shown = folder.poolhook(&["config", "show", POOL, "--json"]);
    let (code, out, err) = text(&shown);
    assert_eq!(code, Some(0), "{err}");
    let entries: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let entry = |key: &str| entries.iter().find(|entry| entry["key"] == key).unwrap();
    for (key, value, file, line) in [
        ("table", json!("User"), json!("own"), json!(2)),
        ("plugin", json!("fields"), json!("defaults"), json!(2)),
        ("write", json!("create"), Value::Null, Value::Null),
        (
            "settings.item.id",
            json!("user.name"),
            json!("defaults"),
            json!(8),
        ),
        (
            "settings.item.email",
            json!("let.email | default('none')"),
            json!("own"),
            json!(7),
        ),
        (
            "settings.let.email",
            json!("user.attributes.email | lower"),
            json!("defaults"),
            json!(6),
        ),
        (
            "settings.skip-when",
            json!("user.attributes['custom:internal'] is defined"),
            json!("defaults"),
            json!(4),
        ),
    ] {
        let shown = entry(key);
        assert_eq!(shown["value"], value, "{key}");
        assert_eq!(shown["line"], line, "{key}");
        let expected = match file.as_str() {
            Some("own") => json!(format!("config/{POOL}.toml")),
            Some(_) => json!("config/defaults.toml"),
            None => Value::Null,
        };
        assert_eq!(shown["file"], expected, "{key}");
    }
    assert!(
        entries
            .iter()
            .all(|entry| entry["key"] != "settings.item.since")
    );
    let plain = folder.poolhook(&["config", "show", POOL]);
    let (_, out, _) = text(&plain);
    let toml: toml::Table = toml::from_str(&out).unwrap();
    assert_eq!(toml["settings"]["item"]["id"].as_str(), Some("user.name"));
}

/// What is wrong in the defaults is found there, what is wrong in the pool's file there.
#[test]
fn mistakes_in_a_shared_mapping_are_where_they_stand() {
    let folder = TestFolder::new(&[(POOL, OWN), ("defaults", DEFAULTS)]);
    folder.configure("defaults", &DEFAULTS.replace("user.time", "user.tim"));
    folder.configure(
        POOL,
        &OWN.replace("default('free')", "defalt('free')")
            .replace("since = false", ""),
    );
    let check = checked(&folder);
    let places: Vec<_> = check["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| format!("{}:{}", error["file"].as_str().unwrap(), error["line"]))
        .collect();
    assert_eq!(
        places,
        [
            format!("config/{POOL}.toml:6"),
            "config/defaults.toml:10".to_owned()
        ]
    );
}

/// Without `extends`, a pool's settings are taken whole.
#[test]
fn only_a_mapping_that_extends_the_defaults_shares_them() {
    let folder = TestFolder::new(&[]);
    folder.configure("defaults", DEFAULTS);
    folder.configure(
        POOL,
        "table = 'User'\n[settings.item]\nid = 'user.name'\nplan = \"'x'\"\n",
    );
    let report = handle(&folder.host(), &event("confirm-sign-up"));
    let item = serde_json::to_value(report.trace.item).unwrap();
    assert_eq!(item["plan"], json!({"S": "x"}));
    assert!(item.get("email").is_none());
    for (own, rule) in [
        ("extends = 'others'", "must be \"defaults\""),
        ("extends = 'defaults'\nitem.x = false", "they have nothing"),
    ] {
        folder.configure(POOL, &format!("table = 'User'\n[settings]\n{own}\n"));
        let check = checked(&folder);
        assert!(
            check["errors"][0]["errorMessage"]
                .as_str()
                .unwrap()
                .contains(rule),
            "{check}"
        );
    }
    folder.configure("defaults", "plugin = 'fields'");
    folder.configure(POOL, "table = 'User'\n[settings]\nextends = 'defaults'\n");
    let check = checked(&folder);
    let rule = check["errors"][0]["errorMessage"].as_str().unwrap();
    assert_eq!(rule, "defaults.toml has no [settings]");
}

#[test]
fn users_that_a_mapping_refuses_are_named() {
    let toml = HEAD.to_owned()
        + "[settings.item]\nid = 'user.name'\nemail = 'user.attributes.email | lower'\n\
           born = \"user.attributes.birthdate | strftime('%Y') | optional\"\n";
    let folder = TestFolder::new(&[(POOL, &toml)]);
    let check = checked(&folder);
    let notes = check["notes"].as_array().unwrap();
    assert_eq!(notes.len(), 2, "{check}");
    let of = |key: &str| notes.iter().find(|note| note["key"] == key).unwrap();
    let email = of("settings.item.email");
    assert_eq!(email["users"], json!(["with only sub", "phone only"]));
    assert_eq!(
        (&email["line"], &email["severity"]),
        (&json!(5), &json!("note"))
    );
    let born = of("settings.item.born");
    assert_eq!(born["users"], json!(["with empty texts"]));
    let strict = folder.poolhook(&["config", "check", "--strict", "--show"]);
    let (code, out, err) = text(&strict);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        err.contains("refuses users of these kinds: with only sub; phone only"),
        "{err}"
    );
    assert!(
        out.contains("\n  native: {\"email\":{\"S\":\"hanako@example.com\"}"),
        "{out}"
    );
    assert!(
        out.contains("\n  phone only: Plugin.Refused: item.email: there is nothing"),
        "{out}"
    );
}

#[test]
fn a_mapping_is_explained() {
    let toml = HEAD.to_owned()
        + "[settings]\nskip-when = \"user.attributes['custom:internal'] is defined\"\n\
           [settings.item]\nid = 'user.name'\nemail = 'user.attributes.email | lower'\nnick = 'user.attributes.nickname | optional'\n";
    let folder = TestFolder::new(&[(POOL, &toml)]);
    let tried = folder.poolhook(&["config", "try", POOL, "--json"]);
    let (code, out, err) = text(&tried);
    assert_eq!(code, Some(0), "{err}");
    let tried: Value = serde_json::from_str(&out).unwrap();
    let attributes = tried["attributes"].as_array().unwrap();
    let of = |name: &str| {
        attributes
            .iter()
            .find(|each| each["attribute"] == name)
            .unwrap()
    };
    assert_eq!(of("email")["expression"], "user.attributes.email | lower");
    assert_eq!(of("email")["line"], 7);
    let failed = of("email")["results"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    assert_eq!(failed["users"], json!(["with only sub", "phone only"]));
    assert!(
        failed["error"]["errorMessage"]
            .as_str()
            .unwrap()
            .starts_with("there is nothing")
    );
    let nick = of("nick")["results"].as_array().unwrap();
    assert_eq!(nick.len(), 3, "{nick:?}");

    let file = folder.path().join("event.json");
    fs::write(&file, event("custom-attributes")).unwrap();
    let tried = folder.poolhook(&["config", "try", POOL, file.to_str().unwrap()]);
    let (code, out, err) = text(&tried);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        out.contains("email  =  user.attributes.email | lower\n    {\"S\":\"hanako@example.com\"}"),
        "{out}"
    );
    assert!(
        out.contains("nick  =  user.attributes.nickname | optional\n    (left out)"),
        "{out}"
    );

    // Another plugin has no expressions; its items are shown.
    folder.configure(POOL, "table = 'User'\n");
    let tried = folder.poolhook(&["config", "try", POOL]);
    let (code, out, err) = text(&tried);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        out.contains("native: {\"email\":{\"S\":\"hanako@example.com\"}"),
        "{out}"
    );
    assert!(
        out.contains("phone only: skipped: the user has no email"),
        "{out}"
    );
    let unknown = folder.poolhook(&["config", "try", "eu-west-1_None00000"]);
    assert_eq!(unknown.status.code(), Some(2));
}

fn examples() -> Vec<PathBuf> {
    let folder = fs::read_dir(tests("../../docs/fields/examples")).unwrap();
    let files = folder.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|end| end == "toml"))
        .collect();
    files.sort();
    files
}

fn checked(folder: &TestFolder) -> Value {
    let check = folder.poolhook(&["config", "check", "--json"]);
    serde_json::from_slice(&check.stdout).unwrap()
}
