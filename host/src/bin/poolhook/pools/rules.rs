//! What UpdateUserPool takes of what DescribeUserPool answers, field by field.
//!
//! UpdateUserPool resets each setting that it does not receive, and refuses some that
//! DescribeUserPool returns. Rules without a source are [API]'s; others name theirs.
//!
//! [API]: https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UpdateUserPool.html

use poolhook::cognito::pools::Document;
use serde_json::{Value, json};

use super::error::PoolError;

/// They change although no caller changes the pool.
pub(crate) const MOVING: [&str; 4] = [
    "EmailConfigurationFailure",
    "EstimatedNumberOfUsers",
    "LastModifiedDate",
    "SmsConfigurationFailure",
];

/// No update sets them.
pub(crate) const READ_ONLY: [&str; 14] = [
    "AliasAttributes",
    "Arn",
    "CreationDate",
    "CustomDomain",
    "Domain",
    "EmailConfigurationFailure",
    "EstimatedNumberOfUsers",
    "LastModifiedDate",
    "SchemaAttributes",
    "SmsConfigurationFailure",
    "Status",
    "UsernameAttributes",
    "UsernameConfiguration",
    // Of the request, under another name.
    "Id",
];

/// They travel as they are, with all their members, but for what [`request`] changes.
const SETTINGS: [&str; 24] = [
    "AccountRecoverySetting",
    "AcrConfiguration",
    "AdminCreateUserConfig",
    "AutoVerifiedAttributes",
    "DcrConfiguration",
    "DeletionProtection",
    // Any value switches it on, so it is absent where it was absent.
    "DeviceConfiguration",
    "EmailConfiguration",
    "EmailVerificationMessage",
    "EmailVerificationSubject",
    "IssuerConfiguration",
    "KeyConfiguration",
    "LambdaConfig",
    "MfaConfiguration",
    "Policies",
    "SmsAuthenticationMessage",
    "SmsConfiguration",
    "SmsVerificationMessage",
    "UserAttributeUpdateSettings",
    "UserPoolAddOns",
    "UserPoolTags",
    // Without it, the pool moves to the tier ESSENTIALS.
    "UserPoolTier",
    "VerificationMessageTemplate",
    "Name",
];

/// The request that leaves a described pool as it is.
///
/// `carry` names fields without a rule that are sent as they are. An error says what could
/// not be sent without changing the pool.
pub(crate) fn request(pool: &Document, carry: &[String]) -> Result<Document, PoolError> {
    let mut request = Document::new();
    for (field, value) in pool {
        let field = field.as_str();
        let is_carried = carry.iter().any(|carried| carried == field);
        if value.is_null() || READ_ONLY.contains(&field) && !is_carried {
            continue;
        }
        if !SETTINGS.contains(&field) && !is_carried {
            return Err(PoolError::UnknownField {
                field: field.to_owned(),
            });
        }
        request.insert(field.to_owned(), value.clone());
    }
    if let Some(name) = request.remove("Name") {
        request.insert("PoolName".to_owned(), name);
    }
    if let Some(id) = pool.get("Id") {
        request.insert("UserPoolId".to_owned(), id.clone());
    }
    verification_messages(&mut request)?;
    lambda_config(&request)?;
    sms_configuration(&mut request)?;
    update_settings(&request)?;
    days(&mut request)?;
    dynamic_registration(&request)?;
    acr_levels(&mut request);
    tags(&mut request);
    Ok(request)
}

