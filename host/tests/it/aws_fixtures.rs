//! For tests of publishing: S3, DynamoDB and small plugins.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use poolhook::config::Table;
use poolhook::digest::Sha256;
use serde_json::Value;
use tempfile::TempDir;

use crate::hostile::component;
use crate::servers::{self, Server};
use crate::stores::{create_table, items, table};
use crate::support::{Serve, TestFolder, block_on, http, tests};

/// An S3 bucket, DynamoDB, and a folder to run `poolhook` in.
pub(crate) struct Cloud {
    pub(crate) ministack: Server,
    folder: TestFolder,
}

const BLOBS: [&str; 2] = ["--blobs", "s3://poolhook"];

/// A command's exit code and output.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Cloud {
    pub(crate) fn start() -> Self {
        let ministack = servers::ministack();
        let folder = TestFolder::new(&[]);
        let cloud = Self { ministack, folder };
        cloud.put("", b""); // the bucket itself
        cloud
    }

    fn env(&self) -> [(&str, &str); 4] {
        [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL_S3", self.ministack.url()),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.ministack.url()),
            ("POOLHOOK_CACHE", self.folder.path().to_str().unwrap()),
        ]
    }

    pub(crate) fn serve(&self) -> Serve {
        let config = ["--config", "s3://poolhook/config"];
        let arguments = [&config[..], &BLOBS, &["--dynamodb"]].concat();
        self.folder.serve(&arguments, &self.env())
    }

    /// `poolhook`, using this AWS.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.folder.command(arguments);
        command.envs(self.env());
        command
    }

    /// A temporary folder, deleted on drop.
    pub(crate) fn folder(&self) -> TempDir {
        TempDir::new_in(self.folder.path()).unwrap()
    }

    /// `poolhook plugin`, on the bucket.
    pub(crate) fn plugin(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(&["plugin"]);
        command.args(arguments).args(BLOBS);
        let output = command.output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Publishes a component as `acme`.
    pub(crate) fn publish(&self, component: &[u8]) -> Ran {
        self.publish_as("acme", component)
    }

    pub(crate) fn publish_as(&self, name: &str, component: &[u8]) -> Ran {
        self.publish_from(name, name, component)
    }

    /// Publishes a component from a file of its own, so that publishes can run concurrently.
    pub(crate) fn publish_from(&self, file: &str, name: &str, component: &[u8]) -> Ran {
        let file = self.folder.path().join(format!("{file}.upload.wasm"));
        fs::write(&file, component).unwrap();
        self.plugin(&["publish", file.to_str().unwrap(), "--name", name])
    }

    /// The component of the live release of `acme`.
    pub(crate) fn live(&self) -> Option<Sha256> {
        let live = self.document("releases/acme/live.json")?;
        Some(live["sha256"].as_str().unwrap().parse().unwrap())
    }

    /// A JSON document; `None` if it does not exist.
    pub(crate) fn document(&self, key: &str) -> Option<Value> {
        let mut response = http().get(self.object(key)).call().unwrap();
        let body = response.body_mut().read_to_vec().unwrap();
        match response.status().as_u16() {
            200 => Some(serde_json::from_slice(&body).unwrap()),
            404 => None,
            status => panic!("{key}: {status}"),
        }
    }

    pub(crate) fn put(&self, key: &str, bytes: &[u8]) {
        let response = http().put(self.object(key)).send(bytes).unwrap();
        assert_eq!(response.status(), 200, "{key}");
    }

    /// With plain requests: ministack checks no signatures.
    fn object(&self, key: &str) -> String {
        format!("{}/poolhook/{key}", self.ministack.url())
    }

    pub(crate) fn table(&self, region: &str, name: &str) -> Table {
        let table = table(region, name);
        block_on(create_table(self.ministack.url(), &table));
        table
    }

    pub(crate) fn items(&self, table: &Table) -> Vec<Value> {
        block_on(items(self.ministack.url(), table))
    }
}

/// A mapper to {id, shape}, with WAT that it runs first.
pub(crate) fn mapper(shape: &str, first: &str) -> Vec<u8> {
    mapper_with(shape, first, "")
}

/// Like [`mapper`], with further parts of its module.
pub(crate) fn mapper_with(shape: &str, first: &str, parts: &str) -> Vec<u8> {
    let read = |file| fs::read_to_string(tests(file)).unwrap();
    let prelude = read("hostile/prelude.wat.in");
    let mapper = read("plugins/shape.wat.in");
    let mapper = mapper
        .replace("SHAPE\"", &format!("{shape}\""))
        .replace("\n  FIRST", first);
    component(&format!("(module {prelude} {mapper} {parts})"))
}

/// The log's lines that are JSON.
pub(crate) fn lines(serve: &Serve) -> Vec<Value> {
    let log = serve.log();
    log.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Polls until `look` returns a value, for at most this time.
pub(crate) fn until<T>(within: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within;
    loop {
        match look() {
            None if Instant::now() < deadline => thread::sleep(Duration::from_millis(20)),
            found => return found,
        }
    }
}
