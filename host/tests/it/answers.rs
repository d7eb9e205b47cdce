//! What a plugin's answer costs the host, in memory and time, beyond what the plugin
//! itself uses: for the worst answers of 1 and 16 MiB that could be made.

use poolhook::plugin::precompile;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::bootstrap::Lambda;
use crate::release_fixtures::{ACME, Lab, from_wat};
use crate::support::{POOL, TestFolder, event};

/// The size in bytes of the answers, and how the larger ones are allowed.
const SIZES: [usize; 2] = [1 << 20, 16 << 20];
const LIMITS: &str = "output-bytes = 16_777_216
memory-bytes = 134_217_728
fuel = 10_000_000_000
time-ms = 1000";
/// The host's memory for an answer: 60 times DynamoDB's largest item, whose attributes may
/// have three bytes each.
const MAX_BYTES: u64 = 60 * 400 * 1024;

/// A text at 1 MiB repeats a pattern of 2^n bytes. The first field is named `id`; its value
/// has this case and the text, or `elements` of it.
struct Shape {
    name: &'static str,
    /// The value's case: see `host/tests/hostile/README.md`.
    case: u8,
    pattern: String,
    /// What the text's first and last byte are instead.
    ends: Option<[u8; 2]>,
    /// The size of an element, for a list.
    element_bytes: usize,
}

fn shape(name: &'static str, case: u8, pattern: &str) -> Shape {
    Shape {
        name,
        case,
        pattern: pattern.to_owned(),
        ends: None,
        element_bytes: 1,
    }
}

fn json(name: &'static str, pattern: &str, ends: [u8; 2]) -> Shape {
    Shape {
        ends: Some(ends),
        ..shape(name, 8, pattern)
    }
}

fn list(name: &'static str, case: u8, element: &str) -> Shape {
    Shape {
        element_bytes: 8,
        ..shape(name, case, element)
    }
}

fn shapes() -> Vec<Shape> {
    let deep = format!(",{}{} ", "[".repeat(31), "]".repeat(31));
    vec![
        shape("one text", 0, "x"),
        shape("one number", 1, "1"),
        shape("bytes", 2, "x"),
        json("JSON: one text", "x", *b"\"\""),
        json(
            "JSON: escapes",
            r"\u0041\u0042\u0043\u0044\u0045  ",
            *b"\"\"",
        ),
        json("JSON: numbers", ",1", *b"[]"),
        json(
            "JSON: long numbers",
            ",12345678901234567890123456789e1",
            *b"[]",
        ),
        json("JSON: nulls", ",null   ", *b"[]"),
        json("JSON: empty lists", ",[] ", *b"[]"),
        json("JSON: empty maps", ",{} ", *b"[]"),
        json("JSON: empty texts", ",\"\" ", *b"[]"),
        json("JSON: deep lists", &deep, *b"[]"),
        json("JSON: one name repeated", ",\"abc\":1", *b"{}"),
        // The elements are the text "id", and an empty one.
        list("a set of one text repeated", 5, r"\00\02\00\00\02\00\00\00"),
        list(
            "a set of one number repeated",
            6,
            r"\10\02\00\00\01\00\00\00",
        ),
        list("a set of empty texts", 5, r"\00\02\00\00\00\00\00\00"),
        list("a set of empty bytes", 7, r"\00\02\00\00\00\00\00\00"),
    ]
}

