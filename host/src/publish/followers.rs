//! The pools that follow a plugin, and whether a new component's items have their keys.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use serde_json::{Map, Value};

use super::{Rejected, try_out};
use crate::blobs::Blobs;
use crate::config::{PluginName, PoolConfig, Settings};
use crate::event::UserPoolId;
use crate::failure::Failure;
use crate::item::Item;
use crate::pools::Pools;

/// The configs that are read at a time.
const AT_A_TIME: usize = 32;
/// The most settings with which a component is tried out.
const MAX_SETTINGS: usize = 50;

/// Pools that follow a plugin's live release, by their settings.
#[derive(Default)]
pub(super) struct Followers(Vec<Group>);

/// Pools with the same settings.
struct Group {
    settings: Settings,
    pools: Vec<(UserPoolId, Arc<PoolConfig>)>,
}

impl Followers {
    /// Reads the configs of all pools. One that is invalid follows nothing.
    pub(super) async fn of(plugin: &PluginName, configs: &Arc<dyn Blobs>) -> Result<Self, Failure> {
        let pools = &Pools::open(Arc::clone(configs)).await?;
        let ids = pools.list().await?;
        let read = ids.into_iter().flatten().map(|id| async move {
            let config = pools.get(&id).await.ok()?;
            Some((id, config))
        });
        let mut read = stream::iter(read).buffer_unordered(AT_A_TIME);
        let mut groups: Vec<Group> = Vec::new();
        while let Some(pool) = read.next().await {
            let follows =
                |config: &PoolConfig| config.plugin.name == *plugin && config.plugin.pin.is_none();
            let Some(pool) = pool.filter(|(_, config)| follows(config)) else {
                continue;
            };
            let settings = &pool.1.settings;
            match groups.iter_mut().find(|group| group.settings == *settings) {
                Some(group) => group.pools.push(pool),
                None => groups.push(Group {
                    settings: settings.clone(),
                    pools: vec![pool],
                }),
            }
        }
        Ok(Self(groups))
    }

    /// The settings with which a component is tried out.
    pub(super) fn settings(&self) -> Vec<&Settings> {
        let settings = self.0.iter().map(|group| &group.settings);
        settings.take(MAX_SETTINGS).collect()
    }

    /// Rejects a component if every pool would refuse its items for their keys. `items` are
    /// the sample user's, in the order of [`Followers::settings`].
    pub(super) fn check(&self, items: &[Option<Map<String, Value>>]) -> Result<(), Rejected> {
        let Ok(user) = try_out::user() else {
            return Ok(());
        };
        let mut first = None;
        let mut pools = 0;
        for (at, group) in self.0.iter().enumerate() {
            let item = items.get(at).cloned().flatten().map(Value::Object);
            let Some(item) = item.and_then(|item| serde_json::from_value::<Item>(item).ok()) else {
                return Ok(());
            };
            for (pool, config) in &group.pools {
                let Err(error) = config.check_key(&item, &user) else {
                    return Ok(());
                };
                first.get_or_insert_with(|| (pool.clone(), error));
                pools += 1;
            }
        }
        match first {
            Some((pool, error)) => Err(Rejected::WrongKey { pool, pools, error }),
            None => Ok(()),
        }
    }
}
