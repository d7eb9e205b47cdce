//! The README's way to attach a pool, from an account without anything to a sign-up's row.

use std::fs;

use serde_json::{Value, json};

use super::account::{Account, BUCKET, REGION, native_template, objects};
use crate::servers::{self, CODE, PoolSeed};
use crate::stores::{items, table};
use crate::support::{block_on, http};

const STACK: &str = "poolhook";
const TABLE: &str = "Member";
/// The bucket that `sam deploy` uploads the functions' code to.
const CODE_BUCKET: &str = "sam-managed-bucket";
const CLIENT: &str = "client0of0member";
const OTHER_FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:sign-ins";

#[test]
fn from_an_empty_account_to_a_sign_ups_row() {
    let account = Account::start();
    account.table(TABLE);
    account.deploy();
    let pool = &account.pool_to_keep();

    let init = account.run(&["init", pool, "--table", TABLE]);
    assert!(
        init.with(0)
            .contains("aws s3 sync config s3://BUCKET/config")
    );
    let checked = account.folder.poolhook(&["config", "check"]);
    assert!(checked.status.success(), "{checked:?}");
    account.sync_config();

    let before = account.settings(pool);
    assert_eq!(
        before["pool"]["LambdaConfig"]["PostConfirmation"],
        json!(null)
    );
    let attach = ["attach", "--configured", "--stack", STACK, "--yes"];
    account.run(&attach).with(0);
    let after = account.settings(pool);
    let function = after["pool"]["LambdaConfig"]["PostConfirmation"].as_str();
    let function = function.unwrap_or_else(|| panic!("{after:#}"));
    assert_eq!(function, account.function_of(STACK));
    let mut expected = before.clone();
    expected["pool"]["LambdaConfig"]["PostConfirmation"] = function.into();
    assert_eq!(after, expected);
    account.says_that_it_is_attached(pool, function);

    account.sign_up_writes_its_row(pool, function);

    let detach = ["detach", pool, "--stack", STACK, "--yes"];
    account.run(&detach).with(0);
    assert_eq!(account.settings(pool), before);
}

impl Account {
    /// Makes the template's stack with `bootstrap` as its functions, as `sam deploy` does.
    fn deploy(&self) {
        let archive = self.folder.path().join("bootstrap.zip");
        servers::zip(
            env!("CARGO_BIN_EXE_bootstrap").as_ref(),
            "bootstrap",
            &archive,
        );
        self.put(CODE_BUCKET, b"");
        let key = format!("{CODE_BUCKET}/bootstrap.zip");
        self.put(&key, &fs::read(archive).unwrap());
        let code = format!("{{ S3Bucket: {CODE_BUCKET}, S3Key: bootstrap.zip }}");
        let template = native_template(&code);
        // A debug build starts slowly on a busy machine.
        let template = template.replace("Timeout: 5\n", "Timeout: 60\n");
        self.stack_of(&template, STACK, TABLE)
            .unwrap_or_else(|why| panic!("{why}"));
    }

