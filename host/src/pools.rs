//! The pools' configs in a folder: read at a pool's first event, then kept.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::{fs, io};

use crate::config::{ConfigError, DEFAULTS_FILE, Defaults, PoolConfig};
use crate::event::UserPoolId;

/// A folder of pool files, `<user pool id>.toml`, beside `defaults.toml`.
pub struct Pools {
    folder: PathBuf,
    defaults: Defaults,
    read: RwLock<HashMap<UserPoolId, Arc<PoolConfig>>>,
}

impl Pools {
    /// Reads the folder's defaults. The pools' files are read when asked for,
    /// so that ten thousand of them cost a cold start nothing.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        let folder = folder.into();
        let unreadable = |reason| ConfigError::Unreadable {
            file: name(&folder),
            reason,
        };
        if !fs::metadata(&folder).map_err(unreadable)?.is_dir() {
            return Err(unreadable(ErrorKind::NotADirectory.into()));
        }
        let file = folder.join(DEFAULTS_FILE);
        let defaults = match text(&file)? {
            Some(text) => Defaults::parse(&name(&file), &text)?,
            None => Defaults::default(),
        };
        Ok(Self {
            folder,
            defaults,
            read: RwLock::default(),
        })
    }

    /// The config of a pool. A pool without a file of its own is refused.
    pub fn get(&self, pool: &UserPoolId) -> Result<Arc<PoolConfig>, ConfigError> {
        let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = read.get(pool) {
            return Ok(Arc::clone(config));
        }
        drop(read);
        let config = Arc::new(self.read_file(pool)?);
        let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
        read.insert(pool.clone(), Arc::clone(&config));
        Ok(config)
    }

    /// The pools of the folder's files, in the order of their names; an error
    /// for a file that is not named after a pool.
    pub fn list(&self) -> Result<Vec<Result<UserPoolId, ConfigError>>, ConfigError> {
        let unreadable = |reason| ConfigError::Unreadable {
            file: name(&self.folder),
            reason,
        };
        let paths = fs::read_dir(&self.folder)
            .map_err(unreadable)?
            .map(|entry| Ok(entry?.path()));
        let mut paths: Vec<_> = paths.collect::<Result<_, _>>().map_err(unreadable)?;
        paths.sort_unstable();
        paths.retain(|path| {
            let toml = path
                .extension()
                .is_some_and(|extension| extension == "toml");
            toml && path.file_name().is_some_and(|file| file != DEFAULTS_FILE)
        });
        let pool = |path: PathBuf| {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let misnamed = |rule| ConfigError::Misnamed {
                file: name(&path),
                rule,
            };
            UserPoolId::parse(&stem).map_err(misnamed)
        };
        Ok(paths.into_iter().map(pool).collect())
    }

    /// Where a pool's config lies.
    pub fn file(&self, pool: &UserPoolId) -> PathBuf {
        self.folder.join(format!("{pool}.toml"))
    }

    fn read_file(&self, pool: &UserPoolId) -> Result<PoolConfig, ConfigError> {
        let file = self.file(pool);
        let unknown = || ConfigError::UnknownPool {
            pool: pool.to_string(),
            file: name(&file),
        };
        let text = text(&file)?.ok_or_else(unknown)?;
        PoolConfig::parse(pool, &self.defaults, &name(&file), &text)
    }
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

/// A file's text; none if there is no such file.
fn text(file: &Path) -> Result<Option<String>, ConfigError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(reason) => Err(ConfigError::Unreadable {
            file: name(file),
            reason,
        }),
    }
}
