//! Publishes what is put into the folder of uploads.

use std::collections::BTreeMap;
use std::time::Duration;

use poolhook::blobs::{Key, Listed};
use poolhook::publish::{Publisher, upload_log_line};
use poolhook::releases::{UPLOADS, uploaded_plugin};
use poolhook::timestamp::Timestamp;

/// The time between two listings of the folder.
const PERIOD: Duration = Duration::from_millis(300);

/// The wait after an error of the machine, such as a full disk.
const AFTER_AN_ERROR: Duration = Duration::from_secs(5);

/// A file's modification time and size.
type Version = (Timestamp, u64);

/// Publishes each upload, existing ones first. Never returns.
pub(super) async fn uploads(publisher: Publisher) {
    let mut done = BTreeMap::new();
    let mut seen = BTreeMap::new();
    loop {
        match publisher.releases().blobs().list(UPLOADS).await {
            Ok(listed) => {
                let now = versions(listed);
                for (key, version) in &now {
                    // A file that is still being written changes between two listings.
                    let at_rest = seen.get(key) == Some(version);
                    if at_rest && done.get(key) != Some(version) {
                        let handled = publisher.publish_upload(key).await;
                        eprintln!("{}", upload_log_line(key, &handled));
                        if handled.is_ok() {
                            done.insert(key.clone(), *version);
                        } else {
                            // The upload is not at fault: retry it later.
                            tokio::time::sleep(AFTER_AN_ERROR).await;
                        }
                    }
                }
                done.retain(|key, _| now.contains_key(key));
                seen = now;
            }
            Err(error) => eprintln!("{error}"),
        }
        tokio::time::sleep(PERIOD).await;
    }
}

fn versions(listed: Vec<Listed>) -> BTreeMap<Key, Version> {
    let uploads = listed
        .into_iter()
        .filter(|blob| uploaded_plugin(&blob.key).is_some());
    uploads
        .map(|blob| (blob.key, (blob.modified, blob.bytes)))
        .collect()
}
