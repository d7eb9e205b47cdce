//! Wherever a publish is interrupted, the live release can be loaded, and the next publish
//! succeeds.

use std::fs;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use aws_sdk_s3::Client;
use poolhook::blobs::s3::{S3, Timeouts};
use poolhook::digest::Sha256;
use poolhook::plugin::TARGET;

use crate::hostile::plugin_name;
use crate::release_fixtures::{ACME, Fault, Lab, at, entry, machine_code, mapper, upload};
use crate::support::{POOL, TestFolder, event};
use crate::{blobs, servers};

#[test]
fn a_crash_at_any_write_leaves_the_old_or_the_new_release_live_in_a_folder() {
    cut_everywhere(&Lab::new());
}

#[test]
fn a_crash_at_any_write_leaves_the_old_or_the_new_release_live_in_s3() {
    let server = servers::ministack();
    let mut lab = Lab::new();
    let config = lab.runtime.block_on(blobs::config(server.url()));
    let client = Client::new(&config);
    let made = client.create_bucket().bucket("plugins").send();
    lab.runtime.block_on(made).unwrap();
    let s3 = S3::new(
        &config,
        "plugins".into(),
        "a/prefix/".into(),
        Timeouts::Batch,
    );
    let runtime = lab.runtime;
    lab = Lab::with(TestFolder::new(&[]), Arc::new(s3));
    // Connections belong to the runtime that created them.
    lab.runtime = runtime;
    cut_everywhere(&lab);
}

/// An operation that writes, and what may be live during it.
struct Work {
    name: &'static str,
    /// The number of writes.
    writes: usize,
    /// Sets up the state before it.
    prepare: fn(&Round<'_>),
    run: fn(&Round<'_>) -> Result<(), String>,
    /// The version that is live before it; `None` if the host can load no version.
    old: Option<usize>,
    new: usize,
}

/// One interruption, with a plugin and versions of its own.
struct Round<'a> {
    lab: &'a Lab,
    plugin: String,
    versions: usize,
}

const WORKS: [Work; 5] = [
    Work {
        name: "first",
        writes: 5,
        prepare: |_| {},
        run: |round| round.publish(1, 1),
        old: None,
        new: 1,
    },
    Work {
        name: "second",
        writes: 5,
        prepare: |round| round.lay(1),
        run: |round| round.publish(2, 2),
        old: Some(1),
        new: 2,
    },
    Work {
        name: "again",
        writes: 5,
        prepare: |round| round.lay(1),
        run: |round| round.publish(1, 2),
        old: Some(1),
        new: 1,
    },
    Work {
        name: "rollback",
        writes: 1,
        prepare: |round| {
            round.lay(1);
            round.lay(2);
        },
        run: |round| {
            let to = Some(round.digest(1));
            let (releases, plugin) = (round.lab.releases(), plugin_name(&round.plugin));
            let rolled = releases.roll_back(&plugin, to, at(5));
            let rolled = round.lab.runtime.block_on(rolled);
            rolled.map(|_| ()).map_err(|error| error.to_string())
        },
        old: Some(2),
        new: 1,
    },
    Work {
        name: "rebuild",
        writes: 3,
        prepare: |round| {
            let component = mapper(round.versions + 1);
            let mut release = round
                .lab
                .lay(&round.plugin, &component, b"of another engine");
            release.artifacts = vec![entry("wasmtime-36.0.2", TARGET, b"of another engine")];
            round.lab.put_release(&release);
        },
        run: |round| {
            let publisher = round.lab.publisher();
            let rebuild = async {
                let plugin = plugin_name(&round.plugin);
                let release = publisher
                    .releases()
                    .release(&plugin, round.digest(1))
                    .await?;
                // A host that still has the other engine finds its machine code.
                assert!(release.artifact("wasmtime-36.0.2", TARGET).is_some());
                publisher.rebuild(&release).await
            };
            let rebuilt = round.lab.runtime.block_on(rebuild);
            rebuilt.map(|_| ()).map_err(|error| error.text())
        },
        old: None,
        new: 1,
    },
];

fn cut_everywhere(lab: &Lab) {
    let mut versions = 0;
    for work in &WORKS {
        let locations = (1..=work.writes).flat_map(|write| [(write, false), (write, true)]);
        for (write, after) in locations {
            versions += 10;
            let plugin = format!("{}-{write}-{after}", work.name);
            let runs = format!("table = 'User'\nplugin = '{plugin}'\nwrite = 'replace'");
            lab.folder.configure(POOL, &runs);
            let round = Round {
                lab,
                plugin,
                versions,
            };
            (work.prepare)(&round);

            lab.blobs.set(Fault::Cut { write, after });
            let cut = (work.run)(&round);
            assert_eq!(
                lab.blobs.fault(),
                Fault::Dead,
                "{} has fewer writes",
                round.plugin
            );
            cut.expect_err(&round.plugin);

            lab.blobs.set(Fault::None);
            round.check(work, write, after);
            (work.run)(&round).unwrap();
            assert_eq!(
                lab.mapped_with(),
                round.digest(work.new),
                "{}",
                round.plugin
            );
        }
        // With one more write allowed, nothing is interrupted.
        let round = Round {
            lab,
            plugin: format!("{}-whole", work.name),
            versions: versions + 5,
        };
        (work.prepare)(&round);
        lab.blobs.set(Fault::Cut {
            write: work.writes + 1,
            after: false,
        });
        (work.run)(&round).unwrap();
        assert_ne!(
            lab.blobs.fault(),
            Fault::Dead,
            "{} has more writes",
            work.name
        );
        lab.blobs.set(Fault::None);
    }
}

impl Round<'_> {
    /// Checks what a fresh host maps with after the interruption.
    fn check(&self, work: &Work, write: usize, after: bool) {
        let report = self.lab.sign_up();
        let found = report.trace.component;
        let new = Some(self.digest(work.new));
        match (&report.outcome, work.old) {
            (Ok(_), Some(old)) => {
                assert!(found == Some(self.digest(old)) || found == new);
            }
            (Ok(_), None) => assert_eq!(found, new),
            (Err(failure), None) => {
                let none = ["Plugin.NotReleased", "Plugin.NoArtifact"];
                assert!(none.contains(&failure.name()), "{}", failure.text());
            }
            (Err(failure), Some(_)) => panic!("{}: {}", self.plugin, failure.text()),
        }
        // Writes before the pointer change nothing, and with the pointer everything is done.
        let pointer = if work.writes == 5 { 4 } else { work.writes };
        if work.old != Some(work.new) {
            let moved = (write, after) >= (pointer, true);
            assert_eq!(
                report.outcome.is_ok() && found == new,
                moved,
                "{}",
                self.plugin
            );
        }
    }

