//! The filters: what each one takes, gives and does.
#![allow(
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "all filters have one signature, for the table"
)]

mod hashes;
mod lists;
pub(crate) mod patterns;
mod texts;
mod times;
mod types;

use crate::kinds::Kinds;
use crate::value::Value;

#[cfg(feature = "compiler")]
use crate::compiler::types::Type;

/// A filter.
pub struct Filter {
    /// Its name.
    pub name: &'static str,
    /// What it takes. What is missing stays missing, unless the filter takes it.
    pub takes: Kinds,
    /// What the members of its input must be, and whether they must be of one kind.
    pub members: Members,
    /// Its parameters, in their order.
    pub parameters: &'static [Parameter],
    pub(crate) run: for<'a> fn(Value<'a>, &[Value<'a>]) -> Result<Value<'a>, String>,
    /// The type of its result, from those of its input and its arguments.
    #[cfg(feature = "compiler")]
    pub(crate) gives: fn(&Type, &[Type]) -> Type,
    /// What it is for.
    #[cfg(feature = "compiler")]
    pub about: &'static str,
    /// An expression, and its value.
    #[cfg(feature = "compiler")]
    pub example: (&'static str, &'static str),
}

/// What the members of a list must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Members {
    /// Any values.
    Any,
    /// Values of these kinds.
    Of(Kinds),
    /// Values of one of these kinds.
    Alike(Kinds),
}

impl Members {
    /// Checks the members that are there.
    pub(crate) fn check(self, name: &str, value: &Value<'_>) -> Result<(), String> {
        let (takes, alike) = match self {
            Self::Any => return Ok(()),
            Self::Of(takes) => (takes, false),
            Self::Alike(takes) => (takes, true),
        };
        let members = value.members().unwrap_or_default();
        let mut kinds = members.iter().map(Value::kind);
        let mut kinds = kinds
            .by_ref()
            .filter(|kind| *kind != crate::value::Kind::Missing);
        let Some(first) = kinds.next() else {
            return Ok(());
        };
        let other = [first].into_iter().chain(kinds);
        let mut other = other.filter(|kind| !takes.has(*kind) || (alike && *kind != first));
        match other.next() {
            None => Ok(()),
            Some(other) if takes.has(other) => Err(format!(
                "`{name}` takes a list whose members are of one kind; it has {} and {}",
                first.article(),
                other.article()
            )),
            Some(other) => {
                let other = other.article();
                Err(format!(
                    "`{name}` takes a list whose members are {takes}; one is {other}"
                ))
            }
        }
    }
}

/// A parameter of a filter or a test.
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub takes: Kinds,
    /// What it is without an argument. `None` if it needs one.
    pub default: Option<Literal>,
    /// If the argument must stand there as a text: the check of that text.
    #[cfg(feature = "compiler")]
    pub(crate) literal: Option<Check>,
}

/// A check of a text in an expression.
#[cfg(feature = "compiler")]
pub(crate) type Check = fn(&str) -> Result<(), String>;

