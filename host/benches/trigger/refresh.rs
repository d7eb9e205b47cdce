//! What looking for newer configs and plugins adds to the events: each pool's
//! config and its plugin lie in S3, and each event comes so long after its pool's
//! last one that it is time to look again.

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

/// Events of a round, each in a pool of its own.
const EVENTS: u32 = 250;
/// From an answer to the next event: so long that a pool's turn comes again after
/// more than a second, and that S3 has answered. A function that did not pause
/// would have warmer caches than one that waits for S3.
const PAUSE: Duration = Duration::from_millis(10);

/// What still counts as nothing.
const NOTHING: f64 = 1.1;

/// A function that looks each second beside one that looks each hour, in turn.
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
    // From here on each pool is due at each of its events.
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
        return Err(format!("S3 was asked only {looks} times in {rounds} rounds").into());
    }
    let mut table = Table::new(&[
        "median (least to most)",
        "every event looks for newer ones",
        "no event does",
        "ratio (of pairs)",
        "target",
    ]);
    let sides = ["refreshing", "quiet"];
    table.times("warm: latency, p50", sides, &p50, None);
    table.times("warm: latency, p99", sides, &p99, Some(NOTHING));
    Ok(table)
}
