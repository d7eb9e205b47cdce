//! A user pool: what Cognito says of it, and what each request makes of it.

mod mfa;
pub(crate) mod update;

use serde_json::{Value, json};

use super::fault::{self, Fault, Faults, Moment};
use super::http::Answer;
use super::{ACCOUNT, Document, REGION};

/// A pool in the form of the answers to `DescribeUserPool` and `GetUserPoolMfaConfig`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    /// The member `UserPool`, without what changes by itself.
    pub(crate) described: Document,
    /// The factors, without `MfaConfiguration`, which `described` has.
    pub(crate) factors: Document,
    /// Fields that `UpdateUserPool` takes, besides the documented ones.
    pub(crate) further: Vec<String>,
    pub(crate) faults: Faults,
    /// The number of updates.
    updates: u64,
    /// The number of descriptions.
    descriptions: u64,
}

/// Cognito's error.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    code: &'static str,
    message: String,
}

impl Refused {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            message: message.into(),
        }
    }

    /// The code that most refusals have.
    pub(super) fn parameter(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    pub(crate) fn answer(&self) -> Answer {
        let body = json!({ "__type": self.code, "message": self.message });
        Answer::error(self.status, self.code, &body)
    }
}

impl Pool {
    /// A pool with Cognito's defaults.
    pub(crate) fn new(id: &str) -> Self {
        let described = json!({
            "Id": id, "Name": format!("pool {id}"),
            "Arn": format!("arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{id}"),
            "CreationDate": 1_719_878_400.125, "MfaConfiguration": "OFF", "UserPoolTags": {},
            "SchemaAttributes": [{
                "Name": "sub", "AttributeDataType": "String", "DeveloperOnlyAttribute": false,
                "Mutable": false, "Required": true,
                "StringAttributeConstraints": { "MinLength": "1", "MaxLength": "2048" },
            }],
            "Policies": {
                "PasswordPolicy": {
                    "MinimumLength": 8, "RequireUppercase": true, "RequireLowercase": true,
                    "RequireNumbers": true, "RequireSymbols": true,
                    "TemporaryPasswordValidityDays": 7,
                },
                "SignInPolicy": { "AllowedFirstAuthFactors": ["PASSWORD"] },
            },
        });
        let Value::Object(mut described) = described else {
            unreachable!()
        };
        for field in update::ALWAYS_SHOWN {
            described.insert((*field).to_owned(), update::default_of(field).unwrap());
        }
        Self {
            described,
            ..Self::default()
        }
    }

    pub(crate) fn id(&self) -> String {
        self.described["Id"].as_str().unwrap().to_owned()
    }

    /// What `DescribeUserPool` answers, without the fields that change by themselves.
    pub(crate) fn settings(&self) -> Value {
        self.described.clone().into()
    }

    /// What `GetUserPoolMfaConfig` answers.
    pub(crate) fn mfa(&self) -> Value {
        let mut answer = self.factors.clone();
        let mode = self.described["MfaConfiguration"].clone();
        answer.insert("MfaConfiguration".to_owned(), mode);
        answer.into()
    }

    /// Sets a field of `described`.
    pub(crate) fn set(&mut self, field: &str, value: Value) {
        self.described.insert(field.to_owned(), value);
    }

    /// Sets a trigger.
    pub(crate) fn set_trigger(&mut self, trigger: &str, function: &str) {
        self.described["LambdaConfig"][trigger] = function.into();
    }

    pub(crate) fn answer(&mut self, action: &str, body: &Document, faults: &[Fault]) -> Answer {
        self.other_writers(faults, Moment::Before);
        if let Some(answer) = fault::before(faults) {
            return answer;
        }
        let done = match action {
            "DescribeUserPool" => Ok(self.describe()),
            "GetUserPoolMfaConfig" => Ok(self.mfa()),
            "ListTagsForResource" => Ok(json!({ "Tags": self.settings()["UserPoolTags"] })),
            "UpdateUserPool" => self.update(body).map(|()| json!({})),
            "SetUserPoolMfaConfig" => self.set_mfa(body).map(|()| self.mfa()),
            _ => Err(Refused::new("UnknownOperationException", action)),
        };
        let answer = match done {
            Ok(answer) => answer,
            Err(refused) => return refused.answer(),
        };
        for fault in faults {
            match fault {
                Fault::Lose(field) => self.lose(field),
                Fault::LoseField(field) => self.lose(&format!("/pool/{field}")),
                Fault::LoseMfa => self.switch_mfa_off(),
                _ => {}
            }
        }
        self.other_writers(faults, Moment::After);
        fault::after(faults).unwrap_or_else(|| Answer::json(&answer))
    }

    fn describe(&mut self) -> Value {
        self.descriptions += 1;
        let mut answer = self.settings();
        let modified = format!(
            "{}.{}",
            1_764_547_200 + self.updates,
            100 + self.updates % 900
        );
        answer["LastModifiedDate"] = serde_json::from_str(&modified).unwrap();
        answer["EstimatedNumberOfUsers"] = (self.descriptions * 7 % 31).into();
        // Comes and goes.
        if self.descriptions.is_multiple_of(3) {
            answer["EmailConfigurationFailure"] = "the address is not verified".into();
        }
        json!({ "UserPool": answer })
    }

    fn other_writers(&mut self, faults: &[Fault], when: Moment) {
        for fault in faults {
            if let Fault::Writer(moment, field, value) = fault
                && *moment == when
            {
                self.write(field, Some(value.clone()));
                self.updates += 1;
            }
        }
    }

    /// Resets a field: a nested one is removed.
    fn lose(&mut self, pointer: &str) {
        let field = pointer.trim_start_matches("/pool/");
        self.write(pointer, update::default_of(field));
        self.sms_factor_follows();
        update::mirror_days(&mut self.described);
    }

    /// Sets or removes the field at a JSON pointer.
    fn write(&mut self, pointer: &str, value: Option<Value>) {
        let (object, field) = pointer.rsplit_once('/').unwrap();
        let mut whole = json!({ "pool": self.described, "mfa": self.factors });
        let object = whole.pointer_mut(object).unwrap();
        match value {
            Some(value) => object[field] = value,
            None => {
                object.as_object_mut().unwrap().remove(field);
            }
        }
        self.described
            .clone_from(whole["pool"].as_object().unwrap());
        self.factors.clone_from(whole["mfa"].as_object().unwrap());
    }
}
