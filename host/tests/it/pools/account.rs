//! An account of ministack: pools, functions, roles, tables and stacks that are made through
//! AWS's SDKs.

use std::fs;
use std::process::Stdio;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cognitoidentityprovider::types as cognito;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use serde_json::{Value, json};

use super::ran;
use crate::aws_fixtures::Ran;
use crate::servers::{self, Server};
use crate::stores::{create_table, table};
use crate::support::{TestFolder, block_on, tests};

pub(super) const REGION: &str = "us-east-1";

/// The bucket that the stack creates.
pub(super) const BUCKET: &str = "poolhook-bucket";

/// A zip archive without files.
const EMPTY_ZIP: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// ministack, and a folder to run `poolhook pools` in.
pub(super) struct Account {
    pub(super) ministack: Server,
    pub(super) folder: TestFolder,
}

impl Account {
    pub(super) fn start() -> Self {
        Self {
            ministack: servers::ministack(),
            folder: TestFolder::new(&[]),
        }
    }

    async fn config(&self) -> SdkConfig {
        aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(self.ministack.url())
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
            .load()
            .await
    }

    /// Makes a pool with the custom attributes `custom`, and a function at its trigger.
    pub(super) fn pool(&self, name: &str, custom: &[&str], function: Option<&str>) -> String {
        block_on(async {
            let client = aws_sdk_cognitoidentityprovider::Client::new(&self.config().await);
            let attribute = |name: &&str| {
                let attribute = cognito::SchemaAttributeType::builder().name(*name);
                let kind = cognito::AttributeDataType::String;
                attribute.attribute_data_type(kind).build()
            };
            let triggers = cognito::LambdaConfigType::builder();
            let triggers = triggers.set_post_confirmation(function.map(str::to_owned));
            let pool = client
                .create_user_pool()
                .pool_name(name)
                .set_schema(Some(custom.iter().map(attribute).collect()))
                .lambda_config(triggers.build());
            let pool = pool.send().await.unwrap().user_pool.unwrap();
            pool.id.unwrap()
        })
    }

    /// Makes a pool whose users sign in with their email address.
    pub(super) fn email_pool(&self, name: &str) -> String {
        block_on(async {
            let client = aws_sdk_cognitoidentityprovider::Client::new(&self.config().await);
            let pool = client.create_user_pool().pool_name(name);
            let pool = pool.username_attributes(cognito::UsernameAttributeType::Email);
            let pool = pool.send().await.unwrap().user_pool.unwrap();
            pool.id.unwrap()
        })
    }

