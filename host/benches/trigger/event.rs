//! The users who sign up. Each event is another user's, so that nothing can be cached from
//! one event to the next.

use serde_json::{Value, json};

pub(crate) const REGION: &str = "ap-northeast-1";
pub(crate) const TABLE: &str = "User";

/// A Post Confirmation event, as Lambda would hand it out.
pub(crate) struct Event {
    pub(crate) request_id: String,
    pub(crate) raw: String,
    user_name: String,
    email: String,
    mapping: Mapping,
}

/// What a pool makes of a user.
#[derive(Clone, Copy)]
pub(crate) enum Mapping {
    /// Its name and email.
    Default,
    /// The six attributes of [`SIX_KEYS`].
    SixKeys,
}

/// A config with the plugin `fields`, as in the README.
pub(crate) const SIX_KEYS: &str = r#"
plugin = "fields"
[settings.item]
id    = "user.name"
email = "user.attributes.email | lower"
plan  = "user.attributes['custom:plan'] | default('free')"
seats = "user.attributes['custom:seats'] | int | optional"
tags  = "user.attributes['custom:tags'] | split(',') | set | optional"
since = "user.time"
"#;

impl Event {
    /// The `n`th user, who signs up in `pool`.
    pub(crate) fn new(pool: &str, n: usize) -> Self {
        let user_name = format!("0f3d5f0e-8f5c-4b55-9c1c-{n:012x}");
        let email = format!("user{n}@example.com");
        let event = json!({
            "version": "1",
            "region": REGION,
            "userPoolId": pool,
            "userName": user_name,
            "callerContext": {
                "awsSdkVersion": "aws-sdk-unknown-unknown",
                "clientId": "4o2v5example8client1id7",
            },
            "triggerSource": "PostConfirmation_ConfirmSignUp",
            "request": {
                "userAttributes": {
                    "sub": user_name,
                    "cognito:user_status": "CONFIRMED",
                    "email": email,
                    "email_verified": "true",
                    "phone_number": "+819012345678",
                    "phone_number_verified": "false",
                    "name": "山田花子",
                    "locale": "ja-JP",
                    "custom:seats": "3",
                    "custom:tags": "gold,beta",
                },
                "clientMetadata": {},
            },
            "response": {},
        });
        Self {
            request_id: format!("8476a536-e9f4-11e8-9739-{n:012x}"),
            raw: event.to_string(),
            user_name,
            email,
            mapping: Mapping::Default,
        }
    }

    /// The same user, of a pool with this mapping.
    pub(crate) fn mapped(self, mapping: Mapping) -> Self {
        Self { mapping, ..self }
    }

    /// Checks that the answer is the event itself.
    pub(crate) fn check_answer(&self, answer: &[u8]) -> Result<(), String> {
        // The plain handler writes the fields in another order.
        let same = answer == self.raw.as_bytes()
            || serde_json::from_slice::<Value>(answer).ok() == self.raw.parse().ok();
        let wrong = || format!("{} was answered with another event", self.request_id);
        same.then_some(()).ok_or_else(wrong)
    }

    /// Checks that the pool's item was put, and nothing else.
    pub(crate) fn check_put(&self, request: &Value) -> Result<(), String> {
        let mut expected = json!({"id": {"S": self.user_name}, "email": {"S": self.email}});
        if let Mapping::SixKeys = self.mapping {
            expected["plan"] = json!({"S": "free"});
            expected["seats"] = json!({"N": "3"});
            expected["tags"] = json!({"SS": ["gold", "beta"]});
            expected["since"] = request["Item"]["since"].clone();
        }
        let right = request["TableName"] == TABLE && request["Item"] == expected;
        let wrong = || format!("{} put a wrong item: {request}", self.request_id);
        right.then_some(()).ok_or_else(wrong)
    }
}

/// The `n`th pool's id.
pub(crate) fn pool(n: usize) -> String {
    format!("{REGION}_Pool{n:05}")
}
