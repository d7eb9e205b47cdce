//! `UpdateUserPool`. What a request omits goes to its default, with two exceptions.
//!
//! Sources: [API]; the trackers of aws-cli (3302, 6484, 6698, 7151), aws-cdk (33282),
//! serverless (6499) and cdkd (1968, 1975, 1982, 2064).
//!
//! [API]: https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UpdateUserPool.html

use serde_json::{Value, json};

use super::super::Document;
use super::{Pool, Refused};

/// The fields of the answer that [`Pool::new`] has beside those it names.
pub(super) const ALWAYS_SHOWN: &[&str] = &[
    "AccountRecoverySetting",
    "AcrConfiguration",
    "AdminCreateUserConfig",
    "DeletionProtection",
    "EmailConfiguration",
    "IssuerConfiguration",
    "KeyConfiguration",
    "LambdaConfig",
    "UserPoolTier",
    "VerificationMessageTemplate",
];

/// The documented fields of the request, but for the verification messages, the name and the
/// pool's id.
pub(crate) const FIELDS: &[&str] = &[
    "AccountRecoverySetting",
    "AcrConfiguration",
    "AdminCreateUserConfig",
    "AutoVerifiedAttributes",
    "DcrConfiguration",
    "DeletionProtection",
    "DeviceConfiguration",
    "EmailConfiguration",
    "IssuerConfiguration",
    "KeyConfiguration",
    "LambdaConfig",
    "MfaConfiguration",
    "Policies",
    "SmsAuthenticationMessage",
    "SmsConfiguration",
    "UserAttributeUpdateSettings",
    "UserPoolAddOns",
    "UserPoolTags",
    "UserPoolTier",
];

/// A message's field in the request, and in its template.
const MESSAGES: [(&str, &str); 3] = [
    ("EmailVerificationMessage", "EmailMessage"),
    ("EmailVerificationSubject", "EmailSubject"),
    ("SmsVerificationMessage", "SmsMessage"),
];

/// What an omitted field of the answer becomes; `None` if the answer does not show it then.
pub(crate) fn default_of(field: &str) -> Option<Value> {
    Some(match field {
        "AccountRecoverySetting" => json!({ "RecoveryMechanisms": [
            { "Priority": 1, "Name": "verified_email" },
            { "Priority": 2, "Name": "verified_phone_number" },
        ] }),
        "AcrConfiguration" => {
            let level = |n: u8| json!({ "AcrValue": format!("urn:cognito:loa:{n}") });
            json!({ "Level1": level(1), "Level2": level(2),
                    "Level3": level(3), "Level4": level(4) })
        }
        "AdminCreateUserConfig" => {
            json!({ "AllowAdminCreateUserOnly": false, "UnusedAccountValidityDays": 7 })
        }
        "DcrConfiguration" => json!({ "EnableStatus": "Disabled" }),
        "DeletionProtection" => json!("INACTIVE"),
        "EmailConfiguration" => json!({ "EmailSendingAccount": "COGNITO_DEFAULT" }),
        "IssuerConfiguration" => json!({ "Type": "ORIGINAL" }),
        "KeyConfiguration" => json!({ "KeyType": "AWS_OWNED_KEY" }),
        "LambdaConfig" | "UserPoolTags" => json!({}),
        "UserPoolTier" => json!("ESSENTIALS"),
        "VerificationMessageTemplate" => json!({ "DefaultEmailOption": "CONFIRM_WITH_CODE" }),
        _ => return None,
    })
}

impl Pool {
    pub(crate) fn update(&mut self, request: &Document) -> Result<(), Refused> {
        let mut request = request.clone();
        request.retain(|_, value| !value.is_null());
        self.known_fields(&request)?;
        let mut next = self.described.clone();
        let further = self.further.iter().map(String::as_str);
        for field in FIELDS.iter().copied().chain(further) {
            match request.get(field) {
                Some(value) => next.insert(field.to_owned(), value.clone()),
                // These two survive.
                None if matches!(field, "MfaConfiguration" | "Policies") => None,
                None => match default_of(field).filter(|_| next.contains_key(field)) {
                    Some(default) => next.insert(field.to_owned(), default),
                    None => next.remove(field),
                },
            };
        }
        if let Some(name) = request.get("PoolName") {
            next.insert("Name".to_owned(), name.clone());
        }
        self.policies(&request, &mut next);
        days(&request, &mut next)?;
        messages(&request, &mut next)?;
        self.tags(&request, &mut next)?;
        lambda_config(&mut next)?;
        sending(&mut next)?;
        what_is_given(&mut next)?;
        tier(&request, &next)?;
        self.check_mfa_of_update(&next)?;
        self.described = next;
        self.sms_factor_follows();
        if self.described["MfaConfiguration"] == "OFF" {
            self.switch_mfa_off();
        }
        self.updates += 1;
        Ok(())
    }

