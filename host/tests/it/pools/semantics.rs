//! What the tests' own Cognito refuses, resets and leaves, as AWS does.

use serde_json::{Value, json};

use super::rich;
use super::server::Document;
use super::server::pool::Pool;

const POOL: &str = "eu-west-1_Ab12Cd34E";

/// The request that leaves the pool as it is, with these members instead; null leaves one out.
fn request(pool: &Pool, members: &Value) -> Document {
    let mut request = pool.settings();
    for read_only in ["Arn", "CreationDate", "Id", "Name", "SchemaAttributes"] {
        request[read_only] = Value::Null;
    }
    let config = request["AdminCreateUserConfig"].as_object_mut().unwrap();
    config.remove("UnusedAccountValidityDays");
    for (field, value) in members.as_object().unwrap() {
        request[field] = value.clone();
    }
    request.as_object().unwrap().clone()
}

#[test]
fn an_update_is_refused() {
    let function = "arn:aws:lambda:eu-west-1:123456789012:function:f";
    let sender = json!({ "LambdaVersion": "V1_0", "LambdaArn": function });
    let cases = [
        (
            json!({ "AdminCreateUserConfig": { "UnusedAccountValidityDays": 7 } }),
            "TemporaryPasswordValidityDays",
        ),
        (
            json!({ "LambdaConfig": {
                "PreTokenGeneration": function,
                "PreTokenGenerationConfig": { "LambdaVersion": "V2_0", "LambdaArn": "other" },
            } }),
            "PreTokenGenerationConfig",
        ),
        (
            json!({ "LambdaConfig": { "CustomSMSSender": sender } }),
            "KMSKeyID",
        ),
        (
            json!({ "LambdaConfig": { "CustomEmailSender": { "LambdaArn": function },
                                      "KMSKeyID": "key" } }),
            "LambdaVersion",
        ),
        (
            json!({ "SmsConfiguration": { "ExternalId": "id" } }),
            "SnsCallerArn",
        ),
        (
            json!({ "SmsConfiguration": { "SnsCallerArn": "" } }),
            "SnsCallerArn",
        ),
        (
            json!({ "VerificationMessageTemplate": { "EmailMessage": "a",
                                                     "EmailMessageByLink": "b" } }),
            "EmailMessageByLink",
        ),
        (
            json!({ "VerificationMessageTemplate": { "EmailMessage": "a" },
                    "EmailVerificationMessage": "a" }),
            "EmailVerificationMessage",
        ),
        (
            json!({ "UserAttributeUpdateSettings":
                    { "AttributesRequireVerificationBeforeUpdate": ["phone_number"] } }),
            "phone_number",
        ),
        (json!({ "UserPoolTags": { "aws:a": "b" } }), "aws:"),
        (
            json!({ "UserPoolTier": "LITE", "UserPoolAddOns": null }),
            "AcrConfiguration",
        ),
        (json!({ "UserPoolTier": "ESSENTIALS" }), "Threat protection"),
        (json!({ "UserPoolTier": null }), "Threat protection"),
        (
            json!({ "EmailConfiguration": { "EmailSendingAccount": "DEVELOPER" } }),
            "SourceArn",
        ),
        (json!({ "EmailConfiguration": null }), "DEVELOPER"),
        (
            json!({ "MfaConfiguration": "ON", "Policies": { "SignInPolicy": {
                "AllowedFirstAuthFactors": ["PASSWORD", "EMAIL_OTP"] } } }),
            "passwordless",
        ),
        (
            json!({ "KeyConfiguration": { "KeyType": "CUSTOMER_MANAGED_KEY" } }),
            "KmsKeyArn",
        ),
        (json!({ "Status": "Enabled" }), "Status"),
        (json!({ "SchemaAttributes": [] }), "SchemaAttributes"),
        (json!({ "FutureConfiguration": {} }), "FutureConfiguration"),
    ];
    for (members, word) in cases {
        let mut pool = rich(POOL);
        let refused = pool.update(&request(&pool, &members));
        let refused = format!("{:?}", refused.expect_err(&members.to_string()));
        assert!(refused.contains(word), "{members}: {refused}");
        let before = rich(POOL);
        assert_eq!(pool.settings(), before.settings(), "{members}");
        assert_eq!(pool.mfa(), before.mfa(), "{members}");
    }
    let mut pool = rich(POOL);
    pool.update(&request(&pool, &json!({}))).unwrap();
}

