//! A pool's configuration: TOML text in, [`PoolConfig`] out.
//!
//! A pool has one file, named after its id, and an optional `defaults.toml` with the
//! same keys. A key that the pool's file lacks is taken from the defaults, and
//! otherwise has the default value in this module. The tables `key`, `key.sort` and
//! `limits` are merged key by key; every other value is taken as a whole.
//! docs/configuration.md documents all keys.

mod file;
mod host;
mod key;
mod settings;
mod shared;
mod values;
mod words;

use serde::Deserialize;
use tokio::time::Instant;

use crate::event::{PostConfirmation, TriggerSource, UserPoolId};
use crate::item::{AttributeValue, Item, ItemError, Key};
pub(crate) use file::MAX_FILE_BYTES;
pub use file::{ConfigError, Problem};
pub use host::{HOST_FILE, HostConfig, MAX_ARTIFACT_BYTES, PublishLimits};
pub use key::{BadKeyTemplate, BadSortKeyTemplate, KeyTemplate, SortKeyTemplate};
pub(crate) use settings::has_settings;
pub use settings::{misplaced_keys, useless_settings};
pub use shared::shared_rows;
pub use values::{
    BadPluginName, BadPluginRef, BadSettings, BadTableName, PluginName, PluginRef, Settings,
    TableName,
};
use values::{Bounded, Region, Trigger};
use words::{Keys, Kind};

/// The file with the defaults for every pool's file.
pub const DEFAULTS_FILE: &str = "defaults.toml";

/// How a pool's events are handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// The table that items are written to.
    pub table: Table,
    /// What the partition key must equal, whatever the plugin returns.
    pub key_equals: KeyTemplate,
    /// What the sort key must equal, in a table that has one. `None` if the plugin chooses.
    pub sort_equals: Option<SortKeyTemplate>,
    /// The trigger sources that write an item; other events are skipped.
    pub triggers: Vec<TriggerSource>,
    /// How an item is written if the table already has its key.
    pub write: WriteMode,
    /// The mapping plugin.
    pub plugin: PluginRef,
    /// The settings that the plugin receives.
    pub settings: Settings,
    /// What the plugin may use per event.
    pub limits: Limits,
    /// The answer to Cognito for an event that was dead-lettered.
    pub on_failure: OnFailure,
    /// Whether other pools may write the same rows: see [`shared_rows`].
    pub shared: bool,
}

/// The answer to Cognito for an event that could not be written, once its dead letter
/// is written. If the dead letter cannot be written either, the event is rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// Answer with the event: sign-up succeeds, and a replay writes the row.
    #[default]
    Accept,
    /// Answer with the failure.
    Reject,
}

/// A DynamoDB table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The table's region; the user pool's region if the config names none.
    pub region: String,
    /// The table's name.
    pub name: TableName,
    /// The attribute that is the table's partition key.
    pub partition_key: String,
    /// The attribute that is the table's sort key, if it has one.
    pub sort_key: Option<String>,
}

/// How an item is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WriteMode {
    /// Write only if no item has the key. The first write wins, so writing is idempotent.
    Create,
    /// Write with a plain `PutItem`. The last write wins.
    Replace,
}

/// What a plugin may use for one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fuel: about one unit per WebAssembly instruction.
    pub fuel: u64,
    /// Linear memory in bytes, all of the plugin's instances together.
    pub memory_bytes: usize,
    /// Table elements, all of the plugin's tables together.
    pub table_elements: usize,
    /// The size of one value that the plugin passes to the host, a result or a log
    /// message, in bytes of the host's memory.
    pub output_bytes: usize,
    /// Log messages in bytes, all together.
    pub log_bytes: usize,
    /// Wall-clock time in milliseconds, for a plugin that is slow before its fuel is used up.
    pub time_ms: u64,
}

impl Limits {
    /// The limits of a run that must end by `until`; `None` if no time is left.
    pub(crate) fn until(&self, until: Instant) -> Option<Self> {
        let left = until.saturating_duration_since(Instant::now()).as_millis();
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        (left > 0).then(|| Self {
            time_ms: self.time_ms.min(left),
            ..self.clone()
        })
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 100_000_000,
            memory_bytes: 32 << 20,
            table_elements: 20_000,
            output_bytes: 1 << 20,
            log_bytes: 8 << 10,
            time_ms: 500,
        }
    }
}

/// The content of `defaults.toml`: defaults for all pools.
#[derive(Clone, Debug, Default)]
pub struct Defaults(RawPool);

impl Defaults {
    /// Reads the text of the file named `file`.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        file::parse(file, text, KEYS).map(Self)
    }
}

