//! A host's caches of configs and plugins: each is loaded once, stays within its budget, and is
//! refreshed in the background.

use std::fs;
use std::time::{Duration, Instant};

use poolhook::digest::Sha256;
use poolhook::host::Host;
use poolhook::plugin::precompile;
use poolhook::plugins::ENTRY_BYTES;
use poolhook::report::Report;
use serde_json::Value;

use crate::hostile::plugin_name;
use crate::release_fixtures::{ACME, Fault, Lab, Seen, from_wat, machine_code, mapper};
use crate::support::{OTHER_POOL, POOL, event, failure};

/// A little more than the shortest TTL.
const TIME_TO_LIVE: Duration = Duration::from_millis(1050);

#[test]
fn a_cold_plugin_is_loaded_once_for_concurrent_events() {
    let lab = Lab::new();
    lab.lay(ACME, &mapper(0), &machine_code());
    let host = lab.host();
    let slow = Fault::Slow(Duration::from_millis(30));
    lab.config.set(slow);
    lab.blobs.set(slow);
    let raw = event("confirm-sign-up");
    let one = || host.handle(host.deliver(&raw, Duration::MAX));
    let both = async { tokio::join!(one(), one(), one()) };
    let (first, second, third) = lab.runtime.block_on(both);
    for report in [first, second, third] {
        assert!(report.outcome.is_ok(), "{:?}", report.outcome);
    }
    let reads = lab.blobs.reads();
    assert_eq!(reads.len(), 3, "pointer, release, artifact: {reads:?}");
    assert_eq!(lab.config.reads().len(), 1);

    let report = lab.handle(&host, &raw);
    assert_eq!(report.outcome_name(), "already there");
    assert!(lab.blobs.reads().is_empty() && lab.config.reads().is_empty());
}

#[test]
fn cached_machine_code_is_not_downloaded_again() {
    let lab = Lab::new();
    lab.lay(ACME, &mapper(0), &machine_code());
    lab.mapped_with();
    assert_eq!(lab.blobs.code_reads(), 1);
    lab.mapped_with();
    assert_eq!(lab.blobs.code_reads(), 0);
    // Another plugin with the same machine code shares it. Without a folder, nothing is cached.
    lab.lay(ACME, &mapper(1), &machine_code());
    assert_eq!(lab.mapped_with(), Sha256::of(&mapper(1)));
    assert_eq!(lab.blobs.code_reads(), 0);
    lab.handle(&lab.host_with(None), &event("confirm-sign-up"));
    assert_eq!(lab.blobs.code_reads(), 1);
}

#[test]
fn plugins_beyond_the_budget_run_and_are_evicted() {
    const PLUGINS: usize = 30;
    const BUDGET: usize = 1 << 20;
    let lab = Lab::new();
    configure_host(&lab, "[plugins]\nmemory-bytes = 1_048_576");
    let pool = |number: usize| format!("eu-west-1_Many{number:02}");
    for number in 0..PLUGINS {
        let plugin = format!("many-{number}");
        lab.lay(&plugin, &mapper(number), &machine_code());
        let config = format!("table = 'User'\nplugin = '{plugin}'\nwrite = 'replace'");
        lab.folder.configure(&pool(number), &config);
    }
    let host = lab.host_with(None);
    let raw = String::from_utf8(event("confirm-sign-up")).unwrap();
    for _ in 0..3 {
        lab.blobs.reads();
        for number in 0..PLUGINS {
            let report = lab.handle(&host, raw.replace(POOL, &pool(number)).as_bytes());
            assert_eq!(report.outcome_name(), "written", "{:?}", report.outcome);
            let component = Some(Sha256::of(&mapper(number)));
            assert_eq!(report.trace.component, component);
        }
        let bytes = usize::try_from(ENTRY_BYTES).unwrap() + machine_code().len();
        let most = BUDGET / bytes;
        let kept = PLUGINS - lab.blobs.code_reads();
        assert!(kept <= most, "{kept} were kept, where {most} have room");
    }
    // What is used repeatedly stays cached.
    let raw = raw.replace(POOL, &pool(3));
    for _ in 0..3 {
        lab.handle(&host, raw.as_bytes());
    }
    lab.blobs.reads();
    lab.handle(&host, raw.as_bytes());
    assert_eq!(lab.blobs.code_reads(), 0, "the budget holds nothing");
}

