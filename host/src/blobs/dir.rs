//! Blobs in a folder: one file per blob, at its key's path.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind, Read as _, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;
use tempfile::{NamedTempFile, PersistError};

use super::{
    Blob, BlobError, Blobs, BoxFuture, Condition, Copied, ETag, Key, Listed, Read, Stored,
};
use crate::digest::Sha256;
use crate::timestamp::Timestamp;

/// The most entries that are logged because they cannot be read.
const MAX_PASSED_OVER: usize = 1000;

/// Locked by a writer from its check of a condition until its write.
const LOCK: &str = ".lock";

/// A folder. Files and folders whose names begin with a dot are its own.
///
/// Its calls are synchronous, on the caller's thread.
#[derive(Debug)]
pub struct Dir {
    root: PathBuf,
}

impl Dir {
    /// A folder that exists.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, BlobError> {
        let root = root.into();
        let found = fs::metadata(&root).map_err(|error| failed(&root, error))?;
        if !found.is_dir() {
            return Err(failed(&root, ErrorKind::NotADirectory.into()));
        }
        Ok(Self { root })
    }

    /// A folder, created if it does not exist.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self, BlobError> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(|error| failed(&root, error))?;
        Self::open(root)
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.root.join(key.as_str())
    }

    fn read(&self, key: &Key, known: Option<&ETag>, max_bytes: u64) -> Result<Read, BlobError> {
        let path = self.path(key);
        let blob = read_file(&path, max_bytes)?;
        Ok(match blob {
            None => Read::Absent,
            Some(blob) if Some(&blob.etag) == known => Read::Unchanged,
            Some(blob) => Read::Blob(blob),
        })
    }

    async fn copy_file(
        &self,
        key: &Key,
        max_bytes: u64,
        to: &mut (dyn Write + Send),
    ) -> Result<Copied, BlobError> {
        let path = self.path(key);
        let Some((mut file, about)) = open(&path)? else {
            return Ok(Copied::Absent);
        };
        let (mut piece, mut bytes) = (vec![0; 1 << 20], 0);
        loop {
            let read = match file.read(&mut piece) {
                Err(error) if is_absent(&error) => return Ok(Copied::Absent),
                read => read.map_err(|error| failed(&path, error))?,
            };
            let Some(piece) = piece.get(..read).filter(|piece| !piece.is_empty()) else {
                return Ok(Copied::Whole);
            };
            bytes += piece.len() as u64;
            if bytes > max_bytes {
                return Err(too_large(&path, about.len().max(bytes), max_bytes));
            }
            if let Err(error) = to.write_all(piece) {
                return Ok(Copied::NotWritten(error));
            }
            // An event may be waiting for this thread.
            tokio::task::yield_now().await;
        }
    }

    fn write(&self, key: &Key, bytes: &[u8], condition: &Condition) -> Result<Stored, BlobError> {
        let path = self.path(key);
        let failed = |error| failed(&path, error);
        let _lock = self.lock()?;
        let holds = match condition {
            Condition::Any => true,
            Condition::Absent => !fs::exists(&path).map_err(failed)?,
            Condition::Is(etag) => {
                read_file(&path, u64::MAX)?.is_some_and(|blob| blob.etag == *etag)
            }
        };
        if !holds {
            return Ok(Stored::ConditionFailed);
        }
        replace_file(&path, bytes).map_err(failed)?;
        Ok(Stored::Written)
    }

    fn lock(&self) -> Result<File, BlobError> {
        let path = self.root.join(LOCK);
        let locked = File::create(&path).and_then(|file| file.lock().map(|()| file));
        locked.map_err(|error| failed(&path, error))
    }

    /// The files after `after`, at most `limit`.
    fn list_files(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Listed>, BlobError> {
        // Below the prefix's last folder, not through all of them.
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut keys = Vec::new();
        if folder.is_empty() || Key::try_from(folder.to_owned()).is_ok() {
            let path = self.root.join(folder);
            visit(&self.root, &path, &mut keys).map_err(|error| failed(&path, error))?;
        }
        keys.retain(|key| key.as_str().starts_with(prefix) && key.as_str() > after);
        keys.sort();
        let files = keys.into_iter().filter_map(|key| {
            let path = self.path(&key);
            regular(&path).map(|about| (key, path, about))
        });
        files
            .take(limit)
            .map(|(key, path, about)| {
                Ok(Listed {
                    key,
                    bytes: about.len(),
                    modified: modified(&about).map_err(|error| failed(&path, error))?,
                })
            })
            .collect()
    }

    fn list_folders(&self, prefix: &str) -> Result<Vec<String>, BlobError> {
        let path = self.root.join(prefix);
        let entries = match fs::read_dir(&path) {
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            entries => entries.map_err(|error| failed(&path, error))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| failed(&path, error))?;
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if let (Ok(name), true) = (entry.file_name().into_string(), is_folder)
                && Key::try_from(name.clone()).is_ok()
            {
                found.push(name);
            }
        }
        found.sort();
        Ok(found)
    }

    fn remove(&self, key: &Key) -> Result<(), BlobError> {
        let path = self.path(key);
        match fs::remove_file(&path) {
            Err(error) if !is_absent(&error) => Err(failed(&path, error)),
            _ => Ok(()),
        }
    }
}

