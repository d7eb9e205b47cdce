//! `bootstrap` with a Runtime API in front and ministack's DynamoDB behind it.
//!
//! The Runtime API is the test's own, as Lambda's exists only in Lambda. It speaks the
//! protocol and records what `bootstrap` posts.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::aws_fixtures::mapper;
use crate::servers;
use crate::stores::{items, table};
use crate::support::{POOL, TestFolder, block_on, clean, event, event_names, http};

#[test]
fn every_event_comes_back_byte_for_byte_and_failures_by_name() {
    let ministack = servers::ministack();
    create_table(ministack.url(), "ap-northeast-1", "User");
    create_table(ministack.url(), "us-east-1", "Customer");
    let folder = TestFolder::with_sample_pools();
    let lambda = Lambda::start(&folder, ministack.url());

    for name in event_names() {
        let raw = event(&name);
        let Answer { kind, body } = lambda.invoke(raw.clone());
        assert_eq!(
            kind,
            "response",
            "{name}: {}",
            String::from_utf8_lossy(&body)
        );
        assert_eq!(body, raw, "{name}");
    }
    for (payload, expected) in [
        (b"not json".to_vec(), "Event.NotJson"),
        (vec![b' '; 6 * 1024 * 1024], "Event.TooLarge"),
        (b"[]".to_vec(), "Event.Malformed"),
        (replaced("userName", &json!("")), "Event.MissingField"),
        (
            replaced("userPoolId", &json!("../x")),
            "Event.BadUserPoolId",
        ),
        (
            replaced("userPoolId", &json!("eu-west-1_Nobody")),
            "Config.UnknownPool",
        ),
    ] {
        let Answer { kind, body } = lambda.invoke(payload);
        let error: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (kind.as_str(), &error["errorType"]),
            ("error", &json!(expected))
        );
    }
    let raw = event("unicode");
    assert_eq!(lambda.invoke(raw.clone()).body, raw);

    let log = lambda.end();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), event_names().len() + 7, "{log}");
    let outcomes = |outcome: &str| {
        lines
            .iter()
            .filter(|line| line["outcome"] == outcome)
            .count()
    };
    assert_eq!(outcomes("written"), 4, "{log}");
    assert_eq!(outcomes("already there"), 4, "{log}");
    assert_eq!(outcomes("skipped"), 3, "{log}");
    assert_eq!(outcomes("failed"), 6, "{log}");
    assert!(!log.contains("hanako") && !log.contains("花子"), "{log}");
}

