//! Environments of one function, each a `bootstrap` with a Runtime API, as on Lambda: one
//! event at a time, started when needed, killed when it takes too long.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::clean;

/// The function's `Timeout`.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The events per environment in most tests.
const EVENTS: usize = 40;

/// An invocation.
struct Job {
    id: String,
    event: String,
    /// If set, the environment dies this long after it receives the event.
    dies: Option<Duration>,
    answer: oneshot::Sender<Answer>,
}

/// How an invocation ended.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) id: String,
    pub(crate) end: End,
    /// The time from the event's arrival, including a cold start.
    pub(crate) took: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Answered with this event.
    Event(String),
    /// Answered with an error of this name.
    Error(String),
    /// The process could not start, because of an error with this name.
    NotStarted(String),
    /// The environment died.
    Died,
    /// There was no answer within the function's timeout.
    TimedOut,
}

/// The function, which is called like Lambda's.
pub(crate) struct Lambda {
    jobs: mpsc::UnboundedSender<Job>,
    environments: JoinSet<()>,
    folder: PathBuf,
}

/// The configuration of the environments.
#[derive(Clone)]
pub(crate) struct Configuration {
    /// AWS's URL.
    pub(crate) aws: String,
    /// A shell command to run before the process is executed, such as setting a limit.
    pub(crate) first: Option<String>,
    /// The events that an environment handles before it is replaced.
    pub(crate) events: usize,
}

impl Lambda {
    /// Starts a function with this number of environments, which reach AWS at `aws`.
    pub(crate) fn start(environments: usize, folder: &Path, aws: &str) -> Self {
        let configuration = Configuration {
            aws: aws.to_owned(),
            first: None,
            events: EVENTS,
        };
        Self::start_with(environments, folder, &configuration)
    }

    pub(crate) fn start_with(
        environments: usize,
        folder: &Path,
        configuration: &Configuration,
    ) -> Self {
        let (jobs, queue) = mpsc::unbounded_channel();
        let queue = Arc::new(Mutex::new(queue));
        let folder = folder.to_owned();
        let mut all = JoinSet::new();
        for n in 0..environments {
            let (queue, configuration) = (Arc::clone(&queue), configuration.clone());
            let folder = folder.join(n.to_string());
            fs::create_dir_all(&folder).unwrap();
            all.spawn(async move { Environment::new(folder, configuration).run(&queue).await });
        }
        Self {
            jobs,
            environments: all,
            folder,
        }
    }

    pub(crate) async fn invoke(&self, id: String, event: String, dies: Option<Duration>) -> Answer {
        let (answer, answered) = oneshot::channel();
        let job = Job {
            id,
            event,
            dies,
            answer,
        };
        assert!(self.jobs.send(job).is_ok());
        answered.await.unwrap()
    }

    /// Ends the function and returns its log's lines.
    pub(crate) async fn end(mut self) -> Vec<Value> {
        self.environments.shutdown().await;
        let mut lines = Vec::new();
        for folder in fs::read_dir(&self.folder).unwrap() {
            let log = fs::read_to_string(folder.unwrap().path().join("log")).unwrap_or_default();
            lines.extend(
                log.lines()
                    .filter_map(|line| serde_json::from_str(line).ok()),
            );
        }
        lines
    }
}

/// An environment, which handles one event at a time.
struct Environment {
    folder: PathBuf,
    configuration: Configuration,
    process: Option<Process>,
}

/// A `bootstrap` and its own Runtime API. Both end on drop.
struct Process {
    events: mpsc::Sender<(String, String)>,
    told: mpsc::Receiver<Told>,
    handled: usize,
    child: Child,
    _api: JoinSet<()>,
}

/// A process's calls of the Runtime API.
enum Told {
    /// The process asks for an event.
    Free,
    Answered(String, String, Vec<u8>),
    NotStarted(Vec<u8>),
}

impl Environment {
    fn new(folder: PathBuf, configuration: Configuration) -> Self {
        Self {
            folder,
            configuration,
            process: None,
        }
    }

