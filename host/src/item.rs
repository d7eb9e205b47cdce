//! What is written: [`Item`], its [`AttributeValue`]s, and DynamoDB's own rules.
//!
//! An `Item` always follows the rules, so a store never gets one that DynamoDB would
//! reject: at most 400 KB as DynamoDB counts it, numbers of at most 38 digits, no empty
//! sets, no repeated set members, at most 32 levels. The rules are [DynamoDB's][limits];
//! where its documentation says nothing, they follow the service's emulators
//! (`host/tests/it/stores.rs`).
//!
//! [limits]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html

mod json;
mod number;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

pub use number::{BadNumber, Number};

use crate::text::shown;

/// The largest item, in bytes of names and values.
pub const MAX_ITEM_BYTES: usize = 400 * 1024;
/// The longest name of an attribute, in bytes.
pub const MAX_NAME_BYTES: usize = 65_535;
/// The longest partition key, in bytes.
pub const MAX_PARTITION_KEY_BYTES: usize = 2048;
/// The longest sort key, in bytes.
pub const MAX_SORT_KEY_BYTES: usize = 1024;
/// The deepest level of a value. An attribute's own value is at level 1; the values in a
/// list or map are one level deeper.
pub const MAX_DEPTH: usize = 32;
/// What DynamoDB counts for a list or map, and for each of its members, besides their bytes.
const LIST_BYTES: usize = 3;
const MEMBER_BYTES: usize = 1;

/// An item that follows DynamoDB's rules: attributes by name.
///
/// With serde, it is read and written as DynamoDB's JSON, `{"id": {"S": "..."}}`, as the AWS CLI
/// prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item(BTreeMap<String, AttributeValue>);

impl Item {
    /// Creates an item if DynamoDB accepts these attributes.
    pub fn new(
        attributes: impl IntoIterator<Item = (String, AttributeValue)>,
    ) -> Result<Self, ItemError> {
        Self::from_results(attributes.into_iter().map(Ok))
    }

    /// Creates an item of attributes that are converted one by one. The first error ends
    /// the conversion, so no more than one attribute over DynamoDB's limit is converted.
    pub(crate) fn from_results(
        attributes: impl Iterator<Item = Result<(String, AttributeValue), ItemError>>,
    ) -> Result<Self, ItemError> {
        let mut item = BTreeMap::new();
        let mut bytes = 0;
        for attribute in attributes {
            let (name, value) = attribute?;
            if name.is_empty() {
                return Err(ItemError::EmptyName);
            }
            if name.len() > MAX_NAME_BYTES {
                return Err(ItemError::NameTooLong { bytes: name.len() });
            }
            bytes += name.len() + value.check(&name, 1)?;
            if bytes > MAX_ITEM_BYTES {
                return Err(ItemError::TooLarge);
            }
            match item.entry(name) {
                Entry::Vacant(vacant) => vacant.insert(value),
                Entry::Occupied(occupied) => {
                    let attribute = occupied.key().clone();
                    return Err(ItemError::RepeatedName { attribute });
                }
            };
        }
        Ok(Self(item))
    }

    /// Checks that the partition key `attribute` is the text `expected`.
    pub fn check_partition_key(&self, attribute: &str, expected: &str) -> Result<(), ItemError> {
        let attribute_named = || attribute.to_owned();
        let Some(value) = self.0.get(attribute) else {
            return Err(ItemError::KeyMissing {
                attribute: attribute_named(),
            });
        };
        let AttributeValue::S(text) = value else {
            return Err(ItemError::KeyNotText {
                attribute: attribute_named(),
            });
        };
        check_length(attribute, text.len(), MAX_PARTITION_KEY_BYTES)?;
        if text != expected {
            return Err(ItemError::KeyNotTheUsers {
                attribute: attribute_named(),
                expected: expected.to_owned(),
                found: text.clone(),
            });
        }
        Ok(())
    }

    /// Checks that the sort key `attribute` is the text `expected`, or any text, number or
    /// bytes if the plugin may choose.
    pub fn check_sort_key(&self, attribute: &str, expected: Option<&str>) -> Result<(), ItemError> {
        let Some(value) = self.0.get(attribute) else {
            return Err(ItemError::KeyMissing {
                attribute: attribute.to_owned(),
            });
        };
        match (value, expected) {
            (AttributeValue::S(text), _) => {
                check_length(attribute, text.len(), MAX_SORT_KEY_BYTES)?;
            }
            (AttributeValue::N(_), None) => {}
            (AttributeValue::B(bytes), None) => {
                check_length(attribute, bytes.len(), MAX_SORT_KEY_BYTES)?;
            }
            (_, Some(_)) => {
                return Err(ItemError::KeyNotText {
                    attribute: attribute.to_owned(),
                });
            }
            (_, None) => {
                return Err(ItemError::KeyType {
                    attribute: attribute.to_owned(),
                });
            }
        }
        match (value, expected) {
            (AttributeValue::S(found), Some(expected)) if found != expected => {
                Err(ItemError::KeyNotTheUsers {
                    attribute: attribute.to_owned(),
                    expected: expected.to_owned(),
                    found: found.clone(),
                })
            }
            _ => Ok(()),
        }
    }

