//! Damaged releases and rejected uploads: each has a named error, none of it runs, and the live
//! release stays live.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use poolhook::blobs::Key;
use poolhook::config::{PluginName, PluginRef, PublishLimits, Settings};
use poolhook::digest::Sha256;
use poolhook::plugin::{ArtifactFiles, ENGINE, TARGET, precompile};
use poolhook::publish::{Checker, PublishError, Published, Publisher, Rebuilt, Rejected, Upload};
use poolhook::releases::{Rejection, artifact_key, live_key, release_key, uploaded_plugin};

use crate::hostile::{default_plugin, hostile, plugin_name};
use crate::release_fixtures::{
    ACME, Fault, Lab, at, entry, from_wat, large_mapper, machine_code, mapper, upload,
};
use crate::support::{POOL, event, failure};

/// The damage, the failure's name, a part of its text, and how to cause the damage.
type Tampered = (&'static str, &'static str, &'static str, fn(&Lab));

const TAMPERED: [Tampered; 18] = [
    ("a flipped byte", "Plugin.ArtifactAltered", REBUILD, |lab| {
        edit(&code_file(lab), |code| {
            let middle = code.len() / 2;
            code[middle] ^= 1;
        });
    }),
    (
        "the end cut off",
        "Plugin.ArtifactAltered",
        REBUILD,
        |lab| {
            edit(&code_file(lab), |code| code.truncate(code.len() - 1));
        },
    ),
    (
        "an empty artifact",
        "Plugin.ArtifactAltered",
        REBUILD,
        |lab| edit(&code_file(lab), Vec::clear),
    ),
    (
        "another component's artifact",
        "Plugin.ArtifactAltered",
        REBUILD,
        |lab| {
            let other = precompile(&hostile("no-item")).unwrap();
            edit(&code_file(lab), |code| *code = other);
        },
    ),
    ("no artifact", "Plugin.ArtifactMissing", REBUILD, |lab| {
        fs::remove_file(code_file(lab)).unwrap();
    }),
    ("another wasmtime", "Plugin.OtherEngine", REBUILD, |lab| {
        name_code(lab, &patched(ENGINE, "wasmtime-48.0.9"));
    }),
    ("another target", "Plugin.OtherEngine", REBUILD, |lab| {
        let (machine, _) = TARGET.split_once('-').unwrap();
        name_code(lab, &patched(machine, "sparc"));
    }),
    (
        "half an artifact, as if it were the whole",
        "Plugin.OtherEngine",
        REBUILD,
        |lab| {
            let code = machine_code();
            name_code(lab, &code[..code.len() / 2]);
        },
    ),
    (
        "no machine code at all",
        "Plugin.OtherEngine",
        REBUILD,
        |lab| name_code(lab, b"#!/bin/sh\n"),
    ),
    (
        "for other engines only",
        "Plugin.NoArtifact",
        REBUILD,
        |lab| {
            let mut release = lab.lay(ACME, &mapper(0), &machine_code());
            let code = machine_code();
            let other = "wasmtime-36.0.2-0123456789abcdef";
            release.artifacts = vec![
                entry(other, TARGET, &code),
                entry(ENGINE, "riscv64gc-unknown-linux-gnu", &code),
            ];
            lab.put_release(&release);
        },
    ),
    (
        "no such release",
        "Plugin.NoSuchRelease",
        "`poolhook plugin show acme`",
        |lab| lab.put_live(ACME, Sha256::of(b"nothing")),
    ),
    (
        "another plugin's component",
        "Plugin.NoSuchRelease",
        "`poolhook plugin show acme`",
        |lab| {
            let theirs = lab.lay("theirs", &mapper(7), &machine_code());
            lab.put_live(ACME, theirs.sha256);
        },
    ),
    (
        "another plugin's release in its folder",
        "Plugin.DamagedRelease",
        "the release of another component",
        |lab| {
            let mut release = lab.lay(ACME, &mapper(0), &machine_code());
            release.plugin = plugin_name("theirs");
            let key = release_key(&plugin_name(ACME), release.sha256);
            lab.put(&key, serde_json::to_vec(&release).unwrap());
        },
    ),
    (
        "another component's release in its folder",
        "Plugin.DamagedRelease",
        "the release of another component",
        |lab| {
            let right = Sha256::of(&mapper(0));
            let wrong = lab.lay(ACME, &mapper(7), &machine_code());
            lab.put_live(ACME, right);
            let key = release_key(&plugin_name(ACME), right);
            lab.put(&key, serde_json::to_vec(&wrong).unwrap());
        },
    ),
    (
        "a release that is no JSON",
        "Plugin.DamagedRelease",
        "is not what poolhook has written there",
        |lab| {
            let key = release_key(&plugin_name(ACME), Sha256::of(&mapper(0)));
            lab.put(&key, b"{\"plugin\": \"acme\", ".to_vec());
        },
    ),
    (
        "a pointer that is no JSON",
        "Plugin.DamagedRelease",
        "is not what poolhook has written there",
        |lab| lab.put(&live_key(&plugin_name(ACME)), b"\xff\0../../etc".to_vec()),
    ),
    (
        "a pointer to no digest",
        "Plugin.DamagedRelease",
        "64 lower-case hexadecimal digits",
        |lab| {
            let pointer =
                br#"{"sha256": "../../../etc/passwd", "since": "2026-11-23T09:06:52.045Z"}"#;
            lab.put(&live_key(&plugin_name(ACME)), pointer.to_vec());
        },
    ),
    (
        "a pointer of 2 MB",
        "Blobs.TooLarge",
        "at most 1048576 are read",
        |lab| lab.put(&live_key(&plugin_name(ACME)), vec![b' '; 2 << 20]),
    ),
];

const REBUILD: &str = "`poolhook plugin rebuild`";

#[test]
fn tampered_releases_do_not_run_and_publishing_again_fixes_them() {
    for (case, name, says, tamper) in TAMPERED {
        let lab = Lab::new();
        lab.lay(ACME, &mapper(0), &machine_code());
        tamper(&lab);

        let host = lab.host();
        let report = lab.handle(&host, &event("confirm-sign-up"));
        let refused = report.outcome.as_ref().expect_err(case);
        assert_eq!(refused.name(), name, "{case}: {}", refused.text());
        assert!(refused.text().contains(says), "{case}: {}", refused.text());
        assert_eq!((report.trace.fuel, report.trace.micros.plugin), (0, None));
        assert!(lab.folder.items("User").is_empty(), "{case}");
        if name != "Plugin.OtherEngine" {
            let cached = fs::read_dir(lab.cache()).unwrap().count();
            assert_eq!(cached, 0, "{case}: what is not right was kept");
        }

        let other = lab.handle(&host, &event("other-pool"));
        assert_eq!(other.outcome_name(), "written", "{case}");

        lab.publish_version(0, at(1));
        assert_eq!(lab.mapped_with(), Sha256::of(&mapper(0)), "{case}");
        // The host that rejected it loads it again by itself: failures are not cached.
        let report = lab.handle(&host, &event("confirm-sign-up"));
        assert!(report.outcome.is_ok(), "{case}: {:?}", report.outcome);
    }
}

#[test]
fn a_pin_loads_exactly_its_component() {
    let lab = Lab::new();
    lab.lay(ACME, &mapper(1), &machine_code());
    lab.lay(ACME, &mapper(2), &machine_code());
    let theirs = lab.lay("theirs", &mapper(3), &machine_code());
    let pin = |digest: Sha256| {
        let pinned = format!("table = 'User'\nplugin = 'acme@sha256:{digest}'");
        lab.folder.configure(POOL, &pinned);
    };
    pin(Sha256::of(&mapper(1)));
    assert_eq!(lab.mapped_with(), Sha256::of(&mapper(1)));
    for digest in [theirs.sha256, Sha256::of(b"nothing")] {
        pin(digest);
        assert_eq!(failure(&lab.sign_up()), "Plugin.NoSuchRelease");
    }
    // A built-in plugin has no releases, so a pin of one cannot be loaded.
    let pinned = format!(
        "table = 'User'\nplugin = 'default@sha256:{}'",
        theirs.sha256
    );
    lab.folder.configure(POOL, &pinned);
    assert_eq!(failure(&lab.sign_up()), "Plugin.NoSuchRelease");
}

#[test]
fn rebuild_fixes_missing_and_damaged_artifacts() {
    let tampers: [fn(&Lab); 3] = [
        |lab| edit(&code_file(lab), |code| code.truncate(9)),
        |lab| fs::remove_file(code_file(lab)).unwrap(),
        |lab| {
            let mut release = lab.lay(ACME, &mapper(0), &machine_code());
            release.artifacts = vec![entry("wasmtime-36.0.2", TARGET, &machine_code())];
            lab.put_release(&release);
        },
    ];
    for tamper in tampers {
        let lab = Lab::new();
        lab.lay(ACME, &mapper(0), &machine_code());
        tamper(&lab);
        let (acme, digest) = (plugin_name(ACME), Sha256::of(&mapper(0)));
        let releases = lab.releases();
        let rebuild = || {
            let release = lab.runtime.block_on(releases.release(&acme, digest));
            let publisher = lab.publisher();
            let rebuilt = publisher.rebuild(release.as_ref().unwrap());
            match lab.runtime.block_on(rebuilt).unwrap() {
                Rebuilt::Now => true,
                Rebuilt::Already => false,
                Rebuilt::Rejected(rejected) => panic!("{rejected}"),
            }
        };
        assert!(rebuild());
        assert_eq!(lab.mapped_with(), digest);
        assert!(!rebuild(), "what is whole was made again");
    }
    // Rebuild cannot fix a component that differs from its digest.
    let lab = Lab::new();
    let release = lab.lay(ACME, &mapper(0), &machine_code());
    fs::remove_file(code_file(&lab)).unwrap();
    let component = lab.folder.path().join("poolhook.blobs/artifacts");
    let component = component.join(release.sha256.to_string());
    fs::write(component.join("component.wasm"), mapper(1)).unwrap();
    let publisher = lab.publisher();
    let rebuilt = lab.runtime.block_on(publisher.rebuild(&release));
    assert_eq!(rebuilt.unwrap_err().name(), "Plugin.DamagedRelease");
}

#[test]
fn a_tampered_cache_file_is_downloaded_again() {
    let lab = Lab::new();
    let release = lab.lay(ACME, &mapper(0), &machine_code());
    let file = lab
        .cache()
        .join(format!("{}.cwasm", release.artifacts[0].blake3));
    lab.mapped_with();
    assert_eq!(fs::read(&file).unwrap(), machine_code());
    let mode = fs::metadata(&file).unwrap().mode();
    assert_eq!(mode & 0o777, 0o400, "{mode:o}");

    let tampers: [fn(&mut Vec<u8>); 3] = [
        |code| code[100] ^= 1,
        |code| code.truncate(1000),
        |code| *code = precompile(&hostile("no-item")).unwrap(),
    ];
    for tamper in tampers {
        edit(&file, tamper);
        lab.blobs.reads();
        assert_eq!(lab.mapped_with(), release.sha256);
        assert_eq!(lab.blobs.code_reads(), 1);
        assert_eq!(fs::read(&file).unwrap(), machine_code(), "not mended");
    }
    // If no file can be written, the code is loaded anyway.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_eq!(lab.mapped_with(), release.sha256);
}

#[test]
fn another_users_cache_folder_is_rejected() {
    let lab = Lab::new();
    let folder = |name: &str| {
        let folder = lab.folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        folder
    };
    let open = |folder: &Path| ArtifactFiles::open(folder, 1 << 20).map(|_| ());

    let own = folder("own");
    open(&own).unwrap();
    let to_all = folder("to-all");
    fs::set_permissions(&to_all, fs::Permissions::from_mode(0o777)).unwrap();
    let to_a_group = folder("to-a-group");
    fs::set_permissions(&to_a_group, fs::Permissions::from_mode(0o770)).unwrap();
    let link = lab.folder.path().join("link");
    symlink(&own, &link).unwrap();
    let file = lab.folder.path().join("file");
    fs::write(&file, "").unwrap();
    // Only root can give a folder away; for other users, the root folder is another user's.
    let others = folder("others");
    let others = match chown(&others, Some(4321), None) {
        Ok(()) => others,
        Err(_) => PathBuf::from("/"),
    };
    for refused in [to_all, to_a_group, link, file, others] {
        let error = open(&refused).expect_err(&refused.display().to_string());
        assert!(error.to_string().contains("the user alone"), "{error}");

        let folder = refused.to_str().unwrap();
        let event = crate::support::tests("events/confirm-sign-up.json");
        let run = ["run", "--cache", folder, event.to_str().unwrap()];
        let run = lab.folder.poolhook(&run);
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("cannot use {folder}")), "{said}");
    }
    // A new folder is accessible only to its owner.
    let new = lab.folder.path().join("new");
    open(&new).unwrap();
    assert_eq!(fs::metadata(&new).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn names_cannot_escape_the_folder() {
    let lab = Lab::new();
    let wasm = lab.folder.path().join("mapper.wasm");
    fs::write(&wasm, mapper(0)).unwrap();
    let outside = lab.folder.path().join("poolhook.blobs/uploads");
    let before = files(lab.folder.path());
    let long = "a".repeat(65);
    for name in [
        "../x",
        "acme/../../x",
        "/x",
        "Acme",
        "a b",
        "a_b",
        ".",
        "",
        "é",
        &long,
    ] {
        assert!(PluginName::try_from(name.to_owned()).is_err(), "{name}");
        assert!(PluginRef::try_from(name.to_owned()).is_err(), "{name}");

        for file in [
            lab.folder
                .poolhook(&["plugin", "publish", "mapper.wasm", "--name", name]),
            lab.folder.poolhook(&["plugin", "show", name]),
            lab.folder.poolhook(&["plugin", "rollback", name]),
        ] {
            let said = String::from_utf8(file.stderr).unwrap();
            assert_eq!(file.status.code(), Some(2), "{name}: {said}");
        }

        let key = format!("uploads/{name}/mapper.wasm");
        if let Ok(key) = Key::try_from(key) {
            assert_eq!(uploaded_plugin(&key), None, "{name}");
            let publisher = lab.publisher();
            let handled = publisher.publish_upload(&key, None);
            assert!(lab.runtime.block_on(handled).unwrap().is_none(), "{name}");
        }
    }
    // Nor by the file's name.
    fs::rename(&wasm, lab.folder.path().join("My Mapper.wasm")).unwrap();
    let outcome = lab
        .folder
        .poolhook(&["plugin", "publish", "My Mapper.wasm"]);
    assert_eq!(outcome.status.code(), Some(2));
    fs::rename(lab.folder.path().join("My Mapper.wasm"), &wasm).unwrap();
    assert_eq!(files(lab.folder.path()), before);
    assert!(!outside.exists());

    for name in ["../x", "acme/../../x", "Acme"] {
        lab.folder
            .configure(POOL, &format!("table = 'User'\nplugin = '{name}'"));
        assert_eq!(failure(&lab.sign_up()), "Config.Invalid", "{name}");
    }
}

#[test]
fn a_rejected_upload_has_a_name_and_advice_and_changes_no_release() {
    let lab = Lab::new();
    lab.publish_version(1, at(1));
    let before = files(&lab.folder.path().join("poolhook.blobs"));
    let mut cases = vec![
        ("Plugin.NotAComponent", Vec::new(), "may have been cut off"),
        (
            "Plugin.NotAComponent",
            b"\0asm".to_vec(),
            "may have been cut off",
        ),
        (
            "Plugin.NotAComponent",
            b"(component)".to_vec(),
            "may have been cut off",
        ),
        (
            "Plugin.NotAComponent",
            hostile("core-module.component"),
            "not a core module",
        ),
        (
            "Plugin.ForbiddenImport",
            hostile("wasi-import.component"),
            "without WASI",
        ),
        (
            "Plugin.WrongWorld",
            hostile("wrong-world.component"),
            "wit/mapper.wit",
        ),
        (
            "Plugin.WrongWorld",
            hostile("newer-world.component"),
            "poolhook:mapper@0.1.0",
        ),
        (
            "Plugin.TooManyParts",
            hostile("too-many-memories"),
            "of fewer parts",
        ),
        ("Plugin.Trap", hostile("trap"), "`poolhook plugin run`"),
        (
            "Plugin.FuelLimit",
            hostile("endless-loop"),
            "`poolhook plugin run`",
        ),
        (
            "Item.BadNumber",
            hostile("bad-number"),
            "docs/plugins/README.md",
        ),
        ("Plugin.Refused", hostile("an-error"), "settings.json"),
    ];
    let whole = fs::read(default_plugin()).unwrap();
    for part in [3, 1, 2, 5, 9] {
        let cut = whole[..whole.len() * part / 10].to_vec();
        cases.push(("Plugin.NotAComponent", cut, "may have been cut off"));
    }
    for (number, (name, component, advice)) in cases.into_iter().enumerate() {
        let (bytes, sha256) = (component.len() as u64, Sha256::of(&component));
        let uploaded = at(10 + number as u64);
        let outcome = lab.publish(ACME, component, uploaded).unwrap();
        assert_eq!(rejected(outcome).name(), name);

        let rejection = rejection(&lab, ACME).unwrap();
        assert_eq!(rejection.error_type, name);
        assert_eq!(rejection.error_message.lines().count(), 1, "{rejection:?}");
        assert!(rejection.advice.contains(advice), "{rejection:?}");
        assert_eq!(rejection.uploaded, uploaded);
        assert_eq!((rejection.bytes, rejection.sha256), (bytes, Some(sha256)));
        assert_eq!(lab.live(ACME), Some(Sha256::of(&mapper(1))));
    }
    // The rejection is all that the upload leaves behind.
    let mut after = files(&lab.folder.path().join("poolhook.blobs"));
    after.retain(|file| file != "rejections/acme.json");
    assert_eq!(after, before);
    assert_eq!(lab.mapped_with(), Sha256::of(&mapper(1)));

    lab.publish_version(2, at(100));
    assert_eq!(rejection(&lab, ACME), None);
    assert_eq!(lab.mapped_with(), Sha256::of(&mapper(2)));
}

/// A tenant's bombs do not take the publisher from the others.
#[test]
fn a_plugin_waits_after_an_upload_that_used_up_the_limits() {
    let lab = Lab::new();
    let limits = PublishLimits {
        compile_seconds: 1,
        ..PublishLimits::default()
    };
    let publisher = lab.publisher_with(limits).with_pauses();
    let publish = |plugin: &str, component: &[u8], seconds| {
        let key = key_of(&format!("uploads/{plugin}/v1.wasm"));
        lab.put(&key, component.to_vec());
        let handled = publisher.publish_upload(&key, Some(at(seconds)));
        lab.runtime.block_on(handled).unwrap().unwrap().1
    };
    let bomb = large_mapper(60);
    assert_eq!(
        rejected(publish(ACME, &bomb, 1)).name(),
        "Upload.CompileTime"
    );
    let why = rejection(&lab, ACME).unwrap();
    let until = why.retry_after.unwrap();
    assert!(SystemTime::from(until) > SystemTime::now(), "{why:?}");

    // None of its further uploads is compiled, and they do not lengthen the pause.
    for seconds in 2..12 {
        let refused = rejected(publish(ACME, &bomb, seconds));
        assert_eq!(refused.name(), "Upload.TooSoon");
        assert!(
            refused.to_string().contains(&until.to_string()),
            "{refused}"
        );
    }
    assert_eq!(rejection(&lab, ACME).unwrap().retry_after, Some(until));
    let other = publish("other", &mapper(1), 3);
    assert!(matches!(other, Published::Live(_)), "{other:?}");

    let left = SystemTime::from(until).duration_since(SystemTime::now());
    thread::sleep(left.unwrap_or_default() + Duration::from_millis(50));
    let live = publish(ACME, &mapper(2), 20);
    assert!(matches!(live, Published::Live(_)), "{live:?}");
    assert_eq!(rejection(&lab, ACME), None);
}

/// An upload that its writer encrypted with a key of their own is rejected; a transient
/// refusal is tried again.
#[test]
fn an_upload_that_cannot_be_read_for_good_is_rejected() {
    let lab = Lab::new();
    lab.publish_version(1, at(0));
    let live = lab.live(ACME).unwrap();
    let key = Key::try_from(format!("uploads/{ACME}/v2.wasm")).unwrap();
    lab.put(&key, mapper(2));
    let upload = |seconds| {
        let publisher = lab.publisher();
        lab.runtime
            .block_on(publisher.publish_upload(&key, Some(at(seconds))))
    };
    for (seconds, code) in [
        (1, "InvalidRequest"),
        (2, "AccessDenied"),
        (3, "KMS.DisabledException"),
    ] {
        lab.blobs.set(Fault::Denied(code));
        let (_, published) = upload(seconds).unwrap().unwrap();
        let Published::Rejected(rejected) = published else {
            panic!("{published:?}");
        };
        assert_eq!(rejected.name(), "Upload.Unreadable", "{code}");
        let rejection = lab
            .runtime
            .block_on(lab.releases().rejection(&plugin_name(ACME)));
        let rejection = rejection.unwrap().unwrap();
        assert_eq!(rejection.error_type, "Upload.Unreadable");
        assert!(rejection.advice.contains("SSE-C"), "{}", rejection.advice);
        assert_eq!(lab.live(ACME), Some(live));
    }
    for code in ["ExpiredToken", "SignatureDoesNotMatch"] {
        lab.blobs.set(Fault::Denied(code));
        assert!(upload(4).is_err(), "{code}");
    }
    lab.blobs.set(Fault::None);
    assert!(matches!(upload(5), Ok(Some((_, Published::Live(_))))));
}

#[test]
fn errors_outside_the_component_have_names_too() {
    let lab = Lab::new();
    let limits = PublishLimits {
        component_bytes: 8 << 10,
        ..PublishLimits::default()
    };
    let publisher = lab.publisher_with(limits);
    let put = |key: &str, bytes: &[u8]| lab.put(&key_of(key), bytes.to_vec());
    let publish = |key: &str| {
        let key = key_of(key);
        let handled = publisher.publish_upload(&key, None);
        lab.runtime.block_on(handled).unwrap()
    };

    put("uploads/acme/big.wasm", &vec![0; (8 << 10) + 1]);
    let (_, outcome) = publish("uploads/acme/big.wasm").unwrap();
    assert_eq!(rejected(outcome).name(), "Upload.TooLarge");
    let why = rejection(&lab, ACME).unwrap();
    assert_eq!((why.bytes, why.sha256), ((8 << 10) + 1, None));
    assert!(why.advice.contains("publish.component-bytes"), "{why:?}");
    // The same by its content, not by its key.
    let large = upload(ACME, vec![0; (8 << 10) + 1], at(1));
    let outcome = lab.runtime.block_on(publisher.publish(&large)).unwrap();
    assert_eq!(rejected(outcome).name(), "Upload.TooLarge");

    put("uploads/default/v1.wasm", &mapper(1));
    let (_, outcome) = publish("uploads/default/v1.wasm").unwrap();
    assert_eq!(rejected(outcome).name(), "Upload.NameTaken");
    assert!(
        rejection(&lab, "default")
            .unwrap()
            .advice
            .contains("name of its own")
    );
    assert_eq!(lab.live("default"), None);

    // A plugin that needs settings is tried out with those uploaded next to it.
    let choosy = from_wat(
        r#"(func $to_item (param $user i32) (result i32)
             (select (i32.const 0) (i32.const 0x40)
               (i32.eq (i32.load offset=84 (local.get $user)) (i32.const 2))))
           (data (i32.const 0) "\01\00\00\00" "\20\00\00\00" "\0b\00\00\00")
           (data (i32.const 0x20) "no settings")
           (data (i32.const 0x40) "\00\00\00\00" "\01\00\00\00" "\20\00\00\00" "\00\00\00\00")"#,
    );
    put("uploads/acme/v1.wasm", &choosy);
    let (_, outcome) = publish("uploads/acme/v1.wasm").unwrap();
    assert_eq!(rejected(outcome).name(), "Plugin.Refused");
    let why = rejection(&lab, ACME).unwrap();
    assert!(why.error_message.contains("no settings"), "{why:?}");
    let too_much = format!("{{\"a\": \"{}\"}}", "a".repeat(256 << 10));
    for settings in [
        "",
        "not JSON",
        "[1]",
        "{\"a\": 1} {}",
        "{\"a\": ",
        &too_much,
    ] {
        put("uploads/acme/settings.json", settings.as_bytes());
        let (_, outcome) = publish("uploads/acme/v1.wasm").unwrap();
        assert_eq!(rejected(outcome).name(), "Upload.BadSettings");
        let why = rejection(&lab, ACME).unwrap();
        assert!(why.advice.contains("settings.json"), "{why:?}");
        assert_eq!(why.sha256, Some(Sha256::of(&choosy)));
        assert_eq!(lab.live(ACME), None);
    }
    put("uploads/acme/settings.json", b"{\"a\": 1}");
    let (_, outcome) = publish("uploads/acme/v1.wasm").unwrap();
    assert!(matches!(outcome, Published::Live(_)), "{outcome:?}");
    assert_eq!(lab.live(ACME), Some(Sha256::of(&choosy)));

    // Not uploads.
    assert!(publish("uploads/acme/gone.wasm").is_none());
    for key in [
        "uploads/acme/v1.txt",
        "uploads/v1.wasm",
        "releases/acme/v1.wasm",
    ] {
        put(key, &mapper(1));
        assert!(publish(key).is_none(), "{key}");
    }
    let given = Upload {
        settings: Settings::from_json(b"{\"b\": 2}").unwrap(),
        ..upload("theirs", choosy, at(1))
    };
    let outcome = lab.runtime.block_on(publisher.publish(&given)).unwrap();
    assert!(matches!(outcome, Published::Live(_)), "{outcome:?}");
}

