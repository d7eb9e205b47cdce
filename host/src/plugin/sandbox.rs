//! Counts what a running plugin uses, and names the error when it exceeds a limit.

use std::char::DecodeUtf16Error;
use std::str::Utf8Error;

use wasmtime::{FrameInfo, PoolConcurrencyLimitError, ResourceLimiter, Trap, WasmBacktrace};

use super::PluginError;
use crate::config::Limits;
use crate::log::Level;

/// Bytes that a log line costs in addition to its message, so that empty lines count.
const LOG_LINE_BYTES: usize = 16;

/// The most bytes of a function's name in a backtrace.
const MAX_NAME_BYTES: usize = 256;

/// The state of one plugin run.
#[derive(Debug)]
pub(super) struct Sandbox {
    memory_left: usize,
    elements_left: usize,
    log_left: usize,
    pub(super) log: Vec<LogLine>,
}

impl Sandbox {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            memory_left: limits.memory_bytes,
            elements_left: limits.table_elements,
            log_left: limits.log_bytes,
            log: Vec::new(),
        }
    }

    /// The bytes of linear memory that the plugin has.
    pub(super) fn memory_bytes(&self, limits: &Limits) -> usize {
        limits.memory_bytes - self.memory_left
    }

    pub(super) fn log(&mut self, line: LogLine) -> Result<(), LogLimit> {
        let cost = line.message.len() + LOG_LINE_BYTES;
        self.log_left = self.log_left.checked_sub(cost).ok_or(LogLimit)?;
        self.log.push(line);
        Ok(())
    }
}

/// A line that a plugin logged. It may hold what the plugin's author put there,
/// personal data too.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LogLine {
    /// The level that the plugin chose.
    pub level: Level,
    /// The plugin's words.
    pub message: String,
}

/// Counts the bytes of all the component's memories together, and the elements
/// of all its tables: wasmtime's own `StoreLimits` bound each one alone. An
/// error, unlike a refusal, can't be mistaken for the plugin's own trap after a
/// failed allocation.
impl ResourceLimiter for Sandbox {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        self.memory_left = self.memory_left.checked_sub(more).ok_or(MemoryLimit)?;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        self.elements_left = self.elements_left.checked_sub(more).ok_or(TableLimit)?;
        Ok(true)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("over the memory limit")]
struct MemoryLimit;

#[derive(Debug, thiserror::Error)]
#[error("over the table limit")]
struct TableLimit;

#[derive(Debug, thiserror::Error)]
#[error("over the log limit")]
pub(super) struct LogLimit;

/// Names what ended a run, by the error's type.
pub(super) fn classify(error: &wasmtime::Error, limits: &Limits) -> PluginError {
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return match trap {
            Trap::OutOfFuel => PluginError::FuelLimit { fuel: limits.fuel },
            Trap::Interrupt => PluginError::TimeLimit {
                time_ms: limits.time_ms,
            },
            Trap::StackOverflow => PluginError::StackOverflow,
            trap => PluginError::Trap {
                trap: trap.to_string(),
                backtrace: backtrace(error),
            },
        };
    }
    if error.is::<MemoryLimit>() {
        PluginError::MemoryLimit {
            memory_bytes: limits.memory_bytes,
        }
    } else if error.is::<TableLimit>() {
        PluginError::TableLimit {
            table_elements: limits.table_elements,
        }
    } else if error.is::<LogLimit>() {
        PluginError::LogLimit {
            log_bytes: limits.log_bytes,
        }
    } else if error.is::<PoolConcurrencyLimitError>() {
        PluginError::engine(error)
    } else if let Some(refused) = PluginError::of_the_system(error) {
        refused
    } else if is_hostcall_fuel(error) {
        PluginError::OutputLimit {
            output_bytes: super::answer_bytes(limits),
        }
    } else if is_malformed_text(error) {
        PluginError::MalformedOutput
    } else if error.is::<WasmBacktrace>() {
        // The plugin's code was running, and used a handle that it does not have or
        // passed a broken string, for example. The component model calls that a trap.
        PluginError::Trap {
            trap: error.root_cause().to_string(),
            backtrace: backtrace(error),
        }
    } else if is_plain_message(error) {
        // wasmtime was reading the result, or asking for memory for the arguments.
        PluginError::MalformedOutput
    } else {
        PluginError::engine(error)
    }
}

fn backtrace(error: &wasmtime::Error) -> Vec<String> {
    let frames = error.downcast_ref::<WasmBacktrace>();
    let frames = frames.map(WasmBacktrace::frames).unwrap_or_default();
    let name = |frame: &FrameInfo| match frame.func_name() {
        Some(name) => {
            let end = name.floor_char_boundary(MAX_NAME_BYTES);
            name.get(..end).unwrap_or_default().to_owned()
        }
        None => format!("function {}", frame.func_index()),
    };
    frames.iter().map(name).collect()
}

/// Whether the guest handed over more than [`wasmtime::Store::set_hostcall_fuel`]
/// allows. That error's type is private to wasmtime, so its name is all there is.
fn is_hostcall_fuel(error: &wasmtime::Error) -> bool {
    format!("{:?}", error.root_cause()) == "HostcallFuelExhausted"
}

/// Whether the guest handed over text that is not UTF-8 or UTF-16.
fn is_malformed_text(error: &wasmtime::Error) -> bool {
    error.is::<Utf8Error>() || error.is::<DecodeUtf16Error>()
}

/// Whether the error is one of the canonical ABI's checks of pointers and discriminants,
/// which are plain messages in wasmtime.
fn is_plain_message(error: &wasmtime::Error) -> bool {
    error.is::<&'static str>() || error.is::<String>()
}
