//! `poolhook pools check`.

use std::fs;
use std::time::Duration;

use poolhook::dead_letters::DEAD_LETTERS;
use poolhook::plugin::{ENGINE, TARGET};
use serde_json::{Value, json};

use super::account::{Account, REGION, objects};
use super::list::assert_paced;
use super::server::{self, Aws};
use super::{FUNCTION, OTHER_FUNCTION, POOL, Scene, rich};
use crate::aws_fixtures::Ran;
use crate::hostile::default_plugin;
use crate::servers;
use crate::stores::{create_table, table};
use crate::support::{TestFolder, block_on, event};

/// The outcome and the fix of each check of a pool, from the command's JSON.
struct Findings(Value);

impl Findings {
    fn of(ran: &Ran, pool: &str) -> Self {
        let pools = objects(&ran.stdout);
        let found = pools.into_iter().find(|it| it["userPoolId"] == pool);
        Self(found.unwrap_or_else(|| panic!("no {pool}: {}{}", ran.stdout, ran.stderr)))
    }

    fn all(&self) -> impl Iterator<Item = &Value> {
        self.0["findings"].as_array().unwrap().iter()
    }

    /// The checks with this outcome, in their order.
    fn with(&self, outcome: &str) -> Vec<&str> {
        let found = self.all().filter(|finding| finding["outcome"] == outcome);
        found
            .map(|finding| finding["check"].as_str().unwrap())
            .collect()
    }

    /// The message and the fix of the check.
    fn get(&self, check: &str) -> (&str, &str) {
        let mut all = self.all();
        let finding = all.find(|finding| finding["check"] == check);
        let finding = finding.unwrap_or_else(|| panic!("no {check}: {:#}", self.0));
        let text = |member: &str| finding[member].as_str().unwrap_or_default();
        (text("message"), text("fix"))
    }
}

/// The template's stack, a table and a pool: nothing is wrong.
#[test]
fn a_pool_with_nothing_wrong() {
    let account = Account::start();
    account
        .stack("poolhook", "User")
        .unwrap_or_else(|why| panic!("{why}"));
    account.table("User");
    let function = account.function_of("poolhook");
    let pool = account.pool("right", &["plan"], Some(&function));
    account.folder.configure(
        &pool,
        "table = 'User'\nplugin = 'fields'\n[settings.item]\nid = 'user.name'\nplan = \"user.attributes['custom:plan'] | optional\"\n",
    );
    account.no_dead_letters();

    let ran = account.run(&["check", "--stack", "poolhook", "--json"]);
    let findings = Findings::of(&ran, &pool);
    assert_eq!(
        findings.with("ok"),
        [
            "config",
            "plugin",
            "attributes",
            "users",
            "table",
            "trigger",
            "role",
            "permission",
            "dead letters"
        ],
        "{:#}",
        findings.0
    );
    ran.with(0);
    assert_eq!(findings.0["outcome"], "ok");
    let summary = objects(&ran.stdout).pop().unwrap();
    assert_eq!(
        summary["summary"],
        json!({ "pools": 1, "wrong": 0, "attached": 1 })
    );

    // For people, and what the deletion of the stack would do.
    let text = account
        .run(&["check", &pool, "--stack", "poolhook"])
        .with(0);
    assert!(
        text.contains("ok           table: User in us-east-1 has the keys"),
        "{text}"
    );
    assert!(
        text.contains("1 are attached: their sign-ups would fail if"),
        "{text}"
    );

    // A table that the stack's parameter does not list.
    account.table("Customer");
    account.folder.configure(&pool, "table = 'Customer'");
    let ran = account.run(&["check", "--stack", "poolhook", "--json"]);
    ran.with(1);
    let findings = Findings::of(&ran, &pool);
    assert_eq!(findings.with("wrong"), ["role"]);
    let (message, fix) = findings.get("role");
    assert!(message.contains("it lacks dynamodb:PutItem"), "{message}");
    assert!(
        fix.contains("TableArns=arn:aws:dynamodb:us-east-1:000000000000:table/Customer"),
        "{fix}"
    );
}

