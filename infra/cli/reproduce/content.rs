//! Whether two versions hold the same rows, whatever their order.
//!
//! Rows are compared by digests of Arrow's comparable row format; nothing of a value is kept or shown.

use arrow::array::{Array, ArrayRef, AsArray as _, Float32Array, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type, SchemaRef};
use arrow::row::{RowConverter, SortField};
use causeway_lake::Snapshot;
use futures::StreamExt as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

use crate::errors::Failure;

/// Digits kept where results are compared up to rounding: sums of floating-point numbers depend on
/// the order of their terms in the last few of 17.
const DIGITS: usize = 12;

/// How two versions compare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "content")]
pub(super) enum Compared {
    /// The same rows.
    Same {
        /// How many.
        n_rows: u64,
    },
    /// The same rows up to the last digits of floating-point columns.
    Rounded {
        /// How many.
        n_rows: u64,
        /// The columns that are not the same to the last digit.
        columns: Vec<String>,
    },
    /// Other columns.
    Columns {
        /// What was recorded, as `name type`.
        recorded: Vec<String>,
        /// What came now.
        now: Vec<String>,
    },
    /// Other rows.
    Rows {
        /// Rows recorded.
        recorded: u64,
        /// Rows now.
        now: u64,
        /// Rows that only the recorded version has.
        only_recorded: u64,
        /// Rows that only the new one has.
        only_now: u64,
        /// The columns whose values differ as a whole; none if they are only combined in other ways.
        columns: Vec<String>,
    },
}

impl Compared {
    /// Returns true if the results agree.
    pub(super) fn is_same(&self) -> bool {
        matches!(self, Self::Same { .. } | Self::Rounded { .. })
    }
}

/// Compares two versions.
pub(super) async fn compare(recorded: &Snapshot, now: &Snapshot) -> Result<Compared, Failure> {
    let (before, after) = (columns(&recorded.schema()), columns(&now.schema()));
    if before != after {
        return Ok(Compared::Columns { recorded: before, now: after });
    }
    let (one, other) = (digests(recorded, false).await?, digests(now, false).await?);
    if one.rows == other.rows {
        return Ok(Compared::Same { n_rows: one.n_rows() });
    }
    let columns = one.differing(&other);
    if one.rows.len() == other.rows.len() && recorded.schema().fields().iter().any(|field| is_float(field.data_type()))
    {
        let (one, other) = (digests(recorded, true).await?, digests(now, true).await?);
        if one.rows == other.rows {
            return Ok(Compared::Rounded { n_rows: one.n_rows(), columns });
        }
    }
    let (only_recorded, only_now) = surplus(&one.rows, &other.rows);
    Ok(Compared::Rows { recorded: one.n_rows(), now: other.n_rows(), only_recorded, only_now, columns })
}

fn columns(schema: &SchemaRef) -> Vec<String> {
    let described = |field: &arrow::datatypes::FieldRef| {
        format!("{} {}", field.name(), causeway_engine::sql_type(field.data_type()))
    };
    schema.fields().iter().map(described).collect()
}

fn is_float(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float32 | DataType::Float64)
}

/// The digests of a version.
struct Digests {
    /// One for each row, sorted.
    rows: Vec<u128>,
    /// For each column the sum over its values.
    columns: Vec<(String, u128)>,
}

impl Digests {
    fn n_rows(&self) -> u64 {
        self.rows.len() as u64
    }

    fn differing(&self, other: &Self) -> Vec<String> {
        let pairs = self.columns.iter().zip(&other.columns);
        pairs.filter(|((_, one), (_, other))| one != other).map(|((name, _), _)| name.clone()).collect()
    }
}

