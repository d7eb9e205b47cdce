//! Mapping plugins for poolhook, in Rust.
//!
//! A plugin is one function, from a confirmed Cognito user and the pool's
//! settings to a DynamoDB item, and [`export!`]:
//!
//! ```
//! use poolhook_plugin::{Item, Outcome, User, export};
//! use serde::Deserialize;
//!
//! export!(to_item);
//!
//! /// The pool's `[settings]`.
//! #[derive(Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Settings {
//!     plan: String,
//! }
//!
//! impl Default for Settings {
//!     fn default() -> Self {
//!         Self { plan: "free".into() }
//!     }
//! }
//!
//! fn to_item(user: &User, settings: &Settings) -> Result<Outcome, String> {
//!     if user.is_true("custom:internal") {
//!         return Ok(Outcome::skip("the user is internal"));
//!     }
//!     let item = Item::new()
//!         .set("id", &user.user_name)
//!         .set("plan", user.attribute("custom:plan").unwrap_or(&settings.plan))
//!         .set("seats", user.whole_number("custom:seats", 6)?.unwrap_or(1))
//!         .set_some("email", user.attribute("email").filter(|email| !email.is_empty()));
//!     Ok(Outcome::put(item))
//! }
//! # use poolhook_plugin::{Value, map};
//! # let user = User::for_test("hanako").with_attribute("custom:seats", "12");
//! # let mapped = map(to_item, &user, "{}").unwrap();
//! # assert_eq!(mapped.get("seats"), Some(&Value::number(12)));
//! ```
//!
//! `poolhook plugin build` builds it as a component.
//!
//! # Settings
//!
//! The second argument is any type that serde can deserialize. `[settings]` of the
//! pool that do not fit it are an error, which starts with `settings: `; so deny
//! unknown fields. Publishing maps a sample user without settings unless the tenant
//! uploads some, so give each key a default. A plugin without settings takes
//! [`NoSettings`].
//!
//! # Errors
//!
//! An error is text for the platform engineer, of any type with `Display`: a
//! `String`, or your own type. The event then fails with `Plugin.Refused`. A panic
//! fails the event with `Plugin.Trap`, and is logged with its message.
//!
//! # Tests
//!
//! Everything works natively, in `cargo test`: [`User::for_test`] makes a user,
//! [`map`] maps as the host does, and [`log`] prints to standard error.
//!
//! ```
//! use poolhook_plugin::{Item, NoSettings, Outcome, User, Value, map};
//!
//! fn to_item(user: &User, _: &NoSettings) -> Result<Outcome, String> {
//!     Ok(Outcome::put(Item::new().set("id", &user.user_name)))
//! }
//!
//! let mapped = map(to_item, &User::for_test("hanako"), "{}").unwrap();
//! assert_eq!(mapped.get("id"), Some(&Value::from("hanako")));
//! ```
#![warn(missing_docs)]

mod item;
pub mod log;
mod user;

use std::fmt::Display;

use poolhook_heap as _;

use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use bindings::poolhook::mapper::types::{Attribute, Field, Outcome, User, Value};
pub use item::Item;
pub use serde_json::json;

#[doc(hidden)]
#[allow(
    missing_docs,
    unsafe_code,
    clippy::all,
    clippy::pedantic,
    reason = "generated"
)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "mapper",
        // Tests compare items.
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_mapper",
        default_bindings_module: "poolhook_plugin::bindings",
    });
}

/// Exports a function as the plugin's mapping. Use it once, in a `cdylib` crate.
///
/// The function gets the user and the settings by reference:
///
/// ```
/// # use poolhook_plugin::{NoSettings, Outcome, User};
/// poolhook_plugin::export!(nobody);
///
/// fn nobody(_: &User, _: &NoSettings) -> Result<Outcome, String> {
///     Ok(Outcome::skip("this pool writes nothing"))
/// }
/// ```
#[macro_export]
macro_rules! export {
    ($mapping:path) => {
        const _: () = {
            struct Mapper;

            impl $crate::bindings::exports::poolhook::mapper::mapping::Guest for Mapper {
                fn to_item(
                    user: $crate::User,
                    settings: String,
                ) -> Result<$crate::Outcome, String> {
                    $crate::log::panics();
                    $crate::map($mapping, &user, &settings)
                }
            }

    $crate::bindings::export_mapper!(Mapper with_types_in $crate::bindings);
        };
    };
}

/// Maps a user as the host does, with settings in JSON.
pub fn map<S: DeserializeOwned, E: Display>(
    mapping: impl FnOnce(&User, &S) -> Result<Outcome, E>,
    user: &User,
    settings: &str,
) -> Result<Outcome, String> {
    let settings = serde_json::from_str(settings).map_err(|error| format!("settings: {error}"))?;
    mapping(user, &settings).map_err(|error| error.to_string())
}

/// The settings of a plugin without settings: any key is an error.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

impl Outcome {
    /// Puts this item.
    pub fn put(item: Item) -> Self {
        Self::Put(item.into())
    }

    /// Writes nothing, for this reason. The event then succeeds.
    pub fn skip(reason: impl Into<String>) -> Self {
        Self::Skip(reason.into())
    }

    /// For tests: the value of an attribute of the item.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Put(fields) => item::get(fields, name),
            Self::Skip(_) => None,
        }
    }
}
