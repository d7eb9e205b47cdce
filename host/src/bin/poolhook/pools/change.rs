//! Changes a pool: snapshot, look again, update, verify; puts back what an update lost.
//!
//! UpdateUserPool has no condition under which it writes, and no answer means nothing. So
//! the pool is described around each write, and what a description shows decides.

use std::path::{Path, PathBuf};
use std::time::Duration;

use poolhook::cognito::pools::{Document, WriteError};
use poolhook::event::UserPoolId;
use serde_json::Value;
use tokio::time::sleep;

use super::error::{PoolError, list};
use super::rules::{self, READ_ONLY};
use super::settings::{Cognito, Difference, Part, Settings};
use super::snapshot::Snapshot;
use crate::out::say;

/// The most attempts of one update, and the waits between them.
const ATTEMPTS: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LAST_WAIT: Duration = Duration::from_secs(10);
const OFF: &str = "OFF";

/// A pool, and what a command makes of it.
pub(crate) struct Change<'a> {
    pub(crate) cognito: &'a Cognito,
    pub(crate) pool: &'a UserPoolId,
    pub(crate) before: &'a Settings,
    pub(crate) wanted: &'a Settings,
    /// Fields without a rule, which are sent as they are.
    pub(crate) carry: &'a [String],
}

/// How an update went.
enum Update {
    /// The pool was described, and this is what it is.
    Looked(Settings),
    /// Cognito refused the update, and the pool is as before.
    Refused(WriteError),
    /// The update had no effect, and another writer changed the pool.
    ChangedMeanwhile(Vec<Difference>),
    /// The pool cannot be described.
    Unknown(String),
}

