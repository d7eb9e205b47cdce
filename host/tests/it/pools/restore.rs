//! `poolhook pools restore` puts a pool back to a snapshot.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::server::fault::{Fault, Moment};
use super::{FUNCTION, POOL, Scene};

/// An attached pool, its settings from before, and the snapshot.
fn attached() -> (Scene, String, PathBuf) {
    let scene = Scene::with_pool();
    let before = scene.aws.settings(POOL);
    scene.attach(&[]).with(0);
    let snapshot = scene.snapshots().remove(0);
    (scene, before, snapshot)
}

/// As `aws cognito-idp update-user-pool --lambda-config` does it.
fn reset(scene: &Scene) {
    scene.aws.change(POOL, |pool| {
        let request = json!({ "UserPoolId": POOL, "MfaConfiguration": "OFF" });
        let request = request.as_object().unwrap().clone();
        pool.answer("UpdateUserPool", &request, &[]);
    });
    assert!(!scene.aws.settings(POOL).contains("federation"));
}

fn restore(scene: &Scene, snapshot: &Path, further: &[&str]) -> crate::aws_fixtures::Ran {
    let restore = ["restore", snapshot.to_str().unwrap()];
    scene.run(&[&restore, further].concat())
}

#[test]
fn a_reset_pool_comes_back() {
    let (scene, before, snapshot) = attached();
    reset(&scene);
    let text = restore(&scene, &snapshot, &["--dry-run"]).with(0);
    for name in [
        "InboundFederation",
        "DeviceConfiguration",
        "MfaConfiguration",
    ] {
        assert!(text.contains(name), "{text}");
    }
    restore(&scene, &snapshot, &[]).with(1);
    assert_eq!(scene.aws.writes(POOL), 1, "only attach has written");
    restore(&scene, &snapshot, &["--yes"]).with(0);
    assert_eq!(scene.aws.settings(POOL), before);
    // Restoring writes a snapshot, too, and nothing is left to do.
    assert_eq!(scene.snapshots().len(), 2);
    restore(&scene, &snapshot, &["--yes"]).with(0);
    assert_eq!(scene.snapshots().len(), 2);
}

#[test]
fn a_pool_that_only_lost_its_trigger_needs_no_mfa() {
    let (scene, before, snapshot) = attached();
    restore(&scene, &snapshot, &["--yes"]).with(0);
    assert_eq!(scene.aws.settings(POOL), before);
    assert_eq!(scene.aws.of(POOL, "SetUserPoolMfaConfig").len(), 0);
}

/// Each state of MFA becomes each other one.
#[test]
fn mfa_comes_back_from_any_state() {
    let token = || json!({ "Enabled": true });
    let email = || json!({ "Message": "{####}", "Subject": "Code" });
    let passkey = || json!({ "RelyingPartyId": "example.com", "UserVerification": "required" });
    let states: [(&str, &[(&str, Value)]); 5] = [
        ("OFF", &[]),
        ("OFF", &[("WebAuthnConfiguration", passkey())]),
        ("ON", &[("SoftwareTokenMfaConfiguration", token())]),
        ("OPTIONAL", &[("EmailMfaConfiguration", email())]),
        (
            "OPTIONAL",
            &[
                ("SoftwareTokenMfaConfiguration", token()),
                ("EmailMfaConfiguration", email()),
                ("WebAuthnConfiguration", passkey()),
            ],
        ),
    ];
    for (number, from) in states.iter().enumerate() {
        for (other, to) in states.iter().enumerate() {
            let scene = Scene::with_pool();
            let set = |(mode, factors): &(&str, &[(&str, Value)])| {
                scene.aws.change(POOL, |pool| {
                    pool.set("MfaConfiguration", (*mode).into());
                    let factors = factors.iter();
                    let factors = factors.map(|(name, value)| ((*name).to_owned(), value.clone()));
                    pool.factors = factors.collect();
                });
            };
            set(to);
            let before = scene.aws.settings(POOL);
            scene.attach(&[]).with(0);
            set(from);
            let snapshot = scene.snapshots().remove(0);
            let text = restore(&scene, &snapshot, &["--yes"]).with(0);
            assert_eq!(
                scene.aws.settings(POOL),
                before,
                "{number} to {other}: {text}"
            );
        }
    }
}

#[test]
fn restore_looks_as_attach_does() {
    let (scene, _, snapshot) = attached();
    let pointer = "/pool/Policies/PasswordPolicy/MinimumLength";
    let writer = Fault::Writer(Moment::Before, pointer, json!(14));
    scene.aws.on(POOL, "DescribeUserPool", 1..2, writer);
    let text = restore(&scene, &snapshot, &["--yes"]).with(1);
    assert!(text.contains("MinimumLength"), "{text}");
    assert_eq!(scene.aws.trigger(POOL).as_deref(), Some(FUNCTION));

    let (scene, before, snapshot) = attached();
    let loss = Fault::Lose("/pool/UserPoolTags");
    scene.aws.on(POOL, "UpdateUserPool", 0..1, loss);
    let text = restore(&scene, &snapshot, &["--yes"]).with(1);
    assert!(text.contains("UserPoolTags"), "{text}");
    assert_eq!(scene.aws.settings(POOL), before);
}

#[test]
fn another_file_is_no_snapshot() {
    let scene = Scene::with_pool();
    for text in ["", "{}", "[]", "{\"userPoolId\":\"eu-west-1_Ab12Cd34E\"}"] {
        let file = scene.folder.path().join("other.json");
        fs::write(&file, text).unwrap();
        let text = restore(&scene, &file, &["--yes"]).with(2);
        assert!(text.contains("other.json"), "{text}");
    }
    restore(&scene, Path::new("missing.json"), &["--yes"]).with(2);
    assert!(scene.aws.requests().is_empty());
}
