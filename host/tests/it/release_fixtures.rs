//! For tests of releases: components that differ, releases to tamper with, and blobs that can be
//! watched, slowed down and interrupted.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, SystemTime};

use poolhook::blobs::dir::Dir;
use poolhook::blobs::{
    BlobError, Blobs, BoxFuture, Condition, Copied, ETag, Key, Listed, Read, Stored,
};
use poolhook::config::{PublishLimits, Settings};
use poolhook::digest::{Blake3, Sha256};
use poolhook::host::Host;
use poolhook::plugin::{ArtifactFiles, ENGINE, TARGET, WORLD, precompile};
use poolhook::plugins::Plugins;
use poolhook::pools::Pools;
use poolhook::publish::{Checker, PublishError, Published, Publisher, Upload};
use poolhook::releases::{
    ArtifactEntry, Live, Release, Releases, artifact_key, component_key, live_key, release_key,
};
use poolhook::report::Report;
use poolhook::store::sqlite::Sqlite;
use poolhook::timestamp::Timestamp;
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::hostile::{component, plugin_name};
use crate::support::{OTHER_POOL, POOL, TestFolder, event, tests};

/// The plugin that most of these tests publish.
pub(crate) const ACME: &str = "acme";

const MAPPER: &str = r#"
    (func $to_item (param $user i32) (result i32)
      (i32.store (i32.const 0x2c) (i32.load offset=28 (local.get $user)))
      (i32.store (i32.const 0x30) (i32.load offset=32 (local.get $user)))
      (i32.const 0))
    (data (i32.const 8) "\20\00\00\00" "\01\00\00\00")
    (data (i32.const 0x20) "\00\02\00\00" "\02\00\00\00" "\00\00\00\00")
    (data (i32.const 0x200) "id")"#;

/// A good mapper to `<id>`. All versions do the same, each with its own digest.
pub(crate) fn mapper(version: usize) -> Vec<u8> {
    static COMPONENT: LazyLock<Vec<u8>> = LazyLock::new(|| from_wat(MAPPER));
    let mut mapper = COMPONENT.clone();
    // A custom section with the name `v`.
    mapper.extend([0, 10, 1, b'v']);
    mapper.extend((version as u64).to_le_bytes());
    mapper
}

/// Makes a component from the WAT of a function `$to_item` and its module's parts.
pub(crate) fn from_wat(text: &str) -> Vec<u8> {
    let prelude = fs::read_to_string(tests("hostile/prelude.wat.in")).unwrap();
    component(&format!("(module {prelude} {text})"))
}

/// A good mapper to `<id>` with this number of functions, each of 100 calls, which becomes about
/// 20 KB of machine code: each call passes a thousand values.
pub(crate) fn large_mapper(functions: usize) -> Vec<u8> {
    let thousand = "i64 ".repeat(1000);
    let function = format!("(func {})", "(call $take (call $give))".repeat(100));
    from_wat(&format!(
        "{MAPPER}
         (func $give (result {thousand}) (unreachable))
         (func $take (param {thousand}))
         {}",
        function.repeat(functions)
    ))
}

/// The machine code of every version of [`mapper`]: versions differ only in a custom section.
pub(crate) fn machine_code() -> Vec<u8> {
    static CODE: LazyLock<Vec<u8>> = LazyLock::new(|| precompile(&mapper(0)).unwrap());
    CODE.clone()
}

/// A fixed time in the past, plus this number of seconds.
pub(crate) fn at(seconds: u64) -> Timestamp {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds);
    time.into()
}

/// A pool with the plugin `acme`, a pool with the built-in plugin, and releases.
pub(crate) struct Lab {
    pub(crate) folder: TestFolder,
    pub(crate) config: Arc<Watched>,
    pub(crate) blobs: Arc<Watched>,
    pub(crate) runtime: Runtime,
}

impl Lab {
    /// Creates a lab with the blobs in a folder.
    pub(crate) fn new() -> Self {
        let folder = TestFolder::new(&[]);
        let blobs = Dir::create(folder.path().join("poolhook.blobs")).unwrap();
        Self::with(folder, Arc::new(blobs))
    }

