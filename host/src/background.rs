//! Work beside the events: no event waits for it, and it waits for the event.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::notice::Notice;

/// So many notices are kept until somebody asks for them.
const MAX_NOTICES: usize = 256;
/// A task begins when somebody waits for it, and else after so long: on a
/// Lambda function's one thread it would hold up the event that has started it.
const HEAD_START: Duration = Duration::from_millis(100);

/// Tasks that may tell something for the log.
#[derive(Default)]
pub(crate) struct Background {
    running: Mutex<Running>,
    /// Changes when somebody waits for the tasks.
    awaited: watch::Sender<()>,
}

#[derive(Default)]
struct Running {
    tasks: JoinSet<Option<Notice>>,
    notices: Vec<Notice>,
}

impl Background {
    /// Starts a task, after the event that it is started in.
    pub(crate) fn start(&self, task: impl Future<Output = Option<Notice>> + Send + 'static) {
        let mut awaited = self.awaited.subscribe();
        let mut running = self.running();
        running.reap();
        running.tasks.spawn(async move {
            let _ = timeout(HEAD_START, awaited.changed()).await;
            task.await
        });
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
        self.awaited.send_replace(());
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