/// Also passes if `bootstrap` was built without a compiler: both builds compute the same
/// engine name.
#[test]
fn a_published_plugin_is_loaded_and_refreshed() {
    let ministack = servers::ministack();
    create_table(ministack.url(), "ap-northeast-1", "User");
    let folder = TestFolder::new(&[(POOL, "table = 'User'\nplugin = 'acme'")]);
    folder.configure("host", "refresh-seconds = 1");
    let publish = |shape| {
        fs::write(folder.path().join("acme.wasm"), mapper(shape, "")).unwrap();
        let published = folder.poolhook(&["plugin", "publish", "acme.wasm"]);
        assert!(published.status.success(), "{published:?}");
    };
    publish("one");
    let lambda = Lambda::start(&folder, ministack.url());
    let user = |name: &str| lambda.invoke(replaced("userName", &json!(name)));
    assert_eq!(user("first").kind, "response");
    publish("two");
    std::thread::sleep(Duration::from_millis(1100));
    // This event finds that there is a newer release; the next event runs it.
    assert_eq!(user("second").kind, "response");
    assert_eq!(user("third").kind, "response");

    let log = lambda.end();
    assert_eq!(log.matches(r#""notice":"new release""#).count(), 1, "{log}");
    let table = table("ap-northeast-1", "User");
    let items = block_on(items(ministack.url(), &table));
    for (name, shape) in [("first", "one"), ("second", "one"), ("third", "two")] {
        let item = json!({ "id": { "S": name }, "shape": { "S": shape } });
        assert!(items.contains(&item), "{name}: {items:?}");
    }
}

#[test]
fn a_broken_config_is_an_init_error() {
    let folder = TestFolder::with_sample_pools();
    folder.configure("defaults", "limits = { fuel = 0 }");
    let mut lambda = Lambda::start(&folder, "http://127.0.0.1:9");
    let Answer { kind, body } = lambda.answer();
    assert_eq!(kind, "init");
    let error: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(error["errorType"], "Config.Invalid");
    assert!(!lambda.bootstrap.wait().unwrap().success());
}

/// The sample event with another value in one field.
fn replaced(field: &str, value: &Value) -> Vec<u8> {
    let mut event: Value = serde_json::from_slice(&event("confirm-sign-up")).unwrap();
    event[field] = value.clone();
    event.to_string().into_bytes()
}

#[test]
fn no_header_of_the_runtime_api_ends_the_process() {
    let folder = TestFolder::new(&[(POOL, "table = 'User'")]);
    let ministack = servers::ministack();
    create_table(ministack.url(), "ap-northeast-1", "User");
    let lambda = Lambda::start(&folder, ministack.url());
    let raw = event("confirm-sign-up");
    let odd: [&[Header]; 12] = [
        &[("lambda-runtime-client-context", Some(b"null"))],
        &[(
            "lambda-runtime-client-context",
            Some(br#"{"custom":{"n":1}}"#),
        )],
        &[("lambda-runtime-client-context", Some(b"{"))],
        &[("lambda-runtime-cognito-identity", Some(b"[]"))],
        &[("lambda-runtime-cognito-identity", Some(b"\xff"))],
        &[("lambda-runtime-deadline-ms", None)],
        &[("lambda-runtime-deadline-ms", Some(b"soon"))],
        &[("lambda-runtime-deadline-ms", Some(b"18446744073709551615"))],
        // It has passed, by another clock.
        &[("lambda-runtime-deadline-ms", Some(b"1000"))],
        &[("lambda-runtime-trace-id", Some(b"\xff\xfe"))],
        &[("lambda-runtime-invoked-function-arn", None)],
        &[("lambda-runtime-invocation-id", Some(b"\xff"))],
    ];
    for headers in odd {
        let answer = lambda.invoke_with(raw.clone(), headers);
        assert_eq!(answer.kind, "response", "{headers:?}");
        assert_eq!(answer.body, raw, "{headers:?}");
    }
    // These cannot be answered; the next event is.
    for id in [None, Some(&b"a b"[..]), Some(b"\xff")] {
        let headers = vec![("lambda-runtime-aws-request-id", id)];
        let mut events = lambda.events.lock().unwrap();
        events.push_back((raw.clone(), headers));
    }
    let answer = lambda.invoke(raw.clone());
    assert_eq!((answer.kind.as_str(), &answer.body), ("response", &raw));
    let log = lambda.end();
    assert_eq!(log.matches("\"outcome\":").count(), 14, "{log}");
}

/// With a plain request: ministack reads only the region from a signature.
pub(crate) fn create_table(url: &str, region: &str, table: &str) {
    let credential = format!("test/20261123/{region}/dynamodb/aws4_request");
    let table = json!({
        "TableName": table,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
    });
    let response = http()
        .post(url)
        .header("X-Amz-Target", "DynamoDB_20120810.CreateTable")
        .header("Content-Type", "application/x-amz-json-1.0")
        .header(
            "Authorization",
            format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"),
        )
        .send(table.to_string());
    assert_eq!(response.unwrap().status(), 200);
}

/// A Lambda with one function, `bootstrap`, next to a `config` folder.
pub(crate) struct Lambda {
    bootstrap: Child,
    events: Events,
    answers: Receiver<Answer>,
    log: std::path::PathBuf,
}

/// Events with headers that the Runtime API does not send usually.
type Events = Arc<Mutex<VecDeque<(Vec<u8>, Vec<Header>)>>>;
type Header = (&'static str, Option<&'static [u8]>);

/// What `bootstrap` posted: `response`, `error` or `init`, and the body.
pub(crate) struct Answer {
    pub(crate) kind: String,
    pub(crate) body: Vec<u8>,
}

impl Lambda {
    pub(crate) fn start(folder: &TestFolder, dynamodb: &str) -> Self {
        Self::start_handler(folder, dynamodb, "bootstrap", Duration::from_mins(15))
    }

    /// Starts the program with a handler, whose invocations have this much time.
    pub(crate) fn start_handler(
        folder: &TestFolder,
        dynamodb: &str,
        handler: &str,
        time: Duration,
    ) -> Self {
        let (sender, answers) = channel();
        let events = Arc::default();
        let address = runtime_api(Arc::clone(&events), sender, time);
        // `config` is next to the binary, as in the deployed zip.
        let binary = folder.path().join("bootstrap");
        copy_binary(&binary);
        let log = folder.path().join("bootstrap.log");
        let blobs = folder.path().join("poolhook.blobs");
        let blobs = blobs.exists().then_some(("POOLHOOK_BLOBS", blobs));
        let mut command: Command = clean(binary.to_str().unwrap());
        let bootstrap = command
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("_HANDLER", handler)
            .env("AWS_LAMBDA_FUNCTION_NAME", "poolhook")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "poolhook")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "poolhook")
            .env("AWS_REGION", "ap-northeast-1")
            .env("AWS_ENDPOINT_URL_DYNAMODB", dynamodb)
            .env("TMPDIR", folder.path())
            .envs(blobs)
            .stdout(fs::File::create(&log).unwrap())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Self {
            bootstrap,
            events,
            answers,
            log,
        }
    }

    pub(crate) fn invoke(&self, event: Vec<u8>) -> Answer {
        self.invoke_with(event, &[])
    }

    /// Invokes with some headers other than usual; `None` leaves a header out.
    fn invoke_with(&self, event: Vec<u8>, headers: &[Header]) -> Answer {
        let invocation = (event, headers.to_vec());
        self.events.lock().unwrap().push_back(invocation);
        self.answer()
    }

    fn answer(&self) -> Answer {
        self.answers
            .recv_timeout(Duration::from_secs(20))
            .expect("bootstrap does not answer")
    }

    /// The process's peak memory, including code and mapped files.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.bootstrap.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: u64 = peak
            .unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap();
        kib << 10
    }

    /// Ends the function and returns its log.
    pub(crate) fn end(mut self) -> String {
        self.bootstrap.kill().unwrap();
        self.bootstrap.wait().unwrap();
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        let _ = self.bootstrap.kill();
        let _ = self.bootstrap.wait();
    }
}

