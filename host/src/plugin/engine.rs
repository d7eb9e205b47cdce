//! How wasmtime is configured. The build script, which compiles, and the host, which
//! loads, both include this file: an artifact loads only if these settings are the same.

use std::num::NonZeroUsize;

use wasmtime::wasmparser::WasmFeatures;
use wasmtime::{Config, ModuleVersionStrategy, Result};

/// A WebAssembly proposal, and whether plugins may use it.
pub(crate) struct Proposal {
    pub(crate) feature: WasmFeatures,
    pub(crate) name: &'static str,
    pub(crate) allowed: bool,
}

const fn on(feature: WasmFeatures, name: &'static str) -> Proposal {
    Proposal {
        feature,
        name,
        allowed: true,
    }
}

const fn off(feature: WasmFeatures, name: &'static str) -> Proposal {
    Proposal {
        feature,
        name,
        allowed: false,
    }
}

/// Every proposal that wasmtime's validator knows. On are SIMD and what the plugin kits
/// need. Everything else is off, because an attacker could use it and no plugin needs it.
/// `every_proposal_is_decided` fails if a new wasmtime version knows another proposal.
pub(crate) const PROPOSALS: &[Proposal] = &[
    // WebAssembly 1.0, with what every compiler has assumed since: the stack pointer of C
    // and Rust is a mutable global, and their integers and floats use the rest.
    on(WasmFeatures::MUTABLE_GLOBAL, "mutable-global"),
    on(WasmFeatures::FLOATS, "floats"),
    on(WasmFeatures::SIGN_EXTENSION, "sign-extension-ops"),
    on(
        WasmFeatures::SATURATING_FLOAT_TO_INT,
        "nontrapping-float-to-int-conversions",
    ),
    // LLVM emits these by default: calls through tables, memcpy, multiple results.
    on(WasmFeatures::REFERENCE_TYPES, "reference-types"),
    on(
        WasmFeatures::CALL_INDIRECT_OVERLONG,
        "call-indirect-overlong",
    ),
    on(WasmFeatures::BULK_MEMORY, "bulk-memory"),
    on(WasmFeatures::BULK_MEMORY_OPT, "bulk-memory-opt"),
    on(WasmFeatures::MULTI_VALUE, "multi-value"),
    // The engines in the TypeScript and Python kits: QuickJS's interpreter ends each
    // instruction with a tail call, and both are linked with computed offsets.
    on(WasmFeatures::TAIL_CALL, "tail-call"),
    on(WasmFeatures::EXTENDED_CONST, "extended-const"),
    // wasmtime's own code between two inner components, as in the TypeScript kit,
    // copies from one component's memory to the other's.
    on(WasmFeatures::MULTI_MEMORY, "multi-memory"),
    // Compilers vectorize loops if a plugin's author enables it.
    on(WasmFeatures::SIMD, "simd"),
    // Every plugin is a component.
    on(WasmFeatures::COMPONENT_MODEL, "component-model"),
    // Without its `gc` feature, wasmtime 48.0.8 compiles casts and indirect calls
    // between subtypes into calls of a runtime that is missing: the process aborts
    // (RUSTSEC-2026-0570).
    off(WasmFeatures::GC, "gc"),
    // `externref`: needs the same runtime.
    off(WasmFeatures::GC_TYPES, "gc-types"),
    // A mapping has one thread. Shared memory could outlive its event.
    off(WasmFeatures::THREADS, "threads"),
    off(
        WasmFeatures::SHARED_EVERYTHING_THREADS,
        "shared-everything-threads",
    ),
    // Results differ between processors; a replay must give the same item.
    off(WasmFeatures::RELAXED_SIMD, "relaxed-simd"),
    // No kit emits these.
    off(WasmFeatures::FUNCTION_REFERENCES, "function-references"),
    off(WasmFeatures::MEMORY64, "memory64"),
    off(WasmFeatures::EXCEPTIONS, "exception-handling"),
    off(WasmFeatures::LEGACY_EXCEPTIONS, "legacy-exceptions"),
    off(WasmFeatures::STACK_SWITCHING, "stack-switching"),
    off(WasmFeatures::WIDE_ARITHMETIC, "wide-arithmetic"),
    off(WasmFeatures::CUSTOM_PAGE_SIZES, "custom-page-sizes"),
    off(WasmFeatures::MEMORY_CONTROL, "memory-control"),
    off(WasmFeatures::CUSTOM_DESCRIPTORS, "custom-descriptors"),
    off(WasmFeatures::COMPACT_IMPORTS, "compact-import-section"),
    // A mapping is one synchronous call, with nothing to wait for.
    off(WasmFeatures::CM_ASYNC, "component-model-async"),
    off(
        WasmFeatures::CM_ASYNC_STACKFUL,
        "component-model-async-stackful",
    ),
    off(
        WasmFeatures::CM_MORE_ASYNC_BUILTINS,
        "component-model-more-async-builtins",
    ),
    off(WasmFeatures::CM_THREADING, "component-model-threading"),
    off(
        WasmFeatures::CM_ERROR_CONTEXT,
        "component-model-error-context",
    ),
    // The world uses none of these, and no kit's tools emit them.
    off(WasmFeatures::CM_VALUES, "component-model-values"),
    off(
        WasmFeatures::CM_NESTED_NAMES,
        "component-model-nested-names",
    ),
    off(
        WasmFeatures::CM_FIXED_LENGTH_LISTS,
        "component-model-fixed-length-lists",
    ),
    off(WasmFeatures::CM_GC, "component-model-gc"),
    off(WasmFeatures::CM_MAP, "component-model-map"),
    off(WasmFeatures::CM64, "component-model-memory64"),
    off(WasmFeatures::CM_IMPLEMENTS, "component-model-implements"),
    off(
        WasmFeatures::CM_CANON_NAMES,
        "component-model-canonical-names",
    ),
];

