//! `publisher` as a Lambda function that S3 itself calls: an upload becomes a
//! release, or its author reads why not.

use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use poolhook::digest::Digest;
use serde_json::{Value, json};

use crate::publishing::{Cloud, mapper, until};
use crate::support::http;

/// A cold start of an unoptimised binary, and compiling, on a slow machine.
const PUBLISHED: Duration = Duration::from_secs(60);

#[test]
fn an_upload_to_s3_goes_live_or_is_rejected() {
    let cloud = Cloud::start();
    cloud.put("config/host.toml", b"publish.component-bytes = 16384");
    let publisher = deploy(&cloud);
    notify(&cloud, &publisher);

    let one = mapper("one", "");
    cloud.put("uploads/acme/v1.wasm", &one);
    goes_live(&cloud, &one);

    cloud.put("uploads/acme/broken.wasm", b"garbage");
    let rejection = is_rejected(&cloud, "Plugin.NotAComponent");
    assert_eq!(rejection["sha256"], Digest::of(b"garbage").to_string());
    assert!(
        rejection["advice"]
            .as_str()
            .unwrap()
            .contains("core module")
    );
    assert_eq!(cloud.live(), Some(Digest::of(&one)));

    // S3 encodes keys in its events.
    let two = mapper("two", "");
    cloud.put("uploads/acme/v%202+%2B%25%20caf%C3%A9.wasm", &two);
    goes_live(&cloud, &two);

    // It is tried out with the settings beside it.
    let no_settings = "(i32.le_u (i32.load offset=84 (local.get $arguments)) (i32.const 2))";
    let three = mapper("new", &format!("(if {no_settings} (then unreachable))"));
    cloud.put("uploads/acme/v3.wasm", &three);
    is_rejected(&cloud, "Plugin.Trap");
    cloud.put("uploads/acme/settings.json", b"{\"plan\": ");
    cloud.put("uploads/acme/v3.wasm", &three);
    is_rejected(&cloud, "Upload.BadSettings");
    assert_eq!(cloud.live(), Some(Digest::of(&two)));
    cloud.put("uploads/acme/settings.json", br#"{"plan": "basic"}"#);
    cloud.put("uploads/acme/v3.wasm", &three);
    goes_live(&cloud, &three);

    // The limit is the config's.
    cloud.put("uploads/acme/large.wasm", &[0; 16385]);
    let rejection = is_rejected(&cloud, "Upload.TooLarge");
    assert_eq!(rejection["bytes"], 16385);
    assert_eq!(cloud.live(), Some(Digest::of(&three)));

    // What lies elsewhere, or is no component, calls nobody. The log of a call is
    // complete only after it.
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

/// What the function has said of each upload.
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
    let sha256 = Digest::of(component);
    let live = until(PUBLISHED, || {
        let live = cloud.live()? == sha256;
        // The last step of publishing takes away what was said of the upload before.
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

/// Makes the function, as the template does; gives its ARN.
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

/// A zip with the binary as `bootstrap`.
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

/// The bucket calls the function, as in the template.
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

/// What the function has logged.
fn log(cloud: &Cloud) -> String {
    let response = http()
        .post(cloud.ministack.url())
        .header("X-Amz-Target", "Logs_20140328.FilterLogEvents")
        .header("Content-Type", "application/x-amz-json-1.1")
        .send(json!({ "logGroupName": "/aws/lambda/publisher" }).to_string());
    let log = response.unwrap().body_mut().read_to_string().unwrap();
    let log: Value = serde_json::from_str(&log).unwrap();
    let lines = log["events"].as_array().unwrap().iter();
    lines
        .map(|line| format!("{}\n", line["message"].as_str().unwrap()))
        .collect()
}
