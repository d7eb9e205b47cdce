//! `poolhook config schema`: what an editor needs to complete and underline.

use std::io;

use clap::Args;
use poolhook::config::{host_schema, pool_schema};

use crate::Exit;
use crate::out;

/// Print a JSON Schema of the pools' files and `defaults.toml`, for editors.
///
/// Save it beside the configs, and name it in the first line of each file:
/// `#:schema ./schema.json`. Editors with a TOML extension, such as Even Better TOML or
/// Taplo, then complete keys and underline mistakes. The expressions are checked by
/// `poolhook config check`.
#[derive(Args)]
#[command(after_help = "Examples:
  poolhook config schema > config/schema.json
  poolhook config schema --host > config/host.schema.json")]
pub(crate) struct Schema {
    /// The schema of `host.toml` instead.
    #[arg(long)]
    host: bool,
}

impl Schema {
    pub(super) fn run(&self) -> anyhow::Result<Exit> {
        let schema = if self.host {
            host_schema()
        } else {
            pool_schema()
        };
        print(&serde_json::to_string_pretty(&schema)?)?;
        Ok(Exit::Done)
    }
}

fn print(schema: &str) -> io::Result<()> {
    out::json(schema)
}