    /// Fields of the answer that no request has, such as `Status`, are unknown, too.
    fn known_fields(&self, request: &Document) -> Result<(), Refused> {
        let is_known = |field: &str| {
            FIELDS.contains(&field)
                || MESSAGES.iter().any(|(message, _)| *message == field)
                || ["PoolName", "UserPoolId", "VerificationMessageTemplate"].contains(&field)
                || self.further.iter().any(|further| further == field)
        };
        match request.keys().find(|field| !is_known(field)) {
            Some(field) => Err(Refused::new(
                "SerializationException",
                format!("unknown field {field}"),
            )),
            None => Ok(()),
        }
    }

    /// Each policy survives on its own.
    fn policies(&self, request: &Document, next: &mut Document) {
        let given = request.get("Policies").and_then(Value::as_object);
        let mut policies = self.described["Policies"].clone();
        for (policy, value) in given.into_iter().flatten() {
            policies[policy] = value.clone();
        }
        next.insert("Policies".to_owned(), policies);
    }

    /// The tags of AWS are not the caller's.
    fn tags(&self, request: &Document, next: &mut Document) -> Result<(), Refused> {
        let is_of_aws = |tag: &str| tag.starts_with("aws:");
        let given = request.get("UserPoolTags").and_then(Value::as_object);
        if given.is_some_and(|tags| tags.keys().any(|tag| is_of_aws(tag))) {
            let message = "aws: prefixed tag key names are not allowed for external use.";
            return Err(Refused::new("InvalidParameterException", message));
        }
        let before = self
            .described
            .get("UserPoolTags")
            .and_then(Value::as_object);
        for (tag, value) in before.into_iter().flatten() {
            if is_of_aws(tag) {
                next["UserPoolTags"][tag] = value.clone();
            }
        }
        Ok(())
    }
}

/// The older name of the days may not be given beside the newer one.
fn days(request: &Document, next: &mut Document) -> Result<(), Refused> {
    if temporary_days(request).is_some() && unused_days(request).is_some() {
        return Err(Refused::parameter(
            "Please use TemporaryPasswordValidityDays in PasswordPolicy instead of UnusedAccountValidityDays",
        ));
    }
    mirror_days(next);
    Ok(())
}

/// The older name of the days shows the newer one's.
pub(super) fn mirror_days(pool: &mut Document) {
    let days = temporary_days(pool).or_else(|| unused_days(pool));
    if let Some(config) = pool.get_mut("AdminCreateUserConfig") {
        config["UnusedAccountValidityDays"] = days.unwrap_or(json!(7));
    }
}

fn temporary_days(of: &Document) -> Option<Value> {
    let policy = of.get("Policies")?.get("PasswordPolicy")?;
    policy.get("TemporaryPasswordValidityDays").cloned()
}

fn unused_days(of: &Document) -> Option<Value> {
    let config = of.get("AdminCreateUserConfig")?;
    config.get("UnusedAccountValidityDays").cloned()
}

/// Each message is shown twice, and may be given once.
fn messages(request: &Document, next: &mut Document) -> Result<(), Refused> {
    let given = request.get("VerificationMessageTemplate").cloned();
    let mut template = given.unwrap_or(json!({}));
    for (field, member) in MESSAGES {
        let Some(message) = request.get(field) else {
            continue;
        };
        if !template[member].is_null() {
            return Err(Refused::parameter(format!(
                "{field} and VerificationMessageTemplate.{member} can't be set together"
            )));
        }
        template[member] = message.clone();
    }
    if let Some(members) = template.as_object_mut() {
        members.retain(|_, value| !value.is_null());
        if members.contains_key("EmailMessage") && members.contains_key("EmailMessageByLink") {
            return Err(Refused::parameter(
                "EmailMessage and EmailMessageByLink can't be set together",
            ));
        }
        let option = members.entry("DefaultEmailOption");
        option.or_insert("CONFIRM_WITH_CODE".into());
    }
    for (field, member) in MESSAGES {
        match template.get(member) {
            Some(message) => next.insert(field.to_owned(), message.clone()),
            None => next.remove(field),
        };
    }
    next.insert("VerificationMessageTemplate".to_owned(), template);
    Ok(())
}

