//! A file's statistics for the log, taken from its Parquet footer.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Schema};
use datafusion::common::ScalarValue;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::ParquetMetaData;
use serde_json::{Map, Value, json};

use crate::bounds;

/// Columns beyond this many get no statistics.
const MOST_COLUMNS: usize = 32;

/// Returns the statistics of a file as Delta's JSON.
///
/// Columns for which `skip` says so get no bounds; identifying ones get nothing at all.
pub(super) fn collect(
    footer: &ParquetMetaData,
    schema: &Schema,
    skip: &dyn Fn(usize) -> bool,
    identifying: &HashSet<String>,
) -> String {
    let (mut low, mut high, mut nulls) = (Map::new(), Map::new(), Map::new());
    let listed = |name: &String| !identifying.contains(name);
    for (index, field) in
        schema.fields().iter().enumerate().filter(|(_, field)| listed(field.name())).take(MOST_COLUMNS)
    {
        let name = field.name();
        let Some(column) = ColumnBounds::read(footer, schema, name) else { continue };
        nulls.insert(name.clone(), json!(column.n_nulls));
        if skip(index) || !bounds::has_bounds(field.data_type()) {
            continue;
        }
        if let Some((min, max)) = column.min.zip(column.max) {
            low.insert(name.clone(), min);
            high.insert(name.clone(), max);
        }
    }
    let n_rows = footer.file_metadata().num_rows();
    json!({ "numRecords": n_rows, "minValues": low, "maxValues": high, "nullCount": nulls }).to_string()
}

/// The bounds of one column over all row groups.
struct ColumnBounds {
    min: Option<Value>,
    max: Option<Value>,
    n_nulls: u64,
}

impl ColumnBounds {
    /// Reads a flat column; None for nested ones and where the footer lacks counts.
    fn read(footer: &ParquetMetaData, schema: &Schema, name: &str) -> Option<Self> {
        let nested = matches!(
            schema.field_with_name(name).ok()?.data_type(),
            DataType::List(_) | DataType::Struct(_) | DataType::Map(..)
        );
        if nested {
            return None;
        }
        let converter = StatisticsConverter::try_new(name, schema, footer.file_metadata().schema_descr()).ok()?;
        let groups = footer.row_groups();
        let nulls = converter.row_group_null_counts(groups).ok()?;
        if nulls.null_count() > 0 {
            return None;
        }
        let all_null: Vec<bool> = groups
            .iter()
            .zip(nulls.values())
            .map(|(group, nulls)| u64::try_from(group.num_rows()).is_ok_and(|rows| rows == *nulls))
            .collect();
        let min = extreme(&converter.row_group_mins(groups).ok()?, &all_null, |new, best| new < best);
        let max = extreme(&converter.row_group_maxes(groups).ok()?, &all_null, |new, best| new > best);
        Some(Self {
            min: min.and_then(|value| bounds::to_json_min(&value)),
            max: max.and_then(|value| bounds::to_json_max(&value)),
            n_nulls: nulls.values().iter().sum(),
        })
    }
}

/// Returns the extreme of the row groups' bounds; None if a group with values has no bound.
fn extreme(
    bounds: &ArrayRef,
    all_null: &[bool],
    better: impl Fn(&ScalarValue, &ScalarValue) -> bool,
) -> Option<ScalarValue> {
    let mut best: Option<ScalarValue> = None;
    for (index, only_nulls) in all_null.iter().enumerate() {
        if bounds.is_null(index) {
            if *only_nulls {
                continue;
            }
            return None;
        }
        let value = ScalarValue::try_from_array(bounds, index).ok()?;
        if best.as_ref().is_none_or(|best| better(&value, best)) {
            best = Some(value);
        }
    }
    best
}
