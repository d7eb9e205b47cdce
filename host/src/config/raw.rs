//! The keys of a pool's file and of the defaults, as they are written.

use serde::Deserialize;

use super::key::{KeyTemplate, SortKeyTemplate};
use super::values::{AttributeName, Bounded, PluginRef, Region, Settings, TableName, Trigger};
use super::words::{Keys, Kind};
use super::{Limits, OnFailure, WriteMode};

/// The keys of a pool's file, and of the defaults'.
pub(super) const KEYS: Keys = &[
    ("table", Kind::Text),
    ("region", Kind::Text),
    (
        "key",
        Kind::Table(&[
            ("attribute", Kind::Text),
            ("equals", Kind::Text),
            (
                "sort",
                Kind::Table(&[("attribute", Kind::Text), ("equals", Kind::Text)]),
            ),
        ]),
    ),
    ("triggers", Kind::Texts),
    ("write", Kind::OneOf(&["create", "replace"])),
    ("plugin", Kind::Text),
    ("settings", Kind::Free),
    (
        "limits",
        Kind::Table(&[
            ("fuel", Kind::Number),
            ("memory-bytes", Kind::Number),
            ("table-elements", Kind::Number),
            ("output-bytes", Kind::Number),
            ("log-bytes", Kind::Number),
            ("time-ms", Kind::Number),
        ]),
    ),
    ("on-failure", Kind::OneOf(&["accept", "reject"])),
    ("shared", Kind::Flag),
];

/// The config of a user pool. A key that a pool's file lacks comes from defaults.toml.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawPool {
    /// The DynamoDB table that items are written to, such as "User".
    pub(super) table: Option<TableName>,
    /// The table's Region, such as "ap-northeast-1". Default: the pool's.
    pub(super) region: Option<Region>,
    /// The table's key, and what it must equal.
    pub(super) key: Option<RawKey>,
    /// The trigger sources that write an item. Default: that of sign-up alone.
    pub(super) triggers: Option<Vec<Trigger>>,
    /// "create": only if no item has the key (default). "replace": the last write wins.
    pub(super) write: Option<WriteMode>,
    /// The mapping plugin: "default", "fields", a published one's name, or
    /// "NAME@sha256:DIGEST". Default: "default".
    pub(super) plugin: Option<PluginRef>,
    /// The plugin's settings.
    pub(super) settings: Option<Settings>,
    /// What the plugin may use for one event.
    pub(super) limits: Option<RawLimits>,
    /// What Cognito receives for an event that became a dead letter: "accept", the event
    /// (default); "reject", the error.
    pub(super) on_failure: Option<OnFailure>,
    /// Whether this pool may have rows in common with others. Default: false.
    pub(super) shared: Option<bool>,
}

/// The table's key.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawKey {
    /// The name of the table's partition key. Default: "id".
    pub(super) attribute: Option<AttributeName>,
    /// What it must equal: text with {userName} exactly once, and possibly {userPoolId}, such
    /// as "USER#{userName}". Default: "{userName}".
    pub(super) equals: Option<KeyTemplate>,
    /// The sort key, for a table that has one.
    pub(super) sort: Option<RawSortKey>,
}

/// The table's sort key.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawSortKey {
    /// The name of the table's sort key, such as "SK".
    pub(super) attribute: Option<AttributeName>,
    /// What it must equal: text, possibly with {userName} and {userPoolId}, such as "PROFILE".
    /// Without it, the plugin chooses.
    pub(super) equals: Option<SortKeyTemplate>,
}

/// What a plugin may use for one event.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawLimits {
    /// About one unit per instruction. Default: 100000000.
    fuel: Option<Bounded<1, 10_000_000_000>>,
    /// All its memories together. Default: 33554432.
    memory_bytes: Option<Bounded<65_536, 1_073_741_824>>,
    /// All its WebAssembly tables together. Default: 20000.
    table_elements: Option<Bounded<0, 100_000>>,
    /// The result, at most 8 MiB, or one log line. Default: 1048576.
    output_bytes: Option<Bounded<1024, 16_777_216>>,
    /// All log lines together, plus 16 bytes per line. Default: 8192.
    log_bytes: Option<Bounded<0, 262_144>>,
    /// Milliseconds of wall clock, the backstop behind the fuel. Default: 500.
    time_ms: Option<Bounded<10, 1000>>,
}

impl RawPool {
    /// These keys, and the defaults' where there are none.
    pub(super) fn over(self, defaults: Self) -> Self {
        let Self {
            table,
            region,
            key,
            triggers,
            write,
            plugin,
            settings,
            limits,
            on_failure,
            shared,
        } = self;
        Self {
            table: table.or(defaults.table),
            region: region.or(defaults.region),
            key: merged(key, defaults.key, RawKey::over),
            triggers: triggers.or(defaults.triggers),
            write: write.or(defaults.write),
            plugin: plugin.or(defaults.plugin),
            settings: settings.or(defaults.settings),
            limits: merged(limits, defaults.limits, RawLimits::over),
            on_failure: on_failure.or(defaults.on_failure),
            shared: shared.or(defaults.shared),
        }
    }
}

impl RawKey {
    fn over(self, defaults: Self) -> Self {
        let Self {
            attribute,
            equals,
            sort,
        } = self;
        Self {
            attribute: attribute.or(defaults.attribute),
            equals: equals.or(defaults.equals),
            sort: merged(sort, defaults.sort, RawSortKey::over),
        }
    }
}

impl RawSortKey {
    fn over(self, defaults: Self) -> Self {
        let Self { attribute, equals } = self;
        Self {
            attribute: attribute.or(defaults.attribute),
            equals: equals.or(defaults.equals),
        }
    }
}

impl RawLimits {
    fn over(self, defaults: Self) -> Self {
        let Self {
            fuel,
            memory_bytes,
            table_elements,
            output_bytes,
            log_bytes,
            time_ms,
        } = self;
        Self {
            fuel: fuel.or(defaults.fuel),
            memory_bytes: memory_bytes.or(defaults.memory_bytes),
            table_elements: table_elements.or(defaults.table_elements),
            output_bytes: output_bytes.or(defaults.output_bytes),
            log_bytes: log_bytes.or(defaults.log_bytes),
            time_ms: time_ms.or(defaults.time_ms),
        }
    }
}

impl From<RawLimits> for Limits {
    fn from(raw: RawLimits) -> Self {
        let RawLimits {
            fuel,
            memory_bytes,
            table_elements,
            output_bytes,
            log_bytes,
            time_ms,
        } = raw;
        let default = Self::default();
        Self {
            fuel: fuel.map_or(default.fuel, Bounded::get),
            memory_bytes: memory_bytes.map_or(default.memory_bytes, Bounded::size),
            table_elements: table_elements.map_or(default.table_elements, Bounded::size),
            output_bytes: output_bytes.map_or(default.output_bytes, Bounded::size),
            log_bytes: log_bytes.map_or(default.log_bytes, Bounded::size),
            time_ms: time_ms.map_or(default.time_ms, Bounded::get),
        }
    }
}

fn merged<T>(own: Option<T>, defaults: Option<T>, over: impl FnOnce(T, T) -> T) -> Option<T> {
    match (own, defaults) {
        (Some(own), Some(defaults)) => Some(over(own, defaults)),
        (own, defaults) => own.or(defaults),
    }
}
