//! The real protocol servers that the tests talk to, in the versions locked in `tests/servers`.
//!
//! The first test that needs one installs it under Cargo's target directory. A server stops when
//! its guard is dropped, and also when this process ends in any other way: it reads a pipe that
//! only this process holds, and at the pipe's end it kills its process group. So a guard may live
//! in a `static`, and a killed test run leaves no process behind.

use std::env;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// Starts ministack: `DynamoDB`, S3 and others. Tables are separate by region, as in AWS.
pub(crate) fn ministack() -> Server {
    let python = ministack_venv().join("bin/python");
    Server::start("ministack", "Running on http://", |_, port| {
        let mut command = server_command(&python);
        command
            .args(["-c", RUN_MINISTACK])
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port)
            // The AWS that its Lambda functions use.
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"))
            // Without its other listeners.
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0");
        command
    })
}

/// Starts dynalite: `DynamoDB`. All regions share one set of tables.
pub(crate) fn dynalite() -> Server {
    let script = node_modules().join("dynalite/cli.js");
    Server::start("dynalite", "Dynalite listening at", |_, port| {
        let mut command = node(&script);
        command
            .args(["--host", "127.0.0.1", "--port", port])
            // Creates and deletes tables immediately, not after half a second.
            .args(["--createTableMs", "0", "--deleteTableMs", "0"]);
        command
    })
}

/// Starts cognito-local with `pools`. All of them send Post Confirmation events to
/// `lambda_endpoint`, as `POST /2015-03-31/functions/{function}/invocations`.
///
/// Like Cognito, it waits 5 s for an answer and makes up to 3 attempts, the next one after no
/// answer or a 5xx. Unlike Cognito, it confirms the user whatever the trigger answers, and each
/// event's `region` is `local`.
pub(crate) fn cognito_local(
    lambda_endpoint: &str,
    function: &str,
    pools: &[PoolSeed],
) -> CognitoLocal {
    let config = json!({
        "LambdaClient": {
            "credentials": { "accessKeyId": "test", "secretAccessKey": "test" },
            "endpoint": lambda_endpoint,
            "region": "us-east-1",
            "maxRetries": 2,
            "httpOptions": { "timeout": 5000 },
        },
        "TriggerFunctions": { "PostConfirmation": function },
        // The user name is the one given at sign-up, not an email address.
        "UserPoolDefaults": { "UsernameAttributes": [] },
    });
    let mut clients = Map::new();
    for PoolSeed { id, client_id } in pools {
        let client = json!({ "ClientId": client_id, "UserPoolId": id });
        clients.insert((*client_id).to_owned(), client);
    }
    let clients = json!({ "Clients": clients });

    let script = node_modules().join("cognito-local/lib/bin/start.js");
    let server = Server::start("cognito-local", "Cognito Local running on", |dir, port| {
        let db = dir.join(".cognito/db");
        fs::create_dir_all(&db).unwrap();
        fs::write(dir.join(".cognito/config.json"), config.to_string()).unwrap();
        fs::write(db.join("clients.json"), clients.to_string()).unwrap();
        for pool in pools {
            // An empty file: a pool with Cognito's defaults.
            fs::write(db.join(format!("{}.json", pool.id)), "{}").unwrap();
        }
        let mut command = node(&script);
        command
            .env("HOST", "127.0.0.1")
            .env("PORT", port)
            .env("CODE", CODE);
        command
    });
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        // The server is local, whatever proxy this machine has.
        .proxy(None)
        .timeout_global(Some(Duration::from_mins(1)))
        .build()
        .into();
    CognitoLocal { server, agent }
}

/// A user pool with one app client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolSeed<'a> {
    /// Such as `ap-northeast-1_Q7mE2xYbA`.
    pub(crate) id: &'a str,
    /// A unique client id: a request finds its pool only by the client id.
    pub(crate) client_id: &'a str,
}

/// The code that every sign-up and every password reset is confirmed with.
pub(crate) const CODE: &str = "123456";

/// A running cognito-local, and the calls that an app makes for its users.
pub(crate) struct CognitoLocal {
    server: Server,
    agent: ureq::Agent,
}

