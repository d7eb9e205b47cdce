//! Random expressions through the check and through the sandbox.

use std::env;
use std::time::SystemTime;

use poolhook::config::{Limits, Settings};
use poolhook::event::PostConfirmation;
use poolhook::plugin::{Mapping, PluginError};
use poolhook::plugins::Plugins;
use serde_json::json;

use crate::hostile::plugin_name;
use crate::support::{block_on, event};

#[path = "../../../plugins/expressions/tests/it/random.rs"]
mod expressions;

/// How many expressions are tried; `POOLHOOK_RANDOM_EXPRESSIONS` is another number.
const EXPRESSIONS: u64 = 100_000;

/// No expression that the check accepts traps or reaches a limit, fails for its types, or
/// writes a word of the evaluator's into an item.
#[test]
fn what_the_check_accepts_runs() {
    let count = env::var("POOLHOOK_RANDOM_EXPRESSIONS").ok();
    let count = count.map_or(EXPRESSIONS, |count| count.parse().unwrap());
    let plugins = Plugins::builtin().unwrap();
    let fields = plugin_name("fields");
    let plugin = block_on(plugins.get(&fields.clone().into())).unwrap();
    let users: Vec<_> = [
        "custom-attributes",
        "federated",
        "phone-only",
        "client-metadata",
    ]
    .map(|name| PostConfirmation::parse(&event(name)).unwrap())
    .into();
    let (mut accepted, mut put) = (0, 0);
    for seed in 0..count {
        let expression = expressions::Random::new(seed).expression(4);
        let expression = match seed % 6 {
            0 => format!("({expression}) | optional"),
            1 => format!("({expression}) | omitempty"),
            2 => format!("({expression}) | default('none')"),
            _ => expression,
        };
        let settings = json!({ "item": { "x": expression } }).to_string();
        let settings = Settings::from_json(settings.as_bytes()).unwrap();
        let Ok(settings) = settings.for_plugin(&fields) else {
            continue;
        };
        accepted += 1;
        // What a JSON document holds has no type before it is read.
        let is_typed = !expression.contains("json");
        let user = &users[usize::try_from(seed).unwrap() % users.len()];
        let run = plugin.run(user, SystemTime::UNIX_EPOCH, &settings, &Limits::default());
        match run.mapping {
            Ok(Mapping::Put(fields)) => {
                put += 1;
                let item = fields.into_item();
                let item = item.map(|item| serde_json::to_string(&item).unwrap());
                let item = item.unwrap_or_else(|error| error.to_string());
                for word in ["LeftOut", "Missing", "ndefined", "Borrowed", "Integer"] {
                    assert!(!item.contains(word), "{expression}: {item}");
                }
            }
            Ok(Mapping::Skip(reason)) => panic!("{expression}: {reason}"),
            Err(PluginError::Refused { message }) => {
                let of_types = [
                    " takes ",
                    "cannot take",
                    "this is not a program",
                    "names are texts",
                ];
                let is_of_types = of_types.iter().any(|part| message.contains(part));
                assert!(!is_typed || !is_of_types, "{expression}: {message}");
            }
            Err(error) => panic!("{expression}: {error}"),
        }
    }
    assert!(
        accepted > count / 10 && put > count / 20,
        "{accepted} {put}"
    );
}
