//! How a plugin can fail, each way with its name.

use std::io;

use rustix::io::Errno;
use wasmtime::OutOfMemory;

use crate::digest::Blake3;

/// Why a plugin cannot be loaded, or what ended its run.
///
/// No text here holds a value of the user's; the plugin's own words are in
/// [`PluginError::Refused`] alone, and not in its text.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// Not a WebAssembly component: damaged, cut off, a core module, ...
    #[error("not a WebAssembly component: {reason}")]
    NotAComponent {
        /// The compiler's reason.
        reason: String,
    },
    /// It needs WebAssembly proposals that are off in poolhook.
    #[error(
        "the component needs WebAssembly proposals that plugins cannot use: {}",
        features.join(", ")
    )]
    NeedsFeature {
        /// The proposals' names.
        features: Vec<&'static str>,
    },
    /// It imports what no plugin may have, such as WASI.
    #[error(
        "the component imports `{import}`; a plugin may import poolhook:mapper/logging@0.1.0 and nothing else (WASI neither)"
    )]
    ForbiddenImport {
        /// The import's name.
        import: String,
    },
    /// It is not of a world that this host speaks: of another version of it, or no
    /// mapper at all.
    #[error(
        "the component is not of the world poolhook:mapper/mapper@0.1.0, the only one that this host speaks: {reason}"
    )]
    WrongWorld {
        /// What does not fit.
        reason: String,
    },
    /// It is made of more memories, tables or core instances than a slot holds.
    #[error("the component has too many parts: {reason}")]
    TooManyParts {
        /// Which, and how many are allowed.
        reason: String,
    },
    /// Machine code that is not what the release says: damaged, cut off, forged,
    /// or another component's.
    #[error(
        "the artifact is not the one of the release: its BLAKE3 digest is {found}, not {expected}; `poolhook plugin rebuild` compiles it again"
    )]
    ArtifactAltered {
        /// The digest in the release.
        expected: Blake3,
        /// The digest of the bytes.
        found: Blake3,
    },
    /// Machine code for another engine, or for another processor.
    #[error(
        "the artifact was made for another engine or target than this host's ({}, {}); `poolhook plugin rebuild` makes one for it: {reason}",
        super::ENGINE,
        super::TARGET
    )]
    OtherEngine {
        /// What differs.
        reason: String,
    },
    /// The plugin's own error: it cannot map this user.
    #[error("the plugin returned an error")]
    Refused {
        /// In the plugin's words, which may hold personal data.
        message: String,
    },
    /// It ran too long.
    #[error(
        "the plugin used all of its fuel ({fuel}); an endless loop, or a limit too low: see `limits.fuel`"
    )]
    FuelLimit {
        /// The limit.
        fuel: u64,
    },
    /// The wall clock stopped it.
    #[error("the plugin ran for {time_ms} ms, its limit: see `limits.time-ms`")]
    TimeLimit {
        /// The limit.
        time_ms: u64,
    },
    /// Its call stack ran over.
    #[error("the plugin's call stack ran over; an endless recursion, perhaps")]
    StackOverflow,
    /// It wanted more memory.
    #[error(
        "the plugin wanted more than {memory_bytes} bytes of memory: see `limits.memory-bytes`"
    )]
    MemoryLimit {
        /// The limit.
        memory_bytes: usize,
    },
    /// It wanted larger tables.
    #[error(
        "the plugin wanted more than {table_elements} table elements: see `limits.table-elements`"
    )]
    TableLimit {
        /// The limit.
        table_elements: usize,
    },
    /// It returned too much.
    #[error("the plugin returned more than {output_bytes} bytes: see `limits.output-bytes`")]
    OutputLimit {
        /// The limit.
        output_bytes: usize,
    },
    /// It logged too much.
    #[error("the plugin logged more than {log_bytes} bytes: see `limits.log-bytes`")]
    LogLimit {
        /// The limit.
        log_bytes: usize,
    },
    /// What it returned cannot be read: no UTF-8, pointers to nowhere, ...
    #[error(
        "the plugin's result breaks the component model's rules (text that is no UTF-8, or a pointer out of bounds)"
    )]
    MalformedOutput,
    /// It trapped, as a panic does.
    #[error("the plugin trapped: {trap}")]
    Trap {
        /// The trap, as WebAssembly names it.
        trap: String,
    },
    /// The engine itself could not start, or the system refused it memory.
    #[error("the WebAssembly engine failed: {reason}")]
    Engine {
        /// Its reason.
        reason: String,
    },
}

impl PluginError {
    pub(super) fn engine(error: impl std::fmt::Display) -> Self {
        Self::Engine {
            reason: format!("{error:#}"),
        }
    }

    /// The error, if it is not the plugin's doing: the system refused memory or a file.
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
        match self {
            Self::NotAComponent { .. } => "Plugin.NotAComponent",
            Self::NeedsFeature { .. } => "Plugin.NeedsFeature",
            Self::ForbiddenImport { .. } => "Plugin.ForbiddenImport",
            Self::WrongWorld { .. } => "Plugin.WrongWorld",
            Self::TooManyParts { .. } => "Plugin.TooManyParts",
            Self::ArtifactAltered { .. } => "Plugin.ArtifactAltered",
            Self::OtherEngine { .. } => "Plugin.OtherEngine",
            Self::Refused { .. } => "Plugin.Refused",
            Self::FuelLimit { .. } => "Plugin.FuelLimit",
            Self::TimeLimit { .. } => "Plugin.TimeLimit",
            Self::StackOverflow => "Plugin.StackOverflow",
            Self::MemoryLimit { .. } => "Plugin.MemoryLimit",
            Self::TableLimit { .. } => "Plugin.TableLimit",
            Self::OutputLimit { .. } => "Plugin.OutputLimit",
            Self::LogLimit { .. } => "Plugin.LogLimit",
            Self::MalformedOutput => "Plugin.MalformedOutput",
            Self::Trap { .. } => "Plugin.Trap",
            Self::Engine { .. } => "Plugin.Engine",
        }
    }
}