#[test]
fn a_plugin_larger_than_the_budget_runs() {
    let lab = Lab::new();
    configure_host(&lab, "[plugins]\nmemory-bytes = 1_048_576");
    let large = from_wat(&format!(
        "(func $to_item (param i32) (result i32) (i32.const 0))
         (data (i32.const 4) \"\\01\")
         (data $large \"{}\")",
        "large ".repeat(200_000)
    ));
    let code = precompile(&large).unwrap();
    assert!(code.len() > 1 << 20, "{} bytes", code.len());
    lab.lay(ACME, &large, &code);
    let host = lab.host_with(None);
    for _ in 0..3 {
        let report = lab.handle(&host, &event("confirm-sign-up"));
        assert_eq!(report.outcome_name(), "skipped", "{:?}", report.outcome);
        assert_eq!(lab.blobs.code_reads(), 1);
    }
    // It has not blocked other plugins from the cache.
    let other = lab.handle(&host, &event("other-pool"));
    assert_eq!(other.outcome_name(), "written");
}

/// One host, over several TTLs.
#[test]
fn valid_updates_are_activated_and_invalid_ones_are_not() {
    let lab = Lab::new();
    configure_host(&lab, "refresh-seconds = 1");
    let defaults = lab.folder.config().join("defaults.toml");
    fs::write(&defaults, "table = 'User'").unwrap();
    lab.folder
        .configure(POOL, "plugin = 'acme'\nwrite = 'replace'");
    lab.lay(ACME, &mapper(1), &machine_code());
    let host = lab.host();
    let later = Later { lab: &lab, host };
    later.mapped("User", 1);
    later.other("Customer");
    assert!(later.is_over("before it is time").is_empty());

    // Nothing has changed: each is requested once, conditionally, and not sent again.
    later.wait();
    later.mapped("User", 1);
    assert!(later.is_over("nothing new").is_empty());
    let mut reads = [lab.config.reads(), lab.blobs.reads()].concat();
    reads.sort_by(|one, other| one.key.cmp(&other.key));
    let once = |key: &str| Seen {
        key: key.into(),
        conditional: true,
    };
    let pool = format!("{POOL}.toml");
    let keys = [&pool, "defaults.toml", "releases/acme/live.json"];
    assert_eq!(reads, keys.map(once));
    later.mapped("User", 1);
    assert!(lab.config.reads().is_empty() && lab.blobs.reads().is_empty());

    // A newer release, a newer config, and a config whose plugin does not exist.
    lab.lay(ACME, &mapper(2), &machine_code());
    lab.folder
        .configure(POOL, "table = 'Member'\nplugin = 'acme'\nwrite = 'replace'");
    lab.folder.configure(OTHER_POOL, "plugin = 'nowhere'");
    later.wait();
    later.mapped("User", 1);
    later.other("Customer");
    let notices = later.is_over("news");
    assert_eq!(
        short(&notices),
        [
            "config refresh failed us-east-1_Tn4Kp0Zs9: Plugin.NotReleased".to_owned(),
            format!("new config {POOL}"),
            format!("new release acme {}", Sha256::of(&mapper(2))),
        ]
    );
    later.mapped("Member", 2);
    later.other("Customer");

    // The store is unreachable.
    lab.config.set(Fault::Dead);
    lab.blobs.set(Fault::Dead);
    later.wait();
    later.mapped("Member", 2);
    let notices = later.is_over("no store");
    assert_eq!(
        short(&notices),
        [
            format!("config refresh failed {POOL}: Blobs.Unavailable"),
            "release refresh failed acme: Blobs.Unavailable".to_owned(),
        ]
    );
    later.mapped("Member", 2);
    lab.config.set(Fault::None);
    lab.blobs.set(Fault::None);

    // The live release cannot be loaded, and the defaults are not TOML.
    lab.put_live(ACME, Sha256::of(b"nothing"));
    fs::write(&defaults, "table = ").unwrap();
    later.wait();
    later.mapped("Member", 2);
    let notices = later.is_over("broken");
    assert_eq!(
        short(&notices),
        [
            format!("config refresh failed {POOL}: Config.Invalid"),
            "release refresh failed acme: Plugin.NoSuchRelease".to_owned(),
        ]
    );
    later.mapped("Member", 2);

    // New defaults reach pools whose own files are unchanged.
    lab.put_live(ACME, Sha256::of(&mapper(2)));
    lab.folder
        .configure(POOL, "plugin = 'acme'\nwrite = 'replace'");
    fs::write(&defaults, "table = 'Guest'").unwrap();
    later.wait();
    later.mapped("Member", 2);
    later.is_over("defaults");
    later.mapped("Guest", 2);
    fs::write(&defaults, "table = 'Visitor'").unwrap();
    later.wait();
    later.mapped("Guest", 2);
    let notices = later.is_over("other defaults");
    assert_eq!(short(&notices), [format!("new config {POOL}")]);
    later.mapped("Visitor", 2);

    // A pool whose file is deleted is rejected.
    fs::remove_file(lab.folder.config().join(&pool)).unwrap();
    later.wait();
    later.mapped("Visitor", 2);
    let notices = later.is_over("no pool");
    assert_eq!(
        short(&notices),
        [format!("config refresh failed {POOL}: Config.UnknownPool")]
    );
    let unknown = lab.handle(&later.host, &event("confirm-sign-up"));
    assert_eq!(failure(&unknown), "Config.UnknownPool");
}

#[test]
fn no_event_waits_for_a_refresh() {
    let lab = Lab::new();
    configure_host(&lab, "refresh-seconds = 1");
    lab.folder
        .configure(POOL, "table = 'User'\nplugin = 'acme'\nwrite = 'replace'");
    lab.lay(ACME, &mapper(1), &machine_code());
    let host = lab.host();
    let later = Later { lab: &lab, host };
    later.mapped("User", 1);

    let hanging = Fault::Slow(Duration::from_secs(3));
    lab.config.set(hanging);
    lab.blobs.set(hanging);
    later.wait();
    lab.lay(ACME, &mapper(2), &machine_code());
    for _ in 0..3 {
        let began = Instant::now();
        later.mapped("User", 1);
        assert!(began.elapsed() < Duration::from_secs(1));
    }
    let limit = Duration::from_millis(200);
    let began = Instant::now();
    lab.runtime.block_on(later.host.settle(limit));
    let waited = began.elapsed();
    assert!(
        (limit..Duration::from_secs(1)).contains(&waited),
        "{waited:?}"
    );
    // Once for each, although three events came while it hung.
    assert_eq!(lab.config.reads().len(), 1);
    assert_eq!(lab.blobs.reads().len(), 1);

    // The refresh that was not done by then continues, and its result is activated.
    lab.config.set(Fault::None);
    lab.blobs.set(Fault::None);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let pause = async { tokio::time::sleep(Duration::from_millis(50)).await };
        lab.runtime.block_on(pause);
        let report = lab.handle(&later.host, &event("confirm-sign-up"));
        if report.trace.component == Some(Sha256::of(&mapper(2))) {
            break;
        }
        assert!(Instant::now() < deadline, "the newer release never came");
    }
}

/// A host, after its caches' TTL.
struct Later<'a> {
    lab: &'a Lab,
    host: Host,
}

