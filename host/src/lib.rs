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
//! from caches, which are refreshed in the background.
//!
//! # How a plugin is published
//!
//! ```text
//! upload ─► compile child: proposals ─► artifact ─► a sample user ─► release ─► pointer
//! ```
//!
//! [`publish::Publisher::publish`] is that path; [`releases`] has the keys of
//! everything it stores.
//!
//! # Modules
//!
//! | module | turns | into |
//! |---|---|---|
//! | [`event`] | the trigger's JSON | a [`event::PostConfirmation`] |
//! | [`item`] | attribute values | an [`item::Item`] that DynamoDB accepts |
//! | [`config`] | TOML | a [`config::PoolConfig`], a [`config::HostConfig`]; a mapping of `fields`, compiled |
//! | [`plugin`] | machine code and an event | an item or a skip, and its cost |
//! | [`blobs`] | a key | bytes in a folder or in S3 |
//! | [`store`] | an item | a row in DynamoDB or SQLite |
//! | [`releases`] | a plugin's name | its live release, its history, its machine code; the documents and keys of those |
//! | [`pools`] | a pool's id | its config, cached and refreshed |
//! | [`plugins`] | a name in a config | a loaded plugin, cached and refreshed |
//! | `sources` | a pool's id, a plugin's name | both, refreshed in the background |
//! | [`host`] | an event | an [`failure::Outcome`] or a [`failure::Failure`] |
//! | [`dead_letters`] | an event that could not be written | a dead letter |
//! | [`replay`] | a dead letter | its item; the dead letter is deleted |
//! | [`report`], [`notice`] | what happened in an event, or in the background | an object for the log |
//! | [`text`] | a text that others chose | one that is safe to show |
//! | [`log`] | an object, or a warning of a library | a log line |
//! | `cognito` | a user pool | its users, as events |
//! | `publish` | an upload | a release, or a rejection |
//! | [`aws`] | the environment | the configuration that all AWS clients share |
//!
//! # Invariants
//!
//! - `event`, `item` and `config` do no IO and depend on none of the modules below
//!   them. `plugin`, `blobs` and `store` do not depend on each other. `releases`,
//!   `pools` and `plugins` combine them, `sources` refreshes the latter two, and
//!   `host` depends on `sources` and the store.
//! - Every [`item::Item`] follows DynamoDB's rules. A store accepts nothing else.
//! - A plugin never names a table, and its item must have the partition key that the
//!   pool's config demands.
//! - `plugin/engine.rs` turns every WebAssembly proposal on or off. Only the compile
//!   child compiles, loads and tries out a component from outside, within limits:
//!   the publisher never touches it, and survives when the child dies.
//! - No host loads an artifact over [`config::MAX_ARTIFACT_BYTES`]. Where there is a
//!   folder for artifacts, an artifact is never in memory as a whole.
//! - The built-in `fields` receives a program in place of its settings, which `config` compiles
//!   with the crate `poolhook-expressions`, and its nested values are in DynamoDB's JSON. Both
//!   hang on its name, which no published plugin can have.
//! - The built-in plugins' machine code is run where it lies in the program
//!   (`plugin/code.rs`). No other code is.
//! - Nothing is compiled in the sign-up path. Built without the feature `compiler`,
//!   this crate contains no compiler and cannot write a release.
//! - A [`plugin::Artifact`] is machine code whose digest matched the release's, or
//!   that this build has compiled. Nothing else is loaded.
//! - Publishing moves the pointer last, so a live release is complete.
//! - Refreshes run in the background, never in the path of an event. An invalid
//!   update leaves the previous version in use.
//! - No event, plugin, config or upload causes a panic. Each failure has a type, and
//!   the type determines its name. No code parses an error's text to decide what to do,
//!   with two exceptions: a plugin's message that begins with `settings` leads `poolhook
//!   config check` to the key, as WIT's error is a text; and one error of wasmtime's, whose
//!   type is private, is known by its name (`plugin/sandbox.rs`). To word a message, three
//!   texts are read: that of a key that TOML has twice (`config/file.rs`), DynamoDB's for
//!   the attribute that it refuses (`store/dynamodb.rs`), and that of `fields` for the place
//!   in an expression (`poolhook config try`).
//! - Each accepted event ends as one of: written, already there, skipped,
//!   dead-lettered, or rejected with a named error; and by its deadline, whatever
//!   hangs. Replay deletes a dead letter only after its item is written.
//! - A test event, whose trigger source no config can list, writes neither an item nor a dead
//!   letter, whatever fails.
//! - An event's log line contains no value of the user's.
//! - Only `plugin` uses `wasmtime`. Each AWS SDK and SQLite is used in one file
//!   (`cognito`, or under `blobs` or `store`), and `aws` has what those SDKs share.
//!   Only the Lambda binaries use the Lambda runtime. Only binaries print, use
//!   `clap` or read the environment. A test enforces these rules.

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
pub mod log;
pub mod notice;
pub mod plugin;
pub mod plugins;
pub mod pools;
#[cfg(feature = "compiler")]
pub mod publish;
pub mod releases;
pub mod replay;
pub mod report;
mod sources;
pub mod store;
pub mod text;
pub mod timestamp;
