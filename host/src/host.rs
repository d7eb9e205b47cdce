//! The event path, from the trigger's bytes to the written item.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::background::Background;
use crate::config::PluginRef;
use crate::event::{PostConfirmation, UserPoolId};
use crate::item::ItemError;
use crate::notice::Notice;
pub use crate::outcome::{Failure, Outcome, Skip};
use crate::plugin::Mapping;
use crate::plugins::Plugins;
use crate::pools::Pools;
use crate::report::{Report, Step, Trace};
use crate::store::ItemStore;

/// One host for any number of user pools.
pub struct Host<Items> {
    pools: Arc<Pools>,
    plugins: Arc<Plugins>,
    items: Items,
    background: Background,
}

impl<Items: ItemStore> Host<Items> {
    /// A host of these pools, with these plugins, that writes to `items`.
    pub fn new(pools: Pools, plugins: Plugins, items: Items) -> Self {
        Self {
            pools: Arc::new(pools),
            plugins: Arc::new(plugins),
            items,
            background: Background::default(),
        }
    }

    /// Handles one event, the bytes that the trigger received at `received`.
    ///
    /// The trigger's answer is `raw` itself, unless the report's outcome is a
    /// failure.
    pub async fn handle(&self, raw: &[u8], received: SystemTime) -> Report {
        let mut trace = Trace::begin();
        let outcome = self.write_item(raw, received, &mut trace).await;
        trace.end(outcome)
    }

    async fn write_item(
        &self,
        raw: &[u8],
        received: SystemTime,
        trace: &mut Trace,
    ) -> Result<Outcome, Failure> {
        let event = trace.time(Step::Event, || PostConfirmation::parse(raw))?;
        trace.user_pool_id = Some(event.user_pool_id.clone());

        let pool = self.pools.get(&event.user_pool_id);
        let pool = trace.time_async(Step::Config, pool).await?;
        self.start_refresh(&event.user_pool_id, &pool.plugin);
        if !pool.triggers.contains(&event.trigger_source) {
            return Ok(Outcome::Skipped(Skip::TriggerSource));
        }

        trace.plugin = Some(pool.plugin.name.clone());
        let plugin = self.plugins.get(&pool.plugin);
        let plugin = trace.time_async(Step::Load, plugin).await?;
        trace.plugin = Some(plugin.name().clone());
        trace.component = plugin.component();
        let run = trace.time(Step::Plugin, || {
            plugin.run(&event, received, &pool.settings, &pool.limits)
        });
        trace.fuel = run.fuel;
        trace.log = run.log;
        let fields = match run.mapping? {
            Mapping::Put(fields) => fields,
            Mapping::Skip(reason) => return Ok(Outcome::Skipped(Skip::Plugin { reason })),
        };

        let item = trace.time(Step::Check, || {
            let item = fields.into_item()?;
            item.check_partition_key(&pool.table.partition_key, &pool.partition_key(&event))?;
            Ok::<_, ItemError>(item)
        })?;

        let put = self.items.put(&pool.table, &item, pool.write);
        let put = trace.time_async(Step::Store, put).await;
        trace.table = Some(pool.table.name.clone());
        trace.item = Some(item);
        Ok(put?.into())
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

/// A config counts as good only if its plugin can be loaded.
async fn refresh_config(pools: &Pools, plugins: &Plugins, pool: UserPoolId) -> Option<Notice> {
    let newer = async {
        let Some(newer) = pools.newer(&pool).await? else {
            return Ok(false);
        };
        plugins.get(&newer.config().plugin).await?;
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
