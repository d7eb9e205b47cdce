//! What `poolhook pools attach` refuses, and what it does when it does not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::server::pool::Pool;
use super::{ALIAS, FUNCTION, OTHER_FUNCTION, POOL, Scene, rich};

/// Nothing was written: neither the pool nor a snapshot.
fn nothing_is_written(scene: &Scene, before: &str) {
    assert_eq!(scene.aws.writes(POOL), 0);
    assert_eq!(scene.aws.settings(POOL), before);
    assert!(scene.snapshots().is_empty());
}

/// A refusal, which names these.
fn refused(scene: &Scene, arguments: &[&str], words: &[&str]) -> String {
    let before = scene.aws.settings(POOL);
    let text = scene.attach(arguments).with(1);
    for word in words {
        assert!(text.contains(word), "{word} in {text}");
    }
    nothing_is_written(scene, &before);
    text
}

#[test]
fn one_setting_changes() {
    let scene = Scene::with_pool();
    let before = scene.aws.settings(POOL);
    let text = scene.attach(&[]).with(0);
    assert!(text.contains(FUNCTION), "{text}");
    assert_eq!(
        scene.aws.settings(POOL),
        Scene::with_trigger(&before, Some(FUNCTION))
    );
    let actions: Vec<_> = scene
        .aws
        .requests()
        .into_iter()
        .filter(|request| request.pool.is_some())
        .map(|request| request.action)
        .collect();
    let look = ["DescribeUserPool", "GetUserPoolMfaConfig"];
    let owner = ["DescribeStackResources"];
    let expected = [&look[..], &owner, &look, &["UpdateUserPool"], &look].concat();
    assert_eq!(actions, expected);
}

#[test]
fn an_attached_pool_is_not_written_again() {
    let scene = Scene::with_pool();
    scene.attach(&[]).with(0);
    let text = scene.attach(&[]).with(0);
    assert!(text.contains("already"), "{text}");
    assert_eq!(scene.aws.writes(POOL), 1);
    assert_eq!(scene.snapshots().len(), 1);
}

#[test]
fn a_pool_named_twice_is_attached_once() {
    let scene = Scene::with_pool();
    scene.attach(&[POOL]).with(0);
    assert_eq!(scene.aws.writes(POOL), 1);
    assert_eq!(scene.snapshots().len(), 1);
}