/// A value of a parameter that has no argument.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "they are the cases of `Value`")]
pub enum Literal {
    None,
    Boolean(bool),
    Integer(i64),
    Text(&'static str),
}

macro_rules! parameter {
    ($name:literal, $takes:expr, $default:expr, $literal:expr) => {
        Parameter {
            name: $name,
            takes: $takes,
            default: $default,
            #[cfg(feature = "compiler")]
            literal: $literal,
        }
    };
}
pub(crate) use parameter;

const fn required(name: &'static str, takes: Kinds) -> Parameter {
    parameter_of(name, takes, None)
}

const fn optional(name: &'static str, takes: Kinds, default: Literal) -> Parameter {
    parameter_of(name, takes, Some(default))
}

pub(crate) const fn parameter_of(
    name: &'static str,
    takes: Kinds,
    default: Option<Literal>,
) -> Parameter {
    Parameter {
        name,
        takes,
        default,
        #[cfg(feature = "compiler")]
        literal: None,
    }
}

macro_rules! filters {
    ($($name:literal $takes:expr, $members:expr, [$($parameter:expr),*], $run:expr, $gives:expr, $about:literal, $example:literal => $value:literal;)*) => {
        &[$(Filter {
            name: $name,
            takes: $takes,
            members: $members,
            parameters: &[$($parameter),*],
            run: $run,
            #[cfg(feature = "compiler")]
            gives: $gives,
            #[cfg(feature = "compiler")]
            about: $about,
            #[cfg(feature = "compiler")]
            example: ($example, $value),
        }),*]
    };
}

const TEXT_OR_LIST: Kinds = Kinds::TEXT.or(Kinds::LIST);
const SIZED: Kinds = TEXT_OR_LIST.or(Kinds::MAP).or(Kinds::SET).or(Kinds::BYTES);
const IN_SETS: Kinds = Kinds::TEXT.or(Kinds::NUMBER).or(Kinds::BYTES);
const SORTED: Kinds = Kinds::TEXT.or(Kinds::NUMBER);
const NAME: &str = "the name of a filter or test";

/// The filters, in the order of their numbers in a program.
pub const FILTERS: &[Filter] = filters! {
    "base64" Kinds::TEXT, Members::Any, [], types::base64, |_, _| Type::bytes(),
        "Bytes of a base64 text", "'aGk=' | base64" => r#"{"B":"aGk="}"#;
    "bool" Kinds::TEXT.or(Kinds::BOOLEAN), Members::Any, [], types::bool, |_, _| Type::boolean(),
        "True or false of the text `true` or `false`, in any case", "user.attributes.email_verified | bool" => r#"{"BOOL":true}"#;
    "capitalize" Kinds::TEXT, Members::Any, [], texts::capitalize, |_, _| Type::text(),
        "The first letter upper-case, the others lower-case", "'hANAKO' | capitalize" => r#"{"S":"Hanako"}"#;
    "compact" Kinds::LIST.or(Kinds::MAP), Members::Any, [], lists::compact, |input, _| input.compacted(),
        "A list or map without its missing members", "{'nick': user.attributes.nickname, 'zip': '1'} | compact" => r#"{"M":{"zip":{"S":"1"}}}"#;
    "default" Kinds::ANY, Members::Any, [optional("value", Kinds::ANY, Literal::Text("")), optional("boolean", Kinds::BOOLEAN, Literal::Boolean(false))], types::default, types::default_type,
        "Another value for what is missing; with `true` as the second argument also for what is empty, zero, false or none", "user.attributes['custom:plan'] | default('free')" => r#"{"S":"free"}"#;
    "first" TEXT_OR_LIST, Members::Any, [], lists::first, |input, _| input.member().or_missing(),
        "The first character of a text or member of a list; missing if there is none", "user.attributes['custom:tags'] | split(',') | first" => r#"{"S":"b"}"#;
    "hash" Kinds::TEXT, Members::Any, [hashes::ALGORITHM, hashes::ENCODING], hashes::hash, |_, _| Type::text(),
        "The SHA-256 digest of a text, `'hex'` or `'base64url'`", "'hanako' | hash('sha256')" => r#"{"S":"eb4950984bccc20665384c18592dee3f14ba57704c65978fad3c83153250e516"}"#;
    "hash_int" Kinds::TEXT, Members::Any, [hashes::ALGORITHM], hashes::hash_int, |_, _| Type::number(),
        "The first 52 bits of the SHA-256 digest of a text as a whole number, for shards", "user.name | hash_int('sha256') % 16" => r#"{"N":"12"}"#;
    "int" Kinds::TEXT.or(Kinds::NUMBER), Members::Any, [], types::int, |_, _| Type::number(),
        "A whole number of a text; a number rounded toward zero", "user.attributes['custom:seats'] | int" => r#"{"N":"12"}"#;
    "join" Kinds::MEMBERS, Members::Of(Kinds::CHARACTERS), [optional("d", Kinds::TEXT, Literal::Text(""))], lists::join, |input, _| Type::text().missing_if(input.member().may_be_missing()),
        "One text of a list's members, with a text between them; missing if a member is", "['a', 'b'] | join('-')" => r#"{"S":"a-b"}"#;
    "json" Kinds::TEXT, Members::Any, [], types::json, |_, _| Type::any(),
        "What a JSON text holds; numbers keep their digits", r#"'{"zip": 1.50}' | json"# => r#"{"M":{"zip":{"N":"1.50"}}}"#;
    "last" TEXT_OR_LIST, Members::Any, [], lists::last, |input, _| input.member().or_missing(),
        "The last character of a text or member of a list; missing if there is none", "user.attributes.email | split('@') | last" => r#"{"S":"Example.com"}"#;
    "length" SIZED, Members::Any, [], lists::length, |_, _| Type::number(),
        "The number of characters, members or bytes", "user.attributes.email | length" => r#"{"N":"18"}"#;
    "lower" Kinds::TEXT, Members::Any, [], texts::lower, |_, _| Type::text(),
        "Lower-case letters", "user.attributes.email | lower" => r#"{"S":"hanako@example.com"}"#;
    "map" Kinds::MEMBERS, Members::Any, [required(NAME, Kinds::TEXT)], structural, |_, _| Type::any(),
        "Each member of a list through a filter, with that filter's arguments; or, with `attribute='name'`, that attribute of each member", "['a ', ' b'] | map('trim')" => r#"{"L":[{"S":"a"},{"S":"b"}]}"#;
    "number" Kinds::TEXT.or(Kinds::NUMBER), Members::Any, [], types::number, |_, _| Type::number(),
        "A number of a text, with every digit", "'0.10' | number" => r#"{"N":"0.10"}"#;
    "omitempty" Kinds::ANY, Members::Any, [], structural, |input, _| input.clone(),
        "At the end of an attribute's expression: leaves the attribute out if the value is missing or an empty text, list, map or set", "user.attributes.nickname | omitempty" => "left out";
    "optional" Kinds::ANY, Members::Any, [], structural, |input, _| input.clone(),
        "At the end of an attribute's expression: leaves the attribute out if the value is missing", "user.attributes.nickname | optional" => "left out";
    "regex_replace" Kinds::TEXT, Members::Any, [patterns::PATTERN, required("replacement", Kinds::TEXT)], patterns::replace, |_, _| Type::text(),
        "A text with every match of a pattern replaced; `$1` or `${name}` stands for a group", "'+81 (0)90-1234' | regex_replace('[^0-9+]', '')" => r#"{"S":"+810901234"}"#;
    "regex_search" Kinds::TEXT, Members::Any, [patterns::PATTERN, optional("group", Kinds::NUMBER.or(Kinds::TEXT), Literal::Integer(0))], patterns::search, |_, _| Type::text().or_missing(),
        "The first match of a pattern in a text, or of a group of it, by number or name; missing if there is none", "user.attributes.email | regex_search('@(.+)$', 1)" => r#"{"S":"Example.com"}"#;
    "reject" Kinds::MEMBERS, Members::Any, [required(NAME, Kinds::TEXT)], structural, |_, _| Type::any(),
        "A list without the members that pass a test", "['a', none] | reject('none')" => r#"{"L":[{"S":"a"}]}"#;
    "rejectattr" Kinds::MEMBERS, Members::Any, [required("attribute", Kinds::TEXT)], structural, |_, _| Type::any(),
        "A list without the members whose attribute passes a test", "[{'a': 1}, {'a': 2}] | rejectattr('a', 'equalto', 1)" => r#"{"L":[{"M":{"a":{"N":"2"}}}]}"#;
    "replace" Kinds::TEXT, Members::Any, [required("old", Kinds::TEXT), required("new", Kinds::TEXT)], texts::replace, |_, _| Type::text(),
        "A text with another one in place of each occurrence of a text", "user.attributes.email | replace('@', ' at ')" => r#"{"S":"Hanako at Example.com"}"#;
    "reverse" TEXT_OR_LIST, Members::Any, [], lists::reverse, |input, _| input.with(Kinds::NOTHING),
        "A text or a list backwards", "[1, 2] | reverse" => r#"{"L":[{"N":"2"},{"N":"1"}]}"#;
    "round" Kinds::NUMBER, Members::Any, [optional("precision", Kinds::NUMBER, Literal::Integer(0)), optional("method", Kinds::TEXT, Literal::Text("common"))], types::round, |_, _| Type::number(),
        "A number rounded to that many digits after the point; `'ceil'` rounds up, `'floor'` down", "2.345 | round(1)" => r#"{"N":"2.3"}"#;
    "select" Kinds::MEMBERS, Members::Any, [required(NAME, Kinds::TEXT)], structural, |_, _| Type::any(),
        "The members of a list that pass a test; without one, those that are not missing, empty, zero, false or none", "'a,,b' | split(',') | select" => r#"{"L":[{"S":"a"},{"S":"b"}]}"#;
    "selectattr" Kinds::MEMBERS, Members::Any, [required("attribute", Kinds::TEXT)], structural, |_, _| Type::any(),
        "The members of a list whose attribute passes a test", "(user.attributes.identities | json | selectattr('providerName', 'equalto', 'Google') | first).userId" => r#"{"S":"1234"}"#;
    "set" Kinds::MEMBERS, Members::Alike(IN_SETS), [], lists::set, |input, _| input.made_a_set(),
        "A set of a list's members, each once, all texts, numbers or bytes; missing if the list is empty", "user.attributes['custom:tags'] | split(',') | select | set" => r#"{"SS":["b","gold"]}"#;
    "sort" Kinds::MEMBERS, Members::Alike(SORTED), [optional("reverse", Kinds::BOOLEAN, Literal::Boolean(false)), optional("case_sensitive", Kinds::BOOLEAN, Literal::Boolean(false))], lists::sort, |input, _| input.made_a_list(),
        "A sorted list, of texts or of numbers", "['b', 'A'] | sort" => r#"{"L":[{"S":"A"},{"S":"b"}]}"#;
    "split" Kinds::TEXT, Members::Any, [optional("separator", Kinds::TEXT.or(Kinds::NONE), Literal::None), optional("maxsplit", Kinds::NUMBER, Literal::Integer(-1))], texts::split, |_, _| Type::list_of(Type::text()),
        "A list of the parts of a text, between separators or white space", "'a,b' | split(',')" => r#"{"L":[{"S":"a"},{"S":"b"}]}"#;
    "strftime" Kinds::TEXT, Members::Any, [times::FORMAT, times::OFFSET], times::strftime, |_, _| Type::text(),
        "A time in a format (`%Y-%m-%d %H:%M:%S`), in UTC or at an offset", "user.time | strftime('%d.%m.%Y %H:%M', '+09:00')" => r#"{"S":"23.11.2026 18:06"}"#;
    "string" Kinds::CHARACTERS, Members::Any, [], texts::string, |_, _| Type::text(),
        "A text of a number or of true or false", "12 | string" => r#"{"S":"12"}"#;
    "timestamp" Kinds::TEXT, Members::Any, [optional("days", Kinds::NUMBER, Literal::Integer(0))], times::timestamp, |_, _| Type::number(),
        "The seconds since 1970 of a time or a date, plus that many days; DynamoDB's TTL takes these", "user.time | timestamp(days=30)" => r#"{"N":"1798016812"}"#;
    "title" Kinds::TEXT, Members::Any, [], texts::title, |_, _| Type::text(),
        "The first letter of each word upper-case, the others lower-case", "'hanako yamada' | title" => r#"{"S":"Hanako Yamada"}"#;
    "to_datetime" Kinds::TEXT.or(Kinds::NUMBER), Members::Any, [times::PARSED], times::to_datetime, |_, _| Type::text(),
        "A time of a text in a format, or of seconds since 1970: RFC 3339, as `user.time` is", "'23.11.2026' | to_datetime('%d.%m.%Y')" => r#"{"S":"2026-11-23T00:00:00.000Z"}"#;
    "to_uuid" Kinds::TEXT, Members::Any, [hashes::NAMESPACE], hashes::to_uuid, |_, _| Type::text(),
        "The UUID (version 5) of a text in a namespace: a UUID, or `dns`, `url`, `oid` or `x500`", "'example.com' | to_uuid('dns')" => r#"{"S":"cfbff0d1-9375-5685-968c-48ce8b15ae17"}"#;
    "trim" Kinds::TEXT, Members::Any, [optional("chars", Kinds::TEXT.or(Kinds::NONE), Literal::None)], texts::trim, |_, _| Type::text(),
        "A text without white space, or without these characters, at its ends", "'  a ' | trim" => r#"{"S":"a"}"#;
    "unique" Kinds::MEMBERS, Members::Any, [], lists::unique, |input, _| input.made_a_list(),
        "A list with each member once", "[1, 2, 1] | unique" => r#"{"L":[{"N":"1"},{"N":"2"}]}"#;
    "upper" Kinds::TEXT, Members::Any, [], texts::upper, |_, _| Type::text(),
        "Upper-case letters", "user.region | upper" => r#"{"S":"EU-WEST-1"}"#;
    "urlencode" Kinds::CHARACTERS, Members::Any, [], texts::urlencode, |_, _| Type::text(),
        "A text with percent-encoding, safe in a URL", "'a b/ü' | urlencode" => r#"{"S":"a%20b/%C3%BC"}"#;
    "zfill" Kinds::TEXT.or(Kinds::NUMBER), Members::Any, [required("width", Kinds::NUMBER)], texts::zfill, |_, _| Type::text(),
        "A text or number with zeros before it, up to that many characters", "'42' | zfill(6)" => r#"{"S":"000042"}"#;
};

/// The compiler turns these filters into instructions of their own.
fn structural<'a>(_: Value<'a>, _: &[Value<'a>]) -> Result<Value<'a>, String> {
    Err("the program is not one of this version".to_owned())
}

/// The whole number of an argument.
fn whole(value: Option<&Value<'_>>, name: &str) -> Result<i64, String> {
    let number = match value {
        Some(Value::Number(number)) => match number.plain() {
            crate::number::Plain::Integer(number) => i64::try_from(number).ok(),
            crate::number::Plain::Float(_) => None,
        },
        _ => None,
    };
    number.ok_or_else(|| format!("`{name}` must be a whole number"))
}

/// The text of an argument; empty if it is none.
fn argument<'v>(arguments: &'v [Value<'_>], index: usize) -> &'v str {
    match arguments.get(index) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}
