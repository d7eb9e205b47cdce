//! The commands as a user types them.

use std::fs;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::hostile::default_plugin;
use crate::support::{OTHER_POOL, POOL, TestFolder, event, tests};

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

/// Nothing of a help page is wrapped on a terminal of 80 columns, so examples can be copied.
#[test]
fn examples_survive_80_columns() {
    let folder = TestFolder::new(&[]);
    let help = |words: &[&str]| {
        let mut command = folder.command(words);
        let (code, out, err) = text(&command.arg("--help").env("COLUMNS", "80").output().unwrap());
        assert_eq!(code, Some(0), "{words:?}: {err}");
        out
    };
    let mut pages = vec![Vec::new()];
    let mut examples = 0;
    while let Some(words) = pages.pop() {
        let out = help(&words.iter().map(String::as_str).collect::<Vec<_>>());
        for line in out.lines() {
            assert!(line.chars().count() <= 80, "{words:?}: {line}");
        }
        if let Some((_, after)) = out.split_once("Examples:") {
            let commands = after.lines().filter(|line| line.starts_with("  poolhook"));
            examples += commands.count();
        }
        let commands = out
            .split_once("Commands:\n")
            .map_or("", |(_, commands)| commands);
        let commands = commands.lines().take_while(|line| line.starts_with("  "));
        let names = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
        for name in names.filter(|name| !name.is_empty() && *name != "help") {
            pages.push([&words[..], &[name.to_owned()]].concat());
        }
    }
    assert!(examples > 40, "{examples}");
}

#[test]
fn missing_credentials_are_named() {
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    fs::write(folder.path().join("event.json"), event("confirm-sign-up")).unwrap();
    for command in [
        &["run", "--dynamodb", "event.json"][..],
        &["backfill", POOL, "--dynamodb"],
        &["config", "check", "s3://bucket/config"],
    ] {
        let mut command = folder.command(command);
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"] {
            command.env_remove(name);
        }
        command.env("AWS_REGION", "eu-west-1");
        let (code, _, err) = text(&command.output().unwrap());
        assert_ne!(code, Some(0), "{err}");
        assert!(
            err.contains("no credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID"),
            "{err}"
        );
    }
}

#[test]
fn the_version_names_the_commit() {
    let (_, out, _) = text(&TestFolder::new(&[]).poolhook(&["--version"]));
    let (version, commit) = out.trim().split_once(" (commit ").unwrap();
    assert_eq!(version, format!("poolhook {}", env!("CARGO_PKG_VERSION")));
    let commit = commit.strip_suffix(')').unwrap();
    let is_hex = commit.len() == 12 && commit.bytes().all(|b| b.is_ascii_hexdigit());
    assert!(is_hex || commit == "unknown", "{out}");
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
        &format!("{pool}:2:1: tabel: unknown key; did you mean `table`?"),
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
fn config_check_without_a_pool_is_a_failure_and_names_what_it_ignores() {
    let folder = TestFolder::new(&[("defaults", "table = 'User'"), ("host", "")]);
    let (code, _, err) = text(&folder.poolhook(&["config", "check"]));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("no pool has a file in config"), "{err}");
    let ignored = [
        format!("{POOL}.TOML"),
        format!("{POOL}.toml.txt"),
        format!("{POOL}.yaml"),
        format!("eu/{POOL}.toml"),
    ];
    std::fs::create_dir(folder.config().join("eu")).unwrap();
    for name in &ignored {
        std::fs::write(folder.config().join(name), "table = 'User'").unwrap();
    }
    // Neither of these looks like a config.
    for name in ["README.md", ".hidden.toml"] {
        std::fs::write(folder.config().join(name), "").unwrap();
    }
    let (code, out, err) = text(&folder.poolhook(&["config", "check", "--json"]));
    assert_eq!(code, Some(1), "{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    let found = report["ignored"].as_array().unwrap();
    assert_eq!(found.len(), ignored.len(), "{report}");
    let (_, _, err) = text(&folder.poolhook(&["config", "check"]));
    for name in &ignored {
        assert!(err.contains(&format!("{name} is ignored")), "{err}");
    }
    folder.configure(POOL, "");
    let (code, _, err) = text(&folder.poolhook(&["config", "check"]));
    assert_eq!(code, Some(0), "{err}");
}

/// A key after a table header belongs to the table.
#[test]
fn config_check_warns_of_keys_that_lost_their_place() {
    let folder = TestFolder::new(&[
        ("defaults", "table = 'Shared'"),
        (
            POOL,
            "[settings]\ncolor = 'red'\ntable = 'TenantB'\n[settings.more]\nwrite = 'replace'\n",
        ),
        (
            OTHER_POOL,
            "plugin = 'fields'\n[settings.item]\nid = 'user.name'\nregion = \"'eu'\"\n",
        ),
    ]);
    let (code, out, err) = text(&folder.poolhook(&["config", "check", "--json"]));
    assert_eq!(code, Some(0), "{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert!(report["errors"].as_array().unwrap().is_empty(), "{report}");
    let found: Vec<_> = report["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|warning| {
            assert_eq!(warning["severity"], "warning");
            (
                warning["key"].as_str().unwrap(),
                warning["line"].as_u64().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("settings.table", 3),
        ("settings.more.write", 5),
        ("settings", 1),
        ("settings.item.region", 4),
    ];
    for warning in expected {
        assert!(found.contains(&warning), "{warning:?} is not in {found:?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:?}");
    let (code, _, err) = text(&folder.poolhook(&["config", "check", "--strict"]));
    assert_eq!(code, Some(1));
    assert!(err.contains("`table` is a key of poolhook's"), "{err}");
    assert!(err.contains("takes no settings"), "{err}");
}

#[test]
fn small_commands_end_as_expected() {
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    let path = crate::support::tests("events/confirm-sign-up.json");
    let (code, out, err) = text(&folder.poolhook(&["run", "--dry-run", path.to_str().unwrap()]));
    assert_eq!(code, Some(0), "{err}");
    assert!(
        out.contains("hanako") && err.contains("would be written"),
        "{out}{err}"
    );
    assert!(folder.items("User").is_empty());
    let (code, _, err) = text(&folder.poolhook(&["plugin", "new", "fields"]));
    assert_eq!(code, Some(2));
    assert!(err.contains("built-in"), "{err}");
    std::fs::create_dir(folder.path().join("poolhook.blobs")).unwrap();
    let (code, _, err) = text(&folder.poolhook(&["plugin", "show", "nope"]));
    assert_eq!(code, Some(1), "{err}");
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
