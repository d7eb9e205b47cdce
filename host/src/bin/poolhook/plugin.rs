//! `poolhook plugin`: creates, tests and publishes mapping plugins, and manages their releases.

mod build;
mod check;
mod new;
mod publish;
mod rebuild;
mod releases;
mod run;
mod test;

use clap::Subcommand;

use crate::Exit;

#[derive(Subcommand)]
pub(crate) enum Command {
    New(new::Options),
    Build(build::Options),
    Check(check::Options),
    Run(run::Options),
    Test(test::Options),
    Publish(publish::Options),
    List(releases::List),
    Show(releases::Show),
    Rollback(releases::Rollback),
    Rebuild(rebuild::Options),
}

impl Command {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        match self {
            Self::New(options) => options.run(),
            Self::Build(options) => options.run(),
            Self::Check(options) => options.run(),
            Self::Run(options) => options.run(),
            Self::Test(options) => options.run(),
            Self::Publish(options) => options.run(),
            Self::List(options) => options.run(),
            Self::Show(options) => options.run(),
            Self::Rollback(options) => options.run(),
            Self::Rebuild(options) => options.run(),
        }
    }
}
