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

/// The repository's `plugins/rust`, made to stand alone.
fn project(name: &str) -> [(&'static str, String); 6] {
    let manifest = include_str!("../../../../../plugins/rust/Cargo.toml");
    let manifest = manifest.replace("name = \"rust\"", &format!("name = \"{name}\""));
    let workspace = "\n# Not part of a workspace that it may lie in.\n[workspace]\n";
    let source = include_str!("../../../../../plugins/rust/src/lib.rs");
    let readme = include_str!("../../../../../plugins/rust/README.md");
    let readme = readme.replace("rust.wasm", &format!("{name}.wasm"));
    let sample = "../../host/tests/events/confirm-sign-up.json";
    let event = include_str!("../../../../tests/events/confirm-sign-up.json");
    let wit = include_str!("../../../../../wit/mapper.wit");
    [
        ("Cargo.toml", manifest + workspace),
        ("src/lib.rs", source.replace("../../wit", "wit")),
        ("wit/mapper.wit", wit.to_owned()),
        ("README.md", readme.replace(sample, "event.json")),
        ("event.json", event.to_owned()),
        (".gitignore", "/target\n/*.wasm\n".to_owned()),
    ]
}
