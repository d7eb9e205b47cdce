//! The expressions of the plugin `fields`.
//!
//! ```text
//! host:    expression ─► minijinja's syntax tree ─► types, checked ─► program
//! plugin:  program and user ─► item
//! ```
//!
//! The host compiles a pool's expressions once, when it reads the pool's config
//! ([`compiler::compile`]); the plugin runs the program for each user, in the sandbox
//! ([`evaluate`]). Both use the same tables of [`operators`], [`filters`] and [`tests`],
//! from which the reference page is written as well.
//!
//! The language is Jinja's, as far as minijinja has it. Where it differs, the reference
//! says so.

#[cfg(feature = "compiler")]
pub mod compiler;
mod evaluate;
pub mod filters;
pub mod kinds;
pub mod number;
pub mod operators;
mod program;
pub mod tests;
mod user;
mod value;

pub use evaluate::{Failure, Outcome, evaluate};
pub use program::Part;
pub use user::User;
pub use value::{Entry, Kind, Value};
