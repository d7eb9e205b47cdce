//! The event path, from the trigger's bytes to the written item.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};

use crate::background::Background;
use crate::config::{PluginRef, Write};
use crate::dead_letters::{Attempt, DeadLetter, DeadLetters};
use crate::digest::Digest;
use crate::event::{PostConfirmation, UserPoolId};
use crate::item::ItemError;
use crate::notice::Notice;
pub use crate::outcome::{Failure, Outcome, Skip};
use crate::plugin::Mapping;
use crate::plugins::Plugins;
use crate::pools::Pools;
use crate::report::{Kept, Report, Step, Trace};
use crate::store::ItemStore;

/// What is left of an event's time for its dead letter, whatever else hangs.
const KEEPING: Duration = Duration::from_secs(1);

/// One host for any number of user pools.
pub struct Host<Items> {
    pools: Arc<Pools>,
    plugins: Arc<Plugins>,
    items: Items,
    dead_letters: Option<DeadLetters>,
    background: Background,
}

/// An event that is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// Its bytes. They are the trigger's answer, too.
    pub raw: &'a [u8],
    /// When it was received.
    pub received: SystemTime,
    /// By when all must be done with it.
    pub until: Instant,
}

/// A user whose item is to be written.
#[derive(Clone, Copy, Debug)]
pub struct User<'a> {
    /// The event that says who it is.
    pub event: &'a PostConfirmation,
    /// When that was received.
    pub received: SystemTime,
    /// By when the item must be written.
    pub until: Instant,
    /// The component to map with; without one, the one that the pool's config
    /// names.
    pub component: Option<Digest>,
    /// How to write; without it, as the pool's config says.
    pub write: Option<Write>,
}

impl<'a> User<'a> {
    /// A user who is written as its pool's config says.
    pub fn new(event: &'a PostConfirmation, received: SystemTime, until: Instant) -> Self {
        Self {
            event,
            received,
            until,
            component: None,
            write: None,
        }
    }
}

impl<Items: ItemStore> Host<Items> {
    /// A host of these pools, with these plugins, that writes to `items`.
    pub fn new(pools: Pools, plugins: Plugins, items: Items) -> Self {
        Self {
            pools: Arc::new(pools),
            plugins: Arc::new(plugins),
            items,
            dead_letters: None,
            background: Background::default(),
        }
    }

    /// Keeps what cannot be written as dead letters.
    #[must_use]
    pub fn with_dead_letters(mut self, dead_letters: DeadLetters) -> Self {
        self.dead_letters = Some(dead_letters);
        self
    }

