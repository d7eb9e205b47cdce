//! Goes through all users of a pool, page by page, and puts each user's item
//! through the host. The next page is listed while the current one is handled; no
//! more than these two are in memory.

mod options;
mod tally;

use std::sync::Arc;
use std::time::Duration;

use poolhook::cognito::{CognitoError, Page, PoolUser, UserPool};
use poolhook::config::WriteMode;
use poolhook::host::{Failure, Host, User};
use poolhook::report::Report;
use poolhook::store::StoreError;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep};

use crate::out::say;
use crate::pace::Pace;
pub(crate) use options::{Interrupt, Look, Users, malformed_line, user_line};
pub(crate) use tally::Tally;

/// The time limit of one attempt for one user.
const TIME: Duration = Duration::from_secs(10);
/// The backoff before each retry of users that failed with a transient error: about
/// 15 s in all, then the walk stops.
const WAITS: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// A walk through a pool's users, with its rate limits.
pub(crate) struct Walk {
    host: Arc<Host>,
    pool: UserPool,
    requests: Pace,
    items: Pace,
    ahead: Ahead,
    /// The number of the next page, from 1.
    page: u64,
}

/// The next page.
enum Ahead {
    ToList(Option<String>),
    Listed(Result<Page, CognitoError>),
    Nothing,
}

/// The users of one page, after all of them were handled.
pub(crate) struct Walked {
    /// Each user with its report; `None` for an unconfirmed user.
    pub(crate) users: Vec<(PoolUser, Option<Report>)>,
    /// The names of users without a name, a creation date or a status.
    pub(crate) malformed: Vec<Option<String>>,
    /// The token of the next page; `None` after the last one.
    pub(crate) next: Option<String>,
}

/// Why a walk stopped early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stopped {
    #[error("{}", .0.name())]
    Cognito(#[source] CognitoError),
    /// A page of users that cannot be listed.
    #[error("page {page} of the users cannot be listed: {}", .error.name())]
    Page {
        /// From 1.
        page: u64,
        #[source]
        error: CognitoError,
    },
    /// A failure that every user would have, or a transient one that outlasted the retries.
    #[error("{}", .0.name())]
    Failure(#[source] Failure),
    #[error("a user's task failed")]
    Task(#[source] JoinError),
}

impl Walk {
    /// Starts at the page with this token, or at the first one.
    pub(crate) fn new(
        host: Host,
        pool: UserPool,
        requests: Pace,
        items: Pace,
        from: Option<String>,
        page: u64,
    ) -> Self {
        Self {
            host: Arc::new(host),
            pool,
            requests,
            items,
            ahead: Ahead::ToList(from),
            page,
        }
    }

    /// Starts again at the first page.
    pub(crate) fn restart(&mut self) {
        self.ahead = Ahead::ToList(None);
        self.page = 1;
    }

    /// The number of the next page, from 1.
    pub(crate) fn page(&self) -> u64 {
        self.page
    }

    /// Handles the next page; returns `None` after the last one.
    pub(crate) async fn next(&mut self) -> Result<Option<Walked>, Stopped> {
        let page = match std::mem::replace(&mut self.ahead, Ahead::Nothing) {
            Ahead::ToList(token) => self.list(token.as_deref()).await,
            Ahead::Listed(page) => page,
            Ahead::Nothing => return Ok(None),
        };
        let Page {
            users,
            malformed,
            next,
        } = page.map_err(|error| Stopped::Page {
            page: self.page,
            error,
        })?;
        self.page += 1;
        let ahead = async {
            match &next {
                Some(token) => Ahead::Listed(self.list(Some(token)).await),
                None => Ahead::Nothing,
            }
        };
        let (users, ahead) = tokio::join!(self.handle(users), ahead);
        self.ahead = ahead;
        for notice in self.host.notices() {
            say!("{}", notice.log_line());
        }
        Ok(Some(Walked {
            users: users?,
            malformed,
            next,
        }))
    }

    async fn list(&self, token: Option<&str>) -> Result<Page, CognitoError> {
        self.requests.turn().await;
        self.pool.page(token).await
    }

    /// Handles a page until each user is done, which includes failures that a retry
    /// would not fix.
    async fn handle(
        &self,
        users: Vec<PoolUser>,
    ) -> Result<Vec<(PoolUser, Option<Report>)>, Stopped> {
        let (mut left, unconfirmed): (Vec<_>, _) =
            users.into_iter().partition(|user| user.confirmed);
        let mut done: Vec<_> = unconfirmed.into_iter().map(|user| (user, None)).collect();
        let mut waits = WAITS.into_iter();
        loop {
            let mut again = None;
            for (user, report) in self.put(std::mem::take(&mut left)).await? {
                match report.outcome {
                    Err(failure) if is_everybodys(&failure) => {
                        return Err(Stopped::Failure(failure));
                    }
                    Err(failure) if failure.is_retryable() => {
                        left.push(user);
                        again = Some(failure);
                    }
                    _ => done.push((user, Some(report))),
                }
            }
            let Some(failure) = again else {
                return Ok(done);
            };
            let wait = waits.next().ok_or(Stopped::Failure(failure))?;
            sleep(wait).await;
        }
    }

    /// Puts a page's items concurrently, within the rate limit.
    async fn put(&self, users: Vec<PoolUser>) -> Result<Vec<(PoolUser, Report)>, Stopped> {
        let mut tasks = JoinSet::new();
        for user in users {
            self.items.turn().await;
            let host = Arc::clone(&self.host);
            tasks.spawn(async move {
                let report = host
                    .put(&User {
                        write: Some(WriteMode::Create),
                        ..User::new(&user.event, user.created, Instant::now() + TIME)
                    })
                    .await;
                (user, report)
            });
        }
        let mut done = Vec::with_capacity(tasks.len());
        while let Some(task) = tasks.join_next().await {
            let (user, report) = task.map_err(Stopped::Task)?;
            self.items.took(further_units(&report));
            done.push((user, report));
        }
        Ok(done)
    }
}

/// A write takes one unit of the table's capacity for each started KB of the item.
/// An item's JSON is at least as large as the size that DynamoDB counts.
fn further_units(report: &Report) -> u32 {
    let json = report.trace.item.as_ref().map(serde_json::to_vec);
    let bytes = json.and_then(Result::ok).map_or(0, |json| json.len());
    u32::try_from(bytes.saturating_sub(1) / 1024).unwrap_or(u32::MAX)
}

/// Whether the failure is the pool's or the table's, so that every user would have it.
fn is_everybodys(failure: &Failure) -> bool {
    match failure {
        Failure::Config(_)
        | Failure::Release(_)
        | Failure::Store(StoreError::NoTable { .. } | StoreError::AccessDenied { .. }) => {
            !failure.is_retryable()
        }
        _ => false,
    }
}
