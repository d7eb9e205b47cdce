//! Compiles a mapping's expressions to a program, and finds all mistakes in them.

mod attributes;
mod expression;
mod fix;
mod limits;
mod mapping;
mod mistake;
mod reference;
pub(crate) mod types;

pub use attributes::STANDARD;
pub use mapping::{Compiled, Mapping, compile};
pub use mistake::Mistake;
pub use reference::reference;
