//! A trigger of a user pool.

use poolhook::cognito::pools::Document;
use serde_json::Value;

/// A trigger that a function of poolhook serves, by its name in `LambdaConfig`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trigger(pub(crate) &'static str);

/// After a user has confirmed the sign-up.
pub(crate) const POST_CONFIRMATION: Trigger = Trigger("PostConfirmation");

impl Trigger {
    /// The ARN of the function at this trigger of a described pool.
    pub(crate) fn function(self, pool: &Document) -> Option<&str> {
        pool.get("LambdaConfig")?.get(self.0)?.as_str()
    }

    /// Sets the function, or removes it.
    pub(crate) fn set(self, pool: &mut Document, function: Option<&str>) {
        let config = pool
            .entry("LambdaConfig")
            .or_insert_with(|| Document::new().into());
        let Value::Object(config) = config else {
            return;
        };
        match function {
            Some(function) => config.insert(self.0.to_owned(), function.into()),
            None => config.remove(self.0),
        };
    }
}
