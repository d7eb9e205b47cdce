//! CloudFormation's Query API: whose a pool is, and a stack's output.

use std::collections::BTreeMap;

use serde_json::Value;

use super::http::Answer;
use super::{ACCOUNT, Document, REGION};

#[derive(Clone, Debug, Default)]
pub(crate) struct Stacks {
    /// A pool's stack, and its logical id there.
    pools: BTreeMap<String, (String, String)>,
    /// A stack's output `FunctionArn`.
    functions: BTreeMap<String, String>,
}

impl Stacks {
    pub(crate) fn add(&mut self, pool: &str, stack: &str, logical_id: &str) {
        let of_pool = (stack.to_owned(), logical_id.to_owned());
        self.pools.insert(pool.to_owned(), of_pool);
    }

    pub(crate) fn add_function(&mut self, stack: &str, arn: &str) {
        self.functions.insert(stack.to_owned(), arn.to_owned());
    }

    pub(crate) fn answer(&self, action: &str, body: &Document) -> Answer {
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        match action {
            "DescribeStackResources" => self.resources(text("PhysicalResourceId")),
            "DescribeStacks" => self.stack(text("StackName")),
            _ => error("InvalidAction", "no such action"),
        }
    }

    fn resources(&self, pool: &str) -> Answer {
        let Some((stack, logical_id)) = self.pools.get(pool) else {
            return error(
                "ValidationError",
                &format!("Stack for {pool} does not exist"),
            );
        };
        let member = format!(
            "<member><StackId>{}</StackId><StackName>{stack}</StackName>\
             <LogicalResourceId>{logical_id}</LogicalResourceId>\
             <PhysicalResourceId>{pool}</PhysicalResourceId>\
             <ResourceType>AWS::Cognito::UserPool</ResourceType>\
             <ResourceStatus>CREATE_COMPLETE</ResourceStatus>\
             <Timestamp>2026-01-01T00:00:00Z</Timestamp></member>",
            stack_id(stack)
        );
        let result = format!("<StackResources>{member}</StackResources>");
        success("DescribeStackResources", &result)
    }

    fn stack(&self, stack: &str) -> Answer {
        let Some(function) = self.functions.get(stack) else {
            let message = format!("Stack with id {stack} does not exist");
            return error("ValidationError", &message);
        };
        let output = format!(
            "<member><OutputKey>FunctionArn</OutputKey><OutputValue>{function}</OutputValue></member>"
        );
        let member = format!(
            "<member><StackId>{}</StackId><StackName>{stack}</StackName>\
             <CreationTime>2026-01-01T00:00:00Z</CreationTime>\
             <StackStatus>CREATE_COMPLETE</StackStatus><Outputs>{output}</Outputs></member>",
            stack_id(stack)
        );
        success("DescribeStacks", &format!("<Stacks>{member}</Stacks>"))
    }
}

fn stack_id(stack: &str) -> String {
    format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack}/1")
}

const XMLNS: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";

fn success(action: &str, result: &str) -> Answer {
    let body = format!(
        "<{action}Response xmlns=\"{XMLNS}\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{action}Response>"
    );
    Answer::of(200, "", body)
}

fn error(code: &str, message: &str) -> Answer {
    failure(400, code, message)
}

fn failure(status: u16, code: &str, message: &str) -> Answer {
    let body = format!(
        "<ErrorResponse xmlns=\"{XMLNS}\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    );
    Answer::of(status, "", body)
}

pub(crate) fn denied() -> Answer {
    failure(403, "AccessDenied", "not authorized to perform this action")
}
