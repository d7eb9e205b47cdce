//! Components into machine code: in the build script and, where the feature
//! `compiler` is on, in the host.

use wasmtime::{Engine, Result};

use super::engine;

/// Compiles a component for `target`'s baseline, whatever the machine that
/// compiles.
pub(crate) fn precompile(target: &str, component: &[u8]) -> Result<Vec<u8>> {
    let mut config = engine::config();
    // One NaN is like another, so that the same user gives the same item.
    config.cranelift_nan_canonicalization(true).target(target)?;
    Engine::new(&config)?.precompile_component(component)
}