#[test]
fn mfa_needs_a_factor_and_off_has_none() {
    let token = json!({ "Enabled": true });
    let email = json!({ "Message": "{####}" });
    let passkey = json!({ "FactorConfiguration": "SINGLE_FACTOR" });
    let sms = json!({ "SmsConfiguration": { "SnsCallerArn": "arn" } });
    for (members, word) in [
        (
            json!({ "MfaConfiguration": "ON" }),
            "can't disable all MFAs",
        ),
        (
            json!({ "MfaConfiguration": "OPTIONAL" }),
            "can't disable all MFAs",
        ),
        (
            json!({ "MfaConfiguration": "ON", "WebAuthnConfiguration": passkey }),
            "can't disable all MFAs",
        ),
        (
            json!({ "MfaConfiguration": "OFF", "SoftwareTokenMfaConfiguration": token }),
            "can't turn off MFA",
        ),
        (
            json!({ "MfaConfiguration": "OFF", "EmailMfaConfiguration": email }),
            "can't turn off MFA",
        ),
        (
            json!({ "EmailMfaConfiguration": email }),
            "can't turn off MFA",
        ),
        (
            json!({ "MfaConfiguration": "ON", "SmsMfaConfiguration": sms }),
            "external id",
        ),
    ] {
        let mut pool = rich(POOL);
        let refused = pool.set_mfa(members.as_object().unwrap());
        let refused = format!("{:?}", refused.expect_err(&members.to_string()));
        assert!(refused.contains(word), "{members}: {refused}");
    }

    // UpdateUserPool switches MFA off, and does not switch it on.
    let mut pool = rich(POOL);
    pool.update(&request(&pool, &json!({ "MfaConfiguration": "OFF" })))
        .unwrap();
    assert_eq!(pool.mfa(), json!({ "MfaConfiguration": "OFF" }));
    for mode in ["ON", "OPTIONAL"] {
        let on = request(&pool, &json!({ "MfaConfiguration": mode }));
        pool.update(&on).expect_err(mode);
    }
    let mut on = Document::new();
    on.insert("MfaConfiguration".to_owned(), "ON".into());
    on.insert("SoftwareTokenMfaConfiguration".to_owned(), token);
    pool.set_mfa(&on).unwrap();
    assert_eq!(pool.settings()["MfaConfiguration"], "ON");
}

#[test]
fn what_is_omitted_is_reset_but_for_two() {
    let mut pool = rich(POOL);
    pool.set(
        "UserPoolTags",
        json!({ "aws:servicecatalog:a": "b", "team": "accounts" }),
    );
    let before = pool.settings();
    // MFA by e-mail would refuse the reset of the sender.
    pool.factors.remove("EmailMfaConfiguration");
    let mut request = Document::new();
    request.insert("UserPoolId".to_owned(), POOL.into());
    pool.update(&request).unwrap();
    let after = pool.settings();
    for survives in [
        "MfaConfiguration",
        "Policies",
        "Name",
        "Arn",
        "SchemaAttributes",
    ] {
        assert_eq!(after[survives], before[survives]);
    }
    for (field, value) in [
        ("LambdaConfig", json!({})),
        ("AutoVerifiedAttributes", Value::Null),
        ("DeviceConfiguration", Value::Null),
        ("UserPoolAddOns", Value::Null),
        ("DeletionProtection", json!("INACTIVE")),
        ("UserPoolTier", json!("ESSENTIALS")),
        (
            "EmailConfiguration",
            json!({ "EmailSendingAccount": "COGNITO_DEFAULT" }),
        ),
        ("UserPoolTags", json!({ "aws:servicecatalog:a": "b" })),
    ] {
        assert_ne!(before[field], value, "{field}");
        assert_eq!(after[field], value, "{field}");
    }
}

#[test]
fn some_values_mean_more_than_they_say() {
    let mut pool = rich(POOL);
    pool.set("UserPoolTier", "PLUS".into());
    let members = json!({
        "DeviceConfiguration": {}, "DcrConfiguration": { "OpenDcrEnabled": false },
        "SmsVerificationMessage": "{####}", "AcrConfiguration": { "Level1": { "AcrValue": "a" } },
        "Policies": { "PasswordPolicy": { "TemporaryPasswordValidityDays": 30 } },
    });
    pool.update(&request(&pool, &members)).unwrap();
    let after = pool.settings();
    let device = json!({
        "ChallengeRequiredOnNewDevice": false, "DeviceOnlyRememberedOnUserPrompt": false,
    });
    assert_eq!(after["DeviceConfiguration"], device);
    assert_eq!(after["DcrConfiguration"]["EnableStatus"], "Enabled");
    assert_eq!(after["VerificationMessageTemplate"]["SmsMessage"], "{####}");
    assert_eq!(
        after["AcrConfiguration"]["Level4"]["AcrValue"],
        "urn:cognito:loa:4"
    );
    assert_eq!(
        after["AdminCreateUserConfig"]["UnusedAccountValidityDays"],
        30
    );
    assert!(after["Policies"]["SignInPolicy"].is_object(), "it survives");
}
