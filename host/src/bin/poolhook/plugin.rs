//! `poolhook plugin`: making mapping plugins.

mod build;

use clap::Subcommand;

use crate::Exit;

#[derive(Subcommand)]
pub(crate) enum Command {
    Build(build::Options),
}

impl Command {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        match self {
            Self::Build(options) => options.run(),
        }
    }
}
