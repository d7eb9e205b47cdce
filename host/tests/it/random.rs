//! Components of random instructions, types and proposals: publishing accepts or rejects
//! each, and `bootstrap` answers each event in time.
//!
//! `POOLHOOK_COMPONENTS` is their number, `POOLHOOK_SEED` the seed.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use arbitrary::{Arbitrary as _, Unstructured};
use poolhook::blobs::dir::Dir;
use poolhook::config::PublishLimits;
use poolhook::publish::{Checker, Published, Publisher};
use poolhook::releases::Releases;
use serde_json::Value;
use wasm_smith::{Component, Config, Module};

use crate::bootstrap::{Lambda, create_table};
use crate::release_fixtures::{at, upload};
use crate::releases::leb;
use crate::servers;
use crate::support::{TestFolder, block_on, event, tests};

/// The default `deadline-ms`.
const DEADLINE: Duration = Duration::from_secs(4);
/// The memory of the smallest Lambda function.
const MEMORY_BYTES: u64 = 128 << 20;

#[test]
fn random_components_are_accepted_or_rejected_and_their_events_answered() {
    let count = from_env("POOLHOOK_COMPONENTS", 200);
    let seed = from_env("POOLHOOK_SEED", 1);
    eprintln!("POOLHOOK_COMPONENTS={count} POOLHOOK_SEED={seed}");

    let next = AtomicU64::new(0);
    let folder = TestFolder::new(&[]);
    let blobs = Dir::create(folder.path().join("poolhook.blobs")).unwrap();
    let releases = Releases::new(Arc::new(blobs));
    let program = env!("CARGO_BIN_EXE_poolhook");
    let publish = || {
        let limits = PublishLimits::default();
        let publisher = Publisher::new(releases.clone(), Checker::new(limits, program.into()));
        let mut verdicts = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return verdicts;
            }
            let component = component(seed, number);
            let upload = upload(&plugin(number), component, at(number));
            let verdict = match block_on(publisher.publish(&upload)).unwrap() {
                Published::Rejected(rejected) => rejected.name().to_owned(),
                _ => "live".to_owned(),
            };
            verdicts.push((number, verdict));
        }
    };
    let verdicts: Vec<_> = thread::scope(|scope| {
        let threads = [(); 2].map(|()| scope.spawn(publish));
        threads.map(|thread| thread.join().unwrap()).concat()
    });
    let tally = |names: &mut dyn Iterator<Item = &str>| {
        let mut tally = BTreeMap::new();
        names.for_each(|name| *tally.entry(name.to_owned()).or_insert(0) += 1);
        tally
    };
    eprintln!(
        "{:?}",
        tally(&mut verdicts.iter().map(|(_, name)| name.as_str()))
    );
    // No component crashes the child.
    let died: Vec<_> = verdicts
        .iter()
        .filter(|(_, name)| name == "Upload.CompilerFailed")
        .collect();
    assert!(died.is_empty(), "{died:?}");
    let live: Vec<_> = verdicts
        .iter()
        .filter(|(_, name)| name == "live")
        .map(|(number, _)| *number)
        .collect();
    assert!(live.len() as u64 >= count / 5, "{} went live", live.len());

    let ministack = servers::ministack();
    create_table(ministack.url(), "us-east-1", "User");
    for number in &live {
        let plugin = plugin(*number);
        let config = format!("region = 'us-east-1'\ntable = 'User'\nplugin = '{plugin}'");
        folder.configure(&pool(*number), &config);
    }
    let lambda = Lambda::start(&folder, ministack.url());
    let mut longest = Duration::ZERO;
    for number in &live {
        for user in ["ada", "zoe"] {
            let mut event: Value = serde_json::from_slice(&event("confirm-sign-up")).unwrap();
            event["userPoolId"] = pool(*number).into();
            event["userName"] = format!("{user}-{number}").into();
            let began = Instant::now();
            let answer = lambda.invoke(event.to_string().into_bytes());
            let took = began.elapsed();
            assert_eq!(answer.kind, "response", "{number} {user}");
            assert!(took < DEADLINE, "{number} {user}: {took:?}");
            longest = longest.max(took);
        }
    }
    let peak = lambda.peak_bytes();
    let log = lambda.end();
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines
        .filter(|line: &Value| line["outcome"].is_string())
        .collect();
    let end = |line: &Value| {
        let name = line["error"].as_str().or(line["outcome"].as_str());
        name.unwrap().to_owned()
    };
    let ends: Vec<_> = lines.iter().map(end).collect();
    eprintln!(
        "{:?}, peak {peak} bytes, longest {longest:?}",
        tally(&mut ends.iter().map(String::as_str))
    );
    assert_eq!(ends.len(), 2 * live.len());
    assert!(peak < MEMORY_BYTES, "{peak} bytes");
}

