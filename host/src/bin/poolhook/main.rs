//! The command line.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line prints"
)]

mod backfill;
mod config;
mod dead_letters;
mod difference;
mod explain;
mod items;
mod options;
mod out;
mod pace;
mod plugin;
mod pools;
mod reconcile;
mod run;
mod serve;
mod trial;
mod walk;

use out::say;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use poolhook::publish::compile_stdin;

/// One host for the Post Confirmation trigger of any number of Cognito user pools.
///
/// A Post Confirmation event becomes a DynamoDB item through the pool's mapping
/// plugin, a sandboxed WebAssembly component. Results go to standard output,
/// everything else to standard error.
#[derive(Parser)]
#[command(
    name = "poolhook",
    version = concat!(env!("CARGO_PKG_VERSION"), " (commit ", env!("POOLHOOK_COMMIT"), ")"),
    propagate_version = true,
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Options),
    Serve(serve::Options),
    Items(items::Options),
    Backfill(backfill::Options),
    Reconcile(reconcile::Options),
    /// Check the pools' configuration.
    #[command(subcommand)]
    Config(config::Command),
    /// List, replay and purge dead letters: events that could not be written.
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    /// Create, test and publish mapping plugins.
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Attach the trigger to user pools, and check, list and restore pools.
    #[command(subcommand)]
    Pools(pools::Command),
    #[command(hide = true)]
    Precompile(Precompile),
}

/// Compile the component on standard input within resource limits (internal).
#[derive(Args)]
struct Precompile {
    arguments: Vec<OsString>,
}

/// A command's result, as its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// The command succeeded.
    Done = 0,
    /// The command ran and found a problem or a failure.
    Failed = 1,
    /// The command could not run. `clap` uses the same code for wrong usage.
    Error = 2,
}

impl Exit {
    fn of(all_well: bool) -> Self {
        if all_well { Self::Done } else { Self::Failed }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Precompile(Precompile { arguments }) => match compile_stdin(arguments) {
            Ok(code) => return code,
            Err(error) => Err(error.into()),
        },
        Command::Run(options) => options.run(),
        Command::Serve(options) => options.run(),
        Command::Items(options) => options.run(),
        Command::Backfill(options) => options.run(),
        Command::Reconcile(options) => options.run(),
        Command::Config(command) => command.run(),
        Command::DeadLetters(command) => command.run(),
        Command::Plugin(command) => command.run(),
        Command::Pools(command) => command.run(),
    };
    let exit = result.unwrap_or_else(|error| {
        // A closed pipe is not a failure: the reader, such as `head`, has read enough.
        let cause = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if cause == Some(io::ErrorKind::BrokenPipe) {
            return Exit::Done;
        }
        say!("error: {error:#}");
        Exit::Error
    });
    exit.into()
}
