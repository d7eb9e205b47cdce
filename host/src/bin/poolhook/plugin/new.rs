//! `poolhook plugin new`: creates a project for a mapping plugin.

mod kits;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use poolhook::config::PluginName;
use poolhook::plugin::is_builtin;

use crate::Exit;
use crate::out::say;
use kits::{Kit, Language};

/// Create a project for a new plugin, with a working mapping and its tests.
///
/// The command creates the folder NAME and prints its path.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook plugin new member-card
  poolhook plugin new member-card --lang typescript
  poolhook plugin new member-card --lang py --dir ~/plugins")]
pub(crate) struct Options {
    /// The plugin's name: lower-case letters, digits and hyphens; it starts with a letter.
    #[arg(value_parser = name)]
    name: PluginName,
    /// The plugin's language.
    #[arg(long, value_enum, value_name = "LANGUAGE", default_value_t = Language::Rust)]
    lang: Language,
    /// The folder to create it in [default: the current one]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// The plugin's name is also the package's name.
fn name(text: &str) -> Result<PluginName, String> {
    if !text.starts_with(|first: char| first.is_ascii_lowercase()) {
        return Err("must start with a lower-case letter, as package names do".to_owned());
    }
    let name = PluginName::try_from(text.to_owned()).map_err(|error| error.to_string())?;
    if is_builtin(&name) {
        return Err("is the name of a built-in plugin, so it could not be published".to_owned());
    }
    Ok(name)
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        let name = self.name.as_str();
        let kit = self.lang.kit();
        let parent = self.dir.as_deref().unwrap_or(Path::new(""));
        let folder = parent.join(name);
        if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
            bail!("{} already exists and is not empty", folder.display());
        }
        // All or nothing: the files are written to a hidden folder, which is then renamed.
        let staged = tempfile::Builder::new()
            .prefix(&format!(".{name}-"))
            .permissions(Permissions::from_mode(0o777))
            .tempdir_in(self.dir.as_deref().unwrap_or(Path::new(".")));
        let made = staged.and_then(|staged| {
            write(kit, name, staged.path())?;
            fs::rename(staged.path(), &folder)
        });
        made.with_context(|| format!("cannot create {}", folder.display()))?;

        say!("Next, in that folder:");
        for command in kit.commands {
            say!("  {command}");
        }
        say!(
            "  poolhook plugin test
  poolhook plugin check {name}.wasm
  poolhook plugin run {name}.wasm event.json
  poolhook plugin publish {name}.wasm"
        );
        println!("{}", folder.display());
        Ok(Exit::Done)
    }
}

fn write(kit: &Kit, name: &str, folder: &Path) -> io::Result<()> {
    for (path, bytes) in kit.files.iter().chain([&kits::EVENT]).chain(kits::CASES) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, alone(kit, name, bytes))?;
    }
    Ok(())
}

/// A kit's file for a project outside this repository, with the plugin's name.
fn alone(kit: &Kit, name: &str, bytes: &[u8]) -> Vec<u8> {
    let Ok(text) = str::from_utf8(bytes) else {
        return bytes.to_owned();
    };
    let pairs = kit.replace.iter().chain(kits::PATHS);
    let text = pairs.fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let text = kits::NAMED.iter().fold(text, |text, pattern| {
        text.replace(&pattern.replace('*', kit.name), &pattern.replace('*', name))
    });
    text.into_bytes()
}
