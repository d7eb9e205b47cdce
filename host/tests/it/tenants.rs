//! One tenant's plugin and the other tenants: what it can cost a host, and that no other
//! tenant is affected.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use poolhook::config::PublishLimits;
use poolhook::digest::Sha256;
use poolhook::plugin::{ENGINE, TARGET};
use poolhook::publish::{Checker, Published, Publisher, Rejected};
use poolhook::releases::{Live, artifact_key, release_key};
use poolhook::timestamp::Timestamp;
use serde_json::Value;

use crate::aws_fixtures::{Cloud, mapper as shaped, mapper_with, until};
use crate::command_line::text;
use crate::faults::lambda::{Configuration, End, Lambda};
use crate::hostile::{hostile, plugin_name};
use crate::release_fixtures::{ACME, Lab, at, entry, large_mapper, machine_code, mapper, upload};
use crate::servers::{self, CODE, PoolSeed};
use crate::support::{POOL, TestFolder, block_on, event, failure, http};

/// The largest artifact of any host.
const MAX_ARTIFACT_BYTES: usize = 64 << 20;

#[test]
fn machine_code_over_the_limit_is_rejected_and_nothing_of_it_is_stored() {
    let lab = Lab::new();
    lab.publish_version(1, at(1));
    let limits = PublishLimits {
        artifact_bytes: 1 << 20,
        ..PublishLimits::default()
    };
    let (large, before) = (large_mapper(1), files(&lab));
    assert!(large.len() < 8 << 10, "{} bytes", large.len());
    let rejected = reject(&lab, &lab.publisher_with(limits), large.clone(), at(2));
    assert_eq!(rejected.name(), "Upload.ArtifactTooLarge");
    assert!(
        rejected.to_string().contains("at most 1048576"),
        "{rejected}"
    );
    assert!(rejected.advice().contains("publish.artifact-bytes"));
    assert_eq!(lab.live(ACME), Some(Sha256::of(&mapper(1))));
    let new: Vec<_> = files(&lab)
        .into_iter()
        .filter(|file| !before.contains(file))
        .collect();
    assert_eq!(new, ["rejections/acme.json"]);

    // The machine code is too large, not the component.
    let accepted = lab.publish(ACME, large, at(3)).unwrap();
    assert!(matches!(accepted, Published::Live(_)), "{accepted:?}");
    lab.mapped_with();
}

#[test]
fn a_host_downloads_no_machine_code_over_the_limit() {
    let lab = Lab::new();
    let mut release = lab.lay(ACME, &mapper(1), &machine_code());
    release.artifacts[0].bytes = 1 + MAX_ARTIFACT_BYTES as u64;
    lab.put_release(&release);
    assert_eq!(failure(&lab.sign_up()), "Plugin.ArtifactTooLarge");
    assert_eq!(lab.blobs.code_reads(), 0, "by the size in the release");

    // A release whose size is smaller than its object's.
    release.artifacts[0].bytes = 1000;
    lab.put_release(&release);
    let key = artifact_key(release.sha256, &release.artifacts[0]);
    lab.put(&key, vec![0; MAX_ARTIFACT_BYTES + 1]);
    assert_eq!(failure(&lab.sign_up()), "Plugin.ArtifactTooLarge");
    let host = lab.host_with(None);
    let report = lab.handle(&host, &event("confirm-sign-up"));
    assert_eq!(
        failure(&report),
        "Plugin.ArtifactTooLarge",
        "nor into memory"
    );
    assert!(fs::read_dir(lab.cache()).unwrap().next().is_none());

    // `plugin rebuild` compiles loadable code from the same component.
    let (code, _, err) = run(&lab, &["plugin", "rebuild"]);
    assert_eq!(code, Some(0), "{err}");
    lab.mapped_with();
}

