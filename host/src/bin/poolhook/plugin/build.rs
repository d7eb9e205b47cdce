//! `poolhook plugin build`: a Cargo project into a component.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::{env, fs};

use anyhow::{Context as _, bail};
use clap::Args;
use poolhook::config::PluginName;
use poolhook::plugin::Loader;
use serde_json::Value;
use wit_component::ComponentEncoder;

use crate::Exit;

const TARGET: &str = "wasm32-unknown-unknown";
/// What makes a component small, whatever the project says.
const PROFILE: [&str; 5] = [
    "profile.release.opt-level='s'",
    "profile.release.lto=true",
    "profile.release.codegen-units=1",
    "profile.release.panic='abort'",
    "profile.release.strip=true",
];

/// Build a plugin written in Rust: a Cargo project into a component.
///
/// Needs the target wasm32-unknown-unknown (`rustup target add
/// wasm32-unknown-unknown`); without it, Debian's packages rustc-web and
/// rust-web-src do.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook plugin build plugins/default
  poolhook plugin build . --output my-mapper.wasm")]
pub(crate) struct Options {
    /// The Cargo project.
    #[arg(value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// Where the component goes [default: DIR/<DIR's name>.wasm]
    #[arg(long, value_name = "FILE.wasm")]
    output: Option<PathBuf>,
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        let folder = self.project.canonicalize();
        let folder = folder.with_context(|| self.project.display().to_string())?;
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let beside = || folder.join(&name).with_extension("wasm");
        let output = self.output.clone().unwrap_or_else(beside);

        let module = build_module(&folder)?;
        let module = fs::read(&module).with_context(|| module.display().to_string())?;
        let component = ComponentEncoder::default()
            .validate(true)
            .module(&module)
            .and_then(|mut encoder| encoder.encode())
            .context("the module makes no component; does it call export!?")?;
        // What would fail on the first event had better fail here.
        let checked = PluginName::try_from("checked".to_owned()).map_err(anyhow::Error::msg)?;
        Loader::new()?.compile(checked, &component)?;

        fs::write(&output, &component).with_context(|| output.display().to_string())?;
        eprintln!("{} bytes", component.len());
        println!("{}", output.display());
        Ok(Exit::Done)
    }
}

/// Runs Cargo and gives the path of the core module that it made.
fn build_module(folder: &Path) -> anyhow::Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Process::new(cargo);
    cargo.current_dir(folder).stdout(Stdio::piped());
    cargo.args(["build", "--release", "--target", TARGET]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    cargo.args(PROFILE.iter().flat_map(|setting| ["--config", setting]));
    cargo.args(["--config", &without_paths(folder)]);
    if !has_target()? {
        debian(&mut cargo)?;
    }

    let mut build = cargo.spawn().context("cannot start cargo")?;
    let messages = build.stdout.take().context("cargo has no output")?;
    let mut module = None;
    for message in BufReader::new(messages).lines() {
        let message: Value = serde_json::from_str(&message?).unwrap_or_default();
        module = cdylib(&message).or(module);
    }
    if !build.wait()?.success() {
        bail!("cargo build failed");
    }
    module.context(
        "the project makes no module: its Cargo.toml needs [lib] crate-type = [\"cdylib\"]",
    )
}

/// Paths of this machine have no place in a component: panics would name them,
/// and the same sources would give another digest elsewhere.
fn without_paths(folder: &Path) -> String {
    let home = env::home_dir().unwrap_or_default();
    let cargo = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    // The last one that fits counts.
    let mut flags = vec![format!("--remap-path-prefix={}=.", folder.display())];
    let registries = fs::read_dir(cargo.join("registry/src"));
    for registry in registries.into_iter().flatten().flatten() {
        let path = registry.path();
        flags.push(format!("--remap-path-prefix={}=crates", path.display()));
    }
    let flags = toml::Value::from(flags);
    format!("target.{TARGET}.rustflags={flags}")
}

/// The module's path, if the message is about one.
fn cdylib(message: &Value) -> Option<PathBuf> {
    let kinds = message.get("target")?.get("crate_types")?.as_array()?;
    let files = message.get("filenames")?.as_array()?;
    let mut files = files.iter().filter_map(Value::as_str).map(Path::new);
    let wasm = files.find(|file| {
        file.extension()
            .is_some_and(|extension| extension == "wasm")
    });
    wasm.filter(|_| kinds.iter().any(|kind| kind == "cdylib"))
        .map(Path::to_path_buf)
}

fn rustc(arguments: &[&str]) -> anyhow::Result<PathBuf> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Process::new(rustc)
        .args(arguments)
        .output()
        .context("cannot start rustc")?;
    Ok(PathBuf::from(
        String::from_utf8_lossy(&output.stdout).trim(),
    ))
}

fn has_target() -> anyhow::Result<bool> {
    let libraries = rustc(&["--print", "target-libdir", "--target", TARGET])?;
    Ok(libraries.is_dir())
}

/// Debian's compiler builds the standard library from Debian's sources, and the
/// linker comes from the toolchain at hand.
fn debian(cargo: &mut Process) -> anyhow::Result<()> {
    const RUSTC: &str = "/usr/bin/rustc";
    const SOURCES: &str = "/usr/lib/rustlib/src/rust/library";
    if !Path::new(RUSTC).exists() || !Path::new(SOURCES).exists() {
        bail!(
            "no target {TARGET}: run `rustup target add {TARGET}` or, on Debian, \
             `apt-get install rustc-web rust-web-src`"
        );
    }
    let host = rustc(&["--print", "host-tuple"])?;
    let linker = rustc(&["--print", "sysroot"])?
        .join("lib/rustlib")
        .join(host)
        .join("bin/rust-lld");
    let linker: OsString = if linker.exists() {
        linker.into()
    } else {
        "rust-lld".into()
    };
    eprintln!("no target {TARGET} in this toolchain: building with Debian's {RUSTC}");
    cargo
        .env("RUSTC", RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
        .arg("-Zbuild-std=std,panic_abort");
    Ok(())
}
