//! A new user's journeys, following only the docs: from an empty folder to the item of a
//! sign-up, with each command as on the page.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use serde_json::{Value, json};

use crate::aws_fixtures::until;
use crate::servers::{self, CODE, PoolSeed, Server};
use crate::stores::{create_table, items, table};
use crate::support::{RUST_PLUGINS, block_on, clean, tests};

/// The pool in the docs.
const POOL: &str = "eu-west-1_AbCdEfGhI";
const CLIENT: &str = "client0of0member";

#[test]
fn toml_alone() {
    let page = Page::open("../../plugins/fields/README.md");
    let mut user = NewUser::new("toml");
    user.write_the_pools_file(&page);
    user.follow(&page.section("From nothing to an item"));
    let item = user.item_of_a_sign_up();
    let mut expected = json!({
        "id": { "S": "hanako" },
        "email": { "S": "hanako@example.com" },
        "plan": { "S": "free" },
    });
    expected["since"] = item["since"].clone();
    assert_eq!(item, expected);
}

#[test]
fn typescript() {
    let page = Page::open("../../docs/plugins/README.md").section("From nothing to live");
    let mut user = NewUser::new("typescript");
    user.follow(&page.steps(1..=4));
    user.write_the_pools_file(&page);
    user.follow(&page.steps(5..=5));
    is_a_member(&user.item_of_a_sign_up());
}

#[test]
#[ignore = "needs a wasm32 target: .ci/compilers install, then cargo test --workspace -- --ignored"]
fn rust() {
    let _one_at_a_time = RUST_PLUGINS.lock();
    let mut user = NewUser::new("rust");
    user.follow(&Page::open("../../docs/plugins/rust.md").before("## The mapping"));
    let page = Page::open("../../docs/plugins/README.md").section("From nothing to live");
    user.follow(&page.steps(3..=4));
    user.write_the_pools_file(&page);
    user.follow(&page.steps(5..=5));
    is_a_member(&user.item_of_a_sign_up());
}

fn is_a_member(item: &Value) {
    assert_eq!(item["id"]["S"], "hanako");
    assert_eq!(item["email"]["S"], "Hanako@Example.com");
    assert_eq!(item["seats"]["N"], "1");
    let plan_joined = item["planJoined"]["S"].as_str().unwrap();
    assert!(plan_joined.starts_with("free#20"), "{item}");
}

/// A page of the docs, or a part of one.
struct Page(String);

impl Page {
    fn open(path: &str) -> Self {
        Self(fs::read_to_string(tests(path)).unwrap())
    }

    fn section(&self, heading: &str) -> Self {
        let (_, after) = self.0.split_once(&format!("\n## {heading}\n")).unwrap();
        Self(after.split("\n## ").next().unwrap().to_owned())
    }

    fn before(&self, text: &str) -> Self {
        Self(self.0.split_once(text).unwrap().0.to_owned())
    }

    fn steps(&self, numbers: std::ops::RangeInclusive<usize>) -> Self {
        let begin = |number| format!("\n{number}. ");
        let (_, after) = self.0.split_once(&begin(*numbers.start())).unwrap();
        let steps = after.split(&begin(numbers.end() + 1)).next().unwrap();
        Self(steps.to_owned())
    }

    /// The commands: the lines of indented blocks.
    fn commands(&self) -> Vec<&str> {
        let lines = self.0.lines().filter(|line| line.starts_with("    "));
        let commands: Vec<_> = lines.map(str::trim).collect();
        assert!(!commands.is_empty(), "{}", self.0);
        commands
    }

    /// The first TOML block.
    fn toml(&self) -> String {
        let (_, block) = self.0.split_once("```toml\n").unwrap();
        block.split("```").next().unwrap().to_owned()
    }
}

/// An empty folder, and a DynamoDB with a table for the items.
struct NewUser {
    here: PathBuf,
    dynamodb: Server,
    serve: Option<Running>,
}