impl Later<'_> {
    fn wait(&self) {
        std::thread::sleep(TIME_TO_LIVE);
        self.lab.config.reads();
        self.lab.blobs.reads();
    }

    /// Asserts that a sign-up in the pool of `acme` is mapped by this version and put to this
    /// table.
    fn mapped(&self, table: &str, version: usize) {
        let report = self.written("confirm-sign-up", table);
        assert_eq!(report.trace.component, Some(Sha256::of(&mapper(version))));
        assert_eq!(report.trace.plugin, Some(plugin_name(ACME)));
    }

    /// Asserts that a sign-up in the other pool is put to this table.
    fn other(&self, table: &str) {
        self.written("other-pool", table);
    }

    fn written(&self, name: &str, table: &str) -> Report {
        let report = self.lab.handle(&self.host, &event(name));
        assert!(report.outcome.is_ok(), "{:?}", report.outcome);
        let found = report.trace.table.as_ref().unwrap();
        assert_eq!(found.name.as_str(), table);
        report
    }

    /// The notices, once the background tasks are done.
    fn is_over(&self, what: &str) -> Vec<Value> {
        let began = Instant::now();
        let limit = Duration::from_secs(10);
        self.lab.runtime.block_on(self.host.settle(limit));
        assert!(began.elapsed() < limit, "{what} takes for ever");
        let notices = self.host.notices();
        let lines = notices.iter().map(|notice| {
            serde_json::from_str(&notice.log_line()).unwrap_or_else(|error| panic!("{error}"))
        });
        lines.collect()
    }
}

/// Notices as one line each, sorted.
fn short(notices: &[Value]) -> Vec<String> {
    let short = |notice: &Value| {
        let text = |key: &str| notice[key].as_str();
        let what = text("userPoolId").or(text("plugin")).unwrap();
        let line = format!("{} {what}", text("notice").unwrap());
        let level = if text("error").is_some() {
            "WARN"
        } else {
            "INFO"
        };
        assert_eq!(text("level"), Some(level));
        match (text("component"), text("error")) {
            (Some(component), _) => format!("{line} {component}"),
            (_, Some(error)) => format!("{line}: {error}"),
            _ => line,
        }
    };
    let mut short: Vec<_> = notices.iter().map(short).collect();
    short.sort();
    short
}

fn configure_host(lab: &Lab, toml: &str) {
    fs::write(lab.folder.config().join("host.toml"), toml).unwrap();
}
