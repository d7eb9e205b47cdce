//! The config of the whole host: `host.toml`.

use serde::Deserialize;

use super::values::Bounded;
use super::words::{Keys, Kind};
use super::{ConfigError, file};

/// The host's file, in the same folder as the pools' files.
pub const HOST_FILE: &str = "host.toml";

/// The largest artifact that can be published and loaded, in bytes. It is also the
/// default memory for all of a host's plugins together.
pub const MAX_ARTIFACT_BYTES: u64 = 64 << 20;

/// The host's deadline, caches and publish limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostConfig {
    /// The deadline of an event, in milliseconds after it is received.
    pub deadline_ms: u64,
    /// The TTL of cached configs and live releases, in seconds.
    pub refresh_seconds: u64,
    /// Memory for cached configs, in bytes of their files.
    pub config_memory_bytes: u64,
    /// Memory for loaded plugins, in bytes of their machine code.
    pub plugin_memory_bytes: u64,
    /// Disk space for cached machine code, in bytes.
    pub plugin_disk_bytes: u64,
    /// The limits for publishing.
    pub publish: PublishLimits,
}

/// The limits of a component, and of compiling it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishLimits {
    /// The component's size, in bytes.
    pub component_bytes: u64,
    /// Processor time for compiling it, in seconds.
    pub compile_seconds: u64,
    /// Memory for compiling it, in bytes of address space.
    pub compile_memory_bytes: u64,
    /// The size of its machine code, in bytes.
    pub artifact_bytes: u64,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            deadline_ms: 4000,
            refresh_seconds: 10,
            config_memory_bytes: 32 << 20,
            plugin_memory_bytes: MAX_ARTIFACT_BYTES,
            plugin_disk_bytes: 256 << 20,
            publish: PublishLimits::default(),
        }
    }
}

impl Default for PublishLimits {
    fn default() -> Self {
        Self {
            component_bytes: 1 << 20,
            compile_seconds: 60,
            compile_memory_bytes: 1 << 30,
            artifact_bytes: MAX_ARTIFACT_BYTES,
        }
    }
}

impl HostConfig {
    /// Reads the text of the file named `file`.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let RawHost {
            deadline_ms,
            refresh_seconds,
            config_memory_bytes,
            plugins,
            publish,
        } = file::parse(file, text, KEYS)?;
        let RawPlugins {
            memory_bytes,
            disk_bytes,
        } = plugins;
        let RawPublish {
            component_bytes,
            compile_seconds,
            compile_memory_bytes,
            artifact_bytes,
        } = publish;
        let default = Self::default();
        Ok(Self {
            deadline_ms: deadline_ms.map_or(default.deadline_ms, Bounded::get),
            refresh_seconds: refresh_seconds.map_or(default.refresh_seconds, Bounded::get),
            config_memory_bytes: config_memory_bytes
                .map_or(default.config_memory_bytes, Bounded::get),
            plugin_memory_bytes: memory_bytes.map_or(default.plugin_memory_bytes, Bounded::get),
            plugin_disk_bytes: disk_bytes.map_or(default.plugin_disk_bytes, Bounded::get),
            publish: PublishLimits {
                component_bytes: component_bytes
                    .map_or(default.publish.component_bytes, Bounded::get),
                compile_seconds: compile_seconds
                    .map_or(default.publish.compile_seconds, Bounded::get),
                compile_memory_bytes: compile_memory_bytes
                    .map_or(default.publish.compile_memory_bytes, Bounded::get),
                artifact_bytes: artifact_bytes.map_or(default.publish.artifact_bytes, Bounded::get),
            },
        })
    }
}

const KEYS: Keys = &[
    ("deadline-ms", Kind::Number),
    ("refresh-seconds", Kind::Number),
    ("config-memory-bytes", Kind::Number),
    (
        "plugins",
        Kind::Table(&[("memory-bytes", Kind::Number), ("disk-bytes", Kind::Number)]),
    ),
    (
        "publish",
        Kind::Table(&[
            ("component-bytes", Kind::Number),
            ("compile-seconds", Kind::Number),
            ("compile-memory-bytes", Kind::Number),
            ("artifact-bytes", Kind::Number),
        ]),
    ),
];

/// What holds for all pools of a host.
#[derive(Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawHost {
    /// Milliseconds after which an event is answered, whatever hangs. Default: 4000.
    deadline_ms: Option<Bounded<1000, 4500>>,
    /// The TTL of configs and of live releases, in seconds. Default: 10.
    refresh_seconds: Option<Bounded<1, 86_400>>,
    /// Memory for pools' configs. Default: 33554432.
    config_memory_bytes: Option<Bounded<1_048_576, 17_179_869_184>>,
    /// Where loaded plugins may be.
    #[serde(default)]
    plugins: RawPlugins,
    /// What publishing accepts.
    #[serde(default)]
    publish: RawPublish,
}

/// Where loaded plugins may be.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawPlugins {
    /// Memory for loaded plugins, in bytes of their machine code. Default: 67108864.
    memory_bytes: Option<Bounded<1_048_576, 17_179_869_184>>,
    /// Disk space for their machine code. Default: 268435456.
    disk_bytes: Option<Bounded<1_048_576, 17_179_869_184>>,
}

/// What publishing accepts.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawPublish {
    /// The largest component. Default: 1048576.
    component_bytes: Option<Bounded<1024, 33_554_432>>,
    /// Processor time for compiling. Default: 60.
    compile_seconds: Option<Bounded<1, 600>>,
    /// Address space for compiling. Default: 1073741824.
    compile_memory_bytes: Option<Bounded<268_435_456, 8_589_934_592>>,
    /// The largest machine code. Default: 67108864.
    artifact_bytes: Option<Bounded<1_048_576, MAX_ARTIFACT_BYTES>>,
}
