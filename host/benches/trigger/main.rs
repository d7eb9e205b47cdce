//! Compares `bootstrap` with a plain `lambda_runtime` handler that does the same for one
//! pool, written by hand. Also measures `bootstrap` while it refreshes configs and
//! plugins and with a thousand plugins, the library's parts, and a plugin in each
//! language.
//!
//! ```text
//! cargo bench --bench trigger                   # four minutes after the build
//! cargo bench --bench trigger -- --quick        # fewer rounds
//! cargo bench --bench trigger -- --json
//! ```
//!
//! Both functions are built as they are deployed. They run as processes in alternating
//! rounds, against the same stub of the Runtime API and `DynamoDB`. Every answer and every
//! item is checked; a wrong one fails the benchmark. The stub speaks plain HTTP: TLS would
//! add the same time to both sides. Requires Linux, for `/proc`; `taskset` is recommended.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark fails loudly, and its tables are its output"
)]

mod event;
mod figures;
mod in_process;
mod languages;
mod many_plugins;
mod process;
mod published;
mod quickjs;
mod refresh;
mod releases;
mod stub;

use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, fs};

use serde_json::json;

use figures::{Sides, Table, Target, mib, micros, percentile, text, time};
use in_process::{InProcess, MANY, Pair};
use process::Function;
use published::PLUGINS;
use tokio::runtime::Handle;

/// The number of rounds and events.
struct Effort {
    cold_rounds: usize,
    warm_rounds: usize,
    warm_events: u32,
    in_process_rounds: usize,
    refresh_rounds: usize,
}

const THOROUGH: Effort = Effort {
    cold_rounds: 41,
    warm_rounds: 40,
    warm_events: 400,
    in_process_rounds: 25,
    refresh_rounds: 15,
};
const QUICK: Effort = Effort {
    cold_rounds: 9,
    warm_rounds: 8,
    warm_events: 250,
    in_process_rounds: 5,
    refresh_rounds: 5,
};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let (mut effort, mut as_json) = (THOROUGH, false);
    for option in env::args().skip(1) {
        match option.as_str() {
            "--quick" => effort = QUICK,
            "--json" => as_json = true,
            // Cargo passes this option.
            "--bench" => {}
            _ => {
                return Err(
                    format!("unknown option {option}; the options are --quick and --json").into(),
                );
            }
        }
    }
    let folder = tempfile::tempdir()?;
    let poolhook = Function::bootstrap(folder.path())?;
    let plain = Function::plain_handler(folder.path())?;
    let pinned = pin()?;
    // The stub runs on a thread of its own, so that it answers while this one waits.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let (folder, stub) = (folder.path(), runtime.handle());
    let processes = processes(folder, stub, &poolhook, &plain, &effort)?;
    eprintln!("refresh: {} rounds", effort.refresh_rounds);
    let refresh = refresh::measure(folder, stub, &poolhook, effort.refresh_rounds)?;
    eprintln!("{PLUGINS} plugins");
    let rounds = (effort.warm_rounds, effort.warm_events);
    let [many, many_events] = many_plugins::measure(folder, stub, &poolhook, rounds)?;
    eprintln!("in-process");
    let parts = in_process::measure(folder, effort.in_process_rounds)?;
    let (steps, parts) = (steps(&parts), in_process(&parts));
    let [loads, events] = published::measure(folder, effort.in_process_rounds)?;
    eprintln!("languages");
    let languages = languages::measure(folder, effort.in_process_rounds)?;
    let machine = machine(pinned)?;
    if as_json {
        let figures = json!({
            "machine": machine,
            "processes": processes.json(),
            "refresh": refresh.json(),
            "manyPlugins": many.json(),
            "manyPluginsEvents": many_events.json(),
            "steps": steps.json(),
            "inProcess": parts.json(),
            "loads": loads.json(),
            "publishedEvents": events.json(),
            "languages": languages.json(),
        });
        println!("{figures:#}");
    } else {
        println!(
            "{processes}\n{refresh}\n{many}\n{many_events}\n{steps}\n{parts}\n{loads}\n{events}\n{languages}\n{machine}"
        );
    }
    Ok(())
}

