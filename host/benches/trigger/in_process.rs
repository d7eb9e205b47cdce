//! Measures the library's parts, without a network or another process.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use poolhook::blobs::dir::Dir;
use poolhook::config::{PluginName, Table, WriteMode};
use poolhook::event::{PostConfirmation, UserPoolId};
use poolhook::host::{Host, Outcome};
use poolhook::item::Item;
use poolhook::plugin::Mapping;
use poolhook::plugins::Plugins;
use poolhook::pools::Pools;
use poolhook::store::{BoxFuture, ItemStore, Put};
use tokio::runtime::Runtime;
use tokio::time::Instant as Until;

use crate::event::{Event, SIX_KEYS, TABLE, pool};
use crate::figures::median;

pub(crate) const MANY: usize = 10_000;

/// The time of each part: the median of the rounds.
pub(crate) struct InProcess {
    /// Starting the engine with its clock, and loading the default plugin.
    pub(crate) start: Duration,
    /// The plugin's step: a fresh instance, the mapping, and the checks of the item.
    pub(crate) default: Step,
    pub(crate) fields: Step,
    /// Reading a pool's file at its first event.
    pub(crate) first_lookup: Duration,
    pub(crate) lookup: Pair,
    /// The event path without DynamoDB.
    pub(crate) event: Pair,
}

/// The time of a step in a loop, and of one that an event runs after a while: by then, the
/// code of the SDK and of other work has taken the processor's caches.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) hot: Duration,
    pub(crate) as_in_an_event: Duration,
}

/// The time with one pool or plugin, and with many.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) one: Duration,
    pub(crate) many: Duration,
}

/// Writes the configs of this number of pools, each with the plugin that `plugin` returns.
pub(crate) fn write_pools(
    folder: &Path,
    pools: usize,
    plugin: impl Fn(usize) -> Option<PluginName>,
) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    fs::write(
        folder.join("defaults.toml"),
        "key = { attribute = \"id\", equals = \"{userName}\" }\n",
    )?;
    for n in 0..pools {
        let file = folder.join(format!("{}.toml", pool(n)));
        let plugin = plugin(n).unwrap_or_default();
        fs::write(
            file,
            format!("table = \"{TABLE}\"\nplugin = \"{plugin}\"\n"),
        )?;
    }
    Ok(())
}

/// Writes the config of one pool, with the plugin `fields`.
pub(crate) fn write_six_keys(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let file = folder.join(format!("{}.toml", pool(0)));
    fs::write(file, format!("table = \"{TABLE}\"{SIX_KEYS}"))
}

/// Measures all parts in this number of rounds, with temporary files in `folder`.
pub(crate) fn measure(folder: &Path, rounds: usize) -> Result<InProcess, Box<dyn Error>> {
    let one = folder.join("one");
    let many = folder.join("many");
    let six_keys = folder.join("six-keys-in-process");
    write_pools(&one, 1, |_| None)?;
    write_six_keys(&six_keys)?;
    write_pools(&many, MANY, |_| None)?;
    let (first_lookup, lookup) = lookups(&one, &many, rounds)?;
    Ok(InProcess {
        start: start(rounds)?,
        default: step(&one, rounds)?,
        fields: step(&six_keys, rounds)?,
        first_lookup,
        lookup,
        event: events(&one, &many, rounds)?,
    })
}

pub(crate) fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

pub(crate) fn open(runtime: &Runtime, folder: &Path) -> Result<Pools, Box<dyn Error>> {
    let blobs = Arc::new(Dir::open(folder)?);
    Ok(runtime.block_on(Pools::open(blobs))?)
}

fn start(rounds: usize) -> Result<Duration, Box<dyn Error>> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let started = Instant::now();
        let plugins = Plugins::builtin()?;
        times.push(started.elapsed());
        drop(plugins);
    }
    Ok(median(times))
}

/// Measures the plugin's step for the first pool in `folder`.
fn step(folder: &Path, rounds: usize) -> Result<Step, Box<dyn Error>> {
    const EVENTS: u32 = 2000;
    /// Each one sleeps, so there are fewer.
    const EVENTS_APART: usize = 40;
    let plugins = Plugins::builtin()?;
    let runtime = runtime()?;
    let pools = open(&runtime, folder)?;
    let config = runtime.block_on(pools.get(&UserPoolId::parse(&pool(0))?))?;
    let plugin = runtime.block_on(plugins.get(&config.plugin))?;
    let events = (0..EVENTS as usize)
        .map(|n| PostConfirmation::parse(Event::new(&pool(0), n).raw.as_bytes()))
        .collect::<Result<Vec<_>, _>>()?;
    let received = SystemTime::now();
    let run = |event: &PostConfirmation| -> Result<(), Box<dyn Error>> {
        let run = plugin.run(event, received, &config.settings, &config.limits);
        let Mapping::Put(fields) = run.mapping? else {
            return Err("the plugin skipped a user".into());
        };
        let item = fields.into_item()?;
        let key = config.partition_key(event);
        item.check_partition_key(&config.table.partition_key, &key)?;
        black_box(item);
        Ok(())
    };
    let hot = per_one(rounds, EVENTS, || events.iter().try_for_each(run))?;
    let mut others = Others::new();
    let mut apart = Vec::new();
    for _ in 0..rounds {
        for event in events.iter().take(EVENTS_APART) {
            others.take_the_caches();
            let started = Instant::now();
            run(event)?;
            apart.push(started.elapsed());
        }
    }
    Ok(Step {
        hot,
        as_in_an_event: median(apart),
    })
}

