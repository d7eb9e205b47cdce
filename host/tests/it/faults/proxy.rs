//! A proxy between poolhook and AWS, which forwards requests or not, and records those
//! that it forwarded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::dice::below;

/// The fate of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Pass,
    Throttle,
    Fail,
    /// S3's answer to concurrent conditional writes: possibly neither succeeds.
    Conflict,
    /// Passes after a delay.
    Dawdle,
    Hang,
    CutBefore,
    CutAfter,
    LoseAnswer,
}

/// The faults that requests meet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Weather {
    Calm,
    /// All faults, chosen by this seed.
    Rough(u64),
    /// Every `PutItem` is throttled.
    Throttled,
    /// DynamoDB never answers.
    NoDynamoDb,
    /// S3 never answers.
    NoS3,
    /// Neither DynamoDB nor S3 answers.
    Nothing,
    /// DynamoDB never answers, and S3 does not answer the first request for each thing.
    Stumbling,
    /// DynamoDB never answers, and S3 answers late.
    Slow,
    /// Every `PutItem` is throttled, and an object's first write conflicts with another one.
    Conflicting,
}

/// A `PutItem` that reached the table, and the table's answer.
#[derive(Clone, Debug)]
pub(crate) struct Put {
    pub(crate) table: String,
    pub(crate) id: String,
    pub(crate) item: Value,
    pub(crate) conditional: bool,
    pub(crate) status: u16,
}

pub(crate) struct Proxy {
    pub(crate) url: String,
    state: Arc<State>,
}

struct State {
    to: String,
    weather: Mutex<Weather>,
    /// The number of requests for each thing.
    asked: Mutex<HashMap<String, u64>>,
    puts: Mutex<Vec<Put>>,
    fates: Mutex<HashMap<String, u64>>,
    /// The number of requests.
    requests: watch::Sender<u64>,
}

impl Proxy {
    /// Starts a proxy for this URL, without faults.
    pub(crate) async fn start(to: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            to: to.strip_prefix("http://").unwrap().to_owned(),
            weather: Mutex::new(Weather::Calm),
            asked: Mutex::default(),
            puts: Mutex::default(),
            fates: Mutex::default(),
            requests: watch::Sender::new(0),
        });
        let of_all = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = Arc::clone(&of_all);
                tokio::spawn(async move { state.serve(client).await });
            }
        });
        Self { url, state }
    }

    pub(crate) fn set(&self, weather: Weather) {
        *self.state.weather.lock().unwrap() = weather;
    }

    /// The `PutItem`s that reached a table, in their order.
    pub(crate) fn puts(&self) -> Vec<Put> {
        self.state.puts.lock().unwrap().clone()
    }

    /// Waits for this number of further requests.
    pub(crate) async fn after(&self, more: u64) {
        let mut requests = self.state.requests.subscribe();
        let enough = *requests.borrow_and_update() + more;
        requests.wait_for(|now| *now >= enough).await.unwrap();
    }

    /// The number of requests by kind and fate.
    pub(crate) fn fates(&self) -> Vec<(String, u64)> {
        let fates = self.state.fates.lock().unwrap();
        let mut fates: Vec<_> = fates.clone().into_iter().collect();
        fates.sort();
        fates
    }
}

impl State {
    async fn serve(&self, mut client: TcpStream) -> Option<()> {
        loop {
            let request = Request::read(&mut client).await?;
            let fate = self.fate(&request);
            let count = format!("{} {fate:?}", request.what());
            *self.fates.lock().unwrap().entry(count).or_default() += 1;
            self.requests.send_modify(|requests| *requests += 1);
            let answer = match fate {
                Fate::CutBefore => return None,
                Fate::Hang => return hang().await,
                Fate::Throttle => request.throttled(),
                Fate::Fail => answer("500 Internal Server Error", ""),
                Fate::Conflict => {
                    let code = "<Error><Code>ConditionalRequestConflict</Code></Error>";
                    answer("409 Conflict", code)
                }
                Fate::Dawdle => {
                    tokio::time::sleep(Duration::from_millis(700)).await;
                    self.forward(&request).await?
                }
                Fate::Pass | Fate::CutAfter | Fate::LoseAnswer => self.forward(&request).await?,
            };
            match fate {
                Fate::CutAfter => return None,
                Fate::LoseAnswer => return hang().await,
                _ => client.write_all(&answer).await.ok()?,
            }
        }
    }

    fn fate(&self, request: &Request) -> Fate {
        let weather = *self.weather.lock().unwrap();
        let item = request.item.is_some();
        match weather {
            Weather::Throttled | Weather::Conflicting if item => Fate::Throttle,
            Weather::Conflicting if request.is_new_blob() && self.asked(&request.name()) == 1 => {
                Fate::Conflict
            }
            Weather::Calm | Weather::Throttled | Weather::Conflicting => Fate::Pass,
            Weather::NoS3 if item => Fate::Pass,
            Weather::NoDynamoDb if !item => Fate::Pass,
            Weather::Slow if !item => Fate::Dawdle,
            Weather::Stumbling if !item && self.asked(&request.name()) > 1 => Fate::Pass,
            Weather::NoS3
            | Weather::NoDynamoDb
            | Weather::Nothing
            | Weather::Slow
            | Weather::Stumbling => Fate::Hang,
            Weather::Rough(seed) => {
                let name = request.name();
                let nth = self.asked(&name).to_string();
                rough(seed, request, &name, &nth)
            }
        }
    }

