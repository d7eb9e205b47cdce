//! Measures what background refreshes add to events: each pool's config and its plugin are
//! in S3, and each event comes after its pool's TTL, so it starts refreshes.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::figures::{Sides, Table, percentile};
use crate::in_process::write_pools;
use crate::process::Function;
use crate::releases::{plugin, publish};

/// Events per round, each in a pool of its own.
const EVENTS: u32 = 250;
/// From an answer to the next event: long enough that a pool's next event comes after its
/// TTL of one second, and that S3 has answered. Both functions pause, because one that did
/// not would have warmer CPU caches than one that waits for S3.
const PAUSE: Duration = Duration::from_millis(10);

/// The ratio that still counts as no cost.
const NOTHING: f64 = 1.1;

/// Compares a function with a TTL of one second with one of an hour, in alternating rounds.
pub(crate) fn measure(
    folder: &Path,
    runtime: &Handle,
    poolhook: &Function,
    rounds: usize,
) -> Result<Table, Box<dyn Error>> {
    let function = |name: &str, seconds: u32| -> Result<Function, Box<dyn Error>> {
        let bucket = folder.join(name);
        write_pools(&bucket.join("config"), EVENTS as usize, |_| Some(plugin(0)))?;
        let host = format!("refresh-seconds = {seconds}\n");
        fs::write(bucket.join("config/host.toml"), host)?;
        publish(&bucket, 1)?;
        let config = format!("s3://{name}/config");
        Ok(poolhook.with(config, format!("s3://{name}")))
    };
    let mut often = function("each-second", 1)?.warm(runtime, EVENTS as usize)?;
    let mut never = function("each-hour", 3600)?.warm(runtime, EVENTS as usize)?;
    often.pause(PAUSE);
    never.pause(PAUSE);
    // From here on, each event comes after its pool's TTL.
    thread::sleep(Duration::from_secs(1));
    let (mut p50, mut p99, mut looks) = (Sides::default(), Sides::default(), 0);
    for _ in 0..rounds {
        let before = often.unchanged();
        let round = often.round(EVENTS)?;
        looks += often.unchanged() - before;
        p50.this.push(percentile(&round.latency, 50));
        p99.this.push(percentile(&round.latency, 99));
        let round = never.round(EVENTS)?;
        p50.other.push(percentile(&round.latency, 50));
        p99.other.push(percentile(&round.latency, 99));
    }
    if looks < rounds * EVENTS as usize {
        return Err(format!("only {looks} refreshes in {rounds} rounds").into());
    }
    let mut table = Table::new(&[
        "median (min to max)",
        "every event refreshes",
        "no event refreshes",
        "ratio (paired)",
        "target",
    ]);
    let sides = ["refreshing", "quiet"];
    table.times("warm: latency, p50", sides, &p50, None);
    table.times("warm: latency, p99", sides, &p99, Some(NOTHING));
    Ok(table)
}
