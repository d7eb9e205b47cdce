//! One conformance test for folders and buckets, and tests of what differs between them.

use std::fs;
use std::io::{Read as _, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Credentials;
use poolhook::blobs::dir::Dir;
use poolhook::blobs::s3::{S3, Timeouts};
use poolhook::blobs::{
    Blob, BlobError, Blobs, Condition, Copied, ETag, Key, Listed, Location, Read, Stored,
};
use poolhook::timestamp::Timestamp;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::servers;

/// Far more bytes than any blob here has.
const PLENTY: u64 = 1 << 30;

#[test]
fn dir_conforms() {
    let folder = folder();
    let dir = Dir::create(folder.path().join("to/be/made")).unwrap();
    let runtime = runtime();
    Tried::new(&dir, &runtime).conforms();

    let root = folder.path().join("to/be/made");
    assert_eq!(dir.address(""), root.display().to_string());
    let file = root.join("a/b.toml").display().to_string();
    assert_eq!(dir.address("a/b.toml"), file);
}

#[test]
fn s3_conforms() {
    let (server, runtime) = (servers::ministack(), runtime());
    let config = runtime.block_on(config(server.url()));
    let client = Client::new(&config);
    for bucket in ["whole", "shared"] {
        let made = client.create_bucket().bucket(bucket).send();
        runtime.block_on(made).unwrap();
    }
    let s3 = |bucket: &str, prefix: &str| {
        S3::new(&config, bucket.into(), prefix.into(), Timeouts::Batch)
    };

    let whole = s3("whole", "");
    Tried::new(&whole, &runtime).conforms();
    assert_eq!(whole.address(""), "s3://whole/");
    assert_eq!(whole.address("a/b"), "s3://whole/a/b");

    // Neither keys next to the prefix nor the console's folder objects are our blobs.
    let others = [
        "blobs",
        "blobs-2/a",
        "blobs.toml",
        "blob/a",
        "a",
        "blobs/",
        "blobs/sub/",
        "blobs/many/",
        "blobs/.hidden",
        "blobs//a",
        "blobs/line\nbreak",
    ];
    for key in others {
        let put = client.put_object().bucket("shared").key(key);
        runtime.block_on(put.send()).unwrap();
    }
    let shared = s3("shared", "blobs/");
    Tried::new(&shared, &runtime).conforms();
    assert_eq!(shared.address(""), "s3://shared/blobs/");
    assert_eq!(shared.address("a/b"), "s3://shared/blobs/a/b");
    let all = s3("shared", "");
    let all = Tried::new(&all, &runtime);
    let left = ["a", "blob/a", "blobs", "blobs-2/a", "blobs.toml"];
    assert_eq!(all.keys(""), left);

    // Another client with the prefix: the prefix is part of the object's key.
    let ours = Tried::new(&shared, &runtime);
    assert_eq!(ours.put("a", b"ours", Condition::Absent), Stored::Written);
    assert_eq!(all.blob("blobs/a").bytes, b"ours");
    assert_eq!(all.blob("a").bytes, b"");
}

/// A store under test, and the runtime for its calls.
struct Tried<'a> {
    blobs: &'a dyn Blobs,
    runtime: &'a Runtime,
}

impl<'a> Tried<'a> {
    fn new(blobs: &'a dyn Blobs, runtime: &'a Runtime) -> Self {
        Self { blobs, runtime }
    }

    /// The contract of [`Blobs`]. The store must be empty, and is empty afterwards.
    fn conforms(&self) {
        assert_eq!(self.list(""), []);
        self.reads_what_was_written();
        self.reads_no_more_than_asked();
        self.copies_what_it_would_read();
        self.takes_every_key();
        self.writes_on_conditions();
        self.lets_one_writer_win();
        self.lists_by_prefix();
        self.lists_more_than_a_page();
        assert_eq!(self.list(""), []);
    }

