//! `poolhook plugin check`: checks a component as publishing does.

use std::time::SystemTime;

use clap::Args;
use poolhook::plugin::{ENGINE, TARGET};
use poolhook::publish::{Checked, NotAccepted, Rejected, Upload};
use serde_json::{Value, json};

use crate::Exit;
use crate::options::{Component, Config, bytes, checker};
use crate::out::{self, compiling, say};

/// Check a component as publishing does, without writing anything.
///
/// It must be a component of the world poolhook:mapper/mapper@0.1.0, import
/// nothing else, compile within the limits of host.toml, and map a sample user
/// within the default limits.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook plugin check my-mapper.wasm
  poolhook plugin check my-mapper.wasm --settings settings.toml --json

Exit codes: 0 it would be published; 1 it would be rejected; 2 wrong usage, or
nothing could be checked.")]
pub(crate) struct Options {
    #[command(flatten)]
    component: Component,
    #[command(flatten)]
    config: Config,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        let upload = Upload {
            plugin: self.component.name()?,
            component: self.component.read()?,
            settings: self.component.settings.read()?,
            uploaded: SystemTime::now().into(),
        };
        let check = async {
            let checker = checker(&self.config).await?;
            Ok(compiling(checker.check(&upload)).await)
        };
        let (json, text, exit) = match crate::options::block_on(check)? {
            Ok(checked) => (checked_json(&checked), checked_text(&checked), Exit::Done),
            Err(NotAccepted::Rejected(rejected)) => {
                let (json, text) = (rejected_json(&rejected), rejected_text(&rejected));
                (json, text, Exit::Failed)
            }
            Err(error @ NotAccepted::NoCompiler(_)) => return Err(error.into()),
        };
        if self.json {
            out::json(json)?;
        } else {
            say!("{}: {text}", self.component.file.display());
        }
        Ok(exit)
    }
}

/// The result of a check, as text.
pub(super) fn checked_text(checked: &Checked) -> String {
    let sample = &checked.sample;
    let mapped = match &sample.item {
        Some(item) => format!("puts {} attributes for", item.len()),
        None => "skips".to_owned(),
    };
    format!(
        "a mapper of {}; it {mapped} the sample user, with {} fuel and {} of memory",
        bytes(checked.bytes),
        sample.fuel,
        bytes(sample.memory_bytes as u64),
    )
}

pub(super) fn checked_json(checked: &Checked) -> Value {
    let sample = &checked.sample;
    json!({
        "accepted": true,
        "sha256": checked.sha256,
        "bytes": checked.bytes,
        "engine": ENGINE,
        "target": TARGET,
        "sample": { "item": sample.item, "fuel": sample.fuel,
                    "memoryBytes": sample.memory_bytes },
    })
}

pub(super) fn rejected_text(rejected: &Rejected) -> String {
    format!("{}: {rejected}\n{}", rejected.name(), rejected.advice())
}

pub(super) fn rejected_json(rejected: &Rejected) -> Value {
    json!({
        "accepted": false,
        "errorType": rejected.name(),
        "errorMessage": rejected.to_string(),
        "advice": rejected.advice(),
    })
}
