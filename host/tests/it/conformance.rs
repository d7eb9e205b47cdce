//! The mappers with the same mapping: each passes the same cases, with byte-identical
//! items.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::Value;
use tempfile::TempDir;

use crate::command_line::text;
use crate::support::{TestFolder, event, event_names, tests};

/// The path below `host/tests`.
const CASES: &str = "conformance/cases";

/// The kits by language, and whether each takes settings. The others' items are compared
/// with the first one's.
const KITS: [(&str, bool); 4] = [
    ("rust", true),
    ("typescript", true),
    ("python", true),
    ("c", false),
];

type Items = BTreeMap<String, Value>;

/// `POOLHOOK_KITS` names the folder with the components, `rust.wasm` and so on.
#[test]
#[ignore = "needs POOLHOOK_KITS, the folder of the components that .ci/kits builds"]
fn the_kits_map_alike() {
    let folder = env::var_os("POOLHOOK_KITS").expect("POOLHOOK_KITS is not set");
    let folder = PathBuf::from(folder);
    assert!(folder.is_absolute(), "tests run in a folder of their own");
    let mut measure = None;
    for (kit, takes_settings) in KITS {
        let component = folder.join(kit).with_extension("wasm");
        assert!(component.exists(), "{} is missing", component.display());
        let subject = ["--component", component.to_str().unwrap()];
        let items = if takes_settings {
            run(&tests(CASES), &subject)
        } else {
            run(with_settings_refused().path(), &subject);
            run(cases(false).path(), &subject)
        };
        alike(measure.get_or_insert_with(|| items.clone()), kit, &items);
    }
}

/// The plugin `fields` is built in, and its settings define the mapping. It has none of
/// the kits' settings, and its errors have other texts.
#[test]
fn fields_map_like_the_kits() {
    let cases = cases(false);
    let mut expected = Items::new();
    for case in fs::read_dir(cases.path()).unwrap() {
        let folder = case.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let item = fs::read(folder.join("item.json"));
        let item = item.map_or(Value::Null, |item| serde_json::from_slice(&item).unwrap());
        expected.insert(name, item);
        let error = folder.join("error.txt");
        if let Ok(text) = fs::read_to_string(&error) {
            fs::write(error, text.lines().next().unwrap()).unwrap();
        }
    }
    let pool = tests("conformance/fields/eu-west-1_Fields.toml");
    let items = run(cases.path(), &["--pool", pool.to_str().unwrap()]);
    alike(&expected, "fields", &items);
}

/// Asserts that each case's item is byte-identical.
fn alike(measure: &Items, name: &str, items: &Items) {
    for (case, item) in items {
        let (item, expected) = (item.to_string(), measure[case].to_string());
        assert_eq!(item, expected, "{name}: {case}");
    }
}

/// A copy of the cases that have their own settings, or of those that have none.
fn cases(with_settings: bool) -> TempDir {
    let copy = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for case in fs::read_dir(tests(CASES)).unwrap() {
        let case = case.unwrap();
        if case.path().join("settings.toml").exists() == with_settings {
            let folder = copy.path().join(case.file_name());
            fs::create_dir(&folder).unwrap();
            for file in fs::read_dir(case.path()).unwrap() {
                let file = file.unwrap();
                fs::copy(file.path(), folder.join(file.file_name())).unwrap();
            }
        }
    }
    copy
}

/// The cases with settings, for a mapper that must reject all settings.
fn with_settings_refused() -> TempDir {
    let copy = cases(true);
    for case in fs::read_dir(copy.path()).unwrap() {
        let folder = case.unwrap().path();
        let _ = fs::remove_file(folder.join("item.json"));
        fs::write(folder.join("error.txt"), "Plugin.Refused").unwrap();
    }
    copy
}

/// Runs the cases, all of which must pass, and returns their items.
fn run(cases: &Path, subject: &[&str]) -> Items {
    let arguments = ["plugin", "test", cases.to_str().unwrap(), "--json"];
    let tested = TestFolder::new(&[]).poolhook(&[&arguments, subject].concat());
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
        let case = tests(CASES).join(&name).join("event.json");
        assert_eq!(fs::read(case).unwrap(), event(&name), "{name}");
    }
}
