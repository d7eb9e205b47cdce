//! The doctor's test event: an event that the function answers, and that writes nothing.

use poolhook::event::{TriggerSource, UserPoolId};
use poolhook::text::shown;
use serde_json::{Value, json};

use super::super::function::FunctionArn;
use super::super::lambda::Answer;
use super::Doctor;
use super::finding::Finding;

const CHECK: &str = "test event";

impl Doctor {
    pub(super) async fn test_event(&self, function: &FunctionArn, id: &UserPoolId) -> Finding {
        let Some(region) = self.regions.get(function.region()) else {
            return Finding::not_checked(CHECK, "the function is in another Region");
        };
        let event = event(id);
        match region.functions.invoke(function, &event).await {
            Ok(answer) => judge(function, id, &event, &answer),
            Err(not_checked) => (CHECK, &not_checked).into(),
        }
    }
}

/// A pool's event, as Cognito would send it, but for its trigger source.
fn event(id: &UserPoolId) -> Value {
    json!({
        "version": "1",
        "region": id.region(),
        "userPoolId": id.as_str(),
        "userName": "poolhook-test",
        "callerContext": {
            "awsSdkVersion": "poolhook",
            "clientId": "CLIENT_ID_NOT_APPLICABLE",
        },
        "triggerSource": TriggerSource::test().as_str(),
        "request": { "userAttributes": {} },
        "response": {},
    })
}

/// Many a function answers with its event, so only poolhook's log line is a proof.
fn judge(function: &FunctionArn, id: &UserPoolId, event: &Value, answer: &Answer) -> Finding {
    let payload: Value = serde_json::from_slice(&answer.payload).unwrap_or_default();
    let cost = cost(&answer.log);
    if answer.failed {
        let text = |member: &str| {
            let text = payload.get(member).and_then(Value::as_str);
            text.unwrap_or("unknown").to_owned()
        };
        let name = text("errorType");
        let fix = if name == "Config.UnknownPool" {
            "sam build && sam deploy".to_owned()
        } else {
            format!(
                "aws logs tail /aws/lambda/{} --region {} --since 10m",
                function.name(),
                function.region()
            )
        };
        let message = text("errorMessage");
        let text = format!(
            "the function answered {}: {}{cost}",
            shown(&name),
            shown(&message)
        );
        return Finding::wrong(CHECK, text, fix);
    }
    let is_line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        let is = |member: &str, value: &str| line.get(member).is_some_and(|it| it == value);
        is("outcome", "skipped") && is("userPoolId", id.as_str())
    };
    if payload == *event && answer.log.lines().any(is_line) {
        let text =
            format!("the function read the config, loaded the plugin and wrote nothing{cost}");
        return Finding::ok(CHECK, text);
    }
    let text = format!("the function answered, but not as poolhook does{cost}");
    Finding::wrong(
        CHECK,
        text,
        format!("poolhook pools attach {id} --stack NAME"),
    )
}

/// What Lambda's log says of the invocation's cost; empty if it says nothing.
fn cost(log: &str) -> String {
    let report = log.lines().find(|line| line.starts_with("REPORT "));
    let parts = report.into_iter().flat_map(|line| line.split('\t').skip(1));
    let parts: Vec<_> = parts
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    if parts.is_empty() {
        return String::new();
    }
    format!(" ({})", shown(&parts.join(", ")))
}
