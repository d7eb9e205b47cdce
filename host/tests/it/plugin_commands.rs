//! `poolhook plugin` as its user types it, except `plugin new`.

use std::fs;
use std::path::Path;

use poolhook::digest::Sha256;
use poolhook::plugin::{ENGINE, TARGET};
use serde_json::{Value, json};

use crate::command_line::{sample, text};
use crate::hostile::{hostile, hostile_module};
use crate::release_fixtures::{ACME, Lab, entry, machine_code, mapper};
use crate::support::{TestFolder, tests};

/// A folder with some components and nothing published.
fn folder() -> TestFolder {
    let folder = TestFolder::new(&[]);
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("acme.wasm", &mapper(1));
    write("v2.wasm", &mapper(2));
    write("v3.wasm", &mapper(3));
    write("trap.wasm", &hostile("trap"));
    write("half.wasm", &mapper(1)[..200]);
    write("chatty.wasm", &hostile("an-error"));
    folder
}

/// Exit code, standard output and standard error.
fn run(folder: &TestFolder, arguments: &str) -> (Option<i32>, String, String) {
    let arguments: Vec<_> = arguments.split_whitespace().collect();
    text(&folder.poolhook(&[&["plugin"], &arguments[..]].concat()))
}

/// The JSON object that a command prints; it must end with this exit code.
fn run_json(folder: &TestFolder, arguments: &str, code: i32) -> Value {
    let mut lines = run_json_lines(folder, arguments, code);
    assert_eq!(lines.len(), 1, "{arguments}: {lines:?}");
    lines.remove(0)
}

fn run_json_lines(folder: &TestFolder, arguments: &str, code: i32) -> Vec<Value> {
    let (found, out, err) = run(folder, &format!("{arguments} --json"));
    assert_eq!(found, Some(code), "{arguments}: {err}");
    let line = |line| serde_json::from_str(line).unwrap();
    out.lines().map(line).collect()
}

fn digest(version: usize) -> String {
    Sha256::of(&mapper(version)).to_string()
}

fn first(version: usize, digits: usize) -> String {
    digest(version).chars().take(digits).collect()
}

#[test]
fn without_releases_each_command_says_what_to_do() {
    let folder = folder();
    for command in ["list", "show acme", "rollback acme", "rebuild"] {
        let (code, out, err) = run(&folder, command);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{command}");
        assert!(
            err.contains("the folder poolhook.blobs does not exist"),
            "{err}"
        );
        assert!(err.contains("`poolhook plugin publish`"), "{err}");
        // Reading commands do not create the folder.
        assert!(!folder.path().join("poolhook.blobs").exists(), "{command}");
    }
    fs::create_dir(folder.path().join("poolhook.blobs")).unwrap();
    for (command, expected, says) in [
        ("list", 0, "`poolhook plugin publish` publishes one"),
        ("show acme", 1, "no release is published as acme"),
        ("rebuild", 0, "0 built for wasmtime-"),
        (
            "rollback acme",
            2,
            "`poolhook plugin publish FILE.wasm --name acme`",
        ),
        (
            "rollback acme --to abcd",
            2,
            "acme has no release with the digest abcd",
        ),
    ] {
        let (code, out, err) = run(&folder, command);
        assert_eq!(
            (code, out.as_str()),
            (Some(expected), ""),
            "{command}: {err}"
        );
        assert!(err.contains(says), "{command}: {err}");
    }
    assert!(run_json_lines(&folder, "list", 0).is_empty());
    let shown = run_json(&folder, "show acme", 1);
    let nothing = json!({ "plugin": ACME, "live": null, "releases": [], "rejection": null });
    assert_eq!(shown, nothing);
}

