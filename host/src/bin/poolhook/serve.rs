//! `poolhook serve`: serves Lambda's Invoke API on this machine.

mod watch;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Router, serve};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Args;
use poolhook::blobs::Location;
use poolhook::dead_letters::DeadLetters;
use poolhook::host::Host;
use poolhook::log;
use poolhook::pools::Pools;
use poolhook::releases::Releases;
use serde::de::IgnoredAny;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::Exit;
use crate::options::{Config, Items, PluginChoice, publisher, warn_of_shared_rows};
use crate::out::say;

/// The largest payload of a synchronous invocation, in bytes: Lambda's own limit.
const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;
/// The pools that are named at the start.
const MOST_POOLS: usize = 20;
/// Lambda returns the last 4 KB of the log if the caller asks for it.
const LOG_TAIL_BYTES: usize = 4096;

/// Serve Lambda's Invoke API on localhost.
///
/// The AWS CLI, AWS SDKs and cognito-local call this server as they would call
/// Lambda. The address is printed on standard output, and a log line for each event
/// on standard error. A component put into the folder of uploads, such as
/// poolhook.blobs/uploads/my-mapper/v2.wasm, is published as the plugin that its
/// folder names. Events that cannot be written go to the folder dead-letters next to
/// uploads. Ctrl-C stops the server after the events in progress.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook serve
  poolhook serve --port 0 --dynamodb
  aws lambda invoke --endpoint-url http://127.0.0.1:3001 \\
    --function-name poolhook --cli-binary-format raw-in-base64-out \\
    --payload file://event.json /dev/stdout

cognito-local, in .cognito/config.json:
  \"LambdaClient\": {\"endpoint\": \"http://127.0.0.1:3001\", \"region\": \"local\",
    \"credentials\": {\"accessKeyId\": \"local\", \"secretAccessKey\": \"local\"}},
  \"TriggerFunctions\": {\"PostConfirmation\": \"poolhook\"}")]
pub(crate) struct Options {
    /// The port on 127.0.0.1; 0 picks a free port.
    #[arg(long, default_value_t = 3001)]
    port: u16,
    /// The function's name; requests for other names are rejected.
    #[arg(long, default_value = "poolhook", value_name = "NAME")]
    function: String,
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    items: Items,
    #[command(flatten)]
    plugin: PluginChoice,
}

/// The pools that have files, each with its table and plugin, or with what is wrong.
async fn served(pools: &Pools) -> anyhow::Result<Vec<String>> {
    let mut served = Vec::new();
    for pool in pools.list().await? {
        served.push(match pool {
            Ok(id) => match pools.get(&id).await {
                Ok(config) => format!(
                    "{id}: table {} in {}, plugin {}",
                    config.table.name, config.table.region, config.plugin
                ),
                Err(failure) => format!("{id}: {}", failure.text()),
            },
            Err(error) => error.to_string(),
        });
    }
    Ok(served)
}

impl Options {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        log::forward_warnings(|line| say!("{line}"));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let items = self.items.open(self.config.what_is_in_aws()).await?;
            let pools = self.config.open().await?;
            let served = served(&pools).await?;
            warn_of_shared_rows(&pools).await?;
            let releases = self.plugin.store.create().await?;
            self.watch_uploads(&releases).await?;
            let dead_letters = DeadLetters::new(releases.shared_blobs());
            let plugins = self
                .plugin
                .load(Some(releases), pools.host_config())
                .await?;
            let host = Host::new(pools, plugins, items);
            self.serve(host.with_dead_letters(dead_letters), &served)
                .await
        })
    }

    /// Publishes what is put into the folder of uploads from now on. For a bucket, S3
    /// invokes the publisher's function instead.
    async fn watch_uploads(&self, releases: &Releases) -> anyhow::Result<()> {
        if let Location::Folder(_) = self.plugin.store.location {
            let publisher = publisher(&self.config, releases.clone()).await?;
            tokio::spawn(watch::uploads(publisher));
        }
        Ok(())
    }

    async fn serve(self, host: Host, pools: &[String]) -> anyhow::Result<Exit> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address}. `--port 0` picks a free port"))?;
        let store = self.items.name();
        let function = Arc::new(Function {
            name: self.function,
            host,
            requests: AtomicU64::new(0),
            in_hand: Mutex::default(),
        });
        let app = Router::new()
            .route("/2015-03-31/functions/{name}/invocations", post(invoke))
            .layer(DefaultBodyLimit::max(MAX_PAYLOAD_BYTES))
            .layer(from_fn(only_local_programs))
            .with_state(Arc::clone(&function));

        println!("http://{}", listener.local_addr()?);
        say!("{} pools; items go to {store}", pools.len());
        for pool in pools.iter().take(MOST_POOLS) {
            say!("  {pool}");
        }
        if let Some(more) = pools.len().checked_sub(MOST_POOLS).filter(|more| *more > 0) {
            say!("  and {more} more");
        }
        say!(
            "serving the function {}; press Ctrl-C to stop",
            function.name
        );
        serve(listener, app).with_graceful_shutdown(ended()).await?;
        let mut in_hand = function.in_hand.lock().await;
        while in_hand.join_next().await.is_some() {}
        Ok(Exit::Done)
    }
}

/// Completes on Ctrl-C or SIGTERM, which service managers send.
async fn ended() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// The function that is served.
struct Function {
    name: String,
    host: Host,
    requests: AtomicU64,
    /// Asynchronous invocations that are still running.
    in_hand: Mutex<JoinSet<()>>,
}

