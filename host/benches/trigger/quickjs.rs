//! A component that contains a JavaScript engine, as tenants upload who do not write Rust.
//! Built at first use, with the tools locked in `quickjs/`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PACKAGE: &str = include_str!("quickjs/package.json");
const LOCK: &str = include_str!("quickjs/package-lock.json");
const MAPPER: &str = include_str!("quickjs/mapper.js");

/// The component, about 1.6 MB, or why it cannot be built on this machine.
pub(crate) fn component() -> Result<Vec<u8>, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-quickjs");
    let component = folder.join("mapper.wasm");
    // Written last, so that an interrupted build does not count.
    let stamp = folder.join("made");
    let made_of = [PACKAGE, LOCK, MAPPER].concat();
    if fs::read_to_string(&stamp).is_ok_and(|stamped| stamped == made_of) {
        return read(&component);
    }
    eprintln!("building the QuickJS component, once for this target directory");
    prepare(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut npm = Command::new("npm");
    // Not `npm ci`: the package names optional programs for other systems that were never
    // published, and `ci` requires them. Locked packages are verified in any case.
    npm.args(["install", "--no-save", "--ignore-scripts"])
        .args(["--no-audit", "--no-fund", "--loglevel=error"]);
    run(npm.current_dir(&folder))?;
    let mut componentize = Command::new("node");
    componentize
        .arg("node_modules/componentize-qjs/bin/componentize-qjs")
        .args(["--sync", "--stub-wasi", "--js", "mapper.js", "--wit"])
        .arg(wit())
        .args(["--output", "mapper.wasm"]);
    run(componentize.current_dir(&folder))?;
    let bytes = read(&component)?;
    fs::write(&stamp, made_of).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(bytes)
}

fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")
}

fn prepare(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    fs::write(folder.join("package.json"), PACKAGE)?;
    fs::write(folder.join("package-lock.json"), LOCK)?;
    fs::write(folder.join("mapper.js"), MAPPER)
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot run {program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{program}: {}: {}", output.status, said.trim()))
}
