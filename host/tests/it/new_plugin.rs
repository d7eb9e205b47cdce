//! `poolhook plugin new`: the project that it creates in each language passes its own
//! tests, builds and maps.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use serde_json::Value;

use crate::support::{POOL, RUST_PLUGINS, TestFolder, tests};

#[test]
fn rust_tests() {
    let _one_at_a_time = RUST_PLUGINS.lock();
    let tested = rust().run("cargo test");
    assert!(tested.contains("test result: ok"), "{tested}");
    assert!(!tested.contains("running 0 tests"), "{tested}");
}

#[test]
#[ignore = "needs a wasm32 target: .ci/compilers install, then cargo test --workspace -- --ignored"]
fn rust_builds_and_maps() {
    let _one_at_a_time = RUST_PLUGINS.lock();
    let project = rust();
    project.run("poolhook plugin build");
    a_member_on("basic", &project.map("settings.plan = 'basic'"));

    // A panic reads as one.
    let source = project.folder().join("src/lib.rs");
    let text = fs::read_to_string(&source).unwrap();
    let panics = text.replace(
        "let plan = user",
        "assert!(user.time_ms == 0, \"no plan\");\n    let plan = user",
    );
    fs::write(&source, panics).unwrap();
    project.run("poolhook plugin build --output panics.wasm");
    let ran = project
        .folder
        .command(&["plugin", "run", "panics.wasm", "event.json"]);
    let said = stderr_of(ran, &project.folder());
    assert!(
        said.contains("The plugin panicked at src/lib.rs:"),
        "{said}"
    );
    assert!(said.contains("no plan"), "{said}");
}

fn stderr_of(mut command: Command, folder: &Path) -> String {
    text(&command.current_dir(folder).output().unwrap().stderr)
}

fn rust() -> Project {
    let project = Project::new("rust", "cargo test");
    // The versions that this workspace has downloaded already.
    let lock = project.folder().join("Cargo.lock");
    fs::copy(tests("../../Cargo.lock"), lock).unwrap();
    project
}

#[test]
fn typescript_tests_builds_and_maps() {
    let project = Project::new("typescript", "npm test");
    project.run("npm install --no-audit --no-fund --loglevel=error");
    let tested = project.run("npm test");
    assert!(tested.contains("# pass 6") && tested.contains("# fail 0"));
    project.run("npm run build");
    a_member_on("basic", &project.map("settings.plan = 'basic'"));
}

#[test]
#[ignore = "needs make: .ci/compilers install, then cargo test --workspace -- --ignored"]
fn python_tests_builds_and_maps() {
    let project = Project::new("python", "make test");
    let tested = project.run("make test");
    assert!(tested.contains("Ran 6 tests"), "{tested}");
    project.run("make");
    a_member_on("basic", &project.map("settings.plan = 'basic'"));
}

#[test]
#[ignore = "needs make, clang and wasi-libc: .ci/compilers install, then cargo test --workspace -- --ignored"]
fn c_tests_builds_and_maps() {
    let project = Project::new("c", "make test");
    let tested = project.run("make test");
    assert!(tested.contains("ok an internal user is skipped"));
    assert!(!tested.contains("FAILED"), "{tested}");
    // Built again with this `poolhook`.
    let _ = fs::remove_file(project.component());
    project.run("make");
    a_member_on("free", &project.map(""));

    // Files that are not core modules.
    for (arguments, says) in [
        (
            "build/module.wasm",
            "for a core module, pass --output FILE.wasm",
        ),
        (
            "member-card.wasm --output other.wasm",
            "is already a component",
        ),
        ("event.json --output other.wasm", "cannot make a component"),
    ] {
        let arguments = format!("plugin build {arguments}");
        let arguments: Vec<_> = arguments.split(' ').collect();
        let mut build = project.folder.command(&arguments);
        let build = build.current_dir(project.folder()).output().unwrap();
        assert_eq!(build.status.code(), Some(2), "{build:?}");
        assert!(text(&build.stderr).contains(says), "{build:?}");
    }
    assert!(!project.folder().join("other.wasm").exists());
}

fn a_member_on(plan: &str, item: &Value) {
    let plan_joined = item["planJoined"]["S"].as_str().unwrap();
    assert!(plan_joined.starts_with(&format!("{plan}#20")), "{item}");
    assert!(plan_joined.ends_with('Z'), "{item}");
    assert_eq!(item["seats"]["N"], "1");
    assert_eq!(item["verified"]["BOOL"], true);
    assert_eq!(item.as_object().unwrap().len(), 6);
}

/// A project that `plugin new` has created. The folder is reused, with its tools and its
/// build output: a file is rewritten only if it differs.
struct Project {
    folder: TestFolder,
    language: &'static str,
}

