//! Measures published plugins in this process: loading one, and an event where each pool
//! has another one.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use poolhook::blobs::dir::Dir;
use poolhook::config::HostConfig;
use poolhook::digest::{Blake3, Sha256};
use poolhook::host::Host;
use poolhook::plugin::{ArtifactFiles, Loader, precompile};
use poolhook::plugins::Plugins;
use poolhook::releases::Releases;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::event::{Event, pool};
use crate::figures::{Table, Target, median, mib, micros, text, time};
use crate::in_process::{MANY, NoStore, Pair, handle, open, runtime, shuffled, write_pools};
use crate::quickjs;
use crate::releases::{RUST, plugin, publish};

pub(crate) const PLUGINS: usize = 1000;

/// The time to load one plugin.
struct Load {
    what: String,
    /// From the store's bytes: the digest is verified, and the file is written, mapped and
    /// linked.
    first: Duration,
    /// From the cached file.
    again: Duration,
    most: Duration,
}

/// Measures loads and events in this number of rounds, with temporary files in `folder`.
pub(crate) fn measure(folder: &Path, rounds: usize) -> Result<[Table; 2], Box<dyn Error>> {
    let mut loads = Table::new(&[
        "loading a published plugin",
        "from the store's bytes",
        "from its file",
        "target",
    ]);
    let loader = Loader::new()?;
    let files = folder.join("files");
    let mut load = |what: &str, component: &[u8], most| {
        load(&loader, &files, what, component, rounds, most).map(|load| load.row(&mut loads))
    };
    load("Rust", RUST, Duration::from_millis(1))?;
    match quickjs::component() {
        Ok(component) => load(
            "JavaScript on QuickJS",
            &component,
            Duration::from_millis(5),
        )?,
        Err(why) => {
            eprintln!("skipped loading a plugin in JavaScript: {why}");
            left_out(&mut loads, "JavaScript on QuickJS", &why);
        }
    }

    let many = format!("{PLUGINS} plugins");
    let mut events = Table::new(&["10,000 pools, in-process", "1 plugin", &many, "target"]);
    event_row(&mut events, pair(folder, rounds)?);
    Ok([loads, events])
}

fn load(
    loader: &Loader,
    folder: &Path,
    what: &str,
    component: &[u8],
    rounds: usize,
    most: Duration,
) -> Result<Load, Box<dyn Error>> {
    let artifact = precompile(component)?;
    let (name, component, digest) = (plugin(0), Sha256::of(component), Blake3::of(&artifact));
    let (mut first, mut again) = (Vec::new(), Vec::new());
    // An extra first round warms up.
    for _ in 0..=rounds {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        let files = ArtifactFiles::open(folder, 64 << 20)?;
        let started = Instant::now();
        let mut incoming = files.receive(digest)?;
        incoming.write_all(&artifact)?;
        incoming.verify()?;
        let verified = files.persist(incoming)?;
        black_box(loader.load(name.clone(), component, &verified)?);
        first.push(started.elapsed());
        drop(verified);

        let started = Instant::now();
        let cached = files.get(digest).ok_or("a file was not cached")?;
        black_box(loader.load(name.clone(), component, &cached)?);
        again.push(started.elapsed());
    }
    Ok(Load {
        what: format!("{what}, {:.2} MiB of code", mib(artifact.len() as u64)),
        first: median(first.split_off(1)),
        again: median(again.split_off(1)),
        most,
    })
}

impl Load {
    fn row(&self, table: &mut Table) {
        let Self {
            what,
            first,
            again,
            most,
        } = self;
        let target = Target {
            text: time(*most),
            met: first.max(again) <= most,
        };
        let cells = [
            what.clone(),
            time(*first),
            time(*again),
            text(Some(&target)),
        ];
        let numbers = json!({
            "firstMicros": micros(*first),
            "againMicros": micros(*again),
            "withinTarget": target.met,
        });
        table.row(&cells, numbers);
    }
}

fn left_out(table: &mut Table, what: &str, why: &str) {
    let why = why.lines().next().unwrap_or_default();
    let cells = [
        what.to_owned(),
        String::new(),
        String::new(),
        format!("skipped: {why}"),
    ];
    table.row(&cells, json!({"leftOut": why}));
}

/// Measures the event path without `DynamoDB` for many pools: all with one plugin, and
/// each with one of many plugins, in alternating rounds.
fn pair(folder: &Path, rounds: usize) -> Result<Pair, Box<dyn Error>> {
    const EVENTS: u32 = 2000;
    let blobs = folder.join("releases");
    publish(&blobs, PLUGINS)?;
    let runtime = runtime()?;
    let (one, many) = (folder.join("one-plugin"), folder.join("many-plugins"));
    write_pools(&one, MANY, |_| Some(plugin(0)))?;
    write_pools(&many, MANY, |n| Some(plugin(n % PLUGINS)))?;
    let one = host(&runtime, &one, &blobs)?;
    let many = host(&runtime, &many, &blobs)?;
    let events: Vec<_> = shuffled().map(|n| Event::new(&pool(n), n)).collect();
    handle(&runtime, &one, &events)?;
    handle(&runtime, &many, &events)?;

    let (mut one_plugin, mut many_plugins) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let chunk = EVENTS as usize;
        let at = round * chunk % MANY;
        let timed = |host| -> Result<_, Box<dyn Error>> {
            let started = Instant::now();
            handle(&runtime, host, &events[at..at + chunk])?;
            Ok(started.elapsed() / EVENTS)
        };
        one_plugin.push(timed(&one)?);
        many_plugins.push(timed(&many)?);
    }
    Ok(Pair {
        one: median(one_plugin),
        many: median(many_plugins),
    })
}

/// A host that evicts and refreshes nothing.
fn host(runtime: &Runtime, config: &Path, blobs: &Path) -> Result<Host, Box<dyn Error>> {
    let host_config = HostConfig {
        refresh_seconds: 86_400,
        plugin_memory_bytes: 1 << 30,
        ..HostConfig::default()
    };
    let releases = Releases::new(Arc::new(Dir::open(blobs)?));
    let files = ArtifactFiles::open(blobs.with_file_name("many-files"), 1 << 30)?;
    let plugins = Plugins::builtin()?.with_published(releases, Some(files), &host_config);
    Ok(Host::new(
        open(runtime, config)?,
        plugins,
        Arc::new(NoStore),
    ))
}

fn event_row(table: &mut Table, Pair { one, many }: Pair) {
    /// The ratio that still counts as flat.
    const FLAT: f64 = 1.1;
    let target = Target {
        text: format!("{FLAT} times as long with {PLUGINS} plugins"),
        met: many.as_secs_f64() <= one.as_secs_f64() * FLAT,
    };
    let cells = [
        "an event without DynamoDB".to_owned(),
        time(one),
        time(many),
        text(Some(&target)),
    ];
    let numbers = json!({
        "oneMicros": micros(one),
        "manyMicros": micros(many),
        "withinTarget": target.met,
    });
    table.row(&cells, numbers);
}
