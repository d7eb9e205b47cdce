//! Work beside the events: no event waits for it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::notice::Notice;

/// So many notices are kept until somebody asks for them.
const MAX_NOTICES: usize = 256;

/// Tasks that may tell something for the log.
#[derive(Default)]
pub(crate) struct Background {
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    tasks: JoinSet<Option<Notice>>,
    notices: Vec<Notice>,
}

impl Background {
    /// Starts a task.
    pub(crate) fn start(&self, task: impl Future<Output = Option<Notice>> + Send + 'static) {
        let mut running = self.running();
        running.reap();
        running.tasks.spawn(task);
    }

    /// What the tasks have told since this was last asked.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        let mut running = self.running();
        running.reap();
        std::mem::take(&mut running.notices)
    }

    /// Waits for the tasks that are running now, so long at most. Those that are
    /// not done by then go on.
    pub(crate) async fn settle(&self, at_most: Duration) {
        let mut tasks = std::mem::take(&mut self.running().tasks);
        let mut told = Vec::new();
        let all = async {
            while let Some(ended) = tasks.join_next().await {
                told.extend(ended.ok().flatten());
            }
        };
        let _ = timeout(at_most, all).await;
        let mut running = self.running();
        for notice in told {
            running.keep(notice);
        }
        // A set that is dropped ends its tasks; these are to go on.
        tasks.detach_all();
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn reap(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            if let Some(notice) = ended.ok().flatten() {
                self.keep(notice);
            }
        }
    }

    fn keep(&mut self, notice: Notice) {
        if self.notices.len() < MAX_NOTICES {
            self.notices.push(notice);
        }
    }
}
