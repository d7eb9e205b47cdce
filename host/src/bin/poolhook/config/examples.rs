//! `[[settings.examples]]`: users, and the items that the plugin `fields` must produce.

use std::collections::BTreeMap;

use poolhook::config::PoolConfig;
use poolhook::event::{PostConfirmation, UserPoolId};
use poolhook::host::Failure;
use poolhook::item::Item;
use poolhook::plugin::Plugin;
use serde::Deserialize;
use serde_json::json;

use crate::difference::Difference;
use crate::trial::{Answer, Trial, received};

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
    item: Option<Item>,
    /// Whether the item may have further attributes.
    #[serde(default)]
    partial: bool,
    /// Whether the plugin must skip the user.
    #[serde(default)]
    skip: bool,
    /// A part of the expected error's text.
    error: Option<String>,
}

fn user_name() -> String {
    "hanako".to_owned()
}

/// Runs the examples. Returns the differences in the form that
/// `ConfigError::of_settings` reads, or `None` if there are none.
pub(super) fn check(
    plugin: &Plugin,
    id: &UserPoolId,
    config: &PoolConfig,
) -> Result<Option<String>, Failure> {
    let mut json = serde_json::Deserializer::from_str(config.settings.as_json());
    let settings: Settings = match serde_path_to_error::deserialize(&mut json) {
        Ok(settings) => settings,
        Err(error) => {
            let (path, rule) = (error.path().to_string(), error.into_inner());
            return Ok(Some(format!(
                "settings.{path}: {}",
                without_position(&rule)
            )));
        }
    };
    let mut mistakes = Vec::new();
    for (index, example) in settings.examples.iter().enumerate() {
        let found = example.mistakes(plugin, id, config)?;
        let located = |mistake| format!("settings.examples[{index}]{mistake}");
        mistakes.extend(found.into_iter().map(located));
    }
    Ok((!mistakes.is_empty()).then(|| mistakes.join("\n")))
}

impl Example {
    fn mistakes(
        &self,
        plugin: &Plugin,
        id: &UserPoolId,
        config: &PoolConfig,
    ) -> Result<Vec<String>, Failure> {
        let says = [self.item.is_some(), self.skip, self.error.is_some()];
        if says.into_iter().filter(|said| *said).count() != 1 {
            let rule = ": must have one of `item`, `skip = true` and `error`";
            return Ok(vec![rule.to_owned()]);
        }
        let event = self.event(id)?;
        let (settings, limits) = (&config.settings, &config.limits);
        let trial = Trial::run(plugin, &event, received(), settings, limits, |item| {
            config.check_key(item, &event)
        });
        Ok(match (&trial.answer, &self.item, &self.error) {
            (Answer::Item(got), Some(item), _) => Difference::of_items(item, got)
                .iter()
                .filter(|difference| !self.partial || difference.expected.is_some())
                .map(|difference| format!(".item: {}", attribute(difference)))
                .collect(),
            (Answer::Skip(_), None, None) => Vec::new(),
            (Answer::Failed(_, text), _, Some(error)) if text.contains(error) => Vec::new(),
            (answer, item, error) => {
                let expected = match (item, error) {
                    (Some(_), _) => "an item".to_owned(),
                    (_, Some(error)) => format!("the error `{error}`"),
                    _ => "a skip".to_owned(),
                };
                let got = Difference::of_outcome(None, answer).got.unwrap_or_default();
                vec![format!(": expected {expected}, got {got}")]
            }
        })
    }

    fn event(&self, id: &UserPoolId) -> Result<PostConfirmation, Failure> {
        let event = json!({
            "version": "1",
            "region": id.region(),
            "userPoolId": id.as_str(),
            "userName": self.user_name,
            "callerContext": {},
            "triggerSource": "PostConfirmation_ConfirmSignUp",
            "request": {
                "userAttributes": self.attributes,
                "clientMetadata": self.client_metadata,
            },
            "response": {},
        });
        Ok(PostConfirmation::parse(event.to_string().as_bytes())?)
    }
}

fn attribute(difference: &Difference) -> String {
    let name = difference.what.trim_start_matches("item.");
    match (&difference.expected, &difference.got) {
        (Some(expected), Some(got)) => format!("`{name}` must be {expected}, but is {got}"),
        (Some(expected), None) => format!("`{name}` must be {expected}, but is missing"),
        (None, Some(got)) => format!("`{name}` must be absent, but is {got}"),
        (None, None) => String::new(),
    }
}

/// Serde's message without its line and column, which are not the file's.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}