#[test]
fn publish_list_show_and_roll_back() {
    let folder = folder();
    let (code, out, err) = run(&folder, "publish acme.wasm");
    assert_eq!((code, out), (Some(0), digest(1) + "\n"), "{err}");
    assert!(err.contains("acme: live; a mapper of"), "{err}");
    assert!(
        err.contains("it puts 1 attributes for the sample user"),
        "{err}"
    );

    let (code, out, err) = run(&folder, "rollback acme");
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("was published before the live one"), "{err}");
    assert!(err.contains("`poolhook plugin show acme`"), "{err}");

    let published = run_json(&folder, "publish v2.wasm --name acme", 0);
    let sample = &published["sample"];
    assert_eq!(sample["item"].as_object().unwrap().len(), 1, "{published}");
    assert!(sample["fuel"].as_u64().unwrap() > 0);
    for (key, expected) in [
        ("plugin", json!("acme")),
        ("published", json!("live")),
        ("accepted", json!(true)),
        ("sha256", json!(digest(2))),
        ("bytes", json!(mapper(2).len())),
        ("engine", json!(ENGINE)),
        ("target", json!(TARGET)),
    ] {
        assert_eq!(published[key], expected, "{published}");
    }
    run(&folder, "publish v3.wasm --name acme");
    run(&folder, "publish v3.wasm --name other");

    let (code, out, _) = run(&folder, "list");
    assert_eq!(code, Some(0));
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    let start = format!("acme  sha256:{}  since 2", digest(3));
    assert!(lines[0].starts_with(&start), "{out}");
    let listed = run_json_lines(&folder, "list", 0);
    let plugins: Vec<_> = listed.iter().map(|line| &line["plugin"]).collect();
    assert_eq!(plugins, ["acme", "other"]);
    assert_eq!(listed[0]["live"]["sha256"], digest(3));

    let (_, out, _) = run(&folder, "show acme");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 3, "{out}");
    for (line, version) in lines.iter().zip([3, 2, 1]) {
        assert!(
            line.contains(&format!("sha256:{}", digest(version))),
            "{out}"
        );
        assert_eq!(line.starts_with("live"), version == 3, "{out}");
    }

    // Back twice, until there is no earlier release.
    let (code, out, err) = run(&folder, "rollback acme");
    assert_eq!((code, out), (Some(0), digest(2) + "\n"), "{err}");
    assert!(err.contains("acme: live again, since "), "{err}");
    let moved = run_json(&folder, "rollback acme", 0);
    assert_eq!(moved["live"]["sha256"], digest(1));
    assert_eq!(moved["before"]["sha256"], digest(2));
    assert_eq!(moved["plugin"], "acme");
    assert_eq!(run(&folder, "rollback acme").0, Some(2));
    let shown = run_json(&folder, "show acme", 0);
    assert_eq!(shown["live"]["sha256"], digest(1));
    assert_eq!(shown["releases"].as_array().unwrap().len(), 3);

    let (code, out, _) = run(&folder, &format!("rollback acme --to {}", first(3, 8)));
    assert_eq!((code, out), (Some(0), digest(3) + "\n"));
    let (code, out, _) = run(&folder, &format!("rollback acme --to sha256:{}", digest(2)));
    assert_eq!((code, out), (Some(0), digest(2) + "\n"));
    for (to, says) in [
        (
            "0123456789abcdef",
            "acme has no release with the digest 0123456789abcdef",
        ),
        ("abc", "first 4 digits"),
        ("ABCDEF", "first 4 digits"),
        ("../../acme", "first 4 digits"),
    ] {
        let (code, out, err) = run(&folder, &format!("rollback acme --to {to}"));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{to}");
        assert!(err.contains(says), "{to}: {err}");
    }
    assert_eq!(
        run_json(&folder, "show acme", 0)["live"]["sha256"],
        digest(2)
    );
}

#[test]
fn a_digest_prefix_must_identify_one_release() {
    let lab = Lab::new();
    let mut seen = std::collections::HashMap::new();
    let (one, other) = (0..)
        .find_map(|version| {
            let before = seen.insert(first(version, 4), version);
            before.map(|before| (before, version))
        })
        .unwrap();
    for version in [one, other] {
        lab.lay(ACME, &mapper(version), &machine_code());
    }
    let prefix = first(one, 4);
    let (code, out, err) = run(&lab.folder, &format!("rollback acme --to {prefix}"));
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(
        err.contains(&format!(
            "several releases whose digest starts with {prefix}"
        )),
        "{err}"
    );
    let whole = digest(one);
    let (code, out, err) = run(&lab.folder, &format!("rollback acme --to {whole}"));
    assert_eq!((code, out), (Some(0), whole + "\n"), "{err}");
}

