//! The default mapping: `<id, email>`.
//!
//! `id` is the user's `userName`, `email` the attribute of that name. A user without an
//! email (signed up by phone, say) is skipped, with that reason. An empty one is none.

use poolhook_heap as _;

use exports::poolhook::mapper::mapping::{Guest, Outcome, User};
use poolhook::mapper::types::{Field, Value};

wit_bindgen::generate!({ path: "../../wit", world: "mapper" });

struct Default;

export!(Default);

impl Guest for Default {
    fn to_item(user: User, _settings: String) -> Result<Outcome, String> {
        let mut attributes = user.user_attributes.into_iter();
        let email = attributes.find(|a| a.name == "email" && !a.value.is_empty());
        Ok(match email {
            Some(email) => Outcome::Put(vec![
                field("id", user.user_name),
                field("email", email.value),
            ]),
            None => Outcome::Skip("the user has no email".into()),
        })
    }
}

fn field(name: &str, value: String) -> Field {
    Field {
        name: name.into(),
        value: Value::S(value),
    }
}
