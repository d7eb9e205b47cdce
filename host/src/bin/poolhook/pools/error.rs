//! Why a pool is not changed, or not as it should be.

use std::path::PathBuf;

use poolhook::cognito::CognitoError;
use poolhook::cognito::pools::WriteError;
use poolhook::event::UserPoolId;
use poolhook::host::Failure;

use super::function::FunctionArn;
use super::settings::Difference;
use super::trigger::Trigger;

/// What stopped a change. Each text says what to do, and docs/pools.md lists them.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "UserPool.")]
pub(crate) enum PoolError {
    // Before any change.
    #[error(
        "the pool is in {}, and {function} is in {}. A pool calls functions of its own Region only: deploy poolhook there, too",
        pool.region(), function.region()
    )]
    OtherRegion {
        pool: UserPoolId,
        function: FunctionArn,
    },
    #[error(
        "{function} does not let the pool call it: its resource policy has no lambda:InvokeFunction for cognito-idp.amazonaws.com from {pool_arn}. {way_out}"
    )]
    NoPermission {
        function: FunctionArn,
        pool_arn: String,
        way_out: String,
    },
    #[error(
        "{other} is at the trigger {}. Pass --replace to take its place; the snapshot records it, and `poolhook pools detach` puts it back",
        trigger.0
    )]
    OtherFunction { trigger: Trigger, other: String },
    #[error(
        "{manager} manages the pool, and its next deployment would undo the change. Write there: {lines}. Or pass --force"
    )]
    Managed { manager: String, lines: String },
    #[error(
        "poolhook has no rule for the field {field} that DescribeUserPool returns, so an update could reset it. If UpdateUserPool takes it under the same name, pass --carry {field}; otherwise, update poolhook"
    )]
    UnknownField { field: String },
    #[error("{field} cannot be carried over exactly: {why}. {way_out}")]
    NotExact {
        field: String,
        why: String,
        way_out: String,
    },
    #[error("the snapshot cannot be written to {}: {reason}. Nothing was changed", folder.display())]
    NoSnapshot { folder: PathBuf, reason: String },
    #[error("another writer changed the pool meanwhile: {}. Nothing was changed; run the command again", list(.differences))]
    ChangedMeanwhile { differences: Vec<Difference> },
    /// Cognito's refusal, after which the pool was found as before.
    #[error("{0}. The pool is as before")]
    Refused(WriteError),
    // After a change, or what may be one.
    #[error(
        "{reason}. Whether the pool was changed is not known. Run `poolhook pools check`; its settings from before are in {}", snapshot.display()
    )]
    NotVerified { reason: String, snapshot: PathBuf },
    #[error(
        "the update changed more than the trigger, and what was lost could not be put back: {reason}. Lost: {}. Run `poolhook pools restore {}`", list(.lost), snapshot.display()
    )]
    NotPutBack {
        reason: String,
        lost: Vec<Difference>,
        snapshot: PathBuf,
    },
    #[error("{}", differs(.put_back, .left, .snapshot))]
    Differs {
        /// What was lost and is as before again.
        put_back: Vec<Difference>,
        /// What is still not as it should be.
        left: Vec<Difference>,
        snapshot: PathBuf,
    },
    #[error(transparent)]
    Config(#[from] Failure),
    #[error(transparent)]
    Cognito(#[from] CognitoError),
}

impl PoolError {
    /// The error's name, for people and scripts.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Config(failure) => failure.name().to_string(),
            Self::Cognito(error) => error.name().to_owned(),
            error => {
                let name: &str = error.into();
                name.to_owned()
            }
        }
    }
}

fn differs(put_back: &[Difference], left: &[Difference], snapshot: &std::path::Path) -> String {
    let mut text = "the update changed more than the trigger".to_owned();
    if !put_back.is_empty() {
        text = format!("{text}. Put back from the snapshot: {}", list(put_back));
    }
    if !left.is_empty() {
        text = format!(
            "{text}. Not put back, as it may be another writer's or cannot be set: {}",
            list(left)
        );
    }
    format!(
        "{text}. The settings from before are in {}; `poolhook pools restore` puts a pool back to a snapshot",
        snapshot.display()
    )
}

