//! Publishes what is put into the folder of uploads.

use crate::out::say;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use poolhook::blobs::{Key, Listed};
use poolhook::failure::with_causes;
use poolhook::publish::{Publisher, upload_log_line};
use poolhook::releases::{UPLOADS, uploaded_plugin};
use poolhook::timestamp::Timestamp;

/// The time between two listings of the folder.
const PERIOD: Duration = Duration::from_millis(300);

/// The wait after an error of the machine, such as a full disk.
const AFTER_AN_ERROR: Duration = Duration::from_secs(5);

/// A file's modification time and size.
type Version = (Timestamp, u64);

/// Publishes each upload. Those that exist already are ordered by the times of their
/// files, and those that arrive later by when they were seen. Never returns.
pub(super) async fn uploads(publisher: Publisher) {
    let mut done = BTreeMap::new();
    let mut seen = BTreeMap::new();
    let mut at_start = None;
    let mut failure = None;
    loop {
        match publisher.releases().blobs().list(UPLOADS).await {
            Ok(listed) => {
                let now = versions(listed);
                let at_start = at_start.get_or_insert_with(|| now.clone());
                failure = None;
                for (key, version) in &now {
                    // A file that is still being written changes between two listings.
                    let at_rest = seen.get(key) == Some(version);
                    if at_rest && done.get(key) != Some(version) {
                        let arrived =
                            (at_start.get(key) != Some(version)).then(|| SystemTime::now().into());
                        let handled = publisher.publish_upload(key, arrived).await;
                        say!("{}", upload_log_line(key.as_str(), &handled));
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
            Err(error) => {
                let text = with_causes(&error);
                if failure.as_ref() != Some(&text) {
                    say!("cannot list the uploads: {text}");
                    failure = Some(text);
                }
            }
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
