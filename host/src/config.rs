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
mod literal;
mod mapping;
mod raw;
#[cfg(feature = "cli")]
mod schema;
mod settings;
mod shared;
mod values;
mod words;

use serde::Deserialize;
use tokio::time::Instant;

use crate::event::{PostConfirmation, TriggerSource, UserPoolId};
use crate::item::{AttributeValue, Item, ItemError, Key};
pub(crate) use file::MAX_FILE_BYTES;
pub use file::{ConfigError, Excerpt, Problem, Source, line_of};
pub use host::{HOST_FILE, HostConfig, MAX_ARTIFACT_BYTES, PublishLimits};
pub use key::{BadKeyTemplate, BadSortKeyTemplate, KeyTemplate, SortKeyTemplate};
use mapping::Layer;
pub use mapping::{Expression, Mapping};
use raw::{KEYS, RawKey, RawPool, RawSortKey};
#[cfg(feature = "cli")]
pub use schema::{host_schema, pool_schema};
pub(crate) use settings::has_settings;
pub use settings::{misplaced_keys, useless_settings};
pub use shared::shared_rows;
use values::Trigger;
pub use values::{
    BadPluginName, BadPluginRef, BadSettings, BadTableName, PluginName, PluginRef, Settings,
    TableName,
};

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
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
pub struct Defaults {
    raw: RawPool,
    file: String,
    /// Where a mistake in a mapping is, which is found with the pool that has it.
    text: String,
}

impl Defaults {
    /// Reads the text of the file named `file`.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            raw: file::parse(file, text, KEYS)?,
            file: file.to_owned(),
            text: text.to_owned(),
        })
    }

    fn source(&self) -> Source<'_> {
        Source {
            file: &self.file,
            text: &self.text,
        }
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
        let source = Source { file, text };
        let own_settings = own.settings.clone();
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
        } = own.over(defaults.raw.clone());
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
        let plugin = plugin.unwrap_or_default();
        let mut settings = settings.unwrap_or_default();
        if plugin.evaluates() {
            let own = Layer {
                source,
                settings: own_settings.as_ref(),
            };
            let defaults = Layer {
                source: defaults.source(),
                settings: defaults.raw.settings.as_ref(),
            };
            let (_, program, _) = Mapping::compile(own, defaults)?;
            settings = settings.with_program(program);
        }
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
            plugin,
            settings,
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
