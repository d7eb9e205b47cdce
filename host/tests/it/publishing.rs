//! Publishing during sign-ups: sign-ups use a new plugin in time and never a broken one,
//! and the same holds for configs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, thread};

use poolhook::config::Table;
use poolhook::digest::Sha256;
use serde_json::Value;

use crate::aws_fixtures::{Cloud, lines, mapper, until};
use crate::hostile::default_plugin;
use crate::servers::{self, CODE, CognitoLocal, PoolSeed};
use crate::support::{OTHER_POOL, POOL, Serve};

/// `refresh-seconds` of the hosts here.
const TIME_TO_LIVE: Duration = Duration::from_secs(1);
/// The time within which a change must be in use. It is well above the TTL, for a slow
/// machine, and still below a host's default TTL.
const FOLLOWED: Duration = Duration::from_secs(7);

#[test]
fn sign_ups_use_what_is_published_and_none_is_lost() {
    let cloud = Cloud::start();
    let users = cloud.table("ap-northeast-1", "User");
    let customers = cloud.table("us-east-1", "Customer");
    let config = format!("config/{POOL}.toml");
    cloud.put("config/host.toml", b"refresh-seconds = 1");
    cloud.put(&config, b"table = 'User'\nplugin = 'acme'");
    // The shape {id, email}, from a plugin that is published like any other.
    let first = cloud.publish(&fs::read(default_plugin()).unwrap());
    assert_eq!(first.code, 0, "{}", first.stderr);

    let serve = cloud.serve();
    let cognito = servers::cognito_local(&serve.url, "poolhook", &[USER_CLIENT, CUSTOMER_CLIENT]);
    let sign_ups = SignUps::default();
    let last_shape = || shapes(&cloud, &users).pop().map(|(_, shape)| shape);
    let shape_is = |shape| {
        let found = until(FOLLOWED, || (last_shape()? == shape).then_some(()));
        found.unwrap_or_else(|| panic!("no {shape}: {}", unusual(&serve)));
    };
    let shape_stays = |shape| {
        let before = sign_ups.confirmed();
        let other = until(2 * TIME_TO_LIVE, || {
            last_shape().filter(|last| *last != shape)
        });
        assert_eq!(other, None, "{}", unusual(&serve));
        assert!(sign_ups.confirmed() > before, "nobody signed up");
    };
    let noticed = |notice: &str, error: &str| {
        let found = until(FOLLOWED, || {
            let mut lines = lines(&serve).into_iter();
            lines.find(|line| line["notice"] == notice && line["error"] == error)
        });
        found.unwrap_or_else(|| panic!("no {notice} for {error}: {}", unusual(&serve)))
    };

    thread::scope(|scope| {
        let _stop = StopAtEnd(&sign_ups.stop);
        scope.spawn(|| sign_ups.run(&cognito));
        shape_is("email");

        let one = mapper("one", "");
        let second = cloud.publish(&one);
        assert_eq!(second.stdout.trim(), Sha256::of(&one).to_string());
        assert_eq!(second.code, 0, "{}", second.stderr);
        shape_is("one");

        for (broken, error, advice) in BROKEN {
            is_rejected(&cloud, &broken(), error, advice);
            assert_eq!(cloud.live(), Some(Sha256::of(&one)));
        }
        shape_stays("one");

        let back = cloud.plugin(&["rollback", "acme"]);
        assert_eq!(back.stdout, first.stdout, "{}", back.stderr);
        shape_is("email");

        // Neither an invalid config nor a plugin that cannot run replaces one that works.
        cloud.put(&config, b"table = 'User'\nplugins = 'acme'");
        noticed("config refresh failed", "Config.Invalid");
        cloud.put(&config, b"table = 'User'\nplugin = 'nowhere'");
        let kept = noticed("config refresh failed", "Plugin.NotReleased");
        assert_eq!(kept["level"], "WARN", "{kept}");
        assert_eq!(kept["userPoolId"], POOL, "{kept}");
        shape_stays("email");
        let pin = Sha256::of(&one);
        let pinned = format!("table = 'User'\nplugin = 'acme@sha256:{pin}'");
        cloud.put(&config, pinned.as_bytes());
        shape_is("one");
    });

    let confirmed = sign_ups.confirmed();
    let found = shapes(&cloud, &users);
    let numbers = found.iter().map(|(number, _)| *number);
    assert!(numbers.eq(0..confirmed), "{found:?}: {}", serve.log());
    // Each change takes effect once, between one user and the next.
    let mut shapes: Vec<_> = found.into_iter().map(|(_, shape)| shape).collect();
    shapes.dedup();
    assert_eq!(shapes, ["email", "one", "email", "one"]);
    assert_eq!(outcomes(&serve), vec!["written"; confirmed]);

    // A new pool takes one upload.
    sign_up(&cognito, CUSTOMER_CLIENT, "too-early");
    assert_eq!(
        outcomes(&serve)[confirmed..],
        ["failed"],
        "{}",
        unusual(&serve)
    );
    cloud.put(&format!("config/{OTHER_POOL}.toml"), b"table = 'Customer'");
    sign_up(&cognito, CUSTOMER_CLIENT, "in-time");
    let [item] = &cloud.items(&customers)[..] else {
        panic!("{}", unusual(&serve));
    };
    assert_eq!(item["id"]["S"], "in-time");
}

/// An invalid plugin, its error, and a part of the advice.
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

/// Publishing rejects the component, and stores the reason for its author.
fn is_rejected(cloud: &Cloud, component: &[u8], error: &str, advice: &str) {
    let refused = cloud.publish(component);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert_eq!(refused.stdout, "");
    let rejection = cloud.document("rejections/acme.json").unwrap();
    assert_eq!(rejection["errorType"], error);
    assert_eq!(rejection["sha256"], Sha256::of(component).to_string());
    let message = rejection["errorMessage"].as_str().unwrap();
    assert!(!message.is_empty());
    let advised = rejection["advice"].as_str().unwrap().contains(advice);
    assert!(advised, "{rejection}");

    let show = cloud.plugin(&["show", "acme"]);
    let shown = show.stderr.contains(error) && show.stderr.contains(message);
    assert!(shown && show.stderr.contains(advice), "{}", show.stderr);
    let show = cloud.plugin(&["show", "acme", "--json"]);
    let shown: Value = serde_json::from_str(&show.stdout).unwrap();
    assert_eq!(shown["rejection"], rejection);
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
            let number = self.confirmed();
            sign_up(cognito, USER_CLIENT, &format!("user-{number}"));
            self.confirmed.store(number + 1, Ordering::Relaxed);
        }
    }

    fn confirmed(&self) -> usize {
        self.confirmed.load(Ordering::Relaxed)
    }
}

/// Ends the sign-ups, even if the test fails.
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

/// The log without the events that succeeded.
fn unusual(serve: &Serve) -> String {
    let log = serve.log();
    let lines = log
        .lines()
        .filter(|line| !line.contains(r#""outcome":"written""#));
    lines.collect::<Vec<_>>().join("\n")
}

/// The outcome of each event.
fn outcomes(serve: &Serve) -> Vec<String> {
    let outcome = |line: &Value| line["outcome"].as_str().map(str::to_owned);
    lines(serve).iter().filter_map(outcome).collect()
}
