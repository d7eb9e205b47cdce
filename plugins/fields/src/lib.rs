//! The mapping plugin `fields`: the pool's TOML defines the item, with one
//! expression per attribute.
//!
//! ```toml
//! plugin = "fields"
//! [settings.item]
//! id    = "user.name"
//! email = "user.attributes.email | lower"
//! ```
//!
//! All expressions are compiled and their names checked before any of them runs, so
//! invalid settings fail in the same way for every user, with one error that lists
//! all mistakes. README.md describes the language.

mod checks;
mod expression;
mod filters;
mod settings;
#[cfg(test)]
mod tests;
mod user;
mod value;

use exports::poolhook::mapper::mapping::{Guest, Outcome, User};
use poolhook::mapper::types::Field;
use poolhook_heap as _;

use expression::Expressions;
use settings::Settings;

#[allow(missing_docs, clippy::pedantic, unreachable_pub, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "mapper",
        // For the tests.
        additional_derives: [PartialEq],
    });
}
use bindings::{exports, poolhook};

struct Fields;

bindings::export!(Fields with_types_in bindings);

impl Guest for Fields {
    fn to_item(user: User, settings: String) -> Result<Outcome, String> {
        let settings = Settings::parse(&settings)?;
        let expressions = Expressions::new();
        let compiled = settings.compile(&expressions)?;
        let user = user::value(user);

        if let Some(skip_when) = &compiled.skip_when
            && let Some(reason) = skip_when.reason(&user)?
        {
            return Ok(Outcome::Skip(reason));
        }
        let mut item = Vec::with_capacity(compiled.item.len());
        for (name, expression) in compiled.item {
            if let Some(value) = expression.attribute_value(&user)? {
                item.push(Field { name, value });
            }
        }
        Ok(Outcome::Put(item))
    }
}
