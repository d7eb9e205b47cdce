//! `poolhook plugin test`: runs a folder of test cases.

mod cases;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use poolhook::blobs::dir::Dir;
use poolhook::config::{Limits, PoolConfig, Settings};
use poolhook::event::{PostConfirmation, UserPoolId};
use poolhook::item::{Item, ItemError};
use poolhook::plugin::Plugin;
use poolhook::plugins::Plugins;
use poolhook::pools::Pools;
use poolhook::text::shown;
use serde_json::{Value, json};

use crate::Exit;
use crate::difference::Difference;
use crate::options::{Config, SettingsFile, block_on, compile};
use crate::out::{self, say};
use crate::trial::{self, Trial};
use cases::Case;

/// Run a folder of test cases, and compare the results with the expected ones.
///
/// A case is a folder with event.json and exactly one of
///
///   item.json  the item, as DynamoDB's JSON
///   skip.txt   the reason for skipping the user; empty: any
///   error.txt  the error's name, such as Plugin.Refused; below it, if it matters,
///              the message
///
/// and optionally settings.toml with settings for this case. Each event is received
/// at 2026-11-23T09:06:52.123Z. The item must follow DynamoDB's rules. With --pool,
/// the plugin gets the pool's settings and limits, and the item must have the key
/// that the pool's config demands; the pool's triggers do not matter. Nothing is
/// written to a table.
#[derive(Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  poolhook plugin test
  poolhook plugin test member-card --json
  poolhook plugin test cases --component member-card.wasm \\
    --settings settings.toml
  poolhook plugin test cases --pool config/eu-west-1_AbCdEfGhI.toml
  poolhook plugin test --bless && git diff cases
  poolhook plugin test --case new-user

Exit codes: 0 all cases passed or were blessed; 1 a case failed; 2 wrong usage,
no case, or a case that cannot be read."
)]
pub(crate) struct Options {
    /// A plugin's folder, with its cases in `cases`; or the folder of the cases.
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// The component [default: DIR/<DIR's name>.wasm, as `plugin build` creates it]
    #[arg(long, value_name = "FILE.wasm", conflicts_with = "pool")]
    component: Option<PathBuf>,
    /// The TOML file of a pool with a built-in plugin.
    #[arg(long, value_name = "FILE.toml", conflicts_with = "settings")]
    pool: Option<PathBuf>,
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    settings: SettingsFile,
    /// Save the results as the expected ones, and print what that changes.
    #[arg(long)]
    bless: bool,
    /// With --bless, also save traps and exceeded limits as the expected results.
    #[arg(long, requires = "bless")]
    bless_traps: bool,
    /// Run only the case with this name; may be repeated.
    #[arg(long, value_name = "NAME")]
    case: Vec<String>,
    /// Print a JSON object for each case: result, differences, item, fuel, memory,
    /// time, log.
    #[arg(long)]
    json: bool,
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        let below = self.folder.join("cases");
        let folder = if below.is_dir() { &below } else { &self.folder };
        let mut cases = cases::read(folder, self.bless)?;
        if let Some(unknown) = self
            .case
            .iter()
            .find(|name| cases.iter().all(|case| case.name != **name))
        {
            bail!("there is no case {unknown} in {}", folder.display());
        }
        cases.retain(|case| self.case.is_empty() || self.case.contains(&case.name));
        let subject = self.subject()?;
        for case in &mut cases {
            if let Some(settings) = case.settings.take() {
                let settings = settings.for_plugin(subject.plugin.name());
                case.settings = Some(settings.with_context(|| case.name.clone())?);
            }
        }