/// The response, or the call, status and body of an error.
pub(crate) type Answer = Result<Value, String>;

impl CognitoLocal {
    pub(crate) fn url(&self) -> &str {
        self.server.url()
    }

    /// Creates a user as an admin does: no trigger fires.
    pub(crate) fn admin_create_user(&self, pool: &str, user: &str, email: &str) -> Answer {
        let attributes = json!([{ "Name": "email", "Value": email }]);
        let user = json!({ "UserPoolId": pool, "Username": user, "MessageAction": "SUPPRESS",
                           "UserAttributes": attributes });
        self.call("AdminCreateUser", &user)
    }

    /// Signs up a user, unconfirmed. The user's `sub` is `UserSub` in the answer.
    pub(crate) fn sign_up(&self, client: &str, user: &str, password: &str, email: &str) -> Answer {
        let attributes = json!([{ "Name": "email", "Value": email }]);
        let user = json!({ "ClientId": client, "Username": user, "Password": password,
                           "UserAttributes": attributes });
        self.call("SignUp", &user)
    }

    /// Confirms a sign-up. Returns after the trigger has answered.
    pub(crate) fn confirm_sign_up(&self, client: &str, user: &str, code: &str) -> Answer {
        let user = json!({ "ClientId": client, "Username": user, "ConfirmationCode": code });
        self.call("ConfirmSignUp", &user)
    }

    /// Asks for a password reset.
    pub(crate) fn forgot_password(&self, client: &str, user: &str) -> Answer {
        let user = json!({ "ClientId": client, "Username": user });
        self.call("ForgotPassword", &user)
    }

    /// Confirms a password reset: the same trigger, with the other trigger source.
    pub(crate) fn confirm_forgot_password(
        &self,
        client: &str,
        user: &str,
        code: &str,
        new_password: &str,
    ) -> Answer {
        let user = json!({ "ClientId": client, "Username": user, "ConfirmationCode": code,
                           "Password": new_password });
        self.call("ConfirmForgotPassword", &user)
    }

    fn call(&self, action: &str, body: &Value) -> Answer {
        let target = format!("AWSCognitoIdentityProviderService.{action}");
        let mut response = self
            .agent
            .post(self.server.url())
            .content_type("application/x-amz-json-1.1")
            .header("X-Amz-Target", target)
            .send(body.to_string())
            .map_err(|error| format!("{action}: {error}"))?;
        let status = response.status();
        let text = response.body_mut().read_to_string();
        let text = text.map_err(|error| format!("{action}: {error}"))?;
        if !status.is_success() {
            return Err(format!("{action}: {status} {text}"));
        }
        serde_json::from_str(&text).map_err(|error| format!("{action}: {error} in {text}"))
    }
}

/// A running server, which is stopped on drop.
pub(crate) struct Server {
    child: Child,
    url: String,
    /// The folder with the server's files and its log.
    dir: TempDir,
}

impl Server {
    /// Such as `http://127.0.0.1:41234`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Starts the command that `command` returns for a new directory and a free port, and waits
    /// until it logs the line `ready`.
    fn start(name: &str, ready: &str, command: impl Fn(&Path, &str) -> Command) -> Self {
        for _ in 0..5 {
            let dir = TempDir::with_prefix_in(format!("{name}-"), TMP).unwrap();
            let port = free_port();
            let child = spawn(command(dir.path(), &port), dir.path());
            let url = format!("http://127.0.0.1:{port}");
            // From here on, a panic drops the guard, which ends the child.
            let mut server = Self { child, url, dir };
            match server.wait_for(ready) {
                Ok(()) => return server,
                // Another process has taken the port: retry with the next one.
                Err(why) if why.contains("already in use") => {}
                Err(why) => panic!("{name} {why}"),
            }
        }
        panic!("{name} found no free port");
    }

    /// Waits for a line in the log. An answer on the port could come from another process; a line
    /// in this log cannot.
    fn wait_for(&mut self, line: &str) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            // In this order: once the process has ended, the log is complete.
            let ended = self.child.try_wait().unwrap();
            let log = fs::read(self.dir.path().join("log")).unwrap();
            let log = String::from_utf8_lossy(&log);
            match ended {
                Some(status) => return Err(format!("ended, {status}:\n{log}")),
                None if log.contains(line) => return Ok(()),
                None if Instant::now() > deadline => return Err(format!("not ready:\n{log}")),
                None => thread::sleep(Duration::from_millis(10)),
            }
        }
    }
}