    pub(crate) fn with(folder: TestFolder, blobs: Arc<dyn Blobs>) -> Self {
        let runs = format!("table = 'User'\nplugin = '{ACME}'");
        folder.configure(POOL, &runs);
        folder.configure(OTHER_POOL, "table = 'Customer'");
        let config = Arc::new(Dir::open(folder.config()).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        Self {
            config: Arc::new(Watched::new(config)),
            blobs: Arc::new(Watched::new(blobs)),
            runtime: runtime.unwrap(),
            folder,
        }
    }

    /// A new host, which maps machine code from [`Lab::cache`].
    pub(crate) fn host(&self) -> Host {
        let files = ArtifactFiles::open(self.cache(), 256 << 20).unwrap();
        self.host_with(Some(files))
    }

    pub(crate) fn host_with(&self, files: Option<ArtifactFiles>) -> Host {
        let pools = Pools::open(Arc::clone(&self.config) as _);
        let pools = self.runtime.block_on(pools).unwrap();
        let plugins = Plugins::builtin().unwrap();
        let plugins = plugins.with_published(self.releases(), files, pools.host_config());
        let items = Sqlite::open(&self.folder.store()).unwrap();
        Host::new(pools, plugins, Arc::new(items))
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    pub(crate) fn handle(&self, host: &Host, raw: &[u8]) -> Report {
        let work = host.handle(host.deliver(raw, Duration::MAX));
        self.runtime.block_on(work)
    }

    /// Handles a sign-up in the pool with `acme`, in a new host.
    pub(crate) fn sign_up(&self) -> Report {
        self.handle(&self.host(), &event("confirm-sign-up"))
    }

    /// The component with which a new host maps a sign-up.
    pub(crate) fn mapped_with(&self) -> Sha256 {
        let report = self.sign_up();
        assert!(report.outcome.is_ok(), "{:?}", report.outcome);
        report.trace.component.unwrap()
    }

    pub(crate) fn releases(&self) -> Releases {
        Releases::new(Arc::clone(&self.blobs) as _)
    }

    pub(crate) fn publisher(&self) -> Publisher {
        self.publisher_with(PublishLimits::default())
    }

    pub(crate) fn publisher_with(&self, limits: PublishLimits) -> Publisher {
        let program = env!("CARGO_BIN_EXE_poolhook").into();
        Publisher::new(self.releases(), Checker::new(limits, program))
    }

    pub(crate) fn publish(
        &self,
        plugin: &str,
        component: Vec<u8>,
        uploaded: Timestamp,
    ) -> Result<Published, PublishError> {
        let upload = upload(plugin, component, uploaded);
        self.runtime.block_on(self.publisher().publish(&upload))
    }

    /// Publishes a version of [`mapper`], which becomes live.
    pub(crate) fn publish_version(&self, version: usize, uploaded: Timestamp) {
        let published = self.publish(ACME, mapper(version), uploaded).unwrap();
        assert!(matches!(published, Published::Live(_)), "{published:?}");
    }

    /// The live component.
    pub(crate) fn live(&self, plugin: &str) -> Option<Sha256> {
        let (releases, plugin) = (self.releases(), plugin_name(plugin));
        let live = self.runtime.block_on(releases.live(&plugin)).unwrap();
        live.map(|live| live.sha256)
    }

    /// Writes a release as publishing would, but immediately and with any machine code.
    pub(crate) fn lay(&self, plugin: &str, component: &[u8], code: &[u8]) -> Release {
        let release = Release {
            plugin: plugin_name(plugin),
            sha256: Sha256::of(component),
            bytes: component.len() as u64,
            world: WORLD.into(),
            published: at(0),
            artifacts: vec![entry(ENGINE, TARGET, code)],
        };
        self.put(&component_key(release.sha256), component.to_vec());
        let key = artifact_key(release.sha256, &release.artifacts[0]);
        self.put(&key, code.to_vec());
        self.put_release(&release);
        self.put_live(plugin, release.sha256);
        release
    }

    pub(crate) fn put_release(&self, release: &Release) {
        self.put(&release_key(&release.plugin, release.sha256), json(release));
    }

    pub(crate) fn put_live(&self, plugin: &str, sha256: Sha256) {
        let live = Live {
            sha256,
            since: at(0),
        };
        self.put(&live_key(&plugin_name(plugin)), json(&live));
    }

    pub(crate) fn put(&self, key: &Key, bytes: Vec<u8>) {
        let put = self.blobs.put(key, bytes, Condition::Any);
        self.runtime.block_on(put).unwrap();
    }
}

pub(crate) fn upload(plugin: &str, component: Vec<u8>, uploaded: Timestamp) -> Upload {
    Upload {
        plugin: plugin_name(plugin),
        component,
        settings: Settings::default(),
        uploaded,
    }
}

pub(crate) fn entry(engine: &str, target: &str, code: &[u8]) -> ArtifactEntry {
    ArtifactEntry {
        engine: engine.into(),
        target: target.into(),
        blake3: Blake3::of(code),
        bytes: code.len() as u64,
    }
}

fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).unwrap()
}

