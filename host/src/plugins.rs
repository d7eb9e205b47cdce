//! The plugins that a host runs: the built-in ones, and published ones, which
//! are loaded at first use, kept within a budget of memory, and followed as their
//! live releases change.

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
use crate::release::{ArtifactEntry, Release};
use crate::releases::{Pointer, ReleaseError, Releases};

/// What a loaded plugin takes in memory beside its machine code, in bytes: some
/// 40 KiB where plugins come and go, says `cargo bench --bench trigger`.
pub const ENTRY_BYTES: u64 = 48 << 10;

/// All plugins that pools may name.
pub struct Plugins {
    loader: Arc<Loader>,
    /// Each is loaded when a pool first needs it: its machine code is copied.
    builtin: BTreeMap<PluginName, OnceLock<Arc<Plugin>>>,
    published: Option<Published>,
    /// The plugin that takes the place of all.
    for_all: Option<Arc<Plugin>>,
}

struct Published {
    releases: Releases,
    files: Option<Arc<ArtifactFiles>>,
    loaded: Cache<PluginRef, Loaded>,
    /// What the smallest plugin weighs, so that no more are loaded than can be.
    least_bytes: u64,
    /// Held by the one load that may go on in the background at a time.
    in_background: Semaphore,
}

struct Loaded {
    plugin: Arc<Plugin>,
    /// The version of the pointer that led here; none for a pinned plugin.
    pointer: Option<ETag>,
}

impl Plugins {
    /// The built-in plugins alone. The default one is loaded now, so that a host
    /// that cannot load machine code fails at its start.
    pub fn builtin() -> Result<Self, PluginError> {
        Self::with_loader(Loader::new()?)
    }

    /// The same, loaded and run by this loader.
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

    /// Has the published plugins too. Their machine code is mapped from `files`;
    /// without, it is copied into memory.
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

    /// Has this plugin from now on, as if it were built in.
    pub fn add(&mut self, plugin: Plugin) {
        let (name, plugin) = (plugin.name().clone(), Arc::new(plugin));
        self.builtin.insert(name, plugin.into());
    }

    /// Runs this plugin in place of every other, for trying it out.
    pub fn use_for_all(&mut self, plugin: Plugin) {
        self.for_all = Some(Arc::new(plugin));
    }

    /// What loads plugins.
    pub fn loader(&self) -> &Loader {
        &self.loader
    }

    /// The plugin that a pool names: loaded if it is not, once, however many
    /// events ask for it at a time.
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
        let Some(kept) = self.builtin.get(name) else {
            return Ok(None);
        };
        if let Some(plugin) = kept.get() {
            return Ok(Some(Arc::clone(plugin)));
        }
        let plugin = self.loader.builtin(name)?;
        let loaded = plugin.map(|plugin| Arc::clone(kept.get_or_init(|| Arc::new(plugin))));
        Ok(loaded)
    }

    /// Returns true to one caller per TTL; that caller must call
    /// [`Plugins::refresh`]. A pinned or built-in plugin is never refreshed.
    pub fn claim_refresh(&self, plugin: &PluginRef) -> bool {
        let published = self.published.as_ref().filter(|_| plugin.pin.is_none());
        published.is_some_and(|published| published.loaded.claim_refresh(plugin))
    }

    /// Loads the plugin of a newer config before the config is used: in the
    /// background, as [`Plugins::refresh`].
    pub async fn prepare(&self, plugin: &PluginRef) -> Result<(), Failure> {
        let published = self.published.as_ref();
        let is_new = |published: &&Published| published.loaded.peek(plugin).is_none();
        let _turn = match published.filter(is_new) {
            Some(published) => published.in_background.acquire().await.ok(),
            None => None,
        };
        self.get(plugin).await.map(drop)
    }

    /// Loads a plugin's live release, if that is another one than before, and
    /// gives its component's digest. Where this fails, the plugin from before
    /// stays.
    ///
    /// One plugin is loaded at a time, so that the memory and processor time that
    /// this takes from events are those of one.
    pub async fn refresh(&self, plugin: &PluginRef) -> Result<Option<Sha256>, Failure> {
        let kept = self
            .published
            .as_ref()
            .and_then(|published| Some((published, published.loaded.peek(plugin)?)));
        let Some((published, kept)) = kept else {
            return Ok(None);
        };
        let known = kept.value.pointer.as_ref();
        match published.releases.pointer(&plugin.name, known).await? {
            Pointer::Unchanged => Ok(None),
            // The same component was published again.
            Pointer::Live(live, pointer) if kept.value.plugin.component() == Some(live.sha256) => {
                let same = Loaded {
                    plugin: Arc::clone(&kept.value.plugin),
                    pointer: Some(pointer),
                };
                published.loaded.replace(plugin, (same, kept.bytes()));
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
    /// The artifact of a release for this host: from a file, if it was here
    /// before, else from the store; never without a look at its digest.
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
            // The code is copied into memory instead of mapped.
            None => self.artifact_in_memory(release, entry).await,
        }
    }

    /// The artifact in a new file; none where that cannot be written, as on a full
    /// disk.
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
        Ok(files.keep(incoming).ok())
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

/// Machine code of more bytes is worked on by a thread of its own: an event that
/// waits on this one is then still answered by its deadline.
const LARGE_CODE_BYTES: u64 = 1 << 20;

/// Works on machine code of so many bytes.
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
