//! The plugins that a host runs: the built-in ones, and published ones. Published
//! plugins are loaded at first use, cached within a budget of memory, and refreshed
//! when their live release changes.

use std::collections::BTreeMap;
use std::future::pending;
use std::panic::resume_unwind;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};

use crate::blobs::{Copied, ETag};
use crate::cache::Cache;
use crate::config::{ConfigError, HostConfig, PluginName, PluginRef};
use crate::digest::Sha256;
use crate::failure::Failure;
use crate::plugin::{
    Artifact, ArtifactFiles, BUILTIN, ENGINE, Loader, Plugin, PluginError, TARGET,
};
use crate::releases::{ArtifactEntry, Pointer, Release, ReleaseError, Releases};

/// The memory that a loaded plugin takes in addition to its machine code, in bytes.
/// `cargo bench --bench trigger` measures about 40 KiB where plugins come and go.
pub const ENTRY_BYTES: u64 = 48 << 10;

/// All plugins that pools can name.
pub struct Plugins {
    loader: Arc<Loader>,
    /// Each is loaded at its first use, which copies its machine code.
    builtin: BTreeMap<PluginName, OnceLock<Arc<Plugin>>>,
    published: Option<Published>,
    /// Runs instead of every other plugin, if set.
    for_all: Option<Arc<Plugin>>,
}

struct Published {
    releases: Releases,
    files: Option<Arc<ArtifactFiles>>,
    loaded: Cache<PluginRef, Loaded>,
    /// The least weight of a cached plugin. It bounds the number of mapped files.
    least_bytes: u64,
    /// Held while a plugin is loaded in the background: one at a time.
    in_background: Semaphore,
}

struct Loaded {
    plugin: Arc<Plugin>,
    /// The version of the pointer that named this release; `None` for a pinned plugin.
    pointer: Option<ETag>,
}

impl Plugins {
    /// The built-in plugins alone. Loads the default plugin now, so that a host that
    /// cannot load machine code fails at startup.
    pub fn builtin() -> Result<Self, PluginError> {
        Self::with_loader(Loader::new()?)
    }

    /// Like [`Plugins::builtin`], with this loader.
    pub fn with_loader(loader: Loader) -> Result<Self, PluginError> {
        let names = BUILTIN.iter().map(|builtin| builtin.name.to_owned());
        let names = names.filter_map(|name| PluginName::try_from(name).ok());
        let plugins = Self {
            loader: Arc::new(loader),
            builtin: names.map(|name| (name, OnceLock::new())).collect(),
            published: None,
            for_all: None,
        };
        plugins.get_builtin(&PluginName::default())?;
        Ok(plugins)
    }

    /// Adds the published plugins. Their machine code is mapped from `files`, or copied
    /// into memory if there is no folder for it.
    #[must_use]
    pub fn with_published(
        mut self,
        releases: Releases,
        files: Option<ArtifactFiles>,
        config: &HostConfig,
    ) -> Self {
        let time_to_live = Duration::from_secs(config.refresh_seconds);
        self.published = Some(Published {
            releases,
            files: files.map(Arc::new),
            loaded: Cache::new(config.plugin_memory_bytes, 2 * ENTRY_BYTES, time_to_live),
            least_bytes: config
                .plugin_memory_bytes
                .div_ceil(ArtifactFiles::max_mapped().max(1)),
            in_background: Semaphore::new(1),
        });
        self
    }

    /// Adds a plugin that behaves like a built-in one.
    pub fn add(&mut self, plugin: Plugin) {
        let (name, plugin) = (plugin.name().clone(), Arc::new(plugin));
        self.builtin.insert(name, plugin.into());
    }

    /// Runs this plugin instead of every other, to try it out.
    pub fn use_for_all(&mut self, plugin: Plugin) {
        self.for_all = Some(Arc::new(plugin));
    }

    /// The loader of these plugins.
    pub fn loader(&self) -> &Loader {
        &self.loader
    }

