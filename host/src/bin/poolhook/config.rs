//! `poolhook config`: checks and explains the pools' configuration.

mod check;
mod examples;
mod files;
mod notes;
mod problems;
mod samples;
mod schema;
mod show;
mod tables;
mod try_out;

use clap::Subcommand;

use crate::Exit;
pub(crate) use check::{sample_item, shared_row};
pub(crate) use files::Files;
pub(crate) use notes::{map as map_user, of as refusals};
pub(crate) use samples::{Sample, all as sample_users};
pub(crate) use tables::Tables;

#[derive(Subcommand)]
pub(crate) enum Command {
    Check(check::Check),
    Show(show::Show),
    Try(try_out::Try),
    Schema(schema::Schema),
}

impl Command {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        match self {
            Self::Check(options) => options.run(),
            Self::Show(options) => options.run(),
            Self::Try(options) => options.run(),
            Self::Schema(options) => options.run(),
        }
    }
}
