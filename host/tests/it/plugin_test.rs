//! `poolhook plugin test` as its user types it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::command_line::text;
use crate::hostile::hostile;
use crate::release_fixtures::mapper;
use crate::support::{POOL, TestFolder, event, tests};

const ID: &str = "0f3d5f0e-8f5c-4b55-9c1c-2c0a3a4c7e11";

/// A folder with a pool that has the default plugin, and these files below `cases`.
fn folder(files: &[(&str, &str)]) -> TestFolder {
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    for (path, content) in files {
        write(&folder, path, content);
    }
    folder
}

/// Writes a file below `cases`; `@NAME` stands for a sample event.
fn write(folder: &TestFolder, path: &str, content: &str) {
    let path = folder.path().join("cases").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    match content.strip_prefix('@') {
        Some(name) => fs::write(path, event(name)).unwrap(),
        None => fs::write(path, content).unwrap(),
    }
}

fn read(folder: &TestFolder, path: &str) -> String {
    fs::read_to_string(folder.path().join("cases").join(path)).unwrap()
}

fn run(folder: &TestFolder, arguments: &str) -> (Option<i32>, String, String) {
    let arguments: Vec<_> = arguments.split_whitespace().collect();
    text(&folder.poolhook(&[&["plugin", "test"], &arguments[..]].concat()))
}

/// With the pool's default plugin, `<id, email>`.
fn run_pool(folder: &TestFolder, arguments: &str) -> (Option<i32>, String, String) {
    run(folder, &format!(". --pool config/{POOL}.toml {arguments}"))
}

fn json_lines(out: &str) -> Vec<Value> {
    let line = |line| serde_json::from_str(line).unwrap();
    out.lines().map(line).collect()
}

#[test]
fn what_is_as_expected_passes() {
    let item = json!({ "id": { "S": ID }, "email": { "S": "hanako@example.com" } }).to_string();
    let folder = folder(&[
        ("README.md", "Not a case."),
        (".hidden/file", "Nor this."),
        ("signs-up/event.json", "@confirm-sign-up"),
        ("signs-up/item.json", &item),
        ("by-phone/event.json", "@phone-only"),
        ("by-phone/skip.txt", "the user has no email\r\n"),
        ("by-phone-for-any-reason/event.json", "@phone-only"),
        ("by-phone-for-any-reason/skip.txt", "\n"),
    ]);
    let (code, out, err) = run_pool(&folder, "");
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(err, format!("3 passed, 0 failed: config/{POOL}.toml\n"));
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 3, "{out}");
    assert!(lines[0].starts_with("passed  by-phone: "), "{out}");
    assert!(lines[2].starts_with("passed  signs-up: "), "{out}");
    assert!(
        lines[2].contains(" of 100000000 fuel, ") && lines[2].ends_with(" us"),
        "{out}"
    );

    let (code, out, _) = run_pool(&folder, "--json");
    assert_eq!(code, Some(0));
    let lines = json_lines(&out);
    assert_eq!(lines[2]["case"], "signs-up");
    assert_eq!(lines[2]["result"], "passed");
    assert_eq!(lines[2]["differences"], json!([]));
    assert_eq!(lines[2]["item"]["id"]["S"], ID);
    assert!(lines[2]["fuel"].as_u64().unwrap() > 0);
    assert_eq!(lines[0]["reason"], "the user has no email");
}

#[test]
fn what_differs_is_shown_attribute_by_attribute() {
    let item =
        json!({ "id": { "S": ID }, "email": { "S": "h" }, "plan": { "N": "1" } }).to_string();
    let folder = folder(&[
        ("item/event.json", "@confirm-sign-up"),
        ("item/item.json", &item),
        ("item-for-skip/event.json", "@confirm-sign-up"),
        ("item-for-skip/skip.txt", "nobody"),
        ("skip-for-error/event.json", "@phone-only"),
        ("skip-for-error/error.txt", "Plugin.Refused\nno email"),
        ("reason/event.json", "@phone-only"),
        ("reason/skip.txt", "no email"),
    ]);
    let (code, out, err) = run_pool(&folder, "");
    assert_eq!(code, Some(1), "{err}");
    assert!(err.starts_with("0 passed, 4 failed: "), "{err}");
    for expected in [
        "failed  item: ",
        "        item.email\n          expected {\"S\":\"h\"}\n          got      {\"S\":\"hanako@example.com\"}\n",
        "        item.plan\n          expected {\"N\":\"1\"}\n          got      nothing\n",
        "        outcome\n          expected skipped: nobody\n          got      the item {\"email\":",
        "          expected Plugin.Refused: no email\n          got      skipped: the user has no email\n",
        "        reason\n          expected no email\n          got      the user has no email\n",
    ] {
        assert!(out.contains(expected), "{expected}: {out}");
    }
    assert!(!out.contains("item.id"), "{out}");
    let lines = json_lines(&run_pool(&folder, "--json").1);
    let plan = json!({ "what": "item.plan", "expected": "{\"N\":\"1\"}", "got": null });
    assert_eq!(lines[0]["differences"][1], plan);
    assert_eq!(lines[0]["result"], "failed");
}

