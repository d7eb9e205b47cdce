//! The part of Cognito and `DynamoDB` that a backfill uses, in this process.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub(super) fn user_name(number: u32) -> String {
    format!("user-{number:06}")
}

/// One user in fifty is unconfirmed.
pub(super) fn is_confirmed(number: u32) -> bool {
    number % 50 != 49
}

/// The creation time in Unix seconds.
pub(super) fn created(number: u32) -> u64 {
    1_700_000_000 + u64::from(number)
}

/// A user as `ListUsers` returns it.
pub(super) fn user(number: u32) -> Value {
    let status = match number % 10 {
        _ if !is_confirmed(number) => "UNCONFIRMED",
        3 => "FORCE_CHANGE_PASSWORD",
        5 => "EXTERNAL_PROVIDER",
        6 => "RESET_REQUIRED",
        _ => "CONFIRMED",
    };
    let name = user_name(number);
    let created = created(number);
    json!({
        "Username": name,
        "Attributes": [
            { "Name": "email", "Value": format!("{name}@example.com") },
            { "Name": "email_verified", "Value": "true" },
            { "Name": "sub", "Value": format!("0f3d5f0e-8f5c-4b55-9c1c-{number:012}") },
        ],
        "UserCreateDate": created, "UserLastModifiedDate": created + 1,
        "Enabled": !number.is_multiple_of(4), "UserStatus": status,
    })
}

pub(super) fn credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "tests"))
}

/// A user pool, which is stopped on drop.
pub(super) struct Cognito {
    pub(super) url: String,
    pool: Arc<Pool>,
    _runtime: Runtime,
}

#[derive(Default)]
struct Pool {
    users: AtomicU32,
    /// If set, user 4 has no email, and user 5 has one of half a megabyte.
    odd: AtomicBool,
    refusal: Mutex<Refusal>,
    requests: AtomicU64,
    refused: AtomicU64,
}

