//! `poolhook plugin new`: what it makes passes its own tests, builds and maps.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use crate::support::{POOL, Place, tests};

const FILES: [&str; 9] = [
    "Cargo.toml",
    "src/lib.rs",
    "poolhook-plugin/Cargo.toml",
    "poolhook-plugin/src/lib.rs",
    "poolhook-plugin/wit/mapper.wit",
    "cases/full-user/item.json",
    "README.md",
    "event.json",
    ".gitignore",
];

#[test]
fn tests_build_and_run() {
    let place = Place::new(&[(POOL, "table = 'User'\nsettings.plan = 'basic'")]);
    // Always the same path, or Cargo's target directory would grow with each run.
    let plugins = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-plugin");
    let _ = fs::remove_dir_all(&plugins);
    fs::create_dir(&plugins).unwrap();
    let path = plugins.to_str().unwrap();
    let new = place.poolhook(&["plugin", "new", "member-card", "--dir", path]);
    let project = PathBuf::from(line(&new));
    assert_eq!(project, plugins.join("member-card"));
    assert!(text(&new.stderr).contains("cargo test"));
    for file in FILES {
        let text = fs::read_to_string(project.join(file)).unwrap();
        assert!(!text.contains("../"), "{file} leaves its folder");
        assert!(!text.contains("rust.wasm"), "{file} names another plugin");
    }
    // The versions that this workspace has already.
    fs::copy(tests("../../Cargo.lock"), project.join("Cargo.lock")).unwrap();

    let mut cargo = Command::new(env!("CARGO"));
    cargo.arg("test").current_dir(&project);
    let tested = with_cargo(&mut cargo).output().unwrap();
    assert!(line(&tested).contains("test result: ok"), "{tested:?}");
    assert!(!text(&tested.stdout).contains("running 0 tests"));

    let mut build = place.command(&["plugin", "build"]);
    build.current_dir(&project);
    let component = line(&with_cargo(&mut build).output().unwrap());
    assert!(component.ends_with("member-card/member-card.wasm"));

    let mut cases = place.command(&["plugin", "test"]);
    let tested = cases.current_dir(&project).output().unwrap();
    assert!(line(&tested).contains("passed  full-user: "), "{tested:?}");

    let event = project.join("event.json");
    let run = [
        "run",
        "--json",
        "--plugin",
        &component,
        event.to_str().unwrap(),
    ];
    let report: serde_json::Value = serde_json::from_str(&line(&place.poolhook(&run))).unwrap();
    let item = &report["item"];
    assert_eq!(item["id"]["S"], "0f3d5f0e-8f5c-4b55-9c1c-2c0a3a4c7e11");
    assert_eq!(item["email"]["S"], "hanako@example.com");
    let joined = item["planJoined"]["S"].as_str().unwrap();
    assert!(joined.starts_with("basic#2") && joined.ends_with('Z'));
    let trial_ends = item["trialEnds"]["N"].as_str().unwrap();
    assert!(trial_ends.parse::<u64>().is_ok());
    assert_eq!(item.as_object().unwrap().len(), 6);
}

#[test]
fn what_is_there_is_kept() {
    let place = Place::new(&[]);
    let folder = place.path().join("member-card");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("mine"), "mine").unwrap();
    let new = place.poolhook(&["plugin", "new", "member-card"]);
    assert_eq!((new.status.code(), new.stdout.len()), (Some(2), 0));
    assert!(text(&new.stderr).contains("member-card is there already, and is not empty"));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);

    // An empty folder is none.
    fs::remove_file(folder.join("mine")).unwrap();
    let new = place.poolhook(&["plugin", "new", "member-card"]);
    assert_eq!(line(&new), "member-card");

    fs::write(place.path().join("file"), "").unwrap();
    let new = place.poolhook(&["plugin", "new", "file"]);
    assert!(text(&new.stderr).contains("cannot make file: "));
    let left = fs::read_dir(place.path()).unwrap();
    assert_eq!(left.count(), 3, "config, member-card and file");
}

#[test]
fn a_name_is_a_plugins_and_a_packages() {
    let place = Place::new(&[]);
    for (name, rule) in [
        ("2fa", "must begin with a lower-case letter"),
        ("../a", "must begin with a lower-case letter"),
        ("a/b", "must be a plugin's name"),
        ("Member", "must begin with a lower-case letter"),
    ] {
        let new = place.poolhook(&["plugin", "new", name]);
        assert_eq!(new.status.code(), Some(2), "{name}");
        assert!(text(&new.stderr).contains(rule), "{name}: {new:?}");
    }
}

/// What Cargo and rustc need, and one target directory for all plugins.
fn with_cargo(command: &mut Command) -> &mut Command {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    command.env_clear().env("CARGO_TARGET_DIR", target);
    for name in [
        "PATH",
        "HOME",
        "CARGO_HOME",
        "RUSTUP_HOME",
        "RUSTUP_TOOLCHAIN",
    ] {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// Standard output without the line's end, or all of it; the command must have
/// done its work.
fn line(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
