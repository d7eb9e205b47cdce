//! What the interface promises: a plugin of a version that was released is loaded
//! and maps for ever; one of another version is told so.

use std::fs;

use poolhook::plugins::Plugins;
use wit_parser::Resolve;

use crate::command_line::text;
use crate::hostile::{add, component_of, hostile};
use crate::support::{Place, tests};

/// A folder for each version that was ever released.
#[test]
fn every_version_ever_released_maps_as_on_its_first_day() {
    let mut versions = 0;
    for entry in fs::read_dir(tests("frozen")).unwrap() {
        let folder = entry.unwrap().path();
        if folder.is_dir() {
            let tested = Place::new(&[]).poolhook(&["plugin", "test", folder.to_str().unwrap()]);
            let (code, out, err) = text(&tested);
            assert_eq!(code, Some(0), "{err}{out}");
            versions += 1;
        }
    }
    assert_eq!(versions, 1);
}

#[test]
fn what_is_not_of_this_world_is_told_what_it_is() {
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

/// Of the same types as this host's world: the engine by itself would take the
/// version 0.1.1 for 0.1.0.
#[test]
fn a_plugin_of_a_next_version_is_refused_whole() {
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
