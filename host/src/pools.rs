//! The pools' configs: one file per pool, read at the pool's first event, cached and
//! refreshed.

use std::sync::Arc;
use std::time::Duration;

use crate::blobs::{Blob, BlobError, Blobs, ETag, Key, Read};
use crate::cache::{Cache, Cached};
use crate::config::{
    ConfigError, DEFAULTS_FILE, Defaults, HOST_FILE, HostConfig, MAX_FILE_BYTES, PoolConfig,
    has_settings,
};
use crate::event::UserPoolId;
use crate::failure::Failure;

/// The memory that a cached config takes in addition to its text, in bytes.
const ENTRY_BYTES: u64 = 1024;

/// The files `<user pool id>.toml`, `defaults.toml` and `host.toml` in a folder or bucket.
pub struct Pools {
    blobs: Arc<dyn Blobs>,
    host: HostConfig,
    /// One entry. It is a cache because it is refreshed like one.
    defaults: Cache<(), DefaultsFile>,
    files: Cache<UserPoolId, PoolFile>,
}

struct DefaultsFile {
    defaults: Defaults,
    etag: Option<ETag>,
}

struct PoolFile {
    config: Arc<PoolConfig>,
    etag: ETag,
    /// The version of the defaults that the config was read with.
    defaults: Option<ETag>,
}

/// A newer version of a pool's config, not activated yet.
pub struct Newer {
    file: PoolFile,
    bytes: u64,
}

impl Newer {
    /// The newer config.
    pub fn config(&self) -> &PoolConfig {
        &self.file.config
    }
}

impl Pools {
    /// Reads `host.toml` and the defaults. A pool's file is read at its first event, so
    /// the number of pools does not slow down a cold start.
    pub async fn open(blobs: Arc<dyn Blobs>) -> Result<Self, Failure> {
        let host = Key::unchecked(HOST_FILE.into());
        let (host, defaults) =
            tokio::join!(read(&*blobs, &host, None), read_defaults(&*blobs, None));
        let host = match host? {
            Read::Blob(blob) => {
                let file = blobs.address(HOST_FILE);
                HostConfig::parse(&file, text(&file, &blob)?)?
            }
            Read::Unchanged | Read::Absent => HostConfig::default(),
        };
        let time_to_live = Duration::from_secs(host.refresh_seconds);
        let pools = Self {
            defaults: Cache::new(2, 1, time_to_live),
            files: Cache::new(host.config_memory_bytes, 2 * ENTRY_BYTES, time_to_live),
            blobs,
            host,
        };
        let defaults = pools.parse_defaults(defaults?)?;
        pools.defaults.replace(&(), defaults);
        Ok(pools)
    }

    /// The content of `host.toml`.
    pub fn host_config(&self) -> &HostConfig {
        &self.host
    }

    /// Returns a pool's config. A pool without a file is an error.
    pub async fn get(&self, pool: &UserPoolId) -> Result<Arc<PoolConfig>, Failure> {
        let load = || async {
            match read(&*self.blobs, &key(pool), None).await? {
                Read::Blob(blob) => self.parse(pool, blob).await,
                Read::Unchanged | Read::Absent => Err(self.unknown(pool)),
            }
        };
        let file = self.files.get_or_load(pool, load).await?;
        Ok(Arc::clone(&file.value.config))
    }

    /// Returns true to one caller per TTL; that caller must call [`Pools::newer`].
    pub fn claim_refresh(&self, pool: &UserPoolId) -> bool {
        self.files.claim_refresh(pool)
    }

    /// Reads a pool's config again if it has changed; [`Pools::accept`] activates it. If
    /// the new config is invalid, returns an error, and the previous one stays in use. If
    /// the pool's file was deleted, returns an error and evicts the config.
    pub async fn newer(&self, pool: &UserPoolId) -> Result<Option<Newer>, Failure> {
        // Invalid defaults must not block the pool's own newer file.
        let defaults_refreshed = self.refresh_defaults().await;
        let Some(cached) = self.files.peek(pool) else {
            return defaults_refreshed.map(|()| None);
        };
        let defaults = self.defaults().await?;
        let same_defaults = cached.value.defaults == defaults.value.etag;
        let known = same_defaults.then_some(&cached.value.etag);
        match read(&*self.blobs, &key(pool), known).await? {
            Read::Unchanged => defaults_refreshed.map(|()| None),
            Read::Blob(blob) => {
                let (file, bytes) = self.parse(pool, blob).await?;
                Ok(Some(Newer { file, bytes }))
            }
            Read::Absent => {
                self.files.remove(pool);
                Err(self.unknown(pool))
            }
        }
    }

    /// Activates a newer config.
    pub fn accept(&self, pool: &UserPoolId, Newer { file, bytes }: Newer) {
        self.files.replace(pool, (file, bytes));
    }

    /// Lists the pools that have files, ordered by name, with an error for each file
    /// that is not named after a pool.
    pub async fn list(&self) -> Result<Vec<Result<UserPoolId, ConfigError>>, Failure> {
        let listed = self.blobs.list("").await?;
        let names = listed.iter().filter_map(|blob| {
            let name = blob.key.as_str();
            let pool = !name.contains('/') && ![DEFAULTS_FILE, HOST_FILE].contains(&name);
            name.strip_suffix(".toml").filter(|_| pool)
        });
        let pool = |name: &str| {
            let file = || self.blobs.address(&format!("{name}.toml"));
            UserPoolId::parse(name).map_err(|rule| ConfigError::Misnamed { file: file(), rule })
        };
        Ok(names.map(pool).collect())
    }

