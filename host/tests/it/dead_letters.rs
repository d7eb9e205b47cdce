//! Events that cannot be written are dead-lettered, shown, replayed and purged.

use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use poolhook::blobs::dir::Dir;
use poolhook::dead_letters::DeadLetters;
use serde_json::{Value, json};

use crate::aws_fixtures::mapper;
use crate::bootstrap::{Lambda, create_table};
use crate::servers;
use crate::support::{OTHER_POOL, POOL, Serve, TestFolder, event, handle, http};

/// Invokes the function. Returns the failure's name, or `None`.
fn invoke(serve: &Serve, raw: &[u8]) -> Option<String> {
    let mut response = http().post(serve.invocations()).send(raw).unwrap();
    let body = response.body_mut().read_to_vec().unwrap();
    if response.headers().contains_key("x-amz-function-error") {
        let error: Value = serde_json::from_slice(&body).unwrap();
        return Some(error["errorType"].as_str().unwrap().to_owned());
    }
    assert_eq!(body, raw);
    None
}

fn run(folder: &TestFolder, arguments: &[&str]) -> (Option<i32>, String, String) {
    let ran = folder.poolhook(arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ran.status.code(), text(ran.stdout), text(ran.stderr))
}

fn listed(folder: &TestFolder) -> Vec<Value> {
    let (code, out, err) = run(folder, &["dead-letters", "list", "--json"]);
    assert_eq!(code, Some(0), "{err}");
    out.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn events_that_cannot_be_written_are_dead_lettered_and_replayed() {
    // Neither plugin is published yet.
    let folder = TestFolder::new(&[
        (POOL, "table = 'User'\nplugin = 'acme'"),
        (
            OTHER_POOL,
            "table = 'Customer'\nplugin = 'other'\non-failure = 'reject'",
        ),
    ]);
    let serve = folder.serve(&[], &[]);
    let raw = event("confirm-sign-up");
    assert_eq!(invoke(&serve, &raw), None);
    let other = event("other-pool");
    for _ in 0..3 {
        // As many times as Cognito tries.
        let rejected = invoke(&serve, &other);
        assert_eq!(rejected.as_deref(), Some("Plugin.NotReleased"));
    }
    // No config names this pool.
    let unknown = String::from_utf8(raw.clone()).unwrap();
    let unknown = unknown.replace(POOL, "eu-west-1_Nobody");
    let rejected = invoke(&serve, unknown.as_bytes());
    assert_eq!(rejected.as_deref(), Some("Config.UnknownPool"));
    let log = serve.log();
    assert_eq!(
        log.matches(r#""outcome":"dead-lettered""#).count(),
        4,
        "{log}"
    );
    assert!(!log.contains("hanako"), "{log}");
    drop(serve);

    // One dead letter per event, with all of its attempts.
    let letters = listed(&folder);
    assert_eq!(letters.len(), 2, "{letters:?}");
    for (letter, (pool, attempts)) in letters.iter().zip([(POOL, 1), (OTHER_POOL, 3)]) {
        assert_eq!(letter["userPoolId"], pool);
        assert_eq!(letter["attempts"], attempts);
        assert_eq!(letter["errorType"], "Plugin.NotReleased");
        assert_eq!(letter["class"], "plugin");
        assert_eq!(letter["retryable"], false);
    }
    let key = letters[0]["key"].as_str().unwrap();
    let (_, shown, _) = run(&folder, &["dead-letters", "show", key]);
    assert!(shown.contains("hanako@example.com"), "{shown}");
    let kept = fs::read_to_string(folder.path().join("poolhook.blobs").join(key)).unwrap();
    assert!(
        kept.contains(str::from_utf8(&raw).unwrap().trim()),
        "{kept}"
    );

    // Nothing is fixed, so both are left.
    let (code, _, err) = run(&folder, &["dead-letters", "replay"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("0 replayed, 2 left"), "{err}");
    let (code, _, err) = run(&folder, &["dead-letters", "replay", "--retryable"]);
    assert_eq!(code, Some(0));
    assert!(err.contains("0 replayed, 0 left"), "{err}");

    fs::write(folder.path().join("acme.wasm"), mapper("one", "")).unwrap();
    let (code, _, err) = run(&folder, &["plugin", "publish", "acme.wasm"]);
    assert_eq!(code, Some(0), "{err}");
    let (_, out, err) = run(&folder, &["dead-letters", "replay", "--dry-run"]);
    assert!(out.contains(r#""shape":{"S":"one"}"#), "{out}");
    assert!(err.contains("1 would be replayed, 1 left"), "{err}");
    assert!(folder.items("User").is_empty());
    assert_eq!(listed(&folder).len(), 2);

    let (code, _, err) = run(&folder, &["dead-letters", "replay", "--pool", POOL]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("1 replayed, 0 left"), "{err}");
    assert_eq!(folder.items("User").len(), 1);
    assert_eq!(listed(&folder).len(), 1);

    // The other one is purged, but only with --yes.
    let purge = ["dead-letters", "purge", "--class", "plugin"];
    let (_, out, err) = run(&folder, &purge);
    assert!(
        out.contains(OTHER_POOL) && err.contains("--yes"),
        "{out}{err}"
    );
    assert_eq!(listed(&folder).len(), 1);
    let (_, _, err) = run(&folder, &[&purge[..], &["--yes"]].concat());
    assert!(err.contains("1 deleted"), "{err}");
    assert!(listed(&folder).is_empty());
}

/// They are stored as they came, under their pool if that can be read.
#[test]
fn events_that_cannot_be_read_are_dead_lettered() {
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    let blobs = Dir::create(folder.path().join("poolhook.blobs")).unwrap();
    let dead_letters = DeadLetters::new(Arc::new(blobs));
    let host = folder.host().with_dead_letters(dead_letters);
    let good = String::from_utf8(event("confirm-sign-up")).unwrap();
    let name = good.split("\"userName\": ").nth(1).unwrap();
    let name = name.split('\n').next().unwrap();
    let half = good.replace(name, r#""hana \ud83d","#);
    let nameless = good.replace(name, "null,");
    let mut broken = good.clone().into_bytes();
    let at = good.find("example").unwrap();
    broken[at] = 0xff;
    let cases: [(&[u8], &str, &str); 8] = [
        (b"{}", "Event.MissingField", "unreadable"),
        (b"[]", "Event.Malformed", "unreadable"),
        (b"", "Event.NotJson", "unreadable"),
        (b"{\"userPoolId\": ", "Event.NotJson", "unreadable"),
        (b"\xff\xfe\0", "Event.NotJson", "unreadable"),
        (&broken, "Event.NotJson", POOL),
        (half.as_bytes(), "Event.NotJson", POOL),
        (nameless.as_bytes(), "Event.MissingField", POOL),
    ];
    for (raw, error, _) in cases {
        // Cognito's second attempt adds to the first one's dead letter.
        for _ in 0..2 {
            // Attempts of one millisecond are one.
            thread::sleep(Duration::from_millis(2));
            let report = handle(&host, raw);
            assert_eq!(report.answer().unwrap_err().name(), error, "{raw:?}");
            assert_eq!(report.outcome_name(), "dead-lettered");
        }
    }
    let letters = listed(&folder);
    assert_eq!(letters.len(), cases.len(), "{letters:?}");
    for (raw, error, under) in cases {
        let raw = BASE64.encode(raw);
        let shown = letters.iter().find_map(|letter| {
            let key = letter["key"].as_str().unwrap();
            let (_, shown, _) = run(&folder, &["dead-letters", "show", key]);
            let shown: Value = serde_json::from_str(&shown).unwrap();
            (shown["eventBase64"] == raw.as_str()).then_some((letter, shown))
        });
        let (letter, shown) = shown.unwrap();
        let key = letter["key"].as_str().unwrap();
        assert!(
            key.starts_with(&format!("dead-letters/{under}/20")),
            "{key}"
        );
        assert_eq!(letter["errorType"], error);
        assert_eq!(
            (&letter["class"], &letter["attempts"]),
            (&"event".into(), &2.into())
        );
        assert_eq!(shown["event"], Value::Null);
    }

    let (code, _, err) = run(&folder, &["dead-letters", "replay"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("0 replayed, 0 left"), "{err}");
    assert!(
        err.contains("8 passed over: their events cannot be read"),
        "{err}"
    );
    assert_eq!(listed(&folder).len(), cases.len());
    let purge = ["dead-letters", "purge", "--class", "event", "--yes"];
    let (_, _, err) = run(&folder, &purge);
    assert!(err.contains("8 deleted"), "{err}");
    assert!(listed(&folder).is_empty());
}

/// A replay that fails is an attempt, too.
#[test]
fn a_failed_replay_adds_its_attempt() {
    let folder = TestFolder::new(&[(POOL, "table = 'User'\nplugin = 'acme'")]);
    let serve = folder.serve(&[], &[]);
    assert_eq!(invoke(&serve, &event("confirm-sign-up")), None);
    drop(serve);
    for attempts in 2..=3 {
        let (code, _, err) = run(&folder, &["dead-letters", "replay"]);
        assert_eq!(code, Some(1), "{err}");
        assert_eq!(listed(&folder)[0]["attempts"], attempts, "{err}");
    }
    let (_, _, err) = run(&folder, &["dead-letters", "replay", "--dry-run"]);
    assert_eq!(listed(&folder)[0]["attempts"], 3, "{err}");
}

#[test]
fn replay_replaces_no_item_and_reports_what_differs() {
    let folder = TestFolder::new(&[(POOL, "table = 'User'\nplugin = 'acme'\nwrite = 'replace'")]);
    let serve = folder.serve(&[], &[]);
    assert_eq!(invoke(&serve, &event("confirm-sign-up")), None);
    // In the meantime another writer has written the user's row.
    folder.configure(POOL, "table = 'User'");
    let event = crate::support::tests("events/confirm-sign-up.json");
    let (code, _, err) = run(&folder, &["run", event.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{err}");
    let before = folder.items("User");
    drop(serve);

    folder.configure(POOL, "table = 'User'\nplugin = 'acme'\nwrite = 'replace'");
    fs::write(folder.path().join("acme.wasm"), mapper("two", "")).unwrap();
    let (code, _, err) = run(&folder, &["plugin", "publish", "acme.wasm"]);
    assert_eq!(code, Some(0), "{err}");
    let (code, _, err) = run(&folder, &["dead-letters", "replay"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("differs in email, shape"), "{err}");
    assert_eq!(folder.items("User"), before);
    assert_eq!(listed(&folder).len(), 1);

    let (code, _, err) = run(&folder, &["dead-letters", "replay", "--overwrite"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(folder.items("User")[0].contains("two"));
    assert!(listed(&folder).is_empty());
}

/// Erasing a user takes that user's dead letters, and no other's.
#[test]
fn a_users_dead_letters_are_listed_and_purged_alone() {
    let folder = TestFolder::new(&[(POOL, "table = 'User'\nplugin = 'acme'")]);
    let serve = folder.serve(&[], &[]);
    let event: Value = serde_json::from_slice(&event("confirm-sign-up")).unwrap();
    for (name, sub) in [("ann", "1"), ("joann", "2"), ("1", "3")] {
        let mut event = event.clone();
        event["userName"] = name.into();
        event["request"]["userAttributes"]["sub"] = sub.into();
        let raw = serde_json::to_vec(&event).unwrap();
        assert_eq!(invoke(&serve, &raw), None);
    }
    let unreadable = json!({ "userPoolId": POOL, "userName": "" }).to_string();
    assert!(invoke(&serve, unreadable.as_bytes()).is_some());
    drop(serve);

    for (user, found) in [("ann", 1), ("1", 2), ("Ann", 0), ("an", 0)] {
        let (code, out, err) = run(&folder, &["dead-letters", "list", "--user", user]);
        assert_eq!(
            (code, out.lines().count()),
            (Some(0), found),
            "{user}: {err}"
        );
        assert!(err.contains("1 more cannot be read"), "{err}");
    }
    let purge = ["dead-letters", "purge", "--user", "ann"];
    let (_, _, err) = run(&folder, &purge);
    assert!(err.contains("1 would be deleted"), "{err}");
    let (_, _, err) = run(&folder, &[&purge[..], &["--yes"]].concat());
    assert!(
        err.contains("1 deleted") && err.contains("1 more cannot be read"),
        "{err}"
    );
    assert_eq!(listed(&folder).len(), 3);
    let (_, _, err) = run(&folder, &["dead-letters", "list"]);
    assert!(!err.contains("more cannot be read"), "{err}");
}

#[test]
fn a_date_is_a_day_of_the_calendar() {
    let folder = TestFolder::new(&[]);
    for date in [
        "2026-99-99",
        "2026-02-30",
        "2026-13-01",
        "2026-2-3",
        "2026-366",
        "today",
    ] {
        for option in ["--since", "--until"] {
            let (code, out, err) = run(&folder, &["dead-letters", "list", option, date]);
            assert_eq!((code, out.as_str()), (Some(2), ""), "{date}: {err}");
            assert!(err.contains("must be a date such as"), "{date}: {err}");
        }
    }
    let (_, _, err) = run(&folder, &["dead-letters", "list", "--since", "2028-02-29"]);
    assert!(!err.contains("must be a date"), "{err}");
}

#[test]
fn what_comes_from_aws_is_never_written_to_a_default_file() {
    let folder = TestFolder::with_sample_pools();
    for arguments in [
        &["backfill", POOL][..],
        &["backfill", POOL, "--dry-run"],
        &["reconcile", POOL, "--apply"],
        &["dead-letters", "replay", "--blobs", "s3://bucket"],
        &[
            "dead-letters",
            "replay",
            "--config",
            "s3://bucket/config",
            "--dry-run",
        ],
        &["run", "--config", "s3://bucket/config", "event.json"],
        &["serve", "--config", "s3://bucket/config"],
    ] {
        let (code, out, err) = run(&folder, arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}: {err}");
        let told = err.contains("--dynamodb") && err.contains("--store FILE");
        assert!(told, "{arguments:?}: {err}");
        assert!(!folder.store().exists(), "{arguments:?}");
    }
}

#[test]
fn a_dead_letter_is_replayed_into_its_own_store() {
    let folder = TestFolder::new(&[(POOL, "table = 'User'\nplugin = 'acme'")]);
    let serve = folder.serve(&[], &[]);
    assert_eq!(invoke(&serve, &event("confirm-sign-up")), None);
    drop(serve);
    folder.configure(POOL, "table = 'User'");
    let other = ["dead-letters", "replay", "--store", "other.db"];
    let (code, _, err) = run(&folder, &other);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("poolhook.db, not to"), "{err}");
    assert!(err.contains("`--other-store`"), "{err}");
    assert_eq!(listed(&folder).len(), 1);

    let asked = [&other[..], &["--other-store", "--dry-run"]].concat();
    let (code, out, err) = run(&folder, &asked);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("hanako"), "{out}");
    let (code, _, err) = run(&folder, &["dead-letters", "replay"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        err.contains("1 replayed, 0 left; store: poolhook.db"),
        "{err}"
    );
    assert_eq!(folder.items("User").len(), 1);
}

/// A dry run looks at the table.
#[test]
fn a_dry_run_of_replay_finds_a_row_that_differs() {
    let folder = TestFolder::new(&[(POOL, "table = 'User'\nplugin = 'acme'")]);
    let serve = folder.serve(&[], &[]);
    assert_eq!(invoke(&serve, &event("confirm-sign-up")), None);
    drop(serve);
    folder.configure(POOL, "table = 'User'");
    let mut other: Value = serde_json::from_slice(&event("confirm-sign-up")).unwrap();
    other["request"]["userAttributes"]["email"] = "other@example.com".into();
    fs::write(folder.path().join("other.json"), other.to_string()).unwrap();
    let (code, _, err) = run(&folder, &["run", "other.json"]);
    assert_eq!(code, Some(0), "{err}");
    let (code, _, err) = run(&folder, &["dead-letters", "replay", "--dry-run"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("differs in email"), "{err}");
}

/// The scheduled replay goes through the pools in rounds, and begins where it ended.
#[test]
fn a_pool_with_many_dead_letters_does_not_hold_up_the_others() {
    const MANY: usize = 50_000;
    let ministack = servers::ministack();
    create_table(ministack.url(), "us-east-1", "Customer");
    let folder = TestFolder::new(&[(POOL, "table = 'User'"), (OTHER_POOL, "table = 'Customer'")]);
    let dead_letter = |name: &str, retryable: bool| {
        let raw: Value = serde_json::from_slice(&event(name)).unwrap();
        json!({
            "userPoolId": raw["userPoolId"],
            "received": "2026-11-23T09:06:52.045Z",
            "plugin": "default",
            "component": null,
            "attempts": [{
                "received": "2026-11-23T09:06:52.045Z", "errorType": "Store.Timeout",
                "errorMessage": "", "class": "store", "retryable": retryable,
            }],
            "event": raw,
        })
        .to_string()
    };
    let letters = folder.path().join("poolhook.blobs/dead-letters");
    let many = letters.join(POOL).join("2026-11-23");
    fs::create_dir_all(&many).unwrap();
    let failed = many.join(format!("{:064x}.json", 0));
    fs::write(&failed, dead_letter("confirm-sign-up", false)).unwrap();
    for number in 1..MANY {
        fs::hard_link(&failed, many.join(format!("{number:064x}.json"))).unwrap();
    }
    let one = letters.join(OTHER_POOL).join("2026-11-24");
    fs::create_dir_all(&one).unwrap();
    let one = one.join(format!("{:064x}.json", 0));
    fs::write(&one, dead_letter("other-pool", true)).unwrap();

    let position = || {
        let position = fs::read(folder.path().join("poolhook.blobs/replay.json")).unwrap();
        let position: Value = serde_json::from_slice(&position).unwrap();
        position["after"][POOL].as_str().unwrap().to_owned()
    };
    // 15 s are reserved for the last dead letter, so each run has 2 s.
    let time = Duration::from_secs(17);
    let lambda = Lambda::start_handler(&folder, ministack.url(), "replay", time);
    let run = || {
        let answer = lambda.invoke(b"{}".to_vec());
        assert_eq!(answer.kind, "response");
        serde_json::from_slice::<Value>(&answer.body).unwrap()
    };
    let first = run();
    assert_eq!(
        (&first["done"], &first["stay"]),
        (&json!(1), &json!(0)),
        "{first}"
    );
    assert_eq!(first["poolsLeft"], 1, "{first}");
    assert!(!one.exists());
    let ended = position();
    let second = run();
    assert_eq!(second["done"], 0, "{second}");
    assert!(position() > ended, "{second}");
    assert_eq!(fs::read_dir(many).unwrap().count(), MANY);
}