    /// The item's key in a table with these key attributes; `None` if it has none.
    #[cfg(feature = "cli")]
    pub(crate) fn key(&self, partition_key: &str, sort_key: Option<&str>) -> Option<Key> {
        let Some(AttributeValue::S(partition)) = self.0.get(partition_key) else {
            return None;
        };
        let sort = match sort_key {
            Some(sort_key) => Some(self.0.get(sort_key)?.clone()),
            None => None,
        };
        Some(Key {
            partition: partition.clone(),
            sort,
        })
    }

    /// The attributes by name.
    pub fn attributes(&self) -> &BTreeMap<String, AttributeValue> {
        &self.0
    }

    /// The attributes by name, owned.
    pub fn into_attributes(self) -> BTreeMap<String, AttributeValue> {
        self.0
    }
}

fn check_length(attribute: &str, bytes: usize, most: usize) -> Result<(), ItemError> {
    let attribute = attribute.to_owned();
    match bytes {
        0 => Err(ItemError::KeyEmpty { attribute }),
        bytes if bytes > most => Err(ItemError::KeyTooLong {
            attribute,
            bytes,
            most,
        }),
        _ => Ok(()),
    }
}

/// An item's key in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The partition key, which is always text.
    pub partition: String,
    /// The sort key, in a table that has one: S, N or B.
    pub sort: Option<AttributeValue>,
}

/// A [DynamoDB attribute value][doc].
///
/// [doc]: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// Text.
    S(String),
    /// A number.
    N(Number),
    /// Bytes.
    B(Vec<u8>),
    /// A boolean.
    Bool(bool),
    /// Null.
    Null,
    /// A set of texts.
    Ss(Vec<String>),
    /// A set of numbers.
    Ns(Vec<Number>),
    /// A set of byte strings.
    Bs(Vec<Vec<u8>>),
    /// A list.
    L(Vec<AttributeValue>),
    /// A map.
    M(BTreeMap<String, AttributeValue>),
}

impl AttributeValue {
    /// Whether DynamoDB considers both values equal: sets have no order, and numbers are
    /// equal by value.
    pub fn is_same(&self, other: &Self) -> bool {
        // No set has a member twice. A plugin can return large ones.
        fn sets<'a, T, K: Ord>(one: &'a [T], other: &'a [T], key: impl Fn(&'a T) -> K) -> bool {
            let set = |members: &'a [T]| members.iter().map(&key).collect::<BTreeSet<_>>();
            one.len() == other.len() && set(one) == set(other)
        }
        match (self, other) {
            (Self::Ss(one), Self::Ss(other)) => sets(one, other, |member| member),
            (Self::Ns(one), Self::Ns(other)) => sets(one, other, Number::decimal),
            (Self::Bs(one), Self::Bs(other)) => sets(one, other, |member| member),
            (Self::L(one), Self::L(other)) => {
                let mut pairs = one.iter().zip(other);
                one.len() == other.len() && pairs.all(|(one, other)| one.is_same(other))
            }
            (Self::M(one), Self::M(other)) => {
                let mut pairs = one.iter().zip(other);
                one.len() == other.len()
                    && pairs.all(|(one, other)| one.0 == other.0 && one.1.is_same(other.1))
            }
            (one, other) => one == other,
        }
    }

    /// Converts a JSON document; objects become M, arrays L. Errors name the attribute
    /// `attribute`.
    pub fn from_json(attribute: &str, document: &str) -> Result<Self, ItemError> {
        json::parse(attribute, document)
    }

    /// Converts a document in DynamoDB's JSON, such as `{"SS": ["a"]}`.
    pub(crate) fn from_dynamodb_json(attribute: &str, document: &str) -> Result<Self, ItemError> {
        json::parse_tagged(attribute, document)
    }

    /// Checks the value's own rules and counts its bytes [as DynamoDB does][size].
    ///
    /// [size]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    fn check(&self, attribute: &str, depth: usize) -> Result<usize, ItemError> {
        if depth > MAX_DEPTH {
            return Err(ItemError::NestedTooDeep {
                attribute: attribute.to_owned(),
            });
        }
        match self {
            Self::S(text) => Ok(text.len()),
            Self::N(number) => Ok(number.size()),
            Self::B(bytes) => Ok(bytes.len()),
            Self::Bool(_) | Self::Null => Ok(1),
            Self::Ss(members) => set_size(attribute, members, String::len, |member| member),
            Self::Ns(members) => set_size(attribute, members, Number::size, Number::decimal),
            Self::Bs(members) => set_size(attribute, members, Vec::len, |member| member),
            Self::L(values) => values.iter().try_fold(LIST_BYTES, |size, value| {
                Ok(size + MEMBER_BYTES + value.check(attribute, depth + 1)?)
            }),
            Self::M(entries) => entries.iter().try_fold(LIST_BYTES, |size, (name, value)| {
                Ok(size + MEMBER_BYTES + name.len() + value.check(attribute, depth + 1)?)
            }),
        }
    }
}

