//! `poolhook backfill` and `poolhook reconcile`, against the tests' own emulation of a user pool
//! and a table: no other emulator paginates, throttles, or is fast enough.

mod emulated;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use poolhook::aws::SdkConfig;
use poolhook::cognito::UserPool;
use poolhook::config::{Table, WriteMode};
use poolhook::event::{PostConfirmation, TriggerSource, UserPoolId};
use poolhook::item::{AttributeValue, Item};
use poolhook::store::sqlite::Sqlite;
use poolhook::store::{ItemReader, ItemStore as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command_line::text;
use crate::servers::{self, PoolSeed};
use crate::stores::{create_table, dynamodb, items, sorted_table, table};
use crate::support::{OTHER_POOL, POOL, TestFolder, block_on, handle, http};
use emulated::{Cognito, DynamoDb, Refusal, created, is_confirmed, user, user_name};

impl TestFolder {
    fn with_cognito(&self, url: &str, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command.env("AWS_ENDPOINT_URL", url);
        if !arguments.contains(&"--dynamodb") {
            command.env("POOLHOOK_STORE", "poolhook.db");
        }
        command
    }

    fn backfill(&self, cognito: &Cognito, arguments: &[&str]) -> Output {
        let fast = ["backfill", POOL, "--rate=100000", "--users-rate=100"];
        let arguments = [&fast[..], arguments].concat();
        self.with_cognito(&cognito.url, &arguments)
            .output()
            .unwrap()
    }

    fn reconcile(&self, cognito: &Cognito, arguments: &[&str]) -> Output {
        let fast = ["reconcile", POOL, "--rate=100000", "--users-rate=100"];
        let arguments = [&fast[..], arguments].concat();
        self.with_cognito(&cognito.url, &arguments)
            .output()
            .unwrap()
    }

    fn checkpoint(&self) -> std::path::PathBuf {
        self.path().join(format!("poolhook-backfill-{POOL}.json"))
    }
}

/// The lines for users, and the summary line.
fn lines(output: &Output) -> (Vec<Value>, Value) {
    let (_, out, err) = text(output);
    let mut lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let last = lines.pop().unwrap_or_else(|| panic!("{err}"));
    (lines, last)
}

/// The event that Cognito would have sent at this user's sign-up.
fn sign_up(number: u32) -> Vec<u8> {
    let user = user(number);
    let attributes = user["Attributes"].as_array().unwrap().iter();
    let mut attributes: BTreeMap<_, _> = attributes
        .map(|attribute| (attribute["Name"].as_str().unwrap(), &attribute["Value"]))
        .collect();
    attributes.insert("cognito:user_status", &user["UserStatus"]);
    let event = json!({
        "version": "1", "region": "ap-northeast-1", "userPoolId": POOL,
        "userName": user["Username"],
        "callerContext": { "awsSdkVersion": "3", "clientId": "client0" },
        "triggerSource": "PostConfirmation_ConfirmSignUp",
        "request": { "userAttributes": attributes }, "response": {},
    });
    event.to_string().into_bytes()
}

#[test]
fn a_user_becomes_the_event_that_sign_up_would_have_sent() {
    let cognito = Cognito::start(130);
    let shared = SdkConfig::builder()
        .endpoint_url(&cognito.url)
        .behavior_version(aws_config::BehaviorVersion::latest())
        .credentials_provider(emulated::credentials())
        .build();
    let pool = UserPool::new(&shared, &UserPoolId::parse(POOL).unwrap());
    block_on(async {
        assert_eq!(pool.estimated_users().await.unwrap(), 130);
        let (mut token, mut number) = (None, 0);
        loop {
            let page = pool.page(token.as_deref()).await.unwrap();
            for user in &page.users {
                let expected = PostConfirmation {
                    trigger_source: TriggerSource::Backfill,
                    client_id: None,
                    ..PostConfirmation::parse(&sign_up(number)).unwrap()
                };
                assert_eq!(user.event, expected);
                assert_eq!(user.confirmed, is_confirmed(number));
                let since = user.created.duration_since(SystemTime::UNIX_EPOCH);
                assert_eq!(since.unwrap(), Duration::from_secs(created(number)));
                number += 1;
            }
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(number, 130);
        let refused = pool.page(Some("stale")).await.unwrap_err();
        assert_eq!(refused.name(), "Cognito.BadToken");
    });
}

/// The process's peak resident memory in KiB, after it has succeeded, and its duration.
fn peak_kib(mut child: Child) -> (u64, Duration) {
    let (began, mut peak) = (Instant::now(), 0);
    let status = format!("/proc/{}/status", child.id());
    loop {
        let ended = child.try_wait().unwrap();
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(kib) = line.and_then(|line| line.trim().strip_suffix(" kB")) {
            peak = kib.parse().unwrap();
        }
        if let Some(status) = ended {
            assert!(status.success(), "{status}");
            return (peak, began.elapsed());
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_hundred_thousand_users_stream_through_flat_memory() {
    // On a disk, SQLite waits a millisecond per item, and that would be all that is measured.
    let memory = TempDir::new_in("/dev/shm")
        .or_else(|_| TempDir::new())
        .unwrap();
    let run = |users: u32| {
        let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
        let cognito = Cognito::start(users);
        let arguments = ["backfill", POOL, "--rate=100000", "--users-rate=100"];
        let mut command = folder.with_cognito(&cognito.url, &arguments);
        command.env("POOLHOOK_STORE", memory.path().join(format!("{users}.db")));
        let child = command.stderr(Stdio::null()).spawn().unwrap();
        let (peak, took) = peak_kib(child);
        (folder, peak, took)
    };
    let (_, small, _) = run(10_000);
    let (folder, large, took) = run(100_000);

    // The store's own limit: the same items one after the other, and nothing else.
    let store = Sqlite::open(&memory.path().join("limit.db")).unwrap();
    let began = Instant::now();
    let table = table("ap-northeast-1", "User");
    block_on(async {
        for number in 0..5000 {
            let email = AttributeValue::S(format!("{}@example.com", user_name(number)));
            let id = AttributeValue::S(user_name(number));
            let item = Item::new([("id".to_owned(), id), ("email".to_owned(), email)]).unwrap();
            let until = tokio::time::Instant::now() + Duration::from_secs(9);
            store
                .put(&table, &item, WriteMode::Create, until)
                .await
                .unwrap();
        }
    });
    let limit = 5000.0 / began.elapsed().as_secs_f64();
    eprintln!(
        "backfill: {:.0} users/s (store alone: {limit:.0} puts/s); peak {} MiB for 10,000 users, {} MiB for 100,000",
        100_000.0 / took.as_secs_f64(),
        small / 1024,
        large / 1024
    );
    assert!(large < small + 6 * 1024, "{small} KiB, then {large} KiB");

    let store = Sqlite::open(&memory.path().join("100000.db")).unwrap();
    let stored = store.items("User").unwrap();
    let expected: Vec<_> = (0..100_000).filter(|n| is_confirmed(*n)).collect();
    assert_eq!(stored.len(), expected.len());
    let by_key: BTreeMap<_, _> = stored.into_iter().map(|row| (row.key, row.item)).collect();
    // The same users, signing up.
    let other = TestFolder::new(&[(POOL, "table = 'User'")]);
    let host = other.host();
    for number in expected.into_iter().step_by(997) {
        let report = handle(&host, &sign_up(number));
        let item = serde_json::to_string(&report.trace.item.unwrap()).unwrap();
        assert_eq!(by_key[&user_name(number)], item);
    }
    assert!(!folder.checkpoint().exists());
}

#[test]
fn a_backfill_killed_at_random_points_loses_and_duplicates_nothing() {
    const USERS: u32 = 3000;
    let (cognito, dynamodb) = (Cognito::start(USERS), DynamoDb::start());
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    let start = || {
        let arguments = [
            "backfill",
            POOL,
            "--dynamodb",
            "--rate=1500",
            "--users-rate=100",
        ];
        let mut command = folder.with_cognito(&cognito.url, &arguments);
        command.env("AWS_ENDPOINT_URL_DYNAMODB", &dynamodb.url);
        command.stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut random: u64 = 0x9E37_79B9;
    let mut resumable = 0;
    for _ in 0..7 {
        let mut child = start();
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        thread::sleep(Duration::from_millis(100 + (random >> 33) % 500));
        let _ = child.kill();
        child.wait().unwrap();
        resumable += u32::from(folder.checkpoint().exists());
    }
    let before = cognito.requests();
    let (code, _, err) = text(&start().wait_with_output().unwrap());
    assert_eq!(code, Some(0), "{err}");
    assert!(resumable > 0, "no kill has left a checkpoint");
    assert!(err.contains("resuming after"), "{err}");
    let pages = u64::from(USERS.div_ceil(60));
    assert!(cognito.requests() - before < pages, "it began anew");
    assert_eq!(dynamodb.overwritten(), 0);
    assert_rows_of(&dynamodb, USERS);
    // Again, from the first page: nothing changes.
    let (code, _, err) = text(&start().wait_with_output().unwrap());
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("2940 present"), "{err}");
    assert_eq!(dynamodb.overwritten(), 0);
}

/// Asserts that each confirmed user has the right row, and that there are no other rows.
fn assert_rows_of(dynamodb: &DynamoDb, users: u32) {
    let rows = dynamodb.rows();
    let expected: Vec<_> = (0..users).filter(|number| is_confirmed(*number)).collect();
    for number in &expected {
        let name = user_name(*number);
        let row = json!({ "id": { "S": name }, "email": { "S": format!("{name}@example.com") } });
        assert_eq!(rows.get(&name), Some(&row), "{name}");
    }
    assert_eq!(rows.len(), expected.len());
}

#[test]
fn transient_errors_are_retried() {
    // Cognito rejects every fifth request; the table rejects all for longer than one put retries.
    let (cognito, dynamodb) = (Cognito::start(300), DynamoDb::start());
    cognito.refuse(Refusal::OneIn(5));
    dynamodb.throttle_for(Duration::from_secs(4));
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    let mut command =
        folder.with_cognito(&cognito.url, &["backfill", POOL, "--dynamodb", "--json"]);
    command.env("AWS_ENDPOINT_URL_DYNAMODB", &dynamodb.url);
    let output = command.output().unwrap();
    let (lines, last) = lines(&output);
    assert_eq!((output.status.code(), lines), (Some(0), Vec::new()));
    assert_eq!(last["summary"]["written"], 294, "{last}");
    assert!(cognito.refused() > 0);
    assert_rows_of(&dynamodb, 300);
}

#[test]
fn a_backfill_uses_no_more_than_its_share_of_the_capacity() {
    let (cognito, dynamodb) = (Cognito::start(130), DynamoDb::start());
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    let arguments = ["backfill", POOL, "--dynamodb", "--capacity-share=0.5"];
    let mut command = folder.with_cognito(&cognito.url, &arguments);
    command.env("AWS_ENDPOINT_URL_DYNAMODB", &dynamodb.url);
    let began = Instant::now();
    let (code, _, err) = text(&command.output().unwrap());
    assert_eq!(code, Some(0), "{err}");
    // 128 users have items of less than 1 KB, each one unit, at 80 units per second.
    let took = began.elapsed();
    assert!(took > Duration::from_millis(1500), "{took:?}");
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert_rows_of(&dynamodb, 130);
    let share = folder.backfill(&cognito, &["--capacity-share=0.5"]);
    assert!(text(&share).2.contains("cannot be used with"), "{share:?}");
}

#[test]
fn lasting_errors_are_reported_and_a_stale_checkpoint_starts_again() {
    let cognito = Cognito::start(200);
    let folder = TestFolder::new(&[(POOL, "table = 'User'"), (OTHER_POOL, "table = 'User'")]);
    let check = |expected: &str| {
        let (code, out, err) = text(&folder.backfill(&cognito, &[]));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
        assert!(err.contains(expected), "{expected} is not in\n{err}");
    };
    cognito.refuse(Refusal::All("ResourceNotFoundException"));
    check("Cognito.NoPool");
    cognito.refuse(Refusal::All("AccessDeniedException"));
    check("Allow cognito-idp:DescribeUserPool on it");
    cognito.refuse(Refusal::None);
    fs::write(folder.checkpoint(), "{").unwrap();
    check("is not a checkpoint");

    let arguments = ["backfill", "eu-west-1_Unknown"];
    let unknown = folder
        .with_cognito(&cognito.url, &arguments)
        .output()
        .unwrap();
    let (code, _, err) = text(&unknown);
    assert_eq!(code, Some(2));
    assert!(err.contains("eu-west-1_Unknown"), "{err}");

    let tally = json!({ "users": 60, "written": 60, "present": 0, "differing": 0,
        "differingAttributes": {}, "skipped": 0, "unconfirmed": 0, "failed": 0, "failures": {} });
    let stale = json!({ "userPoolId": POOL, "next": "stale", "soFar": tally });
    fs::write(folder.checkpoint(), stale.to_string()).unwrap();
    let output = folder.backfill(&cognito, &["--json"]);
    assert_eq!(lines(&output).1["summary"]["written"], 196);
    assert!(!folder.checkpoint().exists());
}

#[test]
fn a_page_that_cannot_be_listed_is_named_and_so_is_the_same_one_again() {
    let cognito = Cognito::start(200);
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    // The first page has no token.
    let first = "this is the page that the last run could not list, either";
    cognito.refuse(Refusal::First("NotAuthorizedException"));
    for run in 1..=2 {
        let (code, _, err) = text(&folder.backfill(&cognito, &[]));
        assert_eq!(code, Some(2), "{err}");
        assert!(
            err.contains("page 1 of the users cannot be listed"),
            "{err}"
        );
        assert_eq!(err.contains(first), run > 1, "{err}");
        assert!(!err.contains("resuming"), "{err}");
    }
    cognito.refuse(Refusal::Page("from-120", "NotAuthorizedException"));
    let says = "error: stopped; run the same command to resume from poolhook-backfill-";
    let page = "page 3 of the users cannot be listed: Cognito.AccessDenied";
    let same = "this is the page that the last run could not list, either";
    for run in 1..=3 {
        let (code, _, err) = text(&folder.backfill(&cognito, &[]));
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains(says) && err.contains(page), "{err}");
        assert_eq!(err.contains(same), run > 1, "{err}");
        assert_eq!(folder.items("User").len(), 118);
    }
    cognito.refuse(Refusal::None);
    let (code, _, err) = text(&folder.backfill(&cognito, &[]));
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(folder.items("User").len(), 196);
}

#[test]
fn ctrl_c_finishes_the_page_and_says_how_to_resume() {
    let cognito = Cognito::start(600);
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    let mut command = folder.with_cognito(&cognito.url, &["backfill", POOL, "--rate=120"]);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    // In the middle of the second page.
    while !folder.checkpoint().exists() {
        thread::sleep(Duration::from_millis(5));
    }
    let interrupt = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    let (code, _, err) = text(&child.wait_with_output().unwrap());
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("run the same command to resume"), "{err}");
    assert_eq!(folder.items("User").len(), 118);
    let (code, _, err) = text(&folder.backfill(&cognito, &[]));
    assert_eq!(code, Some(0), "{err}");
    assert!(
        err.contains("600 users, 588 written, 12 not confirmed"),
        "{err}"
    );
    assert_eq!(folder.items("User").len(), 588);
}

#[test]
fn reconcile_distinguishes_five_outcomes_and_applies_one() {
    let cognito = Cognito::start(250);
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    assert!(folder.backfill(&cognito, &[]).status.success());
    let agreed = folder.reconcile(&cognito, &[]);
    assert_eq!(agreed.status.code(), Some(0), "{agreed:?}");

    let store = Sqlite::open(&folder.store()).unwrap();
    let put = |table, id: &str, email| put(&store, table, id, email);
    put("User", &user_name(3), "other@example.com");
    put("User", "ghost", "ghost@example.com");
    put("Customer", "elsewhere", "elsewhere@example.com");
    let before = folder.items("User");
    // Ten more users than rows, and two that the plugin skips or maps to a too large item.
    cognito.add(10);
    cognito.odd(true);

    let output = folder.reconcile(&cognito, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let (users, last) = lines(&output);
    assert_eq!(
        last["summary"],
        json!({ "users": 260, "missing": 10, "present": 242, "differing": 1,
            "differingAttributes": { "email": 1 }, "skipped": 1, "unconfirmed": 5, "failed": 1,
            "failures": { "Item.TooLarge": 1 }, "orphaned": 1 })
    );
    let of = |outcome: &str| {
        let users = users.iter().filter(|line| line["outcome"] == outcome);
        let name = |line: &Value| line.get("userName").or(line.get("key")).cloned();
        let names = users.map(|line| name(line).unwrap().as_str().unwrap().to_owned());
        names.collect::<BTreeSet<_>>()
    };
    assert_eq!(of("missing"), (250..260).map(user_name).collect());
    assert_eq!(of("differing"), [user_name(3)].into());
    assert_eq!(of("failed"), [user_name(5)].into());
    assert_eq!(of("orphaned"), ["ghost".to_owned()].into());
    assert!(!text(&output).1.contains("example.com"), "no values");
    assert_eq!(folder.items("User"), before);

    let (code, out, err) = text(&folder.reconcile(&cognito, &["--apply"]));
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("10 missing, now written"), "{err}");
    assert!(
        err.contains("1 orphaned rows") && !err.contains("ghost"),
        "{err}"
    );
    let after = folder.items("User");
    assert_eq!(after.len(), before.len() + 10);
    assert!(before.iter().all(|item| after.contains(item)));
    let (_, last) = lines(&folder.reconcile(&cognito, &["--json"]));
    assert_eq!(last["summary"]["missing"], 0);
}

#[test]
fn orphans_are_reported_only_where_rows_are_known_to_be_the_pools() {
    let cognito = Cognito::start(60);
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    folder.configure(OTHER_POOL, "table = 'User'\nregion = 'ap-northeast-1'");
    assert!(folder.backfill(&cognito, &[]).status.success());
    let output = folder.reconcile(&cognito, &["--json"]);
    assert_eq!(output.status.code(), Some(0));
    let (_, last) = lines(&output);
    assert_eq!(last["summary"]["orphaned"], Value::Null);
    let why = last["orphansNotLookedFor"].as_str().unwrap();
    assert!(
        why.contains("another pool writes to the same table"),
        "{why}"
    );

    // The earlier rows' keys do not have this form, so they are ignored.
    folder.configure(
        POOL,
        "table = 'User'\nkey.equals = '{userPoolId}#{userName}'",
    );
    let orphaned =
        || lines(&folder.reconcile(&cognito, &["--json"])).1["summary"]["orphaned"].clone();
    assert_eq!(orphaned(), 0);
    let store = Sqlite::open(&folder.store()).unwrap();
    for id in [
        &format!("{POOL}#ghost"),
        &format!("{POOL}#{}", user_name(1)),
        POOL,
    ] {
        put(&store, "User", id, "somebody@example.com");
    }
    assert_eq!(orphaned(), 1);
}

/// The config of a pool with the plugin `fields`, or another one, and a sort key.
fn app(plugin: &str) -> String {
    format!(
        "table = 'App'\nplugin = '{plugin}'\nkey.equals = 'USER#{{userName}}'\n\
         key.sort = {{ attribute = 'SK', equals = 'PROFILE' }}\n\
         [settings.item]\nid = \"'USER#' ~ user.name\"\nSK = \"'PROFILE'\"\n\
         email = 'user.attributes.email'"
    )
}

/// The number of a table's rows.
async fn rows(store: &dyn ItemReader, table: &Table) -> usize {
    let (mut rows, mut after) = (0, None);
    loop {
        let page = store.keys(table, after, 50).await.unwrap();
        rows += page.keys.len();
        after = page.next;
        if after.is_none() {
            return rows;
        }
    }
}

/// Three pages of users, each also with a row of another kind, and rows without a user.
#[test]
fn a_table_with_a_sort_key_holds_other_rows_beside_the_users() {
    let dynalite = servers::dynalite();
    let app_table = sorted_table("ap-northeast-1", "App");
    block_on(create_table(dynalite.url(), &app_table));
    let folder = TestFolder::new(&[]);
    let sqlite = Sqlite::open(&folder.store()).unwrap();
    let served = block_on(dynamodb(dynalite.url()));
    for (store, flags) in [
        (&sqlite as &dyn ItemReader, &["--store=poolhook.db"][..]),
        (&served, &["--dynamodb"]),
    ] {
        let cognito = Cognito::start(170);
        let run = |arguments: &[&str]| {
            let pace: &[&str] = match arguments[0] {
                "dead-letters" => &[],
                _ => &[POOL, "--rate=100000", "--users-rate=100"],
            };
            let arguments = [arguments, pace, flags].concat();
            let mut command = folder.with_cognito(&cognito.url, &arguments);
            command.env("AWS_ENDPOINT_URL_DYNAMODB", dynalite.url());
            command.output().unwrap()
        };
        folder.configure(POOL, &app("fields"));
        let put = |id: &str, sort: &str| {
            let value = |text: &str| AttributeValue::S(text.to_owned());
            let item =
                [("id", id), ("SK", sort)].map(|(name, text)| (name.to_owned(), value(text)));
            let item = Item::new(item).unwrap();
            let until = tokio::time::Instant::now() + Duration::from_secs(9);
            block_on(store.put(&app_table, &item, WriteMode::Create, until)).unwrap();
        };
        for number in 0..170 {
            put(&format!("USER#{}", user_name(number)), "ORDER#1");
        }
        put("USER#ghost", "ORDER#1");
        put("USER#ghost", "PROFILE");
        put("TENANT#1", "PROFILE");

        let confirmed = (0..170).filter(|number| is_confirmed(*number)).count();
        let summary = |output: &Output| lines(output).1["summary"].clone();
        let before = summary(&run(&["reconcile", "--json"]));
        assert_eq!(before["missing"], confirmed, "{before}");
        assert_eq!(
            (&before["orphaned"], &before["failed"]),
            (&json!(1), &json!(0)),
            "{before}"
        );
        let dry = run(&["backfill", "--dry-run", "--json"]);
        assert_eq!(summary(&dry)["written"], confirmed, "{dry:?}");
        assert_eq!(summary(&run(&["backfill", "--json"]))["written"], confirmed);
        let again = summary(&run(&["backfill", "--json"]));
        assert_eq!(
            (&again["written"], &again["present"]),
            (&json!(0), &json!(confirmed))
        );

        let output = run(&["reconcile", "--json"]);
        let (told, last) = lines(&output);
        assert_eq!(
            told,
            [json!({ "key": "USER#ghost", "sort": "PROFILE", "outcome": "orphaned" })]
        );
        let after = &last["summary"];
        assert_eq!(
            (&after["missing"], &after["present"]),
            (&json!(0), &json!(confirmed))
        );
        assert_eq!(
            (&after["differing"], &after["orphaned"]),
            (&json!(0), &json!(1))
        );

        // A dead letter of a user without a row.
        folder.configure(
            POOL,
            &app("unpublished").replace("[settings.item]", "[settings]"),
        );
        let endpoint = [("AWS_ENDPOINT_URL_DYNAMODB", dynalite.url())];
        let serve = folder.serve(flags, &endpoint);
        let invoked = http().post(serve.invocations()).send(sign_up(200)).unwrap();
        assert!(!invoked.headers().contains_key("x-amz-function-error"));
        drop(serve);
        folder.configure(POOL, &app("fields"));
        for (dry, says) in [(true, "1 would be replayed"), (false, "1 replayed")] {
            let replay = ["dead-letters", "replay", "--dry-run"];
            let (code, _, err) = text(&run(&replay[..if dry { 3 } else { 2 }]));
            assert_eq!(code, Some(0), "{err}");
            assert!(err.contains(says), "{err}");
        }
        assert_eq!(block_on(rows(store, &app_table)), 170 + 3 + confirmed + 1);

        // Without `equals`, reconcile cannot tell which rows are the pool's.
        folder.configure(POOL, &app("fields").replace(", equals = 'PROFILE'", ""));
        let (_, last) = lines(&run(&["reconcile", "--json"]));
        assert_eq!(last["summary"]["orphaned"], Value::Null);
        let why = last["orphansNotLookedFor"].as_str().unwrap();
        assert!(why.contains("the plugin chooses the sort key"), "{why}");
    }
}

fn put(store: &Sqlite, table: &str, id: &str, email: &str) {
    let value = |text: &str| AttributeValue::S(text.to_owned());
    let item = [
        ("id".to_owned(), value(id)),
        ("email".to_owned(), value(email)),
    ];
    let item = Item::new(item).unwrap();
    let until = tokio::time::Instant::now() + Duration::from_secs(9);
    let table = crate::stores::table("ap-northeast-1", table);
    block_on(store.put(&table, &item, WriteMode::Replace, until)).unwrap();
}

#[test]
fn users_created_by_an_admin_reach_dynamodb() {
    let dynalite = servers::dynalite();
    let table = table("ap-northeast-1", "User");
    block_on(create_table(dynalite.url(), &table));
    let pool = PoolSeed {
        id: POOL,
        client_id: "client0",
    };
    let cognito = servers::cognito_local("http://127.0.0.1:9", "poolhook", &[pool]);
    for name in ["ada", "grace", "名前"] {
        let email = format!("{name}@example.com");
        cognito.admin_create_user(POOL, name, &email).unwrap();
    }
    cognito
        .sign_up("client0", "later", "Passw0rd!", "later@example.com")
        .unwrap();
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    let run = |arguments: &[&str]| {
        let mut command = folder.with_cognito(cognito.url(), arguments);
        command.env("AWS_ENDPOINT_URL_DYNAMODB", dynalite.url());
        text(&command.output().unwrap())
    };
    let (code, _, err) = run(&["backfill", POOL, "--dynamodb", "--capacity-share=0.5"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("on-demand"), "{err}");
    let (code, _, err) = run(&["backfill", POOL, "--dynamodb", "--dry-run"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("3 to be written"), "{err}");
    assert!(block_on(items(dynalite.url(), &table)).is_empty());
    let (code, _, err) = run(&["backfill", POOL, "--dynamodb"]);
    assert_eq!(code, Some(0), "{err}");
    let written = block_on(items(dynalite.url(), &table)).into_iter();
    let written: BTreeSet<_> = written.map(|item| item.to_string()).collect();
    let expected = ["ada", "grace", "名前"].map(|name| {
        json!({ "email": { "S": format!("{name}@example.com") }, "id": { "S": name } }).to_string()
    });
    assert_eq!(written, expected.into());
    let (code, _, err) = run(&["reconcile", POOL, "--dynamodb"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        err.contains("3 present") && err.contains("0 orphaned"),
        "{err}"
    );
}