pub(crate) fn from_env(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn plugin(number: u64) -> String {
    format!("random-{number}")
}

fn pool(number: u64) -> String {
    format!("us-east-1_Random{number}")
}

/// One in ten is a component of random parts; the others are mappers that call a random
/// module, half of which use all proposals.
fn component(seed: u64, number: u64) -> Vec<u8> {
    let bytes = noise(seed, number);
    let mut dice = Unstructured::new(&bytes);
    let mut config = Config::arbitrary(&mut dice).unwrap();
    if number.is_multiple_of(10) {
        everything(&mut config);
        return Component::new(config, &mut dice).unwrap().to_bytes();
    }
    if number.is_multiple_of(2) {
        everything(&mut config);
    } else {
        what_is_allowed(&mut config);
    }
    config.max_imports = 0;
    config.min_imports = 0;
    config.min_funcs = config.min_funcs.clamp(1, 20);
    config.max_funcs = config.max_funcs.max(config.min_funcs);
    config.exports = Some(wat::parse_str("(module (func (export \"run\")))").unwrap());
    let module = Module::new(config, &mut dice).unwrap().to_bytes();

    // Replaces the template's first module.
    let text = fs::read_to_string(tests("plugins/random.wat.in")).unwrap();
    let template = wat::parse_str(text).unwrap();
    let (header, sections) = template.split_at(8);
    let (length, digits) = unleb(&sections[1..]);
    let mut component = [header, &[1]].concat();
    component.extend(leb(u32::try_from(module.len()).unwrap()));
    component.extend(module);
    component.extend(&sections[1 + digits + length..]);
    component
}

fn everything(config: &mut Config) {
    config.gc_enabled = true;
    config.exceptions_enabled = true;
    config.threads_enabled = true;
    config.memory64_enabled = true;
    config.relaxed_simd_enabled = true;
    config.custom_page_sizes_enabled = true;
    config.wide_arithmetic_enabled = true;
    config.tail_call_enabled = true;
    config.max_memories = 4;
    config.max_tables = 4;
}

fn what_is_allowed(config: &mut Config) {
    config.gc_enabled = false;
    config.exceptions_enabled = false;
    config.threads_enabled = false;
    config.shared_everything_threads_enabled = false;
    config.memory64_enabled = false;
    config.relaxed_simd_enabled = false;
    config.custom_page_sizes_enabled = false;
    config.custom_descriptors_enabled = false;
    config.wide_arithmetic_enabled = false;
    config.bulk_memory_enabled = true;
    // Reference types would include references that need the garbage collector.
    config.reference_types_enabled = false;
    config.tail_call_enabled = true;
    config.simd_enabled = true;
    // Within the default limits, or nothing would run.
    config.max_memory32_bytes = 4 << 20;
    config.max_table_elements = 2_000;
    config.min_memories = 1;
    config.max_memories = 4;
    config.max_tables = 4;
    config.min_tables = config.min_tables.min(4);
    config.max_instructions = 500;
    config.allow_start_export = false;
}

/// A few kilobytes that depend on both numbers.
pub(crate) fn noise(seed: u64, number: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number;
    let mut next = || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let length = 512 + next() % 4096;
    (0..length).flat_map(|_| next().to_le_bytes()).collect()
}

/// A LEB128 number, and the number of bytes it takes.
fn unleb(bytes: &[u8]) -> (usize, usize) {
    let digits = 1 + bytes.iter().position(|byte| byte & 0x80 == 0).unwrap();
    let number = bytes[..digits].iter().rev();
    let number = number.fold(0, |number, byte| number << 7 | usize::from(byte & 0x7f));
    (number, digits)
}
