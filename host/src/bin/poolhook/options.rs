//! Options shared by several commands.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use poolhook::aws::{self, SdkConfig};
use poolhook::blobs::s3::Timeouts;
use poolhook::blobs::{Blobs, Location, Locations};
use poolhook::config::{HostConfig, PluginName, PublishLimits, Settings, Table, shared_rows};
use poolhook::digest::Sha256;
use poolhook::plugin::{Artifact, ArtifactFiles, Loader, Plugin, PluginError};
use poolhook::plugins::Plugins;
use poolhook::pools::Pools;
use poolhook::publish::{Checker, NotAccepted, Publisher};
use poolhook::releases::Releases;
use poolhook::store::ItemReader;
use poolhook::store::dynamodb::DynamoDb;
use poolhook::store::sqlite::Sqlite;

use crate::config::shared_row;
use crate::out::{compiling, say};

/// The location of the pools' configuration.
#[derive(Args)]
pub(crate) struct Config {
    #[arg(
        help = "The folder with the pools' TOML files, or s3://BUCKET/PREFIX",
        id = "config",
        long,
        env = "POOLHOOK_CONFIG",
        value_name = "DIR",
        default_value = "config"
    )]
    location: Location,
}

impl Config {
    pub(crate) async fn open(&self) -> anyhow::Result<Pools> {
        open_config(&self.location).await
    }

    /// Opens the location; returns `None` for a folder that does not exist.
    pub(crate) async fn existing(&self) -> anyhow::Result<Option<Pools>> {
        match self.blobs().await? {
            Some(blobs) => Ok(Some(Pools::open(blobs).await?)),
            None => Ok(None),
        }
    }

    /// The files; `None` for a folder that does not exist.
    async fn blobs(&self) -> anyhow::Result<Option<Arc<dyn Blobs>>> {
        match &self.location {
            Location::Folder(folder) if !folder.exists() => Ok(None),
            location => Ok(Some(locations(location).await.open(location)?)),
        }
    }

    /// Reads `host.toml`. Without the config folder, returns the defaults.
    pub(crate) async fn host(&self) -> anyhow::Result<HostConfig> {
        let pools = self.existing().await?;
        Ok(pools.map_or_else(HostConfig::default, |pools| pools.host_config().clone()))
    }

    /// Whether all pools' files are on this machine, so that reading them is quick.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.location, Location::Folder(_))
    }

    /// The folder to write a file to; a bucket is an error.
    pub(crate) fn folder(&self) -> anyhow::Result<&Path> {
        match &self.location {
            Location::Folder(folder) => Ok(folder),
            Location::Bucket { name, prefix } => bail!(
                "s3://{name}/{prefix} is a bucket, and this command writes to a folder. Pass --config DIR, then copy the folder: aws s3 sync DIR s3://{name}/{prefix} --exclude \"*\" --include \"*.toml\""
            ),
        }
    }

    /// What [`Items::open`] needs to know of the configs.
    pub(crate) fn what_is_in_aws(&self) -> Option<&'static str> {
        (!self.is_local()).then_some("the configs come")
    }
}

/// Says which pools could write each other's rows. Files that cannot be read are passed
/// over: for a command other than `config check`, a config is right if its own file is.
pub(crate) async fn warn_of_shared_rows(pools: &Pools) -> anyhow::Result<()> {
    let mut configs = BTreeMap::new();
    for pool in pools.list().await?.into_iter().flatten() {
        if let Ok(config) = pools.get(&pool).await {
            configs.insert(pool, config);
        }
    }
    for (pool, other) in shared_rows(configs.iter().map(|(id, config)| (id, &**config))) {
        if let Some(config) = configs.get(pool).filter(|_| pool < other) {
            let error = shared_row(pools, pool, other, config);
            say!("warning: {error}");
        }
    }
    Ok(())
}

async fn open_config(location: &Location) -> anyhow::Result<Pools> {
    let blobs = locations(location).await.open(location)?;
    Ok(Pools::open(blobs).await?)
}

/// Loads AWS's configuration only for a location in S3: a folder needs none.
pub(crate) async fn locations(location: &Location) -> Locations {
    let shared = match location {
        Location::Folder(_) => SdkConfig::builder().build(),
        Location::Bucket { .. } => aws::config().await,
    };
    Locations::new(&shared, Timeouts::Batch)
}

