//! The errors of the learned functions, by hand where the rows allow it.

use std::sync::Arc;

use approx::assert_relative_eq;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use causeway_core::Literal;

use super::Factory;
use crate::calls::*;

/// 400 rows: x uniform, z and a by turns, y = 10 x + a.
fn rows() -> RecordBatch {
    let number =
        |value: &dyn Fn(u32) -> f64| -> ArrayRef { Arc::new(Float64Array::from_iter_values((0..400).map(value))) };
    let x = |row: u32| f64::from(row * 37 % 101) / 101.0;
    let z = |row: u32| f64::from(row / 2 % 2);
    let a = |row: u32| if row.is_multiple_of(5) { 1.0 - z(row) } else { z(row) };
    RecordBatch::try_from_iter([
        ("outcome", number(&|row| 10.0 * x(row) + a(row))),
        ("treatment", number(&a)),
        ("instrument", number(&z)),
        ("x", number(&x)),
        ("half", Arc::new(Int64Array::from_iter_values((0..400).map(|row| row % 7 % 2)))),
    ])
    .unwrap()
}

#[test]
fn each_function_has_a_row_for_each_division() {
    let pairs = [("covariates", text("x")), ("repeats", Literal::Integer(2))];
    let found = run(&Factory, &pairs, &[rows()], 2).unwrap();
    let table = &found.batches[0];
    let targets = ["outcome", "outcome", "instrument", "treatment", "treatment"];
    assert_eq!(texts(table, "target"), [targets, targets].concat());
    assert_eq!(counts(table, "division"), [[1; 5], [2; 5]].concat());
    assert_eq!(counts(table, "instrument")[..5], [0, 1, u64::MAX, 0, 1]);
    assert_eq!(texts(table, "learner")[..5], ["linear", "linear", "logit", "logit", "logit"]);
    let folds = texts(table, "folds");
    assert!(folds[0] == folds[4] && folds[0] != folds[5] && folds[0].len() == 16, "{folds:?}");
    // given x the outcome varies only by the treatment, 1 in 5 of which differs from the instrument
    let (error, of_mean) = (doubles(table, "rmse")[0], doubles(table, "rmse_of_mean")[0]);
    assert_relative_eq!(error, 0.4, epsilon = 0.02);
    assert!(of_mean > 2.5, "{of_mean}");
}

#[test]
fn of_a_mean_of_the_other_fold_the_error_is_by_hand() {
    let pairs = [
        ("covariates", text("x")),
        ("folds", text("half")),
        ("learner", text("lasso")),
        ("penalty", Literal::Float(1e9)),
    ];
    let found = run(&Factory, &pairs, &[rows()], 1).unwrap();
    // a penalty without end leaves the mean of the other fold
    let rows = rows();
    let (y, z) = (doubles(&rows, "outcome"), doubles(&rows, "instrument"));
    let own = |row: &usize| z[*row] < 0.5;
    let half = |row: usize| row % 7 % 2;
    let mut squares = Vec::new();
    for fold in 0..2 {
        let others: Vec<f64> = (0..400).filter(own).filter(|row| half(*row) != fold).map(|row| y[row]).collect();
        let mean = others.iter().sum::<f64>() / others.len() as f64;
        squares.extend((0..400).filter(own).filter(|row| half(*row) == fold).map(|row| (y[row] - mean).powi(2)));
    }
    let expected = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
    assert_relative_eq!(doubles(&found.batches[0], "rmse")[0], expected, max_relative = 1e-12);
}