/// A `poolhook serve`, which is stopped on drop.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl NewUser {
    fn new(language: &str) -> Self {
        // Always the same path, or Cargo's target directory would grow with each run.
        let journeys = Path::new(env!("CARGO_TARGET_TMPDIR")).join("journeys");
        let here = journeys.join(language);
        let _ = fs::remove_dir_all(&here);
        fs::create_dir_all(&here).unwrap();
        let dynamodb = servers::ministack();
        block_on(create_table(dynamodb.url(), &table("eu-west-1", "Member")));
        Self {
            here,
            dynamodb,
            serve: None,
        }
    }

    /// Writes the file that the page names, with the text that the page shows.
    fn write_the_pools_file(&self, page: &Page) {
        let file = format!("config/{POOL}.toml");
        assert!(page.0.contains(&format!("`{file}`")), "{}", page.0);
        let file = self.here.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, page.toml()).unwrap();
    }

    /// Runs the page's commands in order; `serve` keeps running.
    fn follow(&mut self, page: &Page) {
        for command in page.commands() {
            if command.starts_with("poolhook serve") {
                self.serve(command);
                continue;
            }
            if let Some(folder) = command.strip_prefix("cd ") {
                self.here.push(folder);
                continue;
            }
            // The folder exists already, with the pool's file.
            if command == "mkdir config" && self.here.join("config").exists() {
                continue;
            }
            let output = self.shell(command).output().unwrap();
            assert!(output.status.success(), "{command}: {output:?}");
        }
    }

    fn serve(&mut self, command: &str) {
        // On a free port, as other tests run servers too.
        let mut serve = self.shell(&format!("exec {command} --port 0"));
        let log = fs::File::create(self.log()).unwrap();
        let url = fs::File::create(self.url()).unwrap();
        let child = serve.stdout(url).stderr(log).spawn().unwrap();
        self.serve = Some(Running(child));
    }

    fn log(&self) -> PathBuf {
        self.here.join("serve.log")
    }

    fn url(&self) -> PathBuf {
        self.here.join("serve.url")
    }

    fn shell(&self, command: &str) -> Command {
        let mut shell = clean("bash");
        let poolhook = Path::new(env!("CARGO_BIN_EXE_poolhook")).parent().unwrap();
        let path = env::var("PATH").unwrap();
        shell
            .args(["-euc", command])
            .current_dir(&self.here)
            .env("PATH", format!("{}:{path}", poolhook.display()))
            .env("AWS_ENDPOINT_URL_DYNAMODB", self.dynamodb.url())
            // One target directory for all of the tests' Rust plugins.
            .env(
                "CARGO_TARGET_DIR",
                Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap(),
            )
            .stdin(Stdio::null());
        for name in ["HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
            if let Some(value) = env::var_os(name) {
                shell.env(name, value);
            }
        }
        shell
    }

    /// Signs a user up in a user pool whose trigger is this server.
    fn item_of_a_sign_up(&self) -> Value {
        let log = || fs::read_to_string(self.log()).unwrap();
        let url = until(Duration::from_secs(30), || {
            let url = fs::read_to_string(self.url()).ok()?;
            Some(url.strip_suffix('\n')?.to_owned())
        });
        let url = url.unwrap_or_else(|| panic!("{}", log()));
        let pool = PoolSeed {
            id: POOL,
            client_id: CLIENT,
        };
        let cognito = servers::cognito_local(&url, "poolhook", &[pool]);
        let email = "Hanako@Example.com";
        cognito
            .sign_up(CLIENT, "hanako", "Passw0rd!", email)
            .unwrap();
        cognito.confirm_sign_up(CLIENT, "hanako", CODE).unwrap();
        let table = table("eu-west-1", "Member");
        let mut items = block_on(items(self.dynamodb.url(), &table));
        assert_eq!(items.len(), 1, "{}", log());
        items.remove(0)
    }
}
