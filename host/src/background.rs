//! Work beside the events: no event waits for it, and it waits for the event.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
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

    /// Waits until no task is running, so long at most. Those that are not done by
    /// then go on, and tell what they have to later.
    pub(crate) async fn settle(&self, at_most: Duration) {
        self.awaited.send_replace(());
        let all = async {
            let next = || poll_fn(|context| self.running().tasks.poll_join_next(context));
            while let Some(ended) = next().await {
                self.running().keep(ended);
            }
        };
        let _ = timeout(at_most, all).await;
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn reap(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            self.keep(ended);
        }
    }

    /// A task that panicked has nothing to tell.
    fn keep(&mut self, ended: Result<Option<Notice>, JoinError>) {
        let told = ended.ok().flatten();
        let room = self.notices.len() < MAX_NOTICES;
        self.notices.extend(told.filter(|_| room));
    }
}