impl Blobs for Dir {
    fn get<'a>(
        &'a self,
        key: &'a Key,
        known: Option<&'a ETag>,
        max_bytes: u64,
    ) -> BoxFuture<'a, Read> {
        Box::pin(async move { self.read(key, known, max_bytes) })
    }

    fn copy<'a>(
        &'a self,
        key: &'a Key,
        max_bytes: u64,
        to: &'a mut (dyn Write + Send),
    ) -> BoxFuture<'a, Copied> {
        Box::pin(self.copy_file(key, max_bytes, to))
    }

    fn put<'a>(
        &'a self,
        key: &'a Key,
        bytes: Vec<u8>,
        condition: Condition,
    ) -> BoxFuture<'a, Stored> {
        Box::pin(async move { self.write(key, &bytes, &condition) })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Vec<Listed>> {
        Box::pin(async move { self.list_files(prefix, "", usize::MAX) })
    }

    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: u16,
    ) -> BoxFuture<'a, Vec<Listed>> {
        Box::pin(async move { self.list_files(prefix, after, limit.into()) })
    }

    fn folders<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Vec<String>> {
        Box::pin(async move { self.list_folders(prefix) })
    }

    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, ()> {
        Box::pin(async move { self.remove(key) })
    }

    fn address(&self, key: &str) -> String {
        let path = if key.is_empty() {
            self.root.clone()
        } else {
            self.root.join(key)
        };
        path.display().to_string()
    }
}

/// Writes a temporary file, then renames it to `path`: atomic, even if the power fails.
/// Creates the folder if it does not exist. A killed process may leave a temporary file,
/// whose name begins with `.new-`.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_file(path, bytes, |new| new.persist(path))
}

/// Like [`replace_file`], but a file that is there stays as it is, and is an error of the
/// kind `AlreadyExists`.
#[cfg(feature = "cli")]
pub fn create_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_file(path, bytes, |new| new.persist_noclobber(path))
}

/// Writes a temporary file in the folder of `path`, which `rename` moves to its place.
fn write_file(
    path: &Path,
    bytes: &[u8],
    rename: impl FnOnce(NamedTempFile) -> Result<File, PersistError>,
) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    // As readable as the user's other files, not only by the user.
    let mut new = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    new.write_all(bytes)?;
    new.as_file().sync_all()?;
    rename(new)?;
    File::open(folder)?.sync_all()
}

/// Opens a regular file; `None` if there is none at this path. Opening a pipe would wait
/// for a writer.
fn open(path: &Path) -> Result<Option<(File, Metadata)>, BlobError> {
    let opened = File::options()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .and_then(|file| file.metadata().map(|about| (file, about)));
    match opened {
        Ok((file, about)) => Ok(about.is_file().then_some((file, about))),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(failed(path, error)),
    }
}

/// A file's bytes, version and time; `None` if it does not exist.
fn read_file(path: &Path, max_bytes: u64) -> Result<Option<Blob>, BlobError> {
    let Some((file, about)) = open(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large, or grows.
    file.take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| failed(path, error))?;
    if bytes.len() as u64 > max_bytes {
        return Err(too_large(path, about.len(), max_bytes));
    }
    Ok(Some(Blob {
        etag: ETag(Sha256::of(&bytes).to_string()),
        modified: modified(&about).map_err(|error| failed(path, error))?,
        bytes,
    }))
}

/// When a file was written. Its writer can set any time, but not the time of its last
/// change, so a time to come does not make it newer than all later files.
fn modified(about: &Metadata) -> io::Result<Timestamp> {
    let changed = Duration::new(
        u64::try_from(about.ctime()).unwrap_or_default(),
        u32::try_from(about.ctime_nsec()).unwrap_or_default(),
    );
    let modified = about.modified()?;
    Ok(modified.min(SystemTime::UNIX_EPOCH + changed).into())
}

/// Collects the keys of what is below a folder. A path that is no key, a folder that
/// cannot be read, and a link to a folder, which may lead in a circle, are passed over.
fn visit(root: &Path, folder: &Path, found: &mut Vec<Key>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if is_absent(&error) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let key = path.strip_prefix(root).ok().and_then(Path::to_str);
        let Some(key) = key.and_then(|key| Key::try_from(key.to_owned()).ok()) else {
            continue;
        };
        if !entry.file_type()?.is_dir() {
            found.push(key);
        } else if let Err(error) = visit(root, &path, found) {
            pass_over(&path, &error);
        }
    }
    Ok(())
}

/// A regular file, or a link to one.
fn regular(path: &Path) -> Option<Metadata> {
    match fs::metadata(path) {
        Ok(about) => Some(about).filter(Metadata::is_file),
        // Gone since, or a link to nowhere.
        Err(error) if is_absent(&error) => None,
        Err(error) => {
            pass_over(path, &error);
            None
        }
    }
}

/// Logs an entry that cannot be read, once in this process.
fn pass_over(path: &Path, error: &io::Error) {
    static SEEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.len() < MAX_PASSED_OVER && seen.insert(path.to_owned()) {
        tracing::warn!(path = %path.display(), %error, "passed over: it cannot be read");
    }
}

/// Whether there is no file at that path: also if a part of it is a file, or the path
/// is a folder.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory
    )
}

fn too_large(path: &Path, bytes: u64, max_bytes: u64) -> BlobError {
    BlobError::TooLarge {
        address: path.display().to_string(),
        bytes,
        max_bytes,
    }
}

fn failed(path: &Path, error: io::Error) -> BlobError {
    let address = path.display().to_string();
    if error.kind() == ErrorKind::PermissionDenied {
        let code = error.to_string();
        return BlobError::AccessDenied { address, code };
    }
    BlobError::Unavailable {
        address,
        source: error.into(),
    }
}
