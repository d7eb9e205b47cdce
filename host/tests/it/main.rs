//! Integration tests of poolhook, with real protocol servers and real guests.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod answers;
mod aws_fixtures;
mod backfill;
mod blobs;
mod bootstrap;
mod caches;
mod checks;
mod cognito;
mod command_line;
mod config;
mod confinement;
mod conformance;
mod dead_letters;
mod default_plugin;
mod docs;
mod edges;
mod events;
mod faults;
mod fences;
mod fields;
mod frozen;
mod fuzz;
mod hostile;
mod interrupted_publishing;
mod journeys;
mod kits;
mod mappings;
mod new_plugin;
mod plugin_commands;
mod plugin_test;
mod pools;
mod publishing;
mod random;
mod random_fields;
mod release_fixtures;
mod releases;
mod serve;
mod servers;
mod stores;
mod support;
mod tenants;
mod uploads;
