//! `poolhook pools` killed at each of its requests, before and after the server has done what
//! the request asks: a pool is as before or attached, and never reset.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::server::fault::{Fault, Moment};
use super::{FUNCTION, POOL, Scene};

/// More requests than a command has.
const MOST: usize = 40;
/// How long a command may take to its next request.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the command and kills it at this request. Returns whether it had such a request.
fn kill_at(scene: &Scene, arguments: &[&str], number: usize, moment: Moment) -> bool {
    scene.aws.hold(scene.aws.requests().len() + number, moment);
    let mut child = scene.command(arguments).spawn().unwrap();
    let step = Duration::from_millis(50);
    let mut waited = Duration::ZERO;
    let is_held = loop {
        if scene.aws.wait_for_held(step) {
            break true;
        }
        if child.try_wait().unwrap().is_some() {
            break false;
        }
        waited += step;
        assert!(waited < PATIENCE, "neither request {number} nor an end");
    };
    if is_held {
        child.kill().unwrap();
    }
    child.wait().unwrap();
    scene.aws.release();
    is_held
}

/// Runs a case for each request, on several threads; returns how many requests there were.
fn each_request(case: impl Fn(usize, Moment) -> bool + Sync) -> usize {
    let (next, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    assert!(number < MOST, "more than {MOST} requests");
                    let before = case(number, Moment::Before);
                    let after = case(number, Moment::After);
                    assert_eq!(before, after, "request {number}");
                    if !before {
                        return;
                    }
                    most.fetch_max(number + 1, Ordering::Relaxed);
                }
            });
        }
    });
    most.load(Ordering::Relaxed)
}

#[test]
fn attach_killed_at_any_request() {
    let attach = ["attach", POOL, "--function", FUNCTION, "--yes"];
    let requests = each_request(|number, moment| {
        let scene = Scene::with_pool();
        let before = scene.aws.settings(POOL);
        let attached = Scene::with_trigger(&before, Some(FUNCTION));
        let had_request = kill_at(&scene, &attach, number, moment);
        let after = scene.aws.settings(POOL);
        let at = format!("{number} {moment:?}");
        assert!([&before, &attached].contains(&&after), "{at}: {after}");
        if after == attached {
            assert_eq!(scene.snapshots().len(), 1, "{at}");
        }
        // What is left may be restored, and the command run again.
        if let Some(snapshot) = scene.snapshots().first() {
            let snapshot = snapshot.to_str().unwrap();
            scene.run(&["restore", snapshot, "--yes"]).with(0);
            assert_eq!(scene.aws.settings(POOL), before, "{at}");
        }
        scene.attach(&[]).with(0);
        assert_eq!(scene.aws.settings(POOL), attached, "{at}");
        had_request
    });
    assert_eq!(requests, 10);
}

#[test]
fn detach_killed_at_any_request() {
    let detach = ["detach", POOL, "--function", FUNCTION, "--yes"];
    let requests = each_request(|number, moment| {
        let scene = Scene::with_pool();
        let before = scene.aws.settings(POOL);
        scene.attach(&[]).with(0);
        let attached = scene.aws.settings(POOL);
        let had_request = kill_at(&scene, &detach, number, moment);
        let after = scene.aws.settings(POOL);
        let at = format!("{number} {moment:?}");
        assert!([&before, &attached].contains(&&after), "{at}: {after}");
        scene.detach(&[]).with(0);
        assert_eq!(scene.aws.settings(POOL), before, "{at}");
        had_request
    });
    assert_eq!(requests, 7);
}

/// A server that loses MFA and tags, and a command that is killed while it puts them back:
/// the snapshot has them.
#[test]
fn the_way_back_killed_at_any_request() {
    let attach = ["attach", POOL, "--function", FUNCTION, "--yes"];
    let requests = each_request(|number, moment| {
        let scene = Scene::with_pool();
        let before = scene.aws.settings(POOL);
        let lost = [Fault::LoseMfa, Fault::Lose("/pool/UserPoolTags")];
        for fault in lost {
            scene.aws.on(POOL, "UpdateUserPool", 0..1, fault);
        }
        let had_request = kill_at(&scene, &attach, number, moment);
        let at = format!("{number} {moment:?}");
        if let Some(snapshot) = scene.snapshots().first() {
            // Of an attachment that had no update yet, the faults are still to come.
            scene.aws.change(POOL, |pool| {
                pool.faults = super::server::fault::Faults::default();
            });
            let snapshot = snapshot.to_str().unwrap();
            scene.run(&["restore", snapshot, "--yes"]).with(0);
        }
        assert_eq!(scene.aws.settings(POOL), before, "{at}");
        had_request
    });
    assert!(requests > 9, "{requests}");
}

/// Ctrl-C: the pool in hand is finished, and the rest is left.
#[test]
fn an_interrupt_finishes_the_pool_in_hand() {
    let scene = Scene::with_pool();
    let other = "eu-west-1_Zz99Zz99Z";
    scene.add(super::rich(other));
    let before = [scene.aws.settings(POOL), scene.aws.settings(other)];
    let attach = ["attach", POOL, other, "--function", FUNCTION, "--yes"];
    // Policy, and for each pool a look and its stack; then the first pool's second look.
    scene.aws.hold(9, Moment::After);
    let child = scene.command(&attach).spawn().unwrap();
    assert!(scene.aws.wait_for_held(PATIENCE));
    let interrupt = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    // The signal is there before the answer, whose connection ends.
    thread::sleep(Duration::from_millis(200));
    scene.aws.release();
    let text = super::ran(child.wait_with_output().unwrap()).with(1);
    let attached = Scene::with_trigger(&before[0], Some(FUNCTION));
    assert_eq!(scene.aws.settings(POOL), attached, "{text}");
    assert_eq!(scene.aws.settings(other), before[1], "{text}");
    assert!(text.contains(other), "{text}");
}
