//! `poolhook pools` against Cognito, Lambda and CloudFormation of the tests' own, as the
//! emulators keep settings that AWS resets.

mod account;
mod attach;
mod check;
mod detach;
mod faults;
mod init;
mod interrupted;
mod journey;
mod list;
mod many;
mod random;
mod restore;
mod round_trips;
mod semantics;
mod server;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::aws_fixtures::Ran;
use crate::support::TestFolder;
use server::pool::Pool;
use server::{Aws, REGION};

/// poolhook's function.
const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:poolhook";
/// poolhook's function under its alias.
const ALIAS: &str = "arn:aws:lambda:eu-west-1:123456789012:function:poolhook:live";
const OTHER_FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:other";
/// The pool of tests that need only one.
const POOL: &str = "eu-west-1_Ab12Cd34E";

/// AWS, and a folder to run `poolhook pools` in.
struct Scene {
    aws: Aws,
    folder: TestFolder,
}

impl Scene {
    /// poolhook's function, without pools.
    fn new() -> Self {
        let aws = Aws::start();
        aws.add_function(FUNCTION);
        let folder = TestFolder::new(&[]);
        Self { aws, folder }
    }

    /// poolhook's function, and a pool with its config.
    fn with_pool() -> Self {
        let scene = Self::new();
        scene.add(rich(POOL));
        scene
    }

    /// Adds a pool with a config.
    fn add(&self, pool: Pool) {
        self.folder.configure(&pool.id(), "table = 'User'");
        self.aws.add(pool);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.folder.command(&["pools"]);
        command
            .args(arguments)
            .env("AWS_REGION", REGION)
            .env("AWS_ENDPOINT_URL", &self.aws.url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).output().unwrap())
    }

    /// `poolhook pools attach POOL --function FUNCTION --yes`.
    fn attach(&self, further: &[&str]) -> Ran {
        let attach = ["attach", POOL, "--function", FUNCTION, "--yes"];
        self.run(&[&attach, further].concat())
    }

    /// `poolhook pools detach POOL --function FUNCTION --yes`.
    fn detach(&self, further: &[&str]) -> Ran {
        let detach = ["detach", POOL, "--function", FUNCTION, "--yes"];
        self.run(&[&detach, further].concat())
    }

    /// The snapshots in the default folder, in their names' order.
    fn snapshots(&self) -> Vec<PathBuf> {
        let folder = self.folder.path().join("poolhook-snapshots");
        let Ok(files) = fs::read_dir(folder) else {
            return Vec::new();
        };
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }

    /// What the pool is with this function at its trigger, and nothing else changed.
    fn with_trigger(settings: &str, function: Option<&str>) -> String {
        let mut settings: Value = serde_json::from_str(settings).unwrap();
        let triggers = &mut settings["pool"]["LambdaConfig"];
        match function {
            Some(function) => triggers["PostConfirmation"] = function.into(),
            None => drop(triggers.as_object_mut().unwrap().remove("PostConfirmation")),
        }
        settings.to_string()
    }
}

fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ran {
    /// Both outputs; the exit code must be this one.
    fn with(&self, code: i32) -> String {
        let text = format!("{}\n{}", self.stdout, self.stderr);
        assert_eq!(self.code, code, "{text}");
        text
    }
}

/// A pool with MFA, and with settings that an update resets if it does not have them.
fn rich(id: &str) -> Pool {
    let mut pool = Pool::new(id);
    let function = |name: &str| format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}");
    let versioned = |name| json!({ "LambdaVersion": "V1_0", "LambdaArn": function(name) });
    for (field, value) in [
        ("UserPoolTier", json!("PLUS")),
        ("MfaConfiguration", json!("OPTIONAL")),
        ("AutoVerifiedAttributes", json!(["email"])),
        ("DeletionProtection", json!("ACTIVE")),
        ("UserPoolTags", json!({ "team": "accounts" })),
        (
            "UserPoolAddOns",
            json!({ "AdvancedSecurityMode": "ENFORCED" }),
        ),
        (
            "EmailConfiguration",
            json!({
                "EmailSendingAccount": "DEVELOPER", "From": "us@example.com",
                "SourceArn": "arn:aws:ses:eu-west-1:123456789012:identity/example.com",
            }),
        ),
        (
            "DeviceConfiguration",
            json!({
                "ChallengeRequiredOnNewDevice": true, "DeviceOnlyRememberedOnUserPrompt": false,
            }),
        ),
        (
            "LambdaConfig",
            json!({
                "PreSignUp": function("sign-up"), "KMSKeyID": "arn:aws:kms:eu-west-1:1:key/k",
                "CustomEmailSender": versioned("sender"),
                "InboundFederation": versioned("federation"),
            }),
        ),
    ] {
        pool.set(field, value);
    }
    for (factor, value) in [
        ("SoftwareTokenMfaConfiguration", json!({ "Enabled": true })),
        (
            "EmailMfaConfiguration",
            json!({ "Message": "{####}", "Subject": "Code" }),
        ),
    ] {
        pool.factors.insert(factor.to_owned(), value);
    }
    pool
}
