//! A stub of AWS for one function, on a local port: the Runtime API, which hands out the
//! events, DynamoDB's `PutItem`, and S3's `GetObject`, whose buckets are folders.
//!
//! It records when each event was handed out and answered, and stores every body, so that
//! the benchmark can check everything afterwards.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use poolhook::digest::Sha256;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::event::Event;

/// Cognito's timeout.
const PATIENCE: Duration = Duration::from_secs(5);
/// The time until S3 answers that an object has not changed. The real S3 takes longer.
const UNCHANGED_AFTER: Duration = Duration::from_millis(5);

/// One function's Runtime API, `DynamoDB` and S3.
pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    answers: Receiver<Answer>,
}

struct Shared {
    waiting: Mutex<VecDeque<Handout>>,
    more: Notify,
    handed_out: Mutex<Option<(Handout, Instant)>>,
    /// The time from an answer to the next event.
    pause: Mutex<Duration>,
    answered: Mutex<Option<Instant>>,
    items: Mutex<Vec<Bytes>>,
    /// The folder with the buckets.
    buckets: PathBuf,
    /// The objects that were read, by path.
    objects: Mutex<HashMap<PathBuf, Object>>,
    unchanged: AtomicUsize,
    answers: Sender<Answer>,
}

#[derive(Clone)]
struct Object {
    bytes: Bytes,
    etag: String,
}

#[derive(Clone)]
struct Handout {
    request_id: String,
    event: Bytes,
}

/// The function's answer to an event.
struct Answer {
    received: Instant,
    took: Duration,
    result: Result<Bytes, String>,
}

/// When an event was answered, and the time since it was handed out.
pub(crate) struct Timing {
    pub(crate) answered: Instant,
    pub(crate) took: Duration,
}

impl Stub {
    /// Serves on a free port for as long as the runtime lives. Each folder in `buckets` is a
    /// bucket.
    pub(crate) fn start(runtime: &tokio::runtime::Handle, buckets: PathBuf) -> io::Result<Self> {
        let (sender, answers) = channel();
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            more: Notify::new(),
            handed_out: Mutex::default(),
            pause: Mutex::default(),
            answered: Mutex::default(),
            items: Mutex::default(),
            buckets,
            objects: Mutex::default(),
            unchanged: AtomicUsize::new(0),
            answers: sender,
        });
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        let runtime_api = Router::new()
            .route("/invocation/next", get(next))
            .route("/invocation/{id}/response", post(response))
            .route("/invocation/{id}/error", post(failure))
            .route("/init/error", post(init_failure));
        let service = Router::new()
            .nest("/2018-06-01/runtime", runtime_api)
            .route("/", post(put_item))
            .route("/{bucket}/{*key}", get(get_object))
            .with_state(Arc::clone(&shared));
        runtime.spawn(async { axum::serve(listener, service).await });
        Ok(Self {
            address,
            shared,
            answers,
        })
    }

    /// Sets the time from an answer to the next event.
    pub(crate) fn pause(&self, pause: Duration) {
        *self.shared.pause.lock().unwrap() = pause;
    }

    /// The number of answers that an object has not changed.
    pub(crate) fn unchanged(&self) -> usize {
        self.shared.unchanged.load(Ordering::Relaxed)
    }

    /// Hands out these events one after the other, and waits for the answers. A wrong answer
    /// is an error, and so is a missing or an extra item, because the benchmark must not
    /// measure failures.
    pub(crate) fn exchange(&self, events: &[Event]) -> Result<Vec<Timing>, Box<dyn Error>> {
        self.queue(events);
        self.collect(events)
    }

    /// Queues events for the function's next calls.
    pub(crate) fn queue(&self, events: &[Event]) {
        let handout = |event: &Event| Handout {
            request_id: event.request_id.clone(),
            event: Bytes::from(event.raw.clone()),
        };
        let mut waiting = self.shared.waiting.lock().unwrap();
        waiting.extend(events.iter().map(handout));
        drop(waiting);
        self.shared.more.notify_one();
    }

    /// Waits for the answers to these queued events.
    pub(crate) fn collect(&self, events: &[Event]) -> Result<Vec<Timing>, Box<dyn Error>> {
        let mut timings = Vec::with_capacity(events.len());
        let mut answers = Vec::with_capacity(events.len());
        for _ in events {
            let answer = match self.answers.recv_timeout(PATIENCE) {
                Ok(answer) => answer,
                Err(RecvTimeoutError::Timeout) => return Err("no answer in 5 s".into()),
                Err(error) => return Err(error.into()),
            };
            answers.push(answer.result?);
            timings.push(Timing {
                answered: answer.received,
                took: answer.took,
            });
        }
        let items = std::mem::take(&mut *self.shared.items.lock().unwrap());
        if items.len() != events.len() {
            let (items, events) = (items.len(), events.len());
            return Err(format!("{items} items were put for {events} events").into());
        }
        for ((event, answer), item) in events.iter().zip(answers).zip(items) {
            event.check_answer(&answer)?;
            event.check_put(&serde_json::from_slice::<Value>(&item)?)?;
        }
        Ok(timings)
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let handout = loop {
        let handout = shared.waiting.lock().unwrap().pop_front();
        match handout {
            Some(handout) => break handout,
            None => shared.more.notified().await,
        }
    };
    let answered = *shared.answered.lock().unwrap();
    let pause = *shared.pause.lock().unwrap();
    tokio::time::sleep(pause.saturating_sub(answered.map_or(pause, |at| at.elapsed()))).await;
    let deadline = SystemTime::now() + PATIENCE;
    let deadline = deadline.duration_since(UNIX_EPOCH).unwrap_or_default();
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", handout.request_id.clone()),
        (
            "lambda-runtime-deadline-ms",
            deadline.as_millis().to_string(),
        ),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:ap-northeast-1:123456789012:function:trigger".to_owned(),
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0".to_owned(),
        ),
    ];
    let body = handout.event.clone();
    *shared.handed_out.lock().unwrap() = Some((handout, Instant::now()));
    (headers, body)
}