#[test]
fn the_snapshot_is_what_the_service_answered() {
    let scene = Scene::with_pool();
    scene.aws.change(POOL, |pool| {
        pool.described["LambdaConfig"]["Future"] = json!({ "Ratio": number("1.10") });
    });
    let before: Value = serde_json::from_str(&scene.aws.settings(POOL)).unwrap();
    scene.attach(&[]).with(0);
    let [file] = &scene.snapshots()[..] else {
        panic!("{:?}", scene.snapshots());
    };
    assert_eq!(file.extension().unwrap(), "json");
    let mode = fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let snapshot: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let described = &snapshot["describeUserPool"]["UserPool"];
    for (field, value) in before["pool"].as_object().unwrap() {
        assert_eq!(&described[field], value, "{field}");
    }
    assert!(described["LastModifiedDate"].is_number());
    assert_eq!(snapshot["getUserPoolMfaConfig"], before["mfa"]);
    assert_eq!(snapshot["function"], FUNCTION);
    assert_eq!(snapshot["replaced"], Value::Null);

    // Each change has a file, and none is written again.
    let first = fs::read(file).unwrap();
    scene.detach(&[]).with(0);
    scene.attach(&[]).with(0);
    scene.detach(&[]).with(0);
    assert_eq!(scene.snapshots().len(), 4);
    assert_eq!(fs::read(file).unwrap(), first);
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_snapshot_that_cannot_be_written_stops_the_pool() {
    let scene = Scene::with_pool();
    let before = scene.aws.settings(POOL);
    let file = scene.folder.path().join("file");
    fs::write(&file, "").unwrap();
    let text = scene.attach(&["--snapshots", "file"]).with(1);
    assert!(text.contains("snapshot"), "{text}");
    nothing_is_written(&scene, &before);
}

#[test]
fn a_dry_run_writes_nothing() {
    let scene = Scene::with_pool();
    let before = scene.aws.settings(POOL);
    let text = scene.attach(&["--dry-run", "--add-permission"]).with(0);
    assert!(text.contains("PostConfirmation"), "{text}");
    nothing_is_written(&scene, &before);
}

#[test]
fn without_yes_and_a_terminal_nothing_is_written() {
    let scene = Scene::with_pool();
    let before = scene.aws.settings(POOL);
    let text = scene.run(&["attach", POOL, "--function", FUNCTION]).with(1);
    assert!(text.contains("--yes"), "{text}");
    nothing_is_written(&scene, &before);
}

#[test]
fn a_version_is_wrong_usage() {
    let scene = Scene::with_pool();
    for version in ["$LATEST", "7"] {
        let arn = format!("{FUNCTION}:{version}");
        let text = scene
            .run(&["attach", POOL, "--yes", "--function", &arn])
            .with(2);
        assert!(text.contains("alias"), "{text}");
    }
    assert!(scene.aws.requests().is_empty());
}

#[test]
fn a_pool_of_another_region_is_refused() {
    let scene = Scene::new();
    let pool = "us-east-1_Ab12Cd34E";
    scene.add(Pool::new(pool));
    let text = scene
        .run(&["attach", pool, "--yes", "--function", FUNCTION])
        .with(1);
    assert!(text.contains("us-east-1"), "{text}");
    assert_eq!(scene.aws.of(pool, "DescribeUserPool").len(), 0);
}

#[test]
fn a_pool_without_a_right_config_is_refused() {
    let scene = Scene::new();
    scene.aws.add(rich(POOL));
    refused(&scene, &[], &[POOL, "config"]);
    scene.folder.configure(POOL, "tabel = 'User'");
    refused(&scene, &[], &["tabel"]);
}

#[test]
fn another_function_is_replaced_only_if_asked() {
    let scene = Scene::with_pool();
    scene.aws.add_function(OTHER_FUNCTION);
    scene.aws.change(POOL, |pool| {
        pool.set_trigger("PostConfirmation", OTHER_FUNCTION);
    });
    let before = scene.aws.settings(POOL);
    refused(&scene, &[], &[OTHER_FUNCTION, "--replace"]);
    scene.attach(&["--replace"]).with(0);
    assert_eq!(
        scene.aws.settings(POOL),
        Scene::with_trigger(&before, Some(FUNCTION))
    );
    scene.detach(&[]).with(0);
    assert_eq!(scene.aws.settings(POOL), before);
}

#[test]
fn poolhook_under_another_qualifier_is_moved() {
    let scene = Scene::with_pool();
    scene.aws.add_function(ALIAS);
    let before = scene.aws.settings(POOL);
    let move_to = |arn: &str| {
        scene
            .run(&["attach", POOL, "--yes", "--function", arn])
            .with(0);
        assert_eq!(scene.aws.trigger(POOL).as_deref(), Some(arn));
    };
    for qualifier in ["$LATEST", "3", "older"] {
        let arn = format!("{FUNCTION}:{qualifier}");
        scene
            .aws
            .change(POOL, |pool| pool.set_trigger("PostConfirmation", &arn));
        move_to(ALIAS);
        move_to(FUNCTION);
        move_to(ALIAS);
        scene.detach(&[]).with(0);
        assert_eq!(scene.aws.settings(POOL), before, "{qualifier}");
    }
}

#[test]
fn a_missing_permission_is_named_and_added() {
    for arn in [FUNCTION, ALIAS] {
        let scene = Scene::with_pool();
        scene.aws.remove_function(FUNCTION);
        scene.aws.add_closed_function(arn);
        let attach = ["attach", POOL, "--yes", "--function", arn];
        let before = scene.aws.settings(POOL);
        let text = scene.run(&attach).with(1);
        assert!(text.contains("lambda:InvokeFunction"), "{text}");
        assert!(text.contains("--add-permission"), "{text}");
        nothing_is_written(&scene, &before);

        let dry_run = ["--add-permission", "--dry-run"];
        scene.run(&[&attach[..], &dry_run].concat()).with(0);
        assert_eq!(scene.aws.statements(arn), [] as [Value; 0]);

        scene
            .run(&[&attach[..], &["--add-permission"]].concat())
            .with(0);
        let [statement] = &scene.aws.statements(arn)[..] else {
            panic!("{:?}", scene.aws.statements(arn));
        };
        let pools = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/*";
        assert_eq!(
            statement["Principal"]["Service"],
            "cognito-idp.amazonaws.com"
        );
        assert_eq!(statement["Action"], "lambda:InvokeFunction");
        assert_eq!(statement["Condition"]["ArnLike"]["AWS:SourceArn"], pools);
        assert_eq!(scene.aws.trigger(POOL).as_deref(), Some(arn));
    }
}

#[test]
fn a_permission_of_the_function_is_none_of_its_alias() {
    let scene = Scene::with_pool();
    scene.aws.add_closed_function(ALIAS);
    let before = scene.aws.settings(POOL);
    scene
        .run(&["attach", POOL, "--yes", "--function", ALIAS])
        .with(1);
    nothing_is_written(&scene, &before);
}

#[test]
fn what_may_not_be_looked_up_is_not_checked() {
    let scene = Scene::with_pool();
    for action in ["GetPolicy", "DescribeStackResources"] {
        scene.aws.deny(action);
    }
    let text = scene.attach(&[]).with(0);
    for action in ["lambda:GetPolicy", "cloudformation:DescribeStackResources"] {
        assert!(text.contains(action), "{action} in {text}");
    }
    assert_eq!(text.matches("not checked").count(), 2, "{text}");
    assert_eq!(scene.aws.trigger(POOL).as_deref(), Some(FUNCTION));
}

#[test]
fn what_cognito_denies_is_named() {
    for (action, permission) in [
        ("DescribeUserPool", "cognito-idp:DescribeUserPool"),
        ("GetUserPoolMfaConfig", "cognito-idp:GetUserPoolMfaConfig"),
    ] {
        let scene = Scene::with_pool();
        scene.aws.deny(action);
        refused(&scene, &[], &[permission]);
    }
    let scene = Scene::with_pool();
    let before = scene.aws.settings(POOL);
    scene.aws.deny("UpdateUserPool");
    let text = scene.attach(&[]).with(1);
    assert!(text.contains("AccessDeniedException"), "{text}");
    assert_eq!(scene.aws.settings(POOL), before);
    assert_eq!(scene.aws.writes(POOL), 1, "it is not tried again");
}

#[test]
fn a_pool_of_a_stack_is_refused() {
    let scene = Scene::with_pool();
    scene.aws.add_to_stack(POOL, "accounts", "UserPool");
    refused(&scene, &[], &["accounts", "UserPool", FUNCTION, "--force"]);
    scene.attach(&["--force"]).with(0);
    assert_eq!(scene.aws.trigger(POOL).as_deref(), Some(FUNCTION));
}

#[test]
fn a_pool_with_a_tools_tags_is_refused() {
    for (tag, value, words) in [
        ("aws:cloudformation:stack-name", "accounts", "accounts"),
        ("aws:cloudformation:stack-id", "arn:aws:c", "LambdaConfig"),
        ("amplify:app-id", "d1", "cfnUserPool"),
        ("aws-cdk:id", "1", "CfnUserPool"),
        ("ManagedBy", "Terraform", "lambda_config"),
    ] {
        let scene = Scene::with_pool();
        scene.aws.change(POOL, |pool| {
            pool.set("UserPoolTags", json!({ tag: value, "team": "accounts" }));
        });
        let before = scene.aws.settings(POOL);
        refused(&scene, &[], &[words, "--force"]);
        scene.attach(&["--force"]).with(0);
        let after = Scene::with_trigger(&before, Some(FUNCTION));
        assert_eq!(scene.aws.settings(POOL), after, "{tag}");
    }
}

#[test]
fn an_unknown_field_is_refused_or_carried() {
    let scene = Scene::with_pool();
    scene.aws.change(POOL, |pool| {
        pool.set("NewConfiguration", json!({ "Mode": "NEW" }));
        pool.further.push("NewConfiguration".to_owned());
    });
    let before = scene.aws.settings(POOL);
    refused(&scene, &[], &["NewConfiguration", "--carry"]);
    let carry = ["--carry", "NewConfiguration"];
    scene.attach(&carry).with(0);
    assert_eq!(
        scene.aws.settings(POOL),
        Scene::with_trigger(&before, Some(FUNCTION))
    );
    scene.detach(&[]).with(1);
    scene.detach(&carry).with(0);
    assert_eq!(scene.aws.settings(POOL), before);
}

#[test]
fn a_carried_field_that_cognito_refuses_changes_nothing() {
    let scene = Scene::with_pool();
    scene
        .aws
        .change(POOL, |pool| pool.set("NewStatus", "new".into()));
    let before = scene.aws.settings(POOL);
    let text = scene.attach(&["--carry", "NewStatus"]).with(1);
    assert!(text.contains("NewStatus"), "{text}");
    assert_eq!(scene.aws.settings(POOL), before);
}

#[test]
fn a_stack_names_the_function() {
    let scene = Scene::with_pool();
    scene.aws.add_stack_with_function("poolhook", FUNCTION);
    let attach = ["attach", POOL, "--yes", "--stack"];
    let text = scene.run(&[&attach[..], &["other"]].concat()).with(2);
    assert!(text.contains("other"), "{text}");
    scene.run(&[&attach[..], &["poolhook"]].concat()).with(0);
    assert_eq!(scene.aws.trigger(POOL).as_deref(), Some(FUNCTION));
    scene
        .run(&["detach", POOL, "--yes", "--stack", "poolhook"])
        .with(0);
    assert_eq!(scene.aws.trigger(POOL), None);
}

#[test]
fn the_configured_pools_are_attached() {
    let scene = Scene::with_pool();
    let other = "eu-west-1_Other0001";
    scene.add(Pool::new(other));
    scene.aws.add(Pool::new("eu-west-1_NoConfig1"));
    scene
        .run(&["attach", "--configured", "--yes", "--function", FUNCTION])
        .with(0);
    let trigger = |pool: &str| scene.aws.trigger(pool);
    assert_eq!(
        [trigger(POOL), trigger(other)],
        [Some(FUNCTION.to_owned()), Some(FUNCTION.to_owned())]
    );
    assert_eq!(trigger("eu-west-1_NoConfig1"), None);
}
