//! Publishing under sign-ups: a new plugin reaches them in time, a broken one
//! never does, and the same holds for configs.

use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use poolhook::config::Table;
use poolhook::digest::Digest;
use serde_json::Value;

use crate::hostile::{component, default_plugin};
use crate::servers::{self, CODE, CognitoLocal, PoolSeed, Server};
use crate::stores::{create_table, items, table};
use crate::support::{OTHER_POOL, POOL, Place, Serve, block_on, event, http, tests};

/// `refresh-seconds` of the hosts here.
const TIME_TO_LIVE: Duration = Duration::from_secs(1);
/// A change is in use after so long: what is above the time to live is for a slow
/// machine, and still below the time to live that a host has by default.
const FOLLOWED: Duration = Duration::from_secs(7);

#[test]
fn sign_ups_follow_what_is_published_and_none_is_lost() {
    let cloud = Cloud::start();
    let users = cloud.table("ap-northeast-1", "User");
    let customers = cloud.table("us-east-1", "Customer");
    let config = format!("config/{POOL}.toml");
    cloud.put("config/host.toml", b"refresh-seconds = 1");
    cloud.put(&config, b"table = 'User'\nplugin = 'acme'");
    // The shape {id, email}, by a plugin that is published as any other.
    let first = cloud.publish(&fs::read(default_plugin()).unwrap());
    assert_eq!(first.code, 0, "{}", first.stderr);

    let serve = cloud.serve();
    let cognito = servers::cognito_local(&serve.url, &[USER_CLIENT, CUSTOMER_CLIENT]);
    let sign_ups = SignUps::default();
    let shape_is = |shape| {
        let found = until(FOLLOWED, || {
            (sign_ups.last_shape(&cloud, &users)? == shape).then_some(())
        });
        found.unwrap_or_else(|| panic!("no {shape}: {}", serve.log()));
    };
    let shape_stays = |shape| {
        let end = Instant::now() + 2 * TIME_TO_LIVE;
        while Instant::now() < end {
            shape_is(shape);
        }
    };
    let noticed = |notice: &str, error: &str| {
        let found = until(FOLLOWED, || {
            let mut lines = lines(&serve).into_iter();
            lines.find(|line| line["notice"] == notice && line["error"] == error)
        });
        found.unwrap_or_else(|| panic!("no {notice} for {error}: {}", serve.log()))
    };

    thread::scope(|scope| {
        let _stop = StopAtEnd(&sign_ups.stop);
        scope.spawn(|| sign_ups.run(&cognito));
        shape_is("email");

        let one = mapper("one", "");
        let second = cloud.publish(&one);
        assert_eq!(
            (second.code, second.stdout.trim()),
            (0, &*Digest::of(&one).to_string())
        );
        shape_is("one");

        for (broken, error, advice) in BROKEN {
            cloud.is_rejected(&broken(), error, advice);
            assert_eq!(cloud.live(), Some(Digest::of(&one)));
        }
        shape_stays("one");

        let back = cloud.plugin(&["rollback", "acme"]);
        assert_eq!(back.stdout, first.stdout, "{}", back.stderr);
        shape_is("email");

        // Neither what is no config nor what cannot be run replaces one that works.
        cloud.put(&config, b"table = 'User'\nplugins = 'acme'");
        noticed("config kept", "Config.Invalid");
        cloud.put(&config, b"table = 'User'\nplugin = 'nowhere'");
        let kept = noticed("config kept", "Plugin.NotReleased");
        assert_eq!(
            (&kept["level"], &kept["userPoolId"]),
            (&"WARN".into(), &POOL.into())
        );
        shape_stays("email");
        let pinned = format!(
            "table = 'User'\nplugin = 'acme@sha256:{}'",
            Digest::of(&one)
        );
        cloud.put(&config, pinned.as_bytes());
        shape_is("one");
    });

    let confirmed = sign_ups.confirmed.load(Ordering::Relaxed);
    let found = shapes(&cloud, &users);
    let numbers: Vec<_> = found.iter().map(|(number, _)| *number).collect();
    assert_eq!(
        numbers,
        (0..confirmed).collect::<Vec<_>>(),
        "{}",
        serve.log()
    );
    // Each change was one change, from one user to the next.
    let mut shapes: Vec<_> = found.into_iter().map(|(_, shape)| shape).collect();
    shapes.dedup();
    assert_eq!(shapes, ["email", "one", "email", "one"]);
    assert_eq!(outcomes(&serve), vec!["written"; confirmed]);

    // A new pool is one upload.
    sign_up(&cognito, CUSTOMER_CLIENT, "too-early");
    assert_eq!(outcomes(&serve)[confirmed..], ["failed"], "{}", serve.log());
    cloud.put(&format!("config/{OTHER_POOL}.toml"), b"table = 'Customer'");
    sign_up(&cognito, CUSTOMER_CLIENT, "in-time");
    let ids: Vec<_> = cloud
        .items(&customers)
        .into_iter()
        .map(|item| item["id"]["S"].clone())
        .collect();
    assert_eq!(ids, ["in-time"], "{}", serve.log());
}

