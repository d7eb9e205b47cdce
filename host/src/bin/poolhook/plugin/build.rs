//! `poolhook plugin build`: builds a Cargo project or a core module into a component.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::{env, fs};

use anyhow::{Context as _, bail};
use clap::Args;
use poolhook::config::PublishLimits;
use serde_json::Value;
use wit_component::ComponentEncoder;

use crate::Exit;
use crate::options::{artifact, block_on};
use crate::out::say;

/// The header of a component; a core module has another version.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const TARGET: &str = "wasm32-unknown-unknown";
/// The stack's share of a plugin's memory. With the linker's default of 1 MiB, the
/// host would have to clear that much after each event.
const STACK_BYTES: u64 = 128 << 10;
/// Settings that make the component small; they override the project's.
const PROFILE: [&str; 5] = [
    "profile.release.opt-level='s'",
    "profile.release.lto=true",
    "profile.release.codegen-units=1",
    "profile.release.panic='abort'",
    "profile.release.strip=true",
];

/// Build a plugin in Rust or C into a component.
///
/// A folder is a Cargo project. It needs the target wasm32-unknown-unknown
/// (`rustup target add wasm32-unknown-unknown`) or, instead, Debian's packages
/// rustc-web and rust-web-src.
///
/// A file is a core module that another compiler produced, such as clang. The
/// object file that wit-bindgen's C generator produces must be linked in, and the
/// module must not import WASI.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook plugin build plugins/default
  poolhook plugin build . --output my-mapper.wasm
  poolhook plugin build build/module.wasm --output my-mapper.wasm

The tools for TypeScript and Python produce components themselves.")]
pub(crate) struct Options {
    /// The Cargo project, or a core module.
    #[arg(value_name = "DIR|MODULE.wasm", default_value = ".")]
    source: PathBuf,
    /// The component's file [default: DIR/<DIR's name>.wasm]
    #[arg(long, value_name = "FILE.wasm")]
    output: Option<PathBuf>,
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        let source = self.source.canonicalize();
        let source = source.with_context(|| self.source.display().to_string())?;
        let (module, output) = if source.is_dir() {
            (build_module(&source)?, self.output.clone())
        } else {
            let output = self.output.clone();
            let output = output
                .context("for a core module, pass --output FILE.wasm, named after the plugin")?;
            (source.clone(), Some(output))
        };
        let output = output.unwrap_or_else(|| {
            let name = source.file_name().unwrap_or_default();
            source.join(name).with_extension("wasm")
        });

        let module = fs::read(&module).with_context(|| module.display().to_string())?;
        let component = component(&module)?;
        // A component that would fail on the first event fails here instead.
        block_on(artifact(PublishLimits::default(), &component))?;

        fs::write(&output, &component).with_context(|| output.display().to_string())?;
        say!("{} bytes", component.len());
        println!("{}", output.display());
        Ok(Exit::Done)
    }
}

fn component(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    if module.starts_with(COMPONENT) {
        bail!(
            "this is already a component. `poolhook plugin check` reports whether it is a mapper"
        );
    }
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .context(
            "cannot make a component of the module. In Rust, does it call export!? In C, is \
             mapper_component_type.o linked, and nothing that imports WASI, such as stdio?",
        )
}

/// Runs Cargo and returns the path of the core module that it built.
fn build_module(folder: &Path) -> anyhow::Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Process::new(cargo);
    cargo.current_dir(folder).stdout(Stdio::piped());
    cargo.args(["rustc", "--lib", "--release", "--target", TARGET]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    cargo.args(PROFILE.iter().flat_map(|setting| ["--config", setting]));
    let Manifest {
        stack_bytes: stack,
        panic_messages,
    } = Manifest::read(folder)?;
    let mut flags = without_paths();
    if !has_target()? {
        debian(&mut cargo)?;
        // Only with a standard library that is built as well.
        if !panic_messages {
            flags.extend(["-Zunstable-options", "-Cpanic=immediate-abort"].map(String::from));
        }
    }
    let flags = toml::Value::from(flags);
    cargo.args(["--config", &format!("target.{TARGET}.rustflags={flags}")]);
    // Only for the plugin's own crate, so that its dependencies stay cached.
    cargo.args(["--", &format!("-Clink-arg=-zstack-size={stack}")]);

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
        "the project builds no core module. Its Cargo.toml needs [lib] crate-type = [\"cdylib\"]",
    )
}

/// What the project sets in `[package.metadata.poolhook]`.
struct Manifest {
    /// `stack-bytes`.
    stack_bytes: u64,
    /// `panic-messages`. Without them, a panic traps at once, and the texts of all panics,
    /// a third of the data that each event's instance copies, are not in the component.
    panic_messages: bool,
}

impl Manifest {
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let manifest = folder.join("Cargo.toml");
        let context = || manifest.display().to_string();
        let text = fs::read_to_string(&manifest).with_context(context)?;
        let read: Value = toml::from_str(&text).with_context(context)?;
        let asked = |key: &str| read.pointer(&format!("/package/metadata/poolhook/{key}"));
        let bytes = asked("stack-bytes").map_or(Some(STACK_BYTES), Value::as_u64);
        let bytes = bytes
            .filter(|bytes| bytes % 16 == 0 && *bytes > 0)
            .with_context(|| format!("{}: stack-bytes must be a multiple of 16", context()))?;
        let messages = asked("panic-messages").map_or(Some(true), Value::as_bool);
        let messages = messages
            .with_context(|| format!("{}: panic-messages must be true or false", context()))?;
        Ok(Self {
            stack_bytes: bytes,
            panic_messages: messages,
        })
    }
}

/// Removes this machine's paths from the component: panics would contain them, and
/// the same sources would have another digest on another machine. The project's own
/// paths are relative anyway.
fn without_paths() -> Vec<String> {
    let home = env::home_dir().unwrap_or_default();
    let cargo = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let registries = fs::read_dir(cargo.join("registry/src"));
    let registries = registries.into_iter().flatten().flatten();
    let flags = registries.map(|registry| {
        let path = registry.path();
        format!("--remap-path-prefix={}=crates", path.display())
    });
    flags.collect()
}

/// The core module's path, if Cargo's message is about one.
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

/// Uses Debian's compiler, which builds the standard library from Debian's sources,
/// with the current toolchain's linker.
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
    say!("no target {TARGET} in this toolchain: building with Debian's {RUSTC}");
    cargo
        .env("RUSTC", RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
        .arg("-Zbuild-std=std,panic_abort");
    Ok(())
}
