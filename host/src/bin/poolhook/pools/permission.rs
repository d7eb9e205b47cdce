//! Whether a function's resource policy lets a user pool invoke it.

use serde_json::Value;

/// The service that invokes a pool's triggers.
const COGNITO: &str = "cognito-idp.amazonaws.com";

/// Whether a function's resource policy lets the user pool with this ARN invoke the function:
/// a statement allows it, and none denies it. A statement with a condition that poolhook does
/// not know neither allows nor denies.
pub(crate) fn lets_pool_invoke(policy: &Value, pool_arn: &str) -> bool {
    let statements = match policy.get("Statement") {
        Some(Value::Array(statements)) => &statements[..],
        Some(statement) => std::slice::from_ref(statement),
        None => &[],
    };
    let any = |effect: &str| {
        let mut with_effect = statements
            .iter()
            .filter(|statement| statement.get("Effect").is_some_and(|is| is == effect));
        with_effect.any(|statement| applies(statement, pool_arn))
    };
    any("Allow") && !any("Deny")
}

/// Whether a statement is about a pool's invocation.
fn applies(statement: &Value, pool_arn: &str) -> bool {
    let member = |name: &str| statement.get(name);
    let principal = match member("Principal") {
        Some(Value::Object(principal)) => principal.get("Service"),
        principal => principal,
    };
    let is_cognito = |name: &str| name == COGNITO || name == "*";
    let is_invocation = |action: &str| is_like(b"lambda:invokefunction", &lower(action));
    any_text(principal, is_cognito)
        && any_text(member("Action"), is_invocation)
        && member("Condition").is_none_or(|conditions| all_hold(conditions, pool_arn))
}

/// Whether all conditions hold for a request of the pool's.
fn all_hold(conditions: &Value, pool_arn: &str) -> bool {
    let Value::Object(conditions) = conditions else {
        return false;
    };
    let mut tests = conditions.iter().flat_map(|(operator, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(move |(key, values)| (operator.as_str(), key.as_str(), values))
    });
    tests.all(|(operator, key, values)| {
        let value = match &lower(key)[..] {
            b"aws:sourcearn" => pool_arn,
            b"aws:sourceaccount" => pool_arn.split(':').nth(4).unwrap_or_default(),
            _ => return false,
        };
        match operator {
            "ArnLike" | "ArnEquals" => {
                any_text(Some(values), |pattern| is_arn_like(value, pattern))
            }
            "ArnNotLike" | "ArnNotEquals" => {
                !any_text(Some(values), |pattern| is_arn_like(value, pattern))
            }
            "StringEquals" => any_text(Some(values), |text| text == value),
            "StringNotEquals" => !any_text(Some(values), |text| text == value),
            "StringLike" => any_text(Some(values), |pattern| {
                is_like(value.as_bytes(), pattern.as_bytes())
            }),
            "StringNotLike" => !any_text(Some(values), |pattern| {
                is_like(value.as_bytes(), pattern.as_bytes())
            }),
            _ => false,
        }
    })
}

/// Whether one of the texts, or the only one, passes.
fn any_text(texts: Option<&Value>, passes: impl Fn(&str) -> bool) -> bool {
    match texts {
        Some(Value::String(text)) => passes(text),
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).any(passes),
        _ => false,
    }
}

/// Compares an ARN with a pattern, each of its six parts by itself.
fn is_arn_like(arn: &str, pattern: &str) -> bool {
    let parts = |text: &str| text.splitn(6, ':').map(str::to_owned).collect::<Vec<_>>();
    let (arn, pattern) = (parts(arn), parts(pattern));
    arn.len() == pattern.len()
        && arn
            .iter()
            .zip(&pattern)
            .all(|(part, pattern)| is_like(part.as_bytes(), pattern.as_bytes()))
}

/// Compares a text with a pattern: `*` is any number of characters, `?` one.
fn is_like(text: &[u8], pattern: &[u8]) -> bool {
    match (text, pattern) {
        ([], []) => true,
        (_, [b'*', rest @ ..]) => {
            is_like(text, rest)
                || text
                    .split_first()
                    .is_some_and(|(_, text)| is_like(text, pattern))
        }
        ([_, text @ ..], [b'?', pattern @ ..]) => is_like(text, pattern),
        ([one, text @ ..], [other, pattern @ ..]) => one == other && is_like(text, pattern),
        _ => false,
    }
}

