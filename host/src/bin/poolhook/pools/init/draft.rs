//! The text of a new pool's file.

use std::collections::BTreeSet;

use anyhow::bail;
use poolhook::cognito::pools::Document;
use poolhook::config::{ConfigError, Defaults, PoolConfig, TableName};
use poolhook::event::UserPoolId;
use poolhook::store::KeySchema;
use poolhook::text::{printable_json, shown};
use serde_json::Value;

use super::attribute::{self, Attribute, quoted};

/// The sort key of all users, in a table whose sort key tells kinds of rows apart.
const SORT: &str = "PROFILE";

/// Before the attributes that are comments.
const OTHERS: &str =
    "# The pool's other attributes. Remove the # of those that the item should have.";

/// A pool's file, before it is written.
pub(super) struct Draft {
    pub(super) pool: UserPoolId,
    /// Whether the keys hold the pool's id.
    pub(super) names_the_pool: bool,
    /// The pool's name; empty if it is not known.
    name: String,
    inherited: PoolConfig,
    /// The table's key.
    key: KeySchema,
    attributes: Vec<Attribute>,
}

/// A line of `[settings.item]`: an attribute's name and expression.
struct Line {
    name: String,
    expression: String,
    active: bool,
}

/// What gives the sort key its value.
enum Sort<'a> {
    /// The template that it must equal.
    Equals(String),
    Attribute(&'a Attribute),
    /// The same for every user, as a user has one row.
    Constant(&'static str),
}

impl Draft {
    /// A pool with the standard attributes, and a table with the key that its file inherits.
    pub(super) fn offline(pool: &UserPoolId, inherited: PoolConfig) -> anyhow::Result<Self> {
        let text = |name: &String| (name.clone(), "S".to_owned());
        let key = KeySchema {
            partition: text(&inherited.table.partition_key),
            sort: inherited.table.sort_key.as_ref().map(text),
        };
        Self::new(pool, String::new(), inherited, key, attribute::standard())
    }

    /// A pool as Cognito describes it, and a table with this key.
    pub(super) fn of_pool(
        pool: &UserPoolId,
        described: &Document,
        inherited: PoolConfig,
        key: KeySchema,
    ) -> anyhow::Result<Self> {
        let name = described.get("Name").and_then(Value::as_str);
        let name = name.unwrap_or_default().to_owned();
        let attributes = attribute::of_pool(described)?;
        Self::new(pool, name, inherited, key, attributes)
    }

    /// A table that the pool's file cannot describe is an error.
    fn new(
        pool: &UserPoolId,
        name: String,
        inherited: PoolConfig,
        key: KeySchema,
        attributes: Vec<Attribute>,
    ) -> anyhow::Result<Self> {
        let table = &inherited.table.name;
        let (partition, kind) = &key.partition;
        if kind != "S" {
            bail!(
                "the partition key `{}` of the table {table} is of type {kind}, and poolhook needs one of type S. Pass another --table",
                shown(partition)
            );
        }
        match &key.sort {
            None if inherited.table.sort_key.is_some() => bail!(
                "defaults.toml sets `key.sort`, and the table {table} has no sort key. Move `key.sort` to the files of the pools that need it"
            ),
            Some((sort, kind)) if kind != "S" && inherited.sort_equals.is_some() => bail!(
                "defaults.toml sets `key.sort.equals`, which is text, and the sort key `{}` of the table {table} is of type {kind}. Move `key.sort` to the files of the pools that need it",
                shown(sort)
            ),
            _ => {}
        }
        Ok(Self {
            pool: pool.clone(),
            names_the_pool: false,
            name,
            inherited,
            key,
            attributes,
        })
    }

    pub(super) fn table(&self) -> &TableName {
        &self.inherited.table.name
    }

    /// The config that the file makes.
    pub(super) fn config(&self, defaults: &Defaults) -> Result<PoolConfig, ConfigError> {
        PoolConfig::parse(
            &self.pool,
            defaults,
            &format!("{}.toml", self.pool),
            &self.text(),
        )
    }

    /// The file's text.
    pub(super) fn text(&self) -> String {
        let sections = [Some(self.head()), self.key(), self.sort_key()];
        let sections = sections.into_iter().flatten().chain([self.item()]);
        sections.collect::<Vec<_>>().join("\n")
    }

    fn head(&self) -> String {
        let Self { pool, name, .. } = self;
        let name = match name.as_str() {
            "" => format!("The user pool {pool}."),
            name => format!("The user pool {pool}, {}.", shown(name)),
        };
        let table = self.table();
        format!("#:schema ./schema.json\n# {name}\ntable = \"{table}\"\nplugin = \"fields\"\n")
    }

    /// The section `[key]`, if the file inherits another key.
    fn key(&self) -> Option<String> {
        let (partition, _) = &self.key.partition;
        let is_inherited = *partition == self.inherited.table.partition_key
            && self.equals() == self.inherited.key_equals.to_string();
        let (attribute, equals) = (toml_text(partition), toml_text(&self.equals()));
        (!is_inherited).then(|| format!("[key]\nattribute = {attribute}\nequals = {equals}\n"))
    }

    /// The section `[key.sort]`, if the file inherits another sort key.
    fn sort_key(&self) -> Option<String> {
        let (name, sort) = self.sort().filter(|_| !self.inherits_the_sort_key())?;
        let attribute = toml_text(name);
        Some(match sort {
            Sort::Equals(equals) => {
                let equals = toml_text(&equals);
                format!("[key.sort]\nattribute = {attribute}\nequals = {equals}\n")
            }
            Sort::Attribute(_) | Sort::Constant(_) => {
                format!("[key.sort]\nattribute = {attribute}\n")
            }
        })
    }

    fn item(&self) -> String {
        let (active, others): (Vec<_>, Vec<_>) =
            self.lines().into_iter().partition(|line| line.active);
        let active = aligned("", &active);
        if others.is_empty() {
            return format!("[settings.item]\n{active}");
        }
        let others = aligned("# ", &others);
        format!("[settings.item]\n{active}\n{OTHERS}\n{others}")
    }

    /// The item's lines: the key, the user's name, and the attributes.
    fn lines(&self) -> Vec<Line> {
        let active = |name: &str, expression: String| Line {
            name: name.to_owned(),
            expression,
            active: true,
        };
        let (partition, _) = &self.key.partition;
        let mut lines = vec![active(partition, of_template(&self.equals()))];
        let mut sort_attribute = None;
        if let (Some((name, sort)), Some((_, kind))) = (self.sort(), &self.key.sort) {
            let expression = match sort {
                Sort::Equals(equals) => of_template(&equals),
                Sort::Constant(expression) => expression.to_owned(),
                Sort::Attribute(attribute) => {
                    sort_attribute = Some(attribute);
                    attribute.key_expression(kind)
                }
            };
            lines.push(active(name, expression));
        }
        let mut taken: BTreeSet<_> = lines.iter().map(|line| line.name.clone()).collect();
        if taken.insert("id".to_owned()) {
            lines.push(active("id", "user.name".to_owned()));
        }
        for attribute in &self.attributes {
            if sort_attribute.is_some_and(|key| std::ptr::eq(key, attribute)) {
                continue;
            }
            let mut names = attribute.item_names().into_iter();
            // Cognito has no two attributes of one name, so one of these is free.
            let Some(name) = names.find(|name| !taken.contains(name)) else {
                continue;
            };
            taken.insert(name.clone());
            lines.push(Line {
                name,
                expression: attribute.expression(),
                active: attribute.is_active(),
            });
        }
        lines
    }

    /// The template that the partition key must equal.
    fn equals(&self) -> String {
        let equals = &self.inherited.key_equals;
        if self.names_the_pool && !equals.names_the_pool() {
            format!("{{userPoolId}}#{equals}")
        } else {
            equals.to_string()
        }
    }

    /// The sort key's name and value, if the table has one.
    fn sort(&self) -> Option<(&str, Sort<'_>)> {
        let (name, kind) = self.key.sort.as_ref()?;
        let mut attributes = self.attributes.iter();
        let own = attributes.find(|each| each.short_name() == name && each.fits(kind));
        let sort = match (&self.inherited.sort_equals, own, kind.as_str()) {
            (Some(equals), _, _) => Sort::Equals(equals.to_string()),
            (None, Some(attribute), _) => Sort::Attribute(attribute),
            (None, None, "S") => Sort::Equals(SORT.to_owned()),
            (None, None, "N") => Sort::Constant("0"),
            (None, None, _) => Sort::Constant("'UFJPRklMRQ==' | base64"),
        };
        Some((name, sort))
    }

    fn inherits_the_sort_key(&self) -> bool {
        let name = self.key.sort.as_ref().map(|(name, _)| name);
        name == self.inherited.table.sort_key.as_ref()
    }
}

/// The lines, each after this mark, with one column of equals signs.
fn aligned(mark: &str, lines: &[Line]) -> String {
    let keys = lines.iter().map(|line| toml_key(&line.name));
    let keys: Vec<_> = keys.collect();
    let width = keys.iter().map(|key| key.chars().count()).max();
    let width = width.unwrap_or_default();
    let line = |(key, line): (&String, &Line)| {
        let value = toml_text(&line.expression);
        format!("{mark}{key:width$} = {value}\n")
    };
    keys.iter().zip(lines).map(line).collect()
}

/// The expression that gives what a key's template says.
fn of_template(template: &str) -> String {
    let mut parts = Vec::new();
    let text = |text: &str| (!text.is_empty()).then(|| quoted(text));
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (placeholder, after) = after.split_once('}').unwrap_or((after, ""));
        parts.extend(text(before));
        parts.push(match placeholder {
            "userPoolId" => "user.pool_id".to_owned(),
            _ => "user.name".to_owned(),
        });
        rest = after;
    }
    parts.extend(text(rest));
    parts.join(" ~ ")
}

fn toml_key(name: &str) -> String {
    let is_bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !name.is_empty() && name.bytes().all(is_bare) {
        name.to_owned()
    } else {
        toml_text(name)
    }
}

/// A basic string. With its control characters escaped, a JSON string is one.
fn toml_text(text: &str) -> String {
    printable_json(&Value::from(text).to_string()).into_owned()
}