#[test]
fn a_compile_bomb_is_stopped_by_the_limits() {
    let lab = Lab::new();
    lab.publish_version(1, at(1));
    let bomb = compile_bomb();
    assert!(bomb.len() <= 1 << 20, "{} bytes", bomb.len());
    let seconds = PublishLimits {
        compile_seconds: 1,
        compile_memory_bytes: 8 << 30,
        ..PublishLimits::default()
    };
    let memory = PublishLimits {
        compile_memory_bytes: 256 << 20,
        ..PublishLimits::default()
    };
    for (limits, name, uploaded) in [
        (seconds, "Upload.CompileTime", 2),
        (memory, "Upload.CompileMemory", 4),
    ] {
        let began = Instant::now();
        let publisher = lab.publisher_with(limits);
        let bad = upload(ACME, bomb.clone(), at(uploaded));
        let outcome = lab.runtime.block_on(publisher.publish(&bad)).unwrap();
        assert_eq!(rejected(outcome).name(), name);
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{name} took long"
        );
        let rejection = rejection(&lab, ACME).unwrap();
        assert!(rejection.advice.contains("host.toml"), "{rejection:?}");

        // The same publisher, with the same limits, still publishes.
        let good = upload(ACME, mapper(2), at(uploaded + 1));
        let outcome = lab.runtime.block_on(publisher.publish(&good)).unwrap();
        assert!(matches!(outcome, Published::Live(_)), "{outcome:?}");
        assert_eq!(lab.mapped_with(), Sha256::of(&mapper(2)));
    }
}

