//! Pools that no update leaves as they are.

use serde_json::{Value, json};

use super::super::server::pool::Pool;
use super::UNKNOWN;

/// Why no update leaves a pool as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strange {
    /// A field that poolhook has no rule for.
    UnknownField,
    /// An update takes one of the two.
    BothEmailMessages,
    /// An update takes one of the two, and sets both.
    TwoDifferentMessages,
    /// An update takes one of the two, and sets both.
    TwoDifferentDays,
    OtherPreTokenGeneration,
    SenderWithoutKey,
    SenderWithoutVersion,
    SmsWithoutCaller,
    UpdateOfUnverifiedAttribute,
    /// Such a value is on, whatever it was.
    DcrWithoutStatus,
}

impl Strange {
    pub(crate) fn all() -> &'static [Self] {
        &[
            Self::UnknownField,
            Self::BothEmailMessages,
            Self::TwoDifferentMessages,
            Self::TwoDifferentDays,
            Self::OtherPreTokenGeneration,
            Self::SenderWithoutKey,
            Self::SenderWithoutVersion,
            Self::SmsWithoutCaller,
            Self::UpdateOfUnverifiedAttribute,
            Self::DcrWithoutStatus,
        ]
    }

    /// A word that the refusal has.
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::UnknownField => UNKNOWN,
            Self::BothEmailMessages => "EmailMessageByLink",
            Self::TwoDifferentMessages => "EmailVerificationMessage",
            Self::TwoDifferentDays => "UnusedAccountValidityDays",
            Self::OtherPreTokenGeneration => "PreTokenGeneration",
            Self::SenderWithoutKey => "KMSKeyID",
            Self::SenderWithoutVersion => "CustomEmailSender",
            Self::SmsWithoutCaller => "SnsCallerArn",
            Self::UpdateOfUnverifiedAttribute => "UserAttributeUpdateSettings",
            Self::DcrWithoutStatus => "DcrConfiguration",
        }
    }

    pub(crate) fn make(self, pool: &mut Pool) {
        let mut set = |pointer: &str, value: Value| {
            let mut settings = pool.settings();
            *at(&mut settings, pointer) = value;
            pool.described.clone_from(settings.as_object().unwrap());
        };
        match self {
            Self::UnknownField => {
                set(UNKNOWN, json!({ "Mode": "NEW" }));
                pool.further.push(UNKNOWN.to_owned());
            }
            Self::BothEmailMessages => {
                set("VerificationMessageTemplate/EmailMessage", json!("a"));
                set("VerificationMessageTemplate/EmailMessageByLink", json!("b"));
                set("EmailVerificationMessage", json!("a"));
            }
            Self::TwoDifferentMessages => {
                set(
                    "VerificationMessageTemplate",
                    json!({ "EmailMessage": "a" }),
                );
                set("EmailVerificationMessage", json!("b"));
            }
            Self::TwoDifferentDays => {
                set("AdminCreateUserConfig/UnusedAccountValidityDays", json!(7));
                set(
                    "Policies/PasswordPolicy/TemporaryPasswordValidityDays",
                    json!(30),
                );
            }
            Self::OtherPreTokenGeneration => {
                let config = json!({ "LambdaVersion": "V2_0", "LambdaArn": "arn:aws:lambda:a" });
                set("LambdaConfig/PreTokenGenerationConfig", config);
                set("LambdaConfig/PreTokenGeneration", json!("arn:aws:lambda:b"));
            }
            Self::SenderWithoutKey => {
                let sender = json!({ "LambdaVersion": "V1_0", "LambdaArn": "arn:aws:lambda:a" });
                set("LambdaConfig", json!({ "CustomSMSSender": sender }));
            }
            Self::SenderWithoutVersion => {
                let sender = json!({ "LambdaArn": "arn:aws:lambda:a" });
                set("LambdaConfig/CustomEmailSender", sender);
                set("LambdaConfig/KMSKeyID", json!("arn:aws:kms:k"));
            }
            Self::SmsWithoutCaller => set("SmsConfiguration", json!({ "SnsCallerArn": "" })),
            Self::UpdateOfUnverifiedAttribute => {
                set("AutoVerifiedAttributes", json!(["email"]));
                let attributes = json!(["email", "phone_number"]);
                let settings = json!({ "AttributesRequireVerificationBeforeUpdate": attributes });
                set("UserAttributeUpdateSettings", settings);
            }
            Self::DcrWithoutStatus => {
                set("DcrConfiguration", json!({ "OpenDcrEnabled": false }));
                set("UserPoolTier", json!("ESSENTIALS"));
                set("UserPoolAddOns", json!({ "AdvancedSecurityMode": "OFF" }));
            }
        }
    }
}

/// A member, which is made.
fn at<'a>(settings: &'a mut Value, path: &str) -> &'a mut Value {
    path.split('/')
        .fold(settings, |object, member| &mut object[member])
}
