//! The compile child: a process that compiles an untrusted component and tries it
//! out, and limits its own time and memory. A small component can need much of
//! both, and a fault in the compiler or the sandbox ends only this process.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::confine::confine;
use super::try_out::{self, Tried, TryOutError};
use crate::config::{PluginName, Settings};
use crate::digest::Sha256;
use crate::plugin::{Artifact, Loader, PluginError, precompile};
use crate::text::shown;

/// The child's answer on standard output: a line of JSON, followed by the artifact
/// if there is one.
pub(super) enum Reply {
    Made { tried: Tried, artifact: Vec<u8> },
    Refused(Refusal),
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    Made(Tried),
    Refused(Refusal),
}

/// Why a component was refused, for its author.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// The error's name, such as `Plugin.ForbiddenImport`.
    pub error_type: String,
    /// The error, as [`shown`].
    pub error_message: String,
    /// How to fix it.
    pub advice: String,
}

impl Reply {
    /// `None` if the bytes are not an answer of the child.
    pub(super) fn read(mut bytes: Vec<u8>) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let line = serde_json::from_slice(bytes.get(..end)?).ok()?;
        Some(match line {
            Line::Refused(refusal) => Self::Refused(refusal),
            Line::Made(tried) => {
                bytes.drain(..=end);
                let artifact = bytes;
                Self::Made { tried, artifact }
            }
        })
    }

    fn write(self, mut to: impl io::Write) -> io::Result<()> {
        let (line, artifact) = match self {
            Self::Made { tried, artifact } => (Line::Made(tried), artifact),
            Self::Refused(refusal) => (Line::Refused(refusal), Vec::new()),
        };
        serde_json::to_writer(&mut to, &line)?;
        to.write_all(b"\n")?;
        to.write_all(&artifact)?;
        to.flush()
    }
}

/// The arguments: `SECONDS BYTES ARTIFACT_BYTES [SETTINGS_BYTES]`.
struct Job {
    seconds: u64,
    memory_bytes: u64,
    artifact_bytes: u64,
    /// The length of the settings to try the component out with, a JSON list, which comes
    /// before the component on standard input. `None` if it is not tried out.
    settings_bytes: Option<u64>,
}

impl Job {
    fn parse<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Option<Self> {
        let numbers: Option<Vec<u64>> = arguments
            .into_iter()
            .map(|argument| argument.as_ref().to_str()?.parse().ok())
            .collect();
        let (seconds, memory_bytes, artifact_bytes, settings_bytes) = match *numbers? {
            [seconds, memory, artifact] => (seconds, memory, artifact, None),
            [seconds, memory, artifact, settings] => (seconds, memory, artifact, Some(settings)),
            _ => return None,
        };
        Some(Self {
            seconds,
            memory_bytes,
            artifact_bytes,
            settings_bytes,
        })
    }
}

