//! What hostile code could do if it got the better of the compiler or the sandbox in the
//! compile child.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command_line::text;

#[test]
fn a_compromised_compile_child_reaches_nothing() {
    let folder = TempDir::new().unwrap();
    let secret = folder.path().join("credentials");
    fs::write(&secret, "secret").unwrap();
    let beside = Path::new(env!("CARGO_BIN_EXE_poolhook")).parent().unwrap();
    let parent = Command::new(beside.join("examples/compromised-child"))
        .arg(&secret)
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .output()
        .unwrap();
    let (code, out, err) = text(&parent);
    assert_eq!(code, Some(0), "{err}");
    let result: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    let confinement = &result["confinement"];
    eprintln!("{confinement}");
    let measure = |name: &str| confinement[name].as_bool().unwrap();
    // On every system: nothing is handed over. The rest needs the kernel's help; which
    // kernels give it is in SECURITY.md.
    let (files, calls) = (measure("files"), measure("systemCalls"));
    let tried = &result["tried"];
    for (name, prevented) in [
        ("environment", true),
        ("descriptors", true),
        ("parentsEnvironment", true),
        ("parentsMemory", true),
        ("secretFile", files),
        ("writtenFile", files),
        ("connection", files || calls),
        ("program", files || calls),
        ("signal", calls || measure("user")),
    ] {
        if prevented {
            assert_eq!(tried[name], json!(false), "{name}: {result}");
        }
    }
    // Every Linux that poolhook is tested on has seccomp.
    assert!(calls, "{result}");
}
