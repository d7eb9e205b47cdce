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
//! [`host::Host::handle`] is that path, on one screen.
//!
//! # The map
//!
//! | module | turns | into |
//! |---|---|---|
//! | [`event`] | the trigger's JSON | a [`event::PostConfirmation`] |
//! | [`item`] | attribute values | an [`item::Item`] that DynamoDB takes |
//! | [`config`] | TOML | a [`config::PoolConfig`] |
//! | [`pools`] | a folder of TOML files | the config of a pool |
//! | [`plugin`] | a component and an event | what to put, and what it cost |
//! | [`blobs`] | a key | bytes in a folder or in S3 |
//! | [`store`] | an item | a row in DynamoDB or SQLite |
//! | [`aws`] | the environment | what all AWS clients share |
//! | [`host`] | an event | an [`outcome::Outcome`] or a [`outcome::Failure`] |
//! | [`report`] | what happened | a log line |
//!
//! # Invariants
//!
//! - `event`, `item` and `config` do no IO and know no other module below them
//!   but, for `config`, `event`. `pools`, `plugin`, `blobs` and `store` do not
//!   know each other. Only `host` knows them all.
//! - An [`item::Item`] that exists keeps DynamoDB's rules. A store gets nothing else.
//! - A plugin never names a table, and never gets past the check of the
//!   partition key: the pool's config alone says what that must equal.
//! - Nothing is compiled in the sign-up path. Built without the feature
//!   `compiler`, this crate has no compiler in it.
//! - No event, plugin or config reaches a panic; each failure has a type, and by
//!   its type a name. Nothing reads an error's text.
//! - The log line of an event holds no value of the user's.
//! - `wasmtime` is named only under `plugin`, each AWS SDK and SQLite in one file
//!   under `blobs` or `store`, what those SDKs share in `aws`, the Lambda runtime
//!   in `bin/bootstrap.rs`; printing, `clap` and the environment belong to the
//!   binaries. A test holds these fences.

pub mod aws;
mod background;
pub mod blobs;
mod cache;
pub mod config;
pub mod digest;
pub mod event;
pub mod host;
pub mod item;
pub mod notice;
pub mod outcome;
pub mod plugin;
pub mod plugins;
pub mod pools;
#[cfg(feature = "compiler")]
pub mod publish;
pub mod release;
pub mod releases;
pub mod report;
pub mod store;
pub mod timestamp;
