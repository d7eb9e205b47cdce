//! Artifacts: the machine code of components, checked before it is loaded, and
//! mapped from files rather than copied.

use std::borrow::Cow;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use tempfile::NamedTempFile;

use super::PluginError;
use super::code::Embedded;
use crate::digest::{Blake3, Blake3Hasher};

/// Machine code from poolhook's compiler.
#[derive(Debug)]
pub struct Artifact {
    /// Empty if the code is in a file.
    here: Cow<'static, [u8]>,
    /// The file to map.
    file: Option<PathBuf>,
    /// The code, if it is in this program.
    embedded: Option<&'static [u8]>,
    bytes: u64,
}

impl Artifact {
    /// Bytes from a bucket or folder, if their digest is the one that the release names.
    pub fn verify(bytes: Vec<u8>, expected: Blake3) -> Result<Self, PluginError> {
        let found = Blake3::of(&bytes);
        if found != expected {
            return Err(PluginError::ArtifactAltered { expected, found });
        }
        Ok(Self::made_here(bytes))
    }

    /// Output of this build's compiler, in this process or in the build script.
    pub(super) fn made_here(bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        let here = bytes.into();
        Self {
            bytes: here.len() as u64,
            here,
            file: None,
            embedded: None,
        }
    }

    /// A built-in plugin's code, which is run where it lies.
    pub(super) fn embedded(Embedded(code): &'static Embedded) -> Self {
        Self {
            embedded: Some(code),
            ..Self::made_here(code)
        }
    }

    fn in_a_file(path: PathBuf, bytes: u64) -> Self {
        Self {
            here: Cow::default(),
            file: Some(path),
            embedded: None,
            bytes,
        }
    }

    /// Output of [`super::precompile`].
    #[cfg(feature = "compiler")]
    pub(crate) fn compiled(bytes: Vec<u8>) -> Self {
        Self::made_here(bytes)
    }

    /// Its bytes, where they are in memory.
    #[cfg(feature = "compiler")]
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.here.into_owned()
    }

    pub(super) fn as_embedded(&self) -> Option<&'static [u8]> {
        self.embedded
    }

    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Its bytes, unless it is in a file.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.here
    }

    /// Its size.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// A folder of artifacts, one file per artifact, named after its digest. Artifacts are
/// memory-mapped from here. The least recently used files are deleted when there are
/// too many, even if they are mapped. Files with other names are neither counted nor
/// deleted.
#[derive(Debug)]
pub struct ArtifactFiles {
    folder: PathBuf,
    max_bytes: u64,
    /// The size of all files together, as far as this process knows.
    bytes: AtomicU64,
}

impl ArtifactFiles {
    /// The most files that may be mapped at once. A mapped file stays open, and the
    /// system limits the open files of a process (1,024 on Lambda). A quarter of them is
    /// left for everything else.
    pub fn max_mapped() -> u64 {
        let allowed = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        allowed.current.map_or(u64::MAX, |files| files / 4 * 3)
    }

    /// The name of the user's own folder in a shared one, such as the temporary folder.
    pub fn own_folder(shared: &Path) -> PathBuf {
        shared.join(format!("poolhook-{}", rustix::process::geteuid().as_raw()))
    }

    /// A folder of the user's own, created if it does not exist, for `max_bytes`.
    ///
    /// A user who can write there can run code as this process, so a folder of
    /// another user, or one open to others, is refused.
    pub fn open(folder: impl Into<PathBuf>, max_bytes: u64) -> io::Result<Self> {
        let folder = folder.into();
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let about = fs::symlink_metadata(&folder)?;
        let own = about.uid() == rustix::process::geteuid().as_raw();
        if !about.is_dir() || !own || about.mode() & 0o022 != 0 {
            let reason = "it must be a folder that belongs to the user alone";
            return Err(io::Error::new(ErrorKind::PermissionDenied, reason));
        }
        let files = Self {
            folder,
            max_bytes,
            bytes: AtomicU64::new(u64::MAX),
        };
        files.make_room(&files.folder);
        Ok(files)
    }

    /// The artifact with this digest, if its file exists and has the digest.
    pub fn get(&self, digest: Blake3) -> Option<Artifact> {
        let path = self.path(digest);
        let mut file = File::open(&path).ok()?;
        // Piece by piece: what will be mapped need not be in memory once more.
        let (found, bytes) = Blake3::of_reader(&mut file).ok()?;
        if found != digest {
            // A file that was cut short, say. The store has it whole.
            let _ = fs::remove_file(&path);
            return None;
        }
        let _ = file.set_modified(SystemTime::now());
        Some(Artifact::in_a_file(path, bytes))
    }

    /// Creates a temporary file for an artifact with this digest. The file is deleted
    /// unless the artifact is [persisted](Self::persist).
    pub fn receive(&self, digest: Blake3) -> io::Result<Incoming> {
        Ok(Incoming {
            file: tempfile::Builder::new()
                .prefix(&format!("{digest}{NEW}"))
                .tempfile_in(&self.folder)?,
            expected: digest,
            hasher: Blake3Hasher::default(),
            bytes: 0,
        })
    }

    /// Renames the temporary file of a complete, verified artifact.
    pub fn persist(&self, incoming: Incoming) -> io::Result<Artifact> {
        let path = self.path(incoming.expected);
        // Mapped code must not change: not by our own mistake either.
        let read_only = Permissions::from_mode(0o400);
        incoming.file.as_file().set_permissions(read_only)?;
        incoming.file.persist(&path)?;
        let bytes = incoming.bytes;
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.max_bytes {
            self.make_room(&path);
        }
        Ok(Artifact::in_a_file(path, bytes))
    }

    fn path(&self, digest: Blake3) -> PathBuf {
        self.folder.join(format!("{digest}{SUFFIX}"))
    }

    /// Deletes the least recently used files until the others fit. Best effort: another
    /// process may do the same.
    fn make_room(&self, latest: &Path) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries
            .filter_map(|entry| {
                let about = entry.metadata().ok()?;
                let own = about.is_file() && is_own(entry.file_name().to_str()?);
                own.then_some((about.modified().ok()?, about.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, file_bytes, path) in files {
            if bytes <= self.max_bytes {
                break;
            }
            if path != latest && fs::remove_file(&path).is_ok() {
                bytes -= file_bytes;
            }
        }
        self.bytes.store(bytes, Ordering::Relaxed);
    }
}

/// The suffix of an artifact's file, after its digest.
const SUFFIX: &str = ".cwasm";
/// What follows the digest in a temporary file's name, before a random part.
const NEW: &str = ".new-";

/// Whether this module gives files such a name.
fn is_own(name: &str) -> bool {
    let digest = name
        .get(..64)
        .and_then(|digest| digest.parse::<Blake3>().ok());
    let rest = name.get(64..).unwrap_or_default();
    let is_new = || {
        let random = rest.strip_prefix(NEW);
        random.is_some_and(|random| random.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    digest.is_some() && (rest == SUFFIX || is_new())
}

/// An artifact that is being written to a temporary file.
#[derive(Debug)]
pub struct Incoming {
    file: NamedTempFile,
    expected: Blake3,
    hasher: Blake3Hasher,
    bytes: u64,
}

impl Incoming {
    /// Whether what was written has the digest that the release names.
    pub fn verify(&self) -> Result<(), PluginError> {
        let (expected, found) = (self.expected, self.hasher.digest());
        if found == expected {
            Ok(())
        } else {
            Err(PluginError::ArtifactAltered { expected, found })
        }
    }
}

impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
