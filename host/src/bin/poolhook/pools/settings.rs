//! A pool's settings, and how two looks at them differ.

use std::fmt;

use poolhook::cognito::CognitoError;
use poolhook::cognito::pools::{Document, ListError, PoolPage, UserPools, WriteError};
use poolhook::event::UserPoolId;
use poolhook::text::shown;
use serde_json::{Value, json};

use super::rules::{MOVING, OLDER_DAYS, has_newer_days};
use crate::pace::Pace;

/// Cognito's [quotas][doc] for an account and Region, in requests per second.
///
/// [doc]: https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
const READS: f64 = 15.0;
const UPDATES: f64 = 15.0;
/// The updates that are left out after Cognito has throttled one: a second's.
const PAUSE: u32 = 15;
/// A pool has 5 per second of its own. A change sends at most 3 in a row, and describes the
/// pool in between.
const MFA: f64 = 20.0;

/// What both descriptions of a pool answer, as Cognito sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The member `UserPool` of `DescribeUserPool`'s answer.
    pub(crate) pool: Document,
    /// The answer of `GetUserPoolMfaConfig`.
    pub(crate) mfa: Document,
}

/// Cognito, within its quotas.
pub(crate) struct Cognito {
    pools: UserPools,
    reads: Pace,
    updates: Pace,
    mfa: Pace,
}

impl Cognito {
    pub(crate) fn new(pools: UserPools) -> Self {
        Self {
            pools,
            reads: Pace::new(READS),
            updates: Pace::new(UPDATES),
            mfa: Pace::new(MFA),
        }
    }

    pub(crate) async fn read(&self, pool: &UserPoolId) -> Result<Settings, CognitoError> {
        self.reads.turn().await;
        let described = self.pools.describe(pool).await?;
        self.mfa.turn().await;
        let mfa = self.pools.mfa(pool).await?;
        Ok(Settings {
            pool: described,
            mfa,
        })
    }

    /// Lists the account's pools: the first page, or the page with this token.
    pub(crate) async fn page(&self, token: Option<&str>) -> Result<PoolPage, ListError> {
        self.reads.turn().await;
        self.pools.page(token).await
    }

    /// The pool without its MFA configuration.
    pub(crate) async fn describe(&self, pool: &UserPoolId) -> Result<Document, CognitoError> {
        self.reads.turn().await;
        self.pools.describe(pool).await
    }

    pub(crate) async fn update(
        &self,
        pool: &UserPoolId,
        request: &Document,
    ) -> Result<(), WriteError> {
        self.updates.turn().await;
        let sent = self.pools.update(pool, request).await;
        if sent.as_ref().is_err_and(WriteError::is_throttled) {
            self.updates.took(PAUSE);
        }
        sent
    }

    pub(crate) async fn set_mfa(
        &self,
        pool: &UserPoolId,
        request: &Document,
    ) -> Result<(), WriteError> {
        self.mfa.turn().await;
        self.pools.set_mfa(pool, request).await
    }
}

/// The part of the settings that a difference is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Pool,
    Mfa,
}

/// A value that differs: a member that is not an object, by its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) part: Part,
    /// Names of members, the outermost first.
    pub(crate) path: Vec<String>,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

impl Settings {
    /// What differs, but for the fields that move by themselves.
    pub(crate) fn differences(&self, after: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        compare(
            Part::Pool,
            &mut Vec::new(),
            &self.pool,
            &after.pool,
            &mut found,
        );
        // The older name of the days shows the newer one's, or nothing.
        let shows_days = has_newer_days(&self.pool) && has_newer_days(&after.pool);
        found.retain(|it| {
            let is_moving = it
                .path
                .first()
                .is_some_and(|field| MOVING.contains(&field.as_str()));
            let is_older_name = shows_days && it.name() == OLDER_DAYS;
            !is_moving && !is_older_name
        });
        compare(
            Part::Mfa,
            &mut Vec::new(),
            &self.mfa,
            &after.mfa,
            &mut found,
        );
        found
    }

    pub(crate) fn document_mut(&mut self, part: Part) -> &mut Document {
        match part {
            Part::Pool => &mut self.pool,
            Part::Mfa => &mut self.mfa,
        }
    }
}