#[test]
fn what_is_put_into_the_folder_of_uploads_is_published() {
    let place = Place::new(&[
        ("host", "refresh-seconds = 1"),
        (POOL, "table = 'User'\nwrite = 'replace'\nplugin = 'acme'"),
    ]);
    let cache = place.path().join("cache");
    let serve = place.serve(&[], &[("POOLHOOK_CACHE", cache.to_str().unwrap())]);
    let blobs = place.path().join("poolhook.blobs");
    let uploads = blobs.join("uploads/acme");
    fs::create_dir_all(&uploads).unwrap();
    // What was said of an upload, once something was.
    let said = |file: &str| {
        let key = format!("uploads/acme/{file}");
        let lines = || {
            lines(&serve)
                .into_iter()
                .filter(|line| line["upload"] == key)
        };
        until(FOLLOWED, || lines().last()).unwrap_or_else(|| panic!("{file}: {}", serve.log()));
        lines().collect::<Vec<_>>()
    };
    let shape = || {
        let raw = event("confirm-sign-up");
        assert_eq!(
            http()
                .post(serve.invocations())
                .send(&raw[..])
                .unwrap()
                .status(),
            200
        );
        let item = place.items("User").pop();
        serde_json::from_str::<Value>(&item.unwrap()).unwrap()["shape"]["S"].clone()
    };

    let one = mapper("one", "");
    fs::write(uploads.join("x.wasm"), &one).unwrap();
    let [line] = &said("x.wasm")[..] else {
        panic!("{}", serve.log())
    };
    assert_eq!(line["published"], "live", "{line}");
    assert_eq!(line["component"], Digest::of(&one).to_string());
    assert_eq!(shape(), "one");

    fs::write(uploads.join("bad.wasm"), &one[..one.len() / 2]).unwrap();
    let [line] = &said("bad.wasm")[..] else {
        panic!("{}", serve.log())
    };
    assert_eq!(
        (&line["published"], &line["error"]),
        (&"rejected".into(), &"Plugin.NotAComponent".into())
    );
    let rejection = blobs.join("rejections/acme.json");
    let rejected: Value = serde_json::from_slice(&fs::read(&rejection).unwrap()).unwrap();
    assert_eq!(rejected["errorType"], "Plugin.NotAComponent");
    assert_eq!(
        rejected["sha256"],
        Digest::of(&one[..one.len() / 2]).to_string()
    );

    // A writer that this machine held up might have been done, for all one can
    // see: then it is another one's turn.
    let two = mapper("two", "");
    let grown = (0..10)
        .map(|number| format!("grown-{number}.wasm"))
        .find(|file| grow(&uploads.join(file), &two));
    let [line] = &said(&grown.expect("a steady writer"))[..] else {
        panic!("{}", serve.log())
    };
    assert_eq!(line["published"], "live", "{line}");
    assert!(!rejection.exists());
    until(FOLLOWED, || (shape() == "two").then_some(()))
        .unwrap_or_else(|| panic!("{}", serve.log()));
}

/// A mapper to {id, shape}, with the WAT of what it does first.
pub(crate) fn mapper(shape: &str, first: &str) -> Vec<u8> {
    let read = |file| fs::read_to_string(tests(file)).unwrap();
    let prelude = read("hostile/prelude.wat.in");
    let mapper = read("plugins/shape.wat.in");
    let mapper = mapper
        .replace("SHAPE\"", &format!("{shape}\""))
        .replace("\n  FIRST", first);
    component(&format!("(module {prelude} {mapper})"))
}

