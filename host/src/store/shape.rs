//! What a table demands of its items: the keys of the table and of its indexes.

use crate::config::{PoolConfig, Table};
use crate::item::{AttributeValue, Item};
use crate::text::shown;

/// A table's keys, as DynamoDB describes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The table's own key.
    pub key: KeySchema,
    /// The indexes' keys, by the indexes' names.
    pub(crate) indexes: Vec<(String, KeySchema)>,
}

/// The attributes of a key, with their types: `S`, `N` or `B`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySchema {
    /// The partition key.
    pub partition: (String, String),
    /// The sort key.
    pub sort: Option<(String, String)>,
}

impl Shape {
    /// What does not fit between a pool's config and its table, and between an item of its
    /// plugin's and the table's indexes.
    pub fn mistakes(&self, config: &PoolConfig, item: Option<&Item>) -> Vec<String> {
        let mut mistakes = self.of_the_key(&config.table, config.sort_equals.is_some());
        let Some(item) = item.filter(|_| mistakes.is_empty()) else {
            return mistakes;
        };
        let table = &config.table.name;
        if let Some((name, kind)) = &self.key.sort
            && let Some(value) = item.attributes().get(name)
            && type_of(value) != kind
        {
            mistakes.push(format!(
                "the sort key `{}` of the table {table} is of type {kind}, but the sample item has it as {}",
                shown(name),
                type_of(value)
            ));
        }
        for (index, key) in &self.indexes {
            for (name, kind) in [Some(&key.partition), key.sort.as_ref()]
                .into_iter()
                .flatten()
            {
                // An item without the attribute is just not in the index.
                let Some(value) = item.attributes().get(name) else {
                    continue;
                };
                let wrong = if type_of(value) != kind {
                    format!(
                        "is of type {kind}, but the sample item has it as {}",
                        type_of(value)
                    )
                } else if is_empty(value) {
                    "must not be empty, as it is in the sample item".to_owned()
                } else {
                    continue;
                };
                mistakes.push(format!(
                    "the key `{}` of the index {} {wrong}: every write would be refused",
                    shown(name),
                    shown(index)
                ));
            }
        }
        mistakes
    }

    fn of_the_key(&self, table: &Table, sort_is_text: bool) -> Vec<String> {
        let name = &table.name;
        let mut mistakes = Vec::new();
        let (partition, kind) = &self.key.partition;
        if *partition != table.partition_key {
            mistakes.push(format!(
                "the partition key of the table {name} is `{}`, and `key.attribute` is `{}`",
                shown(partition),
                shown(&table.partition_key)
            ));
        } else if kind != "S" {
            mistakes.push(format!(
                "the partition key `{}` of the table {name} is of type {kind}; poolhook needs one of type S",
                shown(partition)
            ));
        }
        match (&self.key.sort, &table.sort_key) {
            (Some((sort, _)), None) => mistakes.push(format!(
                "the table {name} has the sort key `{}`: set `key.sort.attribute = \"{}\"`, and `key.sort.equals` if it is the same for each user",
                shown(sort),
                shown(sort)
            )),
            (None, Some(_)) => mistakes.push(format!(
                "the table {name} has no sort key: remove `key.sort`"
            )),
            (Some((sort, _)), Some(configured)) if sort != configured => mistakes.push(format!(
                "the sort key of the table {name} is `{}`, and `key.sort.attribute` is `{}`",
                shown(sort),
                shown(configured)
            )),
            (Some((sort, kind)), Some(_)) if sort_is_text && kind != "S" => {
                mistakes.push(format!(
                    "the sort key `{}` of the table {name} is of type {kind}, and `key.sort.equals` is text: remove it, and let the plugin choose",
                    shown(sort)
                ));
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
        mistakes
    }
}

fn type_of(value: &AttributeValue) -> &'static str {
    match value {
        AttributeValue::S(_) => "S",
        AttributeValue::N(_) => "N",
        AttributeValue::B(_) => "B",
        AttributeValue::Bool(_) => "BOOL",
        AttributeValue::Null => "NULL",
        AttributeValue::Ss(_) => "SS",
        AttributeValue::Ns(_) => "NS",
        AttributeValue::Bs(_) => "BS",
        AttributeValue::L(_) => "L",
        AttributeValue::M(_) => "M",
    }
}

fn is_empty(value: &AttributeValue) -> bool {
    match value {
        AttributeValue::S(text) => text.is_empty(),
        AttributeValue::B(bytes) => bytes.is_empty(),
        _ => false,
    }
}
