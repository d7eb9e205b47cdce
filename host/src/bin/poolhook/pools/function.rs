//! The ARN of a Lambda function, with or without an alias.

use std::error::Error;
use std::fmt;
use std::iter::successors;
use std::str::FromStr;

use poolhook::aws;
use poolhook::text::shown;

/// A function's ARN: `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, with `:ALIAS` where it
/// has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FunctionArn {
    text: String,
    /// The text up to the name's end.
    function: usize,
}

impl FunctionArn {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The ARN without the alias.
    pub(crate) fn unqualified(&self) -> &str {
        self.text.get(..self.function).unwrap_or(&self.text)
    }

    /// The alias.
    pub(crate) fn alias(&self) -> Option<&str> {
        self.text.get(self.function + 1..)
    }

    pub(crate) fn partition(&self) -> &str {
        self.part(1)
    }

    pub(crate) fn region(&self) -> &str {
        self.part(3)
    }

    pub(crate) fn account(&self) -> &str {
        self.part(4)
    }

    pub(crate) fn name(&self) -> &str {
        self.part(6)
    }

    /// Whether `arn`, which a pool names, is this function under any qualifier or none.
    pub(crate) fn is_function_of(&self, arn: &str) -> bool {
        let rest = arn.strip_prefix(self.unqualified());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    }

    fn part(&self, index: usize) -> &str {
        self.text.split(':').nth(index).unwrap_or_default()
    }
}

impl fmt::Display for FunctionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for FunctionArn {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "must be a function's ARN, such as arn:aws:lambda:eu-west-1:123456789012:function:poolhook, with :ALIAS at the end if it has one";
        let parts: Vec<&str> = text.split(':').collect();
        let (name, qualifier) = match parts[..] {
            [
                "arn",
                partition,
                "lambda",
                region,
                account,
                "function",
                name,
            ] if partition.starts_with("aws") && is_region(region) && is_account(account) => {
                (name, None)
            }
            [
                "arn",
                partition,
                "lambda",
                region,
                account,
                "function",
                name,
                qualifier,
            ] if partition.starts_with("aws") && is_region(region) && is_account(account) => {
                (name, Some(qualifier))
            }
            _ => return Err(FORM),
        };
        let is_name = |text: &str| {
            let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            !text.is_empty() && text.bytes().all(is_allowed)
        };
        if !is_name(name) {
            return Err(FORM);
        }
        match qualifier {
            Some("$LATEST") => {
                return Err(
                    "$LATEST is a version, which changes with each deployment: use an alias's ARN, or the function's without a qualifier",
                );
            }
            Some(version) if !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()) => {
                return Err(
                    "a version's ARN would keep the pool on that version after a deployment: use an alias's ARN, or the function's without a qualifier",
                );
            }
            Some(alias) if !is_name(alias) => return Err(FORM),
            _ => {}
        }
        let function = qualifier.map_or(text.len(), |alias| text.len() - alias.len() - 1);
        Ok(Self {
            text: text.to_owned(),
            function,
        })
    }
}

fn is_region(text: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    text.contains('-') && text.bytes().all(is_allowed)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// A look that was not possible, and why. What depends on it is reported as not checked.
#[derive(Clone, Debug)]
pub(crate) struct NotChecked(pub(crate) String);

impl NotChecked {
    /// `action`, such as `lambda:GetPolicy`, failed; `code` is the service's error code.
    pub(crate) fn of(action: &str, code: Option<&str>, error: &(dyn Error + 'static)) -> Self {
        let code = aws::code_of(code, error);
        if aws::denies_access(&code) {
            return Self(format!("{action} is denied ({code})"));
        }
        // The SDK's outer errors say little.
        let cause = successors(Some(error), |error| (*error).source()).last();
        let cause = cause.map(ToString::to_string).unwrap_or_default();
        Self(format!("{action} failed: {}", shown(&cause)))
    }
}

impl fmt::Display for NotChecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not checked: {}", self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_known_under_every_qualifier() {
        let plain = "arn:aws:lambda:eu-west-1:123456789012:function:poolhook";
        let alias = format!("{plain}:live");
        for text in [plain, &alias] {
            let arn: FunctionArn = text.parse().unwrap();
            assert_eq!((arn.as_str(), arn.unqualified()), (text, plain));
            assert_eq!((arn.region(), arn.account()), ("eu-west-1", "123456789012"));
            assert_eq!((arn.partition(), arn.name()), ("aws", "poolhook"));
            for other in [
                plain,
                &alias,
                &format!("{plain}:$LATEST"),
                &format!("{plain}:7"),
            ] {
                assert!(arn.is_function_of(other), "{other}");
            }
            assert!(!arn.is_function_of(&format!("{plain}2")));
        }
        assert_eq!(alias.parse::<FunctionArn>().unwrap().alias(), Some("live"));
        assert_eq!(plain.parse::<FunctionArn>().unwrap().alias(), None);
    }

    #[test]
    fn versions_and_other_texts_are_refused() {
        let plain = "arn:aws:lambda:eu-west-1:123456789012:function:poolhook";
        for text in [
            "",
            "poolhook",
            &format!("{plain}:"),
            &format!("{plain}:7"),
            &format!("{plain}:$LATEST"),
            &format!("{plain}:live:7"),
            "arn:aws:lambda:eu-west-1:12345678901:function:poolhook",
            "arn:aws:s3:eu-west-1:123456789012:function:poolhook",
        ] {
            assert!(text.parse::<FunctionArn>().is_err(), "{text}");
        }
    }
}