    fn reads_what_was_written(&self) {
        assert_eq!(self.get("a/b.toml", None), Read::Absent);
        assert_eq!(self.get("a", None), Read::Absent);
        let mut before: Option<ETag> = None;
        for bytes in [b"table = 'User'\n".to_vec(), noise(5_000_000), Vec::new()] {
            // S3's times have whole seconds.
            let began = SystemTime::now() - Duration::from_secs(1);
            assert_eq!(
                self.put("a/b.toml", &bytes, Condition::Any),
                Stored::Written
            );
            let ended = SystemTime::now() + Duration::from_secs(1);

            let Read::Blob(blob) = self.get("a/b.toml", before.as_ref()) else {
                panic!("the blob has changed");
            };
            assert!(blob.bytes == bytes, "{} bytes", blob.bytes.len());
            assert!(Timestamp::from(began) <= blob.modified, "{blob:?}");
            assert!(blob.modified <= Timestamp::from(ended), "{blob:?}");
            assert_eq!(self.get("a/b.toml", Some(&blob.etag)), Read::Unchanged);

            let listed = self.list("");
            let [
                Listed {
                    key,
                    bytes: size,
                    modified,
                },
            ] = listed.as_slice()
            else {
                panic!("{listed:?}");
            };
            assert_eq!((key.as_str(), *size), ("a/b.toml", bytes.len() as u64));
            let second = |time: Timestamp| time.as_millis() / 1000;
            assert_eq!(second(*modified), second(blob.modified));
            before = Some(blob.etag);
        }
        self.delete("a/b.toml");
        assert_eq!(self.get("a/b.toml", None), Read::Absent);
        assert_eq!(self.get("a/b.toml", before.as_ref()), Read::Absent);
        self.delete("a/b.toml");
        self.delete("a/never/there");
    }

    fn reads_no_more_than_asked(&self) {
        let bytes = noise(100_000);
        self.put("large", &bytes, Condition::Any);
        let read = |max_bytes| self.try_get("large", None, max_bytes);
        assert!(matches!(read(100_000), Ok(Read::Blob(blob)) if blob.bytes == bytes));
        for max in [99_999, 1, 0] {
            let error = read(max).unwrap_err();
            let BlobError::TooLarge {
                address,
                bytes,
                max_bytes,
            } = &error
            else {
                panic!("{error:?}");
            };
            assert_eq!((*bytes, *max_bytes), (100_000, max));
            assert_eq!(*address, self.blobs.address("large"));
            assert_eq!(error.name(), "Blobs.TooLarge");
        }
        self.put("large", b"", Condition::Any);
        assert!(matches!(read(0), Ok(Read::Blob(blob)) if blob.bytes.is_empty()));
        self.delete("large");
    }

    fn copies_what_it_would_read(&self) {
        let copied = self.try_copy("large", 10, &mut Vec::new());
        assert!(matches!(copied, Ok(Copied::Absent)), "{copied:?}");
        for bytes in [noise(3_000_000), b"a".to_vec(), Vec::new()] {
            self.put("large", &bytes, Condition::Any);
            let size = bytes.len() as u64;
            for max_bytes in [size, PLENTY] {
                let mut copy = Vec::new();
                let copied = self.try_copy("large", max_bytes, &mut copy);
                assert!(matches!(copied, Ok(Copied::Whole)), "{copied:?}");
                assert!(copy == bytes, "{} bytes of {size}", copy.len());
            }
            let Some(less) = size.checked_sub(1) else {
                continue;
            };
            let error = self.try_copy("large", less, &mut Vec::new()).unwrap_err();
            let found = match &error {
                BlobError::TooLarge {
                    bytes, max_bytes, ..
                } => (*bytes, *max_bytes),
                error => panic!("{error:?}"),
            };
            assert_eq!(found, (size, less));
            // As on a full disk.
            let copied = self.try_copy("large", PLENTY, &mut (&mut [0; 0][..]));
            assert!(matches!(copied, Ok(Copied::NotWritten(_))), "{copied:?}");
        }
        self.delete("large");
    }

    fn try_copy(
        &self,
        key: &str,
        max_bytes: u64,
        to: &mut (dyn Write + Send),
    ) -> Result<Copied, BlobError> {
        let key = Key::try_from(key.to_owned()).unwrap();
        self.runtime.block_on(self.blobs.copy(&key, max_bytes, to))
    }

