//! `poolhook pools list`.

use std::time::Duration;

use serde_json::{Value, json};

use super::account::{Account, REGION, objects};
use super::server::Aws;
use super::server::fault::Fault;
use super::{ALIAS, FUNCTION, OTHER_FUNCTION, POOL, Scene, rich};

#[test]
fn a_list_of_an_account() {
    let account = Account::start();
    let function = account.function("poolhook", &["User"]);
    let other = account.function("other", &[]);
    let alias = format!("{function}:live");
    let right = account.pool("right", &[], Some(&function));
    let qualified = account.pool("qualified", &[], Some(&alias));
    let wrong = account.pool("wrong", &[], Some(&other));
    let none = account.pool("名前", &[], None);
    account.folder.configure(&right, "table = 'User'");
    account.folder.configure(&wrong, "tabel = 'User'");
    let absent = format!("{REGION}_Gone00000");
    account.folder.configure(&absent, "table = 'User'");
    account
        .folder
        .configure("eu-west-1_Elsewhere", "table = 'User'");
    account.dead_letter(&right);

    let ran = account.run(&["list", "--function", &function, "--json"]);
    ran.with(0);
    let mut listed = objects(&ran.stdout);
    let summary = listed.pop().unwrap();
    assert_eq!(
        summary,
        json!({ "summary": {
            "pools": 4, "servedByThis": 2, "servedByOther": 1, "servedByNone": 1,
            "configsWrong": 1, "configsMissing": 2, "deadLetters": 1, "failed": 0,
        }})
    );
    let of = |id: &str| listed.iter().find(|pool| pool["userPoolId"] == id).unwrap();
    assert_eq!(
        *of(&right),
        json!({
            "userPoolId": right, "name": "right", "users": 0, "servedBy": "this",
            "functionArn": function, "config": "right", "configError": null,
            "deadLetters": 1, "error": null,
        })
    );
    let some = |id: &str| {
        let pool = of(id);
        ["servedBy", "functionArn", "config"].map(|member| pool[member].clone())
    };
    assert_eq!(
        some(&qualified),
        ["this", &alias, "missing"].map(Value::from)
    );
    assert_eq!(some(&wrong), ["other", &other, "wrong"].map(Value::from));
    let error = of(&wrong)["configError"].as_str().unwrap();
    assert!(error.contains("did you mean `table`?"), "{error}");
    assert_eq!(some(&none), [json!("none"), json!(null), json!("missing")]);

    // For people.
    let ran = account.run(&["list", "--function", &function]);
    let text = ran.with(0);
    let row = |id: &str| {
        let row = ran.stdout.lines().find(|line| line.starts_with(id));
        let row = row.unwrap_or_else(|| panic!("no row of {id} in {text}"));
        row.split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        row(&right),
        [right.as_str(), "right", "0", "this poolhook", "right", "1"]
    );
    assert_eq!(
        row(&wrong),
        [wrong.as_str(), "wrong", "0", "other", "wrong", "0"]
    );
    assert_eq!(
        row(&none),
        [none.as_str(), "名前", "0", "none", "missing", "0"]
    );
    for part in [
        "4 pools, 2 served by this poolhook, 1 served by another function, 1 not served",
        "1 with a wrong config, 2 without a config, 1 dead letters in us-east-1",
        &format!("{absent}.toml: the account has no such pool"),
        "did you mean `table`?",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("Elsewhere"), "{text}");

    // Without a function, each pool names its own.
    let ran = account.run(&["list"]);
    let text = ran.with(0);
    assert!(
        text.contains("3 served by a function, 1 not served"),
        "{text}"
    );
    assert!(text.contains("poolhook:live"), "{text}");
}

#[test]
fn the_functions_of_the_templates_stack() {
    let account = Account::start();
    account
        .stack("poolhook", "User")
        .unwrap_or_else(|why| panic!("{why}"));
    account.pool("none", &[], None);
    let ran = account.run(&["list", "--stack", "poolhook"]);
    let text = ran.with(0);
    assert!(text.contains("1 pools, 1 not served"), "{text}");

    let ran = account.run(&["list", "--stack", "other"]);
    let text = ran.with(2);
    assert!(
        text.contains("CloudFormation finds no stack other"),
        "{text}"
    );
    assert!(text.contains("or pass --function ARN"), "{text}");
}

/// More than a page of them, one that cannot be described, and throttling.
#[test]
fn two_hundred_pools_are_listed_within_the_quota() {
    let scene = Scene::new();
    let ids: Vec<_> = (0..200).map(|n| format!("eu-west-1_Many{n:05}")).collect();
    for id in &ids {
        let mut pool = rich(id);
        pool.set(
            "LambdaConfig",
            json!({ "PostConfirmation": OTHER_FUNCTION }),
        );
        scene.add(pool);
    }
    scene.aws.throttle_each(25);
    scene.aws.on(
        &ids[7],
        "DescribeUserPool",
        0..9,
        Fault::Refuse("NotAuthorizedException"),
    );
    let ran = scene.run(&["list", "--function", ALIAS, "--json"]);
    let text = ran.with(1);
    let listed = objects(&ran.stdout);
    assert_eq!(listed.len(), 201, "{text}");
    let summary = &listed[200]["summary"];
    assert_eq!(
        (&summary["pools"], &summary["failed"]),
        (&json!(200), &json!(1))
    );
    assert_eq!(summary["servedByOther"], 199);
    assert_eq!(listed[7]["users"], json!(null));
    let error = listed[7]["error"].as_str().unwrap();
    assert!(error.starts_with("Cognito.AccessDenied: "), "{error}");
    assert_paced(&scene.aws);
}

#[test]
fn a_list_that_is_denied() {
    let scene = Scene::with_pool();
    scene.aws.deny("ListUserPools");
    let text = scene.run(&["list", "--function", FUNCTION]).with(2);
    assert!(text.contains("Allow cognito-idp:ListUserPools"), "{text}");
    let mut command = scene.command(&["list"]);
    command.env_remove("AWS_REGION");
    let text = super::ran(command.output().unwrap()).with(2);
    assert!(text.contains("Set AWS_REGION"), "{text}");
    assert!(!text.contains(POOL), "{text}");
}

/// Cognito's quota is 15 requests a second to list and describe pools. All of them are
/// counted: within a second, a busy machine may send late ones together.
pub(super) fn assert_paced(aws: &Aws) {
    let requests = aws.requests();
    let is_read = |action: &str| ["DescribeUserPool", "ListUserPools"].contains(&action);
    let times: Vec<_> = requests
        .iter()
        .filter(|it| is_read(&it.action))
        .map(|it| it.at)
        .collect();
    // The SDK repeats throttled ones without a turn.
    let throttled = 10;
    let turns = u32::try_from(times.len() - throttled).unwrap();
    let least = Duration::from_secs(1) * turns / 15;
    let took = *times.last().unwrap() - times[0];
    assert!(took >= least, "{} requests in {took:?}", times.len());
}
