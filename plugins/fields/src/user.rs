//! The user, as expressions see it.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object};

use crate::exports::poolhook::mapper::mapping::User;
use crate::poolhook::mapper::types::Attribute;

/// The fields of `user` that expressions can read.
pub(crate) const FIELDS: [&str; 9] = [
    "name",
    "attributes",
    "client_metadata",
    "client_id",
    "pool_id",
    "region",
    "trigger_source",
    "time",
    "time_ms",
];

/// The variable `user`, the only input of an expression.
pub(crate) fn value(user: User) -> Value {
    Value::from_object(Context {
        user: Value::from_object(Wrapped {
            attributes: Value::from_object(Texts(user.user_attributes)),
            client_metadata: Value::from_object(Texts(user.client_metadata)),
            name: user.user_name.into(),
            client_id: user.client_id.map_or(Value::UNDEFINED, Value::from),
            pool_id: user.user_pool_id.into(),
            region: user.region.into(),
            trigger_source: user.trigger_source.into(),
            time: user.time.into(),
            time_ms: user.time_ms.into(),
        }),
    })
}

#[derive(Debug)]
struct Context {
    user: Value,
}

impl Object for Context {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        (key == "user").then(|| self.user.clone())
    }
}

#[derive(Debug)]
struct Wrapped {
    name: Value,
    attributes: Value,
    client_metadata: Value,
    client_id: Value,
    pool_id: Value,
    region: Value,
    trigger_source: Value,
    time: Value,
    time_ms: Value,
}

impl Object for Wrapped {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let value = match key {
            "name" => &self.name,
            "attributes" => &self.attributes,
            "client_metadata" => &self.client_metadata,
            "client_id" => &self.client_id,
            "pool_id" => &self.pool_id,
            "region" => &self.region,
            "trigger_source" => &self.trigger_source,
            "time" => &self.time,
            "time_ms" => &self.time_ms,
            _ => return None,
        };
        Some(value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&FIELDS)
    }
}

/// Names and their values, sorted by name.
#[derive(Debug)]
struct Texts(Vec<Attribute>);

impl Object for Texts {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let at = self.0.binary_search_by(|text| text.name.as_str().cmp(key));
        let found = at.ok().and_then(|at| self.0.get(at));
        found.map(|text| text.value.as_str().into())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names = self.0.iter().map(|text| text.name.as_str().into());
        Enumerator::Values(names.collect())
    }
}