/// The machine's time and memory would stop it too, but later.
#[test]
fn the_compile_child_is_stopped_by_its_own_limits() {
    let lab = Lab::new();
    let file = lab.folder.path().join("bomb.wasm");
    fs::write(&file, compile_bomb()).unwrap();
    let ended = |seconds: &str, bytes: &str| {
        let mut command = lab
            .folder
            .command(&["precompile", seconds, bytes, "67108864"]);
        let input = fs::File::open(&file).unwrap();
        let output = command.stdin(input).output().unwrap();
        assert!(output.stdout.is_empty());
        output.status.signal()
    };
    // SIGXCPU and SIGABRT.
    assert_eq!(ended("1", "8589934592"), Some(24));
    assert_eq!(ended("600", "268435456"), Some(6));
}

#[test]
fn a_failing_compiler_rejects_the_component_and_a_missing_one_does_not() {
    let lab = Lab::new();
    let publish = |program: &str| {
        let publisher = Publisher::new(
            lab.releases(),
            Checker::new(PublishLimits::default(), program.into()),
        );
        let good = upload(ACME, mapper(1), at(1));
        lab.runtime.block_on(publisher.publish(&good))
    };
    let missing = publish("/nowhere/poolhook").unwrap_err();
    assert!(matches!(missing, PublishError::Compiler(_)), "{missing}");
    assert_eq!(missing.name(), "Publish.NoCompiler");
    assert_eq!((lab.live(ACME), rejection(&lab, ACME)), (None, None));

    // Exits with 1, which the compile child itself never does.
    let failing = publish("/usr/bin/false").unwrap();
    assert_eq!(rejected(failing).name(), "Upload.CompilerFailed");
    let rejection = rejection(&lab, ACME).unwrap();
    assert!(rejection.advice.contains("report this"), "{rejection:?}");
    assert_eq!(lab.live(ACME), None);
}