/// Each thing that can be wrong, and what fixes it.
#[test]
fn a_pool_with_everything_wrong() {
    let account = Account::start();
    let function = account.function("poolhook", &[]);
    let other = account.function("other", &[]);
    let pool = account.pool("wrong", &[], Some(&other));
    account.folder.configure(
        &pool,
        "table = 'User'\nplugin = 'fields'\n[settings.item]\nid = 'user.name'\nemail = 'user.attributes.email'\nplan = \"user.attributes['custom:plan'] | optional\"\n",
    );
    account.dead_letter(&pool);
    let ran = account.run(&["check", "--function", &function, "--json"]);
    ran.with(1);
    let findings = Findings::of(&ran, &pool);
    for (check, message, fix) in [
        (
            "attributes",
            "`settings.item.plan` names `custom:plan`, which the pool's schema does not have",
            "add-custom-attributes",
        ),
        (
            "users",
            "`settings.item.email` refuses a user with only sub: ",
            "poolhook config try",
        ),
        (
            "table",
            "the table User does not exist in us-east-1",
            "create-table",
        ),
        (
            "trigger",
            "another function serves PostConfirmation",
            "--replace",
        ),
        ("role", "may not put items into User", "TableArns="),
        (
            "permission",
            "does not let the pool invoke it",
            "add-permission",
        ),
        ("dead letters", "1 wait", "dead-letters replay"),
    ] {
        let (found, its_fix) = findings.get(check);
        assert!(found.contains(message), "{check}: {found}");
        assert!(its_fix.contains(fix), "{check}: {its_fix}");
    }
    assert_eq!(findings.with("wrong").len(), 7, "{:#}", findings.0);

    // The fixes are commands that work.
    account.permit(
        &function,
        &format!("arn:aws:cognito-idp:{REGION}:000000000000:userpool/*"),
    );
    account.table("User");
    let ran = account.run(&["check", "--function", &function, "--json"]);
    let findings = Findings::of(&ran, &pool);
    let ok = findings.with("ok");
    assert!(
        ok.contains(&"permission") && ok.contains(&"table"),
        "{ok:?}"
    );

    // IAM denies the look.
    let iam = Aws::start();
    iam.deny("SimulatePrincipalPolicy");
    let env = [("AWS_ENDPOINT_URL_IAM", iam.url.as_str())];
    let ran = account.run_with(&["check", "--function", &function, "--json"], &env);
    let findings = Findings::of(&ran, &pool);
    assert_eq!(findings.with("not checked"), ["role"], "{:#}", findings.0);
    let (why, _) = findings.get("role");
    assert_eq!(why, "iam:SimulatePrincipalPolicy is denied (AccessDenied)");
}

#[test]
fn a_required_sign_in_attribute_is_one_that_users_have() {
    let account = Account::start();
    let pool = account.email_pool("by email");
    account.folder.configure(
        &pool,
        "table = 'User'\nplugin = 'fields'\n[settings.item]\nid = 'user.name'\nemail = 'user.attributes.email'\n",
    );
    let ran = account.run(&["check", "--json"]);
    let findings = Findings::of(&ran, &pool);
    assert!(findings.with("ok").contains(&"users"), "{:#}", findings.0);

    // An expression that may leave its attribute out, which is the sort key.
    account.folder.configure(
        &pool,
        "table = 'User'\nplugin = 'fields'\n[key.sort]\nattribute = 'phone'\n[settings.item]\nid = 'user.name'\nphone = 'user.attributes.phone_number | optional'\n",
    );
    let ran = account.run(&["check", "--json"]);
    let findings = Findings::of(&ran, &pool);
    let (message, fix) = findings.get("users");
    let expected = "a user with only email, sub is refused: Item.KeyMissing: ";
    assert!(message.starts_with(expected), "{message}");
    assert!(fix.starts_with("poolhook config try"), "{fix}");
}

#[test]
fn other_qualifiers_absent_pools_and_configs() {
    let account = Account::start();
    let function = account.function("poolhook", &["User"]);
    let alias = format!("{function}:live");
    let pool = account.pool("qualified", &[], Some(&alias));
    account.folder.configure(&pool, "table = 'User'");
    let absent = format!("{REGION}_Gone00000");
    account
        .folder
        .configure(&absent, "table = 'Customer'\nplugin = 'acme'");
    let ran = account.run(&["check", "--function", &function, "--json"]);
    ran.with(1);
    let findings = Findings::of(&ran, &pool);
    let (message, fix) = findings.get("trigger");
    assert!(
        message.contains("the same function under another qualifier"),
        "{message}"
    );
    assert_eq!(
        fix,
        format!("poolhook pools attach {pool} --function {function}")
    );
    let findings = Findings::of(&ran, &absent);
    assert!(
        findings
            .get("pool")
            .0
            .contains("does not exist in this account")
    );
    assert!(
        findings.with("not checked").contains(&"plugin"),
        "{:#}",
        findings.0
    );

    // A pool without a config, named by the caller.
    let bare = account.pool("bare", &[], None);
    let ran = account.run(&["check", &bare, "--json"]);
    ran.with(1);
    let findings = Findings::of(&ran, &bare);
    let (_, fix) = findings.get("config");
    assert!(
        fix.starts_with(&format!("poolhook pools init {bare}")),
        "{fix}"
    );
    assert_eq!(findings.with("wrong"), ["config", "trigger"]);

    // Two pools that could write each other's rows.
    let twin = account.pool("twin", &[], Some(&function));
    account.folder.configure(&twin, "table = 'User'");
    let ran = account.run(&["check", &pool, &twin, "--json"]);
    ran.with(1);
    let (message, _) = {
        let findings = Findings::of(&ran, &twin);
        let (message, fix) = findings.get("config");
        (message.to_owned(), fix.to_owned())
    };
    assert!(message.contains("shared"), "{message}");
}

