//! Starts the compile child, and reads how it ended.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use super::child::Reply;
use super::{NotAccepted, Rejected, Sample};
use crate::config::{PublishLimits, Settings};
use crate::plugin::Artifact;

/// Why the compile child ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
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
    /// A signal or an exit code that poolhook does not know.
    #[error("the process that compiles a component and tries it out did not survive it ({status})")]
    Crashed {
        /// How the process ended, such as `signal: 11 (SIGSEGV)`.
        status: String,
    },
}

impl CompileError {
    /// The error's name, for the rejection and for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Time { .. } => "Upload.CompileTime",
            Self::Memory { .. } => "Upload.CompileMemory",
            Self::Crashed { .. } => "Upload.CompilerFailed",
        }
    }

    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Time { .. } | Self::Memory { .. } => {
                "Make it smaller: very large functions cost the most. A language that brings its own engine may need a larger `publish.compile-seconds` or `publish.compile-memory-bytes` in host.toml."
            }
            Self::Crashed { .. } => {
                "Build it with other tools or options, and report this with the component."
            }
        }
    }
}

/// What the compile child made of a component.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) artifact: Artifact,
    /// None where the component was not tried out.
    pub(super) sample: Option<Sample>,
}

/// Compiles a component and, with `settings`, tries it out, in a process of its
/// own: whatever the component does to that process, this one lives on.
pub(super) async fn in_a_process(
    program: &Path,
    component: &[u8],
    settings: Option<&Settings>,
    limits: &PublishLimits,
) -> Result<Compiled, NotAccepted> {
    let settings = settings.map(Settings::as_json);
    let mut command = Command::new(program);
    command
        .arg("precompile")
        .arg(limits.compile_seconds.to_string())
        .arg(limits.compile_memory_bytes.to_string())
        .arg(limits.artifact_bytes.to_string())
        .args(settings.map(|settings| settings.len().to_string()))
        // No credentials for what reads foreign bytes.
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut process = command.spawn().map_err(NotAccepted::NoCompiler)?;
    let mut input = process.stdin.take();
    let write = async {
        if let Some(mut input) = input.take() {
            // A process that ends before it has read everything says why itself.
            let _ = input
                .write_all(settings.unwrap_or_default().as_bytes())
                .await;
            let _ = input.write_all(component).await;
            let _ = input.shutdown().await;
        }
    };
    // The system limits its processor time; this is for a process that sleeps.
    let at_most = Duration::from_secs(2 * limits.compile_seconds + 5);
    let run = async { tokio::join!(process.wait_with_output(), write).0 };
    let Ok(output) = timeout(at_most, run).await else {
        let seconds = limits.compile_seconds;
        return Err(CompileError::Time { seconds }.into());
    };
    let output = output.map_err(NotAccepted::NoCompiler)?;
    if !output.status.success() {
        return Err(ended(output.status, &output.stderr, limits).into());
    }
    match Reply::read(output.stdout) {
        Some(Reply::Made { sample, artifact }) => Ok(Compiled {
            artifact: Artifact::compiled(artifact),
            sample,
        }),
        Some(Reply::Refused(refusal)) => Err(Rejected::Component(refusal).into()),
        None => {
            let status = format!("{}, without an answer", output.status);
            Err(CompileError::Crashed { status }.into())
        }
    }
}

fn ended(status: ExitStatus, said: &[u8], limits: &PublishLimits) -> CompileError {
    // Rust's standard library aborts where it gets no more memory, with this
    // message; other aborts look the same from outside.
    let allocation_failed = || said.starts_with(b"memory allocation of ");
    match status.signal().and_then(Signal::from_named_raw) {
        Some(Signal::XCPU) => CompileError::Time {
            seconds: limits.compile_seconds,
        },
        Some(Signal::ABORT) if allocation_failed() => CompileError::Memory {
            bytes: limits.compile_memory_bytes,
        },
        // The system's way to end a process where the machine has no more memory.
        Some(Signal::KILL) => CompileError::Memory {
            bytes: limits.compile_memory_bytes,
        },
        _ => CompileError::Crashed {
            status: status.to_string(),
        },
    }
}