/// Refuses what a web page can send: browsers name the page in `Origin`, and a page whose
/// name resolves to this machine sends that name in `Host`. AWS's tools and cognito-local
/// send neither.
async fn only_local_programs(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let of_a_page = headers.contains_key(header::ORIGIN);
    let mut hosts = headers.get_all(header::HOST).iter().peekable();
    let named = hosts.peek().is_some();
    let local = named && hosts.all(|host| host.to_str().is_ok_and(is_loopback));
    let authority = request.uri().authority();
    let local = local && authority.is_none_or(|authority| is_loopback(authority.as_str()));
    if of_a_page || !local {
        return ServiceError::not_local().into_response();
    }
    next.run(request).await
}

/// Whether a `Host`, with or without a port, is this machine's loopback interface.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let address = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || address.is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback()))
}

/// [Invoke](https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html).
async fn invoke(
    State(function): State<Arc<Function>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> impl IntoResponse {
    let request_id = function.next_request_id();
    let answered = function.answer(&request_id, &name, &headers, request).await;
    ([("x-amzn-requestid", request_id)], answered)
}

impl Function {
    async fn answer(
        self: &Arc<Self>,
        request_id: &str,
        name: &str,
        headers: &HeaderMap,
        request: Request,
    ) -> Result<Response, ServiceError> {
        if function_name(name) != self.name {
            return Err(ServiceError::not_found(name, &self.name));
        }
        let payload = Bytes::from_request(request, &()).await;
        let payload = payload.map_err(|_| ServiceError::too_large())?;
        serde_json::from_slice::<IgnoredAny>(&payload)
            .map_err(|error| ServiceError::not_json(&error))?;

        match text(headers, "x-amz-invocation-type").unwrap_or("RequestResponse") {
            "RequestResponse" => {
                let tail = text(headers, "x-amz-log-type") == Some("Tail");
                Ok(self.invoke(request_id, payload, tail).await)
            }
            "Event" => {
                let (function, request_id) = (Arc::clone(self), request_id.to_owned());
                let mut in_hand = self.in_hand.lock().await;
                while in_hand.try_join_next().is_some() {}
                in_hand.spawn(async move {
                    function.invoke(&request_id, payload, false).await;
                });
                Ok(StatusCode::ACCEPTED.into_response())
            }
            "DryRun" => Ok(StatusCode::NO_CONTENT.into_response()),
            other => Err(ServiceError::invocation_type(other)),
        }
    }

    async fn invoke(&self, request_id: &str, payload: Bytes, tail: bool) -> Response {
        let delivery = self.host.deliver(&payload, Duration::MAX);
        let report = self.host.handle(delivery).await;
        for notice in self.host.notices() {
            say!("{}", notice.log_line());
        }
        let mut log = report.log_line(request_id) + "\n";
        for line in report.plugin_log_lines(request_id) {
            log += &(line + "\n");
        }
        eprint!("{log}");

        let (error, body) = match report.answer() {
            Ok(()) => (None, payload),
            Err(failure) => {
                let body = json!({ "errorType": failure.name(), "errorMessage": failure.text() });
                let error = [("x-amz-function-error", "Unhandled")];
                (Some(error), body.to_string().into())
            }
        };
        let headers = [
            (header::CONTENT_TYPE.as_str(), "application/json"),
            ("x-amz-executed-version", "$LATEST"),
        ];
        let tail = tail.then(|| {
            let start = log.floor_char_boundary(log.len().saturating_sub(LOG_TAIL_BYTES));
            let tail = BASE64.encode(log.get(start..).unwrap_or_default());
            [("x-amz-log-result", tail)]
        });
        (headers, error, tail, body).into_response()
    }

    /// Unique in this process, and practically unique across processes.
    fn next_request_id(&self) -> String {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        format!(
            "{:08x}-{:016x}",
            now.as_secs(),
            u64::from(std::process::id()) << 32 | number
        )
    }
}

/// Extracts the name from a function's name, partial ARN or ARN, with or without qualifier.
fn function_name(name: &str) -> &str {
    let after_function = name.split_once("function:").map_or(name, |(_, rest)| rest);
    after_function.split(':').next().unwrap_or(name)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// An error of the Invoke API itself; the function was not invoked.
struct ServiceError {
    status: StatusCode,
    name: &'static str,
    message: String,
}

impl ServiceError {
    fn not_local() -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            name: "AccessDeniedException",
            message: "Only programs on this machine may call: the request has an Origin, or its Host is not localhost, 127.0.0.1 or [::1]".to_owned(),
        }
    }

    fn not_found(name: &str, known: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            name: "ResourceNotFoundException",
            message: format!("Function not found: {name}; this server has {known}"),
        }
    }

    fn too_large() -> Self {
        Self {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            name: "RequestTooLargeException",
            message: format!("Request must be smaller than {MAX_PAYLOAD_BYTES} bytes"),
        }
    }

    fn not_json(error: &serde_json::Error) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            name: "InvalidRequestContentException",
            message: format!("Could not parse request body into json: {error}"),
        }
    }

    fn invocation_type(other: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            name: "InvalidParameterValueException",
            message: format!("Invocation type {other}; it is RequestResponse, Event or DryRun"),
        }
    }
}

impl IntoResponse for ServiceError {
    fn into_response(self) -> Response {
        let body = json!({ "Type": "User", "Message": self.message, "message": self.message });
        let headers = [
            (header::CONTENT_TYPE.as_str(), "application/json"),
            ("x-amzn-errortype", self.name),
        ];
        (self.status, headers, body.to_string()).into_response()
    }
}
