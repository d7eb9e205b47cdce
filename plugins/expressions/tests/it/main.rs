//! The tests of the language.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

mod language;
mod like_minijinja;
mod mistakes;
mod random;
mod reference;
mod support;