    /// An event that is received now, and may take as long as the config allows
    /// and `at_most`.
    pub fn deliver<'a>(&self, raw: &'a [u8], at_most: Duration) -> Delivery<'a> {
        let budget = Duration::from_millis(self.pools.host_config().deadline_ms);
        Delivery {
            raw,
            received: SystemTime::now(),
            until: Instant::now() + budget.min(at_most),
        }
    }

    /// Handles one event. What cannot be written is kept as a dead letter, if the
    /// host has a place for them.
    ///
    /// The trigger's answer is what [`Report::answer`] says.
    pub async fn handle(&self, delivery: Delivery<'_>) -> Report {
        let mut trace = Trace::begin();
        let written = self.write(delivery, &mut trace).await;
        let kept = match &written {
            Err(failure) => self.keep(delivery, failure, &trace).await,
            Ok(_) => Kept::No,
        };
        trace.end(written, kept)
    }

    async fn write(&self, delivery: Delivery<'_>, trace: &mut Trace) -> Result<Outcome, Failure> {
        let event = trace.time(Step::Event, || PostConfirmation::parse(delivery.raw))?;
        trace.user_pool_id = Some(event.user_pool_id.clone());
        let until = match self.dead_letters {
            Some(_) => delivery
                .until
                .checked_sub(KEEPING)
                .unwrap_or(delivery.until),
            None => delivery.until,
        };
        let user = User::new(&event, delivery.received, until);
        self.write_user(&user, trace).await
    }

    /// Writes a user's item, as an event of its own would: what cannot be written
    /// is not kept.
    pub async fn put(&self, user: &User<'_>) -> Report {
        let mut trace = Trace::begin();
        trace.user_pool_id = Some(user.event.user_pool_id.clone());
        let written = self.write_user(user, &mut trace).await;
        trace.end(written, Kept::No)
    }

    /// The way of a user, from its pool's config to the written item.
    async fn write_user(&self, user: &User<'_>, trace: &mut Trace) -> Result<Outcome, Failure> {
        let User { event, until, .. } = *user;
        let pool = self.pools.get(&event.user_pool_id);
        let pool = within(until, "reading the pool's config", pool);
        let pool = trace.time_async(Step::Config, pool).await?;
        trace.on_failure = pool.on_failure;
        let recorded = user.component.map(|component| PluginRef {
            name: pool.plugin.name.clone(),
            pin: Some(component),
        });
        let plugin_ref = recorded.as_ref().unwrap_or(&pool.plugin);
        self.start_refresh(&event.user_pool_id, plugin_ref);
        if !pool.writes(&event.trigger_source) {
            return Ok(Outcome::Skipped(Skip::TriggerSource));
        }

        let plugin = within(until, "loading the plugin", self.plugins.get(plugin_ref));
        let plugin = trace.time_async(Step::Load, plugin).await;
        let name = plugin
            .as_ref()
            .map_or(&plugin_ref.name, |plugin| plugin.name());
        trace.plugin = Some(name.clone());
        let plugin = plugin?;
        trace.component = plugin.component();
        let limits = pool.limits.until(until).ok_or(Failure::Late {
            what: "what came before the plugin",
        })?;
        let run = trace.time(Step::Plugin, || {
            plugin.run(event, user.received, &pool.settings, &limits)
        });
        trace.fuel = run.fuel;
        trace.log = run.log;
        let fields = match run.mapping? {
            Mapping::Put(fields) => fields,
            Mapping::Skip(reason) => return Ok(Outcome::Skipped(Skip::Plugin { reason })),
        };

        let item = trace.time(Step::Check, || {
            let item = fields.into_item()?;
            item.check_partition_key(&pool.table.partition_key, &pool.partition_key(event))?;
            Ok::<_, ItemError>(item)
        })?;

        let write = user.write.unwrap_or(pool.write);
        let put = self.items.put(&pool.table, &item, write, until);
        let put = trace.time_async(Step::Store, put).await;
        trace.table = Some(pool.table.name.clone());
        trace.item = Some(item);
        Ok(put?.into())
    }

    /// Keeps an event that could not be written. One that is no event, or of a
    /// pool that nobody has configured, is not kept.
    async fn keep(&self, delivery: Delivery<'_>, failure: &Failure, trace: &Trace) -> Kept {
        let (Some(dead_letters), Some(pool)) = (&self.dead_letters, &trace.user_pool_id) else {
            return Kept::No;
        };
        let raw = str::from_utf8(delivery.raw).unwrap_or_default();
        let raw = RawValue::from_string(raw.to_owned());
        let (Ok(event), false) = (raw, failure.is_of_unknown_pool()) else {
            return Kept::No;
        };
        let received = delivery.received.into();
        let letter = DeadLetter {
            user_pool_id: pool.to_string(),
            received,
            plugin: trace.plugin.clone(),
            component: trace.component,
            attempts: vec![Attempt::new(received, failure)],
            event,
        };
        let keep = async {
            dead_letters
                .keep(pool, &letter)
                .await
                .map_err(Failure::Blobs)
        };
        match within(delivery.until, "keeping the event", keep).await {
            Ok(()) => Kept::Yes(trace.on_failure),
            Err(error) => Kept::Failed(error),
        }
    }

    /// Looks for a newer config of the pool and a newer release of its plugin, if
    /// it is time: beside the event, which goes on with what is here.
    fn start_refresh(&self, pool: &UserPoolId, plugin: &PluginRef) {
        if self.pools.is_due(pool) {
            let (pools, plugins) = (Arc::clone(&self.pools), Arc::clone(&self.plugins));
            let pool = pool.clone();
            self.background
                .start(async move { refresh_config(&pools, &plugins, pool).await });
        }
        if self.plugins.is_due(plugin) {
            let (plugins, plugin) = (Arc::clone(&self.plugins), plugin.clone());
            self.background
                .start(async move { refresh_plugin(&plugins, plugin).await });
        }
    }

    /// Waits until what goes on beside the events is done, so long at most: for a
    /// process that sleeps between two events.
    pub async fn settle(&self, at_most: Duration) {
        self.background.settle(at_most).await;
    }

    /// What has happened beside the events since this was last asked.
    pub fn notices(&self) -> Vec<Notice> {
        self.background.notices()
    }
}

/// What the work gives, or that there was no time for it.
async fn within<T>(
    until: Instant,
    what: &'static str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let in_time = timeout_at(until, work).await;
    in_time.unwrap_or(Err(Failure::Late { what }))
}

/// A config counts as good only if its plugin can be loaded.
async fn refresh_config(pools: &Pools, plugins: &Plugins, pool: UserPoolId) -> Option<Notice> {
    let newer = async {
        let Some(newer) = pools.newer(&pool).await? else {
            return Ok(false);
        };
        plugins.prepare(&newer.config().plugin).await?;
        pools.accept(&pool, newer);
        Ok(true)
    };
    match newer.await {
        Ok(changed) => changed.then_some(Notice::NewConfig(pool)),
        Err(failure) => Some(Notice::ConfigKept(pool, failure)),
    }
}

async fn refresh_plugin(plugins: &Plugins, plugin: PluginRef) -> Option<Notice> {
    match plugins.refresh(&plugin).await {
        Ok(component) => component.map(|component| Notice::NewRelease(plugin, component)),
        Err(failure) => Some(Notice::ReleaseKept(plugin, failure)),
    }
}
