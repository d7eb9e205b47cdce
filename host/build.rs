//! Compiles the default plugin to machine code, so that the host loads it
//! without a compiler.

use std::path::PathBuf;
use std::{env, fs};

#[path = "src/plugin/compiler.rs"]
mod compiler;
#[path = "src/plugin/engine.rs"]
mod engine;

const DEFAULT_PLUGIN: &str = "../plugins/default/default.wasm";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for input in [
        DEFAULT_PLUGIN,
        "src/plugin/compiler.rs",
        "src/plugin/engine.rs",
    ] {
        println!("cargo:rerun-if-changed={input}");
    }
    let target = env::var("TARGET")?;
    let artifact = compiler::precompile(&target, &fs::read(DEFAULT_PLUGIN)?)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("default.cwasm"), artifact)?;
    println!("cargo:rustc-env=POOLHOOK_TARGET={target}");
    Ok(())
}
