//! The settings of a pool, consistent with each other as Cognito's rules have it.
//!
//! The fields are [those][doc] of `DescribeUserPool`'s answer, and `DcrConfiguration`.
//!
//! [doc]: https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UserPoolType.html

use serde_json::{Value, json};

use super::super::server::pool::Pool;
use super::{CARRIED, Dice, object};

const ATTRIBUTES: [&str; 2] = ["email", "phone_number"];

pub(super) fn pool(id: &str, dice: &mut Dice) -> Pool {
    let mut pool = Pool::new(id);
    let tier = dice.pick(&["ESSENTIALS", "LITE", "PLUS"]);
    pool.set("UserPoolTier", tier.into());
    pool.set("Name", dice.text().into());
    read_only(&mut pool, dice);
    lambda_config(&mut pool, dice);
    verification(&mut pool, dice);
    sending(&mut pool, dice);
    mfa(&mut pool, dice, tier);
    policies(&mut pool, dice, tier);
    of_tier(&mut pool, dice, tier);
    others(&mut pool, dice);
    if dice.chance(3) {
        pool.further.push(CARRIED.to_owned());
        pool.set(CARRIED, dice.anything(3));
    }
    pool
}

/// What no update sets.
fn read_only(pool: &mut Pool, dice: &mut Dice) {
    if dice.chance(2) {
        pool.set("Status", "Enabled".into());
    }
    if dice.chance(2) {
        pool.set("Domain", dice.text().into());
        pool.set("CustomDomain", "auth.example.com".into());
    }
    match dice.below(3) {
        0 => pool.set(
            "AliasAttributes",
            json!(dice.some(&["email", "preferred_username"])),
        ),
        1 => pool.set("UsernameAttributes", json!(dice.some(&ATTRIBUTES))),
        _ => {}
    }
    if dice.chance(2) {
        let sensitive = json!({ "CaseSensitive": dice.chance(2) });
        pool.set("UsernameConfiguration", sensitive);
    }
    if dice.chance(3) {
        pool.set("SmsConfigurationFailure", "SNSSandbox".into());
    }
}

fn lambda_config(pool: &mut Pool, dice: &mut Dice) {
    let mut config = json!({});
    for trigger in dice.some(&[
        "CreateAuthChallenge",
        "CustomMessage",
        "DefineAuthChallenge",
        "PostAuthentication",
        "PreAuthentication",
        "PreSignUp",
        "UserMigration",
        "VerifyAuthChallengeResponse",
    ]) {
        config[trigger] = dice.arn("lambda", "function:trigger").into();
    }
    if dice.chance(2) {
        let arn = dice.arn("lambda", "function:tokens");
        config["PreTokenGeneration"] = arn.as_str().into();
        let version = dice.pick(&["V1_0", "V2_0", "V3_0", "V9_0"]);
        let mut versioned = json!({ "LambdaVersion": version, "LambdaArn": arn });
        dice.new_member(&mut versioned);
        config["PreTokenGenerationConfig"] = versioned;
    }
    for sender in dice.some(&["CustomSMSSender", "CustomEmailSender"]) {
        let arn = dice.arn("lambda", "function:sender");
        config[sender] = json!({ "LambdaVersion": "V1_0", "LambdaArn": arn });
        dice.new_member(&mut config[sender]);
        config["KMSKeyID"] = dice.arn("kms", "key/key").into();
    }
    if dice.chance(3) {
        let arn = dice.arn("lambda", "function:federation");
        config["InboundFederation"] = json!({ "LambdaVersion": "V1_0", "LambdaArn": arn });
    }
    dice.new_member(&mut config);
    pool.set("LambdaConfig", config);
}

fn verification(pool: &mut Pool, dice: &mut Dice) {
    let verified = dice.some(&ATTRIBUTES);
    if !verified.is_empty() {
        pool.set("AutoVerifiedAttributes", json!(verified));
    }
    if dice.chance(2) {
        let attributes = dice.some(&verified);
        let settings = json!({ "AttributesRequireVerificationBeforeUpdate": attributes });
        pool.set("UserAttributeUpdateSettings", settings);
    }
    let by_link = dice.chance(3);
    let option = if by_link {
        "CONFIRM_WITH_LINK"
    } else {
        "CONFIRM_WITH_CODE"
    };
    let mut template = json!({ "DefaultEmailOption": option });
    let messages: &[(&str, Option<&str>)] = if by_link {
        &[
            ("EmailMessageByLink", None),
            ("EmailSubjectByLink", None),
            ("EmailSubject", Some("EmailVerificationSubject")),
            ("SmsMessage", Some("SmsVerificationMessage")),
        ]
    } else {
        &[
            ("EmailMessage", Some("EmailVerificationMessage")),
            ("EmailSubjectByLink", None),
            ("EmailSubject", Some("EmailVerificationSubject")),
            ("SmsMessage", Some("SmsVerificationMessage")),
        ]
    };
    for (member, field) in messages {
        if dice.chance(2) {
            let text = Value::from(dice.text());
            template[*member] = text.clone();
            if let Some(field) = field {
                pool.set(field, text);
            }
        }
    }
    dice.new_member(&mut template);
    pool.set("VerificationMessageTemplate", template);
}

