//! No user is lost: sign-ups while everything goes wrong, and replay after it.
//!
//! `bootstrap` behind a Runtime API, and between it and ministack a proxy that
//! throttles, fails, hangs, cuts and loses answers. `POOLHOOK_SEED` chooses what
//! goes wrong, `POOLHOOK_EVENTS` how many people sign up.

mod dice;
mod history;
mod lambda;
mod people;
mod proxy;

use std::collections::HashSet;
use std::env;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use poolhook::config::Table;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::cloud::{Cloud, mapper};
use crate::support::http;
use dice::below;
use history::{Lines, Rows, State, Times, Told, check, check_puts};
use lambda::Lambda;
use people::{Kind, POOLS, Person, REFUSES_X};
use proxy::{Proxy, Weather};

/// What Cognito never has to wait longer for; it would wait 5 s.
const AT_MOST: Duration = Duration::from_millis(4500);

#[test]
fn every_event_has_one_end_and_replay_leaves_nobody_without_a_row() {
    let seed = from_env("POOLHOOK_SEED", 1);
    let events = from_env("POOLHOOK_EVENTS", 3000);
    eprintln!("POOLHOOK_SEED={seed} POOLHOOK_EVENTS={events}");
    let world = World::new();
    let people = (0..usize::try_from(events).unwrap()).map(|number| Person::any(seed, number));
    let people: Vec<_> = people.collect();
    for person in people.iter().filter(|person| person.kind == Kind::IsThere) {
        world.put_row(person);
    }

    let began = Instant::now();
    let (told, lines) = world.sign_up(people, 16, Weather::Rough(seed));
    eprintln!("{:.0?}", began.elapsed());
    for (fate, times) in world.proxy.fates() {
        eprintln!("{times:6} {fate}");
    }
    let times = Times::new(&told);
    times.print("everything goes wrong");
    let (letters, rows) = (world.letters(), world.rows());
    let states = check(&told, &lines, &rows, &digests(&letters));
    eprintln!("{states:?}, {} letters, {} rows", letters.len(), rows.len());
    assert_eq!(states.values().sum::<usize>(), told.len());
    check_puts(&told, &world.proxy.puts());
    assert!(times.percentile(100) < AT_MOST);

    // Killed at any point, and run again.
    for round in ["1", "2", "3", "4"] {
        let after = 100 + below(1500, seed, &["kill", round]);
        world.replay_and_kill(Duration::from_millis(after));
        let left = world.letters();
        eprintln!(
            "replay, killed after {after} ms: {} letters left",
            left.len()
        );
        // What is no longer kept is there.
        check(&told, &lines, &world.rows(), &digests(&letters));
        gone_are_there(&told, &letters, &left, &world.rows());
    }
    world.replay();

    let (left, rows) = (world.letters(), world.rows());
    check_puts(&told, &world.proxy.puts());
    gone_are_there(&told, &letters, &left, &rows);
    let left = digests(&left);
    let mut without = 0;
    for (person, answers) in &told {
        let state = history::state(person, answers, &lines);
        let stays = left.contains(&person.digest());
        let is_one_for_people = match person.kind {
            Kind::SignsUp | Kind::Resets | Kind::HasNoEmail | Kind::IsMalformed => false,
            Kind::IsThere | Kind::IsRefused | Kind::IsUnknown => true,
        };
        assert!(is_one_for_people || !stays, "{person:?}");
        match (person.kind, state, rows.of(person)) {
            (Kind::SignsUp, State::Rejected, None) => without += 1,
            (_, _, row) => assert_eq!(row, person.row.as_ref(), "{state:?} {person:?}"),
        }
    }
    eprintln!(
        "{} letters stay, {without} were rejected and have no row",
        left.len()
    );
}

#[test]
fn whatever_hangs_every_answer_comes_in_time() {
    let world = World::new();
    let people = |kind, range: std::ops::Range<usize>| {
        range.map(move |number| Person::new(1, kind, number % POOLS.len(), number))
    };
    let accepting = |range: std::ops::Range<usize>| {
        range.map(|number| Person::new(1, Kind::SignsUp, 2 * (number % 2), number))
    };
    let run = |what, people: Vec<Person>, weather| {
        let (told, lines) = world.sign_up(people, 8, weather);
        let times = Times::new(&told);
        times.print(what);
        assert!(times.percentile(100) < AT_MOST, "{what}");
        let states = check(&told, &lines, &world.rows(), &digests(&world.letters()));
        eprintln!("{what}: {states:?}");
        (told, states)
    };

    let (told, states) = run(
        "calm",
        people(Kind::SignsUp, 0..400).collect(),
        Weather::Calm,
    );
    assert_eq!(states.get(&State::Written), Some(&told.len()));
    let (told, states) = run(
        "throttled",
        accepting(400..800).collect(),
        Weather::Throttled,
    );
    assert_eq!(states.get(&State::DeadLettered), Some(&told.len()));
    let (told, states) = run(
        "DynamoDB hangs",
        accepting(800..848).collect(),
        Weather::Hanging {
            dynamodb: true,
            s3: false,
        },
    );
    assert_eq!(states.get(&State::DeadLettered), Some(&told.len()));
    let (told, states) = run(
        "S3 hangs",
        people(Kind::SignsUp, 848..872).collect(),
        Weather::Hanging {
            dynamodb: false,
            s3: true,
        },
    );
    // No process can start, and each says why.
    assert_eq!(states.get(&State::Rejected), Some(&told.len()));
}

