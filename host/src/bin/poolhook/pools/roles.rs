//! What a role may do. The only file that uses IAM's SDK.

use aws_sdk_iam::Client;
use aws_sdk_iam::error::ProvideErrorMetadata as _;
use aws_sdk_iam::types::PolicyEvaluationDecisionType;
use poolhook::aws::{self, SdkConfig};

use super::function::NotChecked;

/// The roles of an account.
pub(crate) struct Roles {
    client: Client,
}

impl Roles {
    /// The roles are the same in each Region; `None` is the environment's.
    pub(crate) fn new(shared: &SdkConfig, region: Option<&str>) -> Self {
        Self {
            client: Client::new(&aws::patient_config(shared, region)),
        }
    }

    /// Whether the role with this ARN may do `action`, such as `dynamodb:PutItem`, on a
    /// resource. IAM's simulation knows the policies of the role and of its boundary, and the
    /// organization's; a policy of the resource's own is not in it.
    pub(crate) async fn may(
        &self,
        role: &str,
        action: &str,
        resource: &str,
    ) -> Result<bool, NotChecked> {
        let request = self.client.simulate_principal_policy();
        let answer = request
            .policy_source_arn(role)
            .action_names(action)
            .resource_arns(resource)
            .send()
            .await;
        let answer = answer
            .map_err(|error| NotChecked::of("iam:SimulatePrincipalPolicy", error.code(), &error))?;
        let mut results = answer.evaluation_results().iter();
        let result = results.next().ok_or_else(|| {
            NotChecked("iam:SimulatePrincipalPolicy answered without a result".to_owned())
        })?;
        Ok(*result.eval_decision() == PolicyEvaluationDecisionType::Allowed)
    }
}
