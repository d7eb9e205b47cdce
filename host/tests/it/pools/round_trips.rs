//! Random pools through `poolhook pools attach` and `detach`: as before, to the byte of the
//! canonical JSON, or refused before any change.
//!
//! `POOLHOOK_POOLS` is their number, `POOLHOOK_SEED` the seed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::random::{CARRIED, Random};
use super::server::Document;
use super::server::fault::Fault;
use super::server::pool::Pool;
use super::server::pool::update::{FIELDS, default_of};
use super::{FUNCTION, Scene};
use crate::random::from_env;

/// Each command has a pace of its own, so several commands are quicker than one.
const COMMANDS: usize = 16;

fn pools(count: u64) -> Vec<Random> {
    let seed = from_env("POOLHOOK_SEED", 1);
    eprintln!("POOLHOOK_POOLS={count} POOLHOOK_SEED={seed}");
    (0..count).map(|number| Random::new(seed, number)).collect()
}

#[test]
fn random_pools_are_as_before_or_untouched() {
    let scene = Scene::new();
    let pools = pools(from_env("POOLHOOK_POOLS", 256));
    for random in &pools {
        scene.add(random.pool.clone());
    }
    let settings = || pools.iter().map(|random| scene.aws.settings(&random.id));
    let before: Vec<_> = settings().collect();

    let texts = each(&scene, "attach", &pools, |random| random.strange.is_some());
    let mut wrong = Vec::new();
    for (random, before) in pools.iter().zip(&before) {
        let id = &random.id;
        let (after, writes) = (scene.aws.settings(id), scene.aws.writes(id));
        let (text, strange) = (line(&texts, id), random.strange);
        let is_right = match strange {
            None => after == Scene::with_trigger(before, Some(FUNCTION)) && writes == 1,
            Some(it) => &after == before && writes == 0 && text.contains(it.field()),
        };
        if !is_right {
            wrong.push(format!("{strange:?}, {writes} writes: {text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    each(&scene, "detach", &pools, |_| false);
    for ((random, before), after) in pools.iter().zip(&before).zip(settings()) {
        assert_eq!(&after, before, "{}", random.id);
    }
}

/// A server that resets one setting of each pool, whichever it is: it comes back.
#[test]
fn what_random_pools_lose_is_put_back() {
    let scene = Scene::new();
    let mut pools = pools(from_env("POOLHOOK_POOLS", 128));
    pools.retain(|random| random.strange.is_none());
    let fields = FIELDS.iter().copied();
    // Policies survive any update, our trigger is in `LambdaConfig`, and only AWS puts its own
    // tags back.
    let others = [
        "LambdaConfig",
        "MfaConfiguration",
        "Policies",
        "UserPoolTags",
    ];
    let fields: Vec<_> = fields.filter(|field| !others.contains(field)).collect();
    let mut lost = BTreeMap::new();
    for (number, random) in pools.iter().enumerate() {
        scene.add(random.pool.clone());
        let described = &random.pool.described;
        let mut shown = fields.clone();
        shown.retain(|field| {
            let value = described.get(*field);
            value.is_some() && value != default_of(field).as_ref()
        });
        if shown.is_empty() {
            continue;
        }
        let field = shown[number % shown.len()];
        let fault = Fault::LoseField(field);
        scene.aws.on(&random.id, "UpdateUserPool", 0..1, fault);
        lost.insert(random.id.clone(), field);
    }
    let settings = || pools.iter().map(|random| scene.aws.settings(&random.id));
    let before: Vec<_> = settings().collect();
    let has_lost = |random: &Random| lost.contains_key(&random.id);
    let texts = each(&scene, "attach", &pools, has_lost);
    let mut wrong = Vec::new();
    for ((random, before), after) in pools.iter().zip(before).zip(settings()) {
        if after != Scene::with_trigger(&before, Some(FUNCTION)) {
            let (field, text) = (lost.get(&random.id), line(&texts, &random.id));
            wrong.push(format!("{field:?}: {text}\n{before}\n{after}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(lost.len() > pools.len() / 2, "{lost:?}");
}

/// Runs the command for all pools, by several processes; returns what they said. A process
/// fails if it `fails` for a pool.
fn each(scene: &Scene, command: &str, pools: &[Random], fails: impl Fn(&Random) -> bool) -> String {
    let size = pools.len().div_ceil(COMMANDS);
    let begin = |pools: &[Random]| {
        let mut child = scene.command(&[command]);
        child.args(["--function", FUNCTION, "--yes", "--carry", CARRIED]);
        child.args(pools.iter().map(|random| &random.id));
        child.spawn().unwrap()
    };
    let children: Vec<_> = pools
        .chunks(size)
        .map(|pools| (pools, begin(pools)))
        .collect();
    let end = |(pools, child): (&[Random], std::process::Child)| {
        let ran = super::ran(child.wait_with_output().unwrap());
        ran.with(pools.iter().any(&fails).into())
    };
    children.into_iter().map(end).collect()
}

/// The line about a pool in the table at the end.
fn line<'a>(text: &'a str, pool: &str) -> &'a str {
    let mut lines = text.lines().filter(|line| line.contains(pool));
    lines
        .next_back()
        .unwrap_or_else(|| panic!("{pool} in {text}"))
}

/// The test's pools are states of its server: an update with all of a pool's settings leaves
/// it as it is, and one without resets most of them.
#[test]
fn random_pools_are_the_servers_own() {
    let mut reset = BTreeMap::new();
    for random in pools(500) {
        if random.strange.is_some() {
            continue;
        }
        let before = random.pool;
        let mut pool = before.clone();
        let request = exact(&pool);
        pool.update(&request)
            .unwrap_or_else(|why| panic!("{}: {why:?}", random.id));
        assert_eq!(pool.settings().to_string(), before.settings().to_string());
        assert_eq!(pool.mfa().to_string(), before.mfa().to_string());

        let mfa = pool.mfa().as_object().unwrap().clone();
        pool.set_mfa(&mfa)
            .unwrap_or_else(|why| panic!("{}: {why:?}", random.id));
        assert_eq!(pool.settings().to_string(), before.settings().to_string());
        assert_eq!(pool.mfa().to_string(), before.mfa().to_string());

        let mut off = Document::new();
        off.insert("MfaConfiguration".to_owned(), "OFF".into());
        pool.update(&off).unwrap();
        for (field, value) in &before.described {
            let is_reset = pool.described.get(field) != Some(value);
            *reset.entry(field.clone()).or_insert(0) += usize::from(is_reset);
        }
    }
    let survives = |field: &&str| reset.get(*field).is_none_or(|times| *times == 0);
    let fields = FIELDS.iter().copied();
    let survivors: Vec<_> = fields.filter(survives).collect();
    assert_eq!(survivors, ["Policies"], "{reset:?}");
}

/// The request that leaves the pool as it is.
fn exact(pool: &Pool) -> Document {
    let mut request = pool.described.clone();
    request.retain(|field, _| FIELDS.contains(&field.as_str()) || field == CARRIED);
    let template = pool.described["VerificationMessageTemplate"].clone();
    request.insert("VerificationMessageTemplate".to_owned(), template);
    let policy = &pool.described["Policies"]["PasswordPolicy"];
    if policy.get("TemporaryPasswordValidityDays").is_some()
        && let Some(Value::Object(config)) = request.get_mut("AdminCreateUserConfig")
    {
        config.remove("UnusedAccountValidityDays");
    }
    if request["UserPoolTier"] == "LITE" {
        request.remove("AcrConfiguration");
    }
    if let Some(Value::Object(tags)) = request.get_mut("UserPoolTags") {
        tags.retain(|tag, _| !tag.starts_with("aws:"));
    }
    request
}