    fn takes_every_key(&self) {
        let longest = format!("{0}/{0}/{1}", "k".repeat(200), "é".repeat(55));
        assert_eq!(longest.len(), 512);
        let keys = [
            "a/ ",
            "%",
            "%2F",
            "%2e%2e",
            "+",
            "a b",
            "a+b",
            "a..b",
            "a.",
            "a&b=c;d",
            "a?b#c",
            "a:b@c,d",
            "<a>\"'",
            "*[!a]{b}~$^`|",
            "名前/é/🦀.wasm",
            "e\u{301}",
            "s3:/x",
            "-/--",
            longest.as_str(),
        ];
        for key in keys {
            assert_eq!(
                self.put(key, key.as_bytes(), Condition::Absent),
                Stored::Written
            );
        }
        for key in keys {
            assert_eq!(self.blob(key).bytes, key.as_bytes(), "{key}");
            assert_eq!(self.keys(key).first().map(String::as_str), Some(key));
        }
        let mut sorted = keys.to_vec();
        sorted.sort_unstable();
        assert_eq!(self.keys(""), sorted);
        for key in keys {
            self.delete(key);
            assert_eq!(self.get(key, None), Read::Absent, "{key}");
        }
    }

    fn writes_on_conditions(&self) {
        use Stored::{ConditionFailed, Written};
        let key = "releases/current";
        assert_eq!(self.put(key, b"one", Condition::Absent), Written);
        let one = self.blob(key).etag;
        assert_eq!(self.put(key, b"other", Condition::Absent), ConditionFailed);
        assert_eq!(self.blob(key).bytes, b"one");

        assert_eq!(self.put(key, b"two", Condition::Is(one.clone())), Written);
        let two = self.blob(key).etag;
        assert_ne!(one, two);
        assert_eq!(self.put(key, b"other", Condition::Is(one)), ConditionFailed);
        assert_eq!(self.blob(key).bytes, b"two");
        assert_eq!(self.blob(key).etag, two);

        // Deleted, or never written.
        self.delete(key);
        assert_eq!(
            self.put(key, b"other", Condition::Is(two.clone())),
            ConditionFailed
        );
        let never = self.put("never", b"other", Condition::Is(two));
        assert_eq!(never, ConditionFailed);
        assert_eq!(self.list(""), []);
        assert_eq!(self.put(key, b"three", Condition::Absent), Written);
        self.delete(key);
    }

    fn lets_one_writer_win(&self) {
        let mut condition = Condition::Absent;
        for round in 0..20 {
            let barrier = Barrier::new(8);
            let write = |writer: u8| {
                // Different from the other writers', and from the last round's.
                let bytes = vec![round * 8 + writer; 10_000];
                let condition = condition.clone();
                barrier.wait();
                let stored = self.put("raced", &bytes, condition);
                (stored == Stored::Written).then_some(bytes)
            };
            let winners: Vec<_> = thread::scope(|scope| {
                let write = &write;
                let writers = (0..8).map(|writer| scope.spawn(move || write(writer)));
                let writers: Vec<_> = writers.collect();
                let done = writers.into_iter().map(|writer| writer.join().unwrap());
                done.flatten().collect()
            });
            let blob = self.blob("raced");
            assert_eq!(winners.len(), 1, "in round {round}");
            assert!(winners[0] == blob.bytes, "in round {round}");
            condition = Condition::Is(blob.etag);
        }
        self.delete("raced");
    }

    fn lists_by_prefix(&self) {
        // Ordered by bytes: not as folders are walked, and not as UTF-16 would be sorted.
        let keys = [
            "A", "a-b", "a/A", "a/b/c", "a/b0", "a0", "ab/c", "b", "z", "é", "\u{ff5e}", "🦀",
        ];
        for key in keys.iter().rev() {
            self.put(key, b"", Condition::Any);
        }
        assert_eq!(self.keys(""), keys);
        for (prefix, expected) in [
            ("a", &keys[1..7]),
            ("a/", &keys[2..5]),
            ("a/b", &keys[3..5]),
            ("a/b/", &keys[3..4]),
            ("a/b/c", &keys[3..4]),
            ("a/b/c/", &[]),
            ("ab", &keys[6..7]),
            ("/", &[]),
            ("/a", &[]),
            ("..", &[]),
            ("../", &[]),
            ("a/../", &[]),
            ("nothing/here", &[]),
        ] {
            assert_eq!(self.keys(prefix), expected, "{prefix}");
        }
        for key in keys {
            self.delete(key);
        }
    }