impl Drop for Server {
    /// Closing the pipe ends the server and everything that it has started; the kill is for one
    /// that hangs.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        for _ in 0..200 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server gets only PATH from this process's environment: no credentials, profiles or proxy.
fn server_command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1");
    command
}

fn spawn(mut command: Command, dir: &Path) -> Child {
    let log = File::create(dir.join("log")).unwrap();
    command
        .current_dir(dir)
        .env("HOME", dir)
        .env("TMPDIR", dir)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    let child = command.spawn();
    child.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Runs a script on Node until the end of its standard input.
fn node(script: &Path) -> Command {
    let stop = "process.stdin.resume().on('end',()=>process.kill(0,'SIGKILL'))";
    let mut command = server_command("node".as_ref());
    command
        .arg(format!("--import=data:text/javascript,{stop}"))
        .arg(script);
    command
}

/// Runs ministack until the end of its standard input. Its Lambda functions end with it.
const RUN_MINISTACK: &str = "
import os, signal, threading

def stop():
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)

threading.Thread(target=stop, daemon=True).start()
from ministack.app import main
main()
";

fn free_port() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port().to_string()
}

/// Cargo's directory for the files of integration tests.
const TMP: &str = env!("CARGO_TARGET_TMPDIR");

pub(crate) fn node_modules() -> PathBuf {
    let package = include_str!("../servers/package.json");
    let lock = include_str!("../servers/package-lock.json");
    let files = [("package.json", package), ("package-lock.json", lock)];
    let dir = installed("npm", &files, |dir| {
        let mut npm = Command::new("npm");
        // No install script is needed: one prints, the other checks for a bundled binary.
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .arg("--loglevel=error");
        run(npm.current_dir(dir));
    });
    dir.join("node_modules")
}

/// Writes a zip archive with one file, uncompressed, as SAM would upload it.
pub(crate) fn zip(file: &Path, name: &str, archive: &Path) {
    let script = "import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'w').write(*sys.argv[2:])";
    let mut python = Command::new("python3");
    run(python
        .args(["-c", script])
        .args([archive, file, name.as_ref()]));
}

fn ministack_venv() -> PathBuf {
    let requirements = include_str!("../servers/requirements.txt");
    let dir = installed("pip", &[("requirements.txt", requirements)], |dir| {
        let mut venv = Command::new("python3");
        run(venv.args(["-m", "venv", "venv"]).current_dir(dir));
        let mut pip = Command::new(dir.join("venv/bin/python"));
        pip.args(["-m", "pip", "install", "--disable-pip-version-check"])
            .args(["--require-hashes", "-r", "requirements.txt"]);
        run(pip.current_dir(dir));
    });
    dir.join("venv")
}

/// The directory in which `install` has run, with `files`: once for all test processes, and again
/// when a file has changed.
fn installed(name: &str, files: &[(&str, &str)], install: impl FnOnce(&Path)) -> PathBuf {
    let root = Path::new(TMP).join("servers");
    fs::create_dir_all(&root).unwrap();
    // The lock excludes threads as well as processes, as each opens the file itself.
    let lock = File::create(root.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();

    let dir = root.join(name);
    // Written last, so that an interrupted install does not count.
    let stamp = dir.join("installed");
    let contents: String = files.iter().map(|(_, content)| *content).collect();
    if fs::read_to_string(&stamp).is_ok_and(|stamped| stamped == contents) {
        return dir;
    }
    eprintln!("installing test servers with {name}, once for this target directory");
    if dir.exists() {
        fs::remove_dir_all(&dir).unwrap();
    }
    fs::create_dir(&dir).unwrap();
    for (file, content) in files {
        fs::write(dir.join(file), content).unwrap();
    }
    install(&dir);
    fs::write(stamp, contents).unwrap();
    dir
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{said}",
        output.status
    );
}
