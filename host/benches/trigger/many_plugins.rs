//! `bootstrap` with a thousand plugins: its memory if the budget is enough for all of them
//! or for a tenth, and the cost of an event of one of ten thousand pools, compared with
//! one plugin.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;

use poolhook::plugins::ENTRY_BYTES;
use serde_json::json;
use tokio::runtime::Handle;

use crate::figures::{Sides, Table, Target, mib, micros, text, time};
use crate::in_process::{MANY, write_pools};
use crate::process::{Function, Holds};
use crate::published::PLUGINS;
use crate::releases::{plugin, publish};

/// The results with one budget.
struct Seen {
    budget: u64,
    /// With one plugin.
    one: Holds,
    /// After all plugins have run.
    all: Holds,
    /// CPU time per event with all plugins.
    cpu: Duration,
}

/// Measures memory, and events in this number of rounds of this number of events.
pub(crate) fn measure(
    folder: &Path,
    runtime: &Handle,
    poolhook: &Function,
    rounds: (usize, u32),
) -> Result<[Table; 2], Box<dyn Error>> {
    let blobs = folder.join("many-releases");
    let code = publish(&blobs, PLUGINS)?;
    let whole = PLUGINS as u64 * (code + ENTRY_BYTES);
    let seen = |name: &str, budget: u64| -> Result<Seen, Box<dyn Error>> {
        let config = folder.join(name);
        write_pools(&config, PLUGINS, |n| Some(plugin(n)))?;
        let function = configured(poolhook, &config, &blobs, budget)?;
        // Every plugin runs once more, and each answer and item is checked.
        let events = u32::try_from(PLUGINS)?;
        let one = function.warm(runtime, 1)?;
        let mut all = function.warm(runtime, PLUGINS)?;
        Ok(Seen {
            budget,
            cpu: all.round(events)?.cpu,
            one: one.holds()?,
            all: all.holds()?,
        })
    };
    let (all, tenth) = (seen("all-fit", whole)?, seen("a-tenth-fits", whole / 10)?);

    let what = format!("{PLUGINS} plugins in one process");
    let mut table = Table::new(&[&what, "all fit", "a tenth fits", "target"]);
    memory(&mut table, &all, &tenth);
    let mut row = |what: &str, figure: &dyn Fn(&Seen) -> (String, f64)| {
        let ((cell, all), (tenth_cell, tenth)) = (figure(&all), figure(&tenth));
        let cells = [what.to_owned(), cell, tenth_cell, String::new()];
        table.row(&cells, json!({"allFit": all, "tenthFits": tenth}));
    };
    row("of it not mapped from files, per plugin", &|seen| {
        let more = seen.all.own_memory.saturating_sub(seen.one.own_memory);
        let kib = mib(more) * 1024.0 / PLUGINS as f64;
        (format!("{kib:.1} KiB"), kib)
    });
    row("CPU per event", &|seen| (time(seen.cpu), micros(seen.cpu)));
    row("open files", &|seen| {
        let files = seen.all.open_files;
        (files.to_string(), files as f64)
    });
    let function = |name: &str, plugins: usize| {
        let config = folder.join(name);
        write_pools(&config, MANY, |n| Some(plugin(n % plugins)))?;
        configured(poolhook, &config, &blobs, whole)
    };
    let (one, many) = (
        function("pools-of-one", 1)?,
        function("pools-of-many", PLUGINS)?,
    );
    Ok([table, events(runtime, &one, &many, rounds)?])
}

/// Measures an event if all of [`MANY`] pools have one plugin, and if they have
/// [`PLUGINS`], in alternating rounds.
fn events(
    runtime: &Handle,
    one: &Function,
    many: &Function,
    (rounds, events): (usize, u32),
) -> Result<Table, Box<dyn Error>> {
    let (mut one, mut many) = (one.warm(runtime, MANY)?, many.warm(runtime, MANY)?);
    let mut cpu = Sides::default();
    for _ in 0..rounds {
        cpu.this.push(many.round(events)?.cpu);
        cpu.other.push(one.round(events)?.cpu);
    }
    let columns = [
        "10,000 pools: median (min to max)",
        &format!("{PLUGINS} plugins"),
        "1 plugin",
        "ratio (paired)",
        "target",
    ];
    let mut table = Table::new(&columns);
    table.times("warm: CPU per event", ["many", "one"], &cpu, Some(1.1));
    Ok(table)
}

/// The function with this config, these plugins, and this memory budget.
fn configured(
    poolhook: &Function,
    config: &Path,
    blobs: &Path,
    budget: u64,
) -> Result<Function, Box<dyn Error>> {
    let host = format!("refresh-seconds = 86400\n[plugins]\nmemory-bytes = {budget}\n");
    fs::write(config.join("host.toml"), host)?;
    let (config, blobs) = (config.display().to_string(), blobs.display().to_string());
    Ok(poolhook.with(config, blobs))
}

fn memory(table: &mut Table, all: &Seen, tenth: &Seen) {
    let more = |seen: &Seen| seen.all.memory.saturating_sub(seen.one.memory);
    let budgets = format!(
        "the budget, {:.0} and {:.0} MiB",
        mib(all.budget),
        mib(tenth.budget)
    );
    let target = Target {
        text: budgets,
        met: [all, tenth].iter().all(|seen| more(seen) <= seen.budget),
    };
    let cell = |seen: &Seen| format!("{:.1} MiB", mib(more(seen)));
    let cells = [
        "memory in addition to that with one plugin".to_owned(),
        cell(all),
        cell(tenth),
        text(Some(&target)),
    ];
    let numbers = json!({
        "allFitMib": mib(more(all)),
        "tenthFitsMib": mib(more(tenth)),
        "withinTarget": target.met,
    });
    table.row(&cells, numbers);
}
