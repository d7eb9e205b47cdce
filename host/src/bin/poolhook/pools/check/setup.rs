//! The doctor's checks of a pool's config, plugin, users, table and dead letters.

use std::collections::BTreeMap;
use std::sync::Arc;

use poolhook::cognito::pools::Document;
use poolhook::config::{ConfigError, PluginName, PluginRef, PoolConfig, Table};
use poolhook::digest::Sha256;
use poolhook::event::UserPoolId;
use poolhook::host::Failure;
use poolhook::item::Item;
use poolhook::plugin::{ENGINE, Plugin};
use poolhook::releases::ReleaseError;
use poolhook::store::StoreError;
use poolhook::text::shown;

use super::Doctor;
use super::finding::Finding;
use super::users;
use crate::config::{Files, Sample, map_user, refusals, sample_item};
use crate::explain;
use crate::trial::Answer;

/// The check of the users with the fewest attributes.
const USERS: &str = "users";

impl Doctor {
    /// Checks the config and the plugin. Returns the config if it can be read, with the plugin
    /// and the item of the sample user if they are right.
    pub(super) async fn setup(
        &self,
        id: &UserPoolId,
        findings: &mut Vec<Finding>,
    ) -> Option<Setup> {
        let file = self.configs.address(id);
        let folder = self.configs.folder();
        let check = format!("poolhook config check {folder}");
        let config = match self.configs.get(id).await {
            Ok(config) => config,
            Err(failure) => {
                let fix = match &failure {
                    Failure::Config(ConfigError::UnknownPool { .. }) => {
                        format!("poolhook pools init {id} --config {folder}")
                    }
                    _ => check,
                };
                let text = explain::failure(&failure, &[]);
                findings.push(Finding::wrong("config", text, fix));
                return None;
            }
        };
        let plugin = self.plugins.get(&config.plugin).await;
        let tried = match &plugin {
            Ok(plugin) => Some(sample_item(&self.configs, plugin, id, &config).await),
            Err(_) => None,
        };
        findings.push(match (&tried, self.shared.get(id)) {
            (Some(Err(failure)), _) => {
                Finding::wrong("config", explain::failure(failure, &[]), check)
            }
            (_, Some(error)) => Finding::wrong("config", error.as_str(), check),
            (_, None) => Finding::ok("config", format!("{file} is right")),
        });
        findings.push(self.plugin(&config.plugin, plugin.as_ref()).await);
        Some(Setup {
            plugin: plugin.ok(),
            item: tried.and_then(Result::ok).flatten(),
            config,
        })
    }

    async fn plugin(&self, plugin: &PluginRef, got: Result<&Arc<Plugin>, &Failure>) -> Finding {
        const CHECK: &str = "plugin";
        let name = &plugin.name;
        let failure = match got.map(|plugin| plugin.component()) {
            Ok(None) => return Finding::ok(CHECK, format!("`{name}` is built in")),
            Ok(Some(digest)) => {
                let text = format!(
                    "the release sha256:{digest} of `{name}` is live and compiled for this version"
                );
                return Finding::ok(CHECK, text);
            }
            Err(failure) => failure,
        };
        let text = explain::failure(failure, &[]);
        let fix = match failure {
            // Without the bucket, only the built-in plugins are known.
            Failure::Config(ConfigError::UnknownPlugin { .. })
            | Failure::Blobs(_)
            | Failure::Release(ReleaseError::Blobs(_)) => {
                let text = format!("{text}. `--blobs` names the bucket of the releases");
                return Finding::not_checked(CHECK, text);
            }
            Failure::Release(ReleaseError::NoArtifact { sha256, .. })
                if self.is_compiled_elsewhere(name, *sha256).await =>
            {
                let text = format!(
                    "`{name}` is compiled for this version, but for another processor than this machine's. --send-test-event loads it on the function's"
                );
                return Finding::not_checked(CHECK, text);
            }
            Failure::Release(ReleaseError::NotReleased { .. }) => {
                format!("poolhook plugin publish FILE.wasm --name {name}")
            }
            Failure::Release(ReleaseError::NoSuchRelease { .. }) => {
                format!("poolhook plugin show {name}")
            }
            _ => "poolhook plugin rebuild".to_owned(),
        };
        let fix = format!("{fix} --blobs {}", self.blobs);
        Finding::wrong(CHECK, text, fix)
    }

    /// Whether a release is compiled for this version on another target.
    async fn is_compiled_elsewhere(&self, plugin: &PluginName, component: Sha256) -> bool {
        let Some(releases) = &self.releases else {
            return false;
        };
        let release = releases.release(plugin, component).await;
        release.is_ok_and(|release| {
            let mut artifacts = release.artifacts.iter();
            artifacts.any(|artifact| artifact.engine == ENGINE)
        })
    }

