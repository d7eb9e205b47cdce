//! Compiles the built-in plugins to machine code, so that the host loads them without a
//! compiler, and computes the name of the engine that loads such code.

use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

#[path = "src/plugin/compiler.rs"]
mod compiler;
#[path = "src/plugin/engine.rs"]
#[expect(dead_code, reason = "only the host names proposals")]
mod engine;

const BUILTIN: [&str; 2] = ["default", "fields"];
const LOCK: &str = "../Cargo.lock";

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    for input in [LOCK, "src/plugin/compiler.rs", "src/plugin/engine.rs"] {
        println!("cargo:rerun-if-changed={input}");
    }
    let target = env::var("TARGET")?;
    let engine = engine_name(&target)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for name in BUILTIN {
        let component = format!("../plugins/{name}/{name}.wasm");
        println!("cargo:rerun-if-changed={component}");
        let artifact = compiler::precompile(&engine, &target, &fs::read(component)?)?;
        fs::write(out.join(format!("{name}.cwasm")), artifact)?;
    }
    println!("cargo:rustc-env=POOLHOOK_COMMIT={}", commit());
    println!("cargo:rustc-env=POOLHOOK_TARGET={target}");
    println!("cargo:rustc-env=POOLHOOK_ENGINE={engine}");
    Ok(())
}

/// The commit that is built, for `--version`; `unknown` outside a checkout.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    // Each commit and each checkout adds a line to it.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo:rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned())
}

/// wasmtime's full version, and a hash of its settings. Two builds with the same name
/// load each other's artifacts.
fn engine_name(target: &str) -> Result<String, Error> {
    let version = wasmtime_version()?;
    let compiler = compiler::compiler(&version, target)?;
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    compiler.precompile_compatibility_hash().hash(&mut hasher);
    Ok(format!("wasmtime-{version}-{:016x}", hasher.finish()))
}

/// Read from Cargo.lock, as wasmtime does not expose its full version.
fn wasmtime_version() -> Result<String, Error> {
    let lock = fs::read_to_string(LOCK)?;
    let (_, after) = lock
        .split_once("name = \"wasmtime\"\nversion = \"")
        .ok_or("Cargo.lock has no wasmtime")?;
    let (version, _) = after.split_once('"').ok_or("Cargo.lock is cut off")?;
    Ok(version.to_owned())
}

/// FNV-1a: the same for every compiler version, unlike the standard library's hash.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