impl PoolConfig {
    /// Reads the text of the file named `file`, the config of `pool`.
    pub fn parse(
        pool: &UserPoolId,
        defaults: &Defaults,
        file: &str,
        text: &str,
    ) -> Result<Self, ConfigError> {
        let own: RawPool = file::parse(file, text, KEYS)?;
        let RawPool {
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
        } = own.over(defaults.0.clone());
        let RawKey {
            attribute,
            equals,
            sort,
        } = key.unwrap_or_default();
        let RawSortKey {
            attribute: sort_key,
            equals: sort_equals,
        } = sort.clone().unwrap_or_default();
        if sort.is_some() && sort_key.is_none() {
            let rule = "is missing: name the attribute that is the table's sort key";
            return Err(ConfigError::invalid(file, "key.sort.attribute", rule));
        }

        let name = table.ok_or_else(|| {
            let rule = format!("is missing: name the pool's table, here or in {DEFAULTS_FILE}");
            ConfigError::invalid(file, "table", rule)
        })?;
        let signed_up = || vec![Trigger(TriggerSource::ConfirmSignUp)];
        Ok(Self {
            table: Table {
                region: region.map_or_else(|| pool.region().to_owned(), |region| region.0),
                name,
                partition_key: attribute.map_or_else(|| "id".to_owned(), |name| name.0),
                sort_key: sort_key.map(|name| name.0),
            },
            key_equals: equals.unwrap_or_default(),
            sort_equals,
            triggers: triggers
                .unwrap_or_else(signed_up)
                .into_iter()
                .map(|t| t.0)
                .collect(),
            write: write.unwrap_or(WriteMode::Create),
            plugin: plugin.unwrap_or_default(),
            settings: settings.unwrap_or_default(),
            limits: limits.unwrap_or_default().into(),
            on_failure: on_failure.unwrap_or_default(),
            shared: shared.unwrap_or(false),
        })
    }

    /// Whether an event of this trigger source writes an item. A backfilled user counts
    /// as one who has just signed up.
    pub fn writes(&self, trigger_source: &TriggerSource) -> bool {
        let source = match trigger_source {
            TriggerSource::Backfill => &TriggerSource::ConfirmSignUp,
            source => source,
        };
        self.triggers.contains(source)
    }

    /// The value that the partition key of this user's item must have.
    pub fn partition_key(&self, event: &PostConfirmation) -> String {
        self.key_equals.expand(event)
    }

    /// Checks that an item has this user's key.
    pub fn check_key(&self, item: &Item, event: &PostConfirmation) -> Result<(), ItemError> {
        item.check_partition_key(&self.table.partition_key, &self.partition_key(event))?;
        let Some(sort_key) = &self.table.sort_key else {
            return Ok(());
        };
        let equals = self.sort_equals.as_ref().map(|sort| sort.expand(event));
        item.check_sort_key(sort_key, equals.as_deref())
    }

    /// Whether this could be the key of an item of this pool's, for some user. A sort key
    /// that the plugin chooses could be any.
    pub fn could_write(&self, key: &Key, pool: &UserPoolId) -> bool {
        let Some(user_name) = self.key_equals.user_name(&key.partition, pool) else {
            return false;
        };
        let Some(equals) = &self.sort_equals else {
            return true;
        };
        let equals = equals.expand_for(pool, user_name);
        matches!(&key.sort, Some(AttributeValue::S(sort)) if *sort == equals)
    }
}

/// The keys of a pool's file, and of the defaults'.
const KEYS: Keys = &[
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

/// The keys of a file as they are written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawPool {
    table: Option<TableName>,
    region: Option<Region>,
    key: Option<RawKey>,
    triggers: Option<Vec<Trigger>>,
    write: Option<WriteMode>,
    plugin: Option<PluginRef>,
    settings: Option<Settings>,
    limits: Option<RawLimits>,
    on_failure: Option<OnFailure>,
    shared: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawKey {
    attribute: Option<values::AttributeName>,
    equals: Option<KeyTemplate>,
    sort: Option<RawSortKey>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawSortKey {
    attribute: Option<values::AttributeName>,
    equals: Option<SortKeyTemplate>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawLimits {
    fuel: Option<Bounded<1, 10_000_000_000>>,
    memory_bytes: Option<Bounded<65_536, 1_073_741_824>>,
    table_elements: Option<Bounded<0, 100_000>>,
    output_bytes: Option<Bounded<1024, 16_777_216>>,
    log_bytes: Option<Bounded<0, 262_144>>,
    time_ms: Option<Bounded<10, 1000>>,
}

impl RawPool {
    fn over(self, defaults: Self) -> Self {
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
