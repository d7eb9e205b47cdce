//! `[[settings.examples]]`: users, and what the plugin `fields` must make of them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use poolhook::config::PoolConfig;
use poolhook::event::PostConfirmation;
use poolhook::host::Failure;
use poolhook::plugin::{Mapping, Plugin, PluginError};
use serde::Deserialize;
use serde_json::{Value, json};

/// An example's time, 2026-01-01T00:00:00.000Z.
const TIME: Duration = Duration::from_hours(490_896);

#[derive(Deserialize)]
struct Settings {
    #[serde(default)]
    examples: Vec<Example>,
}

/// A user, and one of `item`, `skip` and `error`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Example {
    #[serde(default = "user_name")]
    user_name: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    client_metadata: BTreeMap<String, String>,
    /// The item, in DynamoDB's JSON.
    item: Option<BTreeMap<String, Value>>,
    /// The user is skipped.
    #[serde(default)]
    skip: bool,
    /// What the error says, among other words.
    error: Option<String>,
}

fn user_name() -> String {
    "hanako".to_owned()
}

/// What the examples are not, in the form of `ConfigError::of_settings`; none if
/// the plugin does as they say.
pub(super) fn check(plugin: &Plugin, config: &PoolConfig) -> Result<Option<String>, Failure> {
    let mut json = serde_json::Deserializer::from_str(config.settings.as_json());
    let settings: Settings = match serde_path_to_error::deserialize(&mut json) {
        Ok(settings) => settings,
        Err(error) => {
            let (path, rule) = (error.path().to_string(), error.into_inner());
            return Ok(Some(format!("settings.{path}: {}", without_place(&rule))));
        }
    };
    let mut mistakes = Vec::new();
    for (index, example) in settings.examples.iter().enumerate() {
        let found = mistakes_in(example, plugin, config)?;
        let located = |mistake| format!("settings.examples[{index}]{mistake}");
        mistakes.extend(found.into_iter().map(located));
    }
    Ok((!mistakes.is_empty()).then(|| mistakes.join("\n")))
}

fn mistakes_in(
    example: &Example,
    plugin: &Plugin,
    config: &PoolConfig,
) -> Result<Vec<String>, Failure> {
    let says = [
        example.item.is_some(),
        example.skip,
        example.error.is_some(),
    ];
    if says.into_iter().filter(|said| *said).count() != 1 {
        let rule = ": must have one of `item`, `skip = true` and `error`";
        return Ok(vec![rule.to_owned()]);
    }
    let event = json!({
        "version": "1",
        "region": "eu-west-1",
        "userPoolId": "eu-west-1_Example",
        "userName": example.user_name,
        "callerContext": {},
        "triggerSource": "PostConfirmation_ConfirmSignUp",
        "request": {
            "userAttributes": example.attributes,
            "clientMetadata": example.client_metadata,
        },
        "response": {},
    });
    let event = PostConfirmation::parse(event.to_string().as_bytes())?;
    let time = SystemTime::UNIX_EPOCH + TIME;
    let run = plugin.run(&event, time, &config.settings, &config.limits);
    let wrong = |what: &str, got: String| vec![format!(": expected {what}, got {got}")];
    Ok(match (run.mapping, example) {
        (Ok(Mapping::Put(fields)), Example { item, .. }) => match (fields.into_item(), item) {
            (Ok(got), Some(expected)) => differences(expected, &json!(got)),
            (Ok(got), None) => wrong("no item", json!(got).to_string()),
            (Err(error), _) => wrong("an item", error.to_string()),
        },
        (Ok(Mapping::Skip(_)), Example { skip: true, .. }) => Vec::new(),
        (Ok(Mapping::Skip(reason)), _) => wrong("no skip", format!("a skip: {reason}")),
        (Err(PluginError::Refused { message }), Example { error, .. }) => match error {
            Some(expected) if message.contains(expected.as_str()) => Vec::new(),
            Some(expected) => wrong(&format!("the error `{expected}`"), message),
            None => wrong("no error", message),
        },
        (Err(error), _) => return Err(error.into()),
    })
}

/// Each attribute that is not as expected.
fn differences(expected: &BTreeMap<String, Value>, got: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in expected {
        let key = Value::from(name.as_str());
        match got.get(name) {
            Some(got) if is_same(value, got) => {}
            Some(got) => found.push(format!(".item: {key} must be {value}, and is {got}")),
            None => found.push(format!(".item: {key} must be {value}, and is not there")),
        }
    }
    let names = got.as_object().into_iter().flatten();
    for (name, value) in names.filter(|(name, _)| !expected.contains_key(*name)) {
        let key = Value::from(name.as_str());
        found.push(format!(".item: {key} must not be there, and is {value}"));
    }
    found
}

/// Whether two attribute values are the same: in a set, the order does not count.
fn is_same(expected: &Value, got: &Value) -> bool {
    let sorted = |value: &Value| {
        let mut value = value.clone();
        for set in ["SS", "NS", "BS"] {
            if let Some(Value::Array(members)) = value.get_mut(set) {
                members.sort_by_key(Value::to_string);
            }
        }
        value
    };
    sorted(expected) == sorted(got)
}

/// Serde's words without its line and column, which are none of the file's.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}