#[test]
fn a_child_that_a_signal_ends_is_a_rejection_that_names_the_signal() {
    let lab = Lab::new();
    lab.publish_version(1, at(1));
    let rejects = |script: &str| {
        let program = lab.folder.path().join("compiler");
        write_script(&program, script);
        let publisher = Publisher::new(
            lab.releases(),
            Checker::new(PublishLimits::default(), program),
        );
        let rejected = reject(&lab, &publisher, mapper(2), at(2));
        assert_eq!(rejected.name(), "Upload.CompilerFailed", "{script}");
        let (releases, acme) = (lab.releases(), plugin_name(ACME));
        let rejection = lab.runtime.block_on(releases.rejection(&acme));
        let told = rejection.unwrap().unwrap().error_message;
        assert_eq!(told, rejected.to_string());
        assert_eq!(lab.live(ACME), Some(Sha256::of(&mapper(1))));
        told
    };
    for signal in ["SEGV", "BUS", "ILL", "FPE", "TRAP", "ABRT", "TERM", "SYS"] {
        let told = rejects(&format!("kill -{signal} $$"));
        assert!(told.contains(&format!("SIG{signal}")), "{told}");
    }
    // A missing or malformed answer of the child is not an acceptance.
    for answer in ["", "{}", r#"{"made":{"sample":null}}\n"#, r"\0\n"] {
        rejects(&format!("printf '{answer}'"));
    }
}

