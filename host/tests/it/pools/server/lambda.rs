//! Lambda: functions, their qualifiers and their resource policies.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::http::{Answer, Http};
use super::{ACCOUNT, Document, REGION};

#[derive(Clone, Debug, Default)]
pub(crate) struct Function {
    qualifiers: BTreeSet<String>,
    /// The statements by qualifier; that of none is empty.
    policies: BTreeMap<String, Vec<Value>>,
}

impl Function {
    pub(crate) fn add_qualifier(&mut self, qualifier: &str) {
        self.qualifiers.insert(qualifier.to_owned());
    }

    /// Lets every pool of the account in this Region invoke the function.
    pub(crate) fn allow_pools(&mut self, qualifier: &str) {
        let pools = format!("arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/*");
        let statement = json!({
            "Sid": "Pools", "Effect": "Allow", "Action": "lambda:InvokeFunction",
            "Principal": { "Service": "cognito-idp.amazonaws.com" },
            "Condition": { "ArnLike": { "AWS:SourceArn": pools } },
        });
        let policy = self.policies.entry(qualifier.to_owned()).or_default();
        policy.push(statement);
    }

    pub(crate) fn statements(&self, qualifier: &str) -> Vec<Value> {
        self.policies.get(qualifier).cloned().unwrap_or_default()
    }
}

/// A function's ARN without its qualifier.
pub(crate) fn unqualified(arn: &str) -> &str {
    let qualifier = qualifier(arn);
    let arn = arn.strip_suffix(qualifier).unwrap();
    arn.strip_suffix(':').unwrap_or(arn)
}

/// The qualifier of a function's ARN; empty if it has none.
pub(crate) fn qualifier(arn: &str) -> &str {
    arn.split(':').nth(7).unwrap_or_default()
}

/// The action of a request.
pub(crate) fn action(http: &Http) -> &'static str {
    match (http.method.as_str(), http.path.rsplit('/').next()) {
        ("GET", Some("policy")) => "GetPolicy",
        ("POST", Some("policy")) => "AddPermission",
        ("GET", Some("configuration")) => "GetFunctionConfiguration",
        ("GET", _) => "GetFunction",
        _ => "Unknown",
    }
}

pub(crate) fn answer(
    functions: &mut BTreeMap<String, Function>,
    http: &Http,
    body: &Document,
) -> Answer {
    let name = http.path.split('/').nth(3).unwrap_or_default();
    let arn = match name.split(':').collect::<Vec<_>>()[..] {
        [name] => format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"),
        [name, qualifier] => {
            format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}:{qualifier}")
        }
        _ => name.to_owned(),
    };
    let given = http.query.get("Qualifier").map(String::as_str);
    let qualifier = given.unwrap_or(qualifier(&arn)).to_owned();
    let arn = unqualified(&arn);
    let Some(function) = functions.get_mut(arn) else {
        return not_found(&format!("Function not found: {arn}"));
    };
    if !qualifier.is_empty() && !function.qualifiers.contains(&qualifier) {
        return not_found(&format!("Function not found: {arn}:{qualifier}"));
    }
    match action(http) {
        "GetPolicy" => policy(function, arn, &qualifier),
        "AddPermission" => add_permission(function, &qualifier, body),
        "GetFunction" => Answer::json(&json!({ "Configuration": { "FunctionArn": arn } })),
        "GetFunctionConfiguration" => Answer::json(&json!({ "FunctionArn": arn })),
        _ => not_found("no such action"),
    }
}

fn policy(function: &Function, arn: &str, qualifier: &str) -> Answer {
    let statements = function.statements(qualifier);
    if statements.is_empty() {
        return not_found("The resource you requested does not exist.");
    }
    let resource = match qualifier {
        "" => arn.to_owned(),
        qualifier => format!("{arn}:{qualifier}"),
    };
    let statements = statements.into_iter().map(|mut statement| {
        statement["Resource"] = json!(resource);
        statement
    });
    let statements: Vec<_> = statements.collect();
    let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements });
    Answer::json(&json!({ "Policy": policy.to_string(), "RevisionId": "1" }))
}

fn add_permission(function: &mut Function, qualifier: &str, body: &Document) -> Answer {
    let policy = function.policies.entry(qualifier.to_owned()).or_default();
    let id = &body["StatementId"];
    if policy.iter().any(|statement| statement["Sid"] == *id) {
        let message = format!("The statement id ({id}) provided already exists.");
        let body = json!({ "Message": message, "Type": "User" });
        return Answer::error(409, "ResourceConflictException", &body);
    }
    let mut condition = Document::new();
    if let Some(arn) = body.get("SourceArn") {
        condition.insert("ArnLike".to_owned(), json!({ "AWS:SourceArn": arn }));
    }
    if let Some(account) = body.get("SourceAccount") {
        let account = json!({ "AWS:SourceAccount": account });
        condition.insert("StringEquals".to_owned(), account);
    }
    let statement = json!({
        "Sid": id, "Effect": "Allow", "Action": body["Action"],
        "Principal": { "Service": body["Principal"] }, "Condition": condition,
    });
    policy.push(statement.clone());
    let body = json!({ "Statement": statement.to_string() });
    Answer::of(201, "", body.to_string())
}

fn not_found(message: &str) -> Answer {
    let body = json!({ "Message": message, "Type": "User" });
    Answer::error(404, "ResourceNotFoundException", &body)
}

pub(crate) fn denied() -> Answer {
    let body = json!({ "Message": "User is not authorized to perform this action" });
    Answer::error(403, "AccessDeniedException", &body)
}