fn from_env(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// AWS, with four pools.
struct World {
    cloud: Cloud,
    tables: Vec<Table>,
    proxy: Proxy,
    runtime: Runtime,
}

impl World {
    fn new() -> Self {
        let cloud = Cloud::start();
        let tables = POOLS.map(|pool| cloud.table("us-east-1", pool.table));
        cloud.put("config/host.toml", b"refresh-seconds = 1");
        for pool in POOLS {
            let key = format!("config/{}.toml", pool.id);
            cloud.put(&key, pool.config.as_bytes());
        }
        let published = cloud.publish(&mapper("one", REFUSES_X));
        assert_eq!(published.code, 0, "{}", published.stderr);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let proxy = runtime.block_on(Proxy::start(cloud.ministack.url()));
        Self {
            cloud,
            tables: tables.to_vec(),
            proxy,
            runtime,
        }
    }

    /// Everybody signs up in this weather, in a function of so many environments.
    fn sign_up(
        &self,
        people: Vec<Person>,
        environments: usize,
        weather: Weather,
    ) -> (Vec<Told>, Lines) {
        let folder = self.cloud.folder();
        self.proxy.set(weather);
        let (told, log) = self.runtime.block_on(async {
            let lambda = Lambda::start(environments, folder.path(), &self.proxy.url);
            let lambda = Arc::new(lambda);
            let at_a_time = Arc::new(Semaphore::new(environments));
            let rough = matches!(weather, Weather::Rough(_));
            let mut going_on = Vec::new();
            for person in people {
                let turn = Arc::clone(&at_a_time).acquire_owned().await.unwrap();
                let lambda = Arc::clone(&lambda);
                going_on.push(tokio::spawn(async move {
                    let answers = person.confirm(&lambda, rough).await;
                    drop(turn);
                    (person, answers)
                }));
            }
            let mut told = Vec::new();
            for one in going_on {
                told.push(one.await.unwrap());
            }
            let log = Arc::into_inner(lambda).unwrap().end().await;
            (told, log)
        });
        self.proxy.set(Weather::Calm);
        (told, Lines::new(log))
    }

    /// A row of another origin, past the proxy.
    fn put_row(&self, person: &Person) {
        let put = json!({ "TableName": person.table, "Item": person.row });
        let credential = "test/20261123/us-east-1/dynamodb/aws4_request";
        let signature =
            format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
        let response = http()
            .post(self.cloud.ministack.url())
            .header("X-Amz-Target", "DynamoDB_20120810.PutItem")
            .header("Content-Type", "application/x-amz-json-1.0")
            .header("Authorization", signature)
            .send(put.to_string());
        assert_eq!(response.unwrap().status(), 200);
    }

    fn rows(&self) -> Rows {
        let tables = POOLS.iter().zip(&self.tables);
        Rows::new(tables.map(|(pool, table)| (pool.table, self.cloud.items(table))))
    }

    /// What `dead-letters list` says.
    fn letters(&self) -> Vec<Value> {
        let list = ["dead-letters", "list", "--blobs", "s3://poolhook", "--json"];
        let listed = self.cloud.command(&list).output().unwrap();
        assert!(listed.status.success());
        let lines = String::from_utf8(listed.stdout).unwrap();
        let lines = lines.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// `dead-letters replay`, of all of them, seen by the proxy.
    fn replaying(&self) -> std::process::Command {
        let replay = ["dead-letters", "replay", "--rate", "10000", "--dynamodb"];
        let places = [
            "--blobs",
            "s3://poolhook",
            "--config",
            "s3://poolhook/config",
        ];
        let mut command = self.cloud.command(&[&replay[..], &places].concat());
        command
            .env("AWS_ENDPOINT_URL_S3", &self.proxy.url)
            .env("AWS_ENDPOINT_URL_DYNAMODB", &self.proxy.url)
            .stdout(Stdio::null());
        command
    }

    fn replay(&self) {
        let ran = self.replaying().output().unwrap();
        let said = String::from_utf8(ran.stderr).unwrap();
        // Some must stay, but none for a reason of AWS's.
        assert!(ran.status.code() < Some(2), "{said}");
        assert!(!said.contains("Store."), "{said}");
        assert!(!said.contains("Host."), "{said}");
        eprintln!("replay: {}", said.lines().last().unwrap_or_default());
    }

    fn replay_and_kill(&self, after: Duration) {
        let mut replay = self.replaying().stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(after);
        replay.kill().unwrap();
        replay.wait().unwrap();
    }
}

/// The digests of the letters' events.
fn digests(letters: &[Value]) -> HashSet<String> {
    let digest = |letter: &Value| {
        let key = letter["key"].as_str().unwrap();
        let file = key.rsplit('/').next().unwrap();
        file.strip_suffix(".json").unwrap().to_owned()
    };
    letters.iter().map(digest).collect()
}

/// Whose letter is gone has a row, or must have none.
fn gone_are_there(told: &[Told], before: &[Value], left: &[Value], rows: &Rows) {
    let (before, left) = (digests(before), digests(left));
    assert!(left.is_subset(&before));
    for (person, answers) in told {
        let digest = person.digest();
        if before.contains(&digest) && !left.contains(&digest) {
            assert_eq!(
                rows.of(person),
                person.row.as_ref(),
                "{person:?} {answers:?}"
            );
        }
    }
}
