//! Typed access to a user's attributes.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::DeserializeOwned;

use crate::{Attribute, User};

impl User {
    /// The user attribute with this name, such as `email` or `custom:plan`.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        get(&self.user_attributes, name)
    }

    /// The entry with this name in the client metadata of `ConfirmSignUp`.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        get(&self.client_metadata, name)
    }

    /// Whether the user attribute is `true`. Cognito's booleans are text.
    pub fn is_true(&self, name: &str) -> bool {
        self.attribute(name) == Some("true")
    }

    /// The user attribute as a whole number of at most `digits` ASCII digits, 19 at
    /// most. Leading zeros are allowed. The error is `<name> is not a whole number: <value>`.
    ///
    /// ```
    /// # use poolhook_plugin::User;
    /// let user = User::for_test("hanako").with_attribute("custom:seats", "007");
    /// assert_eq!(user.whole_number("custom:seats", 6), Ok(Some(7)));
    /// assert_eq!(user.whole_number("custom:rooms", 6), Ok(None));
    ///
    /// let user = User::for_test("hanako").with_attribute("custom:seats", "-7");
    /// let error = user.whole_number("custom:seats", 6).unwrap_err();
    /// assert_eq!(error, "custom:seats is not a whole number: -7");
    /// ```
    pub fn whole_number(&self, name: &str, digits: usize) -> Result<Option<u64>, String> {
        let Some(value) = self.attribute(name) else {
            return Ok(None);
        };
        // `parse` alone would accept a plus sign.
        let whole = value.len() <= digits && value.bytes().all(|byte| byte.is_ascii_digit());
        let number = value.parse().ok().filter(|_| whole);
        let number = number.ok_or_else(|| format!("{name} is not a whole number: {value}"))?;
        Ok(Some(number))
    }

    /// The user attribute, parsed as any type with `FromStr`. The error is
    /// `<name>: <the type's error>: <value>`.
    ///
    /// ```
    /// # use poolhook_plugin::User;
    /// let user = User::for_test("hanako").with_attribute("custom:height", "1.68");
    /// assert_eq!(user.parse::<f64>("custom:height"), Ok(Some(1.68)));
    /// ```
    pub fn parse<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, String> {
        let parse = |value: &str| {
            let parsed = value.parse();
            parsed.map_err(|error| format!("{name}: {error}: {value}"))
        };
        self.attribute(name).map(parse).transpose()
    }

    /// The user attribute as a JSON document, as in `address` or `identities`. The
    /// error is `<name>: <the reason>`.
    ///
    /// ```
    /// # use poolhook_plugin::User;
    /// #[derive(serde::Deserialize)]
    /// struct Address {
    ///     country: String,
    /// }
    ///
    /// let user = User::for_test("hanako").with_attribute("address", r#"{"country": "JP"}"#);
    /// let address: Option<Address> = user.json("address")?;
    /// assert_eq!(address.unwrap().country, "JP");
    /// # Ok::<_, String>(())
    /// ```
    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, String> {
        let parse = |value: &str| {
            let parsed = serde_json::from_str(value);
            parsed.map_err(|error| format!("{name}: {error}"))
        };
        self.attribute(name).map(parse).transpose()
    }

    /// The non-empty parts of the user attribute between separators. There are none if
    /// the user does not have the attribute.
    ///
    /// ```
    /// # use poolhook_plugin::User;
    /// let user = User::for_test("hanako").with_attribute("custom:groups", "red,,blue");
    /// assert!(user.parts("custom:groups", ',').eq(["red", "blue"]));
    /// ```
    pub fn parts(&self, name: &str, separator: char) -> impl Iterator<Item = &str> {
        let parts = self.attribute(name).unwrap_or_default().split(separator);
        parts.filter(|part| !part.is_empty())
    }

    /// A user for tests: of the pool `ap-northeast-1_Q7mE2xYbA`, without
    /// attributes, confirmed at 2026-11-23T09:06:52.123Z, the time of
    /// `poolhook plugin test`.
    pub fn for_test(user_name: &str) -> Self {
        Self {
            user_pool_id: "ap-northeast-1_Q7mE2xYbA".into(),
            region: "ap-northeast-1".into(),
            client_id: Some("4o2v5example8client1id7".into()),
            user_name: user_name.into(),
            trigger_source: "PostConfirmation_ConfirmSignUp".into(),
            user_attributes: Vec::new(),
            client_metadata: Vec::new(),
            time: "2026-11-23T09:06:52.123Z".into(),
            time_ms: 1_795_424_812_123,
        }
    }

    /// For tests: the same user with one more attribute.
    #[must_use]
    pub fn with_attribute(mut self, name: &str, value: &str) -> Self {
        add(&mut self.user_attributes, name, value);
        self
    }

    /// For tests: the same user with one more entry of client metadata.
    #[must_use]
    pub fn with_metadata(mut self, name: &str, value: &str) -> Self {
        add(&mut self.client_metadata, name, value);
        self
    }
}

fn get<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a str> {
    let mut attributes = attributes.iter();
    let found = attributes.find(|attribute| attribute.name == name)?;
    Some(&found.value)
}

/// As the host passes them: sorted, with unique names.
fn add(attributes: &mut Vec<Attribute>, name: &str, value: &str) {
    attributes.retain(|attribute| attribute.name != name);
    attributes.push(Attribute {
        name: name.into(),
        value: value.into(),
    });
    attributes.sort_by(|one, other| one.name.cmp(&other.name));
}

#[cfg(test)]
mod tests {
    use super::User;

    #[test]
    fn whole_numbers_are_digits_alone() {
        for (value, number) in [
            ("0", Some(0)),
            ("000000", Some(0)),
            ("999999", Some(999_999)),
            ("0000000", None),
            ("1000000", None),
            ("", None),
            ("+7", None),
            (" 7", None),
            ("1.0", None),
            ("７", None),
        ] {
            let user = User::for_test("hanako").with_attribute("n", value);
            let error = format!("n is not a whole number: {value}");
            let expected = number.map(Some).ok_or(error);
            assert_eq!(user.whole_number("n", 6), expected, "{value:?}");
        }
        let large = User::for_test("hanako").with_attribute("n", "99999999999999999999");
        assert!(large.whole_number("n", 20).is_err(), "over u64");
    }

    #[test]
    fn parse_and_json_say_what_is_wrong() {
        let user = User::for_test("hanako").with_attribute("n", "x");
        let error = user.parse::<u8>("n").unwrap_err();
        assert_eq!(error, "n: invalid digit found in string: x");
        assert_eq!(user.parse::<u8>("m"), Ok(None));
        let error = user.json::<u8>("n").unwrap_err();
        assert_eq!(error, "n: expected value at line 1 column 1");
        assert_eq!(user.json::<u8>("m"), Ok(None));
    }

    #[test]
    fn a_test_users_attributes_are_as_from_the_host() {
        let user = User::for_test("hanako")
            .with_attribute("b", "1")
            .with_attribute("a", "2")
            .with_attribute("b", "3")
            .with_metadata("b", "4");
        let names = user.user_attributes.iter().map(|a| a.name.as_str());
        assert!(names.eq(["a", "b"]));
        assert_eq!(user.attribute("b"), Some("3"));
        assert_eq!(user.metadata("b"), Some("4"));
        assert_eq!(user.metadata("a"), None);
        assert_eq!(user.parts("c", ',').count(), 0);
    }
}
