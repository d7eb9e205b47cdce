//! The doctor's checks of a pool's trigger and of the function that serves it.

use poolhook::cognito::pools::Document;
use poolhook::config::Table;
use poolhook::event::UserPoolId;
use poolhook::text::shown;
use serde_json::Value;

use super::super::function::FunctionArn;
use super::super::permission::lets_pool_invoke;
use super::super::trigger::{POST_CONFIRMATION, Trigger};
use super::Doctor;
use super::finding::Finding;

/// The check of what is at the trigger.
const TRIGGER: &str = "trigger";
const PUT: &str = "dynamodb:PutItem";

impl Doctor {
    /// Checks what is at the pool's trigger. Returns the function to look at: the chosen one,
    /// or the one at the trigger.
    pub(super) fn trigger(
        &self,
        id: &UserPoolId,
        pool: &Document,
    ) -> (Option<FunctionArn>, Finding) {
        let there = POST_CONFIRMATION.function(pool);
        match &self.function {
            Some(function) => (Some(function.clone()), compared(id, there, function)),
            None => unchosen(id, there),
        }
    }

    /// Whether the function's role may put items into the pool's table.
    pub(super) async fn role(&self, function: &FunctionArn, table: &Table) -> Finding {
        const CHECK: &str = "role";
        let Some(region) = self.regions.get(function.region()) else {
            return Finding::not_checked(CHECK, "the function is in another Region");
        };
        let look = region.functions.role(function);
        let role = match self.functions_roles.get(function.as_str(), look).await {
            Ok(Some(role)) => role,
            Ok(None) => {
                let fix = format!("sam deploy --region {}", function.region());
                let text = format!("the function {function} does not exist");
                return Finding::wrong(CHECK, text, fix);
            }
            Err(not_checked) => return (CHECK, &not_checked).into(),
        };
        let arn = format!(
            "arn:{}:dynamodb:{}:{}:table/{}",
            function.partition(),
            table.region,
            function.account(),
            table.name
        );
        let look = self.roles.may(&role, PUT, &arn);
        let role = shown(&role);
        match self.rights.get(&format!("{role} {arn}"), look).await {
            Ok(true) => Finding::ok(CHECK, format!("{role} may put items into {}", table.name)),
            Ok(false) => {
                let text = format!(
                    "{role} may not put items into {}: it lacks {PUT}. The stack's parameter TableArns lists the tables",
                    table.name
                );
                let fix = format!("sam deploy --parameter-overrides TableArns={arn}");
                Finding::wrong(CHECK, text, fix)
            }
            Err(not_checked) => (CHECK, &not_checked).into(),
        }
    }

    /// Whether the function's resource policy lets the pool invoke it.
    pub(super) async fn permission(&self, function: &FunctionArn, pool: &Document) -> Finding {
        const CHECK: &str = "permission";
        let Some(region) = self.regions.get(function.region()) else {
            return Finding::not_checked(CHECK, "the function is in another Region");
        };
        let look = region.functions.policy(function);
        let policy = match self.policies.get(function.as_str(), look).await {
            Ok(policy) => policy,
            Err(not_checked) => return (CHECK, &not_checked).into(),
        };
        let arn = pool.get("Arn").and_then(Value::as_str).unwrap_or_default();
        if policy.is_some_and(|policy| lets_pool_invoke(&policy, arn)) {
            return Finding::ok(CHECK, format!("{function} lets the pool invoke it"));
        }
        // A pool of another account needs a permission of its own.
        let pools = arn.rsplit_once('/').map_or("", |(pools, _)| pools);
        let qualifier = function
            .alias()
            .map(|alias| format!(" --qualifier {alias}"));
        let fix = format!(
            "aws lambda add-permission --region {} --function-name {}{} --statement-id poolhook-user-pools --action lambda:InvokeFunction --principal cognito-idp.amazonaws.com --source-arn '{}/*'",
            function.region(),
            function.unqualified(),
            qualifier.unwrap_or_default(),
            shown(pools)
        );
        let text = format!("the resource policy of {function} does not let the pool invoke it");
        Finding::wrong(CHECK, text, fix)
    }
}

/// What is at the trigger, compared with the function that should be.
fn compared(id: &UserPoolId, there: Option<&str>, function: &FunctionArn) -> Finding {
    let Trigger(trigger) = POST_CONFIRMATION;
    if function.region() != id.region() {
        let text = format!(
            "the function is in {}, and the pool in {}: a pool invokes functions of its own Region only",
            function.region(),
            id.region()
        );
        return Finding::wrong(
            TRIGGER,
            text,
            format!("sam deploy --region {}", id.region()),
        );
    }
    let attach = format!("poolhook pools attach {id} --function {function}");
    match there {
        Some(arn) if arn == function.as_str() => {
            Finding::ok(TRIGGER, format!("{function} serves {trigger}"))
        }
        Some(arn) if function.is_function_of(arn) => {
            let arn = shown(arn);
            let text = format!(
                "{arn} serves {trigger}: the same function under another qualifier than {function}"
            );
            Finding::wrong(TRIGGER, text, attach)
        }
        Some(arn) => {
            let text = format!("another function serves {trigger}: {}", shown(arn));
            Finding::wrong(TRIGGER, text, format!("{attach} --replace"))
        }
        None => Finding::wrong(TRIGGER, format!("no function serves {trigger}"), attach),
    }
}

/// What is at the trigger, where no function was chosen.
fn unchosen(id: &UserPoolId, there: Option<&str>) -> (Option<FunctionArn>, Finding) {
    let Trigger(trigger) = POST_CONFIRMATION;
    let attach = format!("poolhook pools attach {id} --stack NAME");
    match there.map(|arn| (arn, arn.parse::<FunctionArn>())) {
        Some((_, Ok(function))) => {
            let text = format!(
                "{function} serves {trigger}; `--function` or `--stack` says whether it is poolhook"
            );
            (Some(function), Finding::ok(TRIGGER, text))
        }
        Some((arn, Err(rule))) => {
            let text = format!("{} serves {trigger}: {rule}", shown(arn));
            (None, Finding::wrong(TRIGGER, text, attach))
        }
        None => {
            let text = format!("no function serves {trigger}");
            (None, Finding::wrong(TRIGGER, text, attach))
        }
    }
}