    /// Makes a pool with another trigger and settings that are not the defaults. It has no
    /// MFA: ministack then describes a pool with a field that AWS's have not.
    fn pool_to_keep(&self) -> String {
        let settings = json!({
            "PoolName": "members",
            // ministack's default has days of its own; in AWS they are those of the policy.
            "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": false },
            "AutoVerifiedAttributes": ["email"],
            "DeletionProtection": "ACTIVE",
            "LambdaConfig": { "PostAuthentication": OTHER_FUNCTION },
            "Policies": { "PasswordPolicy": {
                "MinimumLength": 14, "RequireUppercase": true, "RequireLowercase": true,
                "RequireNumbers": true, "RequireSymbols": false,
                "TemporaryPasswordValidityDays": 3,
            }},
            "SmsConfiguration": {
                "SnsCallerArn": "arn:aws:iam::000000000000:role/sms", "ExternalId": "members",
            },
            "UserPoolTags": { "team": "accounts" },
        });
        let made = self.cognito("CreateUserPool", &settings);
        made["UserPool"]["Id"].as_str().unwrap().to_owned()
    }

    /// What `aws s3 sync config s3://BUCKET/config --exclude "*" --include "*.toml"` does.
    fn sync_config(&self) {
        for file in fs::read_dir(self.folder.config()).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_some_and(|it| it == "toml") {
                let name = file.file_name().unwrap().to_str().unwrap();
                let text = fs::read(&file).unwrap();
                self.put(&format!("{BUCKET}/config/{name}"), &text);
            }
        }
    }

    /// The pool and its MFA configuration, without the moving field that ministack has.
    fn settings(&self, pool: &str) -> Value {
        let id = json!({ "UserPoolId": pool });
        let mut described = self.cognito("DescribeUserPool", &id)["UserPool"].take();
        let fields = described.as_object_mut().unwrap();
        fields.remove("LastModifiedDate").unwrap();
        json!({ "pool": described, "mfa": self.cognito("GetUserPoolMfaConfig", &id) })
    }

    /// `pools check` and `pools list` find the function at the pool, and it answers.
    fn says_that_it_is_attached(&self, pool: &str, function: &str) {
        let blobs = format!("s3://{BUCKET}");
        let options = ["--stack", STACK, "--blobs", &blobs, "--json"];
        let check = self.run(&[&["check", "--send-test-event"], &options[..]].concat());
        let text = check.with(0);
        let checked = &objects(&check.stdout)[0];
        assert_eq!(checked["userPoolId"], pool, "{text}");
        let findings = checked["findings"].as_array().unwrap();
        assert!(
            findings.iter().any(|it| it["check"] == "test event"),
            "{text}"
        );
        for finding in findings {
            assert_eq!(finding["outcome"], "ok", "{finding:#}");
        }
        let list = self.run(&[&["list"], &options[..]].concat());
        let text = list.with(0);
        let listed = &objects(&list.stdout)[0];
        assert_eq!(listed["userPoolId"], pool, "{text}");
        let served = [&listed["servedBy"], &listed["functionArn"]];
        assert_eq!(served, ["this", function], "{text}");
    }

    /// Signs a user up, whose row is then the table's only one.
    ///
    /// ministack's Cognito fires no Post Confirmation trigger. cognito-local stands in, with
    /// the function that ministack's pool names.
    fn sign_up_writes_its_row(&self, pool: &str, function: &str) {
        let (_, name) = function.rsplit_once(':').unwrap();
        let seed = PoolSeed {
            id: pool,
            client_id: CLIENT,
        };
        let cognito = servers::cognito_local(self.ministack.url(), name, &[seed]);
        let (user, email) = ("hanako", "Hanako@Example.com");
        let rows = || block_on(items(self.ministack.url(), &table(REGION, TABLE)));
        let signed_up = cognito.sign_up(CLIENT, user, "Passw0rd!", email).unwrap();
        assert_eq!(rows(), [] as [Value; 0]);
        cognito.confirm_sign_up(CLIENT, user, CODE).unwrap();
        let row = json!({
            "id": { "S": user }, "email": { "S": email }, "sub": { "S": signed_up["UserSub"] },
        });
        assert_eq!(rows(), [row]);
    }

    /// A call of ministack's Cognito; the answer's raw JSON.
    fn cognito(&self, action: &str, body: &Value) -> Value {
        let request = http()
            .post(self.ministack.url())
            .content_type("application/x-amz-json-1.1")
            .header(
                "X-Amz-Target",
                format!("AWSCognitoIdentityProviderService.{action}"),
            );
        let mut response = request.send(body.to_string()).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        assert_eq!(response.status(), 200, "{action}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Writes an S3 object or, with a key without a slash, makes a bucket.
    fn put(&self, key: &str, bytes: &[u8]) {
        let url = format!("{}/{key}", self.ministack.url());
        let response = http().put(url).send(bytes).unwrap();
        assert_eq!(response.status(), 200, "{key}");
    }
}
