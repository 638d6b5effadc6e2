//! Reference cases of the linear operators: real data with known estimates.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use causeway_core::Literal;
use serde_json::Value;

use crate::calls::text;

fn path(file: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../tests/data/causal/iv").join(file)
}

/// Returns what is expected of all cases.
pub(crate) fn expected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(path("expected_linear_iv.json")).unwrap()).unwrap()
}

/// Returns a data set: columns of numbers, an empty cell is null; the column `case` is text.
pub(crate) fn data(file: &str) -> RecordBatch {
    let text = std::fs::read_to_string(path(file)).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let column = |index: usize| -> ArrayRef {
        let cells = rows.iter().map(|row| row[index]);
        if names[index] == "case" {
            return Arc::new(StringArray::from_iter_values(cells));
        }
        Arc::new(cells.map(|cell| (!cell.is_empty()).then(|| cell.parse::<f64>().unwrap())).collect::<Float64Array>())
    };
    RecordBatch::try_from_iter(names.iter().enumerate().map(|(index, name)| (*name, column(index)))).unwrap()
}

/// Returns a data set with a column more.
pub(crate) fn with_column(rows: &RecordBatch, name: &str, values: Vec<f64>) -> RecordBatch {
    let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
    let schema = rows.schema();
    for (field, column) in schema.fields().iter().zip(rows.columns()) {
        columns.push((field.name(), Arc::clone(column)));
    }
    columns.push((name, Arc::new(Float64Array::from(values))));
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Returns an array of column names.
pub(crate) fn array(names: &[&str]) -> Literal {
    Literal::List(names.iter().map(|name| text(name)).collect())
}

/// Returns the options that name the columns of a reference case.
pub(crate) fn roles_of(case: &Value) -> Vec<(&'static str, Literal)> {
    let names = |key: &str| -> Vec<String> {
        case[key].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let list = |names: Vec<String>| Literal::List(names.into_iter().map(Literal::Text).collect());
    vec![
        ("outcome", text(case["y"].as_str().unwrap())),
        ("treatment", text(case["d"].as_str().unwrap())),
        ("instruments", list(names("z"))),
        ("covariates", list(names("x"))),
    ]
}

/// Returns the rows of a reference case, with the columns that it derives.
pub(crate) fn rows_of(name: &str) -> RecordBatch {
    if name.starts_with("abadie") {
        let rows = data("abadie_401ksubs.csv");
        let (eligible, income) = (crate::calls::doubles(&rows, "e401k"), crate::calls::doubles(&rows, "inc"));
        let product = eligible.iter().zip(&income).map(|(eligible, income)| eligible * income).collect();
        return with_column(&rows, "e401k_x_inc", product);
    }
    let rows = data("card1995.csv");
    let regions: Vec<Vec<f64>> =
        (661..=669).map(|region| crate::calls::doubles(&rows, &format!("reg{region}"))).collect();
    let region = |row: usize| regions.iter().zip(1_u32..).map(|(flags, region)| flags[row] * f64::from(region)).sum();
    let region = (0..rows.num_rows()).map(region).collect();
    with_column(&rows, "region", region)
}

/// Asserts a relative error.
#[track_caller]
pub(crate) fn assert_close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance * expected.abs(), "{what}: {found} is not {expected}");
}