impl Change<'_> {
    /// Writes the snapshot, changes the pool, and verifies it.
    pub(crate) async fn apply(
        &self,
        snapshot: &Snapshot,
        folder: &Path,
    ) -> Result<PathBuf, PoolError> {
        let request = rules::request(&self.first_wanted(), self.carry)?;
        let path = snapshot
            .write(folder)
            .map_err(|error| PoolError::NoSnapshot {
                folder: folder.to_owned(),
                reason: error.to_string(),
            })?;
        let now = self.cognito.read(self.pool).await?;
        let differences = self.before.differences(&now);
        if !differences.is_empty() {
            return Err(PoolError::ChangedMeanwhile { differences });
        }
        if self.changes_mfa() && mode(&self.before.pool) != OFF {
            self.say_mfa_is_off();
        }
        let mut now = match self.update(self.before, &request).await {
            Update::Looked(now) => now,
            Update::Refused(error) => return Err(PoolError::Refused(error)),
            Update::ChangedMeanwhile(differences) => {
                return Err(PoolError::ChangedMeanwhile { differences });
            }
            Update::Unknown(reason) => {
                return Err(PoolError::NotVerified {
                    reason,
                    snapshot: path,
                });
            }
        };
        if self.changes_mfa() && self.wanted.mfa != now.mfa {
            let lost = self.wanted.differences(&now);
            let restored = self.restore_mfa(now).await;
            now = restored.map_err(|reason| not_put_back(reason, lost, path.clone()))?;
        }
        let differences = self.wanted.differences(&now);
        if differences.is_empty() {
            return Ok(path);
        }
        Err(self.repair(now, differences, path).await)
    }

    /// Sends an update until it has an effect: again only if the pool is exactly as
    /// `before`, and only where it may succeed later.
    async fn update(&self, before: &Settings, request: &Document) -> Update {
        let mut wait = FIRST_WAIT;
        let mut attempt = 1;
        loop {
            let sent = self.cognito.update(self.pool, request).await;
            if matches!(sent, Err(WriteError::Unanswered { .. })) {
                // The update may still be running.
                sleep(wait).await;
            }
            let now = match self.cognito.read(self.pool).await {
                Ok(now) => now,
                Err(error) => {
                    let reason = match sent {
                        Ok(()) => format!("the pool cannot be described after the update: {error}"),
                        Err(sent) => format!("{sent}; and the pool cannot be described: {error}"),
                    };
                    return Update::Unknown(reason);
                }
            };
            let Err(error) = sent else {
                return Update::Looked(now);
            };
            let differences = before.differences(&now);
            if !differences.is_empty() {
                // Without an answer, the update may have been written all the same.
                let is_written = before.differences(self.wanted).iter().any(|wanted| {
                    differences
                        .iter()
                        .any(|it| it.path == wanted.path && it.after == wanted.after)
                });
                return if is_written {
                    Update::Looked(now)
                } else {
                    Update::ChangedMeanwhile(differences)
                };
            }
            if !error.is_transient() || attempt == ATTEMPTS {
                return Update::Refused(error);
            }
            sleep(wait).await;
            wait = LAST_WAIT.min(wait * 2);
            attempt += 1;
        }
    }

    /// Whether MFA is wanted otherwise than it was. UpdateUserPool then sets it to off, as it
    /// refuses another value before the factors are there.
    fn changes_mfa(&self) -> bool {
        self.wanted.mfa != self.before.mfa
    }

    fn first_wanted(&self) -> Document {
        let mut pool = self.wanted.pool.clone();
        if self.changes_mfa() {
            pool.insert("MfaConfiguration".to_owned(), OFF.into());
        }
        pool
    }

    fn say_mfa_is_off(&self) {
        let pool = self.pool.as_str();
        say!("{pool}: MFA is off for a moment: Cognito takes its factors only then");
    }

    /// Puts back what the update lost or reset. What has another value now is another
    /// writer's and stays.
    async fn repair(
        &self,
        mut now: Settings,
        differences: Vec<Difference>,
        snapshot: PathBuf,
    ) -> PoolError {
        let mut lost = differences;
        lost.retain(|difference| {
            let field = difference.path.first().map_or("", String::as_str);
            let is_settable = difference.part == Part::Mfa || !READ_ONLY.contains(&field);
            difference.before.is_some() && difference.is_reset() && is_settable
        });
        let is_mfa = |difference: &Difference| {
            difference.part == Part::Mfa || difference.name() == "MfaConfiguration"
        };
        let mut desired = now.clone();
        for difference in &lost {
            difference.undo(&mut desired);
        }
        if lost.iter().any(|difference| !is_mfa(difference)) {
            let mut pool = desired.pool.clone();
            if lost.iter().any(is_mfa) {
                // Refused before its factors are back.
                pool.insert("MfaConfiguration".to_owned(), OFF.into());
            }
            match self.send(&now, &pool).await {
                Ok(settings) => now = settings,
                Err(reason) => return not_put_back(reason, lost, snapshot),
            }
        }
        if lost.iter().any(is_mfa) {
            let change = Change {
                wanted: &desired,
                ..*self
            };
            match change.restore_mfa(now).await {
                Ok(settings) => now = settings,
                Err(reason) => return not_put_back(reason, lost, snapshot),
            }
        }
        let still = self.wanted.differences(&now);
        let put_back = lost
            .into_iter()
            .filter(|difference| {
                !still
                    .iter()
                    .any(|it| it.part == difference.part && it.path == difference.path)
            })
            .collect();
        PoolError::Differs {
            put_back,
            left: still,
            snapshot,
        }
    }

    async fn send(&self, now: &Settings, pool: &Document) -> Result<Settings, String> {
        let request = rules::request(pool, self.carry).map_err(|error| error.to_string())?;
        match self.update(now, &request).await {
            Update::Looked(settings) => Ok(settings),
            Update::Refused(error) => Err(error.to_string()),
            Update::ChangedMeanwhile(differences) => Err(format!(
                "another writer changed the pool meanwhile: {}",
                list(&differences)
            )),
            Update::Unknown(reason) => Err(reason),
        }
    }

    /// Sets MFA as it is wanted: UpdateUserPool with MFA off, as it refuses another value
    /// before the factors are there, then SetUserPoolMfaConfig with all of them, and a look.
    /// An error says why that failed.
    async fn restore_mfa(&self, now: Settings) -> Result<Settings, String> {
        let mut current = now;
        if mode(&current.pool) != OFF {
            self.say_mfa_is_off();
            let mut pool = current.pool.clone();
            pool.insert("MfaConfiguration".to_owned(), OFF.into());
            current = self.send(&current, &pool).await?;
        }
        // SetUserPoolMfaConfig refuses OFF with a factor.
        let is_off = mode(&self.wanted.mfa) == OFF && has_factor(&self.wanted.mfa);
        if is_off || current.mfa == self.wanted.mfa {
            return Ok(current);
        }
        let mut request = self.wanted.mfa.clone();
        request.insert("UserPoolId".to_owned(), self.pool.as_str().into());
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            let sent = self.cognito.set_mfa(self.pool, &request).await;
            if matches!(sent, Err(WriteError::Unanswered { .. })) {
                sleep(wait).await;
            }
            let look = self.cognito.read(self.pool).await;
            current = look.map_err(|error| error.to_string())?;
            let is_done = sent.is_ok() || current.mfa == self.wanted.mfa;
            match sent {
                Err(error) if !is_done && (!error.is_transient() || attempt == ATTEMPTS) => {
                    return Err(format!("MFA could not be set: {error}"));
                }
                _ if is_done => break,
                _ => sleep(wait).await,
            }
            wait = LAST_WAIT.min(wait * 2);
        }
        Ok(current)
    }
}

fn not_put_back(reason: String, lost: Vec<Difference>, snapshot: PathBuf) -> PoolError {
    PoolError::NotPutBack {
        reason,
        lost,
        snapshot,
    }
}

fn mode(document: &Document) -> &str {
    let mode = document.get("MfaConfiguration").and_then(Value::as_str);
    mode.unwrap_or(OFF)
}

/// Whether MFA could be on with it. A passkey is not one of its factors.
fn has_factor(mfa: &Document) -> bool {
    let token = mfa.get("SoftwareTokenMfaConfiguration");
    let token = token.and_then(|token| token.get("Enabled"));
    token == Some(&Value::Bool(true))
        || mfa.contains_key("SmsMfaConfiguration")
        || mfa.contains_key("EmailMfaConfiguration")
}