    fn lists_more_than_a_page(&self) {
        let keys: Vec<_> = (0..1005).map(|n| format!("many/{n:04}")).collect();
        let each = |work: &(dyn Fn(&str) + Sync)| {
            thread::scope(|scope| {
                for some in keys.chunks(keys.len().div_ceil(8)) {
                    scope.spawn(move || some.iter().for_each(|key| work(key)));
                }
            });
        };
        each(&|key| assert_eq!(self.put(key, b"", Condition::Any), Stored::Written));
        assert_eq!(self.keys("many/"), keys);
        for (after, limit, expected) in [
            ("", 3, &keys[..3]),
            ("many/0001", 2, &keys[2..4]),
            // A key that is not there, between two that are.
            ("many/0001x", 1, &keys[2..3]),
            ("many/1003", 1000, &keys[1004..]),
            ("many/1004", 1000, &[]),
            ("", 1000, &keys[..1000]),
        ] {
            let page = self.blobs.page("many/", after, limit);
            let page = self.runtime.block_on(page).unwrap().into_iter();
            let page: Vec<_> = page.map(|blob| blob.key.as_str().to_owned()).collect();
            assert_eq!(page, expected, "{limit} after {after:?}");
        }
        for key in ["many/b/c", "many/b/d/e", "many/a/f", "other/g/h"] {
            self.put(key, b"", Condition::Any);
        }
        let folders = |prefix| self.runtime.block_on(self.blobs.folders(prefix)).unwrap();
        assert_eq!(folders("many/"), ["a", "b"]);
        assert_eq!(folders("many/b/"), ["d"]);
        assert!(folders("many/a/").is_empty());
        assert!(folders("none/").is_empty());
        for key in ["many/b/c", "many/b/d/e", "many/a/f", "other/g/h"] {
            self.delete(key);
        }
        each(&|key| self.delete(key));
    }

    fn get(&self, key: &str, known: Option<&ETag>) -> Read {
        self.try_get(key, known, PLENTY).unwrap()
    }

    fn try_get(&self, at: &str, known: Option<&ETag>, max: u64) -> Result<Read, BlobError> {
        self.runtime.block_on(self.blobs.get(&key(at), known, max))
    }

    fn blob(&self, key: &str) -> Blob {
        match self.get(key, None) {
            Read::Blob(blob) => blob,
            other => panic!("{key}: {other:?}"),
        }
    }

    fn put(&self, key: &str, bytes: &[u8], condition: Condition) -> Stored {
        self.try_put(key, bytes, condition).unwrap()
    }

    fn try_put(&self, at: &str, bytes: &[u8], on: Condition) -> Result<Stored, BlobError> {
        let bytes = bytes.to_vec();
        self.runtime.block_on(self.blobs.put(&key(at), bytes, on))
    }

    fn list(&self, prefix: &str) -> Vec<Listed> {
        self.runtime.block_on(self.blobs.list(prefix)).unwrap()
    }

    fn keys(&self, prefix: &str) -> Vec<String> {
        let listed = self.list(prefix).into_iter();
        listed.map(|blob| blob.key.as_str().to_owned()).collect()
    }

    fn delete(&self, at: &str) {
        self.runtime.block_on(self.blobs.delete(&key(at))).unwrap();
    }

    /// Reads, writes, lists and deletes concurrently. Returns the name of each failure,
    /// which must come within this time.
    fn failures(&self, within: Duration) -> [&'static str; 4] {
        let (began, key) = (Instant::now(), key("a"));
        let names = self.runtime.block_on(async {
            let put = self.blobs.put(&key, b"a".to_vec(), Condition::Any);
            let (read, put, list, delete) = tokio::join!(
                self.blobs.get(&key, None, PLENTY),
                put,
                self.blobs.list(""),
                self.blobs.delete(&key),
            );
            let errors = [read.err(), put.err(), list.err(), delete.err()];
            errors.map(|error| error.expect("a failure").name())
        });
        assert!(began.elapsed() < within, "{:?}", began.elapsed());
        names
    }
}