async fn digests(snapshot: &Snapshot, rounded: bool) -> Result<Digests, Failure> {
    let schema = snapshot.schema();
    let mut found = Digests {
        rows: Vec::with_capacity(usize::try_from(snapshot.n_rows()).unwrap_or(0)),
        columns: schema.fields().iter().map(|field| (field.name().clone(), 0)).collect(),
    };
    let mut stream = snapshot.rows().await?;
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(causeway_engine::EngineError::from)?;
        add(&mut found, &batch, rounded).map_err(|error| Failure::from(anyhow::Error::from(error)))?;
    }
    found.rows.sort_unstable();
    Ok(found)
}

fn add(found: &mut Digests, batch: &RecordBatch, rounded: bool) -> Result<(), arrow::error::ArrowError> {
    let arrays: Vec<ArrayRef> =
        batch.columns().iter().map(|array| if rounded { round(array) } else { Arc::clone(array) }).collect();
    for ((_, sum), array) in found.columns.iter_mut().zip(&arrays) {
        *sum = rows(std::slice::from_ref(array))?.into_iter().fold(*sum, u128::wrapping_add);
    }
    if arrays.is_empty() {
        found.rows.extend(std::iter::repeat_n(0, batch.num_rows()));
    } else {
        found.rows.extend(rows(&arrays)?);
    }
    Ok(())
}

/// Returns the digest of each row.
fn rows(arrays: &[ArrayRef]) -> Result<Vec<u128>, arrow::error::ArrowError> {
    let fields = arrays.iter().map(|array| SortField::new(array.data_type().clone())).collect();
    let rows = RowConverter::new(fields)?.convert_columns(arrays)?;
    let digest = |row: arrow::row::Row<'_>| {
        let bytes = Sha256::digest(row.data());
        bytes.iter().take(16).fold(0_u128, |number, byte| number << 8 | u128::from(*byte))
    };
    Ok(rows.iter().map(digest).collect())
}

fn round(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            Arc::new(values.iter().map(|value| value.map(rounded)).collect::<Float64Array>())
        }
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>();
            #[expect(clippy::cast_possible_truncation, reason = "to 5 digits, which it holds")]
            let short = |value: f32| format!("{value:.4e}").parse::<f64>().map_or(value, |value| value as f32);
            Arc::new(values.iter().map(|value| value.map(short)).collect::<Float32Array>())
        }
        _ => Arc::clone(array),
    }
}

fn rounded(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { format!("{value:.*e}", DIGITS - 1).parse().unwrap_or(value) }
}

/// Counts what each of two sorted lists has more of than the other.
fn surplus(one: &[u128], other: &[u128]) -> (u64, u64) {
    let (mut left, mut right) = (one.iter().peekable(), other.iter().peekable());
    let mut counts = (0, 0);
    loop {
        match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if a == b => {
                left.next();
                right.next();
            }
            (Some(a), b) if b.is_none_or(|b| a < b) => {
                counts.0 += 1;
                left.next();
            }
            (_, Some(_)) => {
                counts.1 += 1;
                right.next();
            }
            _ => return counts,
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, StringArray};

    use super::*;

    #[test]
    fn surplus_counts_repeated_rows() {
        assert_eq!(surplus(&[1, 1, 2, 5], &[1, 2, 2, 3]), (2, 2));
        assert_eq!(surplus(&[], &[7]), (0, 1));
        assert_eq!(surplus(&[7, 7], &[]), (2, 0));
    }

    #[test]
    fn rounding_forgives_the_order_of_a_sum_and_no_more() {
        assert_eq!(rounded(0.1 + 0.2).to_bits(), rounded(0.3).to_bits());
        assert_ne!(rounded(0.300_000_01).to_bits(), rounded(0.3).to_bits());
        assert_eq!(rounded(-0.0).to_bits(), 0.0_f64.to_bits());
        assert!(rounded(f64::NAN).is_nan() && rounded(f64::INFINITY).is_infinite());
    }

    #[test]
    fn the_digest_of_a_row_is_of_all_its_values() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("a")]));
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0, 1.0]));
        let digests = rows(&[texts, numbers]).unwrap();
        assert_eq!(digests[0], digests[2]);
        assert_ne!(digests[0], digests[1]);
    }
}