/// Releases from before proposals were turned off.
#[test]
fn rebuild_names_releases_that_the_rules_now_reject_and_leaves_them() {
    let lab = Lab::new();
    let refused = hostile("gc-only-for-one-user");
    let mut release = lab.lay("refused", &refused, b"of another engine");
    release.artifacts = vec![entry("wasmtime-48.0.8-0", TARGET, b"of another engine")];
    lab.put_release(&release);
    let mut good = lab.lay(ACME, &mapper(1), b"of another engine");
    good.artifacts = vec![entry("wasmtime-48.0.8-0", TARGET, b"of another engine")];
    lab.put_release(&good);
    // No event ran before, either.
    assert_eq!(failure(&lab.sign_up()), "Plugin.NoArtifact");

    let document = |lab: &Lab| {
        let key = release_key(&release.plugin, release.sha256);
        fs::read(lab.folder.path().join("poolhook.blobs").join(key.as_str())).unwrap()
    };
    let (files_before, document_before) = (files(&lab), document(&lab));
    let (code, out, err) = run(&lab, &["plugin", "rebuild", "--json"]);
    assert_eq!(code, Some(1), "{err}");
    let lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let outcomes: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["plugin"].as_str().unwrap(),
                line["outcome"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(outcomes, [(ACME, "built"), ("refused", "failed")]);
    let error = &lines[1]["error"];
    assert_eq!(error["errorType"], "Plugin.NeedsFeature");
    assert!(
        error["errorMessage"].as_str().unwrap().contains("gc"),
        "{error}"
    );
    assert!(!error["advice"].as_str().unwrap().is_empty());
    let (_, _, err) = run(&lab, &["plugin", "rebuild"]);
    assert!(
        err.contains("refused sha256:") && err.contains("Plugin.NeedsFeature"),
        "{err}"
    );

    assert_eq!(document(&lab), document_before);
    assert_eq!(lab.live("refused"), Some(release.sha256));
    let digest = release.sha256.to_string();
    let of_it = |file: &&String| file.contains(&digest);
    assert!(
        files(&lab)
            .iter()
            .filter(of_it)
            .eq(files_before.iter().filter(of_it))
    );
    lab.mapped_with();
    let (_, out, _) = run(&lab, &["plugin", "show", ACME]);
    assert!(!out.contains("not built"), "{out} for {ENGINE}");
}

#[test]
fn an_upload_that_once_crashed_serve_is_rejected_and_serve_survives() {
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    let uploads = folder.path().join("poolhook.blobs/uploads/acme");
    fs::create_dir_all(&uploads).unwrap();
    fs::write(uploads.join("v1.wasm"), hostile("gc-call-of-a-subtype")).unwrap();
    let serve = folder.serve(&[], &[]);
    let rejection = folder.path().join("poolhook.blobs/rejections/acme.json");
    let found = until(Duration::from_mins(1), || fs::read(&rejection).ok());
    let found: Value = serde_json::from_slice(&found.unwrap()).unwrap();
    assert_eq!(found["errorType"], "Plugin.NeedsFeature", "{}", serve.log());
    let raw = event("confirm-sign-up");
    let answer = http().post(serve.invocations()).send(&raw[..]);
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(folder.items("User").len(), 1);
}

/// Tenants' pools, and what their plugins do with a user whose name starts with z. The
/// sample user's name does not.
const WORST: [(&str, &str); 8] = [
    ("us-east-1_Memory", "(call $fill (i32.const 510))"),
    ("us-east-1_Memories", "(call $fill-all)"),
    (
        "us-east-1_Endless",
        "(loop $l (call $fill (i32.const 0)) (br $l))",
    ),
    ("us-east-1_Fuel", "(loop $l (br $l))"),
    (
        "us-east-1_Stack",
        "(drop (call $to_item (local.get $arguments)))",
    ),
    (
        "us-east-1_Log",
        "(loop $l (call $log (i32.const 1) (i32.const 0) (i32.const 4096)) (br $l))",
    ),
    (
        "us-east-1_Table",
        "(drop (table.grow $t (ref.null func) (i32.const 19999))) (unreachable)",
    ),
    ("us-east-1_Trap", "(unreachable)"),
];
/// The module parts that these plugins use.
const PARTS: &str = "
    (memory $a 0) (memory $b 0) (memory $c 0) (memory $d 0) (memory $e 0) (memory $f 0)
    (table $t 1 funcref)
    (func $fill (param $pages i32)
      (drop (memory.grow (local.get $pages)))
      (memory.fill (i32.const 131072) (i32.const 1)
        (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 131072))))
    (func $fill-all
      (call $fill (i32.const 60))
      (drop (memory.grow $a (i32.const 75)))
      (memory.fill $a (i32.const 0) (i32.const 1) (i32.const 4915200))
      (drop (memory.grow $b (i32.const 75)))
      (memory.fill $b (i32.const 0) (i32.const 1) (i32.const 4915200))
      (drop (memory.grow $c (i32.const 75)))
      (memory.fill $c (i32.const 0) (i32.const 1) (i32.const 4915200))
      (drop (memory.grow $d (i32.const 75)))
      (memory.fill $d (i32.const 0) (i32.const 1) (i32.const 4915200))
      (drop (memory.grow $e (i32.const 75)))
      (memory.fill $e (i32.const 0) (i32.const 1) (i32.const 4915200))
      (drop (memory.grow $f (i32.const 75)))
      (memory.fill $f (i32.const 0) (i32.const 1) (i32.const 4915200)))";
const GOOD: &str = "us-east-1_Good";
const LARGE: &str = "us-east-1_Large";
/// The number of functions of the largest component, which has 63.5 MiB of machine code.
const FUNCTIONS: usize = 21;
const ROUNDS: usize = 6;
/// Cognito waits 5 s; poolhook answers within 4 s.
const IN_TIME: Duration = Duration::from_secs(4);