impl Project {
    fn new(language: &'static str, next: &str) -> Self {
        let folder = TestFolder::new(&[]);
        let new = folder.poolhook(&["plugin", "new", "member-card", "--lang", language]);
        assert_eq!(line(&new), "member-card");
        let said = text(&new.stderr);
        assert!(said.contains(next), "{said}");
        assert!(
            said.contains("poolhook plugin check member-card.wasm"),
            "{said}"
        );

        let project = Self { folder, language };
        let made = project.folder.path().join("member-card");
        let files = all_files(&made);
        for needed in ["README.md", "event.json", ".gitignore"] {
            assert!(files.contains(&needed.into()), "{needed} is not there");
        }
        for file in files {
            let shown = file.display();
            let bytes = fs::read(made.join(&file)).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            let ours = [
                format!("{language}.wasm"),
                format!("name = \"{language}\""),
                format!("\"name\": \"{language}\""),
            ];
            for named in ours {
                assert!(!text.contains(&named), "{shown} holds {named}");
            }
            for line in text.lines().filter(|line| line.contains("../")) {
                // From the tests to the sources.
                let inside = ["../src/", "\"../tsconfig.json\"", "\"../src\""];
                assert!(
                    file.starts_with("test") && inside.iter().any(|part| line.contains(part)),
                    "{shown} leaves its folder: {line}"
                );
            }
            let kept = project.folder().join(&file);
            if fs::read(&kept).ok().as_ref() != Some(&bytes) {
                fs::create_dir_all(kept.parent().unwrap()).unwrap();
                fs::write(kept, bytes).unwrap();
            }
        }
        project
    }

    fn folder(&self) -> PathBuf {
        Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("new-plugin")
            .join(self.language)
            .join("member-card")
    }

    fn component(&self) -> PathBuf {
        self.folder().join("member-card.wasm")
    }

    /// Runs a command of the project's README and returns its output.
    fn run(&self, command: &str) -> String {
        let poolhook = Path::new(env!("CARGO_BIN_EXE_poolhook"));
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let mut words = command.split(' ');
        let program = words.next().unwrap();
        let mut command = Command::new(match program {
            "poolhook" => poolhook.as_os_str(),
            "cargo" => env!("CARGO").as_ref(),
            other => other.as_ref(),
        });
        command.args(words).current_dir(self.folder());
        // One target directory for all plugins.
        command.env("CARGO_TARGET_DIR", target);
        // Without what the test runner sets for its own package.
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                command.env_remove(name.as_ref());
            }
        }
        let output = command.env("POOLHOOK", poolhook).output().unwrap();
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}");
        said
    }

    /// The sample event's item from the host, after the project's cases have passed.
    fn map(&self, config: &str) -> Value {
        let tested = self.run("poolhook plugin test");
        assert!(tested.contains("passed  full-user: "), "{tested}");
        let config = format!("table = 'User'\n{config}");
        self.folder.configure(POOL, &config);
        let component = self.component();
        let event = self.folder().join("event.json");
        let run = ["run", "--json", "--plugin", component.to_str().unwrap()];
        let run = self
            .folder
            .poolhook(&[&run[..], &[event.to_str().unwrap()]].concat());
        let report: Value = serde_json::from_str(&line(&run)).unwrap();
        let item = report["item"].clone();
        assert_eq!(item["id"]["S"], "0f3d5f0e-8f5c-4b55-9c1c-2c0a3a4c7e11");
        assert_eq!(item["email"]["S"], "hanako@example.com");
        let trial_ends = item["trialEnds"]["N"].as_str().unwrap();
        assert!(trial_ends.parse::<u64>().is_ok(), "{trial_ends}");
        item
    }
}

/// All files below a folder, by their relative paths.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(folder.join(&below)).unwrap() {
            let entry = entry.unwrap();
            let path = below.join(entry.file_name());
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                &mut folders
            } else {
                &mut found
            }
            .push(path);
        }
    }
    found
}

#[test]
fn existing_files_are_not_replaced() {
    let folder = TestFolder::new(&[]);
    let project = folder.path().join("member-card");
    fs::create_dir(&project).unwrap();
    fs::write(project.join("mine"), "mine").unwrap();
    let new = folder.poolhook(&["plugin", "new", "member-card"]);
    assert_eq!((new.status.code(), new.stdout.len()), (Some(2), 0));
    assert!(text(&new.stderr).contains("member-card already exists and is not empty"));
    assert_eq!(fs::read_dir(&project).unwrap().count(), 1);

    // An empty folder does not count.
    fs::remove_file(project.join("mine")).unwrap();
    let new = folder.poolhook(&["plugin", "new", "member-card", "--lang", "py"]);
    assert_eq!(line(&new), "member-card");
    assert!(project.join("mapper.py").exists());
    let new = folder.poolhook(&["plugin", "new", "another", "--lang", "ts"]);
    assert_eq!(line(&new), "another");
    assert!(folder.path().join("another/src/mapper.ts").exists());

    fs::write(folder.path().join("file"), "").unwrap();
    let new = folder.poolhook(&["plugin", "new", "file"]);
    assert!(text(&new.stderr).contains("cannot create file: "));
    let left = fs::read_dir(folder.path()).unwrap();
    assert_eq!(left.count(), 4, "config, member-card, another and file");
}

#[test]
fn a_name_must_be_valid_for_plugins_and_packages() {
    let folder = TestFolder::new(&[]);
    for (name, rule) in [
        ("2fa", "must start with a lower-case letter"),
        ("../a", "must start with a lower-case letter"),
        ("a/b", "must be a plugin's name"),
        ("Member", "must start with a lower-case letter"),
    ] {
        let new = folder.poolhook(&["plugin", "new", name]);
        assert_eq!(new.status.code(), Some(2), "{name}");
        assert!(text(&new.stderr).contains(rule), "{name}: {new:?}");
    }
}

/// The only line of standard output, or all of it; the command must have succeeded.
fn line(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
