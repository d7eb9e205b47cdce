//! What stands around the sandbox, in the hands of people who mean harm: folders, requests,
//! words, configs.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, SystemTime};

use poolhook::config::Settings;
use poolhook::digest::Blake3;
use poolhook::event::PostConfirmation;
use poolhook::host::Failure;
use poolhook::item::AttributeValue;
use poolhook::plugin::{ArtifactFiles, PluginError};
use poolhook::plugins::Plugins;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::aws_fixtures::{mapper, until};
use crate::command_line::text;
use crate::hostile::add;
use crate::release_fixtures::from_wat;
use crate::support::{OTHER_POOL, POOL, Serve, TestFolder, event, handle, tests};

#[test]
fn the_cache_deletes_only_its_own_files() {
    let folder = TempDir::new().unwrap();
    let digest = |byte: u8| Blake3::of(&[byte]).to_string();
    let names = [
        "thesis.pdf".to_owned(),
        "poolhook.db".to_owned(),
        format!("{}.txt", digest(1)),
        format!("{}.cwasm.bak", digest(1)),
        format!("{}.CWASM", digest(1)),
        format!("{}.cwasm", "0".repeat(63)),
        format!("{}.cwasm", "G".repeat(64)),
        format!("{}.new-a/b", digest(1)).replace('/', "."),
        format!("x{}.cwasm", digest(1)),
    ];
    let write = |name: &str, age: u64| {
        let path = folder.path().join(name);
        fs::write(&path, vec![0; 1000]).unwrap();
        let file = fs::File::options().append(true).open(path).unwrap();
        let time = SystemTime::now() - Duration::from_secs(age);
        file.set_modified(time).unwrap();
    };
    for name in &names {
        write(name, 1_000_000);
    }
    fs::create_dir(folder.path().join(format!("{}.cwasm", digest(9)))).unwrap();
    let own = [
        format!("{}.cwasm", digest(1)),
        format!("{}.new-aB3dE9", digest(2)),
        format!("{}.cwasm", digest(3)),
    ];
    for (age, name) in own.iter().enumerate() {
        write(name, 100 - age as u64);
    }
    ArtifactFiles::open(folder.path(), 1500).unwrap();
    for name in &names {
        assert!(folder.path().join(name).exists(), "{name}");
    }
    let left = own.map(|name| folder.path().join(name).exists());
    assert_eq!(left, [false, false, true], "the newest of its own fits");
}

