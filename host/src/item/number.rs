//! DynamoDB's numbers: decimal, 38 significant digits, from 1E-130 to 9.99E+125.

use std::cmp::Ordering;
use std::fmt;

/// A number that DynamoDB accepts. Equality is by value: `1.0` equals `1`.
#[derive(Clone, Debug)]
pub struct Number {
    /// The number as written, which is sent to DynamoDB.
    text: String,
    decimal: Decimal,
}

/// `0.<digits> x 10^exponent`, without leading or trailing zeros. Zero has no digits;
/// its exponent is 0 unless it was written with one far out of range.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Decimal {
    negative: bool,
    exponent: i64,
    digits: Vec<u8>,
}

/// The rule that a number breaks. The text continues "a number that".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNumber {
    /// Not in a form such as `-12.5e3`.
    #[error("is not in a form such as -12.5 or 1e3")]
    Syntax,
    /// More than 38 significant digits.
    #[error("has more than 38 significant digits, DynamoDB's limit")]
    Precision,
    /// Too large, or too close to zero.
    #[error(
        "is outside DynamoDB's range, 1E-130 to 9.9999999999999999999999999999999999999E+125 and their negatives"
    )]
    Range,
}

impl Number {
    /// Parses a number that DynamoDB accepts.
    pub fn parse(text: &str) -> Result<Self, BadNumber> {
        let decimal = Decimal::parse(text).ok_or(BadNumber::Syntax)?;
        if decimal.digits.len() > 38 {
            return Err(BadNumber::Precision);
        }
        // 1E-130 is 0.1 x 10^-129; 9.99E+125 is 0.999 x 10^126.
        if !(-129..=126).contains(&decimal.exponent) {
            return Err(BadNumber::Range);
        }
        Ok(Self {
            text: text.to_owned(),
            decimal,
        })
    }

    /// The number as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The number's bytes as DynamoDB counts them: one, one for each two digits (paired
    /// from the decimal point), and one for a minus sign.
    pub(super) fn size(&self) -> usize {
        let Decimal {
            negative,
            exponent,
            digits,
        } = &self.decimal;
        if digits.is_empty() {
            return 1;
        }
        let unpaired = usize::from(exponent.rem_euclid(2) == 1);
        1 + (digits.len() + unpaired).div_ceil(2) + usize::from(*negative)
    }
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent_value(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut exponent = exponent + i64::try_from(whole.len()).ok()?;
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..zeros);
        exponent -= i64::try_from(zeros).ok()?;
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        if digits.is_empty() {
            let written = exponent.abs() > 126;
            return Some(Self {
                negative: false,
                exponent: if written { exponent } else { 0 },
                digits,
            });
        }
        Some(Self {
            negative,
            exponent,
            digits,
        })
    }
}

/// Clamps an exponent far out of range, so that nothing overflows.
fn exponent_value(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value = digits.parse::<i64>().unwrap_or(i64::MAX).min(1_000_000_000);
    Some(if negative { -value } else { value })
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.decimal == other.decimal
    }
}

impl Eq for Number {}

/// An order that agrees with equality, to find repeated members. It is not the numeric
/// order.
impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.decimal.cmp(&other.decimal)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::{BadNumber, Number};

    #[test]
    fn accepts_what_dynamodb_accepts() {
        for good in [
            "0",
            "-0",
            "0e9",
            "1",
            "-12.50",
            "1e3",
            "1E+3",
            ".5",
            "5.",
            "0.000",
            "1E-130",
            "9.9999999999999999999999999999999999999E+125",
            "12345678901234567890123456789012345678000000",
        ] {
            assert!(Number::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "", "-", ".", "e1", "1e", "0x1", "1 ", "NaN", "Infinity", "1_0", "１", "1.2.3", "--1",
            "+1", "1e1.5",
        ] {
            assert_eq!(
                Number::parse(bad).unwrap_err(),
                BadNumber::Syntax,
                "{bad:?}"
            );
        }
        let digits = "123456789012345678901234567890123456789";
        assert_eq!(Number::parse(digits).unwrap_err(), BadNumber::Precision);
        for far in [
            "1E126",
            "-1E126",
            "9.9E-131",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "0e999",
        ] {
            assert_eq!(Number::parse(far).unwrap_err(), BadNumber::Range, "{far}");
        }
    }

    #[test]
    fn equal_by_value() {
        let number = |text| Number::parse(text).unwrap();
        assert_eq!(number("1.0"), number("1e0"));
        assert_eq!(number("-0"), number("0.00"));
        assert_eq!(number("1200"), number("1.2E3"));
        assert_ne!(number("1"), number("-1"));
        assert_ne!(number("1"), number("10"));
    }
}