#[test]
fn a_folder_holds_only_its_blobs() {
    let (folder, runtime) = (folder(), runtime());
    let dir = Dir::open(folder.path()).unwrap();
    let tried = Tried::new(&dir, &runtime);
    for bytes in [noise(100_000), noise(10)] {
        tried.put("a/b", &bytes, Condition::Any);
    }
    tried.put("a/b", b"", Condition::Absent);
    assert_eq!(files(folder.path()), [".lock", "a/b"]);

    // Hidden files and dangling links are not blobs.
    let root = folder.path();
    fs::write(root.join(".hidden"), "").unwrap();
    fs::write(root.join("a/.new-1-0"), "").unwrap();
    fs::create_dir(root.join(".git")).unwrap();
    fs::write(root.join(".git/config"), "").unwrap();
    fs::write(root.join("back\\slash"), "").unwrap();
    std::os::unix::fs::symlink("nowhere", root.join("link")).unwrap();
    assert_eq!(tried.keys(""), ["a/b"]);
    assert_eq!(tried.get("link", None), Read::Absent);

    // A write replaces a link and does not change the link's target.
    fs::write(root.join(".target"), "target").unwrap();
    std::os::unix::fs::symlink(".target", root.join("linked")).unwrap();
    assert_eq!(tried.blob("linked").bytes, b"target");
    tried.put("linked", b"blob", Condition::Any);
    assert_eq!(fs::read(root.join(".target")).unwrap(), b"target");
}

#[test]
fn files_and_folders_do_not_replace_each_other() {
    let (folder, runtime) = (folder(), runtime());
    let root = folder.path();
    let dir = Dir::open(root).unwrap();
    let tried = Tried::new(&dir, &runtime);
    tried.put("file", b"file", Condition::Any);
    tried.put("folder/file", b"", Condition::Any);

    for absent in ["file/a", "folder"] {
        assert_eq!(tried.get(absent, None), Read::Absent);
        tried.delete(absent);
        let put = tried.try_put(absent, b"", Condition::Any);
        assert_eq!(put.unwrap_err().name(), "Blobs.Unavailable", "{absent}");
    }
    assert_eq!(files(root), [".lock", "file", "folder/file"]);
    assert_eq!(tried.blob("file").bytes, b"file");
    assert_eq!(tried.list("file/"), []);

    let name = |opened: Result<Dir, BlobError>| opened.unwrap_err().name();
    assert_eq!(name(Dir::open(root.join("none"))), "Blobs.Unavailable");
    assert_eq!(name(Dir::open(root.join("file"))), "Blobs.Unavailable");
    assert_eq!(name(Dir::create(root.join("file"))), "Blobs.Unavailable");
    assert_eq!(name(Dir::create(root.join("file/a"))), "Blobs.Unavailable");
}

#[test]
fn a_missing_bucket_has_an_error_of_its_own() {
    let (server, runtime) = (servers::ministack(), runtime());
    let s3 = s3(&runtime, server.url(), "nobodys");
    let failures = Tried::new(&s3, &runtime).failures(Duration::from_secs(2));
    assert_eq!(failures, ["Blobs.NoBucket"; 4]);
}

/// Cognito waits 5 s.
const IN_TIME: Duration = Duration::from_millis(2500);

#[test]
fn a_dead_s3_fails_in_time() {
    let runtime = runtime();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let s3 = s3(&runtime, &url, "bucket");
    let tried = Tried::new(&s3, &runtime);
    // First an endpoint that never answers, then one that is closed.
    assert_eq!(tried.failures(IN_TIME), ["Blobs.Unavailable"; 4]);
    drop(listener);
    assert_eq!(tried.failures(IN_TIME), ["Blobs.Unavailable"; 4]);
}

