//! What the tests of the family share: tables, calls, columns of the result.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, UInt64Type};
use causeway_core::{Literal, Literals, OperatorFactory, Output, Relation, Result, RunContext, call};

/// Returns a text literal.
pub(crate) fn text(word: &str) -> Literal {
    Literal::Text(word.to_owned())
}

/// Returns a column of doubles.
pub(crate) fn numbers(values: impl IntoIterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

/// Returns a column of text.
pub(crate) fn words<'a>(values: impl IntoIterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

/// Returns columns named g00, g01, … as a table.
pub(crate) fn wide(columns: &[Vec<f64>]) -> RecordBatch {
    let columns = columns.iter().enumerate().map(|(gene, column)| (format!("g{gene:02}"), numbers(column.clone())));
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Calls an operator on batches with a number of threads.
pub(crate) fn call_on(
    factory: &dyn OperatorFactory,
    pairs: &[(&str, Literal)],
    batches: Vec<RecordBatch>,
    threads: usize,
) -> Result<Output> {
    let mut options = Literals::default();
    for (name, value) in pairs {
        options.insert(*name, value.clone());
    }
    let input = Relation::from_batches(batches[0].schema(), batches);
    call(factory, options, vec![input], &mut RunContext::for_test(threads)?)
}

/// Calls an operator on one batch and returns its one batch.
pub(crate) fn run(factory: &dyn OperatorFactory, pairs: &[(&str, Literal)], rows: &RecordBatch) -> RecordBatch {
    call_on(factory, pairs, vec![rows.clone()], 2).unwrap().batches.remove(0)
}

/// Returns why an operator refuses a batch.
pub(crate) fn refusal(factory: &dyn OperatorFactory, pairs: &[(&str, Literal)], rows: &RecordBatch) -> String {
    call_on(factory, pairs, vec![rows.clone()], 2).unwrap_err().to_string()
}

/// Returns a column of doubles; null is NaN.
pub(crate) fn doubles(rows: &RecordBatch, column: &str) -> Vec<f64> {
    rows[column].as_primitive::<Float64Type>().iter().map(|value| value.unwrap_or(f64::NAN)).collect()
}

/// Returns a column of counts.
pub(crate) fn counts(rows: &RecordBatch, column: &str) -> Vec<u64> {
    rows[column].as_primitive::<UInt64Type>().values().to_vec()
}

/// Returns a column of text; null is "null".
pub(crate) fn texts(rows: &RecordBatch, column: &str) -> Vec<String> {
    rows[column].as_string::<i32>().iter().map(|value| value.unwrap_or("null").to_owned()).collect()
}

/// A value that looks random: the fractional part of a multiple of an irrational number.
pub(crate) fn noise(cell: usize, stream: f64) -> f64 {
    let angle = (cell as f64 + 1.0) * (stream + 2.0).sqrt() * 7.31;
    (angle.sin() * 43_758.545).fract().abs()
}
