//! `poolhook plugin list`, `show` and `rollback`: list releases, and make an earlier
//! one live.

use std::time::SystemTime;

use anyhow::bail;
use clap::Args;
use poolhook::config::PluginName;
use poolhook::digest::Sha256;
use poolhook::plugin::{ENGINE, TARGET};
use poolhook::releases::{History, Live, Rejection, Release, ReleaseError, Releases};
use serde_json::json;

use super::publish::name;
use crate::Exit;
use crate::options::{DigestPrefix, Store, block_on, bytes};
use crate::out::{self, say};

/// List the plugins that have a live release.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook plugin list
  poolhook plugin list --blobs s3://my-bucket --json")]
pub(crate) struct List {
    #[command(flatten)]
    store: Store,
    /// Print a JSON object for each plugin.
    #[arg(long)]
    json: bool,
}

impl List {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        block_on(async {
            let releases = self.store.existing().await?;
            let plugins = releases.plugins().await?;
            if plugins.is_empty() {
                say!("no plugin is published yet. `poolhook plugin publish` publishes one");
            }
            let mut all_well = true;
            for plugin in plugins {
                let live = match releases.live(&plugin).await {
                    Ok(Some(live)) => live,
                    Ok(None) => continue,
                    Err(error @ ReleaseError::Damaged { .. }) => {
                        say!("{error}");
                        all_well = false;
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                };
                let shown = if self.json {
                    json!({ "plugin": plugin, "live": live }).to_string()
                } else {
                    format!("{plugin}  sha256:{}  since {}", live.sha256, live.since)
                };
                out::text(shown)?;
            }
            Ok(Exit::of(all_well))
        })
    }
}

/// Show a plugin's releases, the latest first, and its last rejection.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook plugin show my-mapper
  poolhook plugin show my-mapper --json | jq -r .live.sha256

Exit codes: 0 there is a release or a rejection; 1 there is neither; 2 wrong
usage, or they cannot be read.")]
pub(crate) struct Show {
    /// The plugin's name.
    #[arg(value_parser = name)]
    name: PluginName,
    #[command(flatten)]
    store: Store,
    /// Print one JSON object: `live`, `releases`, `rejection`.
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        block_on(async {
            let releases = self.store.existing().await?;
            let live = releases.live(&self.name).await?;
            let History {
                releases: history,
                damaged,
            } = releases.history(&self.name).await?;
            for error in damaged {
                say!("{error}");
            }
            let rejection = releases.rejection(&self.name).await?;
            let found = !history.is_empty() || rejection.is_some();
            if self.json {
                let all = json!({ "plugin": self.name, "live": live, "releases": history,
                                  "rejection": rejection });
                out::json(all)?;
                return Ok(Exit::of(found));
            }
            if history.is_empty() {
                say!("no release is published as {}", self.name);
            }
            for release in &history {
                out::text(release_text(release, live))?;
            }
            if let Some(rejection) = &rejection {
                say!("{}", rejection_text(rejection));
            }
            Ok(Exit::of(found))
        })
    }
}

fn release_text(release: &Release, live: Option<Live>) -> String {
    let is_live = live.is_some_and(|live| live.sha256 == release.sha256);
    let state = if is_live { "live" } else { "    " };
    let built = match release.artifact(ENGINE, TARGET) {
        Some(_) => "",
        None => ", not built for this version: `poolhook plugin rebuild`",
    };
    format!(
        "{state}  sha256:{}  published {}, {}{built}",
        release.sha256,
        release.published,
        bytes(release.bytes)
    )
}

fn rejection_text(rejection: &Rejection) -> String {
    let Rejection {
        uploaded,
        error_type,
        error_message,
        advice,
        ..
    } = rejection;
    format!("the upload of {uploaded} was rejected: {error_type}: {error_message}\n{advice}")
}

/// Make an earlier release live: the previous one or, with --to, any.
///
/// Only the pointer moves. Hosts load the release within `refresh-seconds` of
/// host.toml. An upload from before the rollback does not undo it; a later one does.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook plugin rollback my-mapper
  poolhook plugin rollback my-mapper --to sha256:9f86d0818
  poolhook plugin rollback my-mapper --blobs s3://my-bucket --json")]
pub(crate) struct Rollback {
    /// The plugin's name.
    #[arg(value_parser = name)]
    name: PluginName,
    /// The component's digest, or at least its first 4 digits.
    #[arg(long, value_name = "DIGEST")]
    to: Option<DigestPrefix>,
    #[command(flatten)]
    store: Store,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Rollback {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        block_on(async {
            let releases = self.store.existing().await?;
            let before = releases.live(&self.name).await?;
            let to = match &self.to {
                Some(prefix) => Some(self.find(&releases, prefix).await?),
                None => None,
            };
            let now = SystemTime::now().into();
            let live = releases.roll_back(&self.name, to, now).await?;
            let Some(live) = live else {
                bail!(
                    "no release of {} was published before the live one. `poolhook plugin show {0}` lists the releases",
                    self.name
                );
            };
            if self.json {
                let moved = json!({ "plugin": self.name, "live": live, "before": before });
                out::json(moved)?;
            } else {
                say!("{}: live again, since {}", self.name, live.since);
                out::text(live.sha256)?;
            }
            Ok(Exit::Done)
        })
    }

    /// Finds the one release whose digest starts with the prefix.
    async fn find(&self, releases: &Releases, prefix: &DigestPrefix) -> anyhow::Result<Sha256> {
        let prefix = prefix.as_str();
        let history = releases.history(&self.name).await?;
        let digests = history.releases.iter().map(|release| release.sha256);
        let found: Vec<_> = digests
            .filter(|digest| digest.to_string().starts_with(prefix))
            .collect();
        match found[..] {
            [digest] => Ok(digest),
            [] => bail!("{} has no release with the digest {prefix}", self.name),
            _ => bail!(
                "{} has several releases whose digest starts with {prefix}",
                self.name
            ),
        }
    }
}