/// Errors that ministack never returns.
#[test]
fn s3s_errors_have_names() {
    for (status, code, name) in [
        ("403 Forbidden", "AccessDenied", "Blobs.AccessDenied"),
        ("403 Forbidden", "InvalidAccessKeyId", "Blobs.AccessDenied"),
        (
            "403 Forbidden",
            "SignatureDoesNotMatch",
            "Blobs.AccessDenied",
        ),
        ("403 Forbidden", "", "Blobs.AccessDenied"),
        ("400 Bad Request", "ExpiredToken", "Blobs.AccessDenied"),
        (
            "400 Bad Request",
            "KMS.DisabledException",
            "Blobs.AccessDenied",
        ),
        ("400 Bad Request", "MalformedXML", "Blobs.Unavailable"),
        ("404 Not Found", "NoSuchBucket", "Blobs.NoBucket"),
        (
            "301 Moved Permanently",
            "PermanentRedirect",
            "Blobs.Unavailable",
        ),
        ("404 Not Found", "", "Blobs.Unavailable"),
    ] {
        let failures = with_stub(&refusal(status, code), |tried| tried.failures(IN_TIME));
        assert_eq!(failures, [name; 4], "{status} {code}");
    }
    for (status, code) in [
        ("409 Conflict", "ConditionalRequestConflict"),
        ("412 Precondition Failed", "PreconditionFailed"),
        ("412 Precondition Failed", ""),
    ] {
        let put = with_stub(&refusal(status, code), |tried| {
            tried.put("a", b"", Condition::Absent)
        });
        assert_eq!(put, Stored::ConditionFailed, "{status} {code}");
    }
    // An object that is encrypted with its writer's key: only reading it is refused so.
    let encrypted = with_stub(&refusal("400 Bad Request", "InvalidRequest"), |tried| {
        tried.try_get("a", None, PLENTY).unwrap_err().name()
    });
    assert_eq!(encrypted, "Blobs.AccessDenied");
    let denied = with_stub(&refusal("403 Forbidden", "AccessDenied"), |tried| {
        tried.try_get("a", None, PLENTY).unwrap_err().to_string()
    });
    let expected = "access to s3://bucket/a is denied (AccessDenied)";
    assert_eq!(denied, expected);
}

#[test]
fn an_answer_longer_than_the_limit_is_rejected() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\n\
        Last-Modified: Mon, 23 Nov 2026 09:06:52 GMT\r\n";
    let read = |answer: &str| with_stub(answer, |tried| tried.try_get("a", None, 10));
    let name = |answer: &str| read(answer).unwrap_err().name();

    let whole = read(&format!("{HEAD}Content-Length: 10\r\n\r\n0123456789")).unwrap();
    assert!(
        matches!(whole, Read::Blob(blob) if blob.bytes == b"0123456789"
        && blob.modified.to_string() == "2026-11-23T09:06:52.000Z")
    );
    // Announced: more than memory can hold.
    let announced = format!("{HEAD}Content-Length: {}\r\n\r\n0123456789", i64::MAX);
    assert_eq!(name(&announced), "Blobs.TooLarge");
    // Without an announced length.
    let chunk = "b\r\n0123456789a\r\n";
    let chunked = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{chunk}");
    assert_eq!(name(&chunked), "Blobs.TooLarge");
    // Cut off.
    let short = format!("{HEAD}Content-Length: 10\r\n\r\n01234");
    assert_eq!(name(&short), "Blobs.Unavailable");
    let nameless = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(name(nameless), "Blobs.Unavailable");
    // The same for a copy.
    let copy = |answer: &str| with_stub(answer, |tried| tried.try_copy("a", 10, &mut Vec::new()));
    for answer in [&announced, &chunked, &short] {
        let name = copy(answer).unwrap_err().name();
        assert_eq!(name, read(answer).unwrap_err().name(), "{answer}");
    }
}

#[test]
fn a_stalled_body_fails_in_time() {
    let runtime = runtime();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let server = thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let head = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 10\r\n\
            Last-Modified: Mon, 23 Nov 2026 09:06:52 GMT\r\n\r\n01234";
        answer(&mut stream, head);
        let _ = stopped.recv();
    });
    let s3 = s3(&runtime, &url, "bucket");
    let began = Instant::now();
    let read = Tried::new(&s3, &runtime).try_get("a", None, 10);
    assert_eq!(read.unwrap_err().name(), "Blobs.Unavailable");
    assert!(began.elapsed() < IN_TIME, "{:?}", began.elapsed());
    drop(stop);
    server.join().unwrap();
}