/// Blobs that record reads, and fail on demand.
pub(crate) struct Watched {
    blobs: Arc<dyn Blobs>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    reads: Vec<Seen>,
    writes: usize,
    fault: Fault,
}

/// A read of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) key: String,
    /// Whether the read was conditional on a version.
    pub(crate) conditional: bool,
}

/// A fault of the blobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// Each read takes this long.
    Slow(Duration),
    /// The process crashes at this write, the first one being 1: before the write takes effect, or
    /// after it.
    Cut { write: usize, after: bool },
    /// Uploads cannot be read, with this code of S3's.
    Denied(&'static str),
    /// Every call fails.
    Dead,
}

impl Watched {
    fn new(blobs: Arc<dyn Blobs>) -> Self {
        let state = Mutex::default();
        Self { blobs, state }
    }

    /// Sets the fault and clears the recorded reads.
    pub(crate) fn set(&self, fault: Fault) {
        *self.state.lock().unwrap() = State {
            fault,
            ..State::default()
        };
    }

    pub(crate) fn fault(&self) -> Fault {
        self.state.lock().unwrap().fault
    }

    /// Takes the reads since the last call.
    pub(crate) fn reads(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.lock().unwrap().reads)
    }

    /// The number of reads of machine code since the last call.
    pub(crate) fn code_reads(&self) -> usize {
        let code = |seen: &Seen| seen.key.strip_suffix(".cwasm").is_some();
        self.reads().iter().filter(|seen| code(seen)).count()
    }

    fn seen(&self, key: &Key, conditional: bool) {
        let key = key.as_str().into();
        let seen = Seen { key, conditional };
        self.state.lock().unwrap().reads.push(seen);
    }

    async fn slow(&self) {
        if let Fault::Slow(time) = self.fault() {
            tokio::time::sleep(time).await;
        }
    }

    async fn call<T>(&self, key: &str, call: BoxFuture<'_, T>) -> Result<T, BlobError> {
        match self.fault() {
            Fault::Dead => Err(self.dead(key)),
            Fault::Denied(code) if key.starts_with("uploads/") => Err(BlobError::AccessDenied {
                address: self.address(key),
                code: code.to_owned(),
            }),
            _ => call.await,
        }
    }

    async fn write<T>(&self, key: &str, write: BoxFuture<'_, T>) -> Result<T, BlobError> {
        let cut = {
            let mut state = self.state.lock().unwrap();
            state.writes += 1;
            match state.fault {
                Fault::Cut { write, after } if write == state.writes => {
                    state.fault = Fault::Dead;
                    Some(after)
                }
                Fault::Dead => Some(false),
                _ => None,
            }
        };
        match cut {
            None => write.await,
            Some(after) => {
                if after {
                    write.await?;
                }
                Err(self.dead(key))
            }
        }
    }

    fn dead(&self, key: &str) -> BlobError {
        BlobError::Unavailable {
            address: self.address(key),
            source: "cut off".into(),
        }
    }
}

impl Blobs for Watched {
    fn get<'a>(
        &'a self,
        key: &'a Key,
        known: Option<&'a ETag>,
        max_bytes: u64,
    ) -> BoxFuture<'a, Read> {
        self.seen(key, known.is_some());
        let read = async move {
            self.slow().await;
            self.blobs.get(key, known, max_bytes).await
        };
        Box::pin(self.call(key.as_str(), Box::pin(read)))
    }

    fn copy<'a>(
        &'a self,
        key: &'a Key,
        max_bytes: u64,
        to: &'a mut (dyn Write + Send),
    ) -> BoxFuture<'a, Copied> {
        self.seen(key, false);
        let copy = async move {
            self.slow().await;
            self.blobs.copy(key, max_bytes, to).await
        };
        Box::pin(self.call(key.as_str(), Box::pin(copy)))
    }

    fn put<'a>(
        &'a self,
        key: &'a Key,
        bytes: Vec<u8>,
        condition: Condition,
    ) -> BoxFuture<'a, Stored> {
        Box::pin(self.write(key.as_str(), self.blobs.put(key, bytes, condition)))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Vec<Listed>> {
        Box::pin(self.call(prefix, self.blobs.list(prefix)))
    }

    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: u16,
    ) -> BoxFuture<'a, Vec<Listed>> {
        Box::pin(self.call(prefix, self.blobs.page(prefix, after, limit)))
    }

    fn folders<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Vec<String>> {
        Box::pin(self.call(prefix, self.blobs.folders(prefix)))
    }

    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, ()> {
        Box::pin(self.write(key.as_str(), self.blobs.delete(key)))
    }

    fn address(&self, key: &str) -> String {
        self.blobs.address(key)
    }
}
