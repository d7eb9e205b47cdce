//! The event path, from the trigger's bytes to the written item.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::config::OnFailure;
use crate::dead_letters::{DeadLetter, DeadLetters};
pub use crate::delivery::{Delivery, User};
use crate::event::{PostConfirmation, UserPoolId};
use crate::failure::within;
pub use crate::failure::{Failure, Outcome, Skip};
use crate::notice::Notice;
use crate::plugin::Mapping;
use crate::plugins::Plugins;
use crate::pools::Pools;
use crate::report::{DeadLettered, Report, Step, Trace};
use crate::sources::Sources;
use crate::store::ItemStore;

/// The part of an event's time that is reserved for writing its dead letter.
const DEAD_LETTER_TIME: Duration = Duration::from_secs(1);
/// To another time that differs in its year, month, day, weekday and each unit of the clock.
const OTHER_TIME: Duration = Duration::from_millis((397 * 86_400 + 3_661) * 1000 + 1);

/// Handles the events of any number of user pools.
pub struct Host {
    sources: Sources,
    items: Arc<dyn ItemStore>,
    dead_letters: Option<DeadLetters>,
}

impl Host {
    /// A host for these pools, with these plugins, that writes to `items`.
    pub fn new(pools: Pools, plugins: Plugins, items: Arc<dyn ItemStore>) -> Self {
        Self {
            sources: Sources::new(pools, plugins),
            items,
            dead_letters: None,
        }
    }

    /// Makes the host write a dead letter for each event that cannot be written.
    #[must_use]
    pub fn with_dead_letters(mut self, dead_letters: DeadLetters) -> Self {
        self.dead_letters = Some(dead_letters);
        self
    }

    /// Wraps an event that is received now. Its deadline is the config's `deadline-ms`
    /// from now, or `at_most` if that is shorter.
    pub fn deliver<'a>(&self, raw: &'a [u8], at_most: Duration) -> Delivery<'a> {
        let budget = Duration::from_millis(self.sources.host_config().deadline_ms);
        Delivery {
            raw,
            received: SystemTime::now(),
            until: Instant::now() + budget.min(at_most),
        }
    }

    /// Handles one event. [`Report::answer`] returns the trigger's answer.
    pub async fn handle(&self, delivery: Delivery<'_>) -> Report {
        let mut trace = Trace::begin();
        let written = self.write(delivery, &mut trace).await;
        let dead_lettered = match &written {
            Err(failure) => self.dead_letter(delivery, failure, &trace).await,
            Ok(_) => DeadLettered::No,
        };
        trace.end(written, dead_lettered)
    }

    async fn write(&self, delivery: Delivery<'_>, trace: &mut Trace) -> Result<Outcome, Failure> {
        let event = trace.time(Step::Event, || PostConfirmation::parse(delivery.raw));
        trace.user_pool_id = match &event {
            Ok(event) => Some(event.user_pool_id.clone()),
            Err(_) => UserPoolId::of_unreadable(delivery.raw),
        };
        let event = event?;
        trace.is_test = event.trigger_source.is_test();
        let reserved = self
            .dead_letters
            .as_ref()
            .map_or(Duration::ZERO, |_| DEAD_LETTER_TIME);
        let until = delivery
            .until
            .checked_sub(reserved)
            .unwrap_or(delivery.until);
        self.write_user(&User::new(&event, delivery.received, until), trace)
            .await
    }

    /// Writes a user's item as an event would, but never writes a dead letter.
    pub async fn put(&self, user: &User<'_>) -> Report {
        let mut trace = Trace::begin();
        trace.user_pool_id = Some(user.event.user_pool_id.clone());
        let written = self.write_user(user, &mut trace).await;
        trace.end(written, DeadLettered::No)
    }

    /// The path of a user, from the pool's config to the written item.
    async fn write_user(&self, user: &User<'_>, trace: &mut Trace) -> Result<Outcome, Failure> {
        let &User {
            event,
            received,
            until,
            ..
        } = user;
        let config = self.sources.config(&event.user_pool_id, until);
        let pool = trace.time_async(Step::Config, config).await?;
        trace.on_failure = pool.on_failure;
        let is_test = event.trigger_source.is_test();
        if !pool.writes(&event.trigger_source) && !is_test {
            return Ok(Outcome::Skipped(Skip::TriggerSource));
        }
        let reference = user.plugin(&pool);
        let load = self.sources.plugin(&reference, until);
        let plugin = trace.time_async(Step::Load, load).await;
        trace.loaded(&reference, plugin.as_deref().ok());
        let plugin = plugin?;
        if is_test {
            return Ok(Outcome::Skipped(Skip::TriggerSource));
        }
        let limits = pool.limits.until(until).ok_or(Failure::Late {
            what: "the steps before the plugin",
        })?;
        let map = || plugin.run(event, received, &pool.settings, &limits);
        let run = trace.time(Step::Plugin, map);
        let fields = match trace.ran(run)? {
            Mapping::Put(fields) => fields,
            Mapping::Skip(reason) => return Ok(Outcome::Skipped(Skip::Plugin { reason })),
        };
        let item = trace.time(Step::Check, || {
            let item = fields.into_item()?;
            pool.check_key(&item, event).map(|()| item)
        })?;
        let put = self
            .items
            .put(&pool.table, &item, user.write.unwrap_or(pool.write), until);
        let put = trace.time_async(Step::Store, put).await;
        trace.table = Some(pool.table.clone());
        let at_another_time = || {
            let received = received.checked_sub(OTHER_TIME)?;
            let limits = pool.limits.until(until)?;
            let run = plugin.run(event, received, &pool.settings, &limits);
            run.mapping.ok()?.into_item()
        };
        let put = put.map(|put| put.but_for_time(&item, at_another_time));
        trace.item = Some(item);
        Ok(put?.into())
    }

    /// Writes the dead letter of an event that could not be written. A pool that no config
    /// names gets none, and a test event neither. No replay can write an event that cannot be read, so Cognito gets its
    /// error.
    async fn dead_letter(
        &self,
        delivery: Delivery<'_>,
        failure: &Failure,
        trace: &Trace,
    ) -> DeadLettered {
        let has_none = failure.is_of_unknown_pool() || trace.is_test;
        let (Some(dead_letters), false) = (&self.dead_letters, has_none) else {
            return DeadLettered::No;
        };
        let (pool, received) = (trace.user_pool_id.clone(), delivery.received.into());
        let dead_letter = DeadLetter {
            plugin: trace.plugin.clone(),
            component: trace.component,
            store: Some(self.items.name()),
            ..DeadLetter::new(pool, delivery.raw, received, failure)
        };
        let write = async { Ok(dead_letters.write(&dead_letter).await?) };
        match within(delivery.until, "writing the dead letter", write).await {
            Ok(()) if matches!(failure, Failure::Event(_)) => DeadLettered::Yes(OnFailure::Reject),
            Ok(()) => DeadLettered::Yes(trace.on_failure),
            Err(error) => DeadLettered::Failed(error),
        }
    }

    /// The name of the store that items are written to.
    pub fn store(&self) -> String {
        self.items.name()
    }

    /// Waits until the background tasks are done, for `at_most`. For a process that may
    /// be frozen between two events.
    pub async fn settle(&self, at_most: Duration) {
        self.sources.settle(at_most).await;
    }

    /// What happened in the background since the last call.
    pub fn notices(&self) -> Vec<Notice> {
        self.sources.notices()
    }
}