/// A bucket on a server that answers every request in the same way.
fn with_stub<T>(response: &str, work: impl FnOnce(&Tried<'_>) -> T) -> T {
    let runtime = runtime();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let response = response.to_owned();
    let server = thread::spawn(move || {
        loop {
            let mut stream = listener.accept().unwrap().0;
            // An empty request ends the server.
            if !answer(&mut stream, &response) {
                return;
            }
        }
    });
    let s3 = s3(&runtime, &format!("http://{address}"), "bucket");
    let done = work(&Tried::new(&s3, &runtime));
    drop(TcpStream::connect(address).unwrap());
    server.join().unwrap();
    done
}

/// Answers one request; returns `false` if there is none.
fn answer(stream: &mut TcpStream, response: &str) -> bool {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split("\r\ncontent-length: ").nth(1);
            let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                break;
            }
        }
        match stream.read(&mut buffer).unwrap_or(0) {
            0 => return false,
            read => request.extend_from_slice(&buffer[..read]),
        }
    }
    // The client may have closed the connection.
    let _ = stream.write_all(response.as_bytes());
    true
}

fn refusal(status: &str, code: &str) -> String {
    let body = if code.is_empty() {
        String::new()
    } else {
        format!("<Error><Code>{code}</Code><Message>No.</Message></Error>")
    };
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
}

#[test]
fn invalid_keys_are_rejected() {
    let refused = |key: &str| Key::try_from(key.to_owned()).is_err();
    let wrong = [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "./a",
        "../x",
        "a/../b",
        "a/..",
        ".hidden",
        "a/.hidden",
        "...",
        "a\\b",
        "a\0b",
        "a\nb",
        "a\u{7f}",
        "a\u{85}b",
    ];
    for key in wrong {
        assert!(refused(key), "{key:?}");
    }
    assert!(!refused(&"k".repeat(512)));
    assert!(refused(&"k".repeat(513)));
    assert!(refused(&"é".repeat(257)));
    assert_eq!(key("a/b").to_string(), "a/b");
}

#[test]
fn a_location_is_a_folder_or_a_bucket() {
    let parse = |text: &str| text.parse::<Location>().ok();
    let bucket = |name: &str, prefix: &str| {
        let (name, prefix) = (name.to_owned(), prefix.to_owned());
        Some(Location::Bucket { name, prefix })
    };
    for (text, expected) in [
        ("s3://abc", bucket("abc", "")),
        ("s3://abc/", bucket("abc", "")),
        ("s3://my-bucket.2/a", bucket("my-bucket.2", "a/")),
        ("s3://my-bucket/a/b c/", bucket("my-bucket", "a/b c/")),
    ] {
        assert_eq!(parse(text), expected, "{text}");
    }
    for folder in [
        "/",
        "/srv/blobs/",
        "blobs",
        "../blobs",
        "C:\\blobs",
        "S3://abc",
        "s3:/abc",
    ] {
        assert_eq!(parse(folder), Some(Location::Folder(PathBuf::from(folder))));
    }
    let long = format!("s3://{}", "b".repeat(64));
    let wrong = [
        "",
        "s3://",
        "s3:///a",
        "s3://ab",
        "s3://Bucket",
        "s3://my_bucket",
        "s3://a b",
        "s3://...",
        "s3://-ab",
        "s3://ab-",
        "s3://.ab",
        "s3://ab.",
        "s3://a..b",
        "s3://a.-b",
        "s3://abc//a",
        "s3://abc/../a",
        "s3://abc/.a",
        "s3://abc/a\\b",
        "s3://user@abc",
        "s3://abc:80",
        "s3://é.bc",
        long.as_str(),
    ];
    for text in wrong {
        assert_eq!(parse(text), None, "{text}");
    }
}

fn key(key: &str) -> Key {
    Key::try_from(key.to_owned()).unwrap()
}

/// Pseudo-random bytes, the same ones at each call.
fn noise(length: u64) -> Vec<u8> {
    let next = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[1];
    (1..=length).map(next).collect()
}

fn folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// All files below a folder, including hidden ones, sorted.
fn files(root: &Path) -> Vec<String> {
    fn visit(root: &Path, folder: &Path, files: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(root, &path, files);
            } else {
                files.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    let mut files = Vec::new();
    visit(root, root, &mut files);
    files.sort();
    files
}

/// A runtime with several threads, so that a store's calls overlap.
fn runtime() -> Runtime {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().unwrap()
}

fn s3(runtime: &Runtime, url: &str, bucket: &str) -> S3 {
    let config = runtime.block_on(config(url));
    S3::new(&config, bucket.to_owned(), String::new(), Timeouts::SignUp)
}

pub(crate) async fn config(url: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
        .load()
        .await
}
