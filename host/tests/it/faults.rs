//! No user is lost: sign-ups while everything fails, and replay afterwards.
//!
//! `bootstrap` has a Runtime API in front, and between it and ministack a proxy that
//! throttles, fails, hangs, cuts connections and loses answers. `POOLHOOK_SEED` seeds the
//! faults, `POOLHOOK_EVENTS` is the number of sign-ups. The seed is printed.

mod dice;
mod history;
pub(crate) mod lambda;
mod people;
mod proxy;

use std::collections::HashSet;
use std::env;
use std::ops::Range;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use poolhook::config::Table;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::aws_fixtures::{Cloud, mapper};
use crate::support::http;
use dice::below;
use history::{Lines, Rows, State, Times, Told, check, check_puts};
use lambda::Lambda;
use people::{Kind, POOLS, Person, REFUSES_X};
use proxy::{Proxy, Weather};

/// One test at a time: they measure times, on a machine with few cores.
static TURN: Mutex<()> = Mutex::new(());

/// The longest time until an answer. Cognito would wait 5 s.
const AT_MOST: Duration = Duration::from_millis(4500);

#[test]
fn every_event_has_one_outcome_and_replay_leaves_no_user_without_a_row() {
    let seed = from_env("POOLHOOK_SEED", 1);
    let events = from_env("POOLHOOK_EVENTS", 2000);
    eprintln!("POOLHOOK_SEED={seed} POOLHOOK_EVENTS={events}");
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let world = World::new();
    let people = (0..usize::try_from(events).unwrap()).map(|number| Person::any(seed, number));
    let people: Vec<_> = people.collect();
    for person in people.iter().filter(|person| person.kind == Kind::IsThere) {
        world.put_row(person);
    }

    let (told, lines) = world.sign_up(24, vec![(Weather::Rough(seed), people)]);
    let told = told.concat();
    for (fate, times) in world.proxy.fates() {
        eprintln!("{times:6} {fate}");
    }
    let times = Times::new(&told);
    times.print("everything goes wrong");
    let (letters, rows) = (world.letters(), world.rows());
    let states = check(&told, &lines, &rows, &digests(&letters));
    eprintln!(
        "{states:?}, {} dead letters, {} rows",
        letters.len(),
        rows.len()
    );
    assert_eq!(states.values().sum::<usize>(), told.len());
    check_puts(&told, &world.proxy.puts());
    assert!(times.percentile(100) < AT_MOST);

    // Killed at any point, and run again.
    let mut left = letters.clone();
    for round in 1..=6 {
        // A replayed dead letter takes one to four requests.
        let most = 2 * left.len() as u64;
        let after = 1 + below(most, seed, &["kill", &round.to_string()]);
        let killed = world.replay_and_kill(after);
        left = world.letters();
        let (what, count) = (if killed { "killed" } else { "done" }, left.len());
        eprintln!("replay, {what} after {after} requests: {count} dead letters left");
        gone_are_there(&told, &letters, &left, &world.rows());
        check_puts(&told, &world.proxy.puts());
    }
    world.replay();

    let (left, rows) = (world.letters(), world.rows());
    check_puts(&told, &world.proxy.puts());
    gone_are_there(&told, &letters, &left, &rows);
    let left = digests(&left);
    let mut without = 0;
    for (person, answers) in &told {
        let end = history::state(person, answers, &lines);
        let stays = left.contains(&person.digest());
        let is_one_for_people = match person.kind {
            Kind::SignsUp | Kind::Resets | Kind::HasNoEmail => false,
            Kind::IsThere | Kind::IsRefused | Kind::IsUnknown | Kind::IsMalformed => true,
        };
        assert!(is_one_for_people || !stays, "{person:?}");
        match (person.kind, end, rows.of(person)) {
            (Kind::SignsUp, State::Rejected, None) => without += 1,
            (_, _, row) => assert_eq!(row, person.row.as_ref(), "{end:?} {person:?}"),
        }
    }
    eprintln!(
        "{} dead letters left, {without} people were rejected and have no row",
        left.len()
    );
}

#[test]
fn every_answer_comes_in_time_whatever_hangs() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let world = World::new();
    let people = |range: Range<usize>| -> Vec<_> {
        let person = |number| Person::new(1, Kind::SignsUp, number % POOLS.len(), number);
        range.map(person).collect()
    };
    let accepting = |range: Range<usize>| -> Vec<_> {
        let person = |number| Person::new(1, Kind::SignsUp, 2 * (number % 2), number);
        range.map(person).collect()
    };
    // The calm comes first, so that the faults meet warm processes, and cold ones where
    // those have ended.
    let (calm, throttled) = (people(0..400), accepting(400..560));
    let hanging = accepting(800..816);
    let stages = vec![
        (Weather::Calm, calm),
        (Weather::Throttled, throttled),
        (Weather::NoDynamoDb, hanging),
        (Weather::Stumbling, accepting(832..848)),
        (Weather::Conflicting, accepting(880..896)),
        (Weather::Nothing, accepting(848..856)),
    ];
    let (warm, lines) = world.sign_up(8, stages);
    let end = |what: &str, told: &[Told], lines: &Lines, letters: &HashSet<String>| {
        let times = Times::new(told);
        times.print(what);
        assert!(times.percentile(100) < AT_MOST, "{what}");
        let ends = check(told, lines, &world.rows(), letters);
        eprintln!("{what}: {ends:?}");
        // A dead-lettered event is accepted at the first attempt.
        let first = told.iter().all(|(_, answers)| answers.len() == 1);
        assert!(first || !ends.contains_key(&State::DeadLettered), "{what}");
        assert_eq!(ends.len(), 1, "{what}");
        *ends.keys().next().unwrap()
    };
    let [calm, throttled, hanging, stumbling, conflicting, nothing] = &warm[..] else {
        unreachable!()
    };
    let letters = digests(&world.letters());
    for (what, told, state) in [
        ("calm", calm, State::Written),
        ("throttled", throttled, State::DeadLettered),
        ("DynamoDB hangs", hanging, State::DeadLettered),
        (
            "DynamoDB hangs, S3 stumbles",
            stumbling,
            State::DeadLettered,
        ),
        ("throttled, S3 conflicts", conflicting, State::DeadLettered),
        ("all hangs", nothing, State::Rejected),
    ] {
        assert_eq!(end(what, told, &lines, &letters), state, "{what}");
    }

    for (what, weather, range, state) in [
        ("cold, S3 hangs", Weather::NoS3, 856..860, State::Rejected),
        ("cold, slow", Weather::Slow, 864..868, State::DeadLettered),
    ] {
        let (told, lines) = world.sign_up(4, vec![(weather, accepting(range))]);
        let letters = digests(&world.letters());
        assert_eq!(end(what, &told.concat(), &lines, &letters), state);
    }
}