#[test]
fn errors_are_expected_by_name_and_message() {
    let folder = folder(&[
        ("any/event.json", "@confirm-sign-up"),
        ("any/error.txt", "Plugin.Refused"),
        ("message/event.json", "@confirm-sign-up"),
        ("message/error.txt", "Plugin.Refused\nnot my user\n"),
    ]);
    fs::write(folder.path().join("chatty.wasm"), hostile("an-error")).unwrap();
    fs::write(folder.path().join("trap.wasm"), hostile("trap")).unwrap();
    let (code, out, err) = run(&folder, "cases --component chatty.wasm");
    assert_eq!(code, Some(0), "{out}{err}");
    let (code, out, _) = run(&folder, ". --component trap.wasm");
    assert_eq!(code, Some(1));
    assert!(
        out.contains("error\n          expected Plugin.Refused\n          got      Plugin.Trap\n")
    );
    assert!(
        out.contains("message\n          expected not my user\n"),
        "{out}"
    );
}

#[test]
fn bless_writes_the_results_and_reports_them() {
    let item = json!({ "id": { "S": ID }, "email": { "S": "hanako@example.com" } }).to_string();
    let folder = folder(&[
        ("new/event.json", "@confirm-sign-up"),
        ("same/event.json", "@confirm-sign-up"),
        ("same/item.json", &item),
        ("other/event.json", "@phone-only"),
        ("other/item.json", &item),
    ]);
    let (code, _, err) = run_pool(&folder, "");
    assert_eq!(code, Some(2));
    assert!(
        err.contains("cases/new has none of item.json, skip.txt and error.txt; `--bless`"),
        "{err}"
    );

    let (code, out, err) = run_pool(&folder, "--bless");
    assert_eq!(code, Some(0), "{err}");
    assert!(err.starts_with("1 passed, 2 blessed, 0 failed: "), "{err}");
    assert!(out.contains("blessed new: "), "{out}");
    assert!(
        out.contains("expected nothing\n          got      the item {"),
        "{out}"
    );
    assert!(
        out.contains("expected an item\n          got      skipped: the user has no email\n"),
        "{out}"
    );
    let written: Value = serde_json::from_str(&read(&folder, "new/item.json")).unwrap();
    assert_eq!(written.to_string(), item);
    assert_eq!(read(&folder, "same/item.json"), item, "left as it is");
    assert_eq!(read(&folder, "other/skip.txt"), "the user has no email\n");
    assert!(!folder.path().join("cases/other/item.json").exists());
    assert_eq!(run_pool(&folder, "").0, Some(0));

    fs::write(folder.path().join("chatty.wasm"), hostile("an-error")).unwrap();
    fs::write(folder.path().join("trap.wasm"), hostile("trap")).unwrap();
    assert_eq!(run(&folder, "--component chatty.wasm --bless").0, Some(0));
    assert_eq!(
        read(&folder, "new/error.txt"),
        "Plugin.Refused\nnot my user\n"
    );
    // A trap is no result to expect, unless it is asked for.
    let before = read(&folder, "new/error.txt");
    assert_eq!(run(&folder, "--component trap.wasm --bless").0, Some(1));
    assert_eq!(read(&folder, "new/error.txt"), before);
    let one = "--component chatty.wasm --case new --json";
    let (code, out, err) = run(&folder, one);
    assert_eq!((code, out.lines().count()), (Some(0), 1), "{err}");
    let (code, _, err) = run(&folder, "--component chatty.wasm --case none");
    assert_eq!(code, Some(2));
    assert!(err.contains("there is no case none"), "{err}");
    let asked = "--component trap.wasm --bless --bless-traps";
    assert_eq!(run(&folder, asked).0, Some(0));
    assert_eq!(read(&folder, "new/error.txt"), "Plugin.Trap\n");
    assert_eq!(run(&folder, "--component trap.wasm").0, Some(0));
}

