//! Plugins that misbehave, all in one process with a good one: see
//! `host/tests/hostile/README.md`.

use std::fs;
use std::time::{Duration, Instant};

use poolhook::config::PluginName;
use poolhook::host::Failure;
use poolhook::plugin::PluginError;
use poolhook::plugins::Plugins;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve};

use crate::support::{POOL, TestFolder, event, failure, files, handle, tests};

#[test]
fn every_misbehaviour_has_a_name_and_the_host_survives() {
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    let mut plugins = Plugins::builtin().unwrap();
    let mut failed = Vec::new();
    let mut check = |case: &Case, got: &str| {
        if got != case.expected {
            failed.push(format!("{}: {got}, not {}", case.name, case.expected));
        }
    };
    let mut running = Vec::new();
    for case in cases() {
        match add(&mut plugins, &case.name, &case.component) {
            Ok(()) => running.push(case),
            Err(error) => {
                check(&case, error.name());
                let text = error.to_string();
                if !text.contains(&case.says) {
                    check(&case, &text);
                }
            }
        }
    }
    for case in &running {
        let Case { name, limits, .. } = case;
        let config = format!("table = 'User'\nplugin = '{name}'\nlimits = {{ {limits} }}");
        folder.configure(&case.pool(), &config);
    }

    let host = folder.host_with(plugins);
    let good = String::from_utf8(event("confirm-sign-up")).unwrap();
    for case in &running {
        let began = Instant::now();
        let report = handle(&host, good.replace(POOL, &case.pool()).as_bytes());
        check(case, failure(&report));
        let text = report.outcome.as_ref().unwrap_err().text();
        if !text.contains(&case.says) {
            check(case, &text);
        }
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "{} held the host",
            case.name
        );
        assert!(
            folder.items("User").is_empty(),
            "{} wrote an item",
            case.name
        );
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(running.len() > 30, "only {} plugins ran", running.len());

    let report = handle(&host, good.as_bytes());
    assert_eq!(report.outcome_name(), "written", "{:?}", report.outcome);
    assert_eq!(folder.items("User").len(), 1);
}

#[test]
fn a_truncated_component_is_rejected() {
    let component = fs::read(default_plugin()).unwrap();
    let mut plugins = Plugins::builtin().unwrap();
    for length in (0..component.len()).step_by(97) {
        let cut = add(&mut plugins, "cut", &component[..length]);
        let Err(error) = cut else {
            // Only a custom section is missing: its number is 0, and it contains no code.
            assert_eq!(
                component[length], 0,
                "{length} bytes are taken for the whole"
            );
            continue;
        };
        // Cut at a section's end, the rest may be a component of another world.
        let known = ["Plugin.NotAComponent", "Plugin.WrongWorld"].contains(&error.name());
        assert!(known, "{length} bytes: {error}");
    }
    let half = add(&mut plugins, "half", &component[..component.len() / 2]);
    assert!(matches!(half, Err(PluginError::NotAComponent { .. })));
}

#[test]
fn a_plugins_message_is_not_in_the_hosts_own_texts() {
    let folder = TestFolder::new(&[(POOL, "table = 'User'\nplugin = 'an-error'")]);
    let mut plugins = Plugins::builtin().unwrap();
    let case = cases()
        .into_iter()
        .find(|case| case.name == "an-error")
        .unwrap();
    add(&mut plugins, "an-error", &case.component).unwrap();

    let report = handle(&folder.host_with(plugins), &event("confirm-sign-up"));
    let failure = report.outcome.as_ref().unwrap_err();
    let Failure::Plugin(PluginError::Refused { message }) = failure else {
        panic!("{failure}");
    };
    assert_eq!(message, "not my user");
    assert!(!failure.text().contains(message));
    assert!(!report.log_line("id").contains(message));
}

/// Compiles a component in this process and adds it.
pub(crate) fn add(plugins: &mut Plugins, name: &str, component: &[u8]) -> Result<(), PluginError> {
    let plugin = plugins.loader().compile(plugin_name(name), component)?;
    plugins.add(plugin);
    Ok(())
}

pub(crate) fn plugin_name(name: &str) -> PluginName {
    PluginName::try_from(name.to_owned()).unwrap()
}

pub(crate) fn default_plugin() -> std::path::PathBuf {
    tests("../../plugins/default/default.wasm")
}

struct Case {
    name: String,
    expected: String,
    /// A part of the error's text.
    says: String,
    limits: String,
    component: Vec<u8>,
}

impl Case {
    /// The case's own pool, so that all cases run in one host.
    fn pool(&self) -> String {
        format!("hostile-1_{}", self.name.replace('-', ""))
    }
}

fn cases() -> Vec<Case> {
    let files = files("hostile", "wat");
    files.iter().map(|file| case(file)).collect()
}

/// The component in `host/tests/hostile/<file>.wat`.
pub(crate) fn hostile(file: &str) -> Vec<u8> {
    case(file).component
}

/// The core module of the same, as a compiler makes it for `plugin build`.
pub(crate) fn hostile_module(file: &str) -> Vec<u8> {
    let mut wit = Resolve::default();
    let (package, _) = wit.push_dir(tests("../../wit")).unwrap();
    module(&wit, package, &text_of(file))
}

/// The text of `host/tests/hostile/<file>.wat`: a whole component, or a module.
fn text_of(file: &str) -> String {
    let text = fs::read_to_string(tests(&format!("hostile/{file}.wat"))).unwrap();
    if file.strip_suffix(".component").is_some() {
        let world = fs::read_to_string(tests("hostile/world.wat.in")).unwrap();
        return text.replace("(; world ;)", &world);
    }
    let prelude = fs::read_to_string(tests("hostile/prelude.wat.in")).unwrap();
    format!("(module {prelude} {text})")
}

fn case(file: &str) -> Case {
    let text = text_of(file);
    // A module's first header follows the prelude.
    let headers = || {
        text.lines()
            .filter_map(|line| Some(line.split_once(";; ")?.1))
    };
    let optional = |key| headers().find_map(|header| header.strip_prefix(key));
    let optional = |key| optional(key).unwrap_or_default().to_owned();
    let (name, component) = match file.strip_suffix(".component") {
        Some(name) => (name, wat::parse_str(&text).unwrap()),
        None => (file, component(&text)),
    };
    Case {
        name: name.to_owned(),
        expected: headers().next().unwrap().to_owned(),
        says: optional("says: "),
        limits: optional("limits: "),
        component,
    }
}

/// Makes a component of our world from a core module that exports `to-item`.
pub(crate) fn component(module: &str) -> Vec<u8> {
    let mut wit = Resolve::default();
    let (package, _) = wit.push_dir(tests("../../wit")).unwrap();
    component_of(&wit, package, module)
}

/// Like [`component`], for the only world of a package.
pub(crate) fn component_of(wit: &Resolve, package: PackageId, text: &str) -> Vec<u8> {
    let mut encoder = ComponentEncoder::default()
        .validate(true)
        .module(&module(wit, package, text))
        .unwrap();
    encoder.encode().unwrap()
}

/// A core module that says which world's component it is to become.
fn module(wit: &Resolve, package: PackageId, text: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let world = wit.select_world(&[package], None).unwrap();
    embed_component_metadata(&mut module, wit, world, StringEncoding::UTF8).unwrap();
    module
}