/// Which requests are rejected.
#[derive(Clone, Copy, Default)]
pub(super) enum Refusal {
    #[default]
    None,
    /// One request in this number, as throttled.
    OneIn(u64),
    /// All requests, with this code.
    All(&'static str),
    /// The first page of users, with this code.
    First(&'static str),
    /// The page of users with this token, with this code.
    Page(&'static str, &'static str),
}

impl Cognito {
    pub(super) fn start(users: u32) -> Self {
        let pool = Arc::new(Pool::default());
        pool.users.store(users, Relaxed);
        let answering = Arc::clone(&pool);
        let (url, runtime) = serve(move |action, request| answering.answer(action, request));
        Self {
            url,
            pool,
            _runtime: runtime,
        }
    }

    pub(super) fn refuse(&self, refusal: Refusal) {
        *self.pool.refusal.lock().unwrap() = refusal;
    }

    pub(super) fn add(&self, users: u32) {
        self.pool.users.fetch_add(users, Relaxed);
    }

    pub(super) fn odd(&self, odd: bool) {
        self.pool.odd.store(odd, Relaxed);
    }

    pub(super) fn requests(&self) -> u64 {
        self.pool.requests.load(Relaxed)
    }

    pub(super) fn refused(&self) -> u64 {
        self.pool.refused.load(Relaxed)
    }
}

impl Pool {
    fn answer(&self, action: &str, request: &Value) -> Result<Value, Value> {
        let number = self.requests.fetch_add(1, Relaxed) + 1;
        let code = match *self.refusal.lock().unwrap() {
            Refusal::None => None,
            Refusal::OneIn(n) => number
                .is_multiple_of(n)
                .then_some("TooManyRequestsException"),
            Refusal::All(code) => Some(code),
            Refusal::First(code) => {
                (action == "ListUsers" && request["PaginationToken"].is_null()).then_some(code)
            }
            Refusal::Page(token, code) => (request["PaginationToken"] == token).then_some(code),
        };
        if let Some(code) = code {
            self.refused.fetch_add(1, Relaxed);
            return Err(json!({ "__type": code, "message": "refused" }));
        }
        let users = self.users.load(Relaxed);
        match action {
            "DescribeUserPool" => Ok(json!({ "UserPool": { "EstimatedNumberOfUsers": users } })),
            "ListUsers" => {
                let from = match request["PaginationToken"].as_str() {
                    None => 0,
                    Some(token) => match token.strip_prefix("from-").map(str::parse) {
                        Some(Ok(from)) => from,
                        _ => return Err(json!({ "__type": "InvalidParameterException" })),
                    },
                };
                let limit = u32::try_from(request["Limit"].as_u64().unwrap()).unwrap();
                let to = users.min(from + limit);
                let page: Vec<_> = (from..to).map(|number| self.user(number)).collect();
                let mut answer = json!({ "Users": page });
                if to < users {
                    answer["PaginationToken"] = format!("from-{to}").into();
                }
                Ok(answer)
            }
            other => panic!("{other}"),
        }
    }

    fn user(&self, number: u32) -> Value {
        let mut user = user(number);
        if self.odd.load(Relaxed) {
            let attributes = user["Attributes"].as_array_mut().unwrap();
            match number {
                4 => drop(attributes.remove(0)),
                5 => attributes[0]["Value"] = "x".repeat(500_000).into(),
                _ => {}
            }
        }
        user
    }
}

/// The table's provisioned capacity, in units per second.
pub(super) const WRITE_CAPACITY: u32 = 160;

/// A table with the key `id`, which is stopped on drop.
pub(super) struct DynamoDb {
    pub(super) url: String,
    table: Arc<Table>,
    _runtime: Runtime,
}

#[derive(Default)]
struct Table {
    rows: Mutex<BTreeMap<String, Value>>,
    overwritten: AtomicU64,
    throttled: Mutex<Throttled>,
}

#[derive(Default)]
enum Throttled {
    #[default]
    Never,
    /// For this time after the first request.
    For(Duration),
    Until(Instant),
}

impl DynamoDb {
    pub(super) fn start() -> Self {
        let table = Arc::new(Table::default());
        let answering = Arc::clone(&table);
        let (url, runtime) = serve(move |action, request| match action {
            "PutItem" => answering.put(request),
            "DescribeTable" => {
                let throughput = json!({ "WriteCapacityUnits": WRITE_CAPACITY });
                Ok(json!({ "Table": { "ProvisionedThroughput": throughput } }))
            }
            other => panic!("{other}"),
        });
        Self {
            url,
            table,
            _runtime: runtime,
        }
    }

    pub(super) fn throttle_for(&self, time: Duration) {
        *self.table.throttled.lock().unwrap() = Throttled::For(time);
    }

    pub(super) fn rows(&self) -> BTreeMap<String, Value> {
        self.table.rows.lock().unwrap().clone()
    }

    pub(super) fn overwritten(&self) -> u64 {
        self.table.overwritten.load(Relaxed)
    }
}

impl Table {
    fn put(&self, request: &Value) -> Result<Value, Value> {
        if self.is_throttled() {
            return Err(json!({ "__type": "ProvisionedThroughputExceededException" }));
        }
        let item = &request["Item"];
        let key = item["id"]["S"].as_str().unwrap().to_owned();
        let mut rows = self.rows.lock().unwrap();
        if let Some(there) = rows.get(&key) {
            if request.get("ConditionExpression").is_some() {
                let code = "ConditionalCheckFailedException";
                return Err(json!({ "__type": code, "Item": there }));
            }
            self.overwritten.fetch_add(1, Relaxed);
        }
        rows.insert(key, item.clone());
        Ok(json!({}))
    }

    fn is_throttled(&self) -> bool {
        let mut throttled = self.throttled.lock().unwrap();
        if let Throttled::For(time) = *throttled {
            *throttled = Throttled::Until(Instant::now() + time);
        }
        matches!(*throttled, Throttled::Until(end) if Instant::now() < end)
    }
}

/// Serves AWS's JSON protocol. `answer` gets the action and the request.
fn serve(
    answer: impl Fn(&str, &Value) -> Result<Value, Value> + Clone + Send + Sync + 'static,
) -> (String, Runtime) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let handler = async move |headers: HeaderMap, body: Bytes| -> Response {
        let target = headers["x-amz-target"].to_str().unwrap();
        let (_, action) = target.rsplit_once('.').unwrap();
        let (status, answer) = match answer(action, &serde_json::from_slice(&body).unwrap()) {
            Ok(answer) => (StatusCode::OK, answer),
            Err(error) => (StatusCode::BAD_REQUEST, error),
        };
        let json = [("content-type", "application/x-amz-json-1.1")];
        (status, json, answer.to_string()).into_response()
    };
    let router = Router::new().route("/", post(handler));
    runtime.spawn(async { axum::serve(listener, router).await });
    (url, runtime)
}