/// Measures the functions in alternating rounds: `bootstrap` with a pool of the default
/// plugin and with one of `fields`, and the plain handler.
fn processes(
    folder: &Path,
    stub: &Handle,
    poolhook: &Function,
    plain: &Function,
    effort: &Effort,
) -> Result<Table, Box<dyn Error>> {
    /// The sides' names in JSON.
    const SIDES: [&str; 2] = ["poolhook", "plain"];
    const FIELDS: [&str; 2] = ["fields", "plain"];
    in_process::write_pools(&folder.join("config"), 1, |_| None)?;
    let config = folder.join("six-keys");
    in_process::write_six_keys(&config)?;
    let fields = poolhook.with_six_keys(config.display().to_string());

    let Cold {
        default: cold,
        fields: cold_fields,
        over_default,
    } = cold_starts(stub, [poolhook, &fields, plain], effort)?;
    let (mut cpu, mut p50, mut p99) = (Sides::default(), Sides::default(), Sides::default());
    let mut cpu_fields = Sides::default();
    eprintln!(
        "warm: {} rounds of {} events",
        effort.warm_rounds, effort.warm_events
    );
    let mut warm_poolhook = poolhook.warm(stub, 1)?;
    let mut warm_fields = fields.warm(stub, 1)?;
    let mut warm_plain = plain.warm(stub, 1)?;
    for _ in 0..effort.warm_rounds {
        let round = warm_poolhook.round(effort.warm_events)?;
        cpu.this.push(round.cpu);
        p50.this.push(percentile(&round.latency, 50));
        p99.this.push(percentile(&round.latency, 99));
        cpu_fields
            .this
            .push(warm_fields.round(effort.warm_events)?.cpu);
        let round = warm_plain.round(effort.warm_events)?;
        cpu.other.push(round.cpu);
        cpu_fields.other.push(round.cpu);
        p50.other.push(percentile(&round.latency, 50));
        p99.other.push(percentile(&round.latency, 99));
    }

    let mut table = Table::new(&[
        "median (min to max)",
        "poolhook",
        "plain handler",
        "ratio (paired)",
        "target",
    ]);
    table.times(
        "cold: process start to first answer",
        SIDES,
        &cold,
        Some(1.5),
    );
    table.times("the same, a pool with `fields`", FIELDS, &cold_fields, None);
    table.times("warm: CPU per event", SIDES, &cpu, Some(1.25));
    table.times(
        "the same, a pool with `fields`",
        FIELDS,
        &cpu_fields,
        Some(1.2),
    );
    table.times("warm: latency, p50", SIDES, &p50, None);
    table.times("warm: latency, p99", SIDES, &p99, None);
    fields_over_default(&mut table, figures::median(over_default));
    plugin_step(&mut table, "default", &warm_poolhook.plugin_steps()?, None);
    let most = Duration::from_micros(45);
    plugin_step(
        &mut table,
        "fields",
        &warm_fields.plugin_steps()?,
        Some(most),
    );
    memory(
        &mut table,
        "peak memory",
        warm_poolhook.peak_memory()?,
        warm_plain.peak_memory()?,
    );
    memory(
        &mut table,
        "the same, a pool with `fields`",
        warm_fields.peak_memory()?,
        warm_plain.peak_memory()?,
    );
    let (bytes, plain_bytes) = (mib(poolhook.bytes()?), mib(plain.bytes()?));
    table.row(
        &[
            "binary size".to_owned(),
            format!("{bytes:.1} MiB"),
            format!("{plain_bytes:.1} MiB"),
            format!("{:+.1} MiB", bytes - plain_bytes),
            String::new(),
        ],
        json!({"poolhookMib": bytes, "plainMib": plain_bytes}),
    );
    Ok(table)
}

/// The times of cold starts.
#[derive(Default)]
struct Cold {
    default: Sides,
    fields: Sides,
    /// With `fields`, in addition to the default plugin, in seconds.
    over_default: Vec<f64>,
}

fn cold_starts(
    stub: &Handle,
    functions: [&Function; 3],
    effort: &Effort,
) -> Result<Cold, Box<dyn Error>> {
    let [poolhook, fields, plain] = functions;
    let mut times = Cold::default();
    eprintln!("cold: {} rounds", effort.cold_rounds);
    // An extra first round, which reads the programs from disk.
    for function in functions {
        function.cold(stub, 0)?;
    }
    for n in 0..effort.cold_rounds {
        let (default, fields) = (poolhook.cold(stub, n)?, fields.cold(stub, n)?);
        let plain = plain.cold(stub, n)?;
        times.default.this.push(default);
        times.fields.this.push(fields);
        times.default.other.push(plain);
        times.fields.other.push(plain);
        let over = fields.as_secs_f64() - default.as_secs_f64();
        times.over_default.push(over);
    }
    Ok(times)
}

/// How much longer a cold start takes with `fields` than with the default plugin.
fn fields_over_default(table: &mut Table, seconds: f64) {
    const MOST: f64 = 0.3;
    let ms = seconds * 1000.0;
    let target = Target {
        text: format!("{MOST} ms more"),
        met: ms <= MOST,
    };
    let cells = [
        "cold: `fields` over the default plugin".to_owned(),
        format!("{ms:+.2} ms"),
        String::new(),
        String::new(),
        text(Some(&target)),
    ];
    table.row(
        &cells,
        json!({"moreMillis": ms, "withinTarget": target.met}),
    );
}

/// The median of the plugin's step, as the log lines of `bootstrap` have it.
fn plugin_step(table: &mut Table, plugin: &str, steps: &[Duration], most: Option<Duration>) {
    let step = figures::median(steps.to_vec());
    let target = most.map(|most| Target {
        text: time(most),
        met: step <= most,
    });
    let cells = [
        format!("warm: the plugin `{plugin}`, in the log line"),
        time(step),
        String::new(),
        String::new(),
        text(target.as_ref()),
    ];
    let numbers = json!({
        "plugin": plugin,
        "stepMicros": micros(step),
        "withinTarget": target.map(|target| target.met),
    });
    table.row(&cells, numbers);
}

