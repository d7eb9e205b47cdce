//! A plugin's releases: what was published, what is live, and the keys under which
//! they are stored.
//!
//! | key | holds | written by |
//! |---|---|---|
//! | `uploads/<plugin>/<any>.wasm` | a component to be published | the tenant |
//! | `uploads/<plugin>/settings.json` | the settings with which it is tried out | the tenant |
//! | `releases/<plugin>/live.json` | a [`Live`]: the pointer | poolhook |
//! | `releases/<plugin>/<component>.json` | a [`Release`] | poolhook |
//! | `artifacts/<component>/component.wasm` | the component of a release | poolhook |
//! | `artifacts/<component>/<engine>/<target>/<artifact>.cwasm` | its machine code | poolhook |
//! | `rejections/<plugin>.json` | why the last upload did not go live | poolhook |
//!
//! `<component>` and `<artifact>` are digests of the bytes. Of what poolhook writes,
//! only the pointer and the rejection are overwritten: machine code never changes, and
//! a release only gains artifacts.

use serde::{Deserialize, Serialize};

use crate::blobs::Key;
use crate::config::PluginName;
use crate::digest::{Blake3, Sha256};
use crate::timestamp::Timestamp;

/// The prefix of tenants' uploads.
pub const UPLOADS: &str = "uploads/";
/// The prefix of releases.
pub const RELEASES: &str = "releases/";

/// A component that was checked, and its machine code by engine and target.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Release {
    /// The plugin.
    pub plugin: PluginName,
    /// The component's digest.
    pub sha256: Sha256,
    /// The component's size.
    pub bytes: u64,
    /// The world that it implements, such as `poolhook:mapper/mapper@0.1.0`.
    pub world: String,
    /// When it was published; the last time, if more than once.
    pub published: Timestamp,
    /// Its machine code, an entry for each engine and target.
    pub artifacts: Vec<ArtifactEntry>,
}

/// The machine code of a component.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ArtifactEntry {
    /// The engine that made it and loads it.
    pub engine: String,
    /// The target that it runs on.
    pub target: String,
    /// Its digest.
    pub blake3: Blake3,
    /// Its size.
    pub bytes: u64,
}

impl Release {
    /// The artifact for an engine and a target.
    pub fn artifact(&self, engine: &str, target: &str) -> Option<&ArtifactEntry> {
        let mut artifacts = self.artifacts.iter();
        artifacts.find(|entry| entry.engine == engine && entry.target == target)
    }
}

/// The release that a plugin's pools follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Live {
    /// Its component's digest.
    pub sha256: Sha256,
    /// When it was uploaded or, after a rollback, the time of the rollback. An older
    /// upload does not replace it.
    pub since: Timestamp,
}

/// Why an upload did not go live, for its author.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// The plugin.
    pub plugin: PluginName,
    /// The upload's digest.
    pub sha256: Option<Sha256>,
    /// The upload's size.
    pub bytes: u64,
    /// When it was uploaded.
    pub uploaded: Timestamp,
    /// The error's name.
    pub error_type: String,
    /// What is wrong.
    pub error_message: String,
    /// What to do.
    pub advice: String,
    /// Until then, the plugin's uploads are rejected without being compiled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Timestamp>,
}

/// The key of a plugin's pointer.
pub fn live_key(plugin: &PluginName) -> Key {
    Key::unchecked(format!("{RELEASES}{plugin}/live.json"))
}

/// The key of a release.
pub fn release_key(plugin: &PluginName, component: Sha256) -> Key {
    Key::unchecked(format!("{RELEASES}{plugin}/{component}.json"))
}

/// The key of a release's component.
pub fn component_key(component: Sha256) -> Key {
    Key::unchecked(format!("artifacts/{component}/component.wasm"))
}

/// The key of a component's machine code.
pub fn artifact_key(component: Sha256, entry: &ArtifactEntry) -> Key {
    let ArtifactEntry {
        engine,
        target,
        blake3,
        ..
    } = entry;
    Key::unchecked(format!(
        "artifacts/{component}/{engine}/{target}/{blake3}.cwasm"
    ))
}

/// The key of a plugin's last rejection.
pub fn rejection_key(plugin: &PluginName) -> Key {
    Key::unchecked(format!("rejections/{plugin}.json"))
}

/// The key of the settings with which a plugin's uploads are tried out.
pub fn settings_key(plugin: &PluginName) -> Key {
    Key::unchecked(format!("{UPLOADS}{plugin}/settings.json"))
}

/// The plugin that an upload's key belongs to; `None` if the key is not that of a
/// component that a tenant uploaded.
pub fn uploaded_plugin(key: &Key) -> Option<PluginName> {
    plugin_of(key.as_str())
}

/// The same for the key of any object, which need not be a [`Key`].
pub(crate) fn plugin_of(key: &str) -> Option<PluginName> {
    let (plugin, file) = key.strip_prefix(UPLOADS)?.split_once('/')?;
    file.strip_suffix(".wasm").filter(|stem| !stem.is_empty())?;
    PluginName::try_from(plugin.to_owned()).ok()
}
