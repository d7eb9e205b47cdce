//! The attributes of a pool's users, and the expressions for them.

use anyhow::Context as _;
use poolhook::cognito::pools::Document;
use poolhook_expressions::compiler::STANDARD;
use serde_json::Value;

/// An attribute in a pool's schema.
pub(super) struct Attribute {
    /// Cognito's name, such as `email`, `custom:plan` or `dev:custom:plan`.
    name: String,
    kind: Kind,
    /// Whether every user who signs up has it.
    pub(super) required: bool,
}

/// What an attribute's text is. Cognito sends every attribute as text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Also of a `DateTime`, whose format is the app's.
    Text,
    Number,
    Boolean,
}

/// The attributes in a described pool's schema, in Cognito's order.
pub(super) fn of_pool(pool: &Document) -> anyhow::Result<Vec<Attribute>> {
    let schema = pool.get("SchemaAttributes").and_then(Value::as_array);
    let schema = schema.context("DescribeUserPool answered without SchemaAttributes")?;
    let attribute = |attribute: &Value| {
        Some(Attribute {
            name: attribute.get("Name")?.as_str()?.to_owned(),
            kind: match attribute.get("AttributeDataType").and_then(Value::as_str) {
                Some("Number") => Kind::Number,
                Some("Boolean") => Kind::Boolean,
                _ => Kind::Text,
            },
            required: attribute.get("Required") == Some(&Value::Bool(true)),
        })
    };
    Ok(schema.iter().filter_map(attribute).collect())
}

/// The attributes that every pool has.
pub(super) fn standard() -> Vec<Attribute> {
    let in_schema = |name: &&str| !name.starts_with("cognito:") && *name != "identities";
    let attribute = |name: &str| Attribute {
        name: name.to_owned(),
        kind: match name {
            "email_verified" | "phone_number_verified" => Kind::Boolean,
            "updated_at" => Kind::Number,
            _ => Kind::Text,
        },
        required: name == "sub",
    };
    STANDARD
        .into_iter()
        .filter(in_schema)
        .map(attribute)
        .collect()
}

impl Attribute {
    /// Whether the file has it as an active line: it is required, or the email.
    pub(super) fn is_active(&self) -> bool {
        self.required || self.name == "email"
    }

    /// The names that an item can have it under, the best one first.
    pub(super) fn item_names(&self) -> [String; 3] {
        let whole = self.name.replace(':', "_");
        let with_prefix = format!("user_{whole}");
        [self.short_name().to_owned(), whole, with_prefix]
    }

    /// Without `custom:` and `dev:`.
    pub(super) fn short_name(&self) -> &str {
        self.name
            .rsplit_once(':')
            .map_or(&self.name, |(_, name)| name)
    }

    /// Whether its value can be a key of this type in DynamoDB: `S`, `N` or `B`.
    pub(super) fn fits(&self, key_type: &str) -> bool {
        match key_type {
            "S" => true,
            "N" => self.kind == Kind::Number,
            _ => false,
        }
    }

    /// Its expression, for an item that may lack it.
    pub(super) fn expression(&self) -> String {
        let (value, optional) = (self.value(), if self.required { "" } else { " | optional" });
        let filter = match self.kind {
            Kind::Text => "",
            Kind::Number => " | number",
            Kind::Boolean => " | bool",
        };
        format!("{value}{filter}{optional}")
    }

    /// Its expression as a key of this type, which no item may lack.
    pub(super) fn key_expression(&self, key_type: &str) -> String {
        let filter = if key_type == "N" { " | number" } else { "" };
        format!("{}{filter}", self.value())
    }

    fn value(&self) -> String {
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let begins = |b: u8| !b.is_ascii_digit();
        let is_plain =
            self.name.bytes().all(is_word) && self.name.bytes().next().is_some_and(begins);
        if is_plain {
            format!("user.attributes.{}", self.name)
        } else {
            format!("user.attributes[{}]", quoted(&self.name))
        }
    }
}

/// A text in an expression.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
