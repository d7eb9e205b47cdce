//! `poolhook pools detach` removes poolhook's function alone.

use super::{ALIAS, FUNCTION, OTHER_FUNCTION, POOL, Scene};

#[test]
fn another_functions_pool_is_left() {
    let scene = Scene::with_pool();
    scene.detach(&[]).with(0);
    scene.aws.change(POOL, |pool| {
        pool.set_trigger("PostConfirmation", OTHER_FUNCTION);
    });
    let before = scene.aws.settings(POOL);
    let text = scene.detach(&[]).with(0);
    assert!(text.contains(OTHER_FUNCTION), "{text}");
    assert_eq!(scene.aws.settings(POOL), before);
    assert_eq!(scene.aws.writes(POOL), 0);
}

#[test]
fn nothing_is_written_without_yes_or_in_a_dry_run() {
    let scene = Scene::with_pool();
    scene.attach(&[]).with(0);
    let before = scene.aws.settings(POOL);
    scene.run(&["detach", POOL, "--function", FUNCTION]).with(1);
    let text = scene.detach(&["--dry-run"]).with(0);
    assert!(text.contains("PostConfirmation"), "{text}");
    assert_eq!(scene.aws.settings(POOL), before);
    assert_eq!(scene.aws.writes(POOL), 1);
    assert_eq!(scene.snapshots().len(), 1);
}

#[test]
fn what_attach_replaced_is_put_back_if_it_exists() {
    let scene = Scene::with_pool();
    scene.aws.add_function(OTHER_FUNCTION);
    let before = scene.aws.settings(POOL);
    let replace = || {
        scene.aws.change(POOL, |pool| {
            pool.set_trigger("PostConfirmation", OTHER_FUNCTION);
        });
        scene.attach(&["--replace"]).with(0);
    };
    replace();
    scene.detach(&[]).with(0);
    assert_eq!(scene.aws.trigger(POOL).as_deref(), Some(OTHER_FUNCTION));

    replace();
    scene.aws.remove_function(OTHER_FUNCTION);
    let text = scene.detach(&[]).with(0);
    assert!(text.contains(OTHER_FUNCTION), "{text}");
    assert_eq!(scene.aws.settings(POOL), before);
}

#[test]
fn the_function_replaced_before_a_move_is_put_back() {
    let scene = Scene::with_pool();
    scene.aws.add_function(OTHER_FUNCTION);
    scene.aws.add_function(ALIAS);
    scene.aws.change(POOL, |pool| {
        pool.set_trigger("PostConfirmation", OTHER_FUNCTION);
    });
    let before = scene.aws.settings(POOL);
    scene.attach(&["--replace"]).with(0);
    scene
        .run(&["attach", POOL, "--yes", "--function", ALIAS])
        .with(0);
    scene.detach(&[]).with(0);
    assert_eq!(scene.aws.settings(POOL), before);
}

/// A later attachment that replaced nothing is what counts.
#[test]
fn an_older_replacement_does_not_come_back() {
    let scene = Scene::with_pool();
    scene.aws.add_function(OTHER_FUNCTION);
    let before = scene.aws.settings(POOL);
    scene.aws.change(POOL, |pool| {
        pool.set_trigger("PostConfirmation", OTHER_FUNCTION);
    });
    scene.attach(&["--replace"]).with(0);
    scene.detach(&[]).with(0);
    scene.aws.change(POOL, |pool| {
        let config = pool.described["LambdaConfig"].as_object_mut().unwrap();
        config.remove("PostConfirmation");
    });
    scene.attach(&[]).with(0);
    scene.detach(&[]).with(0);
    assert_eq!(scene.aws.settings(POOL), before);
}

#[test]
fn without_a_snapshot_it_says_what_it_cannot_know() {
    let scene = Scene::with_pool();
    let before = scene.aws.settings(POOL);
    scene
        .aws
        .change(POOL, |pool| pool.set_trigger("PostConfirmation", ALIAS));
    let text = scene.detach(&["--snapshots", "elsewhere"]).with(0);
    assert!(text.contains("elsewhere"), "{text}");
    assert_eq!(scene.aws.settings(POOL), before);
}
