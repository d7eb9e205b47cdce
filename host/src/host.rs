//! The event path, from the trigger's bytes to the written item.

use std::time::SystemTime;

use crate::event::PostConfirmation;
use crate::item::ItemError;
pub use crate::outcome::{Failure, Outcome, Skip};
use crate::plugin::{Mapping, Plugins};
use crate::pools::Pools;
use crate::report::{Report, Step, Trace};
use crate::store::ItemStore;

/// One host for any number of user pools.
pub struct Host<Items> {
    pools: Pools,
    plugins: Plugins,
    items: Items,
}

impl<Items: ItemStore> Host<Items> {
    /// A host of these pools, with these plugins, that writes to `items`.
    pub fn new(pools: Pools, plugins: Plugins, items: Items) -> Self {
        Self {
            pools,
            plugins,
            items,
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

        let pool = trace.time(Step::Config, || self.pools.get(&event.user_pool_id))?;
        if !pool.triggers.contains(&event.trigger_source) {
            return Ok(Outcome::Skipped(Skip::TriggerSource));
        }

        let plugin = self.plugins.get(&pool.plugin)?;
        trace.plugin = Some(plugin.name().clone());
        let run = trace.time(Step::Plugin, || plugin.run(&event, received, &pool));
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
}