/// What is no plugin, its error, and a word of the advice.
type Broken = (fn() -> Vec<u8>, &'static str, &'static str);
const BROKEN: [Broken; 3] = [
    (
        || b"garbage".to_vec(),
        "Plugin.NotAComponent",
        "poolhook plugin build",
    ),
    (
        || wat::parse_str("(module)").unwrap(),
        "Plugin.NotAComponent",
        "not a core module",
    ),
    (
        || mapper("bad", "(unreachable)"),
        "Plugin.Trap",
        "poolhook plugin run",
    ),
];

/// An S3 bucket and a DynamoDB, and a folder to run `poolhook` in.
pub(crate) struct Cloud {
    pub(crate) ministack: Server,
    place: Place,
}

pub(crate) struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Cloud {
    pub(crate) fn start() -> Self {
        let ministack = servers::ministack();
        let place = Place::new(&[]);
        let cloud = Self { ministack, place };
        assert_eq!(
            http().put(cloud.object("")).send_empty().unwrap().status(),
            200
        );
        cloud
    }

    fn env(&self) -> [(&str, &str); 4] {
        [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL_S3", self.ministack.url()),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.ministack.url()),
            ("POOLHOOK_CACHE", self.place.path().to_str().unwrap()),
        ]
    }

    fn serve(&self) -> Serve {
        let arguments = [
            "--dynamodb",
            "--config",
            "s3://poolhook/config",
            "--blobs",
            "s3://poolhook",
        ];
        self.place.serve(&arguments, &self.env())
    }

    /// `poolhook plugin`, on the bucket.
    fn plugin(&self, arguments: &[&str]) -> Ran {
        let mut command = self.place.command(&["plugin"]);
        command
            .args(arguments)
            .args(["--blobs", "s3://poolhook"])
            .envs(self.env());
        let output = command.output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Publishes a component as `acme`.
    fn publish(&self, component: &[u8]) -> Ran {
        let file = self.place.path().join("upload.wasm");
        fs::write(&file, component).unwrap();
        self.plugin(&["publish", file.to_str().unwrap(), "--name", "acme"])
    }

    /// Publishing says no, and leaves the reason where its author finds it.
    fn is_rejected(&self, component: &[u8], error: &str, advice: &str) {
        let refused = self.publish(component);
        assert_eq!(
            (refused.code, &*refused.stdout),
            (1, ""),
            "{}",
            refused.stderr
        );
        let rejection = self.document("rejections/acme.json").unwrap();
        assert_eq!(rejection["errorType"], error);
        assert_eq!(rejection["sha256"], Digest::of(component).to_string());
        let message = rejection["errorMessage"].as_str().unwrap();
        assert!(!message.is_empty());
        assert!(
            rejection["advice"].as_str().unwrap().contains(advice),
            "{rejection}"
        );

        let show = self.plugin(&["show", "acme"]);
        let shown = show.stderr.contains(error) && show.stderr.contains(message);
        assert!(shown && show.stderr.contains(advice), "{}", show.stderr);
        let show = self.plugin(&["show", "acme", "--json"]);
        let shown: Value = serde_json::from_str(&show.stdout).unwrap();
        assert_eq!(shown["rejection"], rejection);
    }

    /// The component of the live release of `acme`.
    pub(crate) fn live(&self) -> Option<Digest> {
        let live = self.document("releases/acme/live.json")?;
        Some(live["sha256"].as_str().unwrap().parse().unwrap())
    }

    /// A JSON document; none if there is none.
    pub(crate) fn document(&self, key: &str) -> Option<Value> {
        let mut response = http().get(self.object(key)).call().unwrap();
        let body = response.body_mut().read_to_vec().unwrap();
        match response.status().as_u16() {
            200 => Some(serde_json::from_slice(&body).unwrap()),
            404 => None,
            status => panic!("{key}: {status}"),
        }
    }

    pub(crate) fn put(&self, key: &str, bytes: &[u8]) {
        let response = http().put(self.object(key)).send(bytes).unwrap();
        assert_eq!(response.status(), 200, "{key}");
    }

    /// By plain requests: ministack asks for no signature.
    pub(crate) fn object(&self, key: &str) -> String {
        format!("{}/poolhook/{key}", self.ministack.url())
    }

    fn table(&self, region: &str, name: &str) -> Table {
        let table = table(region, name);
        block_on(create_table(self.ministack.url(), &table));
        table
    }

    fn items(&self, table: &Table) -> Vec<Value> {
        block_on(items(self.ministack.url(), table))
    }
}

const USER_CLIENT: PoolSeed<'_> = PoolSeed {
    id: POOL,
    client_id: "client0of0user",
};
const CUSTOMER_CLIENT: PoolSeed<'_> = PoolSeed {
    id: OTHER_POOL,
    client_id: "client0of0customer",
};

