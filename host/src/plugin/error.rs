//! Plugin errors, each with a name of its own.

use std::io;

use rustix::io::Errno;
use wasmtime::OutOfMemory;

use crate::digest::Blake3;
use crate::text::shown;

/// Why a plugin cannot be loaded, or why its run ended.
///
/// No message holds personal data, so each can be logged. The plugin's own message,
/// which can, is a field of [`PluginError::Refused`] that its `Display` leaves out.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "Plugin.")]
pub enum PluginError {
    /// The bytes are not a WebAssembly component: damaged, truncated or a core module,
    /// for example.
    #[error("not a WebAssembly component: {}", shown(reason))]
    NotAComponent {
        /// The compiler's reason.
        reason: String,
    },
    /// The component needs WebAssembly proposals that poolhook turns off.
    #[error(
        "the component needs WebAssembly proposals that plugins cannot use: {}",
        features.join(", ")
    )]
    NeedsFeature {
        /// The proposals, by wasmparser's names, such as `gc`.
        features: Vec<&'static str>,
    },
    /// The component imports an interface that plugins cannot use, such as WASI.
    #[error(
        "the component imports `{}`; a plugin may import poolhook:mapper/logging@0.1.0 and nothing else (WASI neither)",
        shown(import)
    )]
    ForbiddenImport {
        /// The import, such as `wasi:cli/environment@0.2.0`.
        import: String,
    },
    /// The component does not implement the world that this host supports: it is of
    /// another version, or not a mapper.
    #[error(
        "the component does not implement poolhook:mapper/mapper@0.1.0, the only one that this host speaks: {}",
        shown(reason)
    )]
    WrongWorld {
        /// The first difference, in wasmtime's words.
        reason: String,
    },
    /// The component has more memories, tables or core instances than an instance slot
    /// holds.
    #[error("the component has too many parts: {}", shown(reason))]
    TooManyParts {
        /// The kind and the number that is allowed.
        reason: String,
    },
    /// The artifact's digest is not the release's: it is damaged, truncated, forged or
    /// of another component.
    #[error(
        "the artifact is not the release's: its BLAKE3 digest is {found}, not {expected}; `poolhook plugin rebuild` compiles it again"
    )]
    ArtifactAltered {
        /// The digest in the release's document.
        expected: Blake3,
        /// The digest of the bytes.
        found: Blake3,
    },
    /// The artifact was compiled for another engine or another processor.
    #[error(
        "the artifact was made for another engine or target than this host's ({}, {}); `poolhook plugin rebuild` makes one for it: {}",
        super::ENGINE,
        super::TARGET,
        shown(reason)
    )]
    OtherEngine {
        /// The difference, in wasmtime's words.
        reason: String,
    },
    /// The plugin returned an error: it cannot map this user.
    #[error("the plugin returned an error")]
    Refused {
        /// The plugin's message, which may hold personal data.
        message: String,
    },
    /// The plugin used all of its fuel.
    #[error(
        "the plugin used all of its fuel ({fuel}); an endless loop, or a limit too low: see `limits.fuel`"
    )]
    FuelLimit {
        /// The limit.
        fuel: u64,
    },
    /// The plugin ran longer than its time limit, in wall-clock time.
    #[error("the plugin ran for {time_ms} ms, its limit: see `limits.time-ms`")]
    TimeLimit {
        /// The limit.
        time_ms: u64,
    },
    /// The plugin's call stack overflowed.
    #[error("the plugin's call stack overflowed, probably by endless recursion")]
    StackOverflow,
    /// The plugin asked for more memory than its limit.
    #[error(
        "the plugin asked for more than {memory_bytes} bytes of memory: see `limits.memory-bytes`"
    )]
    MemoryLimit {
        /// The limit.
        memory_bytes: usize,
    },
    /// The plugin asked for larger tables than its limit.
    #[error(
        "the plugin asked for more than {table_elements} table elements: see `limits.table-elements`"
    )]
    TableLimit {
        /// The limit.
        table_elements: usize,
    },
    /// The plugin's result is larger than its limit.
    #[error("the plugin returned more than {output_bytes} bytes: see `limits.output-bytes`")]
    OutputLimit {
        /// The limit.
        output_bytes: usize,
    },
    /// The plugin logged more than its limit.
    #[error("the plugin logged more than {log_bytes} bytes: see `limits.log-bytes`")]
    LogLimit {
        /// The limit.
        log_bytes: usize,
    },
    /// What the plugin handed to the host breaks the component model's rules: text that
    /// is not UTF-8, or a pointer out of bounds in its result, for example.
    #[error(
        "what the plugin handed over breaks the component model's rules (text that is not UTF-8, or a pointer out of bounds)"
    )]
    MalformedOutput,
    /// The plugin trapped: it panicked, or broke a rule of the component model while it
    /// ran, such as by using a resource that it does not have.
    #[error("the plugin trapped: {}", shown(trap))]
    Trap {
        /// The trap, in WebAssembly's or wasmtime's words.
        trap: String,
        /// The functions that were running, the innermost first: their names, if the
        /// component has them. The text leaves them out, as the plugin's author chose them.
        backtrace: Vec<String>,
    },
    /// The engine could not start, or the operating system refused it memory.
    #[error("the WebAssembly engine failed: {}", shown(reason))]
    Engine {
        /// The engine's reason.
        reason: String,
    },
}

impl PluginError {
    pub(super) fn engine(error: impl std::fmt::Display) -> Self {
        Self::Engine {
            reason: format!("{error:#}"),
        }
    }

    /// An [`Engine`](Self::Engine) error if the operating system refused memory or a
    /// file, which is not the plugin's fault.
    pub(super) fn of_the_system(error: &wasmtime::Error) -> Option<Self> {
        let refused = error.is::<Errno>() || error.is::<io::Error>() || error.is::<OutOfMemory>();
        refused.then(|| Self::engine(error))
    }

    pub(super) fn wrong_world(error: &wasmtime::Error) -> Self {
        Self::WrongWorld {
            reason: format!("{error:#}"),
        }
    }

    /// The error's name, for logs and callers.
    pub fn name(&self) -> &'static str {
        self.into()
    }
}
