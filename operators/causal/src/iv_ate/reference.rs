//! A simulated study and reference estimates of it, by plain numpy code.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use serde_json::Value;

fn path(file: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../tests/data/causal/invalid_iv").join(file)
}

/// Returns what plain numpy code found.
pub(crate) fn expected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(path("expected_A.json")).unwrap()).unwrap()
}

/// Returns columns y, a, z, x1, x2, x3, fold.
pub(crate) fn columns() -> Vec<Vec<f64>> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path("A.csv.gz")).unwrap()).read_to_string(&mut text).unwrap();
    let mut columns = vec![Vec::new(); 7];
    for line in text.lines().skip(1) {
        for (column, cell) in columns.iter_mut().zip(line.split(',')) {
            column.push(cell.parse().unwrap());
        }
    }
    columns
}

/// Returns the study as a table; the folds are text.
pub(crate) fn rows() -> RecordBatch {
    let names = ["y", "a", "z", "x1", "x2", "x3", "fold"];
    RecordBatch::try_from_iter(names.into_iter().zip(columns()).map(|(name, column)| {
        let column: ArrayRef = match name {
            "fold" => Arc::new(column.iter().map(|value| Some(format!("part {value}"))).collect::<StringArray>()),
            _ => Arc::new(Float64Array::from(column)),
        };
        (name, column)
    }))
    .unwrap()
}
