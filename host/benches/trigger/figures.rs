//! Medians, percentiles and tables.

use std::fmt::{self, Display};
use std::time::Duration;

use serde_json::{Value, json};

/// The median. On a noisy machine, it is less affected by the noise than the mean.
pub(crate) fn median<T: Copy + PartialOrd>(mut values: Vec<T>) -> T {
    values.sort_unstable_by(|one, other| one.partial_cmp(other).expect("no NaN"));
    values[values.len() / 2]
}

/// The value below which this percentage of the sorted values lies.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// One thing measured on both sides, round by round.
#[derive(Default)]
pub(crate) struct Sides {
    pub(crate) this: Vec<Duration>,
    pub(crate) other: Vec<Duration>,
}

impl Sides {
    /// The ratio of the sides' medians.
    pub(crate) fn ratio(&self) -> f64 {
        let other = median(self.other.clone());
        median(self.this.clone()).as_secs_f64() / other.as_secs_f64()
    }

    /// The median of the rounds' ratios. What slows the machine down for a while slows both
    /// sides of a round.
    pub(crate) fn ratio_of_pairs(&self) -> f64 {
        let pairs = self.this.iter().zip(&self.other);
        median(
            pairs
                .map(|(this, other)| this.as_secs_f64() / other.as_secs_f64())
                .collect(),
        )
    }
}

/// A table in Markdown, and its figures as JSON.
pub(crate) struct Table {
    lines: Vec<String>,
    json: Vec<Value>,
}

impl Table {
    pub(crate) fn new(columns: &[&str]) -> Self {
        let rule = ["|---", &"|---:".repeat(columns.len() - 1)].concat();
        Self {
            lines: vec![format!("| {} |", columns.join(" | ")), rule + "|"],
            json: Vec::new(),
        }
    }

    /// Adds a row of cells, and its figures.
    pub(crate) fn row(&mut self, cells: &[String], numbers: Value) {
        self.lines.push(format!("| {} |", cells.join(" | ")));
        let mut row = json!({"what": cells[0]});
        if let (Some(row), Value::Object(numbers)) = (row.as_object_mut(), numbers) {
            row.extend(numbers);
        }
        self.json.push(row);
    }

    /// Adds a row with both sides' times. The names are for JSON.
    pub(crate) fn times(
        &mut self,
        what: &str,
        [this, other]: [&str; 2],
        sides: &Sides,
        target: Option<f64>,
    ) {
        let (ratio, pairs) = (sides.ratio(), sides.ratio_of_pairs());
        let target = target.map(|most| Target {
            text: format!("a ratio of {most:.2}"),
            met: pairs <= most,
        });
        let cells = [
            what.to_owned(),
            spread(&sides.this),
            spread(&sides.other),
            format!("{ratio:.2} ({pairs:.2})"),
            text(target.as_ref()),
        ];
        let numbers = json!({
            (format!("{this}Micros")): micros(median(sides.this.clone())),
            (format!("{other}Micros")): micros(median(sides.other.clone())),
            "ratio": ratio,
            "ratioOfPairs": pairs,
            "withinTarget": target.map(|target| target.met),
        });
        self.row(&cells, numbers);
    }

    pub(crate) fn json(&self) -> &[Value] {
        &self.json
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// The most that a row should have.
pub(crate) struct Target {
    pub(crate) text: String,
    pub(crate) met: bool,
}

/// A row's last cell. A missed target is marked.
pub(crate) fn text(target: Option<&Target>) -> String {
    target.map_or_else(String::new, |Target { text, met }| {
        let over = if *met { "" } else { ", **over**" };
        format!("at most {text}{over}")
    })
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Formats a time with a suitable unit.
pub(crate) fn time(time: Duration) -> String {
    let micros = micros(time);
    if micros < 1.0 {
        format!("{:.0} ns", micros * 1000.0)
    } else if micros < 10.0 {
        format!("{micros:.1} us")
    } else if micros < 1000.0 {
        format!("{micros:.0} us")
    } else {
        format!("{:.1} ms", micros / 1000.0)
    }
}

fn spread(times: &[Duration]) -> String {
    let least = times.iter().copied().min().unwrap_or_default();
    let most = times.iter().copied().max().unwrap_or_default();
    let median = time(median(times.to_vec()));
    format!("{median} ({} to {})", time(least), time(most))
}

pub(crate) fn mib(bytes: u64) -> f64 {
    // A process has far less than 2^52 bytes.
    #[expect(clippy::cast_precision_loss, reason = "a process is smaller")]
    let bytes = bytes as f64;
    bytes / f64::from(1 << 20)
}