async fn response(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> StatusCode {
    shared.answered(&id, Ok(body))
}

async fn failure(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> StatusCode {
    shared.answered(&id, Err(text(&body)))
}

async fn init_failure(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    shared.answer(Duration::ZERO, Err(text(&body)))
}

async fn put_item(State(shared): State<Arc<Shared>>, body: Bytes) -> impl IntoResponse {
    shared.items.lock().unwrap().push(body);
    ([("content-type", "application/x-amz-json-1.0")], "{}")
}

async fn get_object(
    State(shared): State<Arc<Shared>>,
    Path((bucket, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let Some(Object { bytes, etag }) = shared.object(shared.buckets.join(bucket).join(key)) else {
        let error = "<Error><Code>NoSuchKey</Code></Error>";
        return (StatusCode::NOT_FOUND, error).into_response();
    };
    if headers
        .get("if-none-match")
        .is_some_and(|known| *known == etag)
    {
        tokio::time::sleep(UNCHANGED_AFTER).await;
        shared.unchanged.fetch_add(1, Ordering::Relaxed);
        return (StatusCode::NOT_MODIFIED, [("etag", etag)]).into_response();
    }
    let modified = "Mon, 23 Nov 2026 09:06:52 GMT".to_owned();
    ([("etag", etag), ("last-modified", modified)], bytes).into_response()
}

impl Shared {
    /// An object, which is read from disk the first time.
    fn object(&self, path: PathBuf) -> Option<Object> {
        let mut objects = self.objects.lock().unwrap();
        if let Some(object) = objects.get(&path) {
            return Some(object.clone());
        }
        let bytes = std::fs::read(&path).ok()?;
        let object = Object {
            etag: format!("\"{}\"", Sha256::of(&bytes)),
            bytes: bytes.into(),
        };
        objects.insert(path, object.clone());
        Some(object)
    }

    fn answered(&self, id: &str, result: Result<Bytes, String>) -> StatusCode {
        let handed_out = self.handed_out.lock().unwrap().take();
        match handed_out {
            Some((handout, since)) if handout.request_id == id => {
                self.answer(since.elapsed(), result)
            }
            _ => self.answer(Duration::ZERO, Err(format!("{id} was not handed out"))),
        }
    }

    fn answer(&self, took: Duration, result: Result<Bytes, String>) -> StatusCode {
        let received = Instant::now();
        *self.answered.lock().unwrap() = Some(received);
        // The receiver is gone once the benchmark has failed.
        let _ = self.answers.send(Answer {
            received,
            took,
            result,
        });
        StatusCode::ACCEPTED
    }
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}
