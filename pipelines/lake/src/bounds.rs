//! Bounds of columns, between Delta's JSON and typed values.

use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use datafusion::common::ScalarValue;
use serde_json::{Value, json};

/// Text bounds longer than this many characters are cut.
const TEXT_LENGTH: usize = 32;
/// Sorts after every text that begins with the kept characters.
const AFTER_ALL: char = '\u{10FFFF}';

/// Returns true for types whose bounds go into the log.
pub(crate) fn has_bounds(data_type: &DataType) -> bool {
    use DataType::*;
    matches!(data_type, Int8 | Int16 | Int32 | Int64 | Float32 | Float64 | Utf8 | Date32)
        || matches!(data_type, Timestamp(TimeUnit::Microsecond, _))
}

/// Writes a lower bound.
pub(crate) fn to_json_min(value: &ScalarValue) -> Option<Value> {
    match value {
        ScalarValue::Utf8(Some(text)) => Some(json!(text.chars().take(TEXT_LENGTH).collect::<String>())),
        other => to_json(other),
    }
}

/// Writes an upper bound; a cut text gets a last character that sorts after everything.
pub(crate) fn to_json_max(value: &ScalarValue) -> Option<Value> {
    match value {
        ScalarValue::Utf8(Some(text)) if text.chars().nth(TEXT_LENGTH).is_some() => {
            Some(json!(text.chars().take(TEXT_LENGTH).chain([AFTER_ALL]).collect::<String>()))
        }
        ScalarValue::Utf8(Some(text)) => Some(json!(text)),
        other => to_json(other),
    }
}

fn to_json(value: &ScalarValue) -> Option<Value> {
    Some(match value {
        ScalarValue::Int8(Some(number)) => json!(number),
        ScalarValue::Int16(Some(number)) => json!(number),
        ScalarValue::Int32(Some(number)) => json!(number),
        ScalarValue::Int64(Some(number)) => json!(number),
        ScalarValue::Float32(Some(number)) if number.is_finite() => json!(f64::from(*number)),
        ScalarValue::Float64(Some(number)) if number.is_finite() => json!(number),
        ScalarValue::Date32(Some(days)) => {
            json!(NaiveDate::from_epoch_days(*days)?.format("%Y-%m-%d").to_string())
        }
        ScalarValue::TimestampMicrosecond(Some(micros), zone) => {
            let suffix = if zone.is_some() { "Z" } else { "" };
            let instant = DateTime::from_timestamp_micros(*micros)?;
            json!(format!("{}{suffix}", instant.format("%Y-%m-%dT%H:%M:%S%.6f")))
        }
        _ => return None,
    })
}

/// Reads a bound of a column of type `data_type`; None if it is absent or of another form.
pub(crate) fn from_json(value: &Value, data_type: &DataType) -> Option<ScalarValue> {
    Some(match data_type {
        DataType::Int8 => ScalarValue::Int8(Some(value.as_i64()?.try_into().ok()?)),
        DataType::Int16 => ScalarValue::Int16(Some(value.as_i64()?.try_into().ok()?)),
        DataType::Int32 => ScalarValue::Int32(Some(value.as_i64()?.try_into().ok()?)),
        DataType::Int64 => ScalarValue::Int64(Some(value.as_i64()?)),
        DataType::Float64 => ScalarValue::Float64(Some(value.as_f64()?)),
        DataType::Utf8 => ScalarValue::Utf8(Some(value.as_str()?.to_owned())),
        DataType::Date32 => {
            let day = NaiveDate::parse_from_str(value.as_str()?, "%Y-%m-%d").ok()?;
            ScalarValue::Date32(Some(day.to_epoch_days()))
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            ScalarValue::TimestampMicrosecond(Some(micros(value.as_str()?)?), zone.clone())
        }
        _ => return None,
    })
}

fn micros(text: &str) -> Option<i64> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.timestamp_micros());
    }
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    Some(local.and_utc().timestamp_micros())
}

/// Returns true if the bound is attained by a row, so that MIN and MAX may be answered from it.
///
/// Texts may be cut, and other writers round timestamps to milliseconds and leave out NaN.
pub(crate) fn is_exact(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Date32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_survive_the_log() {
        let utc = Some("UTC".into());
        for (value, data_type) in [
            (ScalarValue::Int64(Some(i64::MIN)), DataType::Int64),
            (ScalarValue::Float64(Some(-0.125)), DataType::Float64),
            (ScalarValue::Date32(Some(-719_162)), DataType::Date32),
            (ScalarValue::TimestampMicrosecond(Some(-1), None), DataType::Timestamp(TimeUnit::Microsecond, None)),
            (
                ScalarValue::TimestampMicrosecond(Some(1_700_000_000_000_001), utc.clone()),
                DataType::Timestamp(TimeUnit::Microsecond, utc),
            ),
            (ScalarValue::Utf8(Some("überall".to_owned())), DataType::Utf8),
        ] {
            let json = to_json_min(&value).unwrap();
            assert_eq!(from_json(&json, &data_type), Some(value));
        }
    }

    #[test]
    fn a_long_text_stays_within_its_bounds() {
        let text = "é".repeat(40);
        let value = ScalarValue::Utf8(Some(text.clone()));
        let low = to_json_min(&value).unwrap();
        let high = to_json_max(&value).unwrap();
        assert!(low.as_str().unwrap() <= text.as_str());
        assert!(high.as_str().unwrap() > text.as_str());
        assert_eq!(low.as_str().unwrap().chars().count(), 32);
    }

    #[test]
    fn infinite_and_missing_values_have_no_bound() {
        assert_eq!(to_json_min(&ScalarValue::Float64(Some(f64::INFINITY))), None);
        assert_eq!(to_json_max(&ScalarValue::Int64(None)), None);
    }
}
