//! The users with the fewest attributes that a pool lets sign up.

use std::collections::{BTreeMap, BTreeSet};

use poolhook::cognito::pools::Document;
use serde_json::Value;

use crate::config::{Sample, sample_users};

/// The names in the pool's schema: `email`, `custom:plan`.
pub(super) fn schema(pool: &Document) -> BTreeSet<&str> {
    attributes(pool).filter_map(name_of).collect()
}

/// One user with the attributes that the schema requires; one for each way to sign in, where
/// users sign in with an email address or a phone number.
pub(super) fn least(pool: &Document) -> Vec<Sample> {
    let is_required = |attribute: &&Value| attribute.get("Required") == Some(&Value::Bool(true));
    let required = attributes(pool).filter(is_required).filter_map(name_of);
    let required: BTreeSet<_> = required.chain(["sub"]).collect();
    let sign_ins = pool.get("UsernameAttributes").and_then(Value::as_array);
    let sign_ins = sign_ins.into_iter().flatten().filter_map(Value::as_str);
    let mut users: Vec<_> = sign_ins
        .map(|sign_in| required.iter().copied().chain([sign_in]).collect())
        .collect();
    if users.is_empty() {
        users.push(required);
    }
    users.iter().map(sample).collect()
}

fn attributes(pool: &Document) -> impl Iterator<Item = &Value> {
    let attributes = pool.get("SchemaAttributes").and_then(Value::as_array);
    attributes.into_iter().flatten()
}

fn name_of(attribute: &Value) -> Option<&str> {
    attribute.get("Name")?.as_str()
}

/// A user with these attributes.
fn sample(names: &BTreeSet<&str>) -> Sample {
    let known = sample_users();
    let value = |name: &str| {
        let mut values = known
            .iter()
            .filter_map(|user| user.user_attributes.get(name));
        let value = values.rfind(|value| !value.is_empty());
        value.cloned().unwrap_or_else(|| "example".to_owned())
    };
    let mut attributes: BTreeMap<_, _> = names
        .iter()
        .map(|name| ((*name).to_owned(), value(name)))
        .collect();
    // Cognito adds these itself.
    attributes.insert("cognito:user_status".to_owned(), "CONFIRMED".to_owned());
    for (of, flag) in [
        ("email", "email_verified"),
        ("phone_number", "phone_number_verified"),
    ] {
        if names.contains(of) {
            attributes.insert(flag.to_owned(), "true".to_owned());
        }
    }
    let names: Vec<_> = names.iter().copied().collect();
    Sample {
        kind: names.join(", "),
        user_name: value("sub"),
        user_attributes: attributes,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_user_has_what_the_pool_requires() {
        let kinds = |pool: Value| -> Vec<String> {
            let users = least(pool.as_object().unwrap());
            users.into_iter().map(|user| user.kind).collect()
        };
        let schema = json!([
            { "Name": "sub", "Required": true },
            { "Name": "name", "Required": true },
            { "Name": "email", "Required": false },
            { "Name": "custom:plan" },
        ]);
        assert_eq!(kinds(json!({})), ["sub"]);
        assert_eq!(kinds(json!({ "SchemaAttributes": schema })), ["name, sub"]);
        let both = json!({
            "SchemaAttributes": schema,
            "UsernameAttributes": ["email", "phone_number"],
        });
        assert_eq!(kinds(both), ["email, name, sub", "name, phone_number, sub"]);
    }
}
