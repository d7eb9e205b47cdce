//! `SetUserPoolMfaConfig`, and what `UpdateUserPool` says of MFA.
//!
//! Sources: [API]; aws-sdk-js 4186, cdkd 1923, floci 2831.
//!
//! [API]: https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_SetUserPoolMfaConfig.html

use serde_json::{Value, json};

use super::super::Document;
use super::{Pool, Refused};

const SMS: &str = "SmsMfaConfiguration";
const TOKEN: &str = "SoftwareTokenMfaConfiguration";
const EMAIL: &str = "EmailMfaConfiguration";
/// No factor of MFA, so that it is allowed where MFA is off.
const PASSKEY: &str = "WebAuthnConfiguration";

impl Pool {
    /// Replaces the MFA configuration.
    pub(crate) fn set_mfa(&mut self, request: &Document) -> Result<(), Refused> {
        let mut factors = request.clone();
        factors.retain(|_, value| !value.is_null());
        factors.remove("UserPoolId");
        let mode = factors.remove("MfaConfiguration");
        let mode = mode.unwrap_or("OFF".into());
        let is_known = |field: &String| [SMS, TOKEN, EMAIL, PASSKEY].contains(&field.as_str());
        if let Some(field) = factors.keys().find(|field| !is_known(field)) {
            let message = format!("unknown field {field}");
            return Err(Refused::new("SerializationException", message));
        }
        let sms = factors.get(SMS).cloned();
        if let Some(sms) = &sms {
            check_sms(sms)?;
        }
        match (mode.as_str(), has_factor(&factors)) {
            (Some("OFF"), true) => {
                return Err(Refused::parameter(
                    "Invalid MFA configuration given, can't turn off MFA and configure an MFA together.",
                ));
            }
            (Some("ON" | "OPTIONAL"), false) => {
                return Err(Refused::parameter(
                    "Invalid MFA configuration given, can't disable all MFAs with a required or optional configuration.",
                ));
            }
            (Some("OFF" | "ON" | "OPTIONAL"), _) => {}
            _ => return Err(Refused::parameter(format!("MfaConfiguration is {mode}"))),
        }
        let mut next = self.described.clone();
        next.insert("MfaConfiguration".to_owned(), mode);
        if let Some(sms) = sms {
            next.insert(
                "SmsConfiguration".to_owned(),
                sms["SmsConfiguration"].clone(),
            );
            if let Some(message) = sms.get("SmsAuthenticationMessage") {
                next.insert("SmsAuthenticationMessage".to_owned(), message.clone());
            }
        }
        check(&next, &factors)?;
        self.described = next;
        self.factors = factors;
        self.sms_factor_follows();
        self.updates += 1;
        Ok(())
    }

    /// Whether the pool may be as an update makes it, with the factors that it has.
    pub(super) fn check_mfa_of_update(&self, next: &Document) -> Result<(), Refused> {
        if next["MfaConfiguration"] == "OFF" {
            return Ok(());
        }
        let mut factors = self.factors.clone();
        if !next.contains_key("SmsConfiguration") {
            factors.remove(SMS);
        }
        if !has_factor(&factors) {
            return Err(Refused::parameter(
                "SMS configuration and Auto verification for phone_number are required when MFA is required/optional",
            ));
        }
        check(next, &factors)
    }

    pub(super) fn switch_mfa_off(&mut self) {
        self.set("MfaConfiguration", "OFF".into());
        self.factors.retain(|factor, _| factor == PASSKEY);
    }

    /// The SMS factor shows the pool's SMS settings, and goes with them.
    pub(super) fn sms_factor_follows(&mut self) {
        if !self.factors.contains_key(SMS) {
            return;
        }
        let Some(configuration) = self.described.get("SmsConfiguration") else {
            self.factors.remove(SMS);
            return;
        };
        let mut factor = json!({ "SmsConfiguration": configuration });
        if let Some(message) = self.described.get("SmsAuthenticationMessage") {
            factor["SmsAuthenticationMessage"] = message.clone();
        }
        self.factors.insert(SMS.to_owned(), factor);
    }
}

fn has_factor(factors: &Document) -> bool {
    let token = factors.get(TOKEN).and_then(|token| token.get("Enabled"));
    factors.contains_key(SMS) || factors.contains_key(EMAIL) || token == Some(&json!(true))
}

fn check_sms(sms: &Value) -> Result<(), Refused> {
    let member = |name: &str| sms.get("SmsConfiguration")?.get(name)?.as_str();
    let is_set = |name: &str| member(name).is_some_and(|text| !text.is_empty());
    let is_eums = sms.pointer("/SmsConfiguration/EumsSms").is_some();
    let has_caller = is_set("SnsCallerArn") && is_set("ExternalId");
    if !is_eums && !has_caller {
        return Err(Refused::parameter(
            "Invalid SMS MFA configuration given, external id and a valid caller arn are required",
        ));
    }
    Ok(())
}

/// What MFA asks of the other settings.
fn check(pool: &Document, factors: &Document) -> Result<(), Refused> {
    let sender = &pool["EmailConfiguration"]["EmailSendingAccount"];
    if factors.contains_key(EMAIL) && *sender != "DEVELOPER" {
        return Err(Refused::parameter(
            "Email MFA needs EmailSendingAccount=DEVELOPER",
        ));
    }
    if factors.contains_key(EMAIL) && pool["UserPoolTier"] == "LITE" {
        let message = "Email MFA is not available in the tier LITE";
        return Err(Refused::new("FeatureUnavailableInTierException", message));
    }
    let first = &pool["Policies"]["SignInPolicy"]["AllowedFirstAuthFactors"];
    let first = first.as_array().map(Vec::as_slice).unwrap_or_default();
    let is_multi = factors.get(PASSKEY).is_some_and(|passkey| {
        passkey["FactorConfiguration"] == "MULTI_FACTOR_WITH_USER_VERIFICATION"
    });
    let is_allowed = |factor: &Value| match factor.as_str() {
        Some("EMAIL_OTP" | "SMS_OTP") => false,
        Some("WEB_AUTHN") => is_multi,
        _ => true,
    };
    if pool["MfaConfiguration"] == "ON" && !first.iter().all(is_allowed) {
        return Err(Refused::parameter(
            "MFA can't be required beside passwordless first factors",
        ));
    }
    Ok(())
}
