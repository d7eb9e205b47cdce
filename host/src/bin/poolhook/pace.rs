//! A rate that is kept.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Who comes late may hurry for so long: a timer is not exact.
const SLACK: Duration = Duration::from_millis(50);

/// So many turns a second.
pub(crate) struct Pace {
    each: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    /// `rate` turns a second; more than none.
    pub(crate) fn new(rate: f64) -> Self {
        Self {
            each: Duration::from_secs_f64(1.0 / rate.max(0.001)),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Waits for a turn.
    pub(crate) async fn turn(&self) {
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let earliest = Instant::now().checked_sub(SLACK).unwrap_or(*next);
            let turn = earliest.max(*next);
            *next = turn + self.each;
            turn
        };
        // A timer's tick is a millisecond, and a turn may be less.
        if turn > Instant::now() {
            sleep_until(turn).await;
        }
    }

    /// Takes so many further turns after the fact: the next ones come later.
    pub(crate) fn took(&self, turns: u32) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next += self.each * turns;
    }
}