/// Runs the compile child: reads settings and a component from standard input, and
/// writes the answer to standard output.
pub fn compile_stdin<S: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = S>,
) -> io::Result<ExitCode> {
    let job = Job::parse(arguments).ok_or_else(|| {
        let usage = "precompile SECONDS BYTES ARTIFACT_BYTES [SETTINGS_BYTES]";
        io::Error::new(io::ErrorKind::InvalidInput, usage)
    })?;
    limit(Resource::Cpu, Some(job.seconds))?;
    limit(Resource::As, Some(job.memory_bytes))?;
    limit(Resource::Core, Some(0))?;
    confine();

    let mut input = io::stdin().lock();
    let mut settings = Vec::new();
    if let Some(bytes) = job.settings_bytes {
        let mut json = Vec::new();
        input.by_ref().take(bytes).read_to_end(&mut json)?;
        for each in serde_json::from_slice::<Vec<&RawValue>>(&json)? {
            settings.push(Settings::from_json(each.get().as_bytes())?);
        }
    }
    let mut component = Vec::new();
    input.read_to_end(&mut component)?;

    let compiled = compile(&component, job.artifact_bytes);
    // The pooling allocator reserves far more addresses than it uses, so the limit
    // now applies to writable memory instead.
    limit(Resource::As, None)?;
    limit(Resource::Data, Some(job.memory_bytes))?;
    let made = compiled.and_then(|artifact| {
        let tried = try_out(&component, &artifact, &settings)?;
        let artifact = artifact.into_bytes();
        Ok(Reply::Made { tried, artifact })
    });
    let reply = made.unwrap_or_else(|wrong| Reply::Refused(wrong.into()));
    reply.write(io::stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}

fn compile(component: &[u8], max_bytes: u64) -> Result<Artifact, Wrong> {
    let code = precompile(component)?;
    let bytes = code.len() as u64;
    if bytes > max_bytes {
        return Err(Wrong::ArtifactTooLarge { bytes, max_bytes });
    }
    Ok(Artifact::compiled(code))
}

/// Loads the artifact as the trigger does, which checks the component's world. With
/// settings, it also maps the sample user.
fn try_out(component: &[u8], artifact: &Artifact, settings: &[Settings]) -> Result<Tried, Wrong> {
    let (name, sha256) = (PluginName::default(), Sha256::of(component));
    let plugin = Loader::for_one_thread()?.load_compiled(name, sha256, artifact)?;
    let Some((own, pools)) = settings.split_first() else {
        return Ok(Tried::default());
    };
    let sample = try_out::sample(&plugin, own).map_err(Wrong::TryOut)?;
    let items = pools
        .iter()
        .map(|settings| try_out::sample(&plugin, settings).ok()?.item);
    Ok(Tried {
        sample: Some(sample),
        pools: items.collect(),
    })
}

/// Lowers a limit of this process; `None` lifts it again.
fn limit(resource: Resource, current: Option<u64>) -> io::Result<()> {
    let maximum = getrlimit(resource).maximum;
    let lowest = |limit: u64| maximum.map_or(limit, |maximum| limit.min(maximum));
    let limit = Rlimit {
        current: current.map_or(maximum, |limit| Some(lowest(limit))),
        maximum,
    };
    Ok(setrlimit(resource, limit)?)
}

/// Why a component is refused.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    /// The component cannot be compiled or loaded.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// Its machine code is larger than a host accepts.
    #[error(
        "compiled, the component has {bytes} bytes of machine code; at most {max_bytes} are allowed"
    )]
    ArtifactTooLarge {
        bytes: u64,
        /// `publish.artifact-bytes` in `host.toml`.
        max_bytes: u64,
    },
    /// The component fails with the sample user.
    #[error(transparent)]
    TryOut(TryOutError),
}

impl Wrong {
    fn name(&self) -> &'static str {
        match self {
            Self::Plugin(error) => error.name(),
            Self::ArtifactTooLarge { .. } => "Upload.ArtifactTooLarge",
            Self::TryOut(error) => error.name(),
        }
    }

    /// The message, with the plugin's own where it returned one: the sample has no
    /// personal data.
    fn text(&self) -> String {
        match self {
            Self::TryOut(error) => error.text(),
            error => error.to_string(),
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::Plugin(PluginError::NotAComponent { .. }) => {
                "Upload a component, not a core module: `poolhook plugin build` makes one. If it is a component, the upload may have been cut off: try again."
            }
            Self::Plugin(PluginError::NeedsFeature { .. }) => {
                "Build it without these proposals, as projects from `poolhook plugin new` do. In Rust, remove `-C target-feature` and `-C target-cpu`; in C, remove `-m` options such as -mexception-handling."
            }
            Self::Plugin(PluginError::ForbiddenImport { .. }) => {
                "Build for wasm32-unknown-unknown, without WASI, as projects from `poolhook plugin new` do."
            }
            Self::Plugin(PluginError::WrongWorld { .. }) => {
                "Build it against wit/mapper.wit of poolhook:mapper@0.1.0; projects from `poolhook plugin new` contain it."
            }
            Self::Plugin(_) => {
                "Build it again with `poolhook plugin build`, of fewer parts: most plugins are one core module with one memory."
            }
            Self::ArtifactTooLarge { .. } => {
                "Make it smaller: build for size (`poolhook plugin build` does), and leave out libraries that a mapping does not need. `publish.artifact-bytes` in host.toml is the limit, at most 67108864."
            }
            Self::TryOut(error) => error.advice(),
        }
    }
}

impl From<Wrong> for Refusal {
    fn from(wrong: Wrong) -> Self {
        Self {
            error_type: wrong.name().to_owned(),
            error_message: shown(&wrong.text()).to_string(),
            advice: wrong.advice().to_owned(),
        }
    }
}