fn compare(
    part: Part,
    path: &mut Vec<String>,
    before: &Document,
    after: &Document,
    found: &mut Vec<Difference>,
) {
    let names = before
        .keys()
        .chain(after.keys().filter(|name| !before.contains_key(*name)));
    for name in names {
        // A member that is null is one that is not there.
        let value = |document: &Document| document.get(name).filter(|it| !it.is_null()).cloned();
        let (one, other) = (value(before), value(after));
        if one == other {
            continue;
        }
        path.push(name.clone());
        match (&one, &other) {
            (Some(Value::Object(one)), Some(Value::Object(other))) => {
                compare(part, path, one, other, found);
            }
            _ => found.push(Difference {
                part,
                path: path.clone(),
                before: one,
                after: other,
            }),
        }
        path.pop();
    }
}

impl Difference {
    /// Whether the value is gone, or the one that Cognito sets where an update does not have
    /// the field.
    pub(crate) fn is_reset(&self) -> bool {
        let Some(after) = &self.after else {
            return true;
        };
        let is_empty = match after {
            Value::String(text) => text.is_empty(),
            Value::Array(values) => values.is_empty(),
            Value::Object(members) => members.is_empty(),
            _ => false,
        };
        is_empty || default_of(&self.name()) == Some(after.clone())
    }

    /// The path with points, such as `LambdaConfig.PostConfirmation`.
    pub(crate) fn name(&self) -> String {
        self.path.join(".")
    }

    pub(crate) fn to_json(&self) -> Value {
        let part = match self.part {
            Part::Pool => "UserPool",
            Part::Mfa => "UserPoolMfaConfig",
        };
        json!({ "in": part, "path": self.path, "before": self.before, "after": self.after })
    }

    /// Sets the value from before in the settings.
    pub(crate) fn undo(&self, settings: &mut Settings) {
        let Some((last, parents)) = self.path.split_last() else {
            return;
        };
        let mut document = settings.document_mut(self.part);
        for parent in parents {
            let next = document.entry(parent.clone()).or_insert_with(|| json!({}));
            let Value::Object(next) = next else {
                return;
            };
            document = next;
        }
        match &self.before {
            Some(value) => document.insert(last.clone(), value.clone()),
            None => document.remove(last),
        };
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: &Option<Value>| match value {
            Some(value) => shown(&value.to_string()).to_string(),
            None => "none".to_owned(),
        };
        let part = match self.part {
            Part::Pool => "",
            Part::Mfa => "MFA: ",
        };
        let (before, after) = (value(&self.before), value(&self.after));
        write!(f, "{part}{}: {before} -> {after}", self.name())
    }
}

/// The values that UpdateUserPool sets for what it does not receive, in a pool without
/// further settings. `DescribeUserPool` of such a pool shows them.
fn default_of(name: &str) -> Option<Value> {
    if let Some(level) = name.strip_prefix("AcrConfiguration.Level") {
        let level = level.strip_suffix(".AcrValue")?;
        return Some(format!("urn:cognito:loa:{level}").into());
    }
    Some(match name {
        "AccountRecoverySetting.RecoveryMechanisms" => json!([
            { "Priority": 1, "Name": "verified_email" },
            { "Priority": 2, "Name": "verified_phone_number" },
        ]),
        "AdminCreateUserConfig.AllowAdminCreateUserOnly"
        | "DeviceConfiguration.ChallengeRequiredOnNewDevice"
        | "DeviceConfiguration.DeviceOnlyRememberedOnUserPrompt"
        | "SoftwareTokenMfaConfiguration.Enabled" => json!(false),
        "AdminCreateUserConfig.UnusedAccountValidityDays"
        | "Policies.PasswordPolicy.TemporaryPasswordValidityDays" => json!(7),
        "DcrConfiguration.EnableStatus" => json!("Disabled"),
        "DeletionProtection" => json!("INACTIVE"),
        "EmailConfiguration.EmailSendingAccount" => json!("COGNITO_DEFAULT"),
        "IssuerConfiguration.Type" => json!("ORIGINAL"),
        "KeyConfiguration.KeyType" => json!("AWS_OWNED_KEY"),
        "MfaConfiguration" | "UserPoolAddOns.AdvancedSecurityMode" => json!("OFF"),
        "Policies.PasswordPolicy.MinimumLength" => json!(8),
        "Policies.PasswordPolicy.RequireLowercase"
        | "Policies.PasswordPolicy.RequireNumbers"
        | "Policies.PasswordPolicy.RequireSymbols"
        | "Policies.PasswordPolicy.RequireUppercase" => json!(true),
        "Policies.SignInPolicy.AllowedFirstAuthFactors" => json!(["PASSWORD"]),
        "UserPoolTier" => json!("ESSENTIALS"),
        "VerificationMessageTemplate.DefaultEmailOption" => json!("CONFIRM_WITH_CODE"),
        _ => return None,
    })
}
