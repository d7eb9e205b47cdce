//! The two functions as processes: built as they are deployed, started as Lambda starts
//! them, and measured from outside.

use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::event::{Event, Mapping, REGION, TABLE, pool};
use crate::stub::{Stub, Timing};

/// The time for a process to finish its work after an answer, before it is measured.
const SETTLE: Duration = Duration::from_millis(20);

/// A function to measure.
#[derive(Clone)]
pub(crate) struct Function {
    binary: PathBuf,
    /// The folder for temporary files. Each of its folders is also an S3 bucket.
    folder: PathBuf,
    config: String,
    blobs: Option<String>,
    mapping: Mapping,
}

impl Function {
    /// `bootstrap` with only the deployed features. The build that `cargo bench` makes would
    /// contain the compiler.
    pub(crate) fn bootstrap(folder: &Path) -> Result<Self, Box<dyn Error>> {
        Self::build(&["--bin", "bootstrap"], folder)
    }

    /// The plain handler, built with the same options.
    pub(crate) fn plain_handler(folder: &Path) -> Result<Self, Box<dyn Error>> {
        Self::build(&["--example", "plain-handler"], folder)
    }

    fn build(target: &[&str], folder: &Path) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(env!("CARGO"));
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["build", "--release", "--locked", "--no-default-features"])
            .args(["--features", "lambda"])
            .args(target);
        let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
        eprintln!("cargo {}", arguments.join(" "));
        let built = command
            .arg("--message-format=json-render-diagnostics")
            .stderr(Stdio::inherit())
            .output()?;
        if !built.status.success() {
            return Err(format!("cargo: {}", built.status).into());
        }
        // Only one of the artifacts that cargo reports is a program: the requested one.
        let binary = String::from_utf8(built.stdout)?
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find_map(|message| message["executable"].as_str().map(PathBuf::from))
            .ok_or("cargo built no program")?;
        // A copy, as the next build may replace it.
        let copy = folder.join(binary.file_name().ok_or("the program has no name")?);
        fs::copy(binary, &copy)?;
        Ok(Self {
            binary: copy,
            folder: folder.to_owned(),
            config: folder.join("config").display().to_string(),
            blobs: None,
            mapping: Mapping::Default,
        })
    }

    /// The same function with a config whose pools have six keys.
    pub(crate) fn with_six_keys(&self, config: String) -> Self {
        Self {
            config,
            mapping: Mapping::SixKeys,
            ..self.clone()
        }
    }

    /// The same function with another config and with published plugins. Each is a folder,
    /// or `s3://` and the name of a folder in the temporary files.
    pub(crate) fn with(&self, config: String, blobs: String) -> Self {
        Self {
            config,
            blobs: Some(blobs),
            ..self.clone()
        }
    }

    /// The size of the binary, in bytes.
    pub(crate) fn bytes(&self) -> Result<u64, Box<dyn Error>> {
        Ok(fs::metadata(&self.binary)?.len())
    }

    /// Measures the time from a process's start to its first answer.
    pub(crate) fn cold(
        &self,
        runtime: &tokio::runtime::Handle,
        n: usize,
    ) -> Result<Duration, Box<dyn Error>> {
        let stub = Stub::start(runtime, self.folder.clone())?;
        let event = [Event::new(&pool(0), n).mapped(self.mapping)];
        stub.queue(&event);
        let started = Instant::now();
        let process = self.start(&stub)?;
        let timings = stub
            .collect(&event)
            .map_err(|error| process.with_log(&*error))?;
        let [Timing { answered, .. }] = timings[..] else {
            return Err("expected one answer to one event".into());
        };
        Ok(answered - started)
    }

    /// Starts a process and lets it answer its first events, from each of `pools` pools in turn.
    pub(crate) fn warm(
        &self,
        runtime: &tokio::runtime::Handle,
        pools: usize,
    ) -> Result<Warm, Box<dyn Error>> {
        let stub = Stub::start(runtime, self.folder.clone())?;
        let process = self.start(&stub)?;
        let mut warm = Warm {
            stub,
            process,
            events: 0,
            pools,
            mapping: self.mapping,
        };
        warm.round(u32::try_from(pools.max(100))?)?;
        Ok(warm)
    }

    fn start(&self, stub: &Stub) -> Result<Process, Box<dyn Error>> {
        let log = match self.mapping {
            Mapping::Default => self.binary.with_extension("log"),
            Mapping::SixKeys => self.binary.with_extension("six-keys.log"),
        };
        let file = File::create(&log)?;
        let address = stub.address.to_string();
        let mut command = Command::new(&self.binary);
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", &address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "trigger")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/trigger")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/23/[$LATEST]1")
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            .env(
                "AWS_SECRET_ACCESS_KEY",
                "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
            )
            .env(
                "AWS_SESSION_TOKEN",
                "a-token-as-long-as-lambda-gives-one".repeat(10),
            )
            .env("AWS_ENDPOINT_URL_DYNAMODB", format!("http://{address}"))
            .env("AWS_ENDPOINT_URL_S3", format!("http://{address}"))
            .env("POOLHOOK_CONFIG", &self.config)
            .envs(self.blobs.iter().map(|blobs| ("POOLHOOK_BLOBS", blobs)))
            .env("TMPDIR", &self.folder)
            .env("TABLE", TABLE)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let child = command.spawn()?;
        Ok(Process { child, log })
    }
}