#[test]
fn a_rejection_is_printed_stored_and_shown() {
    let folder = folder();
    let (code, out, err) = run(&folder, "publish trap.wasm --name acme");
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("acme: rejected; Plugin.Trap: "), "{err}");
    assert!(err.contains("`poolhook plugin run`"), "{err}");
    let (_, _, err) = run(&folder, "show acme");
    assert!(err.contains("was rejected: Plugin.Trap: "), "{err}");
    assert!(err.contains("`poolhook plugin run`"), "{err}");

    let rejected = run_json(&folder, "publish half.wasm --name acme", 1);
    assert_eq!(rejected["accepted"], false);
    assert_eq!(rejected["published"], "rejected");
    assert_eq!(rejected["plugin"], "acme");
    assert_eq!(rejected["errorType"], "Plugin.NotAComponent");
    let shown = run_json(&folder, "show acme", 0);
    let why = &shown["rejection"];
    assert_eq!(why["errorType"], "Plugin.NotAComponent");
    assert_eq!(why["errorMessage"], rejected["errorMessage"]);
    assert_eq!(why["advice"], rejected["advice"]);

    let rejected = run_json(&folder, "publish acme.wasm --name default", 1);
    assert_eq!(rejected["errorType"], "Upload.NameTaken");

    // The limits are those of host.toml.
    let host = folder.config().join("host.toml");
    fs::write(&host, "[publish]\ncomponent-bytes = 1024").unwrap();
    let rejected = run_json(&folder, "publish acme.wasm", 1);
    assert_eq!(rejected["errorType"], "Upload.TooLarge");
    assert_eq!(
        run_json(&folder, "check acme.wasm", 1)["errorType"],
        "Upload.TooLarge"
    );
    fs::write(&host, "[publish]\ncomponent-byte = 1024").unwrap();
    let (code, _, err) = run(&folder, "publish acme.wasm");
    assert_eq!(code, Some(2));
    assert!(
        err.contains("host.toml:2:1: publish.component-byte"),
        "{err}"
    );
    fs::remove_file(host).unwrap();

    let (code, _, _) = run(&folder, "publish acme.wasm");
    assert_eq!(code, Some(0));
    assert_eq!(run_json(&folder, "show acme", 0)["rejection"], Value::Null);
    for (arguments, says) in [
        ("publish nowhere.wasm", "nowhere.wasm"),
        ("publish acme.wasm --name A", "1 to 64 lower-case letters"),
        ("publish acme.wasm --settings acme.wasm", "acme.wasm"),
        ("publish acme.wasm --blobs s3://", "s3://bucket/prefix"),
    ] {
        let (code, out, err) = run(&folder, arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments}");
        assert!(err.contains(says), "{arguments}: {err}");
    }
}

#[test]
fn a_later_upload_stays_live_and_is_named() {
    let folder = folder();
    run(&folder, "publish acme.wasm");
    let pointer = folder.path().join("poolhook.blobs/releases/acme/live.json");
    let later = json!({ "sha256": digest(1), "since": "2999-01-01T00:00:00.000Z" });
    fs::write(&pointer, later.to_string()).unwrap();
    let (code, out, err) = run(&folder, "publish v2.wasm --name acme");
    assert_eq!((code, out), (Some(1), digest(2) + "\n"));
    assert!(err.contains("published, but not live"), "{err}");
    assert!(err.contains("2999") && err.contains(&digest(1)), "{err}");
    let published = run_json(&folder, "publish v2.wasm --name acme", 1);
    assert_eq!(published["published"], "superseded");
    // A rollback always takes effect, whatever the clocks show.
    let moved = run_json(&folder, &format!("rollback acme --to {}", digest(2)), 0);
    assert_eq!(moved["live"]["sha256"], digest(2));
    assert_eq!(
        run_json(&folder, "show acme", 0)["live"]["sha256"],
        digest(2)
    );
}

#[test]
fn rebuild_compiles_what_is_missing_and_continues_after_a_failure() {
    let lab = Lab::new();
    let other_engine = |plugin: &str, component: &[u8]| {
        let mut release = lab.lay(plugin, component, b"of another engine");
        release.artifacts = vec![entry("wasmtime-36.0.2", TARGET, b"of another engine")];
        lab.put_release(&release);
    };
    other_engine(ACME, &mapper(1));
    other_engine(ACME, &mapper(2));
    other_engine("broken", b"never a component");
    lab.lay("whole", &mapper(3), &machine_code());
    let (_, out, _) = run(&lab.folder, "show acme");
    assert!(
        out.contains("not built for this version: `poolhook plugin rebuild`"),
        "{out}"
    );

    let lines = run_json_lines(&lab.folder, "rebuild", 1);
    let outcomes: Vec<_> = lines.iter().map(|line| &line["outcome"]).collect();
    assert_eq!(outcomes, ["built", "failed", "already built"]);
    assert_eq!(
        lines[0]["sha256"],
        digest(2),
        "only what is live: {lines:?}"
    );
    assert_eq!(lines[0]["engine"], ENGINE);
    assert_eq!(lines[0]["target"], TARGET);
    assert_eq!(lines[0]["error"], Value::Null);
    assert_eq!(lines[1]["error"]["errorType"], "Plugin.NotAComponent");
    assert_eq!(lab.mapped_with(), Sha256::of(&mapper(2)));

    let (code, out, err) = run(&lab.folder, "rebuild --all");
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(
        err.contains("broken sha256:") && err.contains("Plugin.NotAComponent"),
        "{err}"
    );
    assert!(
        err.contains(&format!("1 built for {ENGINE} on {TARGET}, 1 failed")),
        "{err}"
    );
    let (_, out, _) = run(&lab.folder, "show acme");
    assert!(!out.contains("not built"), "{out}");
    let (_, _, err) = run(&lab.folder, "rebuild --all");
    assert!(err.contains("0 built for"), "{err}");
}