#[test]
fn the_later_upload_or_rollback_is_live() {
    let lab = Lab::new();
    let digest = |version: usize| Sha256::of(&mapper(version));
    let publish = |version, uploaded| lab.publish(ACME, mapper(version), at(uploaded)).unwrap();
    lab.publish_version(1, at(10));
    lab.publish_version(2, at(20));

    // S3 may report uploads more than once, and out of order.
    let Published::Superseded(checked, live) = publish(3, 15) else {
        panic!("an older upload went live");
    };
    assert_eq!((checked.sha256, live.sha256), (digest(3), digest(2)));
    assert_eq!(lab.live(ACME), Some(digest(2)));
    assert!(matches!(publish(1, 10), Published::Superseded(..)));
    assert!(matches!(publish(2, 20), Published::Live(_)));
    assert_eq!(lab.live(ACME), Some(digest(2)));

    // A superseded upload is still a release.
    let (releases, acme) = (lab.releases(), plugin_name(ACME));
    let history = lab.runtime.block_on(releases.history(&acme)).unwrap();
    assert_eq!((history.releases.len(), history.damaged.len()), (3, 0));
    let roll_back = |to, now| {
        let rolled = releases.roll_back(&acme, to, at(now));
        lab.runtime.block_on(rolled).unwrap().unwrap().sha256
    };
    assert_eq!(roll_back(Some(digest(3)), 30), digest(3));
    assert_eq!(lab.mapped_with(), digest(3));

    assert!(matches!(publish(4, 25), Published::Superseded(..)));
    assert_eq!(lab.live(ACME), Some(digest(3)));
    assert!(matches!(publish(5, 35), Published::Live(_)));
    assert_eq!(lab.mapped_with(), digest(5));

    // The clock of the machine that rolls back may be behind S3's.
    assert_eq!(roll_back(Some(digest(1)), 5), digest(1));
    assert_eq!(lab.mapped_with(), digest(1));
    assert!(matches!(publish(5, 35), Published::Live(_)));

    let unknown = releases.roll_back(&acme, Some(Sha256::of(b"nothing")), at(99));
    let unknown = lab.runtime.block_on(unknown).unwrap_err();
    assert_eq!(unknown.name(), "Plugin.NoSuchRelease");
    assert_eq!(lab.live(ACME), Some(digest(5)));
}

