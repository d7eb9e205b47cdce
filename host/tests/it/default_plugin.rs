//! The default plugin's behaviour: the same for the committed component and for one built
//! from its source, which `POOLHOOK_REBUILT_DEFAULT` names in CI.

use std::{env, fs};

use poolhook::host::{Outcome, Skip};
use poolhook::plugins::Plugins;
use serde_json::{Value, json};

use crate::hostile::{default_plugin, plugin_name};
use crate::support::{TestFolder, event, event_names, handle};

#[test]
fn built_in() {
    conforms(|| Plugins::builtin().unwrap());
}

#[test]
fn committed() {
    conforms(|| compiled(&fs::read(default_plugin()).unwrap()));
}

#[test]
#[ignore = "needs POOLHOOK_REBUILT_DEFAULT, a component of `poolhook plugin build plugins/default`: .ci/run builds it"]
fn rebuilt() {
    let file =
        env::var_os("POOLHOOK_REBUILT_DEFAULT").expect("POOLHOOK_REBUILT_DEFAULT is not set");
    conforms(|| compiled(&fs::read(&file).unwrap()));
}

/// Plugins with this component in place of every other.
pub(crate) fn compiled(component: &[u8]) -> Plugins {
    let mut plugins = Plugins::builtin().unwrap();
    let name = plugin_name("under-test");
    let plugin = plugins.loader().compile(name, component).unwrap();
    plugins.use_for_all(plugin);
    plugins
}

/// Maps every sample event to `<id, email>`, or to the reason for a skip.
fn conforms(plugins: impl Fn() -> Plugins) {
    for name in event_names() {
        // A folder for each event: most events are of the same user.
        let folder = TestFolder::with_sample_pools();
        let raw = event(&name);
        let report = handle(&folder.host_with(plugins()), &raw);
        let outcome = report
            .outcome
            .unwrap_or_else(|failure| panic!("{name}: {failure}"));
        match name.as_str() {
            "forgot-password" => assert_eq!(outcome, Outcome::Skipped(Skip::TriggerSource)),
            "phone-only" | "email-empty" => {
                let reason = "the user has no email".to_owned();
                assert_eq!(outcome, Outcome::Skipped(Skip::Plugin { reason }));
            }
            _ => {
                assert_eq!(outcome, Outcome::Written, "{name}");
                let event: Value = serde_json::from_slice(&raw).unwrap();
                let id = &event["userName"];
                let email = &event["request"]["userAttributes"]["email"];
                let expected = json!({ "id": { "S": id }, "email": { "S": email } });
                let item = serde_json::to_value(report.trace.item).unwrap();
                assert_eq!(item, expected, "{name}");
            }
        }
    }
}
