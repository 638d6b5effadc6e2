//! What the tests of the family share: calls, and columns of the result.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, UInt64Type};
use causeway_core::{Literal, Literals, OperatorFactory, Output, Relation, Result, RunContext, call};

/// Returns a text literal.
pub(crate) fn text(word: &str) -> Literal {
    Literal::Text(word.to_owned())
}

/// Calls an operator on relations of one batch each.
pub(crate) fn run(
    factory: &dyn OperatorFactory,
    pairs: &[(&str, Literal)],
    inputs: &[RecordBatch],
    threads: usize,
) -> Result<Output> {
    let inputs = inputs.iter().map(|rows| Relation::from_batches(rows.schema(), vec![rows.clone()])).collect();
    run_relations(factory, pairs, inputs, &mut RunContext::for_test(threads)?)
}

/// Calls an operator in a context.
pub(crate) fn run_relations(
    factory: &dyn OperatorFactory,
    pairs: &[(&str, Literal)],
    inputs: Vec<Relation>,
    context: &mut RunContext,
) -> Result<Output> {
    let mut options = Literals::default();
    for (name, value) in pairs {
        options.insert(*name, value.clone());
    }
    call(factory, options, inputs, context)
}

/// Returns why an operator refuses a call.
pub(crate) fn refusal(factory: &dyn OperatorFactory, pairs: &[(&str, Literal)], inputs: &[RecordBatch]) -> String {
    run(factory, pairs, inputs, 1).unwrap_err().to_string()
}

/// Returns a column of doubles; null is NaN.
pub(crate) fn doubles(rows: &RecordBatch, column: &str) -> Vec<f64> {
    rows[column].as_primitive::<Float64Type>().iter().map(|value| value.unwrap_or(f64::NAN)).collect()
}

/// Returns a column of counts; null is the largest.
pub(crate) fn counts(rows: &RecordBatch, column: &str) -> Vec<u64> {
    rows[column].as_primitive::<UInt64Type>().iter().map(|value| value.unwrap_or(u64::MAX)).collect()
}

/// Returns a column of texts.
pub(crate) fn texts(rows: &RecordBatch, column: &str) -> Vec<String> {
    rows[column].as_string::<i32>().iter().map(|value| value.unwrap_or("NULL").to_owned()).collect()
}