    fn publish(&self, version: usize, seconds: u64) -> Result<(), String> {
        let component = mapper(self.versions + version);
        let upload = upload(&self.plugin, component, at(seconds));
        let publisher = self.lab.publisher();
        let outcome = self.lab.runtime.block_on(publisher.publish(&upload));
        outcome.map(|_| ()).map_err(|error| error.text())
    }

    fn lay(&self, version: usize) {
        let component = mapper(self.versions + version);
        self.lab.lay(&self.plugin, &component, &machine_code());
    }

    fn digest(&self, version: usize) -> Sha256 {
        Sha256::of(&mapper(self.versions + version))
    }
}

#[test]
fn a_publisher_that_is_killed_leaves_something_to_load() {
    let lab = Lab::new();
    let file = lab.folder.path().join("mapper.wasm");
    let arguments = ["plugin", "publish", "mapper.wasm", "--name", ACME];
    fs::write(&file, mapper(0)).unwrap();
    let began = Instant::now();
    let first = lab.folder.poolhook(&arguments);
    assert!(first.status.success(), "{first:?}");
    let whole = began.elapsed();

    let mut live = Sha256::of(&mapper(0));
    let mut random = 42_u64;
    let (mut cut, mut through) = (0, 0);
    for version in 1..=25 {
        fs::write(&file, mapper(version)).unwrap();
        let mut command = lab.folder.command(&arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        // Most of the time is spent on starting and compiling: the writes come at the end.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let share = u32::try_from(random >> 33).unwrap() % 700;
        thread::sleep(whole * (400 + share) / 1000);
        let _ = process.kill();
        let ended = process.wait().unwrap();

        let new = Sha256::of(&mapper(version));
        let found = lab.mapped_with();
        if ended.success() {
            through += 1;
            assert_eq!(found, new);
        } else {
            cut += 1;
            assert!(found == live || found == new, "round {version}");
        }
        live = found;
    }
    assert!(cut > 0, "none of {through} was killed in time");

    fs::write(&file, mapper(99)).unwrap();
    let last = lab.folder.poolhook(&arguments);
    assert!(last.status.success(), "{last:?}");
    assert_eq!(lab.mapped_with(), Sha256::of(&mapper(99)));
}

#[test]
fn a_killed_writers_partial_files_block_nothing() {
    let lab = Lab::new();
    lab.lay(ACME, &mapper(0), &machine_code());
    fs::write(lab.folder.path().join("mapper.wasm"), mapper(1)).unwrap();
    // In a container, the next process often has the same process id as the last one.
    let script = r#"
        for folder in releases/acme artifacts/"$1"; do
            mkdir -p "poolhook.blobs/$folder"
            for number in 0 1 2 3 4 5 6 7 8 9; do
                echo half > "poolhook.blobs/$folder/.new-$$-$number"
            done
        done
        exec "$0" plugin publish mapper.wasm --name acme
    "#;
    let mut shell = crate::support::clean("/bin/sh");
    let publish = shell
        .current_dir(lab.folder.path())
        .args(["-c", script, env!("CARGO_BIN_EXE_poolhook")])
        .arg(Sha256::of(&mapper(1)).to_string())
        .env("PATH", "/usr/bin:/bin");
    let outcome = publish.output().unwrap();
    assert!(outcome.status.success(), "{outcome:?}");
    assert_eq!(lab.mapped_with(), Sha256::of(&mapper(1)));
    let report = lab.handle(&lab.host(), &event("other-pool"));
    assert_eq!(report.outcome_name(), "written");
}
