//! poolhook: one host for the Post Confirmation trigger of any number of
//! Cognito user pools.
//!
//! # The event path
//!
//! ```text
//! raw bytes ─► event ─► config of the pool ─► plugin (sandbox) ─► item, checked ─► store
//!                                                                      the same bytes ─► Cognito
//! ```
//!
//! [`host::Host::handle`] is that path, on one screen. Configs and plugins come
//! from caches; whether there are newer ones is looked up beside the event.
//!
//! # How a plugin gets there
//!
//! ```text
//! upload ─► compile child: proposals ─► artifact ─► a sample user ─► release ─► pointer
//! ```
//!
//! [`publish::Publisher::publish`] is that path; [`release`] says where each thing
//! lies.
//!
//! # The map
//!
//! | module | turns | into |
//! |---|---|---|
//! | [`event`] | the trigger's JSON | a [`event::PostConfirmation`] |
//! | [`item`] | attribute values | an [`item::Item`] that DynamoDB takes |
//! | [`config`] | TOML | a [`config::PoolConfig`], a [`config::HostConfig`] |
//! | [`plugin`] | machine code and an event | what to put, and what it cost |
//! | [`blobs`] | a key | bytes in a folder or in S3 |
//! | [`store`] | an item | a row in DynamoDB or SQLite |
//! | [`release`] | a component's digest | keys of blobs, and the documents in them |
//! | [`releases`] | a plugin's name | its live release, its history, its machine code |
//! | [`pools`] | a pool's id | its config, kept and refreshed |
//! | [`plugins`] | a name in a config | a loaded plugin, kept and refreshed |
//! | `sources` | a pool's id, a plugin's name | both, up to date |
//! | [`host`] | an event | an [`failure::Outcome`] or a [`failure::Failure`] |
//! | [`dead_letters`] | an event that could not be written | a blob that holds it whole |
//! | [`replay`] | a dead letter | the item, and no letter any more |
//! | [`report`], [`notice`] | what happened in an event, or beside it | a log line |
//! | `cognito` | a user pool | its users, as events |
//! | `publish` | an upload | a release, or a rejection |
//! | [`aws`] | the environment | what all AWS clients share |
//!
//! # Invariants
//!
//! - `event`, `item` and `config` do no IO and know none of the modules below
//!   them. `plugin`, `blobs` and `store` do not know each other. `releases`,
//!   `pools` and `plugins` bring them together, `sources` refreshes those two, and
//!   `host` knows `sources` and the store.
//! - An [`item::Item`] that exists keeps DynamoDB's rules. A store gets nothing else.
//! - A plugin never names a table, and never gets past the check of the
//!   partition key: the pool's config alone says what that must equal.
//! - Every WebAssembly proposal is on or off in `plugin/engine.rs`. A component from
//!   outside is compiled, loaded and tried out in the compile child alone, within
//!   limits: what publishes never touches it, and lives on when the child dies.
//! - No host loads an artifact over [`config::MAX_ARTIFACT_BYTES`], and none is
//!   whole in memory where there is a folder for artifacts.
//! - Nothing is compiled in the sign-up path. Built without the feature
//!   `compiler`, this crate has no compiler in it, and cannot write a release.
//! - A [`plugin::Artifact`] that exists is machine code whose digest was compared
//!   with the release's, or that this build has made. Nothing else is loaded.
//! - The pointer moves last: whatever is live is whole.
//! - What is newer is read beside an event, never in front of it; what is wrong
//!   with it leaves the one from before in use.
//! - No event, plugin, config or upload reaches a panic; each failure has a type,
//!   and by its type a name. Nothing reads an error's text.
//! - Each event that is accepted ends in one of: written, already there, skipped,
//!   kept as a dead letter, rejected with a named error; and in time, whatever
//!   hangs. A letter is removed only once its item is there.
//! - The log line of an event holds no value of the user's.
//! - `wasmtime` is named only under `plugin`, each AWS SDK and SQLite in one file
//!   (`cognito`, or under `blobs` or `store`), what those SDKs share in `aws`, the
//!   Lambda runtime in the Lambda binaries; printing, `clap` and the environment belong to the
//!   binaries. A test holds these fences.

pub mod aws;
mod background;
pub mod blobs;
mod cache;
#[cfg(feature = "cli")]
pub mod cognito;
pub mod config;
pub mod dead_letters;
mod delivery;
pub mod digest;
pub mod event;
pub mod failure;
pub mod host;
pub mod item;
pub mod notice;
pub mod plugin;
pub mod plugins;
pub mod pools;
#[cfg(feature = "compiler")]
pub mod publish;
pub mod release;
pub mod releases;
pub mod replay;
pub mod report;
mod sources;
pub mod store;
pub mod timestamp;
