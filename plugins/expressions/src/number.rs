//! Numbers: whole ones and fractions as in Jinja, and those that keep their digits.

use std::borrow::Cow;
use std::cmp::Ordering;

/// A number.
#[derive(Clone, Debug)]
pub enum Number<'a> {
    /// A whole number.
    Integer(i128),
    /// A number with about 16 digits.
    Float(f64),
    /// A number with its digits as they were written.
    Decimal(Cow<'a, str>),
}

/// A number to calculate with.
#[derive(Clone, Copy)]
pub(crate) enum Plain {
    Integer(i128),
    Float(f64),
}

impl<'a> Number<'a> {
    /// Reads a number and keeps its digits. The host checks DynamoDB's limits.
    pub(crate) fn parse(text: Cow<'a, str>) -> Option<Self> {
        is_decimal(&text).then_some(Self::Decimal(text))
    }

    pub(crate) fn plain(&self) -> Plain {
        match self {
            Self::Integer(number) => Plain::Integer(*number),
            Self::Float(number) => Plain::Float(*number),
            Self::Decimal(text) => match integer(text) {
                Some(number) => Plain::Integer(number),
                None => Plain::Float(float(text)),
            },
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        match self.plain() {
            Plain::Integer(number) => number == 0,
            Plain::Float(number) => number == 0.0,
        }
    }

    pub(crate) fn order(&self, other: &Number<'_>) -> Ordering {
        match (self.plain(), other.plain()) {
            (Plain::Integer(one), Plain::Integer(other)) => one.cmp(&other),
            (Plain::Integer(one), Plain::Float(other)) => order(one, other),
            (Plain::Float(one), Plain::Integer(other)) => order(other, one).reverse(),
            (one, other) => one.float().total_cmp(&other.float()),
        }
    }

    /// The number as a text: a float with at least one digit after its point.
    pub(crate) fn written(&self) -> Cow<'a, str> {
        match self {
            // Arithmetic with 64 bits is several times cheaper in WebAssembly.
            Self::Integer(number) => match i64::try_from(*number) {
                Ok(number) => itoa::Buffer::new().format(number).to_owned().into(),
                Err(_) => number.to_string().into(),
            },
            Self::Float(number) => {
                let mut text = number.to_string();
                if number.is_finite() && !text.contains('.') {
                    text.push_str(".0");
                }
                text.into()
            }
            Self::Decimal(text) => text.clone(),
        }
    }

    /// The number for DynamoDB.
    pub fn to_dynamodb(&self) -> Result<Cow<'a, str>, String> {
        match self {
            Self::Float(number) if !number.is_finite() => {
                Err(format!("{number} is not a number that DynamoDB has"))
            }
            Self::Float(number) => Ok(number.to_string().into()),
            number => Ok(number.written()),
        }
    }
}

/// A whole number: digits, with a `-` before them if it is negative.
pub(crate) fn integer(text: &str) -> Option<i128> {
    if text.starts_with('+') {
        return None;
    }
    let short = text.parse::<i64>().map(i128::from);
    short.or_else(|_| text.parse()).ok()
}

/// Digits, with a sign, a point and an exponent where there are any.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            exponent.strip_prefix(['+', '-']).unwrap_or(exponent),
        ),
        None => (unsigned, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let are_digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    are_digits(whole)
        && are_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && !exponent.is_empty()
        && exponent.len() <= 4
        && are_digits(exponent)
}

/// The float of a decimal: exact for 15 digits, and as good as any calculation with floats
/// for more. The standard library's reader is exact, but brings a table of 10 KB, which each
/// instance of the plugin would have to copy.
pub(crate) fn float(text: &str) -> f64 {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let mut exponent: i32 = exponent.parse().unwrap_or_default();
    let (mut digits, mut is_fraction) = (0.0_f64, false);
    for c in mantissa.bytes() {
        match c {
            b'0'..=b'9' => {
                digits = digits * 10.0 + f64::from(c - b'0');
                exponent -= i32::from(is_fraction);
            }
            b'.' => is_fraction = true,
            _ => {}
        }
    }
    let scaled = if exponent < 0 {
        digits / 10_f64.powi(-exponent)
    } else {
        digits * 10_f64.powi(exponent)
    };
    if text.starts_with('-') {
        -scaled
    } else {
        scaled
    }
}

/// The exact order, so that sorting numbers has one result.
#[expect(clippy::cast_possible_truncation, reason = "it is in range")]
fn order(integer: i128, float: f64) -> Ordering {
    const LIMIT: f64 = 1.7e38;
    if float.is_nan() || float >= LIMIT {
        return Ordering::Less;
    }
    if float <= -LIMIT {
        return Ordering::Greater;
    }
    let floor = float.floor();
    integer.cmp(&(floor as i128)).then(if float > floor {
        Ordering::Less
    } else {
        Ordering::Equal
    })
}

impl Plain {
    #[expect(
        clippy::cast_precision_loss,
        reason = "as in Jinja: a float has 16 digits"
    )]
    pub(crate) fn float(self) -> f64 {
        match self {
            // `-0.0` and `0.0` are one number.
            Self::Integer(number) => number as f64,
            Self::Float(number) => number + 0.0,
        }
    }
}