fn memory(table: &mut Table, what: &str, poolhook: u64, plain: u64) {
    const MOST: f64 = 12.0;
    let (poolhook, plain) = (mib(poolhook), mib(plain));
    let more = poolhook - plain;
    let target = Target {
        text: format!("{MOST} MiB more"),
        met: more <= MOST,
    };
    let cells = [
        what.to_owned(),
        format!("{poolhook:.1} MiB"),
        format!("{plain:.1} MiB"),
        format!("{more:+.1} MiB"),
        text(Some(&target)),
    ];
    table.row(
        &cells,
        json!({"poolhookMib": poolhook, "plainMib": plain, "withinTarget": target.met}),
    );
}

/// The plugin's step of an event, in a loop and as it is in an event.
fn steps(parts: &InProcess) -> Table {
    /// The most in a loop, then as in an event.
    const DEFAULT: [Duration; 2] = [Duration::from_micros(10), Duration::from_micros(40)];
    const FIELDS: [Duration; 2] = [Duration::from_micros(15), Duration::from_micros(45)];
    let head = ["the plugin's step", "in a loop", "as in an event", "target"];
    let mut table = Table::new(&head);
    let rows = [
        ("`default`", parts.default, DEFAULT),
        ("`fields`, six keys", parts.fields, FIELDS),
    ];
    for (what, step, [hot, as_in_an_event]) in rows {
        let target = Target {
            text: format!("{} and {}", time(hot), time(as_in_an_event)),
            met: step.hot <= hot && step.as_in_an_event <= as_in_an_event,
        };
        let cells = [
            what.to_owned(),
            time(step.hot),
            time(step.as_in_an_event),
            text(Some(&target)),
        ];
        let numbers = json!({
            "hotMicros": micros(step.hot),
            "asInAnEventMicros": micros(step.as_in_an_event),
            "withinTarget": target.met,
        });
        table.row(&cells, numbers);
    }
    table
}

fn in_process(parts: &InProcess) -> Table {
    /// The ratio that still counts as flat: CPU caches hold one pool's data, not all pools'.
    const FLAT: f64 = 1.1;
    let InProcess {
        start,
        first_lookup,
        lookup,
        event,
        ..
    } = *parts;
    let many = format!("{MANY} pools");
    let mut table = Table::new(&["in-process", "1 pool", &many, "target"]);
    let mut row = |what: &str, pair: Pair, target: Option<&Target>| {
        let cells = [
            what.to_owned(),
            time(pair.one),
            time(pair.many),
            text(target),
        ];
        let numbers = json!({
            "oneMicros": micros(pair.one),
            "manyMicros": micros(pair.many),
            "withinTarget": target.map(|target| target.met),
        });
        table.row(&cells, numbers);
    };
    row("lookup of a pool's config", lookup, None);
    let flat = Target {
        text: format!("{FLAT} times as long with {MANY} pools"),
        met: event.many.as_secs_f64() <= event.one.as_secs_f64() * FLAT,
    };
    row("an event without DynamoDB", event, Some(&flat));
    let mut row = |what: &str, took, target: Option<&Target>| {
        let cells = [what.to_owned(), time(took), String::new(), text(target)];
        let numbers = json!({
            "oneMicros": micros(took),
            "withinTarget": target.map(|target| target.met),
        });
        table.row(&cells, numbers);
    };
    row(
        "first lookup of a pool's config, from its file",
        first_lookup,
        None,
    );
    row("startup: engine and default plugin", start, None);
    table
}

/// Keeps this thread, and all that it starts from now on, on one CPU. Waking another CPU
/// takes long, varies, and is not the functions' cost. A small Lambda function has less
/// than one CPU anyway. Returns `false` without `taskset`.
fn pin() -> Result<bool, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let cpu = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .and_then(|cpus| cpus.rsplit([',', '-']).next())
        .ok_or("no Cpus_allowed_list")?;
    let pinned = Command::new("taskset")
        .args(["--cpu-list", "--pid", cpu.trim()])
        .arg(std::process::id().to_string())
        .output();
    Ok(pinned.is_ok_and(|taskset| taskset.status.success()))
}

/// Describes the machine. Ratios are comparable between machines; times are not.
fn machine(pinned: bool) -> Result<String, Box<dyn Error>> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let cpu = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown CPU", |(_, model)| model);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .arg("--version")
        .output()?;
    Ok(format!(
        "Measured on: {cpu}, {}, Linux {}, {}.",
        if pinned {
            "pinned to one core"
        } else {
            "not pinned"
        },
        kernel.trim(),
        String::from_utf8(rustc.stdout)?.trim(),
    ))
}
