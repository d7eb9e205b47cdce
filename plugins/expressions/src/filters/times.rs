//! Filters of times. A time is a text in RFC 3339, as `user.time` is.
//!
//! The calendar is the crate `time`'s. Its formats are not used: they would be a quarter of
//! the plugin's machine code.

use std::fmt::Write as _;

use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

use super::{Literal, Parameter, argument, parameter, whole};
use crate::kinds::Kinds;
use crate::number::Plain;
use crate::value::Value;

type Outcome<'a> = Result<Value<'a>, String>;

const MAX_DAYS: i64 = 1_000_000;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
/// What a format can hold, as in C and Python.
#[cfg(feature = "compiler")]
const WRITTEN: &str = "YmdHMSfjyzAaBbuw%FT";
/// What a format that is read can hold.
#[cfg(feature = "compiler")]
const READ: &str = "YmdHMSfzBb%FT";

pub(super) const FORMAT: Parameter = parameter!(
    "format",
    Kinds::TEXT,
    None,
    Some(|text| check_format(text, WRITTEN))
);
pub(super) const PARSED: Parameter = parameter!(
    "format",
    Kinds::TEXT,
    Some(Literal::Text("")),
    Some(|text| check_format(text, READ))
);
pub(super) const OFFSET: Parameter = parameter!(
    "tz",
    Kinds::TEXT,
    Some(Literal::Text("UTC")),
    Some(|text| offset_of(text).map(|_| ()))
);

#[cfg(feature = "compiler")]
fn check_format(text: &str, known: &str) -> Result<(), String> {
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let code = if c == '%' { rest.next() } else { continue };
        if !code.is_some_and(|code| known.contains(code)) {
            let codes: Vec<_> = known.chars().map(|code| format!("%{code}")).collect();
            let code = code.map_or(String::new(), String::from);
            return Err(format!("has `%{code}`; it can have {}", codes.join(" ")));
        }
    }
    Ok(())
}

fn offset_of(text: &str) -> Result<UtcOffset, String> {
    let mut text_left = text;
    let offset = if text == "UTC" {
        Some(UtcOffset::UTC)
    } else {
        read_offset(&mut text_left).filter(|_| text_left.is_empty())
    };
    offset.ok_or_else(|| "must be 'UTC' or an offset such as '+09:00'".to_owned())
}

pub(super) fn strftime<'a>(value: Value<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let offset = offset_of(argument(arguments, 1))?;
    let time = time_of(&value)?.checked_to_offset(offset);
    let time = time.ok_or_else(|| format!("{value} is out of range"))?;
    Ok(Value::text(written(time, argument(arguments, 0))))
}

pub(super) fn timestamp<'a>(value: Value<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let days = whole(arguments.first(), "days")?;
    if days.abs() > MAX_DAYS {
        return Err(format!("`days` must be from -{MAX_DAYS} to {MAX_DAYS}"));
    }
    let seconds = time_of(&value)?.unix_timestamp();
    Ok(Value::integer(seconds + days * 86_400))
}

pub(super) fn to_datetime<'a>(value: Value<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let format = argument(arguments, 0);
    let time = match &value {
        Value::Number(number) => seconds(number.plain()),
        value if format.is_empty() => Some(time_of(value)?),
        value => {
            let text = value.characters().unwrap_or_default();
            let mut rest: &str = &text;
            read(&mut rest, format).filter(|_| rest.is_empty())
        }
    };
    let utc = time.and_then(|time| time.checked_to_offset(UtcOffset::UTC));
    let utc = utc.ok_or_else(|| format!("{value} is not a time in the format `{format}`"))?;
    Ok(Value::text(written(utc, "%FT%T.%fZ")))
}

fn seconds(number: Plain) -> Option<OffsetDateTime> {
    let milliseconds = match number {
        Plain::Integer(seconds) => seconds.checked_mul(1000)?,
        #[expect(clippy::cast_possible_truncation, reason = "it is in range")]
        Plain::Float(seconds) if seconds.abs() < 1e12 => (seconds * 1000.0).round() as i128,
        Plain::Float(_) => return None,
    };
    OffsetDateTime::from_unix_timestamp_nanos(milliseconds.checked_mul(1_000_000)?).ok()
}

/// A time in RFC 3339, or a date, which stands for its first moment in UTC.
fn time_of(value: &Value<'_>) -> Result<OffsetDateTime, String> {
    let text = value.characters().unwrap_or_default();
    let date_only = text.len() == "2026-11-23".len();
    let fraction = if text.contains('.') { ".%f%z" } else { "%z" };
    let format = if date_only {
        "%F".to_owned()
    } else {
        format!("%FT%T{fraction}")
    };
    let mut rest: &str = &text;
    let time = read(&mut rest, &format).filter(|_| rest.is_empty());
    time.ok_or_else(|| {
        format!("{value} is not a time such as `2026-11-23T09:06:52Z` or a date such as `2026-11-23`; `to_datetime('%d.%m.%Y')` reads other formats")
    })
}

/// The characters and codes of a format.
fn codes(format: &str) -> impl Iterator<Item = (bool, char)> {
    let mut rest = format.chars();
    std::iter::from_fn(move || match rest.next()? {
        '%' => Some((true, rest.next()?)),
        c => Some((false, c)),
    })
}

fn written(time: OffsetDateTime, format: &str) -> String {
    let mut text = String::new();
    write(&mut text, time, format);
    text
}