    /// The number of requests for this thing, including this one.
    fn asked(&self, name: &str) -> u64 {
        let mut asked = self.asked.lock().unwrap();
        let times = asked.entry(name.to_owned()).or_default();
        *times += 1;
        *times
    }

    /// Forwards a request over a connection of its own.
    async fn forward(&self, request: &Request) -> Option<Vec<u8>> {
        let mut server = TcpStream::connect(&self.to).await.ok()?;
        server.write_all(&request.forwarded()).await.ok()?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).await.ok()?;
        let end = end_of_head(&answer)?;
        let (head, body) = answer.split_at(end);
        let head = String::from_utf8_lossy(head);
        let status = head.split(' ').nth(1)?.parse().ok()?;
        if let Some(item) = &request.item {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            self.puts.lock().unwrap().push(Put {
                table: text(&item["TableName"]),
                id: text(&item["Item"]["id"]["S"]),
                item: item["Item"].clone(),
                conditional: item["ConditionExpression"] == "attribute_not_exists(#key)",
                status,
            });
        }
        // The client's connection stays open.
        let keep = |line: &&str| !line.to_ascii_lowercase().starts_with("connection:");
        let head: String = head.split_inclusive("\r\n").filter(keep).collect();
        Some([head.as_bytes(), body].concat())
    }
}

/// Most things succeed, some fail, and a few nearly always fail.
fn rough(seed: u64, request: &Request, name: &str, nth: &str) -> Fate {
    let luck = below(100, seed, &["luck", name]);
    let letter = name.contains("/dead-letters/");
    let percent = match (request.item.is_some(), letter, luck) {
        (true, _, 0..70) => 2,
        (true, _, 70..90) => 35,
        (true, _, _) => 95,
        (false, true, 0..75) => 5,
        (false, true, _) => 60,
        (false, false, _) => 10,
    };
    if below(100, seed, &["fault", name, nth]) >= percent {
        return Fate::Pass;
    }
    match below(100, seed, &["kind", name, nth]) {
        // A throttled table stays throttled for all of an event's time.
        _ if request.item.is_some() && luck >= 93 => Fate::Throttle,
        0..30 => Fate::Throttle,
        30..50 => Fate::Fail,
        50..60 if request.is_new_blob() => Fate::Conflict,
        50..67 => Fate::CutBefore,
        67..84 => Fate::CutAfter,
        84..92 => Fate::Hang,
        _ => Fate::LoseAnswer,
    }
}

struct Request {
    head: String,
    body: Vec<u8>,
    /// The item, if the request is a `PutItem`.
    item: Option<Value>,
}

impl Request {
    async fn read(client: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = end_of_head(&bytes) {
                break end;
            }
            read_some(client, &mut bytes).await?;
        };
        let head = String::from_utf8(bytes.drain(..end).collect()).ok()?;
        let lower = head.to_ascii_lowercase();
        assert!(!lower.contains("transfer-encoding"), "{head}");
        let length = lower.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name == "content-length").then(|| value.trim().parse().unwrap())
        });
        while bytes.len() < length.unwrap_or(0) {
            read_some(client, &mut bytes).await?;
        }
        let put = lower.contains("dynamodb_20120810.putitem");
        Some(Self {
            item: put.then(|| serde_json::from_slice(&bytes).unwrap()),
            head,
            body: bytes,
        })
    }

    /// The thing that is requested; the same for each retry.
    fn name(&self) -> String {
        if let Some(item) = &self.item {
            return format!("{} {}", item["TableName"], item["Item"]["id"]["S"]);
        }
        let words: Vec<_> = self.head.split(' ').take(2).collect();
        words.join(" ")
    }

    /// The kind of request, for people.
    fn what(&self) -> String {
        if self.item.is_some() {
            return "PutItem".to_owned();
        }
        let name = self.name();
        let mut words = name.split([' ', '/', '?']).filter(|word| !word.is_empty());
        let method = words.next().unwrap_or_default();
        format!("{method} {}", words.nth(1).unwrap_or_default())
    }

    fn is_new_blob(&self) -> bool {
        self.head.contains("\r\nif-none-match: *")
    }

    fn throttled(&self) -> Vec<u8> {
        if self.item.is_some() {
            let kind = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
            let body = format!("{{\"__type\":\"{kind}\",\"message\":\"slower\"}}");
            return answer("400 Bad Request", &body);
        }
        let code = "<Error><Code>SlowDown</Code></Error>";
        answer("503 Slow Down", code)
    }

    fn forwarded(&self) -> Vec<u8> {
        let head = self.head.trim_end_matches("\r\n");
        let head = format!("{head}\r\nconnection: close\r\n\r\n");
        [head.as_bytes(), &self.body].concat()
    }
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

/// Waits longer than any client does.
async fn hang() -> Option<()> {
    tokio::time::sleep(Duration::from_secs(20)).await;
    None
}

async fn read_some(from: &mut TcpStream, to: &mut Vec<u8>) -> Option<()> {
    let read = from.read_buf(to).await.ok()?;
    (read > 0).then_some(())
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(at + 4)
}