/// Links instead of copying: a file that was just written may still be open for
/// writing in a process that another test thread is starting.
fn copy_binary(to: &Path) {
    let from = std::env::var("POOLHOOK_BOOTSTRAP");
    let from = from.as_deref().unwrap_or(env!("CARGO_BIN_EXE_bootstrap"));
    fs::hard_link(from, to).unwrap();
}

#[derive(Clone)]
struct Api {
    events: Events,
    answers: Sender<Answer>,
    time: Duration,
}

/// Serves the Runtime API until the test process ends; returns its address.
fn runtime_api(events: Events, answers: Sender<Answer>, time: Duration) -> String {
    let (address, bound) = channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            address
                .send(listener.local_addr().unwrap().to_string())
                .unwrap();
            let app = Router::new()
                .route("/2018-06-01/runtime/invocation/next", get(next))
                .route("/2018-06-01/runtime/invocation/{id}/{kind}", post(answered))
                .route("/2018-06-01/runtime/init/error", post(init_error))
                .layer(axum::extract::DefaultBodyLimit::disable())
                .with_state(Api {
                    events,
                    answers,
                    time,
                });
            axum::serve(listener, app).await.unwrap();
        });
    });
    bound.recv().unwrap()
}

async fn next(State(api): State<Api>) -> Response {
    loop {
        let event = api.events.lock().unwrap().pop_front();
        if let Some((event, others)) = event {
            let deadline = SystemTime::now() + api.time;
            let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap();
            let deadline = deadline.as_millis().to_string();
            let headers = [
                (
                    "lambda-runtime-aws-request-id",
                    "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
                ),
                ("lambda-runtime-deadline-ms", deadline.as_str()),
                (
                    "lambda-runtime-invoked-function-arn",
                    "arn:aws:lambda:eu-west-1:1:function:poolhook",
                ),
                (
                    "lambda-runtime-trace-id",
                    "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
                ),
            ];
            let mut response = (headers, event).into_response();
            for (name, value) in others {
                response.headers_mut().remove(name);
                if let Some(value) = value {
                    let value = HeaderValue::from_bytes(value).unwrap();
                    response.headers_mut().insert(name, value);
                }
            }
            return response;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn answered(
    State(api): State<Api>,
    UrlPath((_, kind)): UrlPath<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let is_error = headers.contains_key("lambda-runtime-function-error-type");
    assert_eq!(kind == "error", is_error);
    let _ = api.answers.send(Answer {
        kind,
        body: body.to_vec(),
    });
    StatusCode::ACCEPTED
}

async fn init_error(State(api): State<Api>, body: Bytes) -> StatusCode {
    let _ = api.answers.send(Answer {
        kind: "init".into(),
        body: body.to_vec(),
    });
    StatusCode::ACCEPTED
}