fn lower(text: &str) -> Vec<u8> {
    text.to_ascii_lowercase().into_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const POOL: &str = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_Ab12Cd34E";
    const ANY: &str = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/*";

    fn statement(changes: &Value) -> Value {
        let mut statement = json!({
            "Sid": "poolhook-user-pools",
            "Effect": "Allow",
            "Principal": { "Service": COGNITO },
            "Action": "lambda:InvokeFunction",
            "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:poolhook",
            "Condition": { "ArnLike": { "AWS:SourceArn": ANY } },
        });
        if let (Value::Object(statement), Value::Object(changes)) = (&mut statement, changes) {
            for (name, value) in changes {
                match value {
                    Value::Null => statement.remove(name),
                    value => statement.insert(name.clone(), value.clone()),
                };
            }
        }
        statement
    }

    fn lets(statements: &[Value]) -> bool {
        lets_pool_invoke(&json!({ "Statement": statements }), POOL)
    }

    #[test]
    fn statements_that_allow() {
        for changes in [
            json!({}),
            json!({ "Principal": "*" }),
            json!({ "Principal": { "Service": ["s3.amazonaws.com", COGNITO] } }),
            json!({ "Action": "lambda:*" }),
            json!({ "Action": "*" }),
            json!({ "Action": ["lambda:GetFunction", "lambda:InvokeFunction"] }),
            json!({ "Condition": null }),
            json!({ "Condition": { "ArnLike": { "aws:SourceArn": POOL } } }),
            json!({ "Condition": { "ArnEquals": { "AWS:SourceArn": ["arn:aws:s3:::a", POOL] } } }),
            json!({ "Condition": { "StringLike": { "AWS:SourceArn": "*:userpool/eu-west-1_Ab12Cd34?" } } }),
            json!({ "Condition": { "StringEquals": { "AWS:SourceAccount": "123456789012" },
                                   "ArnLike": { "AWS:SourceArn": ANY } } }),
            json!({ "Condition": { "ArnLike": { "AWS:SourceArn": "arn:*:cognito-idp:*:*:userpool/*" } } }),
        ] {
            assert!(lets(&[statement(&changes)]), "{changes}");
        }
        let one = json!({ "Statement": statement(&json!({})) });
        assert!(lets_pool_invoke(&one, POOL), "a statement without a list");
    }

    #[test]
    fn statements_that_do_not_allow() {
        let other = POOL.replace("Cd34E", "Cd34F");
        for changes in [
            json!({ "Effect": "Deny" }),
            json!({ "Principal": { "Service": "s3.amazonaws.com" } }),
            json!({ "Principal": { "AWS": "123456789012" } }),
            json!({ "Principal": null }),
            json!({ "Action": "lambda:InvokeFunctionUrl" }),
            json!({ "Condition": { "ArnLike": { "AWS:SourceArn": other } } }),
            json!({ "Condition": { "StringEquals": { "AWS:SourceArn": ANY } } }),
            // A wildcard stays within one part of the ARN.
            json!({ "Condition": { "ArnLike": { "AWS:SourceArn": "arn:*:userpool/*" } } }),
            json!({ "Condition": { "StringEquals": { "AWS:SourceAccount": "210987654321" } } }),
            json!({ "Condition": { "StringEquals": { "aws:PrincipalOrgID": "o-abc" } } }),
            json!({ "Condition": { "NumericEquals": { "AWS:SourceAccount": "123456789012" } } }),
            json!({ "Condition": "none" }),
        ] {
            assert!(!lets(&[statement(&changes)]), "{changes}");
        }
        assert!(!lets_pool_invoke(&json!({}), POOL), "no statements");
    }

    #[test]
    fn a_statement_that_denies_wins() {
        let allow = statement(&json!({}));
        let deny = |condition: Value| {
            let changes = json!({ "Effect": "Deny", "Principal": "*", "Condition": condition });
            lets(&[allow.clone(), statement(&changes)])
        };
        assert!(!deny(Value::Null));
        assert!(!deny(json!({ "StringEquals": { "AWS:SourceArn": POOL } })));
        assert!(!deny(
            json!({ "StringNotEquals": { "AWS:SourceAccount": "210987654321" } })
        ));
        assert!(deny(json!({ "ArnNotLike": { "AWS:SourceArn": ANY } })));
        assert!(deny(json!({ "Bool": { "aws:SecureTransport": "false" } })));
    }
}
