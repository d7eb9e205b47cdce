//! DynamoDB's numbers: decimal, 38 significant digits, from 1E-130 to 9.99E+125.

use std::fmt;

/// A number that DynamoDB accepts. Equality is by value: `1.0` equals `1`.
#[derive(Clone, Debug)]
pub struct Number {
    /// The number as written, which is sent to DynamoDB.
    text: Box<str>,
}

/// `0.<digits> x 10^exponent`, where the digits neither begin nor end with a zero. Zero
/// has no digits; its exponent is 0 unless it was written with one far out of range.
///
/// The order agrees with equality, to find repeated members. It is not the numeric order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Decimal {
    negative: bool,
    exponent: i64,
    /// At most 38 decimal digits.
    digits: u128,
}

/// The longest text of a number: DynamoDB's smallest and largest numbers with 38 digits
/// are shorter, written with all their zeros.
const MAX_TEXT_BYTES: usize = 256;
/// The most significant digits.
const MAX_DIGITS: usize = 38;

/// The rule that a number breaks. The text continues "a number that".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNumber {
    /// Not in a form such as `-12.5e3`.
    #[error("is not in a form such as -12.5 or 1e3")]
    Syntax,
    /// Longer than any number that DynamoDB accepts, written with all its zeros.
    #[error("has more than {MAX_TEXT_BYTES} characters")]
    Length,
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
        if text.len() > MAX_TEXT_BYTES {
            return Err(BadNumber::Length);
        }
        let decimal = Decimal::parse(text)?;
        // 1E-130 is 0.1 x 10^-129; 9.99E+125 is 0.999 x 10^126.
        if !(-129..=126).contains(&decimal.exponent) {
            return Err(BadNumber::Range);
        }
        Ok(Self { text: text.into() })
    }

    /// The number as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The number in the one form that equal numbers share, such as `125e-1` for `12.50`.
    #[cfg(feature = "cli")]
    pub(crate) fn canonical(&self) -> Self {
        let Decimal {
            negative,
            exponent,
            digits,
        } = self.decimal();
        let count = digits.checked_ilog10().map_or(0, |log| i64::from(log) + 1);
        let sign = if negative { "-" } else { "" };
        let exponent = if digits == 0 { 0 } else { exponent - count };
        Self {
            text: format!("{sign}{digits}e{exponent}").into(),
        }
    }

    /// The number's bytes as DynamoDB counts them: one, one for each two digits (paired
    /// from the decimal point), and one for a minus sign.
    pub(super) fn size(&self) -> usize {
        let Decimal {
            negative,
            exponent,
            digits,
        } = self.decimal();
        let Some(log) = digits.checked_ilog10() else {
            return 1;
        };
        let unpaired = usize::from(exponent.rem_euclid(2) == 1);
        1 + (log as usize + 1 + unpaired).div_ceil(2) + usize::from(negative)
    }

    pub(super) fn decimal(&self) -> Decimal {
        // `parse` has accepted the text.
        Decimal::parse(&self.text).unwrap_or(Decimal::ZERO)
    }
}

impl Decimal {
    const ZERO: Self = Self {
        negative: false,
        exponent: 0,
        digits: 0,
    };

    fn parse(text: &str) -> Result<Self, BadNumber> {
        let syntax = || BadNumber::Syntax;
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent_value(exponent).ok_or_else(syntax)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let written = || whole.bytes().chain(fraction.bytes());
        if written().next().is_none() || !written().all(|digit| digit.is_ascii_digit()) {
            return Err(BadNumber::Syntax);
        }
        let zeros = written().take_while(|digit| *digit == b'0').count();
        let count = written().count();
        let after = written().rev().take_while(|digit| *digit == b'0').count();
        let places = |n: usize| i64::try_from(n).map_err(|_| BadNumber::Length);
        let exponent = exponent + places(whole.len())? - places(zeros)?;
        if zeros == count {
            let far = exponent.abs() > 126;
            let exponent = if far { exponent } else { 0 };
            return Ok(Self {
                exponent,
                ..Self::ZERO
            });
        }
        let significant = count - zeros - after;
        if significant > MAX_DIGITS {
            return Err(BadNumber::Precision);
        }
        let digits = written().skip(zeros).take(significant);
        Ok(Self {
            negative,
            exponent,
            digits: digits.fold(0, |digits, digit| digits * 10 + u128::from(digit - b'0')),
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
        self.text == other.text || self.decimal() == other.decimal()
    }
}

impl Eq for Number {}

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
        // The length is checked first, whatever the text holds.
        for long in ["1".repeat(257), "0".repeat(1 << 20), "x".repeat(257)] {
            assert_eq!(Number::parse(&long).unwrap_err(), BadNumber::Length);
        }
        for longest in [
            format!("-0.{}{}", "0".repeat(129), "1".repeat(38)),
            format!("-{}{}.0", "1".repeat(38), "0".repeat(88)),
        ] {
            assert!(Number::parse(&longest).is_ok(), "{longest}");
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
