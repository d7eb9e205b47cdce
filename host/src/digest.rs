//! Digests, with a type for each algorithm. Components and events have SHA-256
//! digests, which other tools can compute too. Machine code has BLAKE3 digests, in a
//! third of the time, because an event may wait for them.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// The text is not a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest has 64 lower-case hexadecimal digits")]
pub struct BadDigest;

/// Defines a digest type of 256 bits, whose text is 64 lower-case hexadecimal digits.
macro_rules! digest {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 32]);

        impl FromStr for $name {
            type Err = BadDigest;

            fn from_str(text: &str) -> Result<Self, BadDigest> {
                let mut bytes = [0; 32];
                let upper_case = text.bytes().any(|digit| digit.is_ascii_uppercase());
                match hex::decode_to_slice(text, &mut bytes) {
                    Ok(()) if !upper_case => Ok(Self(bytes)),
                    _ => Err(BadDigest),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadDigest;

            fn try_from(text: String) -> Result<Self, BadDigest> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(digest: $name) -> Self {
                hex::encode(digest.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

digest!(Sha256, "A SHA-256 digest: of a component, or of an event.");
digest!(Blake3, "A BLAKE3 digest: of machine code.");

impl Sha256 {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }
}

impl Blake3 {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).into())
    }

    /// The digest of everything in a reader, and its size in bytes.
    pub fn of_reader(from: impl Read) -> io::Result<(Self, u64)> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(from)?;
        Ok((Self(hasher.finalize().into()), hasher.count()))
    }
}

/// Computes the BLAKE3 digest of bytes that arrive in pieces.
#[derive(Debug, Default)]
pub(crate) struct Blake3Hasher(blake3::Hasher);

impl Blake3Hasher {
    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    pub(crate) fn digest(&self) -> Blake3 {
        Blake3(self.0.finalize().into())
    }
}
