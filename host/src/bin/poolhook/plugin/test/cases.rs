//! The cases in a folder: an event each, and the expected result.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use poolhook::config::Settings;
use poolhook::event::PostConfirmation;
use poolhook::item::Item;

use crate::difference::Difference;
use crate::trial::Answer;

const EVENT: &str = "event.json";
const SETTINGS: &str = "settings.toml";
const ITEM: &str = "item.json";
const SKIP: &str = "skip.txt";
const ERROR: &str = "error.txt";

pub(super) struct Case {
    pub(super) name: String,
    folder: PathBuf,
    pub(super) event: PostConfirmation,
    /// The case's own settings.
    pub(super) settings: Option<Settings>,
    /// `None` only if the case will be blessed.
    expected: Option<Expected>,
}

enum Expected {
    Item(Item),
    /// A skip for this reason, or for any.
    Skip(Option<String>),
    /// An error with this message, or with any.
    Error {
        name: String,
        message: Option<String>,
    },
}

/// Reads the cases in the folder, ordered by name, and reports all mistakes in one error. A
/// case without an expected result is a mistake, unless `unwritten` is set.
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

/// The entries of a folder by name, without hidden ones.
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
        let shown = folder.display();
        let Some(event) = read_file(&folder, EVENT)? else {
            bail!("{shown} has no {EVENT}");
        };
        let known = [EVENT, SETTINGS, ITEM, SKIP, ERROR];
        let mut files = entries(&folder)?.into_keys();
        if let Some(stray) = files.find(|file| !known.contains(&file.as_str())) {
            bail!(
                "{shown} has {stray}; a case may only have the files {}",
                known.join(", ")
            );
        }
        let event = PostConfirmation::parse(event.as_bytes());
        let event = event.with_context(|| format!("{shown}/{EVENT}"))?;
        let settings = read_file(&folder, SETTINGS)?;
        let settings = settings.as_deref().map(Settings::from_toml).transpose();
        let settings = settings.with_context(|| format!("{shown}/{SETTINGS}"))?;

        let mut expected = Vec::new();
        for file in [ITEM, SKIP, ERROR] {
            if let Some(text) = read_file(&folder, file)? {
                let read = Expected::read(file, &text);
                expected.push(read.with_context(|| format!("{shown}/{file}"))?);
            }
        }
        if expected.len() > 1 {
            bail!(
                "{shown} has more than one expected result; leave only one of {ITEM}, {SKIP} and {ERROR}"
            );
        }
        let expected = expected.pop();
        if expected.is_none() && !unwritten {
            bail!("{shown} has none of {ITEM}, {SKIP} and {ERROR}; `--bless` writes the result");
        }
        Ok(Self {
            name,
            folder,
            event,
            settings,
            expected,
        })
    }

    /// Compares the answer with the expected result; empty if they match.
    pub(super) fn differences(&self, answer: &Answer) -> Vec<Difference> {
        match &self.expected {
            Some(expected) => expected.differences(answer),
            None => vec![Difference::of_outcome(None, answer)],
        }
    }

    /// Writes the answer as the expected result.
    pub(super) fn bless(&self, answer: &Answer) -> anyhow::Result<()> {
        let (file, text) = match answer {
            Answer::Item(item) => (ITEM, serde_json::to_string_pretty(item)? + "\n"),
            Answer::Skip(reason) => (SKIP, format!("{reason}\n")),
            // The plugin's own message. The host's texts are not part of a plugin's contract.
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
            (Self::Item(expected), Answer::Item(got)) => Difference::of_items(expected, got),
            (Self::Skip(expected), Answer::Skip(got)) => {
                Difference::of_texts("reason", expected.as_ref(), got)
            }
            (Self::Error { name, message }, Answer::Failed(got, got_message)) => {
                let mut differences = Difference::of_texts("error", Some(name), got);
                differences.extend(Difference::of_texts(
                    "message",
                    message.as_ref(),
                    got_message,
                ));
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

/// A text without its final line break; `None` if it is empty.
fn words(text: &str) -> Option<String> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    (!text.is_empty()).then(|| text.to_owned())
}
