//! Users as Cognito has them, and what a mapping makes of each one.

use std::collections::BTreeMap;

use poolhook::config::{Mapping, PoolConfig};
use poolhook::event::{PostConfirmation, UserPoolId};
use poolhook::host::Failure;
use poolhook::plugin::Plugin;
use serde::Deserialize;
use serde_json::json;

use crate::trial::{Answer, Trial, received};

/// The sample users: a name, the user name, and the user attributes.
const SAMPLES: &str = include_str!("samples.json");

/// A kind of user.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sample {
    /// What kind of user this is, such as `phone only`.
    pub(crate) kind: String,
    pub(crate) user_name: String,
    pub(crate) user_attributes: BTreeMap<String, String>,
}

pub(crate) fn all() -> Vec<Sample> {
    // A test reads them.
    serde_json::from_str(SAMPLES).unwrap_or_default()
}

impl Sample {
    /// The user's sign-up in a pool.
    pub(crate) fn event(&self, id: &UserPoolId) -> Result<PostConfirmation, Failure> {
        let event = json!({
            "version": "1",
            "region": id.region(),
            "userPoolId": id.as_str(),
            "userName": self.user_name,
            "callerContext": { "awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "4o2v5example8client1id7" },
            "triggerSource": "PostConfirmation_ConfirmSignUp",
            "request": { "userAttributes": self.user_attributes },
            "response": {},
        });
        Ok(PostConfirmation::parse(event.to_string().as_bytes())?)
    }
}

/// What one attribute's expression gives for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// The value, in DynamoDB's JSON.
    Value(String),
    LeftOut,
    /// Why it has none. With the position in the expression, as a character from 1.
    Failed {
        at: Option<usize>,
        text: String,
    },
}

/// Maps one attribute of a user, in the sandbox, as the trigger would.
pub(super) fn attribute(
    plugin: &Plugin,
    config: &PoolConfig,
    mapping: &Mapping,
    name: &str,
    event: &PostConfirmation,
) -> Given {
    let Some(settings) = mapping.only(name) else {
        return Given::LeftOut;
    };
    let trial = Trial::run(plugin, event, received(), &settings, &config.limits, |_| {
        Ok(())
    });
    match trial.answer {
        Answer::Item(item) => match item.attributes().get(name) {
            Some(value) => Given::Value(serde_json::to_string(value).unwrap_or_default()),
            None => Given::LeftOut,
        },
        Answer::Skip(_) => Given::LeftOut,
        Answer::Failed(_, text) => failed(name, &text),
    }
}

/// The evaluator's message: the key, the position if there is one, and what is wrong.
pub(super) fn failed(name: &str, text: &str) -> Given {
    let key = serde_json::Value::from(name).to_string();
    let quoted = format!("item.{key}: ");
    let plain = format!("item.{name}: ");
    let rest = text.strip_prefix(&quoted).or(text.strip_prefix(&plain));
    let rest = rest.unwrap_or(text);
    let placed = rest.strip_prefix("at character ").and_then(|rest| {
        let (at, text) = rest.split_once(": ")?;
        Some((at.parse().ok()?, text))
    });
    match placed {
        Some((at, text)) => Given::Failed {
            at: Some(at),
            text: text.to_owned(),
        },
        None => Given::Failed {
            at: None,
            text: rest.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_samples_are_read() {
        assert_eq!(super::all().len(), 7);
    }
}
