//! A rate limit that callers wait for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Unused turns of the last 50 ms may be taken later: a timer is not exact.
const SLACK: Duration = Duration::from_millis(50);

/// Hands out turns at a fixed rate.
pub(crate) struct Pace {
    each: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    /// `rate` turns per second, at least 0.001.
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
        // A timer's resolution is 1 ms, and turns may be closer together.
        if turn > Instant::now() {
            sleep_until(turn).await;
        }
    }

    /// Charges further turns afterwards, which delays the next ones.
    pub(crate) fn took(&self, turns: u32) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next += self.each * turns;
    }
}
