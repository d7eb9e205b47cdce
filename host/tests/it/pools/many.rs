//! Two hundred pools in one command, with throttling, two broken ones among them.

use serde_json::json;

use super::server::REGION;
use super::server::fault::{Fault, Moment};
use super::{FUNCTION, Scene, rich};
use crate::random::from_env;

#[test]
fn two_hundred_pools_in_one_command() {
    let scene = Scene::new();
    let count = from_env("POOLHOOK_MANY_POOLS", 200);
    let ids: Vec<_> = (0..count).map(|n| format!("{REGION}_Many{n:05}")).collect();
    for id in &ids[1..] {
        scene.add(rich(id));
    }
    // The first has a config alone; an update cannot carry the second.
    let (missing, strange) = (&ids[0], &ids[1]);
    scene.folder.configure(missing, "table = 'User'");
    scene.aws.change(strange, |pool| {
        let both = json!({ "EmailMessage": "a", "EmailMessageByLink": "b" });
        pool.set("VerificationMessageTemplate", both);
    });
    let settings = || ids[1..].iter().map(|id| scene.aws.settings(id));
    let before: Vec<_> = settings().collect();

    scene.aws.throttle_each(97);
    scene
        .aws
        .on(&ids[7], "UpdateUserPool", 0..1, Fault::Cut(Moment::After));
    let options = ["--function", FUNCTION, "--yes"];
    let attach = [&["attach", "--configured"], &options[..]].concat();
    let text = scene.run(&attach).with(1);
    for id in [missing, strange] {
        assert!(text.contains(id.as_str()), "{text}");
    }
    for (before, after) in before.iter().zip(settings()).skip(1) {
        assert_eq!(after, Scene::with_trigger(before, Some(FUNCTION)));
    }
    assert_eq!(scene.aws.settings(strange), before[0]);

    let of_pools: Vec<_> = ids.iter().map(String::as_str).collect();
    let detach = [&["detach"], &of_pools[..], &options].concat();
    scene.run(&detach).with(1);
    for (before, after) in before.iter().zip(settings()) {
        assert_eq!(&after, before);
    }
}

/// Two operators attach the same pools: each pool is attached, and one of them may be told.
#[test]
fn two_commands_at_once() {
    let scene = Scene::new();
    let ids: Vec<_> = (0..8).map(|n| format!("{REGION}_Many{n:05}")).collect();
    for id in &ids {
        scene.add(rich(id));
    }
    let before: Vec<_> = ids.iter().map(|id| scene.aws.settings(id)).collect();
    let attach = ["attach", "--configured", "--function", FUNCTION, "--yes"];
    let children = [(); 2].map(|()| scene.command(&attach).spawn().unwrap());
    for child in children {
        let text = super::ran(child.wait_with_output().unwrap());
        assert!([0, 1].contains(&text.code), "{}", text.stderr);
    }
    for (id, before) in ids.iter().zip(before) {
        let attached = Scene::with_trigger(&before, Some(FUNCTION));
        assert_eq!(scene.aws.settings(id), attached);
    }
}

/// Cognito's quotas for an account and Region.
#[test]
fn a_command_keeps_to_the_quotas() {
    let scene = Scene::new();
    let ids: Vec<_> = (0..16).map(|n| format!("{REGION}_Many{n:05}")).collect();
    for id in &ids {
        scene.add(rich(id));
    }
    scene
        .run(&["attach", "--configured", "--function", FUNCTION, "--yes"])
        .with(0);
    // Unused turns of 50 ms may be taken later, and the clock is the server's.
    let slack = 3;
    let reads = scene
        .aws
        .busiest_second(&["DescribeUserPool", "ListUserPools"]);
    assert!(reads <= 15 + slack, "{reads}");
    let updates = scene.aws.busiest_second(&["UpdateUserPool"]);
    assert!(updates <= 15 + slack, "{updates}");
    let mfa = scene
        .aws
        .busiest_second(&["GetUserPoolMfaConfig", "SetUserPoolMfaConfig"]);
    assert!(mfa <= 20 + slack, "{mfa}");
}
