//! Results to Arrow: repeats the group columns beside the rows of each group.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use causeway_core::{OperatorError, Output, Report, Result};
use rayon::prelude::*;

use crate::risk_table::Moment;

/// Makes the output from the group columns, the number of rows of each group and the other columns.
pub(crate) fn assemble(
    schema: SchemaRef,
    keys: &[ArrayRef],
    rows_per_group: &[usize],
    columns: Vec<ArrayRef>,
    report: Report,
) -> Result<Output> {
    let n_rows: usize = rows_per_group.iter().sum();
    if n_rows == 0 {
        return Ok(Output { batches: Vec::new(), report });
    }
    let mut all = Vec::with_capacity(keys.len() + columns.len());
    if !keys.is_empty() {
        let indices = group_of_row(rows_per_group)?;
        for key in keys {
            all.push(take(key, &indices, None)?);
        }
    }
    all.extend(columns);
    Ok(Output { batches: vec![RecordBatch::try_new(schema, all)?], report })
}

/// Makes one column; long ones are made side by side.
pub(crate) type Column<'a> = &'a (dyn Fn() -> ArrayRef + Sync);

/// Returns the columns `time`, `at_risk`, `events`, `censored`, and the estimates beside them.
pub(crate) fn curve_columns(moments: &[Moment], estimates: &[Column<'_>]) -> Vec<ArrayRef> {
    let moments: [Column<'_>; 4] = [
        &|| doubles(moments.iter().map(|moment| moment.time)),
        &|| counts(moments.iter().map(|moment| moment.at_risk)),
        &|| counts(moments.iter().map(|moment| moment.events)),
        &|| counts(moments.iter().map(|moment| moment.censored)),
    ];
    moments.par_iter().chain(estimates.par_iter()).map(|make| make()).collect()
}

/// Appends the rows of the next group; the first one's are taken as they are.
pub(crate) fn add<T>(all: &mut Vec<T>, next: Vec<T>) {
    if all.is_empty() {
        *all = next;
    } else {
        all.extend(next);
    }
}

/// Returns a column of doubles.
pub(crate) fn doubles(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

/// Returns a column of doubles with nulls.
pub(crate) fn nullable_doubles(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.collect::<Float64Array>())
}

/// Returns a column of counts.
pub(crate) fn counts(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(values))
}

fn group_of_row(rows_per_group: &[usize]) -> Result<UInt32Array> {
    if u32::try_from(rows_per_group.len()).is_err() {
        let problem = format!("{} groups are more than a result can hold", rows_per_group.len());
        return Err(OperatorError::Data { operator: "survival", problem });
    }
    let groups = (0_u32..).zip(rows_per_group);
    Ok(groups.flat_map(|(group, n_rows)| std::iter::repeat_n(group, *n_rows)).collect::<Vec<u32>>().into())
}
