//! Starts the compile child and reads its answer.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use super::child::Reply;
use super::confine::hide_this_process;
use super::try_out::Tried;
use super::{NotAccepted, Rejected};
use crate::config::{PublishLimits, Settings};
use crate::plugin::Artifact;

/// Why the compile child ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "Upload.")]
pub enum CompileError {
    /// Compiling the component took longer than the limit.
    #[error("compiling the component took more than {seconds} s")]
    #[strum(serialize = "CompileTime")]
    Time {
        /// The limit: `publish.compile-seconds` in `host.toml`.
        seconds: u64,
    },
    /// Compiling the component took more memory than the limit.
    #[error("compiling the component took more than {bytes} bytes of memory")]
    #[strum(serialize = "CompileMemory")]
    Memory {
        /// The limit: `publish.compile-memory-bytes` in `host.toml`.
        bytes: u64,
    },
    /// The child ended with any other signal or exit code, or without an answer.
    #[error("the process that compiles the component and tries it out crashed ({status})")]
    #[strum(serialize = "CompilerFailed")]
    Crashed {
        /// How the process ended, such as `signal: 11 (SIGSEGV)`.
        status: String,
    },
}

impl CompileError {
    /// The error's name, for the rejection and for logs.
    pub fn name(&self) -> &'static str {
        self.into()
    }

    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Time { .. } | Self::Memory { .. } => {
                "Make the component smaller: very large functions cost the most. A language with an engine of its own, such as Python, may need a larger `publish.compile-seconds` or `publish.compile-memory-bytes` in host.toml."
            }
            Self::Crashed { .. } => {
                "Build the component with other tools or options, and please report this with the component attached."
            }
        }
    }
}

/// The compile child's result.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) artifact: Artifact,
    pub(super) tried: Tried,
}

/// Compiles a component and, if there are `settings`, tries it out with each. Both happen
/// in a process of its own, so a component that ends that process does not end this one.
pub(super) async fn in_a_process(
    program: &Path,
    component: &[u8],
    settings: &[&Settings],
    limits: &PublishLimits,
) -> Result<Compiled, NotAccepted> {
    hide_this_process();
    let settings: Vec<_> = settings.iter().map(|each| each.as_json()).collect();
    let settings = (!settings.is_empty()).then(|| format!("[{}]", settings.join(",")));
    let mut command = Command::new(program);
    command
        .arg("precompile")
        .arg(limits.compile_seconds.to_string())
        .arg(limits.compile_memory_bytes.to_string())
        .arg(limits.artifact_bytes.to_string())
        .args(settings.as_ref().map(|settings| settings.len().to_string()))
        // The child reads untrusted bytes, so it gets no credentials.
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut process = command.spawn().map_err(NotAccepted::NoCompiler)?;
    let mut input = process.stdin.take();
    let write = async {
        if let Some(mut input) = input.take() {
            // If the child ends before it has read everything, its exit status or
            // its answer says why.
            let _ = input
                .write_all(settings.as_deref().unwrap_or_default().as_bytes())
                .await;
            let _ = input.write_all(component).await;
            let _ = input.shutdown().await;
        }
    };
    // The operating system limits the child's CPU time; this limit is for a child
    // that sleeps.
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
        Some(Reply::Made { tried, artifact }) => Ok(Compiled {
            artifact: Artifact::compiled(artifact),
            tried,
        }),
        Some(Reply::Refused(refusal)) => Err(Rejected::Component(refusal).into()),
        None => {
            let status = format!("{}, without an answer", output.status);
            Err(CompileError::Crashed { status }.into())
        }
    }
}

fn ended(status: ExitStatus, said: &[u8], limits: &PublishLimits) -> CompileError {
    // When an allocation fails, Rust's standard library aborts with this message.
    // The exit status alone is the same for every abort.
    let allocation_failed = || said.starts_with(b"memory allocation of ");
    match status.signal().and_then(Signal::from_named_raw) {
        Some(Signal::XCPU) => CompileError::Time {
            seconds: limits.compile_seconds,
        },
        Some(Signal::ABORT) if allocation_failed() => CompileError::Memory {
            bytes: limits.compile_memory_bytes,
        },
        // Linux's out-of-memory killer.
        Some(Signal::KILL) => CompileError::Memory {
            bytes: limits.compile_memory_bytes,
        },
        _ => CompileError::Crashed {
            status: status.to_string(),
        },
    }
}
