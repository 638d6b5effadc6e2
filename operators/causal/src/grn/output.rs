//! Results to Arrow.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use causeway_core::{Output, Report, Result};

use super::options::TestKind;
use crate::ci::Finding;

/// Makes the output of columns of one length.
pub(crate) fn assemble(schema: SchemaRef, columns: Vec<ArrayRef>, report: Report) -> Result<Output> {
    Ok(Output { batches: vec![RecordBatch::try_new(schema, columns)?], report })
}

/// Returns the names of some genes, separated by commas.
pub(crate) fn join(genes: &[String], set: &[usize]) -> String {
    set.iter().map(|gene| genes[*gene].as_str()).collect::<Vec<_>>().join(",")
}

/// Returns a column of text.
pub(crate) fn texts<S: AsRef<str>>(values: impl Iterator<Item = S>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

/// Returns a column of doubles with nulls.
pub(crate) fn doubles(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.collect::<Float64Array>())
}

/// Returns a column of counts.
pub(crate) fn counts(values: impl Iterator<Item = usize>) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(values.map(|value| value as u64)))
}

/// Returns the statistic, the p-value and its logarithm; nulls where the test could not be run.
pub(crate) fn statistics<'a>(test: TestKind, findings: impl Iterator<Item = &'a Finding> + Clone) -> [ArrayRef; 3] {
    let run = findings.map(|finding| finding.was_run().then_some(finding));
    [
        doubles(run.clone().map(|finding| finding.map(|finding| finding.statistic))),
        doubles(run.clone().map(|finding| finding.map(|finding| finding.p_value))),
        doubles(run.map(|finding| finding.map(|finding| test.log_p_value(finding)))),
    ]
}