    /// Returns the plugin that a pool names. If it is not loaded, loads it once for all
    /// concurrent events.
    pub async fn get(&self, plugin: &PluginRef) -> Result<Arc<Plugin>, Failure> {
        if let Some(plugin) = &self.for_all {
            return Ok(Arc::clone(plugin));
        }
        if plugin.pin.is_none()
            && let Some(builtin) = self.get_builtin(&plugin.name)?
        {
            return Ok(builtin);
        }
        let Some(published) = &self.published else {
            return Err(self.unknown(plugin).into());
        };
        let load = || self.load(published, plugin);
        let loaded = published.loaded.get_or_load(plugin, load).await?;
        Ok(Arc::clone(&loaded.value.plugin))
    }

    fn get_builtin(&self, name: &PluginName) -> Result<Option<Arc<Plugin>>, PluginError> {
        let Some(cached) = self.builtin.get(name) else {
            return Ok(None);
        };
        if let Some(plugin) = cached.get() {
            return Ok(Some(Arc::clone(plugin)));
        }
        let plugin = self.loader.builtin(name)?;
        let loaded = plugin.map(|plugin| Arc::clone(cached.get_or_init(|| Arc::new(plugin))));
        Ok(loaded)
    }

    /// Returns true to one caller per TTL; that caller must call
    /// [`Plugins::refresh`]. A pinned or built-in plugin is never refreshed.
    pub fn claim_refresh(&self, plugin: &PluginRef) -> bool {
        let published = self.published.as_ref().filter(|_| plugin.pin.is_none());
        published.is_some_and(|published| published.loaded.claim_refresh(plugin))
    }

    /// Loads the plugin of a newer config before that config is activated. Like
    /// [`Plugins::refresh`], for the background.
    pub async fn prepare(&self, plugin: &PluginRef) -> Result<(), Failure> {
        let published = self.published.as_ref();
        let is_new = |published: &&Published| published.loaded.peek(plugin).is_none();
        let _turn = match published.filter(is_new) {
            Some(published) => published.in_background.acquire().await.ok(),
            None => None,
        };
        self.get(plugin).await.map(drop)
    }

    /// If a plugin's live release has changed, loads it and returns its component's
    /// digest. If that fails, the previous release stays in use.
    ///
    /// Plugins are loaded one at a time, to bound the memory and processor time that
    /// loading takes from events.
    pub async fn refresh(&self, plugin: &PluginRef) -> Result<Option<Sha256>, Failure> {
        let cached = self
            .published
            .as_ref()
            .and_then(|published| Some((published, published.loaded.peek(plugin)?)));
        let Some((published, cached)) = cached else {
            return Ok(None);
        };
        let known = cached.value.pointer.as_ref();
        match published.releases.pointer(&plugin.name, known).await? {
            Pointer::Unchanged => Ok(None),
            // The pointer was rewritten, but names the same component.
            Pointer::Live(live, pointer)
                if cached.value.plugin.component() == Some(live.sha256) =>
            {
                let same = Loaded {
                    plugin: Arc::clone(&cached.value.plugin),
                    pointer: Some(pointer),
                };
                published.loaded.replace(plugin, (same, cached.bytes()));
                Ok(None)
            }
            Pointer::Live(live, pointer) => {
                let _turn = published.in_background.acquire().await.ok();
                let newer = self
                    .load_component(published, &plugin.name, live.sha256, Some(pointer))
                    .await?;
                published.loaded.replace(plugin, newer);
                Ok(Some(live.sha256))
            }
        }
    }

    async fn load(
        &self,
        published: &Published,
        plugin: &PluginRef,
    ) -> Result<(Loaded, u64), Failure> {
        let (component, pointer) = match plugin.pin {
            Some(pinned) => (pinned, None),
            None => match published.releases.pointer(&plugin.name, None).await? {
                Pointer::Live(live, pointer) => (live.sha256, Some(pointer)),
                Pointer::Unchanged => return Err(self.unknown(plugin).into()),
            },
        };
        self.load_component(published, &plugin.name, component, pointer)
            .await
    }

