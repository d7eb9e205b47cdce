//! What manages a pool: a tool whose next deployment would undo a change by hand.

use poolhook::cognito::pools::Document;
use poolhook::event::UserPoolId;
use poolhook::text::shown;
use serde_json::Value;

use super::error::PoolError;
use super::function::{FunctionArn, NotChecked};
use super::stacks::{Owner, Stacks};
use super::trigger::Trigger;

/// Refuses a pool that a tool manages. What may not be looked up is returned.
pub(crate) async fn check(
    stacks: &Stacks,
    pool: &UserPoolId,
    described: &Document,
    trigger: Trigger,
    function: &FunctionArn,
) -> Result<Option<NotChecked>, PoolError> {
    // Amplify and the CDK deploy stacks, so their tags say more than the stack.
    by_tags(described, trigger, function)?;
    let (owner, not_checked) = match stacks.owner(pool).await {
        Ok(owner) => (owner, None),
        Err(not_checked) => (None, Some(not_checked)),
    };
    let tags = Tags::of(described);
    let tagged = || {
        tags.has("aws:cloudformation:").then(|| Owner {
            stack: tags
                .get("aws:cloudformation:stack-name")
                .unwrap_or("of its tags")
                .to_owned(),
            logical_id: tags
                .get("aws:cloudformation:logical-id")
                .unwrap_or("the pool")
                .to_owned(),
        })
    };
    match owner.or_else(tagged) {
        Some(owner) => Err(by_stack(&owner, trigger, function)),
        None => Ok(not_checked),
    }
}

/// A pool's tags.
struct Tags<'a>(Option<&'a Document>);

impl<'a> Tags<'a> {
    fn of(described: &'a Document) -> Self {
        Self(described.get("UserPoolTags").and_then(Value::as_object))
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0?.get(name)?.as_str()
    }

    /// Whether a tag's name begins so.
    fn has(&self, prefix: &str) -> bool {
        let mut names = self.0.into_iter().flat_map(Document::keys);
        names.any(|name| name.starts_with(prefix))
    }
}

/// Refuses a pool with the tags of a tool.
pub(super) fn by_tags(
    described: &Document,
    trigger: Trigger,
    function: &FunctionArn,
) -> Result<(), PoolError> {
    /// A convention, as Terraform sets no tag by itself.
    const MANAGED_BY: [&str; 4] = ["ManagedBy", "Managed-By", "managed-by", "managed_by"];
    let tags = Tags::of(described);
    let is_first_amplify =
        tags.get("user:Application").is_some() && tags.get("user:Stack").is_some();
    if tags.has("amplify:") || is_first_amplify {
        return Err(managed("Amplify", amplify(trigger, function)));
    }
    if tags.has("aws-cdk:") || tags.has("aws:cdk:") {
        return Err(managed("The CDK", cdk(trigger, function)));
    }
    let mut managers = MANAGED_BY.iter().filter_map(|name| tags.get(name));
    if managers.any(|manager| manager.to_ascii_lowercase().contains("terraform")) {
        return Err(managed("Terraform", terraform(trigger, function)));
    }
    Ok(())
}

/// The refusal of a stack's pool.
pub(super) fn by_stack(owner: &Owner, trigger: Trigger, function: &FunctionArn) -> PoolError {
    let Owner { stack, logical_id } = owner;
    let manager = format!("The CloudFormation stack {}", shown(stack));
    managed(&manager, cloudformation(logical_id, trigger, function))
}

fn managed(manager: &str, lines: String) -> PoolError {
    PoolError::Managed {
        manager: manager.to_owned(),
        lines,
    }
}

fn cloudformation(logical_id: &str, Trigger(trigger): Trigger, function: &FunctionArn) -> String {
    let logical_id = shown(logical_id);
    format!("LambdaConfig: {{ {trigger}: {function} }}, in the Properties of {logical_id}")
}

/// Sets this trigger alone, and adds no permission for the pool.
fn cdk(Trigger(trigger): Trigger, function: &FunctionArn) -> String {
    format!(
        "(pool.node.defaultChild as cognito.CfnUserPool).addPropertyOverride('LambdaConfig.{trigger}', '{function}')"
    )
}

fn terraform(Trigger(trigger): Trigger, function: &FunctionArn) -> String {
    let argument = words(trigger).join("_").to_lowercase();
    format!("lambda_config {{ {argument} = \"{function}\" }}, in the aws_cognito_user_pool")
}

fn amplify(Trigger(trigger): Trigger, function: &FunctionArn) -> String {
    format!(
        "backend.auth.resources.cfnResources.cfnUserPool.addPropertyOverride('LambdaConfig.{trigger}', '{function}'), in amplify/backend.ts"
    )
}

/// `PostConfirmation` has two.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for c in name.chars() {
        match words.last_mut() {
            Some(word) if !c.is_ascii_uppercase() => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    words
}
