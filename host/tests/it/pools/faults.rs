//! Updates that go wrong: `poolhook pools attach` looks, and puts back only what was lost.

use std::time::Duration;

use serde_json::{Value, json};

use super::server::fault::{Fault, Moment};
use super::{FUNCTION, POOL, Scene};

const UPDATE: &str = "UpdateUserPool";
const DESCRIBE: &str = "DescribeUserPool";
const MFA: &str = "GetUserPoolMfaConfig";
const SET_MFA: &str = "SetUserPoolMfaConfig";

/// A scene in which the first update of the pool has this fault, and the pool's settings.
fn with_fault(fault: Fault) -> (Scene, String) {
    let scene = Scene::with_pool();
    scene.aws.on(POOL, UPDATE, 0..1, fault);
    let before = scene.aws.settings(POOL);
    (scene, before)
}

/// Settings with this value.
fn with(settings: &str, pointer: &str, value: Value) -> String {
    let mut settings: Value = serde_json::from_str(settings).unwrap();
    *settings.pointer_mut(pointer).unwrap() = value;
    settings.to_string()
}

fn attached(before: &str) -> String {
    Scene::with_trigger(before, Some(FUNCTION))
}

#[test]
fn a_lost_answer_is_looked_up() {
    for fault in [Fault::Cut(Moment::After), Fault::Fail(Moment::After)] {
        let (scene, before) = with_fault(fault.clone());
        scene.attach(&[]).with(0);
        assert_eq!(scene.aws.settings(POOL), attached(&before), "{fault:?}");
        assert_eq!(scene.aws.writes(POOL), 1, "{fault:?}");
    }
}

/// A lost request is sent again only after a look at the pool.
#[test]
fn a_lost_request_is_sent_again() {
    for fault in [
        Fault::Cut(Moment::Before),
        Fault::Fail(Moment::Before),
        Fault::Throttle,
        Fault::Refuse("ConcurrentModificationException"),
    ] {
        let (scene, before) = with_fault(fault.clone());
        scene.attach(&[]).with(0);
        assert_eq!(scene.aws.settings(POOL), attached(&before), "{fault:?}");
        let requests = scene.aws.requests().into_iter();
        let mut actions = requests.map(|request| request.action);
        actions.find(|action| action == UPDATE).unwrap();
        let between: Vec<_> = actions.by_ref().take_while(|it| it != UPDATE).collect();
        assert_eq!(between, [DESCRIBE, MFA], "{fault:?}");
        assert_eq!(actions.filter(|it| it == UPDATE).count(), 0, "{fault:?}");
    }
}

#[test]
fn throttled_looks_are_repeated() {
    let scene = Scene::with_pool();
    let before = scene.aws.settings(POOL);
    scene.aws.on(POOL, DESCRIBE, 0..1, Fault::Throttle);
    scene.aws.on(POOL, MFA, 1..2, Fault::Throttle);
    scene.attach(&[]).with(0);
    assert_eq!(scene.aws.settings(POOL), attached(&before));
    assert_eq!(scene.aws.writes(POOL), 1);
}

#[test]
fn a_refusal_is_named_and_leaves_the_pool() {
    for code in [
        "UserImportInProgressException",
        "OperationNotEnabledException",
        "InvalidParameterException",
    ] {
        let scene = Scene::with_pool();
        let before = scene.aws.settings(POOL);
        scene.aws.on(POOL, UPDATE, 0..9, Fault::Refuse(code));
        let text = scene.attach(&[]).with(1);
        assert!(text.contains(code), "{text}");
        assert_eq!(scene.aws.settings(POOL), before);
        assert_eq!(scene.aws.writes(POOL), 1, "{code} is not tried again");
    }
}

#[test]
fn a_change_between_the_looks_stops_it() {
    let change = |field| Fault::Writer(Moment::Before, field, json!(14));
    for (action, fault, name) in [
        (
            DESCRIBE,
            change("/pool/Policies/PasswordPolicy/MinimumLength"),
            "MinimumLength",
        ),
        (
            MFA,
            Fault::Writer(Moment::Before, "/mfa/WebAuthnConfiguration", json!({})),
            "WebAuthnConfiguration",
        ),
    ] {
        let scene = Scene::with_pool();
        scene.aws.on(POOL, action, 1..2, fault);
        let text = scene.attach(&[]).with(1);
        assert!(text.contains(name), "{text}");
        assert_eq!(scene.aws.writes(POOL), 0);
        assert_eq!(scene.aws.trigger(POOL), None);
        // The next attempt begins with the pool as it is.
        scene.attach(&[]).with(0);
    }
}