#[test]
fn of_concurrent_publishes_one_is_live_and_all_are_complete() {
    for (first, second) in [(10, 10), (10, 20), (20, 10)] {
        let lab = Lab::new();
        let barrier = Barrier::new(2);
        let race = |version: usize, uploaded: u64| {
            let publisher = lab.publisher();
            let (barrier, upload) = (&barrier, upload(ACME, mapper(version), at(uploaded)));
            move || {
                barrier.wait();
                crate::support::block_on(publisher.publish(&upload)).unwrap()
            }
        };
        let (one, two) = thread::scope(|scope| {
            let (one, two) = (race(1, first), race(2, second));
            let (one, two) = (scope.spawn(one), scope.spawn(two));
            (one.join().unwrap(), two.join().unwrap())
        });
        let live = lab.live(ACME).unwrap();
        let won = |outcome: &Published| matches!(outcome, Published::Live(_));
        match first.cmp(&second) {
            std::cmp::Ordering::Less => assert!(live == Sha256::of(&mapper(2)) && won(&two)),
            std::cmp::Ordering::Greater => assert!(live == Sha256::of(&mapper(1)) && won(&one)),
            std::cmp::Ordering::Equal => assert!(won(&one) || won(&two)),
        }
        assert_eq!(lab.mapped_with(), live);
        for version in [1, 2] {
            let digest = Sha256::of(&mapper(version));
            let pinned = format!("table = 'User'\nplugin = 'acme@sha256:{digest}'");
            lab.folder.configure(POOL, &pinned);
            assert_eq!(lab.mapped_with(), digest);
        }
    }
}