fn write(text: &mut String, time: OffsetDateTime, format: &str) {
    for (is_code, c) in codes(format) {
        if !is_code {
            text.push(c);
            continue;
        }
        let month = u8::from(time.month());
        let weekday = time.weekday().number_days_from_sunday();
        let name = |names: &[&'static str], index: u8| -> &'static str {
            names.get(usize::from(index)).copied().unwrap_or_default()
        };
        // Formatting a text cannot fail.
        let _ = match c {
            'Y' => write!(text, "{:04}", time.year()),
            'y' => write!(text, "{:02}", time.year().rem_euclid(100)),
            'm' => write!(text, "{month:02}"),
            'd' => write!(text, "{:02}", time.day()),
            'H' => write!(text, "{:02}", time.hour()),
            'M' => write!(text, "{:02}", time.minute()),
            'S' => write!(text, "{:02}", time.second()),
            'f' => write!(text, "{:03}", time.millisecond()),
            'j' => write!(text, "{:03}", time.ordinal()),
            'u' => write!(text, "{}", time.weekday().number_from_monday()),
            'w' => write!(text, "{weekday}"),
            'A' => text.write_str(name(&WEEKDAYS, weekday)),
            'a' => text.write_str(name(&WEEKDAYS, weekday).get(..3).unwrap_or_default()),
            'B' => text.write_str(name(&MONTHS, month - 1)),
            'b' => text.write_str(name(&MONTHS, month - 1).get(..3).unwrap_or_default()),
            'z' => {
                let (hours, minutes, _) = time.offset().as_hms();
                let sign = if time.offset().is_negative() {
                    '-'
                } else {
                    '+'
                };
                write!(text, "{sign}{:02}{:02}", hours.abs(), minutes.abs())
            }
            'F' => {
                write(text, time, "%Y-%m-%d");
                Ok(())
            }
            'T' => {
                write(text, time, "%H:%M:%S");
                Ok(())
            }
            c => text.write_char(c),
        };
    }
}

/// What a format has read so far.
struct Read {
    year: i32,
    month: u8,
    day: u8,
    clock: [u8; 3],
    milliseconds: u16,
    offset: UtcOffset,
}

/// A time in a format. Without a time of day, it is midnight; without an offset, UTC.
fn read(text: &mut &str, format: &str) -> Option<OffsetDateTime> {
    let mut found = Read {
        year: 1970,
        month: 1,
        day: 1,
        clock: [0; 3],
        milliseconds: 0,
        offset: UtcOffset::UTC,
    };
    read_codes(text, format, &mut found)?;
    let month = Month::try_from(found.month).ok()?;
    let date = Date::from_calendar_date(found.year, month, found.day).ok()?;
    let [hour, minute, second] = found.clock;
    // A leap second is the second before it, as POSIX has none.
    let time = Time::from_hms_milli(hour, minute, second.min(59), found.milliseconds).ok()?;
    (second <= 60).then_some(date.with_time(time).assume_offset(found.offset))
}

fn read_codes(text: &mut &str, format: &str, found: &mut Read) -> Option<()> {
    for (is_code, c) in codes(format) {
        match c {
            'Y' if is_code => found.year = digits(text, 4, 4)?.try_into().ok()?,
            'm' if is_code => found.month = digits(text, 1, 2)?.try_into().ok()?,
            'd' if is_code => found.day = digits(text, 1, 2)?.try_into().ok()?,
            'H' if is_code => found.clock[0] = digits(text, 1, 2)?.try_into().ok()?,
            'M' if is_code => found.clock[1] = digits(text, 1, 2)?.try_into().ok()?,
            'S' if is_code => found.clock[2] = digits(text, 1, 2)?.try_into().ok()?,
            'f' if is_code => found.milliseconds = fraction(text)?,
            'B' | 'b' if is_code => found.month = month_name(text, c == 'b')?,
            'z' if is_code => found.offset = read_offset(text)?,
            'F' if is_code => read_codes(text, "%Y-%m-%d", found)?,
            'T' if is_code => read_codes(text, "%H:%M:%S", found)?,
            c => *text = text.strip_prefix(c)?,
        }
    }
    Some(())
}

fn digits(text: &mut &str, least: usize, most: usize) -> Option<u32> {
    let count = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    let (digits, rest) = text.split_at_checked(count).filter(|_| count >= least)?;
    *text = rest;
    digits.parse().ok()
}

/// The milliseconds of a fraction of a second.
fn fraction(text: &mut &str) -> Option<u16> {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(count).filter(|_| count > 0)?;
    *text = rest;
    let digit = |at: usize| {
        digits
            .as_bytes()
            .get(at)
            .map_or(0, |digit| u16::from(digit - b'0'))
    };
    Some(digit(0) * 100 + digit(1) * 10 + digit(2))
}

fn month_name(text: &mut &str, is_short: bool) -> Option<u8> {
    let named = |name: &&str| if is_short { name.get(..3) } else { Some(*name) }.map(str::len);
    let is_here = |name: &&&str| {
        let here = named(name).and_then(|length| Some((text.get(..length)?, name.get(..length)?)));
        here.is_some_and(|(text, name)| text.eq_ignore_ascii_case(name))
    };
    let name = MONTHS.iter().find(is_here)?;
    *text = text.get(named(name)?..)?;
    let index = MONTHS.iter().position(|each| each == name)?;
    u8::try_from(index + 1).ok()
}

/// `Z`, `+09:00` or `+0900`.
fn read_offset(text: &mut &str) -> Option<UtcOffset> {
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        *text = rest;
        return Some(UtcOffset::UTC);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    *text = text.strip_prefix(['+', '-'])?;
    let hours = i32::try_from(digits(text, 2, 2)?).ok()?;
    *text = text.strip_prefix(':').unwrap_or(text);
    let minutes = i32::try_from(digits(text, 2, 2)?)
        .ok()
        .filter(|minutes| *minutes < 60)?;
    UtcOffset::from_whole_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}
