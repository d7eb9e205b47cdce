//! Shared by several tests: the sample events, a host in a folder, our binaries.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use poolhook::blobs::dir::Dir;
use poolhook::host::{Failure, Host};
use poolhook::plugins::Plugins;
use poolhook::pools::Pools;
use poolhook::report::Report;
use poolhook::store::sqlite::Sqlite;
use tempfile::TempDir;

/// The pool of most sample events.
pub(crate) const POOL: &str = "ap-northeast-1_Q7mE2xYbA";
/// The pool of `other-pool.json`.
pub(crate) const OTHER_POOL: &str = "us-east-1_Tn4Kp0Zs9";

/// A file or folder in `host/tests`.
pub(crate) fn tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(path)
}

/// A sample event's bytes.
pub(crate) fn event(name: &str) -> Vec<u8> {
    fs::read(tests("events").join(name).with_extension("json")).unwrap()
}

/// The sample events' names, sorted.
pub(crate) fn event_names() -> Vec<String> {
    files("events", "json")
}

/// The names, without the extension, of a folder's files. The folder must have some.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<String> {
    let entries = fs::read_dir(tests(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let names = entries.filter_map(|name| {
        let name = name.into_string().unwrap();
        Some(name.strip_suffix(extension)?.strip_suffix('.')?.to_owned())
    });
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert!(!names.is_empty(), "no *.{extension} in {folder}");
    names
}

/// Held while a Rust plugin is built: all share one target directory, in which each is
/// `member_card.wasm`.
pub(crate) static RUST_PLUGINS: Mutex<()> = Mutex::new(());

/// A folder with a config and an embedded store of its own.
pub(crate) struct TestFolder(TempDir);

impl TestFolder {
    /// Creates the folder with a file for each pool.
    pub(crate) fn new(pools: &[(&str, &str)]) -> Self {
        let folder = Self(TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
        fs::create_dir(folder.config()).unwrap();
        for (pool, toml) in pools {
            folder.configure(pool, toml);
        }
        folder
    }

    /// Creates the folder with both pools of the sample events, each with its own table.
    pub(crate) fn with_sample_pools() -> Self {
        Self::new(&[(POOL, "table = 'User'"), (OTHER_POOL, "table = 'Customer'")])
    }

    pub(crate) fn configure(&self, pool: &str, toml: &str) {
        fs::write(self.config().join(pool).with_extension("toml"), toml).unwrap();
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.0.path().join("config")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.0.path().join("poolhook.db")
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn host(&self) -> Host {
        self.host_with(Plugins::builtin().unwrap())
    }

    pub(crate) fn host_with(&self, plugins: Plugins) -> Host {
        let store = Sqlite::open(&self.store()).unwrap();
        Host::new(self.pools().unwrap(), plugins, Arc::new(store))
    }

    pub(crate) fn pools(&self) -> Result<Pools, Failure> {
        let config = Dir::open(self.config())?;
        block_on(Pools::open(Arc::new(config)))
    }

    /// A table's items, as they are stored.
    pub(crate) fn items(&self, table: &str) -> Vec<String> {
        let items = Sqlite::open(&self.store()).unwrap().items(table).unwrap();
        items.into_iter().map(|stored| stored.item).collect()
    }

    /// `poolhook` with these arguments, run in this folder.
    pub(crate) fn poolhook(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = clean(env!("CARGO_BIN_EXE_poolhook"));
        command.current_dir(self.path()).args(arguments);
        command
    }

    /// `poolhook serve` on a free port, with further arguments and environment.
    pub(crate) fn serve(&self, arguments: &[&str], env: &[(&str, &str)]) -> Serve {
        let mut command = self.command(&["serve", "--port", "0"]);
        let log = self.path().join("serve.log");
        command
            .args(arguments)
            .envs(env.iter().copied())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let mut url = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut url).unwrap();
        let url = url.trim().to_owned();
        assert!(
            url.starts_with("http"),
            "serve: {}",
            fs::read_to_string(&log).unwrap()
        );
        Serve { child, url, log }
    }
}

/// A running `poolhook serve`, which is stopped on drop.
pub(crate) struct Serve {
    pub(crate) child: Child,
    pub(crate) url: String,
    log: PathBuf,
}

impl Serve {
    /// The URL to invoke the function.
    pub(crate) fn invocations(&self) -> String {
        format!("{}/2015-03-31/functions/poolhook/invocations", self.url)
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command without this machine's AWS configuration and without our variables.
pub(crate) fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("AWS_EC2_METADATA_DISABLED", "true");
    command
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    command
}

/// An HTTP client that reports every status as an answer.
pub(crate) fn http() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .timeout_global(Some(Duration::from_secs(30)));
    config.build().into()
}

/// Runs one event.
pub(crate) fn handle(host: &Host, raw: &[u8]) -> Report {
    block_on(host.handle(host.deliver(raw, Duration::MAX)))
}

/// The failure's name; the event must have failed.
pub(crate) fn failure(report: &Report) -> &'static str {
    report
        .outcome
        .as_ref()
        .expect_err("the event should have failed")
        .name()
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}
