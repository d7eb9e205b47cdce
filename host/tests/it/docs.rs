//! The docs name the errors, limits and commands that the code has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use poolhook::config::Limits;

use crate::command_line::text;
use crate::support::{TestFolder, tests};

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
fn the_page_of_errors_lists_every_error() {
    let page = read("docs/errors.md");
    // A row's first cell; a cell may name several errors.
    let cells = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells: String = cells
        .map(|line| line.split(" | ").next().unwrap())
        .fold(String::new(), |all, cell| all + " `" + cell);
    let mut of_events = errors();
    // Only commands have these, and print their texts. docs/pools.md lists those of pools.
    of_events.retain(|name| !name.starts_with("Cognito.") && !name.starts_with("UserPool."));
    assert_eq!(names(&cells, '`'), of_events);
}

#[test]
fn the_page_for_authors_lists_every_error_of_a_plugin() {
    let page = read("docs/plugins/README.md");
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
    assert!(
        missing.is_empty(),
        "not in docs/plugins/README.md: {missing:?}"
    );
}

#[test]
fn the_page_for_authors_shows_the_limits() {
    let page = read("docs/plugins/README.md");
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
fn the_page_on_the_command_line_lists_every_command_on_plugins() {
    let page = read("docs/cli.md");
    let (_, help, _) = text(&TestFolder::new(&[]).poolhook(&["plugin", "--help"]));
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let commands = commands.lines().take_while(|line| !line.is_empty());
    let mut seen = 0;
    for command in commands.filter_map(|line| line.split_whitespace().next()) {
        let named = page.contains(&format!("`poolhook plugin {command}"))
            || (command == "show" && page.contains("`poolhook plugin list`, `show NAME`"))
            || command == "help";
        assert!(named, "plugin {command}");
        seen += 1;
    }
    assert!(seen > 9, "{help}");
}

/// The crate's docs are compiled, so an example that is also in them compiles.
#[test]
fn the_page_on_rust_shows_what_compiles() {
    let page = read("docs/plugins/rust.md");
    let source = read("plugins/sdk/src/lib.rs");
    let docs = source.lines().map_while(|line| line.strip_prefix("//!"));
    let docs: Vec<_> = docs
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    let (_, example) = page.split_once("```rust\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    assert!(docs.join("\n").contains(example), "{example}");
}

#[test]
fn the_readme_is_short() {
    let bytes = read("README.md").len();
    assert!(bytes <= 4_500, "{bytes} bytes");
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    let mut seen = 0;
    for page in pages() {
        let text = read(&page);
        let (_, rest) = text.split_once("](").unwrap_or_default();
        let links = rest.split("](").filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http")) {
            seen += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let folder = Path::new(&page).parent().unwrap();
            let file = match file {
                "" => PathBuf::from(&page),
                file => folder.join(file),
            };
            let path = repository().join(&file);
            let leads = path.exists()
                && (anchor.is_empty()
                    || anchors(&fs::read_to_string(path).unwrap()).contains(anchor));
            if !leads {
                broken.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(seen > 40, "{seen} links");
}

/// Phrases that are foreign to an engineer who reads English documentation, and that
/// crept in before.
#[test]
fn the_docs_and_the_code_speak_plainly() {
    let foreign = [
        "mend",
        "mends",
        "mended",
        "whoever",
        "somebody",
        "anew",
        "in vain",
        "so many",
        "so often",
        "of whom",
        "beside the event",
        "beside an event",
    ];
    let mut texts: Vec<_> = pages()
        .into_iter()
        .map(|page| (page.clone(), read(&page)))
        .collect();
    let mut folders = vec![PathBuf::from("host/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(repository().join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if repository().join(&path).is_dir() {
                folders.push(path);
            } else {
                let path = path.to_str().unwrap().to_owned();
                texts.push((path.clone(), read(&path)));
            }
        }
    }
    let mut found = Vec::new();
    for (file, text) in texts {
        // Words, with a space around each: also where a comment's line ends.
        let words = text.to_lowercase().replace("///", " ").replace("//", " ");
        let words = words.split(|c: char| !c.is_alphanumeric() && c != '\'');
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        let words = format!(" {} ", words.join(" "));
        let phrases = foreign
            .iter()
            .filter(|phrase| words.contains(&format!(" {phrase} ")));
        found.extend(phrases.map(|phrase| format!("{file}: {phrase}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Each `poolhook ...` in the docs is a command, with options that it has.
#[test]
fn every_command_in_the_docs_is_one() {
    let folder = TestFolder::new(&[]);
    let mut helps = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for page in pages() {
        for command in commands(&read(&page)) {
            seen += 1;
            let words: Vec<_> = command.split_whitespace().skip(1).collect();
            let is_command =
                |word: &&str| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            let named = words.iter().copied().take_while(is_command).take(2);
            let named: Vec<_> = named.filter(|word| !word.starts_with('-')).collect();
            // The second word may be an argument, such as a folder or a plugin's name.
            let help = (1..=named.len()).rev().find_map(|length| {
                let path = named[..length].join(" ");
                let help = helps.entry(path).or_insert_with(|| {
                    let arguments = [&named[..length], &["--help"]].concat();
                    let (code, help, _) = text(&folder.poolhook(&arguments));
                    (code == Some(0)).then_some(help)
                });
                help.clone()
            });
            let Some(help) = help else {
                wrong.push(format!("{page}: {command}"));
                continue;
            };
            let options = words.iter().filter_map(|word| word.strip_prefix("--"));
            for option in options.filter(|option| !option.is_empty()) {
                let option = option.split('=').next().unwrap();
                if !help.contains(&format!("--{option}")) {
                    wrong.push(format!("{page}: {command}: --{option}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 60, "{seen} commands");
}

/// Code spans and lines of code that begin with `poolhook`.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let (code, is_block) = match line.trim_start().strip_prefix("poolhook ") {
            Some(_) if line.starts_with("    ") => (vec![line.trim()], true),
            _ => (line.split('`').skip(1).step_by(2).collect(), false),
        };
        for code in code {
            let commands = code
                .split(" && ")
                .filter(|code| code.starts_with("poolhook "));
            // What a span cuts off, and what follows in a shell's line, is no part of it.
            let commands = commands.map(|code| code.split(" #").next().unwrap().to_owned());
            found.extend(commands.filter(|code| is_block || !code.contains("...`")));
        }
    }
    found
}

/// The headings' anchors, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let text = line.trim_start_matches('#').trim().to_lowercase();
        let kept = text
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// Every page of the repository's documentation.
fn pages() -> Vec<String> {
    let mut pages: Vec<_> = ["README", "SECURITY", "CONTRIBUTING", "CHANGELOG"]
        .map(|page| format!("{page}.md"))
        .into();
    for folder in ["docs", "wit", "plugins"] {
        let mut folders = vec![PathBuf::from(folder)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(repository().join(&folder)).unwrap() {
                let path = folder.join(entry.unwrap().file_name());
                let name = path.file_name().unwrap().to_str().unwrap();
                if repository().join(&path).is_dir() {
                    // What a kit's tools have installed.
                    if !["node_modules", ".venv", "build", "target"].contains(&name) {
                        folders.push(path);
                    }
                } else if path.extension().is_some_and(|extension| extension == "md") {
                    pages.push(path.to_str().unwrap().to_owned());
                }
            }
        }
    }
    assert!(pages.len() > 15, "{pages:?}");
    pages
}

fn repository() -> PathBuf {
    tests("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The errors' names in the code: `"Class.Name"`, and the variants of each enum whose
/// variants' names have the prefix `Class.`.
fn errors() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    // Names without an enum are of these classes.
    let mut classes = BTreeSet::from(["Host.", "Publish."].map(str::to_owned));
    visit(&tests("../src"), &mut |text| {
        all.extend(names(text, '"'));
        for rest in text.split("#[strum(prefix = \"").skip(1) {
            let (prefix, rest) = rest.split_once('"').unwrap();
            classes.insert(prefix.to_owned());
            let (_, variants) = rest.split_once(" {\n").unwrap();
            let (variants, _) = variants.split_once("\n}").unwrap();
            let mut renamed = None;
            // A variant is indented once.
            let lines = variants
                .lines()
                .filter_map(|line| line.strip_prefix("    "));
            for line in lines {
                if let Some(name) = line.strip_prefix("#[strum(serialize = \"") {
                    renamed = name.split('"').next();
                } else if line.starts_with(|c: char| c.is_ascii_uppercase()) {
                    let name = line.split(|c: char| !c.is_alphanumeric()).next();
                    let name = renamed.take().or(name).unwrap();
                    // An error that is another error has its name.
                    let transparent = (prefix == "Plugin." && name == "Blobs")
                        || (prefix == "UserPool." && ["Config", "Cognito"].contains(&name));
                    all.extend((!transparent).then(|| format!("{prefix}{name}")));
                }
            }
        }
    });
    // Paths of Cognito's settings look like names.
    all.retain(|name| classes.iter().any(|class| name.starts_with(class)));
    assert!(all.len() > 60, "{all:?}");
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