/// A process, which is killed on drop.
struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    fn with_log(&self, error: &dyn Error) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let end: Vec<_> = log.lines().rev().take(5).collect();
        format!("{}: {error}\n{}", self.log.display(), end.join("\n"))
    }

    /// The CPU time of all its threads so far.
    fn cpu(&self) -> Result<Duration, Box<dyn Error>> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let schedstat = fs::read_to_string(task?.path().join("schedstat"))?;
            let on_cpu = schedstat.split(' ').next().unwrap_or_default();
            nanos += on_cpu.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// One of the kernel's figures on its memory, in bytes.
    fn memory(&self, figure: &str) -> Result<u64, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib = status
            .lines()
            .find_map(|line| {
                line.strip_prefix(figure)?
                    .strip_prefix(':')?
                    .strip_suffix("kB")
            })
            .ok_or_else(|| format!("no {figure}"))?;
        Ok(kib.trim().parse::<u64>()? * 1024)
    }

    fn open_files(&self) -> Result<usize, Box<dyn Error>> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A warm process.
pub(crate) struct Warm {
    stub: Stub,
    process: Process,
    events: usize,
    pools: usize,
    mapping: Mapping,
}

/// The memory and files of a process.
#[derive(Clone, Copy)]
pub(crate) struct Holds {
    /// Resident memory in bytes, including mapped files.
    pub(crate) memory: u64,
    /// Resident memory in bytes, without mapped files.
    pub(crate) own_memory: u64,
    pub(crate) open_files: usize,
}

/// The cost of a round of events.
pub(crate) struct Round {
    /// CPU time per event.
    pub(crate) cpu: Duration,
    /// The times from handing out an event to its answer, sorted.
    pub(crate) latency: Vec<Duration>,
}

impl Warm {
    /// Lets the process answer this number of events, one after the other.
    pub(crate) fn round(&mut self, events: u32) -> Result<Round, Box<dyn Error>> {
        let first = self.events;
        self.events += events as usize;
        let batch: Vec<_> = (first..self.events)
            .map(|n| Event::new(&pool(n % self.pools), n).mapped(self.mapping))
            .collect();
        thread::sleep(SETTLE);
        let before = self.process.cpu()?;
        let exchanged = self.stub.exchange(&batch);
        let timings = exchanged.map_err(|error| self.process.with_log(&*error))?;
        thread::sleep(SETTLE);
        let cpu = self.process.cpu()?.saturating_sub(before) / events;
        let mut latency: Vec<_> = timings.iter().map(|timing| timing.took).collect();
        latency.sort_unstable();
        Ok(Round { cpu, latency })
    }

    /// The process's peak memory, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64, Box<dyn Error>> {
        self.process.memory("VmHWM")
    }

    /// The times that its log lines give for the plugin's step.
    pub(crate) fn plugin_steps(&self) -> Result<Vec<Duration>, Box<dyn Error>> {
        let log = fs::read_to_string(&self.process.log)?;
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let steps = lines.filter_map(|line| line["micros"]["plugin"].as_u64());
        Ok(steps.map(Duration::from_micros).collect())
    }

    /// The process's current memory and files.
    pub(crate) fn holds(&self) -> Result<Holds, Box<dyn Error>> {
        Ok(Holds {
            memory: self.process.memory("VmRSS")?,
            own_memory: self.process.memory("RssAnon")?,
            open_files: self.process.open_files()?,
        })
    }

    /// Sets the time from an answer to the next event.
    pub(crate) fn pause(&self, pause: Duration) {
        self.stub.pause(pause);
    }

    /// The number of S3's answers that an object has not changed.
    pub(crate) fn unchanged(&self) -> usize {
        self.stub.unchanged()
    }
}
