//! Uploads: S3 invokes the publisher, a Lambda function, and `serve` watches a folder.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs, thread};

use poolhook::digest::Sha256;
use serde_json::{Value, json};

use crate::aws_fixtures::{Cloud, lines, mapper, until};
use crate::support::{POOL, TestFolder, event, http};

/// Enough for a cold start of an unoptimized binary, and for compiling, on a slow machine.
const PUBLISHED: Duration = Duration::from_mins(1);

#[test]
fn an_upload_to_s3_goes_live_or_is_rejected() {
    let cloud = Cloud::start();
    cloud.put("config/host.toml", b"publish.component-bytes = 8192");
    let publisher = deploy(&cloud);
    notify(&cloud, &publisher);

    let one = mapper("one", "");
    cloud.put("uploads/acme/v1.wasm", &one);
    goes_live(&cloud, &one);

    cloud.put("uploads/acme/broken.wasm", b"garbage");
    let rejection = is_rejected(&cloud, "Plugin.NotAComponent");
    assert_eq!(rejection["sha256"], Sha256::of(b"garbage").to_string());
    assert!(
        rejection["advice"]
            .as_str()
            .unwrap()
            .contains("core module")
    );
    assert_eq!(cloud.live(), Some(Sha256::of(&one)));

    // S3 encodes keys in its events.
    let two = mapper("two", "");
    cloud.put("uploads/acme/v%202+%2B%25%20caf%C3%A9.wasm", &two);
    goes_live(&cloud, &two);

    // The plugin is tried out with the settings next to it.
    let no_settings = "(i32.le_u (i32.load offset=84 (local.get $arguments)) (i32.const 2))";
    let three = mapper("new", &format!("(if {no_settings} (then unreachable))"));
    cloud.put("uploads/acme/v3.wasm", &three);
    is_rejected(&cloud, "Plugin.Trap");
    cloud.put("uploads/acme/settings.json", b"{\"plan\": ");
    cloud.put("uploads/acme/v3.wasm", &three);
    is_rejected(&cloud, "Upload.BadSettings");
    assert_eq!(cloud.live(), Some(Sha256::of(&two)));
    cloud.put("uploads/acme/settings.json", br#"{"plan": "basic"}"#);
    cloud.put("uploads/acme/v3.wasm", &three);
    goes_live(&cloud, &three);

    // The limit is the config's.
    cloud.put("uploads/acme/large.wasm", &[0; 8193]);
    let rejection = is_rejected(&cloud, "Upload.TooLarge");
    assert_eq!(rejection["bytes"], 8193);
    assert_eq!(cloud.live(), Some(Sha256::of(&three)));

    // Neither the settings nor the copies that publishing writes invoke the function. Its
    // log is complete only after its work is done.
    let expected = [
        ("broken.wasm", "rejected"),
        ("large.wasm", "rejected"),
        ("v 2++% café.wasm", "live"),
        ("v1.wasm", "live"),
        ("v3.wasm", "live"),
        ("v3.wasm", "rejected"),
        ("v3.wasm", "rejected"),
    ];
    let expected = expected.map(|(file, said)| (format!("uploads/acme/{file}"), said.to_owned()));
    let complete = until(PUBLISHED, || (published(&cloud) == expected).then_some(()));
    complete.unwrap_or_else(|| panic!("{}", log(&cloud)));
}

#[test]
fn files_in_the_folder_of_uploads_are_published() {
    let folder = TestFolder::new(&[
        ("host", "refresh-seconds = 1"),
        (POOL, "table = 'User'\nwrite = 'replace'\nplugin = 'acme'"),
    ]);
    let cache = folder.path().join("cache");
    let serve = folder.serve(&[], &[("POOLHOOK_CACHE", cache.to_str().unwrap())]);
    let blobs = folder.path().join("poolhook.blobs");
    let uploads = blobs.join("uploads/acme");
    fs::create_dir_all(&uploads).unwrap();
    // The log line of an upload, once there is one.
    let said = |file: &str| {
        let key = format!("uploads/acme/{file}");
        let said = until(PUBLISHED, || {
            let mut lines = lines(&serve).into_iter();
            lines.find(|line| line["upload"] == key)
        });
        said.unwrap_or_else(|| panic!("{file}: {}", serve.log()))
    };
    let shape = || {
        let invoked = http()
            .post(serve.invocations())
            .send(&event("confirm-sign-up")[..]);
        assert_eq!(invoked.unwrap().status(), 200);
        let item: Value = serde_json::from_str(&folder.items("User")[0]).unwrap();
        item["shape"]["S"].clone()
    };

    let one = mapper("one", "");
    fs::write(uploads.join("x.wasm"), &one).unwrap();
    let line = said("x.wasm");
    assert_eq!(line["published"], "live", "{line}");
    assert_eq!(line["component"], Sha256::of(&one).to_string());
    assert_eq!(shape(), "one");

    let half = &one[..one.len() / 2];
    fs::write(uploads.join("bad.wasm"), half).unwrap();
    let line = said("bad.wasm");
    assert_eq!(line["published"], "rejected", "{line}");
    let rejection = blobs.join("rejections/acme.json");
    let rejected: Value = serde_json::from_slice(&fs::read(&rejection).unwrap()).unwrap();
    assert_eq!(rejected["errorType"], "Plugin.NotAComponent");
    assert_eq!(rejected["sha256"], Sha256::of(half).to_string());

    // If this machine delayed the writer, the upload may have looked complete: then try
    // another one.
    let two = mapper("two", "");
    let grown = (0..10)
        .map(|number| format!("grown-{number}.wasm"))
        .find(|file| grow(&uploads.join(file), &two));
    let line = said(&grown.expect("a steady writer"));
    assert_eq!(line["published"], "live", "{line}");
    assert!(!rejection.exists());
    let followed = until(PUBLISHED, || (shape() == "two").then_some(()));
    followed.unwrap_or_else(|| panic!("{}", serve.log()));
}

#[test]
fn the_last_upload_wins_in_whatever_order_uploads_arrive() {
    let folder = TestFolder::new(&[]);
    let blobs = folder.path().join("poolhook.blobs");
    let uploads = blobs.join("uploads/acme");
    fs::create_dir_all(&uploads).unwrap();
    let one = mapper("one", "");
    // A host that starts sees them ordered by name.
    for (file, bytes, age) in [
        ("a.wasm", &b"the last one"[..], 10),
        ("b.wasm", &one, 20),
        ("c.wasm", b"the first one", 30),
    ] {
        let path = uploads.join(file);
        fs::write(&path, bytes).unwrap();
        let written = SystemTime::now() - Duration::from_secs(age);
        let file = fs::File::options().append(true).open(path).unwrap();
        file.set_modified(written).unwrap();
    }
    let serve = folder.serve(&[], &[]);
    let said = until(PUBLISHED, || {
        let lines = lines(&serve);
        let said: Vec<_> = lines
            .iter()
            .filter_map(|line| line["published"].as_str())
            .collect();
        (said == ["rejected", "live", "rejected"]).then_some(())
    });
    said.unwrap_or_else(|| panic!("{}", serve.log()));

    let document =
        |key| serde_json::from_slice::<Value>(&fs::read(blobs.join(key)).unwrap()).unwrap();
    let live = document("releases/acme/live.json");
    assert_eq!(live["sha256"], Sha256::of(&one).to_string());
    let rejection = document("rejections/acme.json");
    assert_eq!(rejection["sha256"], Sha256::of(b"the last one").to_string());
}

/// What the function has logged for each upload.
fn published(cloud: &Cloud) -> Vec<(String, String)> {
    let log = log(cloud);
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let published = lines.filter_map(|line| {
        let text = |key: &str| line[key].as_str().map(str::to_owned);
        Some((text("upload")?, text("published")?))
    });
    let mut published: Vec<_> = published.collect();
    published.sort();
    published
}

fn goes_live(cloud: &Cloud, component: &[u8]) {
    let sha256 = Sha256::of(component);
    let live = until(PUBLISHED, || {
        let live = cloud.live()? == sha256;
        // The last step of publishing deletes the rejection of the previous upload.
        (live && cloud.document("rejections/acme.json").is_none()).then_some(())
    });
    live.unwrap_or_else(|| panic!("{sha256} is not live: {}", log(cloud)));
    let release = format!("releases/acme/{sha256}.json");
    assert_eq!(cloud.document(&release).unwrap()["plugin"], "acme");
}

fn is_rejected(cloud: &Cloud, error: &str) -> Value {
    let rejection = until(PUBLISHED, || {
        let rejection = cloud.document("rejections/acme.json")?;
        (rejection["errorType"] == error).then_some(rejection)
    });
    rejection.unwrap_or_else(|| panic!("no {error}: {}", log(cloud)))
}

/// Creates the function as the template does; returns its ARN.
fn deploy(cloud: &Cloud) -> String {
    let binary = env::var("POOLHOOK_PUBLISHER");
    let binary = binary.as_deref().unwrap_or(env!("CARGO_BIN_EXE_publisher"));
    let zip = zip(Path::new(binary));
    cloud.put("publisher.zip", &zip);
    let environment = json!({
        "POOLHOOK_BLOBS": "s3://poolhook",
        "POOLHOOK_CONFIG": "s3://poolhook/config",
        "AWS_ENDPOINT_URL_S3": cloud.ministack.url(),
    });
    let function = json!({
        "FunctionName": "publisher",
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Role": "arn:aws:iam::000000000000:role/publisher",
        "Code": { "S3Bucket": "poolhook", "S3Key": "publisher.zip" },
        "MemorySize": 3008,
        "Timeout": 60,
        "Environment": { "Variables": environment },
    });
    let url = format!("{}/2015-03-31/functions", cloud.ministack.url());
    let mut response = http().post(url).send(function.to_string()).unwrap();
    let answer = response.body_mut().read_to_string().unwrap();
    assert_eq!(response.status(), 201, "{answer}");
    let function: Value = serde_json::from_str(&answer).unwrap();
    function["FunctionArn"].as_str().unwrap().to_owned()
}

/// Zips the binary as `bootstrap`.
fn zip(binary: &Path) -> Vec<u8> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let zip = folder.path().join("publisher.zip");
    let script = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as file:
    file.write(sys.argv[2], 'bootstrap')
";
    let mut python = Command::new("python3");
    let status = python.args(["-c", script]).arg(&zip).arg(binary).status();
    assert!(status.unwrap().success());
    fs::read(zip).unwrap()
}