/// Repeats the pattern at 1 MiB up to `bytes`, and answers with the field. A skip instead
/// costs what the plugin itself costs.
fn module(shape: &Shape, bytes: usize, skips: bool) -> String {
    let Shape {
        case,
        pattern,
        ends,
        element_bytes,
        ..
    } = shape;
    let pattern = match element_bytes {
        1 => pattern.replace('\\', r"\5c").replace('"', r"\22"),
        _ => pattern.clone(),
    };
    let pattern_bytes = match element_bytes {
        1 => shape.pattern.len(),
        n => *n,
    };
    assert!(pattern_bytes.is_power_of_two(), "{}", shape.name);
    let last = (1 << 20) + bytes - 1;
    let ends = ends.map_or(String::new(), |[open, close]| {
        format!(
            "(i32.store8 (i32.const 1048576) (i32.const {open}))
             (i32.store8 (i32.const {last}) (i32.const {close}))"
        )
    });
    let fields = format!(
        "(i32.store (i32.const 44) (i32.const 1048576))
         (i32.store (i32.const 48) (i32.const {}))",
        bytes / element_bytes
    );
    answering(
        &format!(
            "(memory.copy (i32.const 1048576) (i32.const 0x300) (i32.const {pattern_bytes}))
             (local.set $n (i32.const {pattern_bytes}))
             (loop $more
               (memory.copy (i32.add (i32.const 1048576) (local.get $n))
                            (i32.const 1048576) (local.get $n))
               (local.set $n (i32.shl (local.get $n) (i32.const 1)))
               (br_if $more (i32.lt_u (local.get $n) (i32.const {bytes}))))
             {ends} {fields}
             (i32.store (i32.const 8) (i32.const 32))
             (i32.store (i32.const 12) (i32.const 1))"
        ),
        &format!(
            r#"(data (i32.const 0x20) "\00\02\00\00" "\02\00\00\00" "\{case:02x}\00\00\00")
               (data (i32.const 0x200) "id") (data (i32.const 0x210) "1")
               (data (i32.const 0x300) "{pattern}")"#
        ),
        skips,
    )
}

fn answering(work: &str, data: &str, skips: bool) -> String {
    let skip = if skips {
        "(i32.store (i32.const 4) (i32.const 1)) (i32.store (i32.const 12) (i32.const 0))"
    } else {
        ""
    };
    format!(
        "(func $to_item (param i32) (result i32)
           (local $n i32) (local $at i32)
           (drop (memory.grow (i32.const 900)))
           {work} {skip}
           (i32.const 0))
         {data}"
    )
}

/// As many attributes as fit: names of three bytes, without values.
fn many_attributes(skips: bool, count: usize) -> String {
    answering(
        &format!(
            "(loop $more
               (local.set $at (i32.add (i32.const 0x800000) (i32.shl (local.get $n) (i32.const 2))))
               (i32.store (local.get $at) (i32.add (i32.add
                 (i32.add (i32.const 0x303030) (i32.and (local.get $n) (i32.const 63)))
                 (i32.shl (i32.and (i32.shr_u (local.get $n) (i32.const 6)) (i32.const 63)) (i32.const 8)))
                 (i32.shl (i32.and (i32.shr_u (local.get $n) (i32.const 12)) (i32.const 63)) (i32.const 16))))
               (i32.store (i32.add (i32.const 0x100000) (i32.mul (local.get $n) (i32.const 20))) (local.get $at))
               (i32.store (i32.add (i32.const 0x100004) (i32.mul (local.get $n) (i32.const 20))) (i32.const 3))
               (i32.store (i32.add (i32.const 0x100008) (i32.mul (local.get $n) (i32.const 20))) (i32.const 4))
               (local.set $n (i32.add (local.get $n) (i32.const 1)))
               (br_if $more (i32.lt_u (local.get $n) (i32.const {count}))))
             (i32.store (i32.const 8) (i32.const 0x100000))
             (i32.store (i32.const 12) (i32.const {count}))"
        ),
        "",
        skips,
    )
}

/// A long name, shared by no value.
fn long_name(skips: bool, bytes: usize) -> String {
    answering(
        &format!(
            "(memory.fill (i32.const 1048576) (i32.const 120) (i32.const {bytes}))
             (i32.store (i32.const 0x20) (i32.const 1048576))
             (i32.store (i32.const 0x24) (i32.const {bytes}))
             (i32.store (i32.const 0x28) (i32.const 4))
             (i32.store (i32.const 8) (i32.const 32))
             (i32.store (i32.const 12) (i32.const 1))"
        ),
        "",
        skips,
    )
}

struct Cost {
    error: String,
    peak_bytes: u64,
    micros: u64,
}

/// One event in a process of its own.
fn cost(module: &str) -> Cost {
    let lab = Lab::new();
    let config = format!("table = 'User'\nplugin = '{ACME}'\n[limits]\n{LIMITS}\n");
    lab.folder.configure(POOL, &config);
    let component = from_wat(module);
    lab.lay(ACME, &component, &precompile(&component).unwrap());
    let lambda = Lambda::start(&lab.folder, "http://127.0.0.1:9");
    lambda.invoke(event("confirm-sign-up"));
    let peak_bytes = lambda.peak_bytes();
    let log = lambda.end();
    let line = log
        .lines()
        .find(|line| line.contains("\"outcome\""))
        .unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let micros = |step: &str| line["micros"][step].as_u64().unwrap_or_default();
    Cost {
        error: line["error"].as_str().unwrap_or_default().to_owned(),
        peak_bytes,
        micros: micros("plugin") + micros("check"),
    }
}

