//! Arrow columns of plain values.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, ListBuilder, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use causeway_model::Moment;
use chrono::DateTime;
use datafusion::error::{DataFusionError, Result};

/// Makes a column of strings.
pub(crate) fn texts<T: AsRef<str>>(values: impl Iterator<Item = T>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

/// Makes a column of strings with nulls.
pub(crate) fn optional_texts<T: AsRef<str>>(values: impl Iterator<Item = Option<T>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

/// Makes a column of integers.
pub(crate) fn integers(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

/// Makes a column of integers with nulls.
pub(crate) fn optional_integers(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<Int64Array>())
}

/// Makes a column of doubles with nulls.
pub(crate) fn optional_numbers(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.collect::<Float64Array>())
}

/// Makes a column of booleans.
pub(crate) fn booleans(values: impl Iterator<Item = bool>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<BooleanArray>())
}

/// Makes a column of booleans with nulls.
pub(crate) fn optional_booleans(values: impl Iterator<Item = Option<bool>>) -> ArrayRef {
    Arc::new(values.collect::<BooleanArray>())
}

/// Makes a column of lists of strings.
pub(crate) fn text_lists<T: AsRef<str>, L: IntoIterator<Item = T>>(values: impl Iterator<Item = L>) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for list in values {
        for text in list {
            builder.values().append_value(text);
        }
        builder.append(true);
    }
    Arc::new(builder.finish())
}

/// Makes a column of instants from RFC 3339 texts.
pub(crate) fn instants<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Result<ArrayRef> {
    let instants: Vec<Option<i64>> = values.map(|text| text.map(microseconds).transpose()).collect::<Result<_>>()?;
    Ok(Arc::new(TimestampMicrosecondArray::from(instants).with_timezone("UTC")))
}

/// Makes a column of instants from moments of the catalog.
pub(crate) fn moments(values: impl Iterator<Item = Option<Moment>>) -> ArrayRef {
    let microseconds = values.map(|moment| moment.map(|moment| moment.0.saturating_mul(1000)));
    Arc::new(microseconds.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

fn microseconds(text: &str) -> Result<i64> {
    DateTime::parse_from_rfc3339(text)
        .map(|instant| instant.timestamp_micros())
        .map_err(|_| DataFusionError::External("the catalog holds an instant that is not RFC 3339".into()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::TimestampMicrosecondType;

    use super::*;

    #[test]
    fn instants_are_microseconds_since_1970() {
        let column = instants([Some("1970-01-02T00:00:00.000001Z"), None].into_iter()).unwrap();
        let column = column.as_primitive::<TimestampMicrosecondType>();
        assert_eq!(column.value(0), 86_400_000_001);
        assert!(column.is_null(1));
        assert!(instants([Some("yesterday")].into_iter()).is_err());
    }
}
