//! Replays dead letters: maps and writes each event again, and deletes the dead letter
//! after its item is written.

mod rounds;

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::blobs::Key;
use crate::config::WriteMode;
use crate::dead_letters::{Attempt, DeadLetter, DeadLetterError, DeadLetters};
use crate::event::PostConfirmation;
use crate::failure::Class;
use crate::host::{Host, Outcome, User};
use crate::report::Report;
use crate::store::Existing;
pub use rounds::Rounds;

/// The time limit per dead letter. It is long, because no caller waits for it.
const TIME: Duration = Duration::from_secs(10);

/// Selects dead letters. The default selects all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Select those whose last failure is of this class.
    pub class: Option<Class>,
    /// Select those whose last failure was transient.
    pub retryable: bool,
    /// Select those of the user with this user name or `sub`.
    pub user: Option<String>,
}

impl Filter {
    /// Whether the filter selects this dead letter. One whose event cannot be read is of no
    /// known user.
    pub fn takes(&self, dead_letter: &DeadLetter) -> bool {
        let last = dead_letter.attempts.last();
        let class = self
            .class
            .is_none_or(|class| last.is_some_and(|attempt| attempt.class == class));
        let retryable = !self.retryable || last.is_some_and(|attempt| attempt.retryable);
        let is_of = |user: &String| {
            PostConfirmation::parse(&dead_letter.raw()).is_ok_and(|event| {
                event.user_name == *user || event.user_attributes.get("sub") == Some(user)
            })
        };
        class && retryable && self.user.as_ref().is_none_or(is_of)
    }
}

/// How dead letters are replayed.
#[derive(Clone, Copy, Debug, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub struct ReplayOptions {
    /// Map with the recorded component instead of the pool's current plugin.
    pub recorded: bool,
    /// Write as the pool's config says, even if that replaces an existing item.
    /// Otherwise the first write wins: an existing item may be newer than the event.
    pub overwrite: bool,
    /// Write items to another store than the one that their hosts would have written to.
    pub other_store: bool,
    /// Do not delete dead letters. The caller's host must have a store that writes
    /// nothing.
    pub dry_run: bool,
}

/// The result of replaying a dead letter.
#[derive(Debug)]
pub enum Replayed {
    /// The item was written or already there, or the event was skipped. The dead letter
    /// was deleted.
    Done(Report),
    /// The event failed again, or a different item has its key. The dead letter is left.
    Stays(Report),
    /// The event cannot be read, so no replay can write it.
    Unreadable,
    /// Another process has replayed or purged the dead letter.
    Gone,
    /// The filter does not select the dead letter.
    PassedOver,
    /// The dead letter cannot be read or deleted.
    Failed(DeadLetterError),
}

/// Replays the dead letter with this key. `turn` ends when the caller's rate allows it; a
/// dead letter that the filter does not select takes no turn.
pub async fn replay(
    host: &Host,
    dead_letters: &DeadLetters,
    key: &Key,
    filter: &Filter,
    how: ReplayOptions,
    turn: impl Future<Output = ()>,
) -> Replayed {
    let (dead_letter, etag) = match dead_letters.read(key).await {
        Ok(Some(read)) => read,
        Ok(None) => return Replayed::Gone,
        Err(error) => return Replayed::Failed(error),
    };
    if !filter.takes(&dead_letter) {
        return Replayed::PassedOver;
    }
    let Ok(event) = PostConfirmation::parse(&dead_letter.raw()) else {
        return Replayed::Unreadable;
    };
    let found = host.store();
    let other = dead_letter.store.clone().filter(|store| *store != found);
    if let (Some(expected), false) = (other, how.other_store) {
        return Replayed::Failed(DeadLetterError::OtherStore { expected, found });
    }
    turn.await;
    let tried = SystemTime::now().into();
    let user = User {
        component: dead_letter.component.filter(|_| how.recorded),
        write: (!how.overwrite).then_some(WriteMode::Create),
        ..User::new(&event, dead_letter.received.into(), Instant::now() + TIME)
    };
    let report = host.put(&user).await;
    let done = match &report.outcome {
        Ok(
            Outcome::Written
            | Outcome::AlreadyThere(Existing::Same | Existing::OtherTime)
            | Outcome::Skipped(_),
        ) => true,
        Ok(Outcome::AlreadyThere(Existing::Different(_) | Existing::Unknown)) | Err(_) => false,
    };
    if !done {
        if let (Err(failure), false) = (&report.outcome, how.dry_run) {
            let attempt = Attempt::new(tried, failure);
            dead_letters.add(key, dead_letter, etag, &[attempt]).await;
        }
        return Replayed::Stays(report);
    }
    if how.dry_run {
        return Replayed::Done(report);
    }
    match dead_letters.remove(key).await {
        Ok(()) => Replayed::Done(report),
        Err(error) => Replayed::Failed(error.into()),
    }
}