/// No caller can see that the update took another writer's value away: Cognito has no `ETag`.
/// Values that no update has show it.
#[test]
fn a_change_right_before_the_update_is_named_if_it_stays() {
    let passkey = json!({ "RelyingPartyId": "example.com" });
    let field = "/mfa/WebAuthnConfiguration";
    let (scene, before) = with_fault(Fault::Writer(Moment::Before, field, passkey.clone()));
    let text = scene.attach(&[]).with(1);
    assert!(text.contains("WebAuthnConfiguration"), "{text}");
    let mut after: Value = serde_json::from_str(&attached(&before)).unwrap();
    after["mfa"]["WebAuthnConfiguration"] = passkey;
    assert_eq!(scene.aws.settings(POOL), after.to_string());
    assert_eq!(scene.aws.writes(POOL), 1);
}

/// The update did nothing, and the pool is another writer's: no attempt follows.
#[test]
fn a_change_before_a_lost_request_stops_it() {
    let pointer = "/pool/Policies/PasswordPolicy/MinimumLength";
    for lost in [
        Fault::Cut(Moment::Before),
        Fault::Throttle,
        Fault::Refuse("InvalidParameterException"),
    ] {
        let (scene, before) = with_fault(Fault::Writer(Moment::Before, pointer, json!(14)));
        scene.aws.on(POOL, UPDATE, 0..1, lost.clone());
        let text = scene.attach(&[]).with(1);
        assert!(text.contains("MinimumLength"), "{lost:?}: {text}");
        let after = with(&before, pointer, json!(14));
        assert_eq!(scene.aws.settings(POOL), after, "{lost:?}");
        assert_eq!(scene.aws.writes(POOL), 1, "{lost:?}");
    }
}

#[test]
fn another_writers_value_is_named_and_stays() {
    for (pointer, value, name) in [
        (
            "/pool/Policies/PasswordPolicy/MinimumLength",
            json!(14),
            "MinimumLength",
        ),
        (
            "/pool/EmailConfiguration/From",
            json!("them@example.com"),
            "EmailConfiguration.From",
        ),
        (
            "/pool/LambdaConfig/PreSignUp",
            json!("arn:aws:lambda:eu-west-1:123456789012:function:theirs"),
            "PreSignUp",
        ),
    ] {
        let (scene, before) = with_fault(Fault::Writer(Moment::After, pointer, value.clone()));
        let text = scene.attach(&[]).with(1);
        assert!(text.contains(name), "{text}");
        let after = with(&attached(&before), pointer, value);
        assert_eq!(scene.aws.settings(POOL), after);
        assert_eq!(scene.aws.writes(POOL), 1);
    }
}

/// Another writer's function took the trigger after ours: it stays.
#[test]
fn another_writers_trigger_stays() {
    let theirs = json!("arn:aws:lambda:eu-west-1:123456789012:function:theirs");
    let pointer = "/pool/LambdaConfig/PostConfirmation";
    let (scene, before) = with_fault(Fault::Writer(Moment::After, pointer, theirs.clone()));
    let text = scene.attach(&[]).with(1);
    assert!(text.contains("theirs"), "{text}");
    let after = with(&attached(&before), pointer, theirs);
    assert_eq!(scene.aws.settings(POOL), after);
    assert_eq!(scene.aws.writes(POOL), 1);
}

