//! JSON Schemas of the config files, for editors. They come from the types that read the
//! files.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::host::RawHost;
use super::key::{KeyTemplate, SortKeyTemplate};
use super::raw::RawPool;
use super::values::{AttributeName, Bounded, PluginRef, Region, Settings, TableName, Trigger};

/// The schema of a pool's file and of `defaults.toml`.
pub fn pool_schema() -> Value {
    schema::<RawPool>()
}

/// The schema of `host.toml`.
pub fn host_schema() -> Value {
    schema::<RawHost>()
}

/// Draft 7, which editors of TOML read.
fn schema<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    without_null(&mut schema);
    schema
}

/// TOML has no null: a key that may be absent is never it.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|each| each != "null");
                if let [one] = &types[..] {
                    let one = one.clone();
                    object.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(cases)) = object.get_mut("anyOf") {
                cases.retain(|each| each["type"] != "null");
                if let [Value::Object(one)] = &mut cases[..] {
                    let one = std::mem::take(one);
                    object.remove("anyOf");
                    object.extend(one);
                }
            }
            object.values_mut().for_each(without_null);
        }
        Value::Array(values) => values.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// The settings of the plugin `fields`. Another plugin's are its own.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its schema is used")]
struct Fields {
    /// "defaults": these settings over those of defaults.toml, name by name.
    extends: Option<Extends>,
    /// Intermediate values: names and expressions, used as `let.NAME`.
    r#let: Option<BTreeMap<String, String>>,
    /// An expression that is true for users who are not written.
    skip_when: Option<String>,
    /// An expression: the reason for skipping them.
    skip_reason: Option<String>,
    /// The item: each attribute's name and expression, such as id = "user.name". `false`
    /// removes what the extended settings have.
    item: Option<BTreeMap<String, ExpressionOrFalse>>,
    /// Users, and the items that they must give. `poolhook config check` runs them.
    examples: Option<Vec<Example>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its schema is used")]
enum Extends {
    Defaults,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum ExpressionOrFalse {
    Expression(String),
    Removed(bool),
}

/// A user, and one of `item`, `skip` and `error`.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Example {
    /// The user name. Default: "hanako".
    user_name: Option<String>,
    /// The user attributes.
    attributes: Option<BTreeMap<String, String>>,
    /// What the app passed at sign-up.
    client_metadata: Option<BTreeMap<String, String>>,
    /// The expected item, in DynamoDB's JSON.
    item: Option<BTreeMap<String, Value>>,
    /// Whether the item may have further attributes.
    partial: Option<bool>,
    /// Whether the user must be skipped.
    skip: Option<bool>,
    /// A part of the expected error.
    error: Option<String>,
}

impl JsonSchema for Settings {
    fn schema_name() -> Cow<'static, str> {
        "Settings".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Fields::json_schema(generator)
    }
}

/// Texts with a rule.
macro_rules! texts {
    ($($type:ty, $name:literal, $pattern:literal, $example:literal;)*) => {
        $(impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "examples": [$example] })
            }
        })*
    };
}

texts! {
    TableName, "TableName", "^[A-Za-z0-9_.-]{3,255}$", "User";
    Region, "Region", "^[a-z]{2,}(-[a-z]{2,})+-[0-9]+$", "ap-northeast-1";
    AttributeName, "AttributeName", "^.{1,255}$", "id";
    KeyTemplate, "KeyTemplate", "\\{userName\\}", "USER#{userName}";
    SortKeyTemplate, "SortKeyTemplate", "^.+$", "PROFILE";
    PluginRef, "PluginRef", "^[a-z0-9-]{1,64}(@sha256:[0-9a-f]{64})?$", "fields";
}

impl JsonSchema for Trigger {
    fn schema_name() -> Cow<'static, str> {
        "Trigger".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": [
            "PostConfirmation_ConfirmSignUp",
            "PostConfirmation_ConfirmForgotPassword",
        ] })
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Bounded<MIN, MAX> {
    fn schema_name() -> Cow<'static, str> {
        format!("From{MIN}To{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}
