//! Lambda functions: what may invoke them, and their answer to a test event. The only file
//! that uses Lambda's SDK.

use anyhow::{Context as _, anyhow};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::{DisplayErrorContext, ProvideErrorMetadata as _};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LogType;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use poolhook::aws::{self, SdkConfig};
use serde_json::Value;

use super::function::{FunctionArn, NotChecked};

/// The id of the statement that [`Functions::allow_pools`] adds to a resource policy.
const STATEMENT: &str = "poolhook-user-pools";
/// The code of a policy, a function or an alias that is not there.
const NOT_FOUND: Option<&str> = Some("ResourceNotFoundException");

/// The functions of an account in one Region.
pub(crate) struct Functions {
    client: Client,
}

/// A function's answer to an invocation.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The payload: what the function answered, or its error.
    pub(crate) payload: Vec<u8>,
    /// Whether the function failed.
    pub(crate) failed: bool,
    /// The last 4 KB of the log; empty if Lambda sent none.
    pub(crate) log: String,
}

impl Functions {
    pub(crate) fn new(shared: &SdkConfig, region: &str) -> Self {
        Self {
            client: Client::new(&aws::patient_config(shared, Some(region))),
        }
    }

    /// The resource policy of the function or, where the ARN has one, of its alias;
    /// `None` if it has none. A function that does not exist has no policy to check.
    pub(crate) async fn policy(&self, function: &FunctionArn) -> Result<Option<Value>, NotChecked> {
        let request = self.client.get_policy();
        let request = request.function_name(function.unqualified());
        let request = request.set_qualifier(function.alias().map(str::to_owned));
        let error = match request.send().await {
            Ok(answer) => {
                let policy = answer.policy().unwrap_or_default();
                let policy = serde_json::from_str(policy);
                return policy.map(Some).map_err(|error| {
                    NotChecked(format!("lambda:GetPolicy answered no policy: {error}"))
                });
            }
            Err(error) => error,
        };
        if error.code() != NOT_FOUND {
            return Err(NotChecked::of("lambda:GetPolicy", error.code(), &error));
        }
        // The same code for a function without a policy and for no function.
        if self.exists(function.as_str()).await? {
            return Ok(None);
        }
        Err(NotChecked(format!(
            "the function {function} does not exist"
        )))
    }

    /// Whether a function with this ARN exists, under its qualifier.
    pub(crate) async fn exists(&self, arn: &str) -> Result<bool, NotChecked> {
        Ok(self.configuration(arn).await?.is_some())
    }

    /// The ARN of the function's role; `None` if the function does not exist.
    pub(crate) async fn role(&self, function: &FunctionArn) -> Result<Option<String>, NotChecked> {
        self.configuration(function.as_str()).await
    }

    /// The role of the function with this ARN.
    async fn configuration(&self, arn: &str) -> Result<Option<String>, NotChecked> {
        let request = self.client.get_function_configuration();
        match request.function_name(arn).send().await {
            Ok(answer) => Ok(Some(answer.role.unwrap_or_default())),
            Err(error) if error.code() == NOT_FOUND => Ok(None),
            Err(error) => {
                let action = "lambda:GetFunctionConfiguration";
                Err(NotChecked::of(action, error.code(), &error))
            }
        }
    }

    /// Lets every user pool of `account` in the function's Region invoke the function or,
    /// where the ARN has one, its alias. A statement with the same id stays as it is, so look
    /// at the policy afterwards.
    pub(crate) async fn allow_pools(
        &self,
        function: &FunctionArn,
        account: &str,
    ) -> anyhow::Result<()> {
        let (partition, region) = (function.partition(), function.region());
        // One statement for each account that has pools.
        let statement = if account == function.account() {
            STATEMENT.to_owned()
        } else {
            format!("{STATEMENT}-{account}")
        };
        let request = self.client.add_permission();
        let answer = request
            .function_name(function.unqualified())
            .set_qualifier(function.alias().map(str::to_owned))
            .statement_id(statement)
            .action("lambda:InvokeFunction")
            .principal("cognito-idp.amazonaws.com")
            .source_arn(format!(
                "arn:{partition}:cognito-idp:{region}:{account}:userpool/*"
            ))
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(());
        };
        let code = aws::code_of(error.code(), &error);
        if code == "ResourceConflictException" {
            return Ok(());
        }
        if aws::denies_access(&code) {
            return Err(anyhow!(
                "access to the function {function} is denied ({code}). Allow lambda:AddPermission on it"
            ));
        }
        let reason = DisplayErrorContext(&error).to_string();
        let reason = error.message().map_or(reason, str::to_owned);
        Err(anyhow!(reason))
            .with_context(|| format!("the permission cannot be added to the function {function}"))
    }

    /// Invokes the function with `event`, and waits for its answer.
    pub(crate) async fn invoke(
        &self,
        function: &FunctionArn,
        event: &Value,
    ) -> Result<Answer, NotChecked> {
        let request = self.client.invoke().function_name(function.as_str());
        let request = request.payload(Blob::new(event.to_string()));
        let answer = request.log_type(LogType::Tail).send().await;
        let answer = answer
            .map_err(|error| NotChecked::of("lambda:InvokeFunction", error.code(), &error))?;
        let log = answer.log_result().unwrap_or_default();
        let log = BASE64.decode(log).unwrap_or_default();
        Ok(Answer {
            failed: answer.function_error().is_some(),
            log: String::from_utf8_lossy(&log).into_owned(),
            payload: answer.payload.map(Blob::into_inner).unwrap_or_default(),
        })
    }
}
