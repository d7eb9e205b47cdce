//! Compiling in a process of its own, with limits on time and memory: a
//! component's size bounds neither.

use std::ffi::OsStr;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use crate::config::PublishLimits;
use crate::plugin::{PluginError, precompile};

/// What the compiling process says of a component that it cannot compile is at
/// most so long.
const MAX_REASON_BYTES: usize = 2000;
/// The compiling process ends with this code if the component is to blame.
const REFUSED: u8 = 3;

/// Why a component does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// It is no component, or one with features that poolhook does not have.
    #[error("not a WebAssembly component that poolhook runs: {reason}")]
    NotAComponent {
        /// The compiler's reason.
        reason: String,
    },
    /// It took too long.
    #[error("compiling it took more than {seconds} s")]
    Time {
        /// The limit: `publish.compile-seconds` in `host.toml`.
        seconds: u64,
    },
    /// It took too much memory.
    #[error("compiling it took more than {bytes} bytes of memory")]
    Memory {
        /// The limit: `publish.compile-memory-bytes` in `host.toml`.
        bytes: u64,
    },
    /// The compiler itself failed.
    #[error("the compiler failed on it ({status})")]
    Crashed {
        /// How its process ended.
        status: String,
    },
}

impl CompileError {
    /// The error's name, for the rejection and for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotAComponent { .. } => "Plugin.NotAComponent",
            Self::Time { .. } => "Upload.CompileTime",
            Self::Memory { .. } => "Upload.CompileMemory",
            Self::Crashed { .. } => "Upload.CompilerFailed",
        }
    }

    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::NotAComponent { .. } => {
                "Upload a component, not a core module: `poolhook plugin build` makes one. If it is one, the upload may have been cut off: try again."
            }
            Self::Time { .. } | Self::Memory { .. } => {
                "Make it smaller: very large functions cost the most. A language that brings its own engine may need a larger `publish.compile-seconds` or `publish.compile-memory-bytes` in host.toml."
            }
            Self::Crashed { .. } => {
                "Build it with other tools or options, and report this with the component."
            }
        }
    }
}

/// Compiles a component in a process of its own. The outer error is the
/// system's, the inner one the component's.
pub(super) async fn in_a_process(
    compiler: &Path,
    component: &[u8],
    limits: &PublishLimits,
) -> io::Result<Result<Vec<u8>, CompileError>> {
    let mut command = Command::new(compiler);
    command
        .arg("precompile")
        .arg(limits.compile_seconds.to_string())
        .arg(limits.compile_memory_bytes.to_string())
        // No credentials for what reads foreign bytes.
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut process = command.spawn()?;
    let mut input = process.stdin.take();
    let write = async {
        if let Some(mut input) = input.take() {
            // A process that ends before it has read all says why by itself.
            let _ = input.write_all(component).await;
            let _ = input.shutdown().await;
        }
    };
    // Its processor time is limited by the system; this is for one that sleeps.
    let at_most = Duration::from_secs(2 * limits.compile_seconds + 5);
    let run = async { tokio::join!(process.wait_with_output(), write).0 };
    let Ok(output) = timeout(at_most, run).await else {
        let seconds = limits.compile_seconds;
        return Ok(Err(CompileError::Time { seconds }));
    };
    let output = output?;
    Ok(if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(refusal(output.status, &output.stderr, limits))
    })
}

fn refusal(status: ExitStatus, said: &[u8], limits: &PublishLimits) -> CompileError {
    if status.code() == Some(REFUSED.into()) {
        let said = said.get(..MAX_REASON_BYTES).unwrap_or(said);
        let reason = String::from_utf8_lossy(said).trim().to_owned();
        return CompileError::NotAComponent { reason };
    }
    match status.signal().and_then(Signal::from_named_raw) {
        Some(Signal::XCPU) => CompileError::Time {
            seconds: limits.compile_seconds,
        },
        // Rust ends itself where it gets no more memory; where the machine has no
        // more, the system does.
        Some(Signal::ABORT | Signal::KILL) => CompileError::Memory {
            bytes: limits.compile_memory_bytes,
        },
        _ => CompileError::Crashed {
            status: status.to_string(),
        },
    }
}

/// The compiling process itself: limits itself to the seconds and bytes in
/// `arguments`, reads a component from standard input, and writes its machine
/// code to standard output. Its exit code is in the result.
pub fn compile_stdin<S: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = S>,
) -> io::Result<ExitCode> {
    let numbers: Option<Vec<u64>> = arguments
        .into_iter()
        .map(|argument| argument.as_ref().to_str()?.parse().ok())
        .collect();
    let Some([seconds, bytes]) = numbers.as_deref() else {
        let usage = "precompile SECONDS BYTES";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, usage));
    };
    limit(Resource::Cpu, *seconds, seconds + 1)?;
    limit(Resource::As, *bytes, *bytes)?;
    limit(Resource::Core, 0, 0)?;

    let mut component = Vec::new();
    io::stdin().lock().read_to_end(&mut component)?;
    match precompile(&component) {
        Ok(artifact) => {
            io::stdout().lock().write_all(&artifact)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            let reason = match error {
                PluginError::NotAComponent { reason } => reason,
                other => other.to_string(),
            };
            io::stderr().lock().write_all(reason.as_bytes())?;
            Ok(REFUSED.into())
        }
    }
}

fn limit(resource: Resource, current: u64, maximum: u64) -> io::Result<()> {
    let limit = Rlimit {
        current: Some(current),
        maximum: Some(maximum),
    };
    Ok(setrlimit(resource, limit)?)
}
