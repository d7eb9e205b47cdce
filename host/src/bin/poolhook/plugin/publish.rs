//! `poolhook plugin publish`: a component becomes a plugin's live release.

use std::io;
use std::time::SystemTime;

use clap::Args;
use poolhook::config::{BadPluginName, PluginName};
use poolhook::publish::{Published, Upload};
use serde_json::json;

use super::check::{checked_json, checked_text, rejected_json, rejected_text};
use crate::Exit;
use crate::options::{Component, Config, Store, block_on, publisher, warn_of_shared_rows};
use crate::out::{self, compiling, say};

/// Publish a component: check it, compile it, and make it the live release.
///
/// Pools that follow the plugin run it as soon as they look again: within
/// `refresh-seconds` of host.toml. If something is wrong with it, the live release
/// stays. Prints the component's digest.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook plugin publish my-mapper.wasm
  poolhook plugin publish build/v2.wasm --name my-mapper
  poolhook plugin publish my-mapper.wasm --blobs s3://my-bucket

Exit codes: 0 it is live; 1 it is rejected, or superseded by a later upload;
2 wrong usage, or nothing could be published.")]
pub(crate) struct Options {
    #[command(flatten)]
    component: Component,
    /// The plugin's name [default: the file's name]
    #[arg(long, value_parser = name)]
    name: Option<PluginName>,
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    store: Store,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// A plugin's name, from the command line.
pub(super) fn name(name: &str) -> Result<PluginName, BadPluginName> {
    PluginName::try_from(name.to_owned())
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        let plugin = match &self.name {
            Some(name) => name.clone(),
            None => self.component.name()?,
        };
        let upload = Upload {
            plugin,
            component: self.component.read()?,
            settings: self.component.settings.read()?,
            uploaded: SystemTime::now().into(),
        };
        let published = block_on(async {
            if let Some(pools) = self.config.existing().await? {
                warn_of_shared_rows(&pools).await?;
            }
            let publisher = publisher(&self.config, self.store.create().await?).await?;
            Ok(compiling(publisher.publish(&upload)).await?)
        })?;
        self.print(&upload.plugin, &published)?;
        Ok(Exit::of(matches!(published, Published::Live(_))))
    }

    fn print(&self, plugin: &PluginName, published: &Published) -> io::Result<()> {
        if self.json {
            let (mut line, state) = match published {
                Published::Live(checked) => (checked_json(checked), "live"),
                Published::Superseded(checked, _) => (checked_json(checked), "superseded"),
                Published::Rejected(rejected) => (rejected_json(rejected), "rejected"),
            };
            if let Some(line) = line.as_object_mut() {
                line.insert("plugin".into(), json!(plugin));
                line.insert("published".into(), json!(state));
            }
            return out::json(line);
        }
        match published {
            Published::Live(checked) => {
                say!("{plugin}: live; {}", checked_text(checked));
                out::text(checked.sha256)
            }
            Published::Superseded(checked, live) => {
                say!(
                    "{plugin}: published, but not live: a later upload or rollback, of {}, keeps sha256:{} live",
                    live.since,
                    live.sha256
                );
                out::text(checked.sha256)
            }
            Published::Rejected(rejected) => {
                say!("{plugin}: rejected; {}", rejected_text(rejected));
                Ok(())
            }
        }
    }
}
