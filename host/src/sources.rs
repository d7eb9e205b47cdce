//! What an event needs: its pool's config and that pool's plugin, from caches that are
//! refreshed in the background.
//!
//! A refresh runs in the background, never in the path of an event. An invalid
//! update leaves the previous version in use.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::background::Background;
use crate::config::{HostConfig, PluginRef, PoolConfig};
use crate::event::UserPoolId;
use crate::failure::{Failure, within};
use crate::notice::Notice;
use crate::plugin::Plugin;
use crate::plugins::Plugins;
use crate::pools::Pools;

/// The configs and plugins of all pools.
pub(crate) struct Sources {
    pools: Arc<Pools>,
    plugins: Arc<Plugins>,
    background: Background,
}

impl Sources {
    pub(crate) fn new(pools: Pools, plugins: Plugins) -> Self {
        Self {
            pools: Arc::new(pools),
            plugins: Arc::new(plugins),
            background: Background::default(),
        }
    }

    /// The content of `host.toml`.
    pub(crate) fn host_config(&self) -> &HostConfig {
        self.pools.host_config()
    }

    /// Returns a pool's config, or fails at the deadline `until`.
    pub(crate) async fn config(
        &self,
        pool: &UserPoolId,
        until: Instant,
    ) -> Result<Arc<PoolConfig>, Failure> {
        let config = within(until, "reading the pool's config", self.pools.get(pool)).await?;
        if self.pools.claim_refresh(pool) {
            let (pools, plugins) = (Arc::clone(&self.pools), Arc::clone(&self.plugins));
            let pool = pool.clone();
            self.background
                .start(async move { refresh_config(&pools, &plugins, pool).await });
        }
        Ok(config)
    }

    /// Returns a plugin, or fails at the deadline `until`.
    pub(crate) async fn plugin(
        &self,
        plugin: &PluginRef,
        until: Instant,
    ) -> Result<Arc<Plugin>, Failure> {
        if self.plugins.claim_refresh(plugin) {
            let (plugins, plugin) = (Arc::clone(&self.plugins), plugin.clone());
            self.background
                .start(async move { refresh_plugin(&plugins, plugin).await });
        }
        within(until, "loading the plugin", self.plugins.get(plugin)).await
    }

    /// Waits until the background tasks are done, for `at_most`.
    pub(crate) async fn settle(&self, at_most: Duration) {
        self.background.settle(at_most).await;
    }

    /// What happened in the background since the last call.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        self.background.notices()
    }
}

/// A config is valid only if its plugin can be loaded.
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
        Err(failure) => Some(Notice::ConfigRefreshFailed(pool, failure)),
    }
}

async fn refresh_plugin(plugins: &Plugins, plugin: PluginRef) -> Option<Notice> {
    match plugins.refresh(&plugin).await {
        Ok(component) => component.map(|component| Notice::NewRelease(plugin, component)),
        Err(failure) => Some(Notice::ReleaseRefreshFailed(plugin, failure)),
    }
}