#[test]
fn what_an_update_lost_is_put_back() {
    for field in [
        "/pool/AccountRecoverySetting",
        "/pool/AutoVerifiedAttributes",
        "/pool/DeletionProtection",
        "/pool/DeviceConfiguration",
        "/pool/EmailConfiguration/From",
        "/pool/LambdaConfig/CustomEmailSender",
        "/pool/LambdaConfig/InboundFederation",
        "/pool/LambdaConfig/PreSignUp",
        "/pool/UserPoolAddOns",
        "/pool/UserPoolTags",
        "/pool/UserPoolTags/team",
        "/pool/UserPoolTier",
        "/pool/VerificationMessageTemplate",
        "/pool/SmsAuthenticationMessage",
        "/pool/AdminCreateUserConfig",
    ] {
        let scene = Scene::with_pool();
        scene.aws.change(POOL, |pool| {
            pool.set("SmsAuthenticationMessage", "{####}".into());
            let admin_only = json!([{ "Priority": 1, "Name": "admin_only" }]);
            let recovery = json!({ "RecoveryMechanisms": admin_only });
            pool.set("AccountRecoverySetting", recovery);
            let template = json!({ "DefaultEmailOption": "CONFIRM_WITH_LINK" });
            pool.set("VerificationMessageTemplate", template);
            let admin = json!({ "AllowAdminCreateUserOnly": true, "UnusedAccountValidityDays": 7 });
            pool.set("AdminCreateUserConfig", admin);
        });
        scene.aws.on(POOL, UPDATE, 0..1, Fault::Lose(field));
        let before = scene.aws.settings(POOL);
        let text = scene.attach(&[]).with(1);
        let name = field.trim_start_matches("/pool/").replace('/', ".");
        assert!(text.contains(&name), "{name} in {text}");
        assert_eq!(
            scene.aws.settings(POOL),
            attached(&before),
            "{field}: {text}"
        );
        assert_eq!(scene.aws.of(POOL, UPDATE).len(), 2, "{field}");
        assert_eq!(scene.aws.of(POOL, SET_MFA).len(), 0, "{field}");
    }
}

/// The sender of e-mail goes only if MFA by e-mail does.
#[test]
fn a_lost_sender_is_put_back() {
    let scene = Scene::with_pool();
    scene.aws.change(POOL, |pool| {
        drop(pool.factors.remove("EmailMfaConfiguration"));
    });
    scene
        .aws
        .on(POOL, UPDATE, 0..1, Fault::Lose("/pool/EmailConfiguration"));
    let before = scene.aws.settings(POOL);
    let text = scene.attach(&[]).with(1);
    assert!(text.contains("EmailConfiguration"), "{text}");
    assert_eq!(scene.aws.settings(POOL), attached(&before));
}

#[test]
fn what_is_lost_comes_back_and_another_writers_value_stays() {
    let pointer = "/pool/Policies/PasswordPolicy/MinimumLength";
    let (scene, before) = with_fault(Fault::Lose("/pool/DeviceConfiguration"));
    let writer = Fault::Writer(Moment::After, pointer, json!(14));
    scene.aws.on(POOL, UPDATE, 0..1, writer);
    let text = scene.attach(&[]).with(1);
    for name in ["DeviceConfiguration", "MinimumLength"] {
        assert!(text.contains(name), "{text}");
    }
    let after = with(&attached(&before), pointer, json!(14));
    assert_eq!(scene.aws.settings(POOL), after);
}

/// Our own trigger is lost, too, if an update does not take effect as a whole.
#[test]
fn a_lost_trigger_is_a_failure() {
    let (scene, before) = with_fault(Fault::Lose("/pool/LambdaConfig/PostConfirmation"));
    scene.attach(&[]).with(1);
    let after = scene.aws.settings(POOL);
    assert!(
        [before.clone(), attached(&before)].contains(&after),
        "{after}"
    );
}

#[test]
fn lost_mfa_is_put_back() {
    for mode in ["OPTIONAL", "ON"] {
        let scene = Scene::with_pool();
        scene
            .aws
            .change(POOL, |pool| pool.set("MfaConfiguration", mode.into()));
        scene.aws.on(POOL, UPDATE, 0..1, Fault::LoseMfa);
        let before = scene.aws.settings(POOL);
        let text = scene.attach(&[]).with(1);
        assert!(text.contains("MFA"), "{text}");
        assert_eq!(scene.aws.settings(POOL), attached(&before), "{text}");
        let set = scene.aws.of(POOL, SET_MFA);
        assert_eq!(set.len(), 1, "{text}");
        assert_eq!(set[0].body["MfaConfiguration"], mode);
    }
}

