//! Uploads: the objects that tenants put under `uploads/`.

use std::time::SystemTime;

use serde_json::json;

use super::{PublishError, Published, Publisher, Rejected, Upload};
use crate::blobs::{BadKey, BlobError, Key, Read};
use crate::config::{PluginName, Settings};
use crate::log::{self, Level};
use crate::releases::{ReleaseError, plugin_of, settings_key, uploaded_plugin};
use crate::text::shown;
use crate::timestamp::Timestamp;

/// The largest `settings.json`, in bytes.
const MAX_SETTINGS_BYTES: u64 = 256 << 10;

/// The outcome of an upload: its plugin and the outcome of publishing. `None` if
/// there was nothing to publish.
pub type Handled = Result<Option<(PluginName, Published)>, PublishError>;

impl Publisher {
    /// Publishes the upload with this key, which arrived at this time; by default, when
    /// it was written, which S3 tells in whole seconds. `None` if it does not exist, or is
    /// not `uploads/<plugin's name>/<any>.wasm`.
    pub async fn publish_upload(&self, key: &Key, arrived: Option<Timestamp>) -> Handled {
        let Some(plugin) = uploaded_plugin(key) else {
            return Ok(None);
        };
        if let Some(until) = self.paused(&plugin).await? {
            let rejected = Rejected::TooSoon { until };
            let uploaded = arrived.unwrap_or_else(|| SystemTime::now().into());
            self.reject(&plugin, uploaded, 0, None, &rejected).await?;
            return Ok(Some((plugin, Published::Rejected(rejected))));
        }
        let blobs = self.releases.blobs();
        let max_bytes = self.checker.max_component_bytes();
        let read = blobs.get(key, None, max_bytes).await;
        let blob = match read {
            Ok(Read::Blob(blob)) => blob,
            Ok(Read::Absent | Read::Unchanged) => return Ok(None),
            Err(BlobError::TooLarge { bytes, .. }) => {
                let rejected = Rejected::TooLarge { bytes, max_bytes };
                let uploaded = arrived.unwrap_or_else(|| SystemTime::now().into());
                self.reject(&plugin, uploaded, bytes, None, &rejected)
                    .await?;
                return Ok(Some((plugin, Published::Rejected(rejected))));
            }
            // A key of another account, or a customer's own: reading it again changes
            // nothing.
            Err(error) if error.is_of_the_object() => {
                let rejected = Rejected::Unreadable(error);
                let uploaded = arrived.unwrap_or_else(|| SystemTime::now().into());
                self.reject(&plugin, uploaded, 0, None, &rejected).await?;
                return Ok(Some((plugin, Published::Rejected(rejected))));
            }
            Err(error) => return Err(ReleaseError::from(error).into()),
        };
        let published = match self.settings(&plugin).await {
            Ok(settings) => {
                let upload = Upload {
                    plugin: plugin.clone(),
                    component: blob.bytes,
                    settings,
                    uploaded: arrived.unwrap_or(blob.modified),
                };
                self.publish(&upload).await?
            }
            Err(NoSettings::Unread(error)) => return Err(error.into()),
            Err(NoSettings::Rejected(rejected)) => {
                let uploaded = arrived.unwrap_or(blob.modified);
                let component = &blob.bytes;
                self.reject_component(&plugin, uploaded, component, &rejected)
                    .await?;
                Published::Rejected(rejected)
            }
        };
        Ok(Some((plugin, published)))
    }

    /// The end of the plugin's pause, if there is one.
    async fn paused(&self, plugin: &PluginName) -> Result<Option<Timestamp>, ReleaseError> {
        if self.pause.is_none() {
            return Ok(None);
        }
        let rejection = match self.releases.rejection(plugin).await {
            Err(ReleaseError::Damaged { .. }) => None,
            rejection => rejection?,
        };
        let until = rejection.and_then(|rejection| rejection.retry_after);
        Ok(until.filter(|until| *until > SystemTime::now().into()))
    }

    /// Rejects the upload of an object whose key poolhook cannot use. `None` if no plugin is
    /// to be told, as the key is not below `uploads/<plugin's name>/`.
    pub async fn reject_key(&self, key: &str, error: BadKey, arrived: Timestamp) -> Handled {
        let Some(plugin) = plugin_of(key) else {
            return Ok(None);
        };
        let rejected = Rejected::BadKey(error);
        self.reject(&plugin, arrived, 0, None, &rejected).await?;
        Ok(Some((plugin, Published::Rejected(rejected))))
    }

    /// The `settings.json` in the folder of a plugin's uploads; empty if there is none.
    async fn settings(&self, plugin: &PluginName) -> Result<Settings, NoSettings> {
        let key = settings_key(plugin);
        let found = self.releases.blobs().get(&key, None, MAX_SETTINGS_BYTES);
        let rejected = |error| NoSettings::Rejected(Rejected::Settings(error));
        match found.await {
            Ok(Read::Blob(blob)) => Settings::from_json(&blob.bytes).map_err(rejected),
            Ok(Read::Absent | Read::Unchanged) => Ok(Settings::default()),
            // The tenant can fix a file that is too large, so it is rejected too.
            Err(error @ BlobError::TooLarge { .. }) => {
                Err(rejected(serde::de::Error::custom(error)))
            }
            Err(error) => Err(NoSettings::Unread(error.into())),
        }
    }
}

/// Why an upload's settings cannot be used.
enum NoSettings {
    Rejected(Rejected),
    Unread(ReleaseError),
}

/// The log line for an upload's outcome.
pub fn upload_log_line(key: &str, handled: &Handled) -> String {
    let upload = shown(key).to_string();
    let (level, body) = match handled {
        Ok(Some((plugin, Published::Live(checked)))) => (
            Level::Info,
            json!({ "upload": upload, "plugin": plugin, "published": "live",
                    "component": checked.sha256 }),
        ),
        Ok(Some((plugin, Published::Superseded(checked, live)))) => (
            Level::Info,
            json!({ "upload": upload, "plugin": plugin, "published": "superseded",
                    "component": checked.sha256, "live": live.sha256 }),
        ),
        Ok(Some((plugin, Published::Rejected(rejected)))) => (
            Level::Warn,
            json!({ "upload": upload, "plugin": plugin, "published": "rejected",
                    "error": rejected.name(), "message": shown(&rejected.to_string()).to_string(),
                    "advice": rejected.advice() }),
        ),
        Ok(None) => (
            Level::Warn,
            json!({ "upload": upload, "published": "nothing",
                    "message": "no such upload, or not uploads/<plugin>/<file>.wasm" }),
        ),
        Err(error) => (
            Level::Error,
            json!({ "upload": upload, "published": "failed", "error": error.name(),
                    "message": shown(&error.text()).to_string() }),
        ),
    };
    log::line(level, &body)
}
