//! Published plugins in a folder, as the publisher writes them: their machine code does the
//! same, but each artifact is another file.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use poolhook::config::PluginName;
use poolhook::digest::{Blake3, Sha256};
use poolhook::plugin::{ENGINE, TARGET, WORLD, precompile};
use poolhook::releases::{ArtifactEntry, Live, Release, artifact_key, live_key, release_key};
use poolhook::timestamp::Timestamp;

/// The default plugin's component.
pub(crate) const RUST: &[u8] = include_bytes!("../../../plugins/default/default.wasm");

/// The `n`th plugin's name.
pub(crate) fn plugin(n: usize) -> PluginName {
    let name = PluginName::try_from(format!("plugin-{n:04}"));
    name.expect("letters, digits and hyphens")
}

/// Publishes this number of plugins with the default plugin's mapping, and returns the size
/// of each one's machine code.
///
/// They are compiled only once: a custom section makes each component different, and bytes
/// after the end of the machine code, which wasmtime ignores, make each artifact a different
/// file.
pub(crate) fn publish(folder: &Path, plugins: usize) -> Result<u64, Box<dyn Error>> {
    let artifact = precompile(RUST)?;
    let mut bytes = 0;
    for n in 0..plugins {
        let artifact = [artifact.as_slice(), &(n as u64).to_le_bytes()].concat();
        bytes = artifact.len() as u64;
        write(folder, &plugin(n), &nth_component(n)?, &artifact)?;
    }
    Ok(bytes)
}

/// The default plugin with a custom section: a byte 0, its size, and in it the size of its
/// name, its name, and its content.
fn nth_component(n: usize) -> Result<Vec<u8>, Box<dyn Error>> {
    let section = [b"\x01n".as_slice(), &(n as u64).to_le_bytes()].concat();
    let header = [0, u8::try_from(section.len())?];
    Ok([RUST, &header, &section].concat())
}

fn write(
    folder: &Path,
    plugin: &PluginName,
    component: &[u8],
    artifact: &[u8],
) -> Result<(), Box<dyn Error>> {
    let sha256 = Sha256::of(component);
    let now = Timestamp::from(SystemTime::now());
    let entry = ArtifactEntry {
        engine: ENGINE.to_owned(),
        target: TARGET.to_owned(),
        blake3: Blake3::of(artifact),
        bytes: artifact.len() as u64,
    };
    let artifact_key = artifact_key(sha256, &entry);
    let release = Release {
        plugin: plugin.clone(),
        sha256,
        bytes: component.len() as u64,
        world: WORLD.to_owned(),
        published: now,
        artifacts: vec![entry],
    };
    let live = Live { sha256, since: now };
    let release_key = release_key(plugin, sha256);
    for (key, bytes) in [
        (artifact_key, artifact.to_vec()),
        (release_key, serde_json::to_vec(&release)?),
        (live_key(plugin), serde_json::to_vec(&live)?),
    ] {
        let file = folder.join(key.as_str());
        fs::create_dir_all(file.parent().ok_or("a key has a folder")?)?;
        fs::write(file, bytes)?;
    }
    Ok(())
}