    /// The paths or URLs of files that look like configs but are not read as such: in
    /// another format, with another ending, or in a folder below.
    pub async fn ignored(&self) -> Result<Vec<String>, Failure> {
        let listed = self.blobs.list("").await?;
        let is_ignored = |key: &str| {
            let lower = key.to_ascii_lowercase();
            let alike = [".toml", ".yaml", ".yml", ".json"];
            let looks_alike =
                alike.iter().any(|ending| lower.ends_with(ending)) || lower.contains(".toml.");
            // Editors read the schema that `poolhook config schema` prints.
            let is_schema = lower.ends_with("schema.json");
            looks_alike && !is_schema && (key.contains('/') || key.strip_suffix(".toml").is_none())
        };
        let ignored = listed.iter().map(|blob| blob.key.as_str());
        let ignored = ignored.filter(|key| is_ignored(key));
        Ok(ignored.map(|key| self.blobs.address(key)).collect())
    }

    /// The path or URL of the folder or prefix, for messages.
    pub fn folder(&self) -> String {
        self.blobs.address("")
    }

    /// The path or URL of a pool's config, for messages.
    pub fn address(&self, pool: &UserPoolId) -> String {
        self.blobs.address(key(pool).as_str())
    }

    /// The path or URL, and the text, of the file that sets a pool's settings: the pool's
    /// own file, unless only the defaults have settings.
    pub async fn settings_file(&self, pool: &UserPoolId) -> Result<(String, String), Failure> {
        let own = self.text_of(&key(pool)).await?;
        if has_settings(&own.1) {
            return Ok(own);
        }
        let defaults = Key::unchecked(DEFAULTS_FILE.into());
        let defaults = self.text_of(&defaults).await?;
        Ok(if has_settings(&defaults.1) {
            defaults
        } else {
            own
        })
    }

    /// The path or URL, and the text, of a pool's own file.
    pub async fn own_file(&self, pool: &UserPoolId) -> Result<(String, String), Failure> {
        self.text_of(&key(pool)).await
    }

    /// The path or URL, and the text, of the defaults; empty if there are none.
    pub async fn defaults_file(&self) -> Result<(String, String), Failure> {
        self.text_of(&Key::unchecked(DEFAULTS_FILE.into())).await
    }

    async fn text_of(&self, key: &Key) -> Result<(String, String), Failure> {
        let file = self.blobs.address(key.as_str());
        let text = match read(&*self.blobs, key, None).await? {
            Read::Blob(blob) => text(&file, &blob)?.to_owned(),
            Read::Unchanged | Read::Absent => String::new(),
        };
        Ok((file, text))
    }

    async fn parse(&self, pool: &UserPoolId, blob: Blob) -> Result<(PoolFile, u64), Failure> {
        let defaults = self.defaults().await?;
        let file = self.address(pool);
        let text = text(&file, &blob)?;
        let config = PoolConfig::parse(pool, &defaults.value.defaults, &file, text)?;
        let bytes = ENTRY_BYTES + (blob.bytes.len() + config.settings.bytes()) as u64;
        let file = PoolFile {
            config: Arc::new(config),
            etag: blob.etag,
            defaults: defaults.value.etag.clone(),
        };
        Ok((file, bytes))
    }

    fn unknown(&self, pool: &UserPoolId) -> Failure {
        let pool = ConfigError::UnknownPool {
            pool: pool.to_string(),
            file: self.address(pool),
        };
        pool.into()
    }

    async fn defaults(&self) -> Result<Arc<Cached<DefaultsFile>>, Failure> {
        let load = || async { self.parse_defaults(read_defaults(&*self.blobs, None).await?) };
        self.defaults.get_or_load(&(), load).await
    }

    async fn refresh_defaults(&self) -> Result<(), Failure> {
        if !self.defaults.claim_refresh(&()) {
            return Ok(());
        }
        let known = self.defaults().await?;
        let found = read_defaults(&*self.blobs, known.value.etag.as_ref()).await?;
        if found != Read::Unchanged {
            self.defaults.replace(&(), self.parse_defaults(found)?);
        }
        Ok(())
    }

    fn parse_defaults(&self, found: Read) -> Result<(DefaultsFile, u64), Failure> {
        let file = self.blobs.address(DEFAULTS_FILE);
        let defaults = match found {
            Read::Blob(blob) => DefaultsFile {
                defaults: Defaults::parse(&file, text(&file, &blob)?)?,
                etag: Some(blob.etag),
            },
            Read::Unchanged | Read::Absent => DefaultsFile {
                defaults: Defaults::default(),
                etag: None,
            },
        };
        Ok((defaults, 1))
    }
}

fn key(pool: &UserPoolId) -> Key {
    Key::unchecked(format!("{pool}.toml"))
}

async fn read(blobs: &dyn Blobs, key: &Key, known: Option<&ETag>) -> Result<Read, BlobError> {
    blobs.get(key, known, MAX_FILE_BYTES as u64).await
}

async fn read_defaults(blobs: &dyn Blobs, known: Option<&ETag>) -> Result<Read, BlobError> {
    read(blobs, &Key::unchecked(DEFAULTS_FILE.into()), known).await
}

fn text<'a>(file: &str, blob: &'a Blob) -> Result<&'a str, ConfigError> {
    std::str::from_utf8(&blob.bytes).map_err(|_| ConfigError::NotText {
        file: file.to_owned(),
    })
}
