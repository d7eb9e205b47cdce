//! A pool's settings from before a change, in a file.

use std::fs::{self, DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use poolhook::cognito::pools::Document;
use poolhook::event::UserPoolId;
use poolhook::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use super::trigger::Trigger;

/// A snapshot's file. Both answers are as Cognito sent them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Snapshot {
    /// The command that was about to change the pool, such as `attach`.
    pub(crate) command: String,
    pub(crate) user_pool_id: String,
    /// The trigger's name in `LambdaConfig`.
    pub(crate) trigger: String,
    /// The ARN that the command sets; `None` if it removes one.
    pub(crate) function: Option<String>,
    /// The ARN that was at the trigger.
    pub(crate) replaced: Option<String>,
    pub(crate) time: Timestamp,
    describe_user_pool: DescribeUserPool,
    get_user_pool_mfa_config: Document,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeUserPool {
    user_pool: Document,
}

impl Snapshot {
    pub(crate) fn new(
        command: &str,
        pool: &UserPoolId,
        trigger: Trigger,
        function: Option<&str>,
        before: &Settings,
    ) -> Self {
        Self {
            command: command.to_owned(),
            user_pool_id: pool.as_str().to_owned(),
            trigger: trigger.0.to_owned(),
            function: function.map(str::to_owned),
            replaced: trigger.function(&before.pool).map(str::to_owned),
            time: SystemTime::now().into(),
            describe_user_pool: DescribeUserPool {
                user_pool: before.pool.clone(),
            },
            get_user_pool_mfa_config: before.mfa.clone(),
        }
    }

    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let context = || file.display().to_string();
        let bytes = fs::read(file).with_context(context)?;
        serde_json::from_slice(&bytes)
            .context("this is not a snapshot of `poolhook pools`")
            .with_context(context)
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            pool: self.describe_user_pool.user_pool.clone(),
            mfa: self.get_user_pool_mfa_config.clone(),
        }
    }

    /// Writes a file of its own, which only the owner may read: a pool's settings can
    /// name what others should not know. When it has its name, it is on the disk.
    pub(crate) fn write(&self, folder: &Path) -> std::io::Result<PathBuf> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        file.write_all(&text)?;
        file.as_file().sync_all()?;
        let time: String = String::from(self.time)
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let mut number = 1;
        loop {
            let again = if number == 1 {
                String::new()
            } else {
                format!("-{number}")
            };
            let name = format!("{}.{time}.{}{again}.json", self.user_pool_id, self.command);
            let path = folder.join(name);
            match file.persist_noclobber(&path) {
                Ok(_) => {
                    File::open(folder)?.sync_all()?;
                    return Ok(path);
                }
                Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
                    file = error.file;
                    number += 1;
                }
                Err(error) => return Err(error.error),
            }
        }
    }

    /// The last attachment of a function to a pool's trigger; `None` if this folder has
    /// none. Files that are not snapshots are passed over.
    pub(crate) fn last_attachment(
        folder: &Path,
        pool: &UserPoolId,
        trigger: Trigger,
        is_function: impl Fn(&str) -> bool,
    ) -> std::io::Result<Option<Self>> {
        let files = match fs::read_dir(folder) {
            Ok(files) => files,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut last: Option<Self> = None;
        for file in files {
            let path = file?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !name.starts_with(pool.as_str()) || path.extension().is_none_or(|it| it != "json") {
                continue;
            }
            let Ok(snapshot) = Self::read(&path) else {
                continue;
            };
            // An attachment that moved a function to another alias has replaced nothing.
            let replaced_other = snapshot
                .replaced
                .as_deref()
                .is_none_or(|arn| !is_function(arn));
            let is_attachment = snapshot.command == "attach"
                && snapshot.user_pool_id == pool.as_str()
                && snapshot.trigger == trigger.0
                && snapshot.function.as_deref().is_some_and(&is_function)
                && replaced_other;
            if is_attachment && last.as_ref().is_none_or(|last| last.time < snapshot.time) {
                last = Some(snapshot);
            }
        }
        Ok(last)
    }
}