/// Published plugins, and those that are compiled for another version or processor.
#[test]
fn a_pool_with_a_published_plugin() {
    let account = Account::start();
    let folder = account.folder.path();
    let pool = account.pool("plugin", &[], None);
    account
        .folder
        .configure(&pool, "table = 'User'\nplugin = 'acme'");
    let check = || {
        let ran = account.run(&["check", "--json"]);
        let findings = Findings::of(&ran, &pool);
        let outcome = ["ok", "wrong", "not checked"]
            .into_iter()
            .find(|outcome| findings.with(outcome).contains(&"plugin"));
        let (message, fix) = findings.get("plugin");
        (outcome.unwrap(), message.to_owned(), fix.to_owned())
    };
    account.no_dead_letters();
    let (outcome, message, fix) = check();
    assert_eq!(outcome, "wrong", "{message}");
    assert!(
        fix.starts_with("poolhook plugin publish FILE.wasm --name acme"),
        "{fix}"
    );

    let component = default_plugin();
    let publish = [
        "plugin",
        "publish",
        component.to_str().unwrap(),
        "--name",
        "acme",
    ];
    let published = account.folder.poolhook(&publish);
    assert!(published.status.success(), "{published:?}");
    let (outcome, message, _) = check();
    assert_eq!(outcome, "ok", "{message}");
    assert!(
        message.contains("is live and compiled for this version"),
        "{message}"
    );

    let releases = fs::read_dir(folder.join("poolhook.blobs/releases/acme")).unwrap();
    let mut files = releases.map(|file| file.unwrap().path());
    let release = files.find(|file| !file.ends_with("live.json")).unwrap();
    let text = fs::read_to_string(&release).unwrap();
    for (from, to, expected) in [
        (
            format!("\"target\": \"{TARGET}\""),
            "\"target\": \"other\"",
            "not checked",
        ),
        (
            format!("\"engine\": \"{ENGINE}\""),
            "\"engine\": \"other\"",
            "wrong",
        ),
    ] {
        assert!(text.contains(&from), "{text}");
        fs::write(&release, text.replace(&from, to)).unwrap();
        let (outcome, message, fix) = check();
        assert_eq!(outcome, expected, "{message}");
        if outcome == "wrong" {
            assert_eq!(fix, "poolhook plugin rebuild --blobs poolhook.blobs");
        }
    }
}