    /// Whether the attributes that a mapping of `fields` names can come, and whether it maps
    /// the users with the fewest attributes.
    pub(super) async fn users(
        &self,
        id: &UserPoolId,
        setup: &Setup,
        pool: &Document,
        findings: &mut Vec<Finding>,
    ) {
        let (Some(plugin), true) = (&setup.plugin, setup.config.plugin.evaluates()) else {
            return;
        };
        let looked = async {
            let files = Files::read(&self.configs, id).await?;
            let (mapping, _) = files.mapping()?;
            findings.extend(missing_attributes(id, &mapping.attributes(), pool));
            let users = users::least(pool);
            let config = &setup.config;
            let expressions = files.places(&mapping);
            let notes = refusals(plugin, id, config, &mapping, &expressions, &users)?;
            let refused = notes.iter().map(|note| {
                let (key, users, text) = (note.key(), note.users(), shown(note.text()));
                format!("`{key}` refuses a user with only {users}: {text}")
            });
            let mut refused: Vec<_> = refused.collect();
            if refused.is_empty() {
                let other = |user| refused_as_a_whole(plugin, id, config, user);
                refused.extend(users.iter().find_map(other));
            }
            let folder = self.configs.folder();
            let fix = format!("poolhook config try {id} --config {folder}");
            let wrong = refused
                .iter()
                .map(|text| Finding::wrong(USERS, text, fix.clone()));
            findings.extend(wrong);
            if refused.is_empty() {
                let text = "each user whom the pool lets sign up can be mapped";
                findings.push(Finding::ok(USERS, text));
            }
            Ok::<_, Failure>(())
        };
        if let Err(failure) = looked.await {
            let text = explain::failure(&failure, &[]);
            findings.push(Finding::not_checked(USERS, text));
        }
    }

    pub(super) async fn table(&self, id: &UserPoolId, setup: &Setup) -> Finding {
        let file = self.configs.address(id);
        let table = &setup.config.table;
        let (name, region) = (&table.name, &table.region);
        let mut tables = self.tables.lock().await;
        let checked = tables.check(&file, &setup.config, setup.item.as_ref());
        match checked.await {
            Ok(()) => Finding::ok(
                "table",
                format!("{name} in {region} has the keys of the config"),
            ),
            Err(failure @ Failure::Config(_)) => {
                let fix = format!("poolhook config check {} --dynamodb", self.configs.folder());
                Finding::wrong("table", explain::failure(&failure, &[]), fix)
            }
            Err(failure @ Failure::Store(StoreError::NoTable { .. })) => {
                Finding::wrong("table", failure.text(), create_table(table))
            }
            Err(failure) => Finding::not_checked("table", failure.text()),
        }
    }

    pub(super) fn dead_letters(&self, id: &UserPoolId) -> Finding {
        const CHECK: &str = "dead letters";
        match self.waiting.as_ref().map(|waiting| waiting.of(id)) {
            Ok(0) => Finding::ok(CHECK, "none waits"),
            Ok(n) => {
                let blobs = &self.blobs;
                let fix =
                    format!("poolhook dead-letters replay --pool {id} --dynamodb --blobs {blobs}");
                let text = format!(
                    "{n} wait. `poolhook dead-letters list --pool {id} --blobs {blobs}` shows why"
                );
                Finding::wrong(CHECK, text, fix)
            }
            Err(not_checked) => (CHECK, not_checked).into(),
        }
    }
}

/// A pool's config, and what is right with it.
pub(super) struct Setup {
    pub(super) config: Arc<PoolConfig>,
    plugin: Option<Arc<Plugin>>,
    /// The item of the sample user.
    item: Option<Item>,
}

/// The command that creates a table. A sort key is assumed to be a text.
fn create_table(table: &Table) -> String {
    let keys = [
        (Some(&table.partition_key), "HASH"),
        (table.sort_key.as_ref(), "RANGE"),
    ];
    let keys = keys
        .into_iter()
        .filter_map(|(key, kind)| Some((key?, kind)));
    let keys = keys.map(|(key, kind)| {
        let name = format!("AttributeName={}", shown(key));
        (
            format!("{name},AttributeType=S"),
            format!("{name},KeyType={kind}"),
        )
    });
    let (attributes, schema): (Vec<_>, Vec<_>) = keys.unzip();
    format!(
        "aws dynamodb create-table --region {} --table-name {} --billing-mode PAY_PER_REQUEST --attribute-definitions {} --key-schema {}",
        table.region,
        table.name,
        attributes.join(" "),
        schema.join(" ")
    )
}

/// Why a user is refused although each expression has a value, as where the item lacks its key.
fn refused_as_a_whole(
    plugin: &Plugin,
    id: &UserPoolId,
    config: &PoolConfig,
    user: &Sample,
) -> Option<String> {
    let event = user.event(id).ok()?;
    let Answer::Failed(name, text) = map_user(plugin, config, &event).answer else {
        return None;
    };
    let (kind, text) = (&user.kind, shown(&text));
    Some(format!(
        "a user with only {kind} is refused: {name}: {text}"
    ))
}

/// The custom attributes that a mapping names and the pool does not have.
fn missing_attributes(
    id: &UserPoolId,
    named: &BTreeMap<String, String>,
    pool: &Document,
) -> Vec<Finding> {
    let schema = users::schema(pool);
    let is_custom = |name: &str| name.starts_with("custom:") || name.starts_with("dev:");
    let missing = named
        .iter()
        .filter(|(name, _)| is_custom(name) && !schema.contains(name.as_str()));
    let mut findings: Vec<_> = missing
        .map(|(name, key)| {
            let own = name.trim_start_matches("dev:").trim_start_matches("custom:");
            let fix = format!(
                "aws cognito-idp add-custom-attributes --region {} --user-pool-id {id} --custom-attributes Name={},AttributeDataType=String",
                id.region(),
                shown(own)
            );
            let text = format!(
                "`settings.{key}` names `{}`, which the pool's schema does not have: no user can have it",
                shown(name)
            );
            Finding::wrong("attributes", text, fix)
        })
        .collect();
    if findings.is_empty() {
        let text = "the pool's schema has each custom attribute that the mapping names";
        findings.push(Finding::ok("attributes", text));
    }
    findings
}
