//! Values from text: `name=value`, `name:type=value`.

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, Timelike as _, Utc};

use super::value::{Finite, ParameterType, ParameterValue};
use super::{ParameterError, checked};

/// The longest text, in bytes.
const LONGEST_TEXT: usize = 65_536;

/// The years that a date or instant may lie in; what SQL and Parquet can hold in common.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

/// Forms of instants without a zone, which are UTC.
const WITHOUT_ZONE: [&str; 4] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];

/// Reads `name=value` or `name:type=value`.
pub(super) fn assignment(given: &str) -> Result<(String, ParameterValue), ParameterError> {
    let Some((left, value)) = given.split_once('=') else {
        return Err(ParameterError(
            "a parameter is given as name=value or name:type=value: --param day:date=2026-01-01".to_owned(),
        ));
    };
    let (name, kind) = match left.split_once(':') {
        Some((name, kind)) => (name, Some(kind)),
        None => (left, None),
    };
    let name = checked(name.trim())?;
    let value = match kind {
        Some(kind) => {
            ParameterType::of_name(kind.trim()).ok_or_else(|| unknown_type(kind)).and_then(|kind| typed(kind, value))
        }
        None => inferred(value),
    };
    let value = value.map_err(|error| ParameterError(format!("parameter `{name}`: {error}")))?;
    Ok((name, value))
}

fn unknown_type(kind: &str) -> ParameterError {
    let names: Vec<&str> = ParameterType::ALL.iter().map(|kind| kind.name()).collect();
    let kind: String = kind.trim().chars().filter(char::is_ascii_alphanumeric).take(20).collect();
    ParameterError(format!("there is no type `{kind}`; types are {}", names.join(", ")))
}

/// Reads a value of a type.
pub(super) fn typed(kind: ParameterType, value: &str) -> Result<ParameterValue, ParameterError> {
    match kind {
        ParameterType::BigInt => value.trim().parse().map(ParameterValue::BigInt).map_err(|_| not_bigint()),
        ParameterType::Double => double(value.trim()).map(ParameterValue::Double),
        ParameterType::Text => text(value).map(ParameterValue::Text),
        ParameterType::Boolean => match value.trim().to_lowercase().as_str() {
            "true" => Ok(ParameterValue::Boolean(true)),
            "false" => Ok(ParameterValue::Boolean(false)),
            _ => Err(ParameterError("a boolean is true or false".to_owned())),
        },
        ParameterType::Date => date(value.trim()).map(ParameterValue::Date),
        ParameterType::Timestamp => timestamp(value.trim()).map(ParameterValue::Timestamp),
    }
}

/// Reads a value as what it looks like. What looks like a number or day and is none is refused, not
/// taken for text.
fn inferred(value: &str) -> Result<ParameterValue, ParameterError> {
    if value == "true" || value == "false" {
        return Ok(ParameterValue::Boolean(value == "true"));
    }
    match shape(value) {
        Shape::Whole => value.parse().map(ParameterValue::BigInt).map_err(|_| not_bigint()),
        Shape::Decimal => double(value).map(ParameterValue::Double),
        Shape::Day => date(value).map(ParameterValue::Date),
        Shape::Instant => timestamp(value).map(ParameterValue::Timestamp),
        Shape::Other => text(value).map(ParameterValue::Text),
    }
}

/// What a text looks like.
enum Shape {
    Whole,
    Decimal,
    Day,
    Instant,
    Other,
}

fn shape(value: &str) -> Shape {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // `007` is a code, not a number: as one it would lose its zeros.
    let is_padded = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    if all_digits(digits) {
        return if is_padded || value == "-0" { Shape::Other } else { Shape::Whole };
    }
    if !is_padded && is_decimal(digits) {
        return Shape::Decimal;
    }
    let bytes = value.as_bytes();
    let is_day = bytes.len() >= 10
        && bytes.iter().take(10).enumerate().all(|(index, byte)| match index {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    match (is_day, bytes.get(10)) {
        (true, None) => Shape::Day,
        (true, Some(b'T' | b' ')) if bytes.get(11).is_some_and(u8::is_ascii_digit) => Shape::Instant,
        _ => Shape::Other,
    }
}

/// Returns true for `1.5`, `.5`, `1e3`, `1.5E-3`.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

fn not_bigint() -> ParameterError {
    ParameterError(
        "a bigint is a whole number from -9223372036854775808 to 9223372036854775807; longer codes are \
         name:text=…, larger numbers name:double=…"
            .to_owned(),
    )
}

fn double(value: &str) -> Result<Finite, ParameterError> {
    let wrong = || ParameterError("a double is a finite number such as 0.5 or 1e-3".to_owned());
    let looks_right = is_decimal(value.strip_prefix(['-', '+']).unwrap_or(value));
    let number = value.parse().ok().filter(|_| looks_right).ok_or_else(wrong)?;
    Finite::new(number).map_err(|_| wrong())
}

pub(super) fn text(value: &str) -> Result<String, ParameterError> {
    if value.contains('\0') {
        return Err(ParameterError("a text holds no NUL character".to_owned()));
    }
    if value.len() > LONGEST_TEXT {
        return Err(ParameterError(format!("a text has at most {LONGEST_TEXT} bytes; put longer ones into a table")));
    }
    Ok(value.to_owned())
}

pub(super) fn date(value: &str) -> Result<NaiveDate, ParameterError> {
    let date = NaiveDate::parse_from_str(value, "%Y-%m-%d").ok();
    date.filter(|date| value.len() == 10 && YEARS.contains(&date.year())).ok_or_else(|| {
        ParameterError(
            "a date is a day of the calendar such as 2026-01-31; what is none is given as name:text=…".to_owned(),
        )
    })
}

pub(super) fn timestamp(value: &str) -> Result<DateTime<Utc>, ParameterError> {
    let zoned = DateTime::parse_from_rfc3339(value).map(|instant| instant.with_timezone(&Utc)).ok();
    let naive = || WITHOUT_ZONE.iter().find_map(|form| NaiveDateTime::parse_from_str(value, form).ok());
    let day = || NaiveDate::parse_from_str(value, "%Y-%m-%d").ok().map(|day| day.and_time(chrono::NaiveTime::MIN));
    let instant = zoned.or_else(|| naive().or_else(day).map(|wall| wall.and_utc()));
    let wrong = || {
        ParameterError(
            "a timestamp is an instant such as 2026-01-31T02:30:00Z or 2026-01-31 03:30:00+01:00, to the microsecond; \
             without a zone it is UTC"
                .to_owned(),
        )
    };
    let is_kept = |instant: &DateTime<Utc>| {
        YEARS.contains(&instant.year())
            && instant.nanosecond() < 1_000_000_000
            && instant.nanosecond().is_multiple_of(1_000)
    };
    instant.filter(is_kept).ok_or_else(wrong)
}