/// In one command, with throttling, two broken ones among them.
#[test]
fn two_hundred_pools_are_checked() {
    let scene = Scene::new();
    let ids: Vec<_> = (0..200).map(|n| format!("eu-west-1_Many{n:05}")).collect();
    let config = "table = 'User'\nkey.equals = '{userPoolId}#{userName}'\nplugin = 'fields'\nsettings.item.id = \"user.pool_id ~ '#' ~ user.name\"\n";
    for id in &ids[1..] {
        let mut pool = rich(id);
        pool.set("LambdaConfig", json!({ "PostConfirmation": FUNCTION }));
        scene.add(pool);
        scene.folder.configure(id, config);
    }
    // The first has a config alone; another function serves the second.
    scene.folder.configure(&ids[0], config);
    scene.aws.change(&ids[1], |pool| {
        pool.set(
            "LambdaConfig",
            json!({ "PostConfirmation": OTHER_FUNCTION }),
        );
    });
    scene.aws.throttle_each(97);
    let dynamodb = servers::ministack();
    block_on(create_table(dynamodb.url(), &table(server::REGION, "User")));
    fs::create_dir(scene.folder.path().join("poolhook.blobs")).unwrap();

    let mut command = scene.command(&["check", "--function", FUNCTION, "--json"]);
    command.env("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.url());
    let ran = super::ran(command.output().unwrap());
    let text = ran.with(1);
    let pools = objects(&ran.stdout);
    assert_eq!(
        pools[200]["summary"],
        json!({ "pools": 200, "wrong": 2, "attached": 198 }),
        "{text}"
    );
    assert_eq!(Findings::of(&ran, &ids[0]).with("wrong"), ["pool"]);
    assert_eq!(Findings::of(&ran, &ids[1]).with("wrong"), ["trigger"]);
    let right = Findings::of(&ran, &ids[199]);
    assert_eq!(right.with("not checked"), ["role"], "{:#}", right.0);
    // What the pools share is looked at once.
    let policies = scene.aws.requests();
    let policies = policies.iter().filter(|it| it.action == "GetPolicy");
    assert_eq!(policies.count(), 1);
    assert_paced(&scene.aws);
}

/// What may not be looked at is not a finding that fails the check.
#[test]
fn what_is_denied_is_not_checked() {
    let scene = Scene::with_pool();
    for action in ["GetPolicy", "GetFunctionConfiguration"] {
        scene.aws.deny(action);
    }
    let mut command = scene.command(&["check", POOL, "--function", FUNCTION, "--json"]);
    // Nothing listens there.
    command.env("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9");
    let ran = super::ran(command.output().unwrap());
    let findings = Findings::of(&ran, POOL);
    let not_checked = findings.with("not checked");
    assert_eq!(
        not_checked,
        ["table", "role", "permission", "dead letters"],
        "{:#}",
        findings.0
    );
    let (why, _) = findings.get("permission");
    assert!(
        why.contains("lambda:GetPolicy is denied (AccessDeniedException)"),
        "{why}"
    );
    assert_eq!(findings.with("wrong"), ["trigger"]);
    ran.with(1);
}

/// The function answers the test event, and writes nothing.
#[test]
fn a_test_event() {
    let account = Account::start();
    account.table("User");
    let function = format!("arn:aws:lambda:{REGION}:000000000000:function:poolhook");
    let pool = account.pool("served", &[], Some(&function));
    account.folder.configure(&pool, "table = 'User'");
    let unknown = account.pool("unknown to the function", &[], Some(&function));

    let deployed = TestFolder::new(&[(&pool, "table = 'User'")]);
    let serve = deployed.serve(&[], &[]);
    let env = [("AWS_ENDPOINT_URL_LAMBDA", serve.url.as_str())];
    account.folder.configure(&unknown, "table = 'Customer'");
    let arguments = [
        "check",
        "--function",
        &function,
        "--send-test-event",
        "--json",
    ];
    let ran = account.run_with(&arguments, &env);
    ran.with(1);
    let findings = Findings::of(&ran, &pool);
    assert!(
        findings.with("ok").contains(&"test event"),
        "{:#}",
        findings.0
    );
    let (message, _) = findings.get("test event");
    assert!(message.contains("wrote nothing"), "{message}");
    let findings = Findings::of(&ran, &unknown);
    let (message, fix) = findings.get("test event");
    assert!(
        message.contains("the function answered Config.UnknownPool"),
        "{message}"
    );
    assert!(fix.contains("sam deploy"), "{fix}");
    assert!(
        serve.log().contains("\"skippedBy\":\"trigger source\""),
        "{}",
        serve.log()
    );
    assert_eq!(deployed.items("User").len(), 0);
    assert!(
        !deployed
            .path()
            .join("poolhook.blobs")
            .join(DEAD_LETTERS)
            .exists()
    );
}

/// Not even where the deployed config or plugin is broken.
#[test]
fn a_test_event_is_never_dead_lettered() {
    use poolhook::blobs::dir::Dir;
    use poolhook::dead_letters::DeadLetters;
    use std::sync::Arc;

    for (config, error) in [
        ("tabel = 'User'", "Config.Invalid"),
        ("table = 'User'\nplugin = 'acme'", "Config.UnknownPlugin"),
    ] {
        let folder = TestFolder::new(&[(crate::support::POOL, config)]);
        let blobs = folder.path().join("blobs");
        fs::create_dir(&blobs).unwrap();
        let letters = DeadLetters::new(Arc::new(Dir::open(blobs).unwrap()));
        let host = folder.host().with_dead_letters(letters.clone());
        let handle = |source: &str| {
            let mut raw: Value = serde_json::from_slice(&event("confirm-sign-up")).unwrap();
            raw["triggerSource"] = source.into();
            let raw = raw.to_string();
            block_on(host.handle(host.deliver(raw.as_bytes(), Duration::MAX)))
        };
        let waiting = || block_on(letters.list(None)).unwrap().len();
        let report = handle("poolhook_Test");
        assert_eq!(report.answer().unwrap_err().name(), error);
        assert_eq!(waiting(), 0);
        // A sign-up is.
        handle("PostConfirmation_ConfirmSignUp");
        assert_eq!(waiting(), 1);
    }
}