    async fn run(&mut self, queue: &Mutex<mpsc::UnboundedReceiver<Job>>) {
        loop {
            // A process that is still busy after its answer gets no event.
            if let Some(process) = &mut self.process
                && !matches!(process.told.recv().await, Some(Told::Free))
            {
                self.process = None;
            }
            let Some(job) = queue.lock().await.recv().await else {
                return;
            };
            let began = Instant::now();
            if self.process.is_none() {
                self.process = Some(self.start().await);
            }
            let process = self.process.as_mut().unwrap();
            process.handled += 1;
            let _ = process.events.send((job.id.clone(), job.event)).await;
            let dies = job.dies.unwrap_or(Duration::MAX);
            let end = match timeout(dies.min(TIMEOUT), process.answer(&job.id)).await {
                Ok(end) => end,
                Err(_) if job.dies.is_some() => End::Died,
                Err(_) => End::TimedOut,
            };
            let lives = matches!(end, End::Event(_) | End::Error(_));
            if !lives || process.handled == self.configuration.events {
                self.process = None;
            }
            let _ = job.answer.send(Answer {
                id: job.id,
                end,
                took: began.elapsed(),
            });
        }
    }

    async fn start(&self) -> Process {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (events, to_process) = mpsc::channel(1);
        let (tell, told) = mpsc::channel(16);
        let app = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{kind}", post(answered))
            .route("/2018-06-01/runtime/init/error", post(not_started))
            .layer(DefaultBodyLimit::disable())
            .with_state((Arc::new(Mutex::new(to_process)), tell));
        let mut api = JoinSet::new();
        api.spawn(async move { axum::serve(listener, app).await.unwrap() });

        // A new environment has an empty folder for its files.
        let files = self.folder.join("tmp");
        let _ = fs::remove_dir_all(&files);
        fs::create_dir(&files).unwrap();
        let log = self.folder.join("log");
        let open = |file| OpenOptions::new().create(true).append(true).open(file);
        let (log, errors) = (open(log), open(self.folder.join("errors")));
        let program = bootstrap();
        let mut command = match &self.configuration.first {
            None => Command::from(clean(&program)),
            Some(first) => {
                let mut shell = clean("/bin/sh");
                shell.args(["-c", &format!("{first} && exec \"$0\""), &program]);
                Command::from(shell)
            }
        };
        command
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "poolhook")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL", &self.configuration.aws)
            .env("POOLHOOK_CONFIG", "s3://poolhook/config")
            .env("POOLHOOK_BLOBS", "s3://poolhook")
            .env("TMPDIR", files)
            .stdout(log.unwrap())
            .stderr(errors.unwrap())
            .kill_on_drop(true);
        Process {
            events,
            told,
            handled: 0,
            child: command.spawn().unwrap(),
            _api: api,
        }
    }
}

impl Process {
    async fn answer(&mut self, asked: &str) -> End {
        loop {
            let told = tokio::select! {
                biased;
                told = self.told.recv() => told,
                _ = self.child.wait() => None,
            };
            match told {
                Some(Told::Free) => {}
                Some(Told::Answered(id, kind, body)) => {
                    assert_eq!(id, asked);
                    return match kind.as_str() {
                        "response" => End::Event(String::from_utf8(body).unwrap()),
                        _ => End::Error(error_type(&body)),
                    };
                }
                Some(Told::NotStarted(body)) => return End::NotStarted(error_type(&body)),
                None => return End::Died,
            }
        }
    }
}

/// The `bootstrap` that CI has built for Lambda, if there is one.
fn bootstrap() -> String {
    let built = std::env::var("POOLHOOK_BOOTSTRAP");
    built.unwrap_or_else(|_| env!("CARGO_BIN_EXE_bootstrap").to_owned())
}

fn error_type(body: &[u8]) -> String {
    let error: Value = serde_json::from_slice(body).unwrap();
    error["errorType"].as_str().unwrap().to_owned()
}

type Events = Arc<Mutex<mpsc::Receiver<(String, String)>>>;
type Api = State<(Events, mpsc::Sender<Told>)>;

async fn next(State((events, tell)): Api) -> Response {
    let _ = tell.send(Told::Free).await;
    let Some((id, event)) = events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + TIMEOUT;
    let headers = [
        ("lambda-runtime-aws-request-id", id),
        (
            "lambda-runtime-deadline-ms",
            deadline.as_millis().to_string(),
        ),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:1:function:poolhook".to_owned(),
        ),
    ];
    (headers, event).into_response()
}

async fn answered(
    State((_, tell)): Api,
    UrlPath((id, kind)): UrlPath<(String, String)>,
    body: Bytes,
) -> StatusCode {
    let _ = tell.send(Told::Answered(id, kind, body.to_vec())).await;
    StatusCode::ACCEPTED
}

async fn not_started(State((_, tell)): Api, body: Bytes) -> StatusCode {
    let _ = tell.send(Told::NotStarted(body.to_vec())).await;
    StatusCode::ACCEPTED
}
