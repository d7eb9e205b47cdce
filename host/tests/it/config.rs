//! Valid and invalid config files: `host/tests/config/<case>.toml`, and next to each the
//! expected result, which is rewritten if `POOLHOOK_BLESS` is set.

use std::{env, fs};

use poolhook::config::{Defaults, HostConfig, PoolConfig};
use poolhook::event::UserPoolId;

use crate::support::{POOL, TestFolder, block_on, files, tests};

#[test]
fn each_file_gives_the_expected_result() {
    let pool = UserPoolId::parse(POOL).unwrap();
    let mut differ = Vec::new();
    for case in files("config", "toml") {
        let text = fs::read_to_string(tests(&format!("config/{case}.toml"))).unwrap();
        let file = format!("{case}.toml");
        let got = match PoolConfig::parse(&pool, &Defaults::default(), &file, &text) {
            Ok(config) => format!("{config:#?}\n"),
            Err(error) => format!("{}\n{error}\n", error.name()),
        };
        let beside = tests(&format!("config/{case}.expected"));
        if env::var_os("POOLHOOK_BLESS").is_some() {
            fs::write(&beside, &got).unwrap();
        }
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        if got != expected {
            differ.push(format!("{case}: got\n{got}expected\n{expected}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// No mistake is told in the words of the parser's types.
#[test]
fn mistakes_are_told_in_the_words_of_a_config() {
    let pool = UserPoolId::parse(POOL).unwrap();
    let said = |text: &str| {
        let config = PoolConfig::parse(&pool, &Defaults::default(), "f", text);
        config.unwrap_err().to_string()
    };
    let one_of = "must be \"accept\" or \"reject\"";
    for (line, says) in [
        ("on-failure = true", format!("2:14: on-failure: {one_of}, not true")),
        ("on-failure = 'acept'", format!("{one_of}, not the text \"acept\"; did you mean \"accept\"?")),
        ("write = 'upsert'", "write: must be \"create\" or \"replace\", not the text \"upsert\"".to_owned()),
        ("triggers = 'PostConfirmation_ConfirmSignUp'", "triggers: must be a list of texts, such as [\"one\", \"two\"], not the text \"PostConfirmation_ConfirmSignUp\"".to_owned()),
        ("triggers = [1]", "triggers: must be a list of texts".to_owned()),
        ("limits.fuel = 'lots'", "2:15: limits.fuel: must be a whole number, without quotes, not the text \"lots\"".to_owned()),
        ("limits.fuel = 1.5", "limits.fuel: must be a whole number, without quotes, not the number 1.5".to_owned()),
        ("limits = 5", "limits: must be a table, such as [header] and keys below it, not the number 5".to_owned()),
        ("key = 'id'", "key: must be a table".to_owned()),
        ("key.sort = 'SK'", "key.sort: must be a table".to_owned()),
        ("settings = ['a']", "settings: must be a table, such as [header] and keys below it, not a list".to_owned()),
        ("region = 5", "region: must be text in quotes, not the number 5".to_owned()),
        ("plugin = 2026-11-23", "plugin: must be text in quotes, not the date 2026-11-23".to_owned()),
        ("shared = 'yes'", "shared: must be true or false, without quotes, not the text \"yes\"".to_owned()),
        ("tabel = 'User'", "2:1: tabel: unknown key; did you mean `table`?".to_owned()),
        ("on_failure = 'accept'", "on_failure: unknown key; did you mean `on-failure`?".to_owned()),
        ("onFailure = 'accept'", "did you mean `on-failure`?".to_owned()),
        ("limits.memory_bytes = 1", "limits.memory_bytes: unknown key; did you mean `memory-bytes`?".to_owned()),
        ("key.equal = '{userName}'", "key.equal: unknown key; did you mean `equals`?".to_owned()),
        ("zebra = 1", "zebra: unknown key; the keys here are `table`, `region`, `key`,".to_owned()),
        ("table = 'Again'", "2:1: table: is set again; it is set in line 1 already".to_owned()),
        ("[limits]\nfuel = 1\nfuel = 2", "4:1: fuel: is set again; it is set in line 3 already".to_owned()),
        ("[key]\nattribute = 'id'\n[limits]\nfuel = 1\n[key]", "6:2: key: is set again; it is set in line 2 already".to_owned()),
    ] {
        let said = said(&format!("table = 'User'\n{line}"));
        assert!(said.contains(&says), "{line}: {said}");
        for word in ["expected", "invalid type", "unknown field", "unknown variant", "i64"] {
            assert!(!said.contains(word), "{line}: {said}");
        }
    }
}

#[test]
fn a_pools_file_overrides_the_defaults() {
    let defaults = "
        table = 'Shared'
        region = 'eu-west-1'
        key = { attribute = 'pk', equals = '{userPoolId}#{userName}' }
        write = 'replace'
        settings = { a = 1, b = 2 }
        limits = { fuel = 5, log-bytes = 6 }";
    let own = "
        key = { attribute = 'sk' }
        settings = { c = 3 }
        limits = { fuel = 7 }";
    let defaults = Defaults::parse("defaults.toml", defaults).unwrap();
    let pool = UserPoolId::parse(POOL).unwrap();
    let config = PoolConfig::parse(&pool, &defaults, "pool.toml", own).unwrap();
    assert_eq!(config.table.name.as_str(), "Shared");
    assert_eq!(config.table.region, "eu-west-1");
    assert_eq!(config.table.partition_key, "sk");
    assert_eq!(config.settings.as_json(), r#"{"c":3}"#);
    assert_eq!((config.limits.fuel, config.limits.log_bytes), (7, 6));
    assert_eq!(config.limits.time_ms, 500);
}

#[test]
fn an_invalid_file_affects_only_its_own_pool() {
    let folder = TestFolder::with_sample_pools();
    folder.configure(POOL, "tabel = 'User'");
    let pools = folder.pools().unwrap();
    let get = |id| {
        let pool = UserPoolId::parse(id).unwrap();
        block_on(pools.get(&pool)).map_err(|error| error.name())
    };
    assert_eq!(get(POOL).unwrap_err(), "Config.Invalid");
    assert!(get(crate::support::OTHER_POOL).is_ok());
    assert_eq!(get("eu-west-1_Nobody").unwrap_err(), "Config.UnknownPool");

    fs::remove_dir_all(folder.config()).unwrap();
    let nowhere = folder.pools().map(|_| ()).unwrap_err();
    assert_eq!(nowhere.name(), "Blobs.Unavailable");
}

#[test]
fn the_hosts_file_applies_to_all_pools() {
    let folder = TestFolder::with_sample_pools();
    assert_eq!(
        *folder.pools().unwrap().host_config(),
        HostConfig::default()
    );
    let text =
        "refresh-seconds = 3\nplugins.memory-bytes = 2_000_000\n[publish]\ncompile-seconds = 7";
    folder.configure("host", text);
    let pools = folder.pools().unwrap();
    let config = pools.host_config();
    assert_eq!(
        (config.refresh_seconds, config.plugin_memory_bytes),
        (3, 2_000_000)
    );
    assert_eq!(config.publish.compile_seconds, 7);
    assert_eq!(block_on(pools.list()).unwrap().len(), 2);

    folder.configure("host", "refresh-seconds = 0\nplugin = {}");
    let wrong = folder.pools().map(|_| ()).unwrap_err();
    assert_eq!(wrong.name(), "Config.Invalid");
    assert!(
        wrong
            .text()
            .contains("host.toml:1:19: refresh-seconds: must be from 1"),
        "{wrong}"
    );
    assert!(
        wrong
            .text()
            .contains("host.toml:2:1: plugin: unknown key; did you mean `plugins`?"),
        "{wrong}"
    );
}
