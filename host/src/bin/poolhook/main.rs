//! The command line.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line prints"
)]

mod config;
mod items;
mod plugin;
mod run;
mod serve;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use poolhook::config::PluginName;
use poolhook::plugin::Plugins;
use poolhook::pools::Pools;

/// One host for the Post Confirmation trigger of any number of Cognito user pools.
///
/// A Post Confirmation event becomes a DynamoDB item through the pool's mapping
/// plugin, a sandboxed WebAssembly component. Results go to standard output,
/// everything else to standard error.
#[derive(Parser)]
#[command(
    name = "poolhook",
    version,
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
    /// Look after the pools' configuration.
    #[command(subcommand)]
    Config(config::Command),
    /// Make mapping plugins.
    #[command(subcommand)]
    Plugin(plugin::Command),
}

/// How a command ended, as the exit code says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// All is done.
    Done = 0,
    /// The command ran, and something that it looked at is wrong.
    Failed = 1,
    /// The command could not do its work; also the code for wrong usage.
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
        Command::Run(options) => options.run(),
        Command::Serve(options) => options.run(),
        Command::Items(options) => options.run(),
        Command::Config(command) => command.run(),
        Command::Plugin(command) => command.run(),
    };
    let exit = result.unwrap_or_else(|error| {
        // Whoever reads our output, `head` say, has read enough.
        let cause = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if cause == Some(io::ErrorKind::BrokenPipe) {
            return Exit::Done;
        }
        eprintln!("error: {error:#}");
        Exit::Error
    });
    exit.into()
}

/// Where the pools' configuration lies.
#[derive(Args)]
struct ConfigFolder {
    /// The folder of the pools' TOML files.
    #[arg(
        long = "config",
        env = "POOLHOOK_CONFIG",
        value_name = "DIR",
        default_value = "config"
    )]
    folder: PathBuf,
}

impl ConfigFolder {
    fn open(&self) -> anyhow::Result<Pools> {
        Ok(Pools::open(&self.folder)?)
    }
}

/// Where items go.
#[derive(Args)]
struct Items {
    /// The file of the embedded store.
    #[arg(
        long,
        env = "POOLHOOK_STORE",
        value_name = "FILE",
        default_value = "poolhook.db"
    )]
    store: PathBuf,
    /// Write to DynamoDB, not to the embedded store. Region, endpoint and
    /// credentials come from the environment, as for AWS's own tools.
    #[arg(long)]
    dynamodb: bool,
}

/// Which plugins there are.
#[derive(Args)]
struct PluginChoice {
    /// Run this component in place of every pool's plugin, compiled now.
    #[arg(long, value_name = "FILE.wasm")]
    plugin: Option<PathBuf>,
}

impl PluginChoice {
    fn load(&self) -> anyhow::Result<Plugins> {
        let mut plugins = Plugins::builtin()?;
        if let Some(file) = &self.plugin {
            let context = || file.display().to_string();
            let component = std::fs::read(file).with_context(context)?;
            let stem = file
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let name = PluginName::try_from(stem)
                .map_err(anyhow::Error::msg)
                .with_context(context)?;
            plugins
                .compile(name.clone(), &component)
                .with_context(context)?;
            plugins.use_for_all(name);
        }
        Ok(plugins)
    }
}