/// Makes the bucket invoke the function, as in the template.
fn notify(cloud: &Cloud, function: &str) {
    let rule = |name: &str, value: &str| {
        format!("<FilterRule><Name>{name}</Name><Value>{value}</Value></FilterRule>")
    };
    let (prefix, suffix) = (rule("prefix", "uploads/"), rule("suffix", ".wasm"));
    let notification = format!(
        "<NotificationConfiguration><CloudFunctionConfiguration>\
         <CloudFunction>{function}</CloudFunction><Event>s3:ObjectCreated:*</Event>\
         <Filter><S3Key>{prefix}{suffix}</S3Key></Filter>\
         </CloudFunctionConfiguration></NotificationConfiguration>"
    );
    cloud.put("?notification", notification.as_bytes());
}

/// The function's log.
fn log(cloud: &Cloud) -> String {
    let response = http()
        .post(cloud.ministack.url())
        .header("X-Amz-Target", "Logs_20140328.FilterLogEvents")
        .header("Content-Type", "application/x-amz-json-1.1")
        .send(json!({ "logGroupName": "/aws/lambda/publisher" }).to_string());
    let log = response.unwrap().body_mut().read_to_string().unwrap();
    let log: Value = serde_json::from_str(&log).unwrap();
    let lines = log["events"].as_array().unwrap().iter();
    let text = |line: &Value| format!("{}\n", line["message"].as_str().unwrap());
    lines.map(text).collect::<Vec<_>>().concat()
}

/// Writes a file piece by piece. Returns whether it grew without a pause of a quarter of a
/// second, so that no watcher could take it for complete.
fn grow(file: &Path, bytes: &[u8]) -> bool {
    let mut file = fs::File::create_new(file).unwrap();
    let mut grown = Instant::now();
    let mut steady = true;
    for piece in bytes.chunks(bytes.len().div_ceil(30)) {
        file.write_all(piece).unwrap();
        steady &= grown.elapsed() < Duration::from_millis(250);
        grown = Instant::now();
        thread::sleep(Duration::from_millis(40));
    }
    steady
}