/// Sends a request as it is; returns its status.
fn status(serve: &Serve, headers: &str) -> u16 {
    let invocations = serve.invocations();
    let (_, rest) = invocations.split_once("http://").unwrap();
    let (address, path) = rest.split_once('/').unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let raw = event("confirm-sign-up");
    let mut stream = TcpStream::connect(address).unwrap();
    let port = address.port().to_string();
    let headers = headers.replace("PORT", &port);
    let length = raw.len();
    let head = format!(
        "POST /{path} HTTP/1.1\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&raw).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer
        .split(' ')
        .nth(1)
        .unwrap_or_else(|| panic!("{answer}"));
    status.parse().unwrap()
}

#[test]
fn a_web_page_cannot_call_serve() {
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    let serve = folder.serve(&[], &[]);
    for refused in [
        "Host: 127.0.0.1:PORT\r\nOrigin: https://example.com\r\n",
        "Host: 127.0.0.1:PORT\r\nOrigin: null\r\n",
        "Host: 127.0.0.1:PORT\r\norigin: http://127.0.0.1:PORT\r\n",
        "Host: example.com\r\n",
        "Host: example.com:PORT\r\n",
        "Host: 127.0.0.1.example.com:PORT\r\n",
        "Host: localhost.example.com\r\n",
        "Host: 192.168.1.5:PORT\r\n",
        "Host: 0.0.0.0:PORT\r\n",
        "Host: [::2]:PORT\r\n",
        "Host: \r\n",
        "",
    ] {
        let status = status(&serve, refused);
        assert!([400, 403].contains(&status), "{refused}: {status}");
        assert!(folder.items("User").is_empty(), "{refused}");
    }
    assert_eq!(status(&serve, "Host: example.com\r\n"), 403);
    for local in [
        "Host: 127.0.0.1:PORT\r\n",
        "Host: localhost:PORT\r\n",
        "Host: LocalHost\r\n",
        "Host: [::1]:PORT\r\n",
        "Host: 127.8.9.1\r\n",
    ] {
        assert_eq!(status(&serve, local), 200, "{local}");
    }
    assert_eq!(folder.items("User").len(), 1);
}

#[test]
fn pools_that_could_write_each_others_rows_are_a_mistake() {
    // The default plugin's items have no key of a template; these pools skip all users.
    let rest = "[settings]\nskip-when = 'true'\nitem = { id = 'user.name' }";
    let check = |defaults: &str, pools: [&str; 2]| {
        let [one, other] = pools.map(|own| {
            let plugin = if own.starts_with("key") {
                "fields"
            } else {
                "default"
            };
            let rest = if own.starts_with("key") { rest } else { "" };
            format!("table = 'User'\nregion = 'us-east-1'\nplugin = '{plugin}'\n{own}\n{rest}")
        });
        let folder = TestFolder::new(&[("defaults", defaults), (POOL, &one), (OTHER_POOL, &other)]);
        let (code, out, err) = text(&folder.poolhook(&["config", "check", "--json"]));
        let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{err}"));
        (code, report, folder)
    };
    let shares = |key: &str| format!("key = {{ equals = '{key}' }}");
    for (keys, collide) in [
        (["{userName}", "{userName}"], true),
        (["{userName}", "USER#{userName}"], true),
        (["{userName}#a", "b#{userName}"], true),
        (["A#{userName}", "B#{userName}"], false),
        (["{userName}#A", "{userName}#B"], false),
        (["A#{userName}", "A#B#{userName}"], true),
        (["A#{userName}#x", "A#{userName}#yx"], false),
        (
            ["{userPoolId}#{userName}", "{userPoolId}#{userName}"],
            false,
        ),
        (
            ["{userName}#{userPoolId}", "{userName}#{userPoolId}"],
            false,
        ),
        (["{userPoolId}#{userName}", "{userName}"], true),
    ] {
        let own = keys.map(shares);
        let (code, report, _) = check("", [&own[0], &own[1]]);
        assert_eq!(code, Some(i32::from(collide)), "{keys:?}: {report}");
        let errors = report["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 2 * usize::from(collide), "{keys:?}: {report}");
        for error in errors {
            assert_eq!(error["errorType"], "Config.SharedRow");
            let text = error["errorMessage"].as_str().unwrap();
            assert!(text.contains(POOL) && text.contains(OTHER_POOL), "{text}");
        }
    }
    for (defaults, pools, code) in [
        ("", ["shared = true", "shared = true"], 0),
        ("shared = true", ["", ""], 0),
        ("", ["shared = true", ""], 1),
        ("shared = true", ["", "shared = false"], 1),
        (
            "",
            ["region = 'eu-west-1'", ""].map(|own| if own.is_empty() { own } else { "#" }),
            1,
        ),
    ] {
        let (got, report, _) = check(defaults, pools);
        assert_eq!(got, Some(code), "{defaults} {pools:?}: {report}");
    }
    // Other commands warn, and go on.
    let (_, _, folder) = check("", ["", ""]);
    let path = tests("events/confirm-sign-up.json");
    let (code, _, err) = text(&folder.poolhook(&["run", path.to_str().unwrap()]));
    assert_eq!(code, Some(0), "{err}");
    assert!(
        err.contains("warning: ") && err.contains("shared = true"),
        "{err}"
    );
}

#[test]
fn serdes_own_keys_are_plain_keys() {
    for key in [
        "$serde_json::private::Number",
        "$serde_json::private::RawValue",
    ] {
        for value in ["1e400", "x", "[1, 2", "\u{7f}"] {
            let document = json!({ key: value, "a": { key: value } }).to_string();
            let parsed = AttributeValue::from_json("a", &document).unwrap();
            let text = AttributeValue::S(value.to_owned());
            let inner = AttributeValue::M([(key.to_owned(), text.clone())].into());
            let both = [("a".to_owned(), inner), (key.to_owned(), text)];
            assert_eq!(parsed, AttributeValue::M(both.into()));

            let alone = json!({ key: value }).to_string();
            let settings = Settings::from_json(alone.as_bytes()).unwrap();
            assert_eq!(settings.as_json(), alone);

            let mut raw: Value = serde_json::from_slice(&event("confirm-sign-up")).unwrap();
            raw["request"]["userAttributes"][key] = value.into();
            raw["request"]["userAttributes"]["custom:nested"] = "NESTED".into();
            let raw = raw.to_string().replace("\"NESTED\"", &document);
            let event = PostConfirmation::parse(raw.as_bytes()).unwrap();
            assert_eq!(event.user_attributes[key], value);
            assert_eq!(event.user_attributes["custom:nested"], document);
        }
    }
}

/// What no output may hold, but for the end of a line.
fn assert_harmless(what: &str, said: &str) {
    let dangerous = |c: char| {
        (c.is_control() && c != '\n')
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
            || ['\u{61c}', '\u{200e}', '\u{200f}'].contains(&c)
    };
    assert!(!said.contains(dangerous), "{what}: {said:?}");
}

const WORDS: &str = "\u{1b}[2J\r\u{9b}31m\u{202e}evil\u{7f}\nerror: forged";

#[test]
fn no_foreign_word_reaches_the_terminal_raw() {
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    let path = |name: &str| folder.path().join(name);
    let escaped: Vec<_> = WORDS.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let escaped = escaped.concat();
    let length = WORDS.len();
    let message = format!(
        "(data (i32.const 0x200) \"{escaped}\")
         (data (i32.const 0x300) \"id\")"
    );
    let log = format!("(call $log (i32.const 1) (i32.const 0x200) (i32.const {length}))");
    let answer = |body: &str| {
        from_wat(&format!(
            "(func $to_item (param i32) (result i32) {log} {body} (i32.const 0)) {message}"
        ))
    };
    let error = format!(
        "(i32.store (i32.const 0) (i32.const 1)) (i32.store (i32.const 4) (i32.const 0x200))
         (i32.store (i32.const 8) (i32.const {length}))"
    );
    let skip = format!(
        "(i32.store (i32.const 4) (i32.const 1)) (i32.store (i32.const 8) (i32.const 0x200))
         (i32.store (i32.const 12) (i32.const {length}))"
    );
    let name = format!(
        "(i32.store (i32.const 8) (i32.const 32)) (i32.store (i32.const 12) (i32.const 1))
         (i32.store (i32.const 32) (i32.const 0x200)) (i32.store (i32.const 36) (i32.const {length}))
         (i32.store (i32.const 40) (i32.const 5))"
    );
    // A user's own attributes.
    let mut raw: Value = serde_json::from_slice(&event("confirm-sign-up")).unwrap();
    raw["request"]["userAttributes"]["email"] = WORDS.into();
    fs::write(path("event.json"), raw.to_string()).unwrap();
    fs::write(path("error.wasm"), answer(&error)).unwrap();
    fs::write(path("skip.wasm"), answer(&skip)).unwrap();
    fs::write(path("name.wasm"), answer(&name)).unwrap();
    let mut runs = vec![
        vec!["run", "event.json"],
        vec!["run", "event.json", "--json"],
        vec!["items", "User"],
        vec!["items", "User", "--json"],
    ];
    for wasm in ["error.wasm", "skip.wasm", "name.wasm"] {
        runs.push(vec!["plugin", "run", wasm, "event.json"]);
        runs.push(vec!["plugin", "run", wasm, "event.json", "--json"]);
        runs.push(vec!["plugin", "check", wasm]);
        runs.push(vec!["run", "--plugin", wasm, "event.json"]);
        runs.push(vec!["plugin", "publish", wasm, "--name", "acme"]);
        runs.push(vec!["plugin", "show", "acme"]);
        runs.push(vec!["plugin", "show", "acme", "--json"]);
    }
    for arguments in &runs {
        let (_, out, err) = text(&folder.poolhook(arguments));
        assert_harmless(&format!("{arguments:?}"), &(out.clone() + &err));
        // A line that begins so would be the command's own.
        assert!(!err.contains("\nerror: forged"), "{arguments:?}: {err}");
        assert!(!err.contains("\nforged"), "{arguments:?}: {err}");
    }
    // JSON has the same words.
    let (_, out, _) = text(&folder.poolhook(&["items", "User"]));
    let item: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(item["email"]["S"], WORDS);

    let key = serde_json::to_string(WORDS).unwrap();
    folder.configure(
        POOL,
        &format!("table = 'User'\n{key} = 1\n[limits]\n{key} = 2\n"),
    );
    for arguments in [&["config", "check"][..], &["config", "check", "--json"]] {
        let (code, out, err) = text(&folder.poolhook(arguments));
        assert_eq!(code, Some(1));
        assert_harmless("a key", &(out + &err));
    }
}

#[test]
fn the_log_of_serve_has_no_foreign_word_raw() {
    let folder = TestFolder::new(&[(
        POOL,
        "table = 'User'\nplugin = 'fields'\n[settings.item]\nid = \"user.attributes.nobody\"",
    )]);
    let serve = folder.serve(&[], &[]);
    let mut raw: Value = serde_json::from_slice(&event("confirm-sign-up")).unwrap();
    raw["request"]["userAttributes"][WORDS] = json!({ WORDS: 1 });
    raw["userPoolId"] = POOL.into();
    let send = crate::support::http()
        .post(serve.invocations())
        .send(raw.to_string().as_bytes());
    assert_eq!(send.unwrap().status(), 200);
    assert_harmless("the log", &serve.log());
}

#[test]
fn a_long_message_of_a_component_is_cut_off() {
    let folder = TestFolder::new(&[]);
    // 900,000 line ends.
    let wasm = from_wat(
        "(func $to_item (param i32) (result i32)
           (drop (memory.grow (i32.const 32)))
           (memory.fill (i32.const 0x10000) (i32.const 10) (i32.const 900000))
           (i32.store (i32.const 0) (i32.const 1)) (i32.store (i32.const 4) (i32.const 0x10000))
           (i32.store (i32.const 8) (i32.const 900000))
           (i32.const 0))",
    );
    fs::write(folder.path().join("long.wasm"), wasm).unwrap();
    let (code, _, err) = text(&folder.poolhook(&["plugin", "publish", "long.wasm"]));
    assert_eq!(code, Some(1));
    assert!(err.len() < 4000, "{} bytes", err.len());
    assert!(err.lines().count() < 10, "{err}");
    let rejection = folder.path().join("poolhook.blobs/rejections/long.json");
    let rejection = fs::read_to_string(rejection).unwrap();
    assert!(rejection.len() < 8000, "{} bytes", rejection.len());
}

#[test]
fn odd_files_among_the_uploads_stop_nothing() {
    let folder = TestFolder::new(&[(POOL, "table = 'User'\nwrite = 'replace'\nplugin = 'acme'")]);
    let uploads = folder.path().join("poolhook.blobs/uploads");
    let acme = uploads.join("acme");
    fs::create_dir_all(&acme).unwrap();
    let made = Command::new("mkfifo").arg(acme.join("pipe.wasm")).status();
    assert!(made.unwrap().success());
    symlink(&uploads, acme.join("again")).unwrap();
    symlink("circle.wasm", acme.join("circle.wasm")).unwrap();
    symlink("nowhere", acme.join("nowhere.wasm")).unwrap();
    fs::create_dir(acme.join("folder.wasm")).unwrap();
    // Its writer's clock is wrong.
    fs::write(acme.join("future.wasm"), mapper("future", "")).unwrap();
    let file = fs::File::options()
        .append(true)
        .open(acme.join("future.wasm"))
        .unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_hours(1_130_808))
        .unwrap();
    let cache = folder.path().join("cache");
    let serve = folder.serve(&[], &[("POOLHOOK_CACHE", cache.to_str().unwrap())]);
    let live = folder.path().join("poolhook.blobs/releases/acme/live.json");
    let follows = |component: &[u8]| {
        let digest = poolhook::digest::Sha256::of(component).to_string();
        let found = until(Duration::from_mins(1), || {
            let live = fs::read_to_string(&live).ok()?;
            live.contains(&digest).then_some(())
        });
        found.unwrap_or_else(|| panic!("{}", serve.log()));
    };
    follows(&mapper("future", ""));
    // An old file's time does not make it an old upload either.
    for (file, age) in [("one", 0), ("two", 1_000_000)] {
        let component = mapper(file, "");
        let path = acme.join(format!("{file}.new"));
        fs::write(&path, &component).unwrap();
        let opened = fs::File::options().append(true).open(&path).unwrap();
        opened
            .set_modified(SystemTime::now() - Duration::from_secs(age))
            .unwrap();
        fs::rename(path, acme.join(format!("{file}.wasm"))).unwrap();
        follows(&component);
    }
    let named = serve.log().matches("circle.wasm").count();
    assert!(named <= 1, "{}", serve.log());
}

/// A component of 1.4 KB, each of whose 23 inner ones instantiates the one
/// before twice: four million instances.
fn doublings() -> Vec<u8> {
    let inner = |n: usize| {
        let before = n - 1;
        format!(
            "(component $c{n} (alias outer 1 $c{before} (component $c))
               (instance (instantiate $c)) (instance (instantiate $c)))"
        )
    };
    let inner = (1..23).map(inner).collect::<Vec<_>>().join("\n");
    let text = format!("(component (component $c0) {inner} (instance (instantiate $c22)))");
    wat::parse_str(text).unwrap()
}