fn from_env(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// AWS with four pools.
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

    /// All people sign up, with one set of faults after the other, in one function with this
    /// number of environments.
    fn sign_up(
        &self,
        environments: usize,
        stages: Vec<(Weather, Vec<Person>)>,
    ) -> (Vec<Vec<Told>>, Lines) {
        let folder = self.cloud.folder();
        let (told, log) = self.runtime.block_on(async {
            let lambda = Arc::new(Lambda::start(environments, folder.path(), &self.proxy.url));
            let mut told = Vec::new();
            for (weather, people) in stages {
                self.proxy.set(weather);
                told.push(confirm_all(&lambda, environments, people, weather).await);
            }
            let log = Arc::into_inner(lambda).unwrap().end().await;
            (told, log)
        });
        self.proxy.set(Weather::Calm);
        (told, Lines::new(log))
    }

    /// Puts a row from another source, without the proxy.
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

    /// The dead letters, from `dead-letters list`.
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

    /// `dead-letters replay` of all dead letters, through the proxy.
    fn replaying(&self) -> std::process::Command {
        let replay = ["dead-letters", "replay", "--rate", "10000", "--dynamodb"];
        let locations = [
            "--blobs",
            "s3://poolhook",
            "--config",
            "s3://poolhook/config",
        ];
        let mut command = self.cloud.command(&[&replay[..], &locations].concat());
        command
            .env("AWS_ENDPOINT_URL_S3", &self.proxy.url)
            .env("AWS_ENDPOINT_URL_DYNAMODB", &self.proxy.url)
            .stdout(Stdio::null());
        command
    }

    fn replay(&self) {
        let ran = self.replaying().output().unwrap();
        let said = String::from_utf8(ran.stderr).unwrap();
        // Some must be left, but none because of AWS.
        assert!(ran.status.code() < Some(2), "{said}");
        assert!(!said.contains("Store."), "{said}");
        assert!(!said.contains("Host."), "{said}");
        eprintln!("replay: {}", said.lines().last().unwrap_or_default());
    }

    /// Kills a replay after this number of requests; returns whether it was still running.
    fn replay_and_kill(&self, after: u64) -> bool {
        let mut replay = self.replaying();
        replay.stderr(Stdio::null());
        let work = async {
            let mut replay = tokio::process::Command::from(replay);
            let requests = self.proxy.after(after);
            let mut replay = replay.spawn().unwrap();
            tokio::select! {
                () = requests => {
                    replay.kill().await.unwrap();
                    true
                }
                _ = replay.wait() => false,
            }
        };
        self.runtime.block_on(work)
    }
}

async fn confirm_all(
    lambda: &Arc<Lambda>,
    at_a_time: usize,
    people: Vec<Person>,
    weather: Weather,
) -> Vec<Told> {
    let at_a_time = Arc::new(Semaphore::new(at_a_time));
    let rough = matches!(weather, Weather::Rough(_));
    let mut going_on = Vec::new();
    for person in people {
        let turn = Arc::clone(&at_a_time).acquire_owned().await.unwrap();
        let lambda = Arc::clone(lambda);
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
    told
}

/// The digests of the dead letters' events.
fn digests(letters: &[Value]) -> HashSet<String> {
    let digest = |letter: &Value| {
        let key = letter["key"].as_str().unwrap();
        let file = key.rsplit('/').next().unwrap();
        file.strip_suffix(".json").unwrap().to_owned()
    };
    letters.iter().map(digest).collect()
}

/// An event whose dead letter was deleted has a row, or must have none; dead letters that
/// replay cannot write are left.
fn gone_are_there(told: &[Told], before: &[Value], left: &[Value], rows: &Rows) {
    let (before, left) = (digests(before), digests(left));
    assert!(left.is_subset(&before));
    for (person, answers) in told {
        let digest = person.digest();
        if before.contains(&digest) && !left.contains(&digest) {
            let can_be_done = [Kind::SignsUp, Kind::Resets, Kind::HasNoEmail];
            assert!(can_be_done.contains(&person.kind), "{person:?}");
            assert_eq!(
                rows.of(person),
                person.row.as_ref(),
                "{person:?} {answers:?}"
            );
        }
    }
}
