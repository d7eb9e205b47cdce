//! Measures a plugin in each language: its size, and the cost of an event. The built-in
//! plugins are always measured; the others are those that `.ci/kits` builds.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use poolhook::config::{Limits, PluginName, Settings};
use poolhook::digest::{Blake3, Sha256};
use poolhook::event::PostConfirmation;
use poolhook::plugin::{ArtifactFiles, Loader, Mapping, precompile};
use serde_json::json;

use crate::figures::{Table, Target, median, mib, micros, text, time};

const EVENT: &[u8] = include_bytes!("../../tests/events/custom-attributes.json");

/// Six keys; only the first and the last are plain copies.
const FIELDS: &str = r#"
    [item]
    id    = "user.name"
    email = "user.attributes.email | lower"
    plan  = "user.attributes['custom:plan'] | default('free')"
    seats = "user.attributes['custom:seats'] | int"
    tags  = "user.attributes['custom:plan'] | split(',') | set"
    since = "user.time"
"#;

/// The plugins' folders, and their names in the table.
const PLUGINS: [(&str, &str); 6] = [
    ("default", "`default`, in Rust"),
    ("fields", "`fields`, six keys"),
    ("rust", "Rust, with the SDK"),
    ("c", "C"),
    ("typescript", "TypeScript on QuickJS"),
    ("python", "Python"),
];

/// Measures all plugins in this number of rounds, with temporary files in `folder`.
pub(crate) fn measure(folder: &Path, rounds: usize) -> Result<Table, Box<dyn Error>> {
    let mut table = Table::new(&[
        "plugin",
        "component",
        "machine code",
        "compiling",
        "load from file",
        "an event, fresh instance",
        "memory",
        "target",
    ]);
    let loader = Loader::new()?;
    for (name, what) in PLUGINS {
        match fs::read(component(name)) {
            Ok(component) => {
                let files = folder.join("languages");
                let plugin = PluginName::try_from(name.to_owned())?;
                let settings = match name {
                    "fields" => Settings::from_toml(FIELDS)?.for_plugin(&plugin)?,
                    _ => Settings::default(),
                };
                let seen = Seen::of(&loader, &files, &plugin, &component, &settings, rounds)?;
                seen.row(&mut table, what, name == "fields");
            }
            Err(error) => eprintln!("skipped {what}: {}: {error}", component(name).display()),
        }
    }
    Ok(table)
}

fn component(name: &str) -> PathBuf {
    let host = Path::new(env!("CARGO_MANIFEST_DIR"));
    let committed = host.join(format!("../plugins/{name}/{name}.wasm"));
    let kits = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("kits");
    match name {
        "default" | "fields" => committed,
        _ => kits.join(format!("{name}.wasm")),
    }
}

/// The results of one plugin.
struct Seen {
    component: u64,
    code: u64,
    compiling: Duration,
    load: Duration,
    event: Duration,
    memory: u64,
}

impl Seen {
    fn of(
        loader: &Loader,
        folder: &Path,
        name: &PluginName,
        component: &[u8],
        settings: &Settings,
        rounds: usize,
    ) -> Result<Self, Box<dyn Error>> {
        const EVENTS: u32 = 200;
        let started = Instant::now();
        let artifact = precompile(component)?;
        let compiling = started.elapsed();
        let code = artifact.len() as u64;

        let digest = Sha256::of(component);
        let code_digest = Blake3::of(&artifact);
        let files = ArtifactFiles::open(folder, 1 << 30)?;
        let mut incoming = files.receive(code_digest)?;
        incoming.write_all(&artifact)?;
        incoming.verify()?;
        files.persist(incoming)?;
        let load = || -> Result<_, Box<dyn Error>> {
            let cached = files.get(code_digest).ok_or("a file was not cached")?;
            Ok(loader.load(name.clone(), digest, &cached)?)
        };
        let plugin = load()?;
        let event = PostConfirmation::parse(EVENT)?;
        let (received, limits) = (SystemTime::now(), Limits::default());
        let (mut loads, mut events, mut memory) = (Vec::new(), Vec::new(), 0);
        for _ in 0..rounds {
            let started = Instant::now();
            black_box(load()?);
            loads.push(started.elapsed());

            let started = Instant::now();
            for _ in 0..EVENTS {
                let run = plugin.run(&event, received, settings, &limits);
                let Mapping::Put(fields) = run.mapping? else {
                    return Err("the user was skipped".into());
                };
                black_box(fields.into_item()?);
                memory = run.memory_bytes as u64;
            }
            events.push(started.elapsed() / EVENTS);
        }
        Ok(Self {
            component: component.len() as u64,
            code,
            compiling,
            load: median(loads),
            event: median(events),
            memory,
        })
    }

    fn row(&self, table: &mut Table, what: &str, is_fields: bool) {
        const EVENT: Duration = Duration::from_micros(15);
        let target = is_fields.then(|| Target {
            text: time(EVENT),
            met: self.event <= EVENT,
        });
        let kb = |bytes: u64| format!("{} KB", bytes.div_ceil(1000));
        let cells = [
            what.to_owned(),
            kb(self.component),
            kb(self.code),
            time(self.compiling),
            time(self.load),
            time(self.event),
            format!("{:.1} MiB", mib(self.memory)),
            text(target.as_ref()),
        ];
        let numbers = json!({
            "componentBytes": self.component,
            "codeBytes": self.code,
            "compilingMicros": micros(self.compiling),
            "loadMicros": micros(self.load),
            "eventMicros": micros(self.event),
            "memoryBytes": self.memory,
            "withinTarget": target.map(|target| target.met),
        });
        table.row(&cells, numbers);
    }
}
