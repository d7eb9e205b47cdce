//! The plugin kits have the names in `wit/mapper.wit`. Their mapping is tested in their
//! own languages, and `plugin new` in `new_plugin.rs`.

use std::{env, fs};

use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::{Resolve, TypeDefKind, WorldId};

use crate::support::tests;

fn mapper() -> (Resolve, WorldId) {
    let mut wit = Resolve::default();
    let (package, _) = wit.push_dir(tests("../../wit")).unwrap();
    let world = wit.select_world(&[package], None).unwrap();
    (wit, world)
}

/// They are rewritten if `POOLHOOK_BLESS` is set.
#[test]
fn the_bindings_for_c_are_generated() {
    let (mut wit, world) = mapper();
    let mut generated = Files::default();
    let mut generator = wit_bindgen_c::Opts::default().build();
    generator.generate(&mut wit, world, &mut generated).unwrap();
    let folder = tests("../../plugins/templates/c/bindings");
    for (name, bytes) in generated.iter() {
        let file = folder.join(name);
        if env::var_os("POOLHOOK_BLESS").is_some() {
            fs::write(&file, bytes).unwrap();
        }
        assert!(
            fs::read(&file).is_ok_and(|committed| committed == bytes),
            "{name} is not what wit/mapper.wit gives: run this test with POOLHOOK_BLESS=1"
        );
    }
    assert_eq!(generated.iter().count(), 3);
}

/// They are written by hand: a missing name would be a type that differs.
#[test]
fn the_declarations_for_typescript_have_every_name() {
    let declared =
        fs::read_to_string(tests("../../plugins/templates/typescript/src/wit.d.ts")).unwrap();
    let (wit, _) = mapper();
    let mut names = Vec::new();
    for (_, kind) in &wit.types {
        match &kind.kind {
            TypeDefKind::Record(record) => {
                names.extend(
                    record
                        .fields
                        .iter()
                        .map(|field| format!("{}: ", field.name)),
                );
            }
            TypeDefKind::Variant(variant) => {
                names.extend(
                    variant
                        .cases
                        .iter()
                        .map(|case| format!("\"{}\"", case.name)),
                );
            }
            TypeDefKind::Enum(level) => {
                names.extend(level.cases.iter().map(|case| format!("\"{}\"", case.name)));
            }
            _ => {}
        }
    }
    for (_, interface) in &wit.interfaces {
        let name = interface.name.as_deref().unwrap();
        names.push(format!("\"poolhook:mapper/{name}@0.1.0\""));
        names.extend(interface.functions.keys().map(|name| format!("{name}(")));
    }
    for name in names {
        let name = camel_case(&name);
        assert!(declared.contains(&name), "{name} is not in wit.d.ts");
    }
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap().to_owned();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at(1);
        name + &initial.to_uppercase() + rest
    })
}
