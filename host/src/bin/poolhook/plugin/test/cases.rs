//! The cases of a folder: an event each, and what must come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use poolhook::config::Settings;
use poolhook::event::PostConfirmation;
use poolhook::item::{AttributeValue, Item};
use serde::Serialize;

use super::super::trial::Answer;

const EVENT: &str = "event.json";
const SETTINGS: &str = "settings.toml";
const ITEM: &str = "item.json";
const SKIP: &str = "skip.txt";
const ERROR: &str = "error.txt";

pub(super) struct Case {
    pub(super) name: String,
    folder: PathBuf,
    pub(super) event: PostConfirmation,
    /// Those of its own.
    pub(super) settings: Option<Settings>,
    /// None only where it is to be blessed.
    expected: Option<Expected>,
}

enum Expected {
    Item(Item),
    /// For this reason, or for any.
    Skip(Option<String>),
    /// With this message, or with any.
    Error {
        name: String,
        message: Option<String>,
    },
}

/// Where an answer is not as expected.
#[derive(Serialize)]
pub(super) struct Difference {
    /// `outcome`, `reason`, `error`, `message`, or `item.` and an attribute's name.
    pub(super) what: String,
    /// None for an attribute that should not be there.
    pub(super) expected: Option<String>,
    /// None for an attribute that is not there.
    pub(super) got: Option<String>,
}

/// The cases in the folder, by name; all that is wrong with them is one error. Where
/// nothing is expected yet, that is wrong as well, unless `unwritten` is allowed.
pub(super) fn read(folder: &Path, unwritten: bool) -> anyhow::Result<Vec<Case>> {
    let mut folders = entries(folder)?;
    folders.retain(|_, path| path.is_dir());
    if !folders.values().any(|case| case.join(EVENT).exists()) {
        bail!(
            "no case found in {}: a case is a folder with {EVENT} and one of {ITEM}, {SKIP} and {ERROR}",
            folder.display()
        );
    }
    let mut problems = Vec::new();
    let mut cases = Vec::new();
    for (name, folder) in folders {
        match Case::read(name, folder, unwritten) {
            Ok(case) => cases.push(case),
            Err(problem) => problems.push(format!("{problem:#}")),
        }
    }
    if !problems.is_empty() {
        bail!("{}", problems.join("\n       "));
    }
    Ok(cases)
}

/// What is in a folder, by name, without what is hidden.
fn entries(folder: &Path) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let context = || folder.display().to_string();
    let mut entries = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        let entry = entry.with_context(context)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            entries.insert(name, entry.path());
        }
    }
    Ok(entries)
}

impl Case {
    fn read(name: String, folder: PathBuf, unwritten: bool) -> anyhow::Result<Self> {
        let place = folder.display();
        let Some(event) = read_file(&folder, EVENT)? else {
            bail!("{place} has no {EVENT}");
        };
        let known = [EVENT, SETTINGS, ITEM, SKIP, ERROR];
        let mut files = entries(&folder)?.into_keys();
        if let Some(stray) = files.find(|file| !known.contains(&file.as_str())) {
            bail!(
                "{place} has {stray}; a case has no files but {}",
                known.join(", ")
            );
        }
        let event = PostConfirmation::parse(event.as_bytes());
        let event = event.with_context(|| format!("{place}/{EVENT}"))?;
        let settings = read_file(&folder, SETTINGS)?;
        let settings = settings.as_deref().map(Settings::from_toml).transpose();
        let settings = settings.with_context(|| format!("{place}/{SETTINGS}"))?;

        let mut expected = Vec::new();
        for file in [ITEM, SKIP, ERROR] {
            if let Some(text) = read_file(&folder, file)? {
                let read = Expected::read(file, &text);
                expected.push(read.with_context(|| format!("{place}/{file}"))?);
            }
        }
        if expected.len() > 1 {
            bail!("{place} expects more than one thing: keep one of {ITEM}, {SKIP} and {ERROR}");
        }
        let expected = expected.pop();
        if expected.is_none() && !unwritten {
            bail!(
                "{place} has none of {ITEM}, {SKIP} and {ERROR}; `--bless` writes what comes out"
            );
        }
        Ok(Self {
            name,
            folder,
            event,
            settings,
            expected,
        })
    }

