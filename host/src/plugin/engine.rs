//! How wasmtime is set up. The build script, which compiles, and the host,
//! which loads, both include this file: an artifact loads only where these
//! settings are the same.

use wasmtime::{Config, ModuleVersionStrategy, Result};

/// Fuel and epochs bound a plugin's run; nothing that a mapping does not need
/// (async, backtraces, unwinding) is compiled in.
///
/// Every artifact carries `engine`, and loads where this is the same: wasmtime by
/// itself compares its major version alone.
pub(crate) fn config(engine: &str) -> Result<Config> {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_relaxed_simd(false)
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .native_unwind_info(false)
        // A slot then serves one plugin after another without being mapped anew,
        // which costs more than copying the little data that a mapper has.
        .memory_init_cow(false)
        .module_version(ModuleVersionStrategy::Custom(engine.to_owned()))?;
    Ok(config)
}
