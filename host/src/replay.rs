//! Replaying dead letters: each goes its way again, and is removed once its item
//! is there.

use std::time::Duration;

use tokio::time::Instant;

use crate::blobs::Key;
use crate::config::Write;
use crate::dead_letters::{DeadLetter, DeadLetterError, DeadLetters};
use crate::event::PostConfirmation;
use crate::failure::Class;
use crate::host::{Host, Outcome, User};
use crate::report::Report;
use crate::store::Existing;

/// How long one letter may take: nobody waits at the other end.
const TIME: Duration = Duration::from_secs(10);

/// Which letters are replayed. What is none does not choose.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Those whose last failure is of this class.
    pub class: Option<Class>,
    /// Those whose last failure may have passed by itself.
    pub retryable: bool,
}

impl Filter {
    /// Whether a letter is one of these.
    pub fn takes(&self, letter: &DeadLetter) -> bool {
        let last = letter.attempts.last();
        let class = self
            .class
            .is_none_or(|class| last.is_some_and(|attempt| attempt.class == class));
        let retryable = !self.retryable || last.is_some_and(|attempt| attempt.retryable);
        class && retryable
    }
}

/// How letters are replayed.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// Through the component that was recorded, not through the pool's plugin of
    /// today.
    pub recorded: bool,
    /// As the pool's config says, also where that replaces an item that is there.
    /// Otherwise the first write wins: the item may be newer than the letter.
    pub overwrite: bool,
    /// Whether a letter is to stay: the host's store writes nothing.
    pub dry_run: bool,
}

/// What became of a letter.
#[derive(Debug)]
pub enum Replayed {
    /// Its item is there, or it is skipped by rule; it is removed.
    Done(Report),
    /// It failed again, or another item has its key; it stays.
    Stays(Report),
    /// Somebody else has replayed or purged it.
    Gone,
    /// It is not one of those that were asked for.
    PassedOver,
    /// It cannot be read, written or removed.
    Failed(DeadLetterError),
}

/// Replays the letter with this key.
pub async fn replay(
    host: &Host,
    letters: &DeadLetters,
    key: &Key,
    filter: Filter,
    how: How,
) -> Replayed {
    let letter = match letters.read(key).await {
        Ok(Some((letter, _))) => letter,
        Ok(None) => return Replayed::Gone,
        Err(error) => return Replayed::Failed(error),
    };
    if !filter.takes(&letter) {
        return Replayed::PassedOver;
    }
    let report = match PostConfirmation::parse(letter.event.get().as_bytes()) {
        Ok(event) => {
            let user = User {
                component: letter.component.filter(|_| how.recorded),
                write: (!how.overwrite).then_some(Write::Create),
                ..User::new(&event, letter.received.into(), Instant::now() + TIME)
            };
            host.put(&user).await
        }
        Err(error) => Report::of_unreadable(error),
    };
    let done = match &report.outcome {
        Ok(Outcome::Written | Outcome::AlreadyThere(Existing::Same) | Outcome::Skipped(_)) => true,
        Ok(Outcome::AlreadyThere(Existing::Different(_) | Existing::Unknown)) | Err(_) => false,
    };
    if !done {
        return Replayed::Stays(report);
    }
    if how.dry_run {
        return Replayed::Done(report);
    }
    match letters.remove(key).await {
        Ok(()) => Replayed::Done(report),
        Err(error) => Replayed::Failed(error.into()),
    }
}
