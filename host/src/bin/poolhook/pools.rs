//! `poolhook pools`: the account's user pools, and which function serves their triggers.

mod attach;
mod change;
mod check;
mod detach;
mod error;
mod function;
mod init;
mod lambda;
mod letters;
mod list;
mod many;
mod options;
mod owner;
mod permission;
mod restore;
mod roles;
mod rules;
mod series;
mod settings;
mod snapshot;
mod stacks;
mod table;
mod trigger;

use clap::Subcommand;

use crate::Exit;

#[derive(Subcommand)]
pub(crate) enum Command {
    List(list::Options),
    Init(init::Options),
    Attach(attach::Options),
    Detach(detach::Options),
    Check(check::Options),
    Restore(restore::Options),
}

impl Command {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        match self {
            Self::List(options) => options.run(),
            Self::Init(options) => options.run(),
            Self::Attach(options) => options.run(),
            Self::Detach(options) => options.run(),
            Self::Check(options) => options.run(),
            Self::Restore(options) => options.run(),
        }
    }
}