/// The other factor stays on while Cognito has no way to add one: MFA is off for a moment.
#[test]
fn a_lost_factor_is_put_back() {
    let (scene, before) = with_fault(Fault::Lose("/mfa/EmailMfaConfiguration"));
    let text = scene.attach(&[]).with(1);
    assert!(text.contains("EmailMfaConfiguration"), "{text}");
    assert!(text.contains("MFA is off for a moment"), "{text}");
    assert_eq!(scene.aws.settings(POOL), attached(&before), "{text}");
    let updates = scene.aws.of(POOL, UPDATE);
    assert_eq!(updates[1].body["MfaConfiguration"], "OFF");
}

#[test]
fn lost_mfa_and_settings_are_put_back_together() {
    let (scene, before) = with_fault(Fault::LoseMfa);
    scene
        .aws
        .on(POOL, UPDATE, 0..1, Fault::Lose("/pool/EmailConfiguration"));
    scene
        .aws
        .on(POOL, UPDATE, 0..1, Fault::Lose("/pool/UserPoolTags"));
    let text = scene.attach(&[]).with(1);
    assert_eq!(scene.aws.settings(POOL), attached(&before), "{text}");
}

#[test]
fn the_way_back_is_as_careful() {
    for (action, fault) in [
        (UPDATE, Fault::Cut(Moment::After)),
        (UPDATE, Fault::Cut(Moment::Before)),
        (UPDATE, Fault::Throttle),
        (SET_MFA, Fault::Cut(Moment::After)),
        (SET_MFA, Fault::Fail(Moment::Before)),
        (SET_MFA, Fault::Throttle),
    ] {
        let (scene, before) = with_fault(Fault::LoseMfa);
        scene
            .aws
            .on(POOL, UPDATE, 0..1, Fault::Lose("/pool/UserPoolTags"));
        let first = usize::from(action == UPDATE);
        scene.aws.on(POOL, action, first..first + 1, fault.clone());
        let text = scene.attach(&[]).with(1);
        assert_eq!(
            scene.aws.settings(POOL),
            attached(&before),
            "{fault:?}: {text}"
        );
    }
}

/// MFA stays off if Cognito refuses it: that is said, and the snapshot has it.
#[test]
fn mfa_that_cannot_be_put_back_is_said() {
    let (scene, before) = with_fault(Fault::LoseMfa);
    let refusal = Fault::Refuse("InvalidParameterException");
    scene.aws.on(POOL, SET_MFA, 0..1, refusal);
    let text = scene.attach(&[]).with(1);
    assert!(text.contains("MFA"), "{text}");
    let [snapshot] = &scene.snapshots()[..] else {
        panic!("{:?}", scene.snapshots());
    };
    let snapshot = snapshot.to_str().unwrap();
    assert!(text.contains("poolhook-snapshots"), "{text}");
    scene.run(&["restore", snapshot, "--yes"]).with(0);
    assert_eq!(scene.aws.settings(POOL), before);
}

/// Whether the update was done is not known. The snapshot and the next command are named.
#[test]
fn an_update_that_cannot_be_verified_is_a_failure() {
    for done in [Moment::Before, Moment::After] {
        let (scene, before) = with_fault(Fault::Cut(done));
        let denied = Fault::Refuse("AccessDeniedException");
        scene.aws.on(POOL, DESCRIBE, 2..99, denied);
        let text = scene.attach(&[]).with(1);
        assert!(text.contains("poolhook-snapshots"), "{text}");
        assert!(text.contains("poolhook pools"), "{text}");
        let after = match done {
            Moment::Before => before,
            Moment::After => attached(&before),
        };
        assert_eq!(scene.aws.settings(POOL), after);
        assert_eq!(scene.aws.writes(POOL), 1);
    }
}

/// No answer at all: the request hangs until it is done, long after the command has given up
/// on it, or never.
#[test]
fn an_update_that_hangs_is_looked_up() {
    let scene = Scene::with_pool();
    let before = scene.aws.settings(POOL);
    // Two looks have four requests, and policy and stack one each.
    scene.aws.hold(6, Moment::After);
    let child = scene
        .command(&["attach", POOL, "--function", FUNCTION, "--yes"])
        .spawn();
    assert!(scene.aws.wait_for_held(Duration::from_secs(30)));
    let output = super::ran(child.unwrap().wait_with_output().unwrap());
    scene.aws.release();
    output.with(0);
    assert_eq!(scene.aws.settings(POOL), attached(&before));
    assert_eq!(scene.aws.writes(POOL), 1);
}