    async fn load_component(
        &self,
        published: &Published,
        name: &PluginName,
        component: Sha256,
        pointer: Option<ETag>,
    ) -> Result<(Loaded, u64), Failure> {
        let release = published.releases.release(name, component).await?;
        let artifact = published.artifact(&release).await?;
        let (loader, name) = (Arc::clone(&self.loader), name.clone());
        let bytes = artifact.bytes();
        let plugin = on_code(bytes, move || loader.load(name, component, &artifact)).await?;
        let bytes = ENTRY_BYTES + plugin.artifact_bytes();
        let plugin = Arc::new(plugin);
        Ok((Loaded { plugin, pointer }, bytes.max(published.least_bytes)))
    }

    fn unknown(&self, plugin: &PluginRef) -> ConfigError {
        let known: Vec<_> = self.builtin.keys().map(PluginName::as_str).collect();
        ConfigError::UnknownPlugin {
            plugin: plugin.to_string(),
            known: known.join(", "),
        }
    }
}

impl Published {
    /// The artifact of a release for this host: from the file cache, or else downloaded.
    /// Its digest is verified in both cases.
    async fn artifact(&self, release: &Release) -> Result<Artifact, Failure> {
        let entry = release.artifact(ENGINE, TARGET);
        let entry = entry.ok_or_else(|| ReleaseError::NoArtifact {
            plugin: release.plugin.clone(),
            sha256: release.sha256,
            engine: ENGINE,
            target: TARGET,
        })?;
        let Some(files) = &self.files else {
            return self.artifact_in_memory(release, entry).await;
        };
        let (here, digest) = (Arc::clone(files), entry.blake3);
        if let Some(artifact) = on_code(entry.bytes, move || here.get(digest)).await {
            return Ok(artifact);
        }
        match self.download(files, release, entry).await? {
            Some(artifact) => Ok(artifact),
            // The file cannot be written, as on a full disk: load into memory what would
            // have been mapped.
            None => self.artifact_in_memory(release, entry).await,
        }
    }

    /// Downloads the artifact into a new file; `None` if the file cannot be written.
    async fn download(
        &self,
        files: &ArtifactFiles,
        release: &Release,
        entry: &ArtifactEntry,
    ) -> Result<Option<Artifact>, Failure> {
        let Ok(mut incoming) = files.receive(entry.blake3) else {
            return Ok(None);
        };
        let copied = self.releases.copy_artifact(release, entry, &mut incoming);
        if let Copied::NotWritten(_) = copied.await? {
            return Ok(None);
        }
        incoming.verify()?;
        Ok(files.persist(incoming).ok())
    }

    async fn artifact_in_memory(
        &self,
        release: &Release,
        entry: &ArtifactEntry,
    ) -> Result<Artifact, Failure> {
        let bytes = self.releases.artifact(release, entry).await?;
        let digest = entry.blake3;
        let verify = move || Artifact::verify(bytes, digest);
        Ok(on_code(entry.bytes, verify).await?)
    }
}

/// Larger machine code is processed on another thread, so that the deadline of an
/// event that waits for it still applies.
const LARGE_CODE_BYTES: u64 = 1 << 20;

/// Runs `work` on machine code of this size.
async fn on_code<T: Send + 'static>(bytes: u64, work: impl FnOnce() -> T + Send + 'static) -> T {
    if bytes <= LARGE_CODE_BYTES {
        return work();
    }
    match spawn_blocking(work)
        .await
        .map_err(JoinError::try_into_panic)
    {
        Ok(done) => done,
        Err(Ok(panic)) => resume_unwind(panic),
        // The runtime is shutting down, and this future with it.
        Err(Err(_)) => pending().await,
    }
}