#[test]
fn an_answers_memory_and_time_are_bounded_whatever_its_shape() {
    let mut table = Vec::new();
    let mut measure = |name: &str, size: usize, module: &dyn Fn(bool) -> String| {
        let (answer, skip) = (cost(&module(false)), cost(&module(true)));
        assert_eq!(skip.error, "", "{name}");
        let bytes = answer.peak_bytes.saturating_sub(skip.peak_bytes);
        let micros = answer.micros.saturating_sub(skip.micros);
        let row = format!(
            "{:2} MiB | {name:30} | {:22} | {:6} kB | {micros:7} us",
            size >> 20,
            answer.error,
            bytes / 1000,
        );
        eprintln!("{row}");
        assert!(!answer.error.is_empty(), "{row}");
        table.push((bytes, row));
    };
    for size in SIZES {
        for shape in shapes() {
            measure(shape.name, size, &|skips| module(&shape, size, skips));
        }
        measure("one attribute's name", size, &|skips| {
            long_name(skips, size)
        });
        // 20 bytes each, as the plugin hands them over.
        measure("attributes", size, &|skips| {
            many_attributes(skips, size / 20)
        });
    }
    // An item of nearly the largest size: only its key is missing.
    measure("100,000 attributes, an item", 2 << 20, &|skips| {
        many_attributes(skips, 100_000)
    });
    let (_, item) = table.last().unwrap();
    assert!(item.contains("Item.KeyMissing"), "{item}");
    let over: Vec<_> = table
        .iter()
        .filter(|(bytes, _)| *bytes > MAX_BYTES)
        .collect();
    assert!(over.is_empty(), "{over:#?}");
}

/// An event's attributes that are no texts are never built as a tree.
#[test]
fn an_events_memory_is_bounded_whatever_its_attributes() {
    const BYTES: usize = 1_000_000;
    let repeated = |open: &str, part: &str, close: &str| {
        let times = (BYTES - open.len() - close.len()) / part.len();
        format!("{open}{}{close}", part.repeat(times).trim_end_matches(','))
    };
    let many: Vec<_> = (0..BYTES / 14)
        .map(|n| format!("\"{n:06}\":\"x\""))
        .collect();
    let shapes = [
        ("nothing", "{}".to_owned()),
        ("numbers", repeated("{\"a\":[", "1,", "]}")),
        ("empty lists", repeated("{\"a\":[", "[],", "]}")),
        ("empty maps", repeated("{\"a\":[", "{},", "]}")),
        (
            "deep lists",
            format!(
                "{{\"a\":{}{}}}",
                "[".repeat(BYTES / 2),
                "]".repeat(BYTES / 2)
            ),
        ),
        ("one text", repeated("{\"a\":\"", "x", "\"}")),
        ("escapes", repeated("{\"a\":\"", "\\u0041", "\"}")),
        ("many attributes", format!("{{{}}}", many.join(","))),
    ];
    let mut least = None;
    for (name, attributes) in shapes {
        let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
        let lambda = Lambda::start(&folder, "http://127.0.0.1:9");
        let raw = String::from_utf8(event("confirm-sign-up")).unwrap();
        let (before, rest) = raw.split_once("\"userAttributes\":").unwrap();
        let (_, after) = rest.split_once('}').unwrap();
        let raw = format!("{before}\"userAttributes\":{attributes}{after}");
        assert!(serde_json::from_str::<IgnoredAny>(&raw).is_ok(), "{name}");
        lambda.invoke(raw.into_bytes());
        let peak = lambda.peak_bytes();
        let log = lambda.end();
        assert!(log.contains("\"outcome\""), "{name}: {log}");
        let more = peak.saturating_sub(*least.get_or_insert(peak));
        eprintln!("{name:16} {:6} kB", more / 1000);
        // The plugin's own copy of the attributes is among it.
        assert!(more < 40 * BYTES as u64, "{name}: {more} bytes");
    }
}