/// Differences, for people.
pub(crate) fn list(differences: &[Difference]) -> String {
    let texts: Vec<_> = differences.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::collections::BTreeSet;

    use poolhook::cognito::pools::Document;
    use serde_json::{Value, json};

    use super::super::owner::{by_stack, by_tags};
    use super::super::rules;
    use super::super::settings::Part;
    use super::super::stacks::Owner;
    use super::super::trigger::POST_CONFIRMATION;
    use super::*;

    /// The page's examples: one for each error.
    fn examples() -> Vec<PoolError> {
        let pool = UserPoolId::parse("eu-west-1_Ab12Cd34E").unwrap();
        let function = |region: &str| -> FunctionArn {
            let arn = format!("arn:aws:lambda:{region}:123456789012:function:poolhook");
            arn.parse().unwrap()
        };
        let pool_arn = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_Ab12Cd34E";
        let snapshot =
            PathBuf::from("poolhook-snapshots/eu-west-1_Ab12Cd34E.20261201T090000000Z.attach.json");
        let difference = |name: &str, before, after| Difference {
            part: Part::Pool,
            path: vec![name.to_owned()],
            before,
            after,
        };
        let protection = difference(
            "DeletionProtection",
            Some(json!("ACTIVE")),
            Some(json!("INACTIVE")),
        );
        vec![
            PoolError::OtherRegion {
                pool,
                function: function("us-east-1"),
            },
            PoolError::NoPermission {
                function: function("eu-west-1"),
                pool_arn: pool_arn.to_owned(),
                way_out: "Pass --add-permission to add it for all pools of the account".to_owned(),
            },
            PoolError::OtherFunction {
                trigger: POST_CONFIRMATION,
                other: "arn:aws:lambda:eu-west-1:123456789012:function:welcome".to_owned(),
            },
            PoolError::UnknownField {
                field: "PasskeyConfiguration".to_owned(),
            },
            PoolError::NoSnapshot {
                folder: "poolhook-snapshots".into(),
                reason: "Permission denied (os error 13)".to_owned(),
            },
            PoolError::ChangedMeanwhile {
                differences: vec![protection.clone()],
            },
            PoolError::Refused(WriteError::Refused {
                action: "UpdateUserPool",
                code: "UserImportInProgressException".to_owned(),
                message: "A user import job is in progress".to_owned(),
            }),
            PoolError::NotVerified {
                reason: "UpdateUserPool has no answer: dispatch failure; and the pool cannot be described: the request to Cognito failed".to_owned(),
                snapshot: snapshot.clone(),
            },
            PoolError::NotPutBack {
                reason: "UpdateUserPool is refused (UserImportInProgressException): A user import job is in progress".to_owned(),
                lost: vec![protection.clone()],
                snapshot: snapshot.clone(),
            },
            PoolError::Differs {
                put_back: vec![protection],
                left: vec![],
                snapshot,
            },
        ]
    }

    /// What each tool's pools are refused with.
    fn managed() -> Vec<PoolError> {
        let function = "arn:aws:lambda:eu-west-1:123456789012:function:poolhook";
        let function: FunctionArn = function.parse().unwrap();
        let tags = ["amplify:app-id", "aws-cdk:auto-delete", "ManagedBy"];
        let by_tags = tags.iter().map(|tag| {
            let pool = document(json!({ "UserPoolTags": { *tag: "terraform" } }));
            by_tags(&pool, POST_CONFIRMATION, &function).unwrap_err()
        });
        let owner = Owner {
            stack: "accounts".to_owned(),
            logical_id: "Pool".to_owned(),
        };
        let by_stack = by_stack(&owner, POST_CONFIRMATION, &function);
        by_tags.chain([by_stack]).collect()
    }

    /// What no rule carries over, one pool for each refusal of the rules.
    fn not_exact() -> Vec<PoolError> {
        let sender = json!({ "LambdaArn": "arn" });
        let versioned = json!({ "LambdaArn": "arn", "LambdaVersion": "V1_0" });
        let pools = [
            json!({ "VerificationMessageTemplate": { "EmailMessage": "a", "EmailMessageByLink": "b" } }),
            json!({ "EmailVerificationMessage": "a", "VerificationMessageTemplate": { "EmailMessage": "b" } }),
            json!({ "LambdaConfig": { "PreTokenGeneration": "a", "PreTokenGenerationConfig": { "LambdaArn": "b" } } }),
            json!({ "LambdaConfig": { "CustomEmailSender": sender, "KMSKeyID": "key" } }),
            json!({ "LambdaConfig": { "CustomSMSSender": versioned } }),
            json!({ "SmsConfiguration": { "ExternalId": "a" } }),
            json!({ "UserAttributeUpdateSettings": { "AttributesRequireVerificationBeforeUpdate": ["email"] } }),
            json!({
                "AdminCreateUserConfig": { "UnusedAccountValidityDays": 7 },
                "Policies": { "PasswordPolicy": { "TemporaryPasswordValidityDays": 30 } },
            }),
            json!({ "DcrConfiguration": {} }),
        ];
        let request = |pool| rules::request(&document(pool), &[]).unwrap_err();
        pools.into_iter().map(request).collect()
    }

    fn document(value: Value) -> Document {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_page_on_pools_has_each_error_word_for_word() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pools.md");
        let page = std::fs::read_to_string(page).unwrap();
        let mut names = BTreeSet::new();
        let mut missing = String::new();
        for error in [examples(), managed(), not_exact()].into_iter().flatten() {
            let (name, text) = (error.name(), error.to_string());
            let row = format!("| `{name}` | {text} |");
            if !page.contains(&row) {
                missing = missing + &row + "\n";
            }
            names.insert(name);
        }
        assert!(
            missing.is_empty(),
            "docs/pools.md needs these rows:\n{missing}"
        );
        // Two variants pass other errors on.
        assert_eq!(names.len(), 12);
    }
}