/// The messages come twice, at the top and in the template, and are sent once.
///
/// [aws-cli 3302](https://github.com/aws/aws-cli/issues/3302) has the refusal of both.
fn verification_messages(request: &mut Document) -> Result<(), PoolError> {
    const PAIRS: [(&str, &str); 3] = [
        ("EmailVerificationMessage", "EmailMessage"),
        ("EmailVerificationSubject", "EmailSubject"),
        ("SmsVerificationMessage", "SmsMessage"),
    ];
    const TEMPLATE: &str = "VerificationMessageTemplate";
    let Some(template) = request.get(TEMPLATE).cloned() else {
        return Ok(());
    };
    if has(&template, "EmailMessage") && has(&template, "EmailMessageByLink") {
        return Err(not_exact(
            TEMPLATE,
            "it has both EmailMessage and EmailMessageByLink, and UpdateUserPool takes one of them",
            "Remove the one that DefaultEmailOption does not use from the pool's verification message, then run the command again",
        ));
    }
    for (field, member) in PAIRS {
        match (request.get(field), template.get(member)) {
            (Some(text), Some(other)) if text != other => {
                let why = format!(
                    "it differs from {TEMPLATE}.{member}, and UpdateUserPool takes one text"
                );
                let way_out =
                    "Set the pool's verification message again, then run the command again";
                return Err(not_exact(field, &why, way_out));
            }
            (Some(_), Some(_)) => {
                request.remove(field);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Two rules on [`LambdaConfigType`](https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_LambdaConfigType.html).
fn lambda_config(request: &Document) -> Result<(), PoolError> {
    let Some(config) = request.get("LambdaConfig") else {
        return Ok(());
    };
    let arn = config.get("PreTokenGeneration");
    let versioned = config.get("PreTokenGenerationConfig");
    let versioned = versioned.and_then(|config| config.get("LambdaArn"));
    if let (Some(arn), Some(versioned)) = (arn, versioned)
        && arn != versioned
    {
        return Err(not_exact(
            "LambdaConfig.PreTokenGeneration",
            "it differs from PreTokenGenerationConfig.LambdaArn, and UpdateUserPool takes one function",
            "Set the pre token generation trigger again, then run the command again",
        ));
    }
    for sender in ["CustomEmailSender", "CustomSMSSender"] {
        let Some(settings) = config.get(sender) else {
            continue;
        };
        let missing = if !has(settings, "LambdaVersion") {
            "LambdaVersion"
        } else if !has(config, "KMSKeyID") {
            "KMSKeyID"
        } else {
            continue;
        };
        return Err(not_exact(
            &format!("LambdaConfig.{sender}"),
            &format!(
                "UpdateUserPool takes a custom sender only with a {missing}, and the pool has none"
            ),
            "Set the sender again, then run the command again",
        ));
    }
    Ok(())
}

/// SMS settings without a sender are refused. Empty ones are none.
fn sms_configuration(request: &mut Document) -> Result<(), PoolError> {
    if request.get("SmsConfiguration") == Some(&json!({})) {
        request.remove("SmsConfiguration");
    }
    match request.get("SmsConfiguration") {
        Some(sms) if !has(sms, "SnsCallerArn") && !has(sms, "EumsSms") => Err(not_exact(
            "SmsConfiguration",
            "UpdateUserPool takes it only with SnsCallerArn or EumsSms, and the pool has neither",
            "Set the pool's SMS settings again, then run the command again",
        )),
        _ => Ok(()),
    }
}

/// Only what is verified automatically can wait for its verification.
fn update_settings(request: &Document) -> Result<(), PoolError> {
    let texts = |value: Option<&Value>| {
        let texts = value.and_then(Value::as_array).into_iter().flatten();
        texts.cloned().collect::<Vec<_>>()
    };
    let settings = request.get("UserAttributeUpdateSettings");
    let waiting = settings.and_then(|it| it.get("AttributesRequireVerificationBeforeUpdate"));
    let verified = texts(request.get("AutoVerifiedAttributes"));
    for attribute in texts(waiting) {
        if !verified.contains(&attribute) {
            let attribute = attribute.as_str().unwrap_or_default();
            return Err(not_exact(
                "UserAttributeUpdateSettings",
                &format!(
                    "it has {attribute}, which is not in AutoVerifiedAttributes, and UpdateUserPool refuses that"
                ),
                "Set which attributes the pool verifies again, then run the command again",
            ));
        }
    }
    Ok(())
}

/// The older name of the number of days that a temporary password is valid.
pub(crate) const OLDER_DAYS: &str = "AdminCreateUserConfig.UnusedAccountValidityDays";

/// One number of days under two names: the newer one is sent.
fn days(request: &mut Document) -> Result<(), PoolError> {
    let Some(newer) = newer_days(request).cloned() else {
        return Ok(());
    };
    let Some(Value::Object(config)) = request.get_mut("AdminCreateUserConfig") else {
        return Ok(());
    };
    match config.remove("UnusedAccountValidityDays") {
        Some(older) if older != newer => Err(not_exact(
            OLDER_DAYS,
            "it differs from Policies.PasswordPolicy.TemporaryPasswordValidityDays, and UpdateUserPool takes one number",
            "Set the days that a temporary password is valid again, then run the command again",
        )),
        _ => Ok(()),
    }
}

/// Whether a pool has the number of days under its newer name.
pub(crate) fn has_newer_days(pool: &Document) -> bool {
    newer_days(pool).is_some()
}

fn newer_days(pool: &Document) -> Option<&Value> {
    let policy = pool.get("Policies")?.get("PasswordPolicy")?;
    policy.get("TemporaryPasswordValidityDays")
}

/// Dynamic client registration is on where it is given without a status.
fn dynamic_registration(request: &Document) -> Result<(), PoolError> {
    match request.get("DcrConfiguration") {
        Some(registration) if !has(registration, "EnableStatus") => Err(not_exact(
            "DcrConfiguration",
            "it has no EnableStatus, and UpdateUserPool would switch dynamic client registration on",
            "Switch dynamic client registration on or off, then run the command again",
        )),
        _ => Ok(()),
    }
}

/// The default names, which every tier shows and the tier LITE does not take.
fn acr_levels(request: &mut Document) {
    let Some(Value::Object(levels)) = request.get("AcrConfiguration") else {
        return;
    };
    let is_default = levels.iter().all(|(level, config)| {
        let number = level.strip_prefix("Level").unwrap_or_default();
        let name = config.get("AcrValue").and_then(Value::as_str);
        name.and_then(|name| name.strip_prefix("urn:cognito:loa:")) == Some(number)
    });
    if is_default {
        request.remove("AcrConfiguration");
    }
}

/// AWS's own tags survive an update, and callers may not send them.
fn tags(request: &mut Document) {
    if let Some(Value::Object(tags)) = request.get_mut("UserPoolTags") {
        tags.retain(|name, _| !name.starts_with("aws:"));
    }
}

/// Whether a member is there with a value.
fn has(value: &Value, member: &str) -> bool {
    let member = value.get(member);
    member.is_some_and(|value| !value.is_null() && value != "")
}

fn not_exact(field: &str, why: &str, way_out: &str) -> PoolError {
    PoolError::NotExact {
        field: field.to_owned(),
        why: why.to_owned(),
        way_out: way_out.to_owned(),
    }
}
