//! The rows of the output, before they are columns.

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use causeway_core::{Output, Report, Result};
use std::sync::Arc;

use crate::histogram::Strata;

/// One bin of one stratum.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) time: (f64, f64),
    /// Events, censorings and those at risk.
    pub(super) counts: Option<(f64, f64, f64)>,
    pub(super) survival: f64,
    pub(super) limits: Option<(f64, f64)>,
    pub(super) cumulative_hazard: Option<f64>,
    pub(super) privacy_se: Option<f64>,
    pub(super) reliable: bool,
    /// Chi-square and p-value.
    pub(super) log_rank: Option<(f64, Option<f64>)>,
}

/// Makes the output of the rows of each stratum.
pub(super) fn output(
    schema: SchemaRef,
    strata: &Strata,
    rows: &[Vec<Row>],
    (epsilon, guarantee): (f64, &str),
    report: Report,
) -> Result<Output> {
    let rows_per_stratum: Vec<usize> = rows.iter().map(Vec::len).collect();
    let rows: Vec<&Row> = rows.iter().flatten().collect();
    let doubles = |value: &dyn Fn(&Row) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(|row| value(row)).collect::<Float64Array>())
    };
    let mut columns = strata.keys(&rows_per_stratum)?;
    columns.extend([
        doubles(&|row| Some(row.time.0)),
        doubles(&|row| Some(row.time.1)),
        doubles(&|row| row.counts.map(|counts| counts.0)),
        doubles(&|row| row.counts.map(|counts| counts.1)),
        doubles(&|row| row.counts.map(|counts| counts.2)),
        doubles(&|row| Some(row.survival)),
        doubles(&|row| row.limits.map(|limits| limits.0)),
        doubles(&|row| row.limits.map(|limits| limits.1)),
        doubles(&|row| row.cumulative_hazard),
        doubles(&|row| row.privacy_se),
        Arc::new(rows.iter().map(|row| Some(row.reliable)).collect::<BooleanArray>()),
        doubles(&|row| row.log_rank.map(|test| test.0)),
        doubles(&|row| row.log_rank.and_then(|test| test.1)),
        doubles(&|_| Some(epsilon)),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|_| guarantee))),
    ]);
    Ok(Output { batches: vec![RecordBatch::try_new(schema, columns)?], report })
}