    /// Where the answer is another one; nowhere if it is as expected.
    pub(super) fn differences(&self, answer: &Answer) -> Vec<Difference> {
        match &self.expected {
            Some(expected) => expected.differences(answer),
            None => vec![Difference::of_outcome(None, answer)],
        }
    }

    /// Writes what came out as what is expected.
    pub(super) fn bless(&self, answer: &Answer) -> anyhow::Result<()> {
        let (file, text) = match answer {
            Answer::Item(item) => (ITEM, serde_json::to_string_pretty(item)? + "\n"),
            Answer::Skip(reason) => (SKIP, format!("{reason}\n")),
            // The plugin's own words; the host's are no part of what it promises.
            Answer::Failed(name @ "Plugin.Refused", text) => (ERROR, format!("{name}\n{text}\n")),
            Answer::Failed(name, _) => (ERROR, format!("{name}\n")),
        };
        let path = self.folder.join(file);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        for other in [ITEM, SKIP, ERROR].iter().filter(|other| **other != file) {
            let path = self.folder.join(other);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).context(path.display().to_string());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn read_file(folder: &Path, file: &str) -> anyhow::Result<Option<String>> {
    let path = folder.join(file);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

impl Expected {
    fn read(file: &str, text: &str) -> anyhow::Result<Self> {
        match file {
            ITEM => return Ok(Self::Item(serde_json::from_str(text)?)),
            SKIP => return Ok(Self::Skip(words(text))),
            _ => {}
        }
        let (name, message) = text.split_once('\n').unwrap_or((text, ""));
        let name = name.trim().to_owned();
        if name.is_empty() {
            bail!("its first line must be an error's name, such as Plugin.Refused");
        }
        let message = words(message);
        Ok(Self::Error { name, message })
    }

    fn differences(&self, answer: &Answer) -> Vec<Difference> {
        match (self, answer) {
            (Self::Item(expected), Answer::Item(got)) => items(expected, got),
            (Self::Skip(expected), Answer::Skip(got)) => text("reason", expected.as_ref(), got),
            (Self::Error { name, message }, Answer::Failed(got, got_message)) => {
                let mut differences = text("error", Some(name), got);
                differences.extend(text("message", message.as_ref(), got_message));
                differences
            }
            _ => vec![Difference::of_outcome(Some(self.outcome()), answer)],
        }
    }

    fn outcome(&self) -> String {
        let with = |words: &Option<String>| {
            let words = words.as_ref();
            words.map(|words| format!(": {words}")).unwrap_or_default()
        };
        match self {
            Self::Item(_) => "an item".to_owned(),
            Self::Skip(reason) => format!("skipped{}", with(reason)),
            Self::Error { name, message } => format!("{name}{}", with(message)),
        }
    }
}

impl Difference {
    fn of_outcome(expected: Option<String>, answer: &Answer) -> Self {
        let got = match answer {
            Answer::Item(item) => {
                let item = serde_json::to_string(item).unwrap_or_default();
                format!("the item {item}")
            }
            Answer::Skip(reason) => format!("skipped: {reason}"),
            Answer::Failed(name, text) => format!("{name}: {text}"),
        };
        Self {
            what: "outcome".to_owned(),
            expected,
            got: Some(got),
        }
    }
}

/// A text without its last line's end; none if it is empty.
fn words(text: &str) -> Option<String> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    (!text.is_empty()).then(|| text.to_owned())
}

fn text(what: &str, expected: Option<&String>, got: &str) -> Vec<Difference> {
    let other = expected.filter(|expected| expected.as_str() != got);
    let difference = other.map(|expected| Difference {
        what: what.to_owned(),
        expected: Some(expected.clone()),
        got: Some(got.to_owned()),
    });
    difference.into_iter().collect()
}

/// The attributes that differ. Sets have no order, and numbers are equal by value.
fn items(expected: &Item, got: &Item) -> Vec<Difference> {
    let (expected, got) = (expected.attributes(), got.attributes());
    let names: BTreeSet<_> = expected.keys().chain(got.keys()).collect();
    let differing = names.into_iter().filter_map(|name| {
        let (expected, got) = (expected.get(name), got.get(name));
        let same = expected
            .zip(got)
            .is_some_and(|(one, other)| one.is_same(other));
        let json = |value: &AttributeValue| serde_json::to_string(value).unwrap_or_default();
        (!same).then(|| Difference {
            what: format!("item.{name}"),
            expected: expected.map(json),
            got: got.map(json),
        })
    });
    differing.collect()
}
