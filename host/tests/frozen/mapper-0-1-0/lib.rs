//! What the frozen component was built from: a plugin that reads every field of
//! the user, returns every case of the outcome and of the value, and logs at every
//! level. It is not built any more; see README.md.

use exports::poolhook::mapper::mapping::{Guest, Outcome, User};
use poolhook::mapper::logging::{Level, log};
use poolhook::mapper::types::{Attribute, Field, Value};

wit_bindgen::generate!({ path: "wit", world: "mapper" });

struct Frozen;

export!(Frozen);

impl Guest for Frozen {
    fn to_item(user: User, settings: String) -> Result<Outcome, String> {
        for level in [Level::Debug, Level::Info, Level::Warn, Level::Error] {
            log(level, "a line");
        }
        match user.client_metadata.iter().find(|entry| entry.name == "do") {
            Some(entry) if entry.value == "skip" => return Ok(Outcome::Skip("told to".into())),
            Some(entry) if entry.value == "fail" => return Err("told to".into()),
            _ => {}
        }
        let texts = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect();
        Ok(Outcome::Put(vec![
            field("id", Value::S(user.user_name)),
            field("userPoolId", Value::S(user.user_pool_id)),
            field("region", Value::S(user.region)),
            field("clientId", user.client_id.map_or(Value::Null, Value::S)),
            field("triggerSource", Value::S(user.trigger_source)),
            field("userAttributes", Value::Ss(pairs(user.user_attributes))),
            field(
                "clientMetadata",
                Value::Json(array(&pairs(user.client_metadata))),
            ),
            field("time", Value::S(user.time)),
            field("timeMs", Value::N(user.time_ms.to_string())),
            field("settings", Value::S(settings)),
            field(
                "n",
                Value::N("-12345678901234567890.123456789012345678".into()),
            ),
            field("b", Value::B(vec![0, 127, 128, 255])),
            field("boolean", Value::Boolean(true)),
            field("null", Value::Null),
            field("ss", Value::Ss(texts(&["b", "", "a"]))),
            field("ns", Value::Ns(texts(&["2", "1.50"]))),
            field("bs", Value::Bs(vec![vec![1], vec![], vec![255]])),
            field(
                "json",
                Value::Json(r#"{"m":{"l":[1,"s",true,null,[]]}}"#.into()),
            ),
        ]))
    }
}

fn field(name: &str, value: Value) -> Field {
    let name = name.into();
    Field { name, value }
}

fn pairs(attributes: Vec<Attribute>) -> Vec<String> {
    let pair = |attribute: Attribute| format!("{}={}", attribute.name, attribute.value);
    attributes.into_iter().map(pair).collect()
}

/// As JSON; what the cases hold needs no escapes.
fn array(texts: &[String]) -> String {
    let texts: Vec<_> = texts.iter().map(|text| format!("\"{text}\"")).collect();
    format!("[{}]", texts.join(","))
}
