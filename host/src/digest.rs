//! Digests: SHA-256, what everybody knows a component by, and BLAKE3 of its
//! machine code, which an event may wait for: it takes a third as long.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A digest of 256 bits. Its text is 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The SHA-256 of a component, or of other bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The BLAKE3 of machine code.
    pub fn of_code(code: &[u8]) -> Self {
        Self(blake3::hash(code).into())
    }

    /// The BLAKE3 of machine code that is read, and its size.
    pub fn of_code_in(mut from: impl Read) -> io::Result<(Self, usize)> {
        let (mut hasher, mut bytes) = (CodeHasher::default(), 0);
        // As much as a processor's cache holds.
        let mut piece = vec![0; 64 << 10];
        loop {
            let read = from.read(&mut piece)?;
            let Some(piece) = piece.get(..read).filter(|piece| !piece.is_empty()) else {
                return Ok((hasher.digest(), bytes));
            };
            hasher.update(piece);
            bytes += read;
        }
    }
}

/// The BLAKE3 of machine code that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct CodeHasher(blake3::Hasher);

impl CodeHasher {
    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let digit = |digit: &u8| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            _ => Err(BadDigest),
        };
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
            return Err(BadDigest);
        };
        let bytes = pairs
            .iter()
            .map(|[high, low]| Ok(digit(high)? << 4 | digit(low)?));
        let bytes: Vec<u8> = bytes.collect::<Result<_, _>>()?;
        bytes.try_into().map(Self).map_err(|_| BadDigest)
    }
}

impl TryFrom<String> for Digest {
    type Error = BadDigest;

    fn try_from(text: String) -> Result<Self, BadDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest has 64 lower-case hexadecimal digits")]
pub struct BadDigest;
