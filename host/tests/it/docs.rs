//! The docs name the errors, limits and commands that the code has.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use poolhook::config::Limits;

use crate::command_line::text;
use crate::support::{Place, tests};

/// Errors that only operators get, so the page for plugin authors does not list them.
const NOT_THE_AUTHORS: [&str; 10] = [
    "Plugin.ArtifactAltered",
    "Plugin.ArtifactMissing",
    "Plugin.ArtifactTooLarge",
    "Plugin.DamagedRelease",
    "Plugin.Engine",
    "Plugin.NoArtifact",
    "Plugin.NoSuchRelease",
    "Plugin.NotReleased",
    "Plugin.OtherEngine",
    "Plugin.ReleaseBusy",
];

#[test]
fn the_readme_lists_every_error() {
    let readme = fs::read_to_string(tests("../../README.md")).unwrap();
    // A row's first cell; a cell may name several errors.
    let cells = readme.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells: String = cells
        .map(|line| line.split(" | ").next().unwrap())
        .fold(String::new(), |all, cell| all + " `" + cell);
    let mut of_events = errors();
    // Only `backfill` and `reconcile` have these, and print their texts.
    of_events.retain(|name| !name.starts_with("Cognito."));
    assert_eq!(names(&cells, '`'), of_events);
}

#[test]
fn the_page_for_authors_lists_every_error_of_a_plugin() {
    let page = fs::read_to_string(tests("../../wit/README.md")).unwrap();
    let named = names(&page, '`');
    let of_the_code = errors();
    let unknown: Vec<_> = named.difference(&of_the_code).collect();
    assert!(unknown.is_empty(), "no such errors: {unknown:?}");
    let of_plugins = of_the_code.into_iter().filter(|name| {
        ["Plugin.", "Item.", "Upload."]
            .iter()
            .any(|class| name.starts_with(class))
            && !NOT_THE_AUTHORS.contains(&name.as_str())
    });
    let missing: Vec<_> = of_plugins.filter(|name| !named.contains(name)).collect();
    assert!(missing.is_empty(), "not in wit/README.md: {missing:?}");
}

#[test]
fn the_page_for_authors_shows_the_limits() {
    let page = fs::read_to_string(tests("../../wit/README.md")).unwrap();
    let limits = Limits::default();
    let Limits {
        fuel,
        memory_bytes,
        table_elements,
        output_bytes,
        log_bytes,
        time_ms,
    } = &limits;
    for (key, value) in [
        ("fuel", fuel.to_string()),
        ("memory-bytes", memory_bytes.to_string()),
        ("table-elements", table_elements.to_string()),
        ("output-bytes", output_bytes.to_string()),
        ("log-bytes", log_bytes.to_string()),
        ("time-ms", time_ms.to_string()),
    ] {
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{key}`")));
        let row = row.unwrap_or_else(|| panic!("no row of {key}"));
        assert!(
            row.replace(',', "").contains(&format!("| {value} ")),
            "{row}: {value}"
        );
    }
}

#[test]
fn the_readme_lists_every_command_on_plugins() {
    let readme = fs::read_to_string(tests("../../README.md")).unwrap();
    let (_, help, _) = text(&Place::new(&[]).poolhook(&["plugin", "--help"]));
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let commands = commands.lines().take_while(|line| !line.is_empty());
    let mut seen = 0;
    for command in commands.filter_map(|line| line.split_whitespace().next()) {
        let named = readme.contains(&format!("`poolhook plugin {command}"))
            || (command == "show" && readme.contains("`poolhook plugin list`, `show NAME`"))
            || command == "help";
        assert!(named, "plugin {command}");
        seen += 1;
    }
    assert!(seen > 9, "{help}");
}

/// The crate's docs are compiled, so an example that is also in them compiles.
#[test]
fn the_page_on_rust_shows_what_compiles() {
    let page = fs::read_to_string(tests("../../wit/rust.md")).unwrap();
    let source = fs::read_to_string(tests("../../plugins/sdk/src/lib.rs")).unwrap();
    let docs = source.lines().map_while(|line| line.strip_prefix("//!"));
    let docs: Vec<_> = docs
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    let (_, example) = page.split_once("```rust\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    assert!(docs.join("\n").contains(example), "{example}");
}

/// The errors' names in the code: `"Class.Name"`.
fn errors() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    visit(&tests("../src"), &mut |text| all.extend(names(text, '"')));
    all
}

/// The texts between two marks that have the form of an error's name.
fn names(text: &str, mark: char) -> BTreeSet<String> {
    let is_name = |part: &&str| {
        let word = |word: &str| {
            word.starts_with(|first: char| first.is_ascii_uppercase())
                && word.chars().all(|c| c.is_ascii_alphabetic())
        };
        part.split_once('.')
            .is_some_and(|(class, name)| word(class) && word(name))
    };
    let parts = text.split(mark).filter(is_name);
    parts.map(str::to_owned).collect()
}

fn visit(folder: &Path, look: &mut impl FnMut(&str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, look);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            look(&fs::read_to_string(&path).unwrap());
        }
    }
}
