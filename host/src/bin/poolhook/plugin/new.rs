//! `poolhook plugin new`: a mapping plugin to begin with.

use std::path::{Path, PathBuf};
use std::{fs, io, process};

use anyhow::{Context as _, bail};
use clap::Args;
use poolhook::config::PluginName;

use crate::Exit;

/// Make a new plugin in Rust: a Cargo project that maps, with its tests.
///
/// It makes the folder NAME, and prints its path.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook plugin new member-card
  poolhook plugin new member-card --dir ~/plugins")]
pub(crate) struct Options {
    /// The plugin's name: lower-case letters, digits and hyphens, first a letter.
    #[arg(value_parser = name)]
    name: PluginName,
    /// The folder to make it in [default: the current one]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// The name is the Cargo package's too.
fn name(text: &str) -> Result<PluginName, &'static str> {
    if !text.starts_with(|first: char| first.is_ascii_lowercase()) {
        return Err("must begin with a lower-case letter, as Cargo demands of a package");
    }
    PluginName::try_from(text.to_owned())
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        let name = self.name.as_str();
        let parent = self.dir.as_deref().unwrap_or(Path::new(""));
        let folder = parent.join(name);
        if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
            bail!("{} is there already, and is not empty", folder.display());
        }
        // All of it or nothing: the files are written beside, then moved.
        let staged = parent.join(format!(".{name}-{}", process::id()));
        let made = write(name, &staged).and_then(|()| fs::rename(&staged, &folder));
        if made.is_err() {
            let _ = fs::remove_dir_all(&staged);
        }
        made.with_context(|| format!("cannot make {}", folder.display()))?;

        eprintln!(
            "Next, in that folder:
  cargo test
  poolhook plugin build
  poolhook plugin test
  poolhook plugin check {name}.wasm
  poolhook plugin run {name}.wasm event.json
  poolhook plugin publish {name}.wasm"
        );
        println!("{}", folder.display());
        Ok(Exit::Done)
    }
}

fn write(name: &str, folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)?;
    for (path, text) in project(name) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, text)?;
    }
    Ok(())
}

/// A file of the repository.
macro_rules! repository {
    ($path:expr) => {
        include_str!(concat!("../../../../../", $path))
    };
}

/// The repository's `plugins/rust`, made to stand alone: with the crate for authors,
/// which is on no registry.
fn project(name: &str) -> Vec<(&'static str, String)> {
    let manifest = repository!("plugins/rust/Cargo.toml")
        .replace("name = \"rust\"", &format!("name = \"{name}\""))
        .replace("../sdk", "poolhook-plugin");
    let workspace = "\n# Not part of a workspace that it may lie in.\n[workspace]\n";
    let readme = repository!("plugins/rust/README.md")
        .replace(
            "test ../../host/tests/conformance/cases --component rust.wasm",
            "test               # the component, with the events in cases",
        )
        .replace("rust.wasm", &format!("{name}.wasm"))
        .replace("../../host/tests/events/confirm-sign-up.json", "event.json")
        .replace("../sdk", "poolhook-plugin");
    let crate_root = repository!("plugins/sdk/src/lib.rs").replace("../../wit", "wit");
    let mut files = vec![
        ("Cargo.toml", manifest + workspace),
        ("README.md", readme),
        ("poolhook-plugin/src/lib.rs", crate_root),
    ];
    let as_they_are = [
        ("src/lib.rs", repository!("plugins/rust/src/lib.rs")),
        (
            "poolhook-plugin/Cargo.toml",
            repository!("plugins/sdk/Cargo.toml"),
        ),
        (
            "poolhook-plugin/README.md",
            repository!("plugins/sdk/README.md"),
        ),
        (
            "poolhook-plugin/src/item.rs",
            repository!("plugins/sdk/src/item.rs"),
        ),
        (
            "poolhook-plugin/src/log.rs",
            repository!("plugins/sdk/src/log.rs"),
        ),
        (
            "poolhook-plugin/src/user.rs",
            repository!("plugins/sdk/src/user.rs"),
        ),
        (
            "poolhook-plugin/wit/mapper.wit",
            repository!("wit/mapper.wit"),
        ),
        (
            "event.json",
            repository!("host/tests/events/confirm-sign-up.json"),
        ),
        (".gitignore", "/target\n/*.wasm\n"),
    ];
    files.extend(as_they_are.map(|(path, text)| (path, text.to_owned())));
    files.extend(cases());
    files
}

/// Some cases for `plugin test`. Every kit maps alike, so they fit each.
fn cases() -> impl Iterator<Item = (&'static str, String)> {
    macro_rules! case_file {
        ($path:literal) => {
            (
                concat!("cases/", $path),
                repository!(concat!("host/tests/conformance/cases/", $path)).to_owned(),
            )
        };
    }
    [
        case_file!("full-user/event.json"),
        case_file!("full-user/item.json"),
        case_file!("internal/event.json"),
        case_file!("internal/skip.txt"),
        case_file!("seats-no-number/event.json"),
        case_file!("seats-no-number/error.txt"),
    ]
    .into_iter()
}