        let (mut passed, mut blessed, mut failed) = (0, 0, 0);
        for case in &cases {
            let trial = subject.map(case);
            let differences = case.differences(&trial.answer);
            let result = if differences.is_empty() {
                passed += 1;
                "passed"
            } else if self.bless && (self.bless_traps || !trial.was_stopped()) {
                case.bless(&trial.answer)?;
                blessed += 1;
                "blessed"
            } else {
                failed += 1;
                "failed"
            };
            if self.json {
                let mut line = trial.to_json();
                line.insert("case".to_owned(), json!(case.name));
                line.insert("result".to_owned(), json!(result));
                line.insert("differences".to_owned(), json!(differences));
                out::json(Value::from(line))?;
            } else {
                print(case, result, &differences, &trial)?;
            }
        }
        let blessed = if self.bless {
            format!("{blessed} blessed, ")
        } else {
            String::new()
        };
        say!(
            "{passed} passed, {blessed}{failed} failed: {}",
            subject.name
        );
        Ok(Exit::of(failed == 0))
    }

    fn subject(&self) -> anyhow::Result<Subject> {
        let plugins = Plugins::builtin()?;
        if let Some(file) = &self.pool {
            return block_on(pool(file, &plugins));
        }
        let limits = block_on(self.config.host())?.publish;
        let component = match &self.component {
            Some(component) => component.clone(),
            None => beside(&self.folder)?,
        };
        Ok(Subject {
            name: component.display().to_string(),
            plugin: Arc::new(block_on(compile(plugins.loader(), limits, &component))?),
            settings: self.settings.read()?,
            limits: Limits::default(),
            pool: None,
        })
    }
}

/// The path to which `plugin build` writes the component.
fn beside(folder: &Path) -> anyhow::Result<PathBuf> {
    let whole = folder.canonicalize();
    let whole = whole.with_context(|| folder.display().to_string())?;
    let name = whole.file_name().unwrap_or_default();
    let component = folder.join(name).with_extension("wasm");
    if !component.exists() {
        bail!(
            "{} does not exist. `poolhook plugin build` creates it; `--component` names another file",
            component.display()
        );
    }
    Ok(component)
}

/// The plugin under test, and its settings.
struct Subject {
    name: String,
    plugin: Arc<Plugin>,
    settings: Settings,
    limits: Limits,
    /// The pool whose config demands the item's key.
    pool: Option<Arc<PoolConfig>>,
}

impl Subject {
    fn map(&self, case: &Case) -> Trial {
        Trial::run(
            &self.plugin,
            &case.event,
            trial::received(),
            case.settings.as_ref().unwrap_or(&self.settings),
            &self.limits,
            |item| self.check_key(&case.event, item),
        )
    }

    fn check_key(&self, event: &PostConfirmation, item: &Item) -> Result<(), ItemError> {
        let Some(pool) = &self.pool else {
            return Ok(());
        };
        pool.check_key(item, event)
    }
}

/// Reads the pool as the trigger would, with the `defaults.toml` in the same folder.
async fn pool(file: &Path, plugins: &Plugins) -> anyhow::Result<Subject> {
    let name = file.display().to_string();
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let id = UserPoolId::parse(&stem)
        .with_context(|| format!("{name} is not named after a user pool"))?;
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    let folder = Dir::open(folder.unwrap_or(Path::new(".")))?;
    let pool = Pools::open(Arc::new(folder)).await?.get(&id).await?;
    let plugin = plugins.get(&pool.plugin).await.with_context(|| {
        format!("{name}: to test a published plugin, use `--component FILE.wasm`")
    })?;
    Ok(Subject {
        name,
        plugin,
        settings: pool.settings.clone(),
        limits: pool.limits.clone(),
        pool: Some(pool),
    })
}

fn print(case: &Case, result: &str, differences: &[Difference], trial: &Trial) -> io::Result<()> {
    out::text(format!("{result:7} {}: {}", case.name, trial.cost))?;
    for Difference {
        what,
        expected,
        got,
    } in differences
    {
        let nothing = "nothing";
        out::text(format!("        {}", shown(what)))?;
        let expected = shown(expected.as_deref().unwrap_or(nothing));
        let got = shown(got.as_deref().unwrap_or(nothing));
        out::text(format!("          expected {expected}"))?;
        out::text(format!("          got      {got}"))?;
    }
    if result != "passed" {
        for line in &trial.log {
            let message = shown(&line.message);
            out::text(format!("        log: {:?}: {message}", line.level))?;
        }
    }
    Ok(())
}
