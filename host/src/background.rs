//! Background tasks, deferred until the current event is answered.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use crate::notice::Notice;

/// The most notices that are buffered until [`Background::notices`] is called.
const MAX_NOTICES: usize = 256;
/// A task starts when [`Background::settle`] is called, or else after this delay: on
/// a Lambda function's only thread it would delay the event that started it.
const HEAD_START: Duration = Duration::from_millis(100);

/// Tasks, each of which may return a notice for the log.
#[derive(Default)]
pub(crate) struct Background {
    running: Mutex<Running>,
    /// Changes when [`Background::settle`] is called.
    awaited: watch::Sender<()>,
}

#[derive(Default)]
struct Running {
    tasks: JoinSet<Option<Notice>>,
    notices: Vec<Notice>,
}

impl Background {
    /// Starts a task, which runs after the current event.
    pub(crate) fn start(&self, task: impl Future<Output = Option<Notice>> + Send + 'static) {
        let mut awaited = self.awaited.subscribe();
        let mut running = self.running();
        running.reap();
        running.tasks.spawn(async move {
            let _ = timeout(HEAD_START, awaited.changed()).await;
            task.await
        });
    }

    /// Takes the notices of the tasks that ended since the last call.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        let mut running = self.running();
        running.reap();
        std::mem::take(&mut running.notices)
    }

    /// Waits until no task is running, for `at_most`. Tasks that are not done by then
    /// continue, and their notices come later.
    pub(crate) async fn settle(&self, at_most: Duration) {
        self.awaited.send_replace(());
        let all = async {
            let next = || poll_fn(|context| self.running().tasks.poll_join_next(context));
            while let Some(ended) = next().await {
                self.running().collect(ended);
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
            self.collect(ended);
        }
    }

    /// A task that panicked returned no notice.
    fn collect(&mut self, ended: Result<Option<Notice>, JoinError>) {
        let told = ended.ok().flatten();
        let room = self.notices.len() < MAX_NOTICES;
        self.notices.extend(told.filter(|_| room));
    }
}