#[test]
fn the_time_is_always_the_same_and_settings_come_from_the_case_first() {
    // The frozen plugin echoes its input.
    let component = tests("frozen/mapper-0-1-0/mapper-0-1-0.wasm");
    let folder = folder(&[
        ("its-own/event.json", "@confirm-sign-up"),
        ("its-own/settings.toml", "from = 'the case'"),
        ("none/event.json", "@confirm-sign-up"),
    ]);
    fs::write(folder.path().join("settings.toml"), "from = 'the option'").unwrap();
    let arguments = format!(
        "--bless --json --settings settings.toml --component {}",
        component.display()
    );
    let (code, out, err) = run(&folder, &arguments);
    assert_eq!(code, Some(0), "{err}");
    let lines = json_lines(&out);
    assert_eq!(lines[0]["item"]["settings"]["S"], r#"{"from":"the case"}"#);
    assert_eq!(
        lines[1]["item"]["settings"]["S"],
        r#"{"from":"the option"}"#
    );
    let time = &lines[1]["item"]["time"]["S"];
    assert_eq!(time, "2026-11-23T09:06:52.123Z");
    assert_eq!(lines[1]["item"]["timeMs"]["N"], "1795424812123");
}

#[test]
fn a_pools_limits_and_key_apply() {
    let folder = folder(&[
        ("a/event.json", "@confirm-sign-up"),
        ("a/error.txt", "Item.KeyNotTheUsers"),
    ]);
    folder.configure(
        "defaults",
        "table = 'User'\nkey = { equals = 'USER#{userName}' }",
    );
    folder.configure(POOL, "");
    let (code, out, _) = run_pool(&folder, "");
    assert_eq!(code, Some(0), "{out}");
    folder.configure(POOL, "limits.fuel = 10");
    let (code, out, _) = run_pool(&folder, "");
    assert_eq!(code, Some(1));
    assert!(
        out.contains(" of 10 fuel, ") && out.contains("got      Plugin.FuelLimit"),
        "{out}"
    );

    folder.configure(POOL, "plugin = 'acme'");
    let (code, _, err) = run_pool(&folder, "");
    assert_eq!(code, Some(2));
    assert!(
        err.contains("`--component FILE.wasm`") && err.contains("`acme`"),
        "{err}"
    );
    folder.configure(POOL, "tabel = 'User'");
    let (code, _, err) = run_pool(&folder, "");
    assert_eq!(code, Some(2));
    assert!(err.contains(".toml:1:1: tabel"), "{err}");
    let (code, _, err) = run(&folder, "--pool config/defaults.toml");
    assert_eq!(code, Some(2));
    assert!(
        err.contains("config/defaults.toml is not named after a user pool"),
        "{err}"
    );
}

#[test]
fn the_default_component_is_the_one_that_plugin_build_writes() {
    let folder = folder(&[]);
    let project = folder.path().join("acme");
    fs::create_dir_all(project.join("cases/one")).unwrap();
    fs::write(
        project.join("cases/one/event.json"),
        event("confirm-sign-up"),
    )
    .unwrap();
    fs::write(project.join("cases/one/error.txt"), "Plugin.Refused").unwrap();
    let (code, _, err) = run(&folder, "acme");
    assert_eq!(code, Some(2));
    let missing = Path::new("acme/acme.wasm").display();
    assert!(
        err.contains(&format!(
            "{missing} does not exist. `poolhook plugin build`"
        )),
        "{err}"
    );
    fs::write(project.join("acme.wasm"), hostile("an-error")).unwrap();
    assert_eq!(run(&folder, "acme").0, Some(0));
    let mut here = folder.command(&["plugin", "test"]);
    assert_eq!(
        text(&here.current_dir(&project).output().unwrap()).0,
        Some(0)
    );
}

#[test]
fn mistakes_in_cases_are_reported_all_at_once() {
    let folder = folder(&[
        ("no-event/item.json", "{}"),
        ("bad-event/event.json", "{}"),
        ("bad-event/skip.txt", ""),
        ("two/event.json", "@confirm-sign-up"),
        ("two/item.json", "{}"),
        ("two/skip.txt", ""),
        ("bad-item/event.json", "@confirm-sign-up"),
        ("bad-item/item.json", r#"{"id":{"S":1}}"#),
        ("bad-rule/event.json", "@confirm-sign-up"),
        ("bad-rule/item.json", r#"{"id":{"SS":[]}}"#),
        ("bad-error/event.json", "@confirm-sign-up"),
        ("bad-error/error.txt", "\nno name"),
        ("bad-settings/event.json", "@confirm-sign-up"),
        ("bad-settings/settings.toml", "a = "),
        ("bad-settings/skip.txt", ""),
        ("stray/event.json", "@confirm-sign-up"),
        ("stray/settings.json", "{}"),
        ("stray/skip.txt", ""),
    ]);
    fs::write(folder.path().join("acme.wasm"), mapper(1)).unwrap();
    for bless in ["", "--bless"] {
        let (code, out, err) = run(&folder, &format!("--component acme.wasm {bless}"));
        assert_eq!((code, out.as_str()), (Some(2), ""));
        for says in [
            "cases/no-event has no event.json",
            "cases/bad-event/event.json: the event has no `userPoolId`",
            "cases/two has more than one expected result; leave only one of",
            "cases/bad-item/item.json: invalid type: integer",
            "cases/bad-rule/item.json: the attribute `id` is an empty set",
            "cases/bad-error/error.txt: its first line must be an error's name",
            "cases/bad-settings/settings.toml: ",
            "cases/stray has settings.json; a case may only have the files event.json, settings.toml,",
        ] {
            assert!(err.contains(says), "{says}: {err}");
        }
    }
}

#[test]
fn no_case_is_an_error() {
    let folder = folder(&[]);
    fs::create_dir(folder.path().join("empty")).unwrap();
    for (arguments, says) in [
        (
            "empty --component acme.wasm",
            "no case found in empty: a case is a folder with event.json",
        ),
        ("nowhere", "nowhere"),
        ("--component a.wasm --pool b.toml", "cannot be used with"),
        ("--settings a.toml --pool b.toml", "cannot be used with"),
    ] {
        let (code, out, err) = run(&folder, arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments}");
        assert!(err.contains(says), "{arguments}: {err}");
    }
}