/// A host with 128 MiB alternates between events of a good tenant and of the worst
/// plugins that publishing accepts, while the largest machine code becomes live again
/// and again.
#[test]
fn a_good_tenants_events_are_in_time_next_to_the_worst_plugins() {
    let cloud = Cloud::start();
    let table = cloud.table("us-east-1", "User");
    cloud.put("config/host.toml", b"refresh-seconds = 1");
    let largest = publish_the_worst(&cloud);

    let limited = Limited::new();
    let function = limited.function(&cloud);
    let folder = cloud.folder();
    let work = async {
        let lambda = Lambda::start_with(1, folder.path(), &function);
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for number in 0..ROUNDS {
            let live = Live {
                sha256: Sha256::of(&largest[number % 2]),
                since: at(number as u64),
            };
            let live = serde_json::to_vec(&live).unwrap();
            cloud.put("releases/large/live.json", &live);
            for (pool, _) in WORST.iter().chain([&(LARGE, "")]) {
                let raw = sign_up(pool, &format!("zoe-{number}"));
                let id = format!("{pool}-{number}");
                bad.push((*pool, lambda.invoke(id, raw, None).await));
                for next in 0..3 {
                    let user = format!("ada-{number}-{next}-{pool}");
                    let raw = sign_up(GOOD, &user);
                    let answer = lambda.invoke(user.clone(), raw.clone(), None).await;
                    good.push((user, raw, answer));
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
        (good, bad, lambda.end().await)
    };
    let (good, bad, log) = block_on(work);

    let errors = fs::read_to_string(folder.path().join("0/errors")).unwrap();
    let mut times: Vec<_> = good.iter().map(|(_, _, answer)| answer.took).collect();
    times.sort();
    eprintln!(
        "{}; {} good events: median {:?}, longest {:?}",
        limited.report(),
        times.len(),
        times[times.len() / 2],
        times[times.len() - 1],
    );
    for (user, raw, answer) in &good {
        assert_eq!(answer.end, End::Event(raw.clone()), "{user}: {errors}");
        assert!(answer.took < IN_TIME, "{user}: {:?}", answer.took);
    }
    let rows = cloud.items(&table);
    let id = |row: &Value| row["id"]["S"].as_str().unwrap().to_owned();
    let rows: HashSet<_> = rows.iter().map(id).collect();
    let lost = good.iter().filter(|(user, ..)| !rows.contains(user));
    assert_eq!(lost.count(), 0, "of {}", good.len());
    for (pool, answer) in &bad {
        // Written or dead-lettered, and the host survives.
        let lives = matches!(answer.end, End::Event(_)) && answer.took < Duration::from_secs(5);
        assert!(lives, "{pool}: {answer:?}: {errors}");
    }
    if limited.cgroup.is_none() {
        // This limit counts mapped code as writable, so not all of it loads.
        return;
    }
    let went_live = log.iter().filter(|line| line["notice"] == "new release");
    let of_large = log.iter().filter(|line| line["userPoolId"] == LARGE);
    let of_large: Vec<_> = of_large
        .map(|line| (&line["outcome"], &line["message"]))
        .collect();
    assert!(went_live.count() > 0, "{of_large:?}");
}

/// What Lambda does with a process that dies is not tested here: it answers Cognito with
/// an error, counts it, and starts another process.
#[test]
fn a_killed_host_loses_only_its_own_event_and_reconcile_finds_that_user() {
    const CLIENT: &str = "client0of0good";
    let cloud = Cloud::start();
    let table = cloud.table("us-east-1", "User");
    let pool = PoolSeed {
        id: GOOD,
        client_id: CLIENT,
    };
    let cognito = servers::cognito_local("http://127.0.0.1:9", "poolhook", &[pool]);
    let users = ["zoe", "zack", "ada", "eve"];
    for user in users {
        let email = format!("{user}@example.com");
        cognito.sign_up(CLIENT, user, "Passw0rd!", &email).unwrap();
        cognito.confirm_sign_up(CLIENT, user, CODE).unwrap();
    }
    let takes_all = "memory-bytes = 1_073_741_824, fuel = 10_000_000_000, time-ms = 1000";
    let config = format!("table = 'User'\nplugin = 'acme'\nlimits = {{ {takes_all} }}");
    cloud.put(&format!("config/{GOOD}.toml"), config.as_bytes());
    // For zoe, as long as the limits allow; for zack, all the memory of a machine.
    let begins = |letters: u32| {
        let name = "(i32.load16_u (i32.load offset=28 (local.get $arguments)))";
        format!("(i32.eq {name} (i32.const {letters}))")
    };
    let [zo, za] = [b"zo", b"za"].map(|two| begins(u16::from_le_bytes(*two).into()));
    let does = format!(
        "(if {zo} (then (loop $l (br $l)))) (if {za} (then (call $fill (i32.const 16000))))"
    );
    assert_eq!(cloud.publish(&mapper_with("bad", &does, PARTS)).code, 0);

    let limited = Limited::new();
    let function = limited.function(&cloud);
    let folder = cloud.folder();
    let (ends, log) = block_on(async {
        let lambda = Lambda::start_with(1, folder.path(), &function);
        let mut ends = Vec::new();
        let killed = Some(Duration::from_millis(600));
        for (user, dies) in users.into_iter().zip([killed, None, None, None]) {
            let answer = lambda.invoke(user.into(), sign_up(GOOD, user), dies);
            ends.push(answer.await.end);
        }
        (ends, lambda.end().await)
    });
    assert_eq!(ends[0], End::Died, "{log:?}");
    if limited.cgroup.is_some() {
        assert_eq!(ends[1], End::Died, "{log:?}");
    }
    for end in &ends[2..] {
        assert!(matches!(end, End::Event(_)), "{ends:?}");
    }
    let rows = || {
        let rows = cloud.items(&table);
        let id = |row: &Value| row["id"]["S"].as_str().unwrap().to_owned();
        rows.iter().map(id).collect::<BTreeSet<_>>()
    };
    assert!(rows().contains("ada") && rows().contains("eve"), "{log:?}");
    assert!(!rows().contains("zoe"), "{log:?}");

    // The tenant's next version is good.
    assert_eq!(cloud.publish(&shaped("fit", "")).code, 0);
    let reconcile = |arguments: &[&str]| {
        let locations = [
            "--config",
            "s3://poolhook/config",
            "--blobs",
            "s3://poolhook",
        ];
        let reconcile = ["reconcile", GOOD, "--dynamodb"];
        let mut command = cloud.command(&[&reconcile[..], &locations, arguments].concat());
        command.env("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", cognito.url());
        text(&command.output().unwrap())
    };
    let missing = users.len() - rows().len();
    let (code, _, err) = reconcile(&[]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains(&format!("{missing} missing")), "{err}");
    let (_, _, err) = reconcile(&["--apply"]);
    assert_eq!(rows(), users.map(str::to_owned).into(), "{err}");
}

/// Publishes the worst plugins; returns the two components that alternate as the live release
/// of `large`.
fn publish_the_worst(cloud: &Cloud) -> [Vec<u8>; 2] {
    let publish = |pool: &str, component: &[u8]| {
        let plugin = pool.trim_start_matches("us-east-1_").to_lowercase();
        let published = cloud.publish_as(&plugin, component);
        assert_eq!(published.code, 0, "{plugin}: {}", published.stderr);
        let config = format!("table = 'User'\nplugin = '{plugin}'");
        cloud.put(&format!("config/{pool}.toml"), config.as_bytes());
    };
    publish(GOOD, &shaped("fit", ""));
    for (pool, does) in WORST {
        let letter = "(i32.load8_u (i32.load offset=28 (local.get $arguments)))";
        let worst = format!("(if (i32.eq {letter} (i32.const 122)) (then {does}))");
        publish(pool, &mapper_with("bad", &worst, PARTS));
    }
    let largest = [FUNCTIONS, FUNCTIONS - 1].map(large_mapper);
    thread::scope(|scope| {
        for (component, file) in largest.iter().zip(["one", "other"]) {
            // The one that ends first is superseded, but is still a release.
            scope.spawn(move || {
                let published = cloud.publish_from(file, "large", component);
                assert!(published.code < 2, "{}", published.stderr);
                assert_eq!(published.stdout.trim(), Sha256::of(component).to_string());
            });
        }
    });
    let config = b"table = 'User'\nplugin = 'large'";
    cloud.put(&format!("config/{LARGE}.toml"), config);
    largest
}

fn sign_up(pool: &str, user: &str) -> String {
    let mut event: Value = serde_json::from_slice(&event("confirm-sign-up")).unwrap();
    event["userPoolId"] = pool.into();
    event["userName"] = user.into();
    event.to_string()
}

/// 128 MiB, the memory of the smallest Lambda function, as the limit of a process whose
/// shell starts with `first`: of all memory, by a cgroup, if this process may create one;
/// otherwise of writable memory.
struct Limited {
    first: String,
    cgroup: Option<PathBuf>,
}

impl Limited {
    const BYTES: u64 = 128 << 20;

    fn new() -> Self {
        let name = format!("poolhook-tests-{}", std::process::id());
        let all = Path::new("/sys/fs/cgroup");
        for (root, limit) in [
            (all.join("memory"), "memory.limit_in_bytes"), // version 1
            (all.to_owned(), "memory.max"),                // version 2
        ] {
            let cgroup = root.join(&name);
            if !root.join("cgroup.procs").exists() || fs::create_dir(&cgroup).is_err() {
                continue;
            }
            let limited = Self {
                first: format!("echo $$ > {}/cgroup.procs", cgroup.display()),
                cgroup: Some(cgroup.clone()),
            };
            if fs::write(cgroup.join(limit), Self::BYTES.to_string()).is_ok() {
                return limited;
            }
        }
        Self {
            first: format!("ulimit -d {}", Self::BYTES >> 10),
            cgroup: None,
        }
    }

    /// A function whose one process has this memory, and is never replaced.
    fn function(&self, cloud: &Cloud) -> Configuration {
        Configuration {
            aws: cloud.ministack.url().to_owned(),
            first: Some(self.first.clone()),
            events: usize::MAX,
        }
    }

    fn report(&self) -> String {
        let Some(cgroup) = &self.cgroup else {
            return "limited by ulimit".to_owned();
        };
        let read = |file| fs::read_to_string(cgroup.join(file)).ok();
        let peak = read("memory.max_usage_in_bytes").or_else(|| read("memory.peak"));
        let killed = read("memory.oom_control").or_else(|| read("memory.events"));
        let killed = killed.unwrap_or_default();
        let killed = killed.lines().find(|line| line.starts_with("oom_kill "));
        format!(
            "limited by a cgroup, peak {:?}, {killed:?}",
            peak.as_deref().map(str::trim)
        )
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        if let Some(cgroup) = &self.cgroup {
            let _ = fs::remove_dir(cgroup);
        }
    }
}

/// Publishes a component that must be rejected.
fn reject(lab: &Lab, publisher: &Publisher, component: Vec<u8>, uploaded: Timestamp) -> Rejected {
    let upload = upload(ACME, component, uploaded);
    let outcome = lab.runtime.block_on(publisher.publish(&upload)).unwrap();
    match outcome {
        Published::Rejected(rejected) => rejected,
        accepted => panic!("{accepted:?}"),
    }
}

/// Written by another process: a file that this process has just written may still be open
/// in one that another test thread is starting, and then could not be executed.
fn write_script(file: &Path, script: &str) {
    let write = r#"printf '#!/bin/sh\n%s\n' "$1" > "$0" && chmod 700 "$0""#;
    let mut shell = Command::new("/bin/sh");
    let done = shell.args(["-c", write]).arg(file).arg(script).status();
    assert!(done.unwrap().success());
}

/// Exit code, standard output and standard error.
fn run(lab: &Lab, arguments: &[&str]) -> (Option<i32>, String, String) {
    text(&lab.folder.poolhook(arguments))
}

fn files(lab: &Lab) -> Vec<String> {
    let listed = lab.releases();
    let listed = lab.runtime.block_on(listed.blobs().list("")).unwrap();
    listed
        .into_iter()
        .map(|blob| blob.key.to_string())
        .collect()
}