/// What else runs between two events.
struct Others(Vec<u8>);

impl Others {
    /// What `bootstrap` touches for an event, the kernel's part of it included.
    const BYTES: usize = 3 << 19;

    fn new() -> Self {
        Self(vec![1; Self::BYTES])
    }

    fn take_the_caches(&mut self) {
        std::thread::sleep(Duration::from_millis(1));
        for line in self.0.chunks_mut(64) {
            line[0] = line[0].wrapping_add(1);
        }
        black_box(&self.0);
    }
}

/// Measures the first lookup of a pool, then later ones, with one pool and with many.
fn lookups(one: &Path, many: &Path, rounds: usize) -> Result<(Duration, Pair), Box<dyn Error>> {
    let ids = (0..MANY)
        .map(|n| UserPoolId::parse(&pool(n)))
        .collect::<Result<Vec<_>, _>>()?;
    let shuffled: Vec<_> = shuffled().map(|n| ids[n].clone()).collect();
    let same = vec![ids[0].clone(); MANY];

    let runtime = runtime()?;
    let pools = open(&runtime, many)?;
    let mut first = Vec::new();
    for id in &shuffled {
        let started = Instant::now();
        black_box(runtime.block_on(pools.get(id))?);
        first.push(started.elapsed());
    }
    let look_up = |pools: &Pools, ids: &[UserPoolId]| {
        per_one(rounds, MANY as u32, || {
            for id in ids {
                black_box(runtime.block_on(pools.get(id))?);
            }
            Ok(())
        })
    };
    let pair = Pair {
        one: look_up(&open(&runtime, one)?, &same)?,
        many: look_up(&pools, &shuffled)?,
    };
    Ok((median(first), pair))
}

/// Measures the event path with one pool and with many, in alternating rounds.
fn events(one: &Path, many: &Path, rounds: usize) -> Result<Pair, Box<dyn Error>> {
    const EVENTS: u32 = 2000;
    let runtime = runtime()?;
    let host = |folder| -> Result<_, Box<dyn Error>> {
        Ok(Host::new(
            open(&runtime, folder)?,
            Plugins::builtin()?,
            Arc::new(NoStore),
        ))
    };
    let (one, many) = (host(one)?, host(many)?);
    // Each event is another user's, in the same pool or in others.
    let same: Vec<_> = (0..MANY).map(|n| Event::new(&pool(0), n)).collect();
    let others: Vec<_> = shuffled().map(|n| Event::new(&pool(n), n)).collect();
    handle(&runtime, &one, &same)?;
    handle(&runtime, &many, &others)?;

    let (mut one_pool, mut many_pools) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let chunk = EVENTS as usize;
        let at = round * chunk % MANY;
        let timed = |host, events: &[Event]| -> Result<_, Box<dyn Error>> {
            let started = Instant::now();
            handle(&runtime, host, &events[at..at + chunk])?;
            Ok(started.elapsed() / EVENTS)
        };
        one_pool.push(timed(&one, &same)?);
        many_pools.push(timed(&many, &others)?);
    }
    Ok(Pair {
        one: median(one_pool),
        many: median(many_pools),
    })
}

pub(crate) fn handle(
    runtime: &Runtime,
    host: &Host,
    events: &[Event],
) -> Result<(), Box<dyn Error>> {
    for event in events {
        let handled = host.handle(host.deliver(event.raw.as_bytes(), Duration::MAX));
        let report = runtime.block_on(handled);
        if black_box(report).outcome? != Outcome::Written {
            return Err("an event was not written".into());
        }
    }
    Ok(())
}

/// Accepts every item and writes nothing.
pub(crate) struct NoStore;

impl ItemStore for NoStore {
    fn name(&self) -> String {
        String::new()
    }

    fn put<'a>(&'a self, _: &'a Table, _: &'a Item, _: WriteMode, _: Until) -> BoxFuture<'a, Put> {
        Box::pin(async { Ok(Put::Written) })
    }
}

/// The time of one of `many` operations per round: the median of the rounds.
fn per_one(
    rounds: usize,
    many: u32,
    mut round: impl FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<Duration, Box<dyn Error>> {
    // The first round warms up.
    round()?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let started = Instant::now();
        round()?;
        times.push(started.elapsed() / many);
    }
    Ok(median(times))
}

/// All numbers below [`MANY`] in a shuffled order that is always the same: steps of a
/// length that shares no factor with `MANY`.
pub(crate) fn shuffled() -> impl Iterator<Item = usize> {
    (0..MANY).map(|n| n * 7919 % MANY)
}