/// Users who sign up one after the other, `user-0` first.
#[derive(Default)]
struct SignUps {
    stop: AtomicBool,
    confirmed: AtomicUsize,
}

impl SignUps {
    fn run(&self, cognito: &CognitoLocal) {
        while !self.stop.load(Ordering::Relaxed) {
            let number = self.confirmed.load(Ordering::Relaxed);
            sign_up(cognito, USER_CLIENT, &format!("user-{number}"));
            self.confirmed.store(number + 1, Ordering::Relaxed);
        }
    }

    /// The shape of the item of one who signs up from now on.
    fn last_shape(&self, cloud: &Cloud, table: &Table) -> Option<&'static str> {
        let last = self.confirmed.load(Ordering::Relaxed);
        let found = until(FOLLOWED, || {
            shapes(cloud, table)
                .pop()
                .filter(|(number, _)| *number > last)
        });
        found.map(|(_, shape)| shape)
    }
}

/// Ends the sign-ups, also where the test fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn sign_up(cognito: &CognitoLocal, pool: PoolSeed<'_>, user: &str) {
    let email = format!("{user}@example.com");
    cognito
        .sign_up(pool.client_id, user, "Passw0rd!", &email)
        .unwrap();
    cognito.confirm_sign_up(pool.client_id, user, CODE).unwrap();
}

/// The items of `user-<number>`, by number.
fn shapes(cloud: &Cloud, table: &Table) -> Vec<(usize, &'static str)> {
    let shape = |item: &Value| {
        let number = item["id"]["S"]
            .as_str()
            .unwrap()
            .strip_prefix("user-")
            .unwrap();
        let number: usize = number.parse().unwrap();
        let email = format!("user-{number}@example.com");
        let shape = match (item["email"]["S"].as_str(), item["shape"]["S"].as_str()) {
            (Some(found), None) if found == email => "email",
            (None, Some("one")) => "one",
            _ => panic!("{item}"),
        };
        (number, shape)
    };
    let mut shapes: Vec<_> = cloud.items(table).iter().map(shape).collect();
    shapes.sort_unstable();
    shapes
}

/// The log's lines, those that are JSON.
fn lines(serve: &Serve) -> Vec<Value> {
    let log = serve.log();
    log.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// The outcome of each event.
fn outcomes(serve: &Serve) -> Vec<String> {
    let outcome = |line: &Value| line["outcome"].as_str().map(str::to_owned);
    lines(serve).iter().filter_map(outcome).collect()
}

/// Writes a file piece by piece; whether it grew all the time, as nobody could
/// take for complete who waits for a quarter of a second.
fn grow(file: &Path, bytes: &[u8]) -> bool {
    let mut file = fs::File::create_new(file).unwrap();
    let mut grown = Instant::now();
    let mut steady = true;
    for piece in bytes.chunks(bytes.len().div_ceil(30)) {
        file.write_all(piece).unwrap();
        steady &= grown.elapsed() < Duration::from_millis(250);
        grown = Instant::now();
        thread::sleep(Duration::from_millis(40));
    }
    steady
}

/// Looks again and again until there is something to see, so long at most.
pub(crate) fn until<T>(within: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within;
    loop {
        match look() {
            None if Instant::now() < deadline => thread::sleep(Duration::from_millis(20)),
            found => return found,
        }
    }
}