/// The store that items are written to.
#[derive(Args)]
pub(crate) struct Items {
    /// The file of the embedded store [default: poolhook.db, unless users, configs or
    /// dead letters come from AWS]
    #[arg(long, env = "POOLHOOK_STORE", value_name = "FILE")]
    store: Option<PathBuf>,
    /// Write to DynamoDB instead of the embedded store. Region, endpoint and
    /// credentials come from the environment, as for the AWS CLI.
    #[arg(long)]
    pub(crate) dynamodb: bool,
}

impl Items {
    /// Opens DynamoDB, or the embedded store, whose file is created if it is missing.
    ///
    /// `from_aws` says what comes from AWS, if anything does: then its items belong into
    /// DynamoDB, and the embedded store is not the default.
    pub(crate) async fn open(&self, from_aws: Option<&str>) -> anyhow::Result<Arc<dyn ItemReader>> {
        if self.dynamodb {
            return Ok(Arc::new(DynamoDb::new(&aws::config().await)));
        }
        if let (Some(what), None) = (from_aws, &self.store) {
            bail!(
                "{what} from AWS, so say where the items go: `--dynamodb`, or `--store FILE` for a file on this machine"
            );
        }
        let file = self.file();
        let store = Sqlite::open(file).with_context(|| file.display().to_string())?;
        Ok(Arc::new(store))
    }

    /// The store, for people.
    pub(crate) fn name(&self) -> String {
        if self.dynamodb {
            "DynamoDB".to_owned()
        } else {
            self.file().display().to_string()
        }
    }

    /// A table in the store, for people.
    pub(crate) fn table(&self, table: &Table) -> String {
        let Table { name, region, .. } = table;
        if self.dynamodb {
            format!("{name} in DynamoDB, {region}")
        } else {
            format!("{name} in {}", self.file().display())
        }
    }

    fn file(&self) -> &Path {
        self.store.as_deref().unwrap_or(Path::new("poolhook.db"))
    }
}

/// The location of uploads, releases and dead letters.
#[derive(Args)]
pub(crate) struct Store {
    #[arg(
        help = "The folder with uploads, releases and dead letters, or s3://BUCKET/PREFIX",
        id = "blobs",
        long,
        env = "POOLHOOK_BLOBS",
        value_name = "DIR",
        default_value = "poolhook.blobs"
    )]
    pub(crate) location: Location,
}

impl Store {
    /// The location, as `--blobs` takes it.
    pub(crate) fn name(&self) -> String {
        match &self.location {
            Location::Folder(folder) => folder.display().to_string(),
            Location::Bucket { name, prefix } => format!("s3://{name}/{prefix}"),
        }
    }

    /// Opens the location; creates a folder that does not exist.
    pub(crate) async fn create(&self) -> anyhow::Result<Releases> {
        let locations = locations(&self.location).await;
        Ok(Releases::new(locations.create(&self.location)?))
    }

    /// Opens the location; returns `None` for a folder that does not exist.
    pub(crate) async fn open(&self) -> anyhow::Result<Option<Releases>> {
        match &self.location {
            Location::Folder(folder) if !folder.exists() => Ok(None),
            _ => self.create().await.map(Some),
        }
    }

    /// Opens the location; a folder that does not exist is an error.
    pub(crate) async fn existing(&self) -> anyhow::Result<Releases> {
        self.open().await?.with_context(|| {
            let Location::Folder(folder) = &self.location else {
                return String::new();
            };
            let folder = folder.display();
            format!("the folder {folder} does not exist. `poolhook plugin publish` creates it; `--blobs` names another folder or bucket")
        })
    }
}

/// The plugins that pools can name.
#[derive(Args)]
pub(crate) struct PluginChoice {
    /// Compile this component and run it instead of every pool's plugin.
    #[arg(long, value_name = "FILE.wasm")]
    plugin: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) store: Store,
    /// The folder that caches published plugins' machine code [default:
    /// poolhook-<user id> in the system's temporary folder]
    #[arg(long, env = "POOLHOOK_CACHE", value_name = "DIR")]
    cache: Option<PathBuf>,
}

impl PluginChoice {
    /// Returns the built-in plugins, and the published ones if there are `releases`.
    pub(crate) async fn load(
        &self,
        releases: Option<Releases>,
        config: &HostConfig,
    ) -> anyhow::Result<Plugins> {
        let mut plugins = Plugins::builtin()?;
        if let Some(releases) = releases {
            let folder = self.cache.clone().unwrap_or_else(default_cache);
            let files = ArtifactFiles::open(&folder, config.plugin_disk_bytes);
            let files = files.with_context(|| format!("cannot use {}", folder.display()))?;
            plugins = plugins.with_published(releases, Some(files), config);
        }
        if let Some(file) = &self.plugin {
            let plugin = compile(plugins.loader(), config.publish.clone(), file).await?;
            plugins.use_for_all(plugin);
        }
        Ok(plugins)
    }
}