fn sending(pool: &mut Pool, dice: &mut Dice) {
    let text = |dice: &mut Dice| dice.chance(2).then(|| dice.text().into());
    let is_own = dice.chance(2);
    let account = if is_own {
        "DEVELOPER"
    } else {
        "COGNITO_DEFAULT"
    };
    let mut email = object([
        ("EmailSendingAccount", Some(account.into())),
        (
            "SourceArn",
            is_own.then(|| dice.arn("ses", "identity/example").into()),
        ),
        ("ReplyToEmailAddress", text(dice)),
        ("From", text(dice)),
        ("ConfigurationSet", text(dice)),
    ]);
    dice.new_member(&mut email);
    pool.set("EmailConfiguration", email);
    let eums = |dice: &mut Dice| {
        let mut eums = json!({ "CallerArn": dice.arn("iam", "role/eums") });
        dice.new_member(&mut eums);
        json!({ "EumsSms": eums })
    };
    let mut sms = match dice.below(4) {
        0 | 1 => return,
        2 => eums(dice),
        _ => object([
            ("SnsCallerArn", Some(dice.arn("iam", "role/sns").into())),
            ("ExternalId", Some(dice.text().into())),
            ("SnsRegion", text(dice)),
        ]),
    };
    dice.new_member(&mut sms);
    pool.set("SmsConfiguration", sms);
    if dice.chance(2) {
        pool.set("SmsAuthenticationMessage", dice.text().into());
    }
}

fn mfa(pool: &mut Pool, dice: &mut Dice, tier: &str) {
    let settings = pool.settings();
    let passkey = dice.chance(2).then(|| {
        let factor = dice.pick(&["SINGLE_FACTOR", "MULTI_FACTOR_WITH_USER_VERIFICATION"]);
        let mut passkey = object([
            (
                "RelyingPartyId",
                dice.chance(2).then(|| "auth.example.com".into()),
            ),
            (
                "UserVerification",
                Some(dice.pick(&["preferred", "required"]).into()),
            ),
            ("FactorConfiguration", dice.chance(2).then(|| factor.into())),
        ]);
        dice.new_member(&mut passkey);
        passkey
    });
    if let Some(passkey) = passkey {
        pool.factors
            .insert("WebAuthnConfiguration".to_owned(), passkey);
    }
    let mode = dice.pick(&["OFF", "OPTIONAL", "ON"]);
    if mode == "OFF" {
        return;
    }
    let sms = &settings["SmsConfiguration"];
    if !sms.is_null() && dice.chance(2) {
        let mut factor = json!({ "SmsConfiguration": sms });
        if let Some(message) = pool.described.get("SmsAuthenticationMessage") {
            factor["SmsAuthenticationMessage"] = message.clone();
        }
        pool.factors
            .insert("SmsMfaConfiguration".to_owned(), factor);
    }
    let is_own = settings["EmailConfiguration"]["EmailSendingAccount"] == "DEVELOPER";
    if is_own && tier != "LITE" && dice.chance(2) {
        let email = object([
            ("Message", dice.chance(2).then(|| dice.text().into())),
            ("Subject", dice.chance(2).then(|| dice.text().into())),
        ]);
        pool.factors
            .insert("EmailMfaConfiguration".to_owned(), email);
    }
    let none = ["SmsMfaConfiguration", "EmailMfaConfiguration"];
    let none = !none.iter().any(|factor| pool.factors.contains_key(*factor));
    let token = none || dice.chance(2);
    let token = json!({ "Enabled": token });
    pool.factors
        .insert("SoftwareTokenMfaConfiguration".to_owned(), token);
    pool.set("MfaConfiguration", mode.into());
}

fn policies(pool: &mut Pool, dice: &mut Dice, tier: &str) {
    let mut password = json!({
        "MinimumLength": 6 + dice.below(90), "RequireUppercase": dice.chance(2),
        "RequireLowercase": dice.chance(2), "RequireNumbers": dice.chance(2),
        "RequireSymbols": dice.chance(2),
    });
    if dice.chance(3) {
        password["PasswordHistorySize"] = json!(1 + dice.below(20));
    }
    let days = json!(1 + dice.below(365));
    let mut admin = json!({
        "AllowAdminCreateUserOnly": dice.chance(2), "UnusedAccountValidityDays": days,
    });
    // A pool from before 2019 has the older name alone.
    if !dice.chance(4) {
        password["TemporaryPasswordValidityDays"] = days;
    }
    if dice.chance(2) {
        let mut invitation = json!({});
        for member in dice.some(&["SMSMessage", "EmailMessage", "EmailSubject"]) {
            invitation[member] = dice.text().into();
        }
        dice.new_member(&mut invitation);
        admin["InviteMessageTemplate"] = invitation;
    }
    dice.new_member(&mut password);
    dice.new_member(&mut admin);
    let mut first = vec!["PASSWORD"];
    if tier != "LITE" {
        let mode = pool.described["MfaConfiguration"].clone();
        let passkey = pool.factors.get("WebAuthnConfiguration");
        let factor = passkey
            .and_then(|it| it.get("FactorConfiguration"))
            .cloned();
        let is_multi = factor == Some("MULTI_FACTOR_WITH_USER_VERIFICATION".into());
        first.extend(match (mode == "ON", is_multi) {
            (false, _) => dice.some(&["EMAIL_OTP", "SMS_OTP", "WEB_AUTHN"]),
            (true, true) => dice.some(&["WEB_AUTHN"]),
            (true, false) => Vec::new(),
        });
    }
    let mut policies = json!({ "PasswordPolicy": password });
    if tier != "LITE" || dice.chance(2) {
        policies["SignInPolicy"] = json!({ "AllowedFirstAuthFactors": first });
    }
    pool.set("Policies", policies);
    pool.set("AdminCreateUserConfig", admin);
}

