//! The commands as a user types them.

use std::fs;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::hostile::default_plugin;
use crate::support::{POOL, TestFolder, tests};

pub(crate) fn text(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

pub(crate) fn sample(name: &str) -> String {
    tests(&format!("events/{name}.json")).display().to_string()
}

const ITEM: &str = "{\"email\":{\"S\":\"hanako@example.com\"},\"id\":{\"S\":\"0f3d5f0e-8f5c-4b55-9c1c-2c0a3a4c7e11\"}}\n";

#[test]
fn run_writes_prints_and_is_idempotent() {
    let folder = TestFolder::with_sample_pools();
    let event = sample("confirm-sign-up");
    let (code, out, err) = text(&folder.poolhook(&["run", &event]));
    assert_eq!((code, out.as_str()), (Some(0), ITEM), "{err}");
    assert!(err.contains("written to User"), "{err}");
    let (code, out, err) = text(&folder.poolhook(&["run", &event]));
    assert_eq!((code, out.as_str()), (Some(0), ITEM), "{err}");
    assert!(err.contains("already there"), "{err}");

    let (code, out, _) = text(&folder.poolhook(&["items", "User"]));
    assert_eq!((code, out.as_str()), (Some(0), ITEM));
    let (_, out, _) = text(&folder.poolhook(&["items", "User", "--json"]));
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["Count"], 1);
}

#[test]
fn run_continues_after_a_bad_event_and_reports_it() {
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    let arguments = [
        "run",
        "--json",
        &sample("other-pool"),
        &sample("confirm-sign-up"),
    ];
    let (code, out, _) = text(&folder.poolhook(&arguments));
    assert_eq!(code, Some(1));
    let lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["error"]["errorType"], "Config.UnknownPool");
    assert_eq!(lines[1]["outcome"], "written");
    assert_eq!(lines[1]["item"]["email"]["S"], "hanako@example.com");
}

#[test]
fn run_tries_out_a_plugin_and_rejects_a_truncated_one() {
    let folder = TestFolder::with_sample_pools();
    let event = sample("confirm-sign-up");
    let component = fs::read(default_plugin()).unwrap();
    fs::write(folder.path().join("mine.wasm"), &component).unwrap();
    fs::write(
        folder.path().join("half.wasm"),
        &component[..component.len() / 2],
    )
    .unwrap();

    let (code, out, err) = text(&folder.poolhook(&["run", "--plugin", "half.wasm", &event]));
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(
        err.contains("half.wasm: Plugin.NotAComponent: not a WebAssembly component"),
        "{err}"
    );
    let (code, out, err) = text(&folder.poolhook(&["run", "--plugin", "mine.wasm", &event]));
    assert_eq!((code, out.as_str()), (Some(0), ITEM), "{err}");
    assert!(err.contains("plugin mine"), "{err}");
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let folder = TestFolder::with_sample_pools();
    let event = sample("confirm-sign-up");
    let mut command = folder.command(&["run", &event, &event]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let (code, _, err) = text(&child.wait_with_output().unwrap());
    assert_eq!(code, Some(0), "{err}");
    assert!(!err.contains("panicked"), "{err}");
}

#[test]
fn config_check_names_file_line_key_and_rule() {
    let folder = TestFolder::with_sample_pools();
    let (code, out, _) = text(&folder.poolhook(&["config", "check"]));
    assert_eq!(code, Some(0));
    assert!(out.contains("User in ap-northeast-1"), "{out}");

    folder.configure(POOL, "# A comment.\ntabel = 'User'\n[limits]\nfuel = 0\n");
    folder.configure("not a pool", "table = 'User'");
    folder.configure("eu-west-1_Unknown", "table = 'User'\nplugin = 'acme'");
    let (code, _, err) = text(&folder.poolhook(&["config", "check"]));
    assert_eq!(code, Some(1));
    let pool = format!("config/{POOL}.toml");
    for expected in [
        &format!("{pool}:2:1: tabel: unknown field"),
        &format!("{pool}:4:8: limits.fuel: must be from 1 to"),
        "config/not a pool.toml is not named after a user pool",
        "config/eu-west-1_Unknown.toml: plugin: the plugin `acme` is unknown",
    ] {
        assert!(err.contains(expected), "{expected} is not in\n{err}");
    }
    let (_, out, _) = text(&folder.poolhook(&["config", "check", "--json"]));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["errors"].as_array().unwrap().len(), 4, "{report}");
}

#[test]
fn errors_say_what_to_do() {
    let folder = TestFolder::with_sample_pools();
    for (arguments, expected) in [
        (&["items", "User"][..], "`poolhook run` creates it"),
        (&["run", "nowhere.json"], "cannot read nowhere.json"),
        (&["run", "--config", "nowhere", "-"], "cannot reach nowhere"),
        (&["run"], "Usage:"),
        (&["plugin", "build", "nowhere"], "nowhere"),
    ] {
        let (code, out, err) = text(&folder.poolhook(arguments));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
    for command in [&["--help"][..], &["run", "--help"], &["serve", "--help"]] {
        let (code, out, _) = text(&folder.poolhook(command));
        assert_eq!(code, Some(0));
        assert!(out.contains("Usage:"), "{out}");
    }
}
