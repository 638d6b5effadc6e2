//! What the tests of the family share: reference data, calls, columns of the result.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float64Type, SchemaRef, UInt64Type};
use causeway_core::{Literal, Literals, OperatorFactory, Relation, Result, RunContext, call};
use proptest::prelude::*;
use serde_json::Value;

/// The data sets that have a full golden table.
pub(crate) const DATA: [&str; 6] = ["lung", "rossi", "gbsg2", "waltons", "leukemia", "larynx"];

/// One subject: time, event, entry, group.
pub(crate) type Subject = (f64, bool, f64, u8);

fn path(file: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../tests/data/survival").join(file)
}

/// Returns the cells of a reference table by column; empty cells are NaN.
pub(crate) fn golden_table(file: &str) -> Vec<(String, Vec<f64>)> {
    let text = std::fs::read_to_string(path(file)).unwrap();
    let mut lines = text.lines();
    let names = lines.next().unwrap().split(',');
    let mut columns: Vec<(String, Vec<f64>)> = names.map(|name| (name.to_owned(), Vec::new())).collect();
    for line in lines {
        for (column, cell) in columns.iter_mut().zip(line.split(',')) {
            column.1.push(cell.parse().unwrap_or(f64::NAN));
        }
    }
    columns
}

/// Returns a reference file.
pub(crate) fn golden_json(file: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path(file)).unwrap()).unwrap()
}

/// Returns a data set with columns `time`, `event` and, if the file has them, `group` and `entry`.
pub(crate) fn data_set(name: &str) -> RecordBatch {
    let text = std::fs::read_to_string(path(&format!("{name}.csv"))).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let cells: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let columns = names.iter().enumerate().map(|(index, name)| {
        let cells = cells.iter().map(|row| row[index]);
        let column: ArrayRef = match *name {
            "group" => Arc::new(cells.map(Some).collect::<StringArray>()),
            "event" => Arc::new(cells.map(|cell| Some(cell == "1")).collect::<BooleanArray>()),
            _ => Arc::new(cells.map(|cell| cell.parse::<f64>().ok()).collect::<Float64Array>()),
        };
        (*name, column)
    });
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Returns the rows of a data set whose `group` has a value.
pub(crate) fn rows_of_group(rows: &RecordBatch, group: &str) -> RecordBatch {
    let keep: BooleanArray = rows["group"].as_string::<i32>().iter().map(|found| Some(found == Some(group))).collect();
    arrow::compute::filter_record_batch(rows, &keep).unwrap()
}

/// Returns subjects as a relation's rows.
pub(crate) fn subjects(rows: &[Subject]) -> RecordBatch {
    RecordBatch::try_from_iter([
        ("time", Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.0))) as ArrayRef),
        ("event", Arc::new(rows.iter().map(|row| Some(row.1)).collect::<BooleanArray>())),
        ("late", Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.2)))),
        ("group", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| format!("g{}", row.3))))),
    ])
    .unwrap()
}

/// Returns options from SQL-like pairs.
pub(crate) fn options(pairs: &[(&str, Literal)]) -> Literals {
    let mut options = Literals::default();
    for (name, value) in pairs {
        options.insert(*name, value.clone());
    }
    options
}

/// Returns a text literal.
pub(crate) fn text(word: &str) -> Literal {
    Literal::Text(word.to_owned())
}

/// Calls an operator on batches with a number of threads.
pub(crate) fn run_on(
    factory: &dyn OperatorFactory,
    pairs: &[(&str, Literal)],
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    threads: usize,
) -> Result<Vec<RecordBatch>> {
    let mut context = RunContext::for_test(threads)?;
    let input = Relation::from_batches(schema, batches);
    Ok(call(factory, options(pairs), vec![input], &mut context)?.batches)
}

/// Calls an operator on one batch and returns its one batch.
pub(crate) fn run(factory: &dyn OperatorFactory, pairs: &[(&str, Literal)], rows: &RecordBatch) -> RecordBatch {
    run_on(factory, pairs, rows.schema(), vec![rows.clone()], 2).unwrap().remove(0)
}

/// Returns why an operator refuses a batch.
pub(crate) fn refusal(factory: &dyn OperatorFactory, pairs: &[(&str, Literal)], rows: &RecordBatch) -> String {
    run_on(factory, pairs, rows.schema(), vec![rows.clone()], 2).unwrap_err().to_string()
}

/// Returns a column of doubles; null is NaN.
pub(crate) fn doubles(rows: &RecordBatch, column: &str) -> Vec<f64> {
    rows[column].as_primitive::<Float64Type>().iter().map(|value| value.unwrap_or(f64::NAN)).collect()
}

/// Returns a column of counts.
pub(crate) fn counts(rows: &RecordBatch, column: &str) -> Vec<u64> {
    rows[column].as_primitive::<UInt64Type>().values().to_vec()
}

/// Asserts that two columns agree, relative to the larger of 1 and the expected value.
pub(crate) fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: number of values");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let same =
            (found - expected).abs() <= tolerance * expected.abs().max(1.0) || (found.is_nan() && expected.is_nan());
        assert!(same, "{what}, row {index}: {found} is not {expected}");
    }
}

/// Generates subjects with ties, whole and broken times, late entry and up to four groups.
pub(crate) fn any_subjects() -> impl Strategy<Value = Vec<Subject>> {
    let time = prop_oneof![(1_u32..12).prop_map(f64::from), 0.25_f64..400.0, (70_000_u32..70_004).prop_map(f64::from)];
    let subject = (time, any::<bool>(), 0.0_f64..0.99, 0_u8..4)
        .prop_map(|(time, event, share, group)| (time, event, if share < 0.5 { 0.0 } else { share * time }, group));
    prop::collection::vec(subject, 1..60)
}

/// Asserts that neither the order of rows, nor the cut into batches, nor the number of threads changes a byte.
pub(crate) fn assert_independent_of_layout(
    factory: &dyn OperatorFactory,
    pairs: &[(&str, Literal)],
    rows: &[Subject],
    cut: usize,
) {
    let whole = subjects(rows);
    let expected = run_on(factory, pairs, whole.schema(), vec![whole.clone()], 1);
    let backward: Vec<Subject> = rows.iter().rev().copied().collect();
    let pieces: Vec<RecordBatch> = backward.chunks(cut.max(1)).map(subjects).collect();
    for threads in [1, 2, 3] {
        let found = run_on(factory, pairs, whole.schema(), pieces.clone(), threads);
        match (&expected, found) {
            (Ok(expected), Ok(found)) => {
                let schema = expected[0].schema();
                let joined = [concat_batches(&schema, expected), concat_batches(&schema, &found)]
                    .map(std::result::Result::unwrap);
                assert_eq!(joined[0], joined[1]);
            }
            (Err(expected), Err(found)) => assert_eq!(expected.to_string(), found.to_string()),
            (expected, found) => panic!("one layout fails, another does not: {expected:?} {found:?}"),
        }
    }
}
