//! The interface's promise: a plugin built for a released version loads and maps for
//! ever; a plugin of another version is rejected with a clear error.

use std::fs;

use poolhook::plugins::Plugins;
use wit_parser::Resolve;

use crate::command_line::text;
use crate::hostile::{add, component_of, hostile};
use crate::support::{TestFolder, tests};

/// One folder for each released version.
#[test]
fn every_released_version_still_maps_the_same() {
    let mut versions = 0;
    for entry in fs::read_dir(tests("frozen")).unwrap() {
        let folder = entry.unwrap().path();
        if folder.is_dir() {
            let tested =
                TestFolder::new(&[]).poolhook(&["plugin", "test", folder.to_str().unwrap()]);
            let (code, out, err) = text(&tested);
            assert_eq!(code, Some(0), "{err}{out}");
            versions += 1;
        }
    }
    assert_eq!(versions, 1);
}

#[test]
fn a_component_of_another_world_is_rejected_with_its_names() {
    for (file, says) in [
        (
            "newer-world.component",
            "it exports poolhook:mapper/mapping@0.2.0, another version",
        ),
        (
            "newer-logging.component",
            "it imports poolhook:mapper/logging@0.2.0, another version",
        ),
        (
            "foreign-world.component",
            "it exports wasi:http/incoming-handler@0.2.0, and not poolhook:mapper/mapping@0.1.0",
        ),
        ("wrong-world.component", "it exports nothing"),
    ] {
        assert!(error(&hostile(file)).contains(says), "{file}");
        let speaks = "poolhook:mapper/mapper@0.1.0, the only one that this host speaks";
        assert!(error(&hostile(file)).contains(speaks), "{file}");
    }
}

/// The types are the same as in this host's world: the engine alone would accept the
/// version 0.1.1 as 0.1.0.
#[test]
fn a_plugin_of_the_next_version_is_rejected() {
    let wit = fs::read_to_string(tests("../../wit/mapper.wit")).unwrap();
    let prelude = fs::read_to_string(tests("hostile/prelude.wat.in")).unwrap();
    let trap = fs::read_to_string(tests("hostile/trap.wat")).unwrap();
    for version in ["0.1.1", "0.2.0", "1.0.0"] {
        let mut next = Resolve::default();
        let package = next.push_str("mapper.wit", &wit.replace("0.1.0", version));
        let module = format!("(module {prelude} {trap})").replace("0.1.0", version);
        let component = component_of(&next, package.unwrap(), &module);
        let error = error(&component);
        assert!(
            error.contains(&format!("@{version}, another version")),
            "{error}"
        );
    }
}

fn error(component: &[u8]) -> String {
    let mut plugins = Plugins::builtin().unwrap();
    let error = add(&mut plugins, "stranger", component).unwrap_err();
    assert_eq!(error.name(), "Plugin.WrongWorld");
    error.to_string()
}