/// The proposals that plugins may use.
pub(crate) fn allowed() -> WasmFeatures {
    let on = PROPOSALS.iter().filter(|proposal| proposal.allowed);
    on.map(|proposal| proposal.feature).collect()
}

/// The most frames of a backtrace. wasmtime copies the name of each frame's function, which
/// can be as long as the component, so the trigger takes only one.
const BACKTRACE_FRAMES: NonZeroUsize =
    NonZeroUsize::MIN.saturating_add(if cfg!(feature = "cli") { 7 } else { 0 });

/// Fuel and epochs limit a plugin's run. Code that a mapping does not need (async,
/// unwinding) is not generated. A backtrace is taken only when a run fails; it tells
/// whether the plugin's code was running, and the command line prints it.
///
/// Every artifact contains the name `engine` and loads only where the name is the same.
/// wasmtime itself would compare only its major version.
pub(crate) fn config(engine: &str) -> Result<Config> {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_features(WasmFeatures::all(), false)
        .wasm_features(allowed(), true)
        .wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES))
        .generate_address_map(false)
        .native_unwind_info(false)
        // A slot then serves one plugin after another without being mapped again, which
        // costs more than copying the little data that a mapper has.
        .memory_init_cow(false)
        .module_version(ModuleVersionStrategy::Custom(engine.to_owned()))?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_proposal_is_decided() {
        let decided: WasmFeatures = PROPOSALS.iter().map(|each| each.feature).collect();
        let open = WasmFeatures::all() - decided;
        let names: Vec<_> = open.iter_names().map(|(name, _)| name).collect();
        assert!(open.is_empty(), "neither on nor off: {names:?}");
        let off: WasmFeatures = PROPOSALS
            .iter()
            .filter(|each| !each.allowed)
            .map(|each| each.feature)
            .collect();
        assert!((allowed() & off).is_empty(), "both on and off");
    }
}
