//! Days and instants from text.

use chrono::format::{Item, StrftimeItems};
use chrono::{NaiveDate, NaiveDateTime};

use crate::fault::Reason;

/// The form dates and timestamps are written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Calendar {
    /// `2024-03-01`, `2024-03-01T12:30:00.5+01:00`.
    Iso,
    /// A strftime form.
    Custom(String),
}

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

impl Calendar {
    /// Checks the form; the error says what is wrong with it.
    pub(crate) fn new(format: Option<&str>) -> Result<Self, String> {
        let Some(format) = format else { return Ok(Self::Iso) };
        if format.is_empty() || StrftimeItems::new(format).any(|item| item == Item::Error) {
            return Err("`format` must be a strftime form such as `%d.%m.%Y`".to_owned());
        }
        Ok(Self::Custom(format.to_owned()))
    }

    /// Reads a day as days since 1970-01-01.
    pub(crate) fn date(&self, text: &[u8]) -> Result<i32, Reason> {
        match self {
            Self::Iso => iso_date(text).ok_or(Reason::BadDate),
            Self::Custom(format) => {
                let parsed = NaiveDate::parse_from_str(utf8(text, Reason::BadDate)?, format);
                days(parsed.map_err(|_| Reason::BadDate)?).ok_or(Reason::BadDate)
            }
        }
    }

    /// Reads an instant as microseconds since 1970-01-01 00:00 UTC.
    pub(crate) fn timestamp(&self, text: &[u8]) -> Result<i64, Reason> {
        match self {
            Self::Iso => iso_timestamp(text).ok_or(Reason::BadTimestamp),
            Self::Custom(format) => {
                let text = utf8(text, Reason::BadTimestamp)?;
                custom_timestamp(text, format).ok_or(Reason::BadTimestamp)
            }
        }
    }
}

fn utf8(text: &[u8], reason: Reason) -> Result<&str, Reason> {
    std::str::from_utf8(text).map_err(|_| reason)
}

fn custom_timestamp(text: &str, format: &str) -> Option<i64> {
    if let Ok(zoned) = chrono::DateTime::parse_from_str(text, format) {
        return Some(zoned.timestamp_micros());
    }
    if let Ok(instant) = NaiveDateTime::parse_from_str(text, format) {
        return Some(instant.and_utc().timestamp_micros());
    }
    let midnight = NaiveDate::parse_from_str(text, format).ok()?.and_hms_opt(0, 0, 0)?;
    Some(midnight.and_utc().timestamp_micros())
}

fn days(date: NaiveDate) -> Option<i32> {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
    i32::try_from(date.signed_duration_since(epoch).num_days()).ok()
}

/// Reads `YYYY-MM-DD`.
fn iso_date(text: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return None };
    let year = two_digits(*y1, *y2)? * 100 + two_digits(*y3, *y4)?;
    let month = two_digits(*m1, *m2)?;
    let day = two_digits(*d1, *d2)?;
    civil_days(year, month, day)
}

/// Counts days since 1970-01-01 in the Gregorian calendar, from March so that leap days come last.
fn civil_days(year: i32, month: i32, day: i32) -> Option<i32> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return None,
    };
    if year < 1 || day < 1 || day > days_in_month {
        return None;
    }
    let march_year = if month > 2 { year } else { year - 1 };
    let march_month = (month + 9) % 12; // March = 0
    let (era, year_of_era) = (march_year / 400, march_year % 400);
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Reads `YYYY-MM-DD[(T| )HH:MM[:SS[.fraction]][Z|±HH[:]MM]]`; no zone means UTC.
fn iso_timestamp(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let seconds = i64::from(iso_date(date)?) * SECONDS_PER_DAY;
    let [b'T' | b't' | b' ', h1, h2, b':', m1, m2, rest @ ..] = rest else {
        return rest.is_empty().then_some(seconds * MICROS_PER_SECOND);
    };
    let (hour, minute) = (two_digits(*h1, *h2)?, two_digits(*m1, *m2)?);
    let (second, rest) = match rest {
        [b':', s1, s2, rest @ ..] => (two_digits(*s1, *s2)?, rest),
        _ => (0, rest),
    };
    let (micros, rest) = match rest {
        [b'.' | b',', rest @ ..] => fraction(rest)?,
        _ => (0, rest),
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let offset = zone_offset(rest)?;
    let seconds = seconds + i64::from(hour * 3600 + minute * 60 + second) - offset;
    Some(seconds * MICROS_PER_SECOND + micros)
}

/// Reads 1 to 9 digits of a second; digits beyond microseconds are cut.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let n_digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if n_digits == 0 || n_digits > 9 {
        return None;
    }
    let (digits, rest) = text.split_at(n_digits);
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(6);
    Some((padded.fold(0, |value, byte| value * 10 + i64::from(byte - b'0')), rest))
}

/// Reads a zone as seconds east of UTC.
fn zone_offset(text: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match text {
        [] | [b'Z' | b'z'] => return Some(0),
        [sign, h1, h2] => (sign, two_digits(*h1, *h2)?, 0),
        [sign, h1, h2, m1, m2] | [sign, h1, h2, b':', m1, m2] => (sign, two_digits(*h1, *h2)?, two_digits(*m1, *m2)?),
        _ => return None,
    };
    if hours > 18 || minutes > 59 {
        return None;
    }
    let seconds = i64::from(hours * 3600 + minutes * 60);
    match sign {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

fn two_digits(tens: u8, ones: u8) -> Option<i32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i32::from(tens) * 10 + i32::from(ones))
}