/// Checks that a set has members, each only once, and counts its bytes.
fn set_size<'a, T, K: Ord>(
    attribute: &str,
    members: &'a [T],
    size: impl Fn(&T) -> usize,
    key: impl Fn(&'a T) -> K,
) -> Result<usize, ItemError> {
    let attribute = || attribute.to_owned();
    if members.is_empty() {
        return Err(ItemError::EmptySet {
            attribute: attribute(),
        });
    }
    let bytes = members.iter().map(size).sum();
    if bytes > MAX_ITEM_BYTES {
        return Err(ItemError::TooLarge);
    }
    if members.iter().map(key).collect::<BTreeSet<_>>().len() < members.len() {
        return Err(ItemError::RepeatedSetMember {
            attribute: attribute(),
        });
    }
    Ok(bytes)
}

/// Why an item cannot be written. Texts contain attributes' names, never their values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "Item.")]
#[allow(missing_docs, reason = "the texts and the names say it")]
pub enum ItemError {
    /// An attribute without a name.
    #[error("an attribute has an empty name; DynamoDB requires at least one character")]
    EmptyName,
    /// A name longer than [`MAX_NAME_BYTES`].
    #[error("an attribute's name has {bytes} bytes; DynamoDB's limit is {MAX_NAME_BYTES}")]
    NameTooLong { bytes: usize },
    /// Two attributes with the same name.
    #[error("the attribute `{}` appears twice", shown(attribute))]
    RepeatedName { attribute: String },
    /// Larger than [`MAX_ITEM_BYTES`].
    #[error(
        "the item is larger than 400 KB ({MAX_ITEM_BYTES} bytes of names and values), DynamoDB's limit"
    )]
    TooLarge,
    /// A number that DynamoDB does not accept.
    #[error("the attribute `{}` holds a number that {source}", shown(attribute))]
    #[strum(serialize = "BadNumber")]
    Number {
        attribute: String,
        source: BadNumber,
    },
    /// A set without members.
    #[error(
        "the attribute `{}` is an empty set, which DynamoDB rejects. Leave the attribute out",
        shown(attribute)
    )]
    EmptySet { attribute: String },
    /// A set that has a member twice; numbers are compared by value.
    #[error(
        "the attribute `{}` is a set that has a member twice",
        shown(attribute)
    )]
    RepeatedSetMember { attribute: String },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error(
        "the attribute `{}` is nested deeper than {MAX_DEPTH} levels, DynamoDB's limit",
        shown(attribute)
    )]
    NestedTooDeep { attribute: String },
    /// A `json` value that is not a JSON document.
    #[error(
        "the attribute `{}` is not a valid JSON document: error at line {line}, column {column}",
        shown(attribute)
    )]
    NotJson {
        attribute: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// An item without an attribute of the key.
    #[error(
        "the item has no `{}`, an attribute of the table's key",
        shown(attribute)
    )]
    KeyMissing { attribute: String },
    /// An attribute of the key that must be S, and is not.
    #[error("the key `{}` is not text (S)", shown(attribute))]
    KeyNotText { attribute: String },
    /// A sort key that is not S, N or B.
    #[error(
        "the sort key `{}` is not text, a number or bytes (S, N or B)",
        shown(attribute)
    )]
    KeyType { attribute: String },
    /// An empty key.
    #[error("the key `{}` is empty", shown(attribute))]
    KeyEmpty { attribute: String },
    /// A key longer than [`MAX_PARTITION_KEY_BYTES`] or [`MAX_SORT_KEY_BYTES`].
    #[error(
        "the key `{}` has {bytes} bytes; DynamoDB's limit is {most}",
        shown(attribute)
    )]
    KeyTooLong {
        attribute: String,
        bytes: usize,
        most: usize,
    },
    /// Another key than the pool's config demands, perhaps another user's.
    #[error(
        "the key `{}` is not this user's; the pool's config sets what it must equal",
        shown(attribute)
    )]
    KeyNotTheUsers {
        attribute: String,
        /// What it must equal. Holds the user's name, so the text leaves it out.
        expected: String,
        /// What the plugin returned.
        found: String,
    },
}

impl ItemError {
    /// The error's name, for logs and callers.
    pub fn name(&self) -> &'static str {
        self.into()
    }
}