/// What only some tiers have.
fn of_tier(pool: &mut Pool, dice: &mut Dice, tier: &str) {
    if tier == "PLUS" && dice.chance(2) {
        let mode = dice.pick(&["AUDIT", "ENFORCED", "OFF"]);
        let mut add_ons = json!({ "AdvancedSecurityMode": mode });
        if dice.chance(2) {
            let flows = json!({ "CustomAuthMode": dice.pick(&["AUDIT", "ENFORCED"]) });
            add_ons["AdvancedSecurityAdditionalFlows"] = flows;
        }
        dice.new_member(&mut add_ons);
        pool.set("UserPoolAddOns", add_ons);
    } else if dice.chance(3) {
        pool.set("UserPoolAddOns", json!({ "AdvancedSecurityMode": "OFF" }));
    }
    if tier == "LITE" {
        return;
    }
    if dice.chance(3) {
        let level = dice.pick(&["Level1", "Level2", "Level3", "Level4"]);
        let mut levels = pool.described["AcrConfiguration"].clone();
        levels[level]["AcrValue"] = format!("urn:example:{level}").into();
        pool.set("AcrConfiguration", levels);
    }
    if dice.chance(3) {
        let status = dice.pick(&["Enabled", "Disabled"]);
        let mut registration = json!({ "EnableStatus": status, "OpenDcrEnabled": dice.chance(2) });
        if dice.chance(2) {
            registration["AllowedScopes"] = json!(dice.some(&["a/read", "a/write"]));
            let grants = dice.some(&["client_credentials", "authorization_code"]);
            registration["AuthenticatedGrantTypes"] = json!(grants);
        }
        dice.new_member(&mut registration);
        pool.set("DcrConfiguration", registration);
    }
}

fn others(pool: &mut Pool, dice: &mut Dice) {
    let protection = dice.pick(&["INACTIVE", "ACTIVE"]);
    pool.set("DeletionProtection", protection.into());
    if dice.chance(2) {
        let device = json!({
            "ChallengeRequiredOnNewDevice": dice.chance(2),
            "DeviceOnlyRememberedOnUserPrompt": dice.chance(2),
        });
        pool.set("DeviceConfiguration", device);
    }
    match dice.below(4) {
        0 => {}
        // A pool from before there was the setting.
        1 => drop(pool.described.remove("AccountRecoverySetting")),
        2 => {
            let only = json!([{ "Priority": 1, "Name": "admin_only" }]);
            pool.set(
                "AccountRecoverySetting",
                json!({ "RecoveryMechanisms": only }),
            );
        }
        _ => {
            let phone = json!({ "Priority": 1, "Name": "verified_phone_number" });
            let email = json!({ "Priority": 2, "Name": "verified_email" });
            let both = json!({ "RecoveryMechanisms": [phone, email] });
            pool.set("AccountRecoverySetting", both);
        }
    }
    let mut tags = json!({});
    for tag in dice.some(&["team", "cost center", "awsome:tag", "環境"]) {
        tags[tag] = dice.text().into();
    }
    // AWS's own, which no caller may send, and which are not a stack's.
    if dice.chance(3) {
        tags["aws:servicecatalog:portfolioArn"] = dice.arn("catalog", "portfolio/p").into();
    }
    if dice.chance(4) && tags == json!({}) {
        pool.described.remove("UserPoolTags");
    } else {
        pool.set("UserPoolTags", tags);
    }
    match dice.below(4) {
        0 | 1 => {}
        2 => {
            let arn = dice.arn("kms", "key/k");
            let key = json!({ "KeyType": "CUSTOMER_MANAGED_KEY", "KmsKeyArn": arn });
            pool.set("KeyConfiguration", key);
        }
        _ => drop(pool.described.remove("KeyConfiguration")),
    }
    match dice.below(3) {
        0 => {}
        1 => pool.set("IssuerConfiguration", json!({ "Type": "UPDATED" })),
        _ => drop(pool.described.remove("IssuerConfiguration")),
    }
}