#[test]
fn check_writes_nothing_and_reports_what_publishing_would() {
    let folder = folder();
    let before = names(folder.path());
    let (code, out, err) = run(&folder, "check acme.wasm");
    assert_eq!((code, out.as_str()), (Some(0), ""));
    assert!(err.contains("acme.wasm: a mapper of"), "{err}");
    let checked = run_json(&folder, "check acme.wasm", 0);
    assert_eq!(checked["accepted"], true);
    assert_eq!(checked["sha256"], digest(1));
    let (code, _, err) = run(&folder, "check trap.wasm");
    assert_eq!(code, Some(1));
    assert!(
        err.contains("trap.wasm: Plugin.Trap: with a sample user: "),
        "{err}"
    );
    let rejected = run_json(&folder, "check chatty.wasm", 1);
    assert_eq!(rejected["errorType"], "Plugin.Refused");
    let message = rejected["errorMessage"].as_str().unwrap();
    assert!(message.contains("not my user"), "{message}");
    assert!(rejected["advice"].as_str().unwrap().contains("--settings"));
    assert_eq!(run(&folder, "check nowhere.wasm").0, Some(2));
    assert_eq!(names(folder.path()), before);
}

#[test]
fn run_shows_items_costs_and_failures() {
    let folder = folder();
    let event = sample("confirm-sign-up");
    let (code, out, err) = run(&folder, &format!("run acme.wasm {event}"));
    let item = "{\"id\":{\"S\":\"0f3d5f0e-8f5c-4b55-9c1c-2c0a3a4c7e11\"}}\n";
    assert_eq!((code, out.as_str()), (Some(0), item), "{err}");
    assert!(err.contains(" of 100000000 fuel, "), "{err}");

    let other = sample("other-pool");
    let lines = run_json_lines(&folder, &format!("run acme.wasm {event} {other}"), 0);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["event"], event);
    assert_eq!(lines[0]["outcome"], "put");
    assert_eq!(
        lines[0]["item"]["id"]["S"],
        "0f3d5f0e-8f5c-4b55-9c1c-2c0a3a4c7e11"
    );
    assert!(lines[0]["fuel"].as_u64().unwrap() > 0);
    assert_eq!(lines[0]["error"], Value::Null);

    let (code, out, err) = run(&folder, &format!("run chatty.wasm {event}"));
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(
        err.contains("Plugin.Refused: ") && err.contains("not my user"),
        "{err}"
    );
    let failed = run_json(&folder, &format!("run trap.wasm {event}"), 1);
    assert_eq!(failed["outcome"], "failed");
    assert_eq!(failed["error"]["errorType"], "Plugin.Trap");
    let says = failed["error"]["errorMessage"].as_str().unwrap();
    assert!(
        says.contains("Probably a panic, an assertion, abort(), a clock"),
        "{says}"
    );
    assert!(
        says.ends_with("Functions, the innermost first: to_item"),
        "{says}"
    );

    let no_event = tests("events").join("nowhere.json");
    for (arguments, says) in [
        (
            format!("run half.wasm {event}"),
            "not a WebAssembly component",
        ),
        (format!("run nowhere.wasm {event}"), "nowhere.wasm"),
        (
            format!("run acme.wasm {}", no_event.display()),
            "cannot read",
        ),
        ("run acme.wasm".to_owned(), "Usage:"),
    ] {
        let (code, out, err) = run(&folder, &arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments}");
        assert!(err.contains(says), "{arguments}: {err}");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<_> = entries.map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

#[test]
fn a_proposal_that_is_off_is_named_wherever_a_component_is_looked_at() {
    let folder = folder();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("module.wasm", &hostile_module("threads"));
    write("threads.wasm", &hostile("threads"));
    let event = sample("confirm-sign-up");
    for (command, code) in [
        ("build module.wasm --output built.wasm", 2),
        ("check threads.wasm", 1),
        ("publish threads.wasm", 1),
        (&format!("run threads.wasm {event}"), 2),
    ] {
        let (found, _, err) = run(&folder, command);
        assert_eq!(found, Some(code), "{command}: {err}");
        let named = err.contains("Plugin.NeedsFeature") && err.contains("threads");
        assert!(named, "{command}: {err}");
    }
    assert!(!folder.path().join("built.wasm").exists());
}