/// The file of the only artifact of `acme`'s first version.
fn code_file(lab: &Lab) -> PathBuf {
    let entry = entry(ENGINE, TARGET, &machine_code());
    let key = artifact_key(Sha256::of(&mapper(0)), &entry);
    let blobs = lab.folder.path().join("poolhook.blobs");
    blobs.join(key.as_str())
}

fn edit(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    // Files of machine code are read-only.
    fs::remove_file(file).unwrap();
    fs::write(file, bytes).unwrap();
}

/// Makes the release name this code as its artifact, with the matching digest.
fn name_code(lab: &Lab, code: &[u8]) {
    lab.lay(ACME, &mapper(0), code);
}

/// The machine code, with the start of a text in it overwritten.
fn patched(text: &str, with: &str) -> Vec<u8> {
    let mut code = machine_code();
    let mut locations = code.windows(text.len());
    let folder = locations
        .position(|found| found == text.as_bytes())
        .unwrap();
    let end = folder + with.len();
    assert_ne!(&code[folder..end], with.as_bytes());
    code[folder..end].copy_from_slice(with.as_bytes());
    code
}

/// A function with a number of blocks such that compiling it takes far more time and memory than
/// its size suggests.
fn compile_bomb() -> Vec<u8> {
    const LOCALS: u32 = 1000;
    // Each block may change a local, so each block merges all values of all locals.
    let mut body = vec![1];
    body.extend(leb(LOCALS));
    body.push(0x7f);
    for number in 0..80_000 {
        // block  local.get 0  br_if 0  local.get n  local.set m  end
        body.extend([0x02, 0x40, 0x20, 0, 0x0d, 0, 0x20]);
        body.extend(leb(number % LOCALS));
        body.push(0x21);
        body.extend(leb(number * 7 % LOCALS));
        body.push(0x0b);
    }
    body.push(0x0b);

    let mut code = leb(1);
    code.extend(leb(u32::try_from(body.len()).unwrap()));
    code.extend(body);
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    section(&mut module, 1, &[1, 0x60, 0, 0]);
    section(&mut module, 3, &[1, 0]);
    section(&mut module, 10, &code);
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    section(&mut component, 1, &module);
    component
}

fn section(to: &mut Vec<u8>, id: u8, content: &[u8]) {
    to.push(id);
    to.extend(leb(u32::try_from(content.len()).unwrap()));
    to.extend(content);
}

/// A number as WebAssembly writes it.
pub(crate) fn leb(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn rejected(outcome: Published) -> Rejected {
    match outcome {
        Published::Rejected(rejected) => rejected,
        accepted => panic!("{accepted:?}"),
    }
}

fn rejection(lab: &Lab, plugin: &str) -> Option<Rejection> {
    let (releases, plugin) = (lab.releases(), plugin_name(plugin));
    lab.runtime.block_on(releases.rejection(&plugin)).unwrap()
}

fn key_of(key: &str) -> Key {
    Key::try_from(key.to_owned()).unwrap()
}

/// All files below a folder except locks, sorted.
fn files(root: &Path) -> Vec<String> {
    let mut folders = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with(".lock") {
                let path = path.strip_prefix(root).unwrap();
                files.push(path.display().to_string());
            }
        }
    }
    files.sort();
    files
}
