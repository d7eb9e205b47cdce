//! The mappers that map alike: each passes the same cases, with the same items to
//! the byte. The cases are in `host/tests/conformance/cases`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::Value;
use tempfile::TempDir;

use crate::command_line::text;
use crate::support::{Place, event, event_names, tests};

/// The kits, by language, and whether it takes settings. The first one is what the
/// others are compared with.
const KITS: [(&str, bool); 4] = [
    ("rust", true),
    ("typescript", true),
    ("python", true),
    ("c", false),
];

/// The folder of components, `rust.wasm` and so on, is in `POOLHOOK_KITS`.
#[test]
fn the_kits_map_alike() {
    let Some(folder) = env::var_os("POOLHOOK_KITS") else {
        eprintln!("no built kits named: nothing was compared");
        return;
    };
    let folder = PathBuf::from(folder).canonicalize().unwrap();
    let mut first: Option<BTreeMap<String, Value>> = None;
    for (kit, takes_settings) in KITS {
        let component = folder.join(kit).with_extension("wasm");
        assert!(component.exists(), "{} is missing", component.display());
        let mapped = mapped(
            &["--component", component.to_str().unwrap()],
            takes_settings,
        );
        let first = first.get_or_insert_with(|| mapped.clone());
        for (case, item) in &mapped {
            let expected = first[case].to_string();
            assert_eq!(item.to_string(), expected, "{kit}: {case}");
        }
    }
}

/// Runs the cases, all of which must pass, and gives their items. What takes no
/// settings runs the others, and refuses these.
fn mapped(subject: &[&str], takes_settings: bool) -> BTreeMap<String, Value> {
    let all = tests("conformance/cases");
    let (with, without) = (split(&all, true), split(&all, false));
    let mut items = run(without.path(), subject);
    if takes_settings {
        items.extend(run(with.path(), subject));
        return items;
    }
    for entry in fs::read_dir(with.path()).unwrap() {
        let folder = entry.unwrap().path();
        let _ = fs::remove_file(folder.join("item.json"));
        fs::write(folder.join("error.txt"), "Plugin.Refused").unwrap();
    }
    run(with.path(), subject);
    items
}

/// The cases with settings of their own, or those without.
fn split(cases: &Path, with_settings: bool) -> TempDir {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for entry in fs::read_dir(cases).unwrap() {
        let case = entry.unwrap();
        if case.path().join("settings.toml").exists() != with_settings {
            continue;
        }
        let copy = folder.path().join(case.file_name());
        fs::create_dir(&copy).unwrap();
        for file in fs::read_dir(case.path()).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), copy.join(file.file_name())).unwrap();
        }
    }
    folder
}

fn run(cases: &Path, subject: &[&str]) -> BTreeMap<String, Value> {
    let arguments = ["plugin", "test", cases.to_str().unwrap(), "--json"];
    let tested = Place::new(&[]).poolhook(&[&arguments, subject].concat());
    let (code, out, err) = text(&tested);
    assert_eq!(code, Some(0), "{subject:?}: {err}\n{out}");
    let items = out.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["result"], "passed");
        (
            line["case"].as_str().unwrap().to_owned(),
            line["item"].take(),
        )
    });
    items.collect()
}

#[test]
fn every_sample_event_is_a_case() {
    for name in event_names() {
        let case = tests("conformance/cases").join(&name).join("event.json");
        assert_eq!(fs::read(case).unwrap(), event(&name), "{name}");
    }
}