fn lambda_config(next: &mut Document) -> Result<(), Refused> {
    let config = &mut next["LambdaConfig"];
    let (arn, versioned) = (
        config["PreTokenGeneration"].clone(),
        config["PreTokenGenerationConfig"].clone(),
    );
    match (arn.is_null(), versioned.is_null()) {
        (false, false) if arn != versioned["LambdaArn"] => {
            return Err(Refused::parameter(
                "PreTokenGeneration and PreTokenGenerationConfig.LambdaArn must be the same",
            ));
        }
        (true, false) => config["PreTokenGeneration"] = versioned["LambdaArn"].clone(),
        (false, true) => {
            config["PreTokenGenerationConfig"] =
                json!({ "LambdaVersion": "V1_0", "LambdaArn": arn });
        }
        _ => {}
    }
    for sender in ["CustomSMSSender", "CustomEmailSender"] {
        let sender = config[sender].clone();
        let lacks = |member: &str| sender[member].is_null();
        if !sender.is_null() && (lacks("LambdaVersion") || lacks("LambdaArn")) {
            return Err(Refused::parameter(
                "LambdaVersion and LambdaArn are required",
            ));
        }
        if !sender.is_null() && config["KMSKeyID"].is_null() {
            return Err(Refused::parameter(
                "KMSKeyID is required for custom senders",
            ));
        }
    }
    Ok(())
}

/// How e-mail and SMS are sent.
fn sending(next: &mut Document) -> Result<(), Refused> {
    if let Some(email) = next.get_mut("EmailConfiguration") {
        if email.get("EmailSendingAccount").is_none() {
            email["EmailSendingAccount"] = "COGNITO_DEFAULT".into();
        }
        if email["EmailSendingAccount"] == "DEVELOPER" && email.get("SourceArn").is_none() {
            return Err(Refused::parameter("SourceArn is required for DEVELOPER"));
        }
    }
    if let Some(sms) = next.get("SmsConfiguration") {
        let arn = sms.get("SnsCallerArn").and_then(Value::as_str);
        if arn == Some("") || arn.is_none() && sms.get("EumsSms").is_none() {
            return Err(Refused::parameter(
                "SmsConfiguration needs a valid SnsCallerArn",
            ));
        }
    }
    Ok(())
}

/// What a value means beside others, or by being there.
fn what_is_given(next: &mut Document) -> Result<(), Refused> {
    if next.get("AutoVerifiedAttributes") == Some(&json!([])) {
        next.remove("AutoVerifiedAttributes");
    }
    let verified = next.get("AutoVerifiedAttributes").cloned();
    let verified = verified.as_ref().and_then(Value::as_array);
    let before_update = next.get("UserAttributeUpdateSettings");
    let before_update = before_update
        .and_then(|it| it.get("AttributesRequireVerificationBeforeUpdate"))
        .and_then(Value::as_array);
    for attribute in before_update.into_iter().flatten() {
        if !verified.is_some_and(|verified| verified.contains(attribute)) {
            return Err(Refused::parameter(format!(
                "{attribute} is to be verified before an update, but is not auto-verified"
            )));
        }
    }
    if let Some(Value::Object(device)) = next.get_mut("DeviceConfiguration") {
        for switch in [
            "ChallengeRequiredOnNewDevice",
            "DeviceOnlyRememberedOnUserPrompt",
        ] {
            device.entry(switch).or_insert(false.into());
        }
    }
    if let Some(Value::Object(registration)) = next.get_mut("DcrConfiguration") {
        registration
            .entry("EnableStatus")
            .or_insert("Enabled".into());
    }
    if let Some(Value::Object(key)) = next.get("KeyConfiguration")
        && key
            .get("KeyType")
            .is_some_and(|it| it == "CUSTOMER_MANAGED_KEY")
        && !key.contains_key("KmsKeyArn")
    {
        return Err(Refused::parameter("KmsKeyArn is required"));
    }
    if let (Some(Value::Object(levels)), Some(Value::Object(defaults))) = (
        next.get_mut("AcrConfiguration"),
        default_of("AcrConfiguration"),
    ) {
        for (level, name) in defaults {
            levels.entry(level).or_insert(name);
        }
    }
    Ok(())
}

fn tier(request: &Document, next: &Document) -> Result<(), Refused> {
    let tier = next["UserPoolTier"].as_str().unwrap_or_default();
    let refused = |feature: &str| {
        let message = format!("{feature} is not available in the tier {tier}");
        Err(Refused::new("FeatureUnavailableInTierException", message))
    };
    let mode = next.get("UserPoolAddOns");
    let mode = mode.and_then(|it| it.get("AdvancedSecurityMode"));
    if mode.is_some_and(|mode| mode != "OFF") && tier != "PLUS" {
        return refused("Threat protection");
    }
    for field in ["AcrConfiguration", "DcrConfiguration"] {
        if request.contains_key(field) && tier == "LITE" {
            return refused(field);
        }
    }
    let factors = &next["Policies"]["SignInPolicy"]["AllowedFirstAuthFactors"];
    if tier == "LITE" && !factors.is_null() && *factors != json!(["PASSWORD"]) {
        return refused("SignInPolicy");
    }
    Ok(())
}
