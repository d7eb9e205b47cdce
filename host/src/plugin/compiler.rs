//! Compiles components to machine code: in the build script and, with the feature
//! `compiler`, in the host.

use wasmtime::{Engine, Result};

use super::engine;

/// Compiles a component for `target`'s baseline processor, whatever this machine has.
/// The result loads only where the engine's name is `engine`.
pub(crate) fn precompile(engine: &str, target: &str, component: &[u8]) -> Result<Vec<u8>> {
    compiler(engine, target)?.precompile_component(component)
}

pub(crate) fn compiler(engine: &str, target: &str) -> Result<Engine> {
    let mut config = engine::config(engine)?;
    // NaNs are canonicalized, so that the same user gives the same item on each machine.
    config.cranelift_nan_canonicalization(true).target(target)?;
    Engine::new(&config)
}
