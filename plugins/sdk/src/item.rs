//! Items, and values of all DynamoDB types.

use serde::Serialize;

use crate::{Field, Value};

/// A DynamoDB item under construction: named attributes.
///
/// ```
/// use poolhook_plugin::{Item, Value, json};
///
/// let item = Item::new()
///     .set("id", "hanako")                                       // S
///     .set("seats", 12)                                          // N
///     .set("balance", Value::number("0.10"))                     // N, digits as written
///     .set("verified", true)                                     // BOOL
///     .set("leftAt", Value::Null)                                // NULL
///     .set("photo", vec![0xff_u8, 0xd8])                         // B
///     .set_some("groups", Value::text_set(["red", "blue"]))      // SS
///     .set_some("lucky", Value::number_set([7, 9]))              // NS
///     .set("address", json!({ "city": "Kyoto", "zip": null }))   // M
///     .set("tags", json!(["new", 1]))                            // L
///     .set_some("email", None::<&str>);                          // left out
/// assert_eq!(item.get("seats"), Some(&Value::number(12)));
/// assert_eq!(item.get("email"), None);
/// ```
///
/// The host checks [DynamoDB's rules]: a repeated name, for example, is the error
/// `Item.RepeatedName`.
///
/// [DynamoDB's rules]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item(Vec<Field>);

impl Item {
    /// An item without attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The item with one more attribute.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.push(Field {
            name: name.into(),
            value: value.into(),
        });
        self
    }

    /// The item with one more attribute, if there is a value.
    #[must_use]
    pub fn set_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// The value of the attribute with this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        get(&self.0, name)
    }
}

pub(crate) fn get<'a>(fields: &'a [Field], name: &str) -> Option<&'a Value> {
    let field = fields.iter().find(|field| field.name == name)?;
    Some(&field.value)
}

impl From<Item> for Vec<Field> {
    fn from(item: Item) -> Self {
        item.0
    }
}

impl Value {
    /// N: an integer, or a number as text, which keeps its digits as written. DynamoDB
    /// allows at most 38 significant digits.
    pub fn number(number: impl ToString) -> Self {
        Self::N(number.to_string())
    }

    /// SS, without repeated members. `None` if there are no members, because DynamoDB
    /// has no empty set.
    pub fn text_set<T: Into<String>>(members: impl IntoIterator<Item = T>) -> Option<Self> {
        set(members.into_iter().map(Into::into), Self::Ss)
    }

    /// NS, of integers or numbers as text, like [`Value::text_set`]. To the host `1`
    /// and `1.0` are the same member: having both is `Item.RepeatedSetMember`.
    pub fn number_set<T: ToString>(members: impl IntoIterator<Item = T>) -> Option<Self> {
        set(
            members.into_iter().map(|number| number.to_string()),
            Self::Ns,
        )
    }

    /// BS, like [`Value::text_set`].
    pub fn byte_set<T: Into<Vec<u8>>>(members: impl IntoIterator<Item = T>) -> Option<Self> {
        set(members.into_iter().map(Into::into), Self::Bs)
    }

    /// Serializes a value with serde: M from a struct or map, L from a list, and
    /// scalars. An error if it has no JSON form, such as a map with keys of bytes.
    ///
    /// ```
    /// # use poolhook_plugin::{Item, Value};
    /// #[derive(serde::Serialize)]
    /// struct Address<'a> {
    ///     city: &'a str,
    ///     country: Option<&'a str>, // NULL if there is none
    /// }
    ///
    /// let address = Value::json(&Address { city: "Kyoto", country: None })?;
    /// # assert_eq!(address, Value::Json(r#"{"city":"Kyoto","country":null}"#.into()));
    /// # Ok::<_, String>(())
    /// ```
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, String> {
        let document = serde_json::to_string(value).map_err(|error| error.to_string())?;
        Ok(Self::Json(document))
    }
}

fn set<T: PartialEq>(
    members: impl Iterator<Item = T>,
    value: impl FnOnce(Vec<T>) -> Value,
) -> Option<Value> {
    let mut set = Vec::new();
    for member in members {
        if !set.contains(&member) {
            set.push(member);
        }
    }
    (!set.is_empty()).then(|| value(set))
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::S(text.into())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::S(text.clone())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::S(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::B(bytes)
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        Self::Json(value.to_string())
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl From<$number> for Value {
            fn from(number: $number) -> Self {
                Self::number(number)
            }
        }
    )*};
}

numbers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{Item, Value};
    use crate::json;

    #[test]
    fn every_type_of_dynamodb_has_a_value() {
        let texts = |members: &[&str]| members.iter().map(|&text| text.to_owned()).collect();
        for (value, expected) in [
            ("a".into(), Value::S("a".into())),
            (String::from("a").into(), Value::S("a".into())),
            (7_u64.into(), Value::N("7".into())),
            ((-7).into(), Value::N("-7".into())),
            (Value::number("0.10"), Value::N("0.10".into())),
            (true.into(), Value::Boolean(true)),
            (vec![0, 255].into(), Value::B(vec![0, 255])),
            (json!([1, null]).into(), Value::Json("[1,null]".into())),
            (json!({"a": []}).into(), Value::Json(r#"{"a":[]}"#.into())),
        ] {
            assert_eq!(value, expected);
        }
        let set = Value::text_set(["b", "a", "b"]);
        assert_eq!(set, Some(Value::Ss(texts(&["b", "a"]))));
        assert_eq!(
            Value::number_set([2, 1, 2]),
            Some(Value::Ns(texts(&["2", "1"])))
        );
        assert_eq!(Value::byte_set([[1], [1]]), Some(Value::Bs(vec![vec![1]])));
        assert_eq!(Value::text_set([""; 0]), None);
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        let error = Value::json(&HashMap::from([((1, 2), 3)])).unwrap_err();
        assert_eq!(error, "key must be a string");
    }

    #[test]
    fn the_order_is_kept() {
        let item = Item::new()
            .set("b", 1)
            .set("a", 2)
            .set_some("c", None::<&str>);
        assert_eq!(item, Item::new().set("b", 1).set("a", 2));
        assert_ne!(item, Item::new().set("a", 2).set("b", 1));
    }
}