fn default_cache() -> PathBuf {
    ArtifactFiles::own_folder(&env::temp_dir())
}

/// Compiles a component from a file, within the limits of publishing; the plugin is named
/// after the file.
pub(crate) async fn compile(
    loader: &Loader,
    limits: PublishLimits,
    file: &Path,
) -> anyhow::Result<Plugin> {
    let context = || file.display().to_string();
    let component = std::fs::read(file).with_context(context)?;
    let name = name_of(file).with_context(context)?;
    let artifact = artifact(limits, &component).await.with_context(context)?;
    let plugin = loader.load_compiled(name, Sha256::of(&component), &artifact);
    plugin.map_err(named).with_context(context)
}

/// Compiles a component in a process of its own. An untrusted one can need much time and
/// memory.
pub(crate) async fn artifact(limits: PublishLimits, component: &[u8]) -> anyhow::Result<Artifact> {
    let checker = Checker::new(limits, program()?);
    match compiling(checker.artifact(component)).await {
        Ok(artifact) => Ok(artifact),
        Err(NotAccepted::Rejected(rejected)) => {
            let name = rejected.name().to_owned();
            Err(anyhow::Error::new(rejected).context(name))
        }
        Err(error) => Err(error.into()),
    }
}

fn program() -> anyhow::Result<PathBuf> {
    env::current_exe().context("cannot find poolhook itself")
}

/// A plugin's error with its name, such as `Plugin.NeedsFeature`.
pub(crate) fn named(error: PluginError) -> anyhow::Error {
    let name = error.name();
    anyhow::Error::new(error).context(name)
}

fn name_of(file: &Path) -> anyhow::Result<PluginName> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    Ok(PluginName::try_from(stem.into_owned())?)
}

/// A component, and the settings to run it with.
#[derive(Args)]
pub(crate) struct Component {
    /// The component's file; its name without `.wasm` is the plugin's name.
    #[arg(value_name = "FILE.wasm")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) settings: SettingsFile,
}

impl Component {
    pub(crate) fn read(&self) -> anyhow::Result<Vec<u8>> {
        std::fs::read(&self.file).with_context(|| self.file.display().to_string())
    }

    pub(crate) fn name(&self) -> anyhow::Result<PluginName> {
        name_of(&self.file).with_context(|| self.file.display().to_string())
    }
}

/// A file with a plugin's settings.
#[derive(Args)]
pub(crate) struct SettingsFile {
    /// The plugin's settings: a JSON object, or TOML if the file name ends in .toml.
    #[arg(id = "settings", long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl SettingsFile {
    pub(crate) fn read(&self) -> anyhow::Result<Settings> {
        let Some(file) = &self.file else {
            return Ok(Settings::default());
        };
        let context = || file.display().to_string();
        let text = std::fs::read_to_string(file).with_context(context)?;
        if file
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            Settings::from_toml(&text).with_context(context)
        } else {
            Settings::from_json(text.as_bytes()).with_context(context)
        }
    }
}

/// Returns a checker with the limits that `host.toml` sets.
pub(crate) async fn checker(config: &Config) -> anyhow::Result<Checker> {
    let limits = config.host().await?.publish;
    Ok(Checker::new(limits, program()?))
}

/// What publishes, with the same limits, and with the configs of the pools that follow a
/// plugin.
pub(crate) async fn publisher(config: &Config, releases: Releases) -> anyhow::Result<Publisher> {
    let publisher = Publisher::new(releases, checker(config).await?);
    Ok(match config.blobs().await? {
        Some(configs) => publisher.with_configs(configs),
        None => publisher,
    })
}

/// Formats a number of bytes for people.
pub(crate) fn bytes(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

/// A SHA-256 digest, or its first 4 to 63 hexadecimal digits.
#[derive(Clone, Debug)]
pub(crate) struct DigestPrefix(String);

impl DigestPrefix {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DigestPrefix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let hexadecimal = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let well_formed = (4..=64).contains(&digits.len()) && digits.bytes().all(hexadecimal);
        well_formed
            .then(|| Self(digits.to_owned()))
            .ok_or("must be a SHA-256 digest, or at least its first 4 digits")
    }
}

/// Runs a command's asynchronous part on one thread.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work)
}

/// Runs a command's asynchronous part on all cores.
pub(crate) fn block_on_all_cores<T>(
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work)
}
