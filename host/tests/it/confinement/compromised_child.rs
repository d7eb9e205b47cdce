//! A compile child in which hostile code runs, and its parent. `host/tests/it/confinement.rs`
//! starts the parent, which checks a component as publishing does; its child tries what
//! such code would try, and answers as a compile child that refuses the component.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a test's program")]

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::{env, thread};

use poolhook::config::PublishLimits;
use poolhook::publish::{Checker, NotAccepted, confine};
use rustix::fd::AsFd as _;
use rustix::process::{Pid, Signal, getppid, kill_process};
use serde_json::{Value, json};

fn main() {
    if env::args().nth(1).as_deref() == Some("precompile") {
        child();
    } else {
        parent();
    }
}

/// Holds a secret in its environment, in a file and in an open file, and listens on a port.
fn parent() {
    let secret = env::args().nth(1).expect("the secret's file");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || listener.incoming().count());
    // Not marked as closed on exec, as a library in C may leave it.
    let file = File::open(&secret).expect("the secret");
    let inherited = rustix::io::dup(file.as_fd()).expect("another descriptor");

    let component = json!({ "file": secret, "port": port }).to_string();
    let program = env::current_exe().expect("this program");
    let checker = Checker::new(PublishLimits::default(), program);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let answer = runtime
        .expect("a runtime")
        .block_on(checker.artifact(component.as_bytes()));
    drop(inherited);
    match answer {
        Err(NotAccepted::Rejected(rejected)) => println!("{rejected}"),
        other => println!("{:?}", other.map(|artifact| artifact.bytes())),
    }
}

fn child() {
    let mut input = String::new();
    io::stdin()
        .read_to_string(&mut input)
        .expect("the component");
    let component: Value = serde_json::from_str(&input).expect("what the parent wrote");
    let file = component
        .get("file")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let port = component
        .get("port")
        .and_then(Value::as_u64)
        .and_then(|port| u16::try_from(port).ok());
    let environment = env::vars_os().count();
    let descriptors = fs::read_dir("/proc/self/fd").map(Iterator::count);
    let parent = getppid().map_or(0, Pid::as_raw_pid);

    let confinement = confine();
    let read = |path: &str| fs::read(path).is_ok();
    let tried = json!({
        "environment": environment > 0,
        // Three pipes, and the one that counts.
        "descriptors": !matches!(descriptors, Ok(4)),
        "secretFile": read(file),
        "parentsEnvironment": read(&format!("/proc/{parent}/environ")),
        "parentsMemory": File::open(format!("/proc/{parent}/mem")).is_ok(),
        "writtenFile": fs::write(env::temp_dir().join("poolhook-compromised"), "").is_ok(),
        "connection": TcpStream::connect(("127.0.0.1", port.unwrap_or_default())).is_ok(),
        "program": Command::new("/bin/true").spawn().is_ok(),
        "signal": getppid().is_some_and(|parent| kill_process(parent, Signal::CONT).is_ok()),
    });
    let result = json!({
        "confinement": { "user": confinement.user, "files": confinement.files,
                         "systemCalls": confinement.system_calls },
        "tried": tried,
    });
    let refused = json!({ "refused": { "errorType": "Compromised", "advice": "",
                                       "errorMessage": result.to_string() } });
    println!("{refused}");
}
