//! CloudFormation stacks. The only file that uses CloudFormation's SDK.

use anyhow::{Context as _, anyhow, bail};
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::{DisplayErrorContext, ProvideErrorMetadata as _};
use aws_sdk_cloudformation::types::{Stack, StackResource};
use poolhook::aws::{self, SdkConfig};
use poolhook::event::UserPoolId;
use poolhook::text::shown;

use super::function::{FunctionArn, NotChecked};

/// The code of a stack that is not there, and of a resource that is in no stack.
const NOT_THERE: &str = "ValidationError";
/// The output of poolhook's template that names the function.
const OUTPUT: &str = "FunctionArn";

/// The stacks of an account in one Region.
pub(crate) struct Stacks {
    client: Client,
}

/// The stack that created a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) stack: String,
    /// The pool's logical id in the stack's template.
    pub(crate) logical_id: String,
}

impl Stacks {
    /// The stacks in `region`; `None` for the environment's.
    pub(crate) fn new(shared: &SdkConfig, region: Option<&str>) -> Self {
        Self {
            client: Client::new(&aws::patient_config(shared, region)),
        }
    }

    /// The function of a stack of poolhook's template: its output `FunctionArn`.
    pub(crate) async fn function(&self, stack: &str) -> anyhow::Result<FunctionArn> {
        let name = shown(stack);
        let request = self.client.describe_stacks().stack_name(stack);
        let answer = request.send().await.map_err(|error| {
            let code = aws::code_of(error.code(), &error);
            let message = error.message().map(str::to_owned);
            match message {
                _ if aws::denies_access(&code) => anyhow!(
                    "access to the stack {name} is denied ({code}). Allow cloudformation:DescribeStacks on it, or pass --function ARN"
                ),
                Some(message) if code == NOT_THERE => anyhow!(
                    "CloudFormation finds no stack {name}: {}. Check its name and the Region, or pass --function ARN",
                    shown(&message)
                ),
                _ => anyhow!(DisplayErrorContext(&error).to_string())
                    .context(format!("the stack {name} cannot be described")),
            }
        })?;
        let outputs = answer.stacks().iter().flat_map(Stack::outputs);
        let mut outputs = outputs.filter(|output| output.output_key() == Some(OUTPUT));
        let Some(arn) = outputs.next().and_then(|output| output.output_value()) else {
            bail!(
                "the stack {name} has no output {OUTPUT}, as poolhook's template has. Pass --function ARN"
            );
        };
        let arn: Result<FunctionArn, _> = arn.parse().map_err(|rule: &str| anyhow!(rule));
        arn.with_context(|| format!("the output {OUTPUT} of the stack {name}"))
    }

    /// The stack that a pool belongs to; `None` if it belongs to none.
    pub(crate) async fn owner(&self, pool: &UserPoolId) -> Result<Option<Owner>, NotChecked> {
        let request = self.client.describe_stack_resources();
        let answer = request.physical_resource_id(pool.as_str()).send().await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.code() == Some(NOT_THERE) => return Ok(None),
            Err(error) => {
                let action = "cloudformation:DescribeStackResources";
                return Err(NotChecked::of(action, error.code(), &error));
            }
        };
        // The answer has all resources of the stack.
        let is_pool = |resource: &&StackResource| {
            resource.physical_resource_id() == Some(pool.as_str())
                && resource.resource_type() == Some("AWS::Cognito::UserPool")
        };
        Ok(answer.stack_resources().iter().find(is_pool).map(|pool| {
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            Owner {
                stack: text(pool.stack_name()),
                logical_id: text(pool.logical_resource_id()),
            }
        }))
    }
}
