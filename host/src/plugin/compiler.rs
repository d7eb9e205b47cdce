//! Components into machine code: in the build script and, where the feature
//! `compiler` is on, in the host.

use wasmtime::{Engine, Result};

use super::engine;

/// Compiles a component for `target`'s baseline, whatever the machine that
/// compiles; to be loaded where the engine's name is `engine`.
pub(crate) fn precompile(engine: &str, target: &str, component: &[u8]) -> Result<Vec<u8>> {
    compiler(engine, target)?.precompile_component(component)
}

pub(crate) fn compiler(engine: &str, target: &str) -> Result<Engine> {
    let mut config = engine::config(engine)?;
    // One NaN is like another, so that the same user gives the same item.
    config.cranelift_nan_canonicalization(true).target(target)?;
    Engine::new(&config)
}