#[test]
fn every_command_compiles_within_the_limits() {
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    let bomb = doublings();
    assert!(bomb.len() < 2000, "{} bytes", bomb.len());
    fs::write(folder.path().join("bomb.wasm"), bomb).unwrap();
    let event = tests("events/confirm-sign-up.json");
    let event = event.to_str().unwrap();
    for arguments in [
        &["plugin", "run", "bomb.wasm", event][..],
        &["run", "--plugin", "bomb.wasm", event],
        &["plugin", "check", "bomb.wasm"],
    ] {
        let (code, _, err) = text(&folder.poolhook(arguments));
        assert!(code == Some(1) || code == Some(2), "{arguments:?}: {err}");
        assert!(err.contains("Upload.Compile"), "{arguments:?}: {err}");
    }
}

/// A function's name can be as long as the component; a backtrace copies names.
#[test]
fn a_backtrace_has_few_and_short_names() {
    let long = "f".repeat(500_000);
    let component = from_wat(&format!(
        "(func ${long} (param i32) (if (i32.eqz (local.get 0)) (then unreachable))
             (call ${long} (i32.sub (local.get 0) (i32.const 1))))
         (func $to_item (param i32) (result i32) (call ${long} (i32.const 100)) (i32.const 0))"
    ));
    let mut plugins = Plugins::builtin().unwrap();
    add(&mut plugins, "long", &component).unwrap();
    let folder = TestFolder::new(&[(POOL, "table = 'User'\nplugin = 'long'")]);
    let report = handle(&folder.host_with(plugins), &event("confirm-sign-up"));
    let Err(Failure::Plugin(PluginError::Trap { backtrace, .. })) = &report.outcome else {
        panic!("{:?}", report.outcome_name());
    };
    assert!((1..=8).contains(&backtrace.len()), "{}", backtrace.len());
    assert!(backtrace.iter().all(|name| name.len() == 256));
}
