//! Filters that hash a text.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Literal, Parameter, argument, parameter};
use crate::kinds::Kinds;
use crate::value::Value;

type Outcome<'a> = Result<Value<'a>, String>;

pub(super) const ALGORITHM: Parameter = parameter!(
    "algorithm",
    Kinds::TEXT,
    None,
    Some(|text| one_of(text, &["sha256"]))
);
pub(super) const ENCODING: Parameter = parameter!(
    "encoding",
    Kinds::TEXT,
    Some(Literal::Text("hex")),
    Some(|text| one_of(text, &["hex", "base64url"]))
);
pub(super) const NAMESPACE: Parameter = parameter!(
    "namespace",
    Kinds::TEXT,
    None,
    Some(|text| namespace(text).map(|_| ()))
);

#[cfg(feature = "compiler")]
fn one_of(text: &str, known: &[&str]) -> Result<(), String> {
    if known.contains(&text) {
        return Ok(());
    }
    let known: Vec<_> = known.iter().map(|known| format!("'{known}'")).collect();
    Err(format!("must be {}", known.join(" or ")))
}

pub(super) fn hash<'a>(value: Value<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let digest = digest(&value);
    Ok(Value::text(match argument(arguments, 1) {
        "base64url" => BASE64_URL_SAFE_NO_PAD.encode(digest),
        _ => digest.iter().fold(String::new(), |mut hex, byte| {
            for half in [byte >> 4, byte & 15] {
                hex.push(char::from_digit(half.into(), 16).unwrap_or_default());
            }
            hex
        }),
    }))
}

/// The first 52 bits, as every tool that reads JSON keeps them exactly.
pub(super) fn hash_int<'a>(value: Value<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    let bytes = digest(&value).into_iter().take(8);
    let number = bytes.fold(0_u64, |number, byte| (number << 8) | u64::from(byte));
    Ok(Value::integer(number >> 12))
}

fn digest(value: &Value<'_>) -> [u8; 32] {
    let text = value.characters().unwrap_or_default();
    Sha256::digest(text.as_bytes()).into()
}

pub(super) fn to_uuid<'a>(value: Value<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let namespace = namespace(argument(arguments, 0))?;
    let text = value.characters().unwrap_or_default();
    let uuid = Uuid::new_v5(&namespace, text.as_bytes());
    Ok(Value::text(uuid.hyphenated().to_string()))
}

fn namespace(text: &str) -> Result<Uuid, String> {
    match text {
        "dns" => Ok(Uuid::NAMESPACE_DNS),
        "url" => Ok(Uuid::NAMESPACE_URL),
        "oid" => Ok(Uuid::NAMESPACE_OID),
        "x500" => Ok(Uuid::NAMESPACE_X500),
        text => Uuid::try_parse(text)
            .map_err(|_| "must be a UUID, or 'dns', 'url', 'oid' or 'x500'".to_owned()),
    }
}