    /// Makes a function whose role may put items into these tables; returns its ARN.
    pub(super) fn function(&self, name: &str, tables: &[&str]) -> String {
        block_on(async {
            let config = self.config().await;
            let iam = aws_sdk_iam::Client::new(&config);
            let role = iam.create_role().role_name(name);
            let trust = json!({ "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": { "Service": "lambda.amazonaws.com" },
            }]});
            let role = role.assume_role_policy_document(trust.to_string());
            let role = role.send().await.unwrap().role.unwrap().arn;
            if !tables.is_empty() {
                let tables = tables
                    .iter()
                    .map(|table| format!("arn:aws:dynamodb:{REGION}:000000000000:table/{table}"));
                let policy = json!({ "Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow", "Action": "dynamodb:PutItem",
                    "Resource": tables.collect::<Vec<_>>(),
                }]});
                let put = iam.put_role_policy().role_name(name);
                let put = put.policy_name("put-items");
                put.policy_document(policy.to_string())
                    .send()
                    .await
                    .unwrap();
            }
            let code = FunctionCode::builder().zip_file(Blob::new(EMPTY_ZIP));
            let function = aws_sdk_lambda::Client::new(&config)
                .create_function()
                .function_name(name)
                .role(role)
                .runtime(Runtime::Providedal2023)
                .handler("bootstrap")
                .code(code.build());
            let function = function.send().await.unwrap();
            function.function_arn.unwrap()
        })
    }

    /// Lets these pools invoke the function or, with a qualifier, its alias.
    pub(super) fn permit(&self, function: &str, pools: &str) {
        block_on(async {
            let permission = aws_sdk_lambda::Client::new(&self.config().await)
                .add_permission()
                .function_name(function)
                .statement_id("pools")
                .action("lambda:InvokeFunction")
                .principal("cognito-idp.amazonaws.com")
                .source_arn(pools);
            permission.send().await.unwrap();
        });
    }

    pub(super) fn table(&self, name: &str) {
        block_on(create_table(self.ministack.url(), &table(REGION, name)));
    }

    /// Makes the stack of poolhook's template with this table; returns its events if it fails.
    pub(super) fn stack(&self, name: &str, table: &str) -> Result<(), String> {
        self.stack_of(&native_template("{ ZipFile: '' }"), name, table)
    }

    /// Like [`Account::stack`], from the template that [`native_template`] returns.
    pub(super) fn stack_of(&self, template: &str, name: &str, table: &str) -> Result<(), String> {
        block_on(async {
            let client = aws_sdk_cloudformation::Client::new(&self.config().await);
            let parameter = |key: &str, value: String| {
                let parameter = aws_sdk_cloudformation::types::Parameter::builder();
                parameter.parameter_key(key).parameter_value(value).build()
            };
            let tables = format!("arn:aws:dynamodb:{REGION}:000000000000:table/{table}");
            client
                .create_stack()
                .stack_name(name)
                .template_body(template)
                .parameters(parameter("TableArns", tables))
                .parameters(parameter("BucketName", BUCKET.to_owned()))
                .send()
                .await
                .unwrap();
            for _ in 0..600 {
                let described = client.describe_stacks().stack_name(name).send().await;
                let described = described.unwrap();
                let status = described.stacks()[0].stack_status().unwrap().as_str();
                match status {
                    "CREATE_COMPLETE" => return Ok(()),
                    "CREATE_IN_PROGRESS" => {}
                    _ => {
                        let events = client.describe_stack_events().stack_name(name);
                        return Err(format!("{:#?}", events.send().await));
                    }
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            Err("the stack takes too long".to_owned())
        })
    }

    /// The output `FunctionArn` of a stack.
    pub(super) fn function_of(&self, stack: &str) -> String {
        block_on(async {
            let client = aws_sdk_cloudformation::Client::new(&self.config().await);
            let stacks = client.describe_stacks().stack_name(stack).send().await;
            let stacks = stacks.unwrap();
            let mut outputs = stacks.stacks()[0].outputs().iter();
            let output = outputs.find(|it| it.output_key() == Some("FunctionArn"));
            output.unwrap().output_value().unwrap().to_owned()
        })
    }

    /// Makes the default folder of dead letters.
    pub(super) fn no_dead_letters(&self) {
        fs::create_dir(self.folder.path().join("poolhook.blobs")).unwrap();
    }

    /// Writes a dead letter of a pool into the default folder.
    pub(super) fn dead_letter(&self, pool: &str) {
        let folder = self.folder.path().join("poolhook.blobs/dead-letters");
        let folder = folder.join(pool).join("2026-11-23");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{}.json", "0".repeat(64))), "{}").unwrap();
    }

    /// `poolhook pools` with these arguments.
    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[])
    }

    pub(super) fn run_with(&self, arguments: &[&str], env: &[(&str, &str)]) -> Ran {
        let mut command = self.folder.command(&["pools"]);
        command
            .args(arguments)
            .env("AWS_REGION", REGION)
            .env("AWS_ENDPOINT_URL", self.ministack.url())
            .envs(env.iter().copied())
            .stdin(Stdio::null());
        ran(command.output().unwrap())
    }
}

/// The template without SAM: ministack transforms it only with aws-sam-translator. The
/// functions are Lambda's own, without what SAM alone knows, and with this value of `Code`.
pub(super) fn native_template(code: &str) -> String {
    let template = fs::read_to_string(tests("../../template.yaml")).unwrap();
    let mut native = String::new();
    let mut is_of_sam = false;
    for line in template.lines() {
        let indent = line.len() - line.trim_start().len();
        if line.trim().is_empty() || indent <= 6 {
            let line = line.trim();
            is_of_sam = ["Events:", "EventInvokeConfig:", "CodeUri:"]
                .iter()
                .any(|key| indent == 6 && line.starts_with(key));
            if line.starts_with("CodeUri:") {
                native.extend(["      Code: ", code, "\n"]);
            }
        }
        if !is_of_sam && !line.starts_with("Transform:") {
            native.push_str(&line.replace("AWS::Serverless::Function", "AWS::Lambda::Function"));
            native.push('\n');
        }
    }
    native
}

/// The JSON objects of an output, one a line.
pub(super) fn objects(output: &str) -> Vec<Value> {
    let objects = output.lines().map(serde_json::from_str);
    objects.map(Result::unwrap).collect()
}
