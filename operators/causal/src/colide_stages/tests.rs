//! The log of the golden path.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
use causeway_core::Literal;

use super::Factory;
use crate::calls::*;

#[test]
fn stages_stand_in_order_and_the_objective_falls_with_mu() {
    let column = |factor: u64| -> ArrayRef {
        let values = (0..50_u64).map(|row| f64::from(u32::try_from(row * factor % 97).unwrap()));
        Arc::new(Float64Array::from_iter_values(values))
    };
    let rows = RecordBatch::try_from_iter([("a", column(13)), ("b", column(29)), ("c", column(41))]).unwrap();
    let pairs = [
        ("variant", text("nv")),
        ("compare_variants", Literal::Boolean(true)),
        ("standardise", Literal::Boolean(true)),
        ("max_steps", Literal::Integer(1500)),
    ];
    let found = run(&Factory, &pairs, &[rows], 1).unwrap();
    let log = &found.batches[0];
    assert_eq!(texts(log, "variant"), [["nv"; 4], ["ev"; 4]].concat());
    assert_eq!(counts(log, "stage"), [1, 2, 3, 4, 1, 2, 3, 4]);
    assert_eq!(doubles(log, "s"), [1.0, 0.9, 0.8, 0.7, 1.0, 0.9, 0.8, 0.7]);
    assert!(counts(log, "n_steps").iter().all(|steps| *steps <= 1500));
    assert!(log["in_domain"].as_boolean().iter().all(|flag| flag == Some(true)));
    let objective = doubles(log, "objective");
    assert!(objective[..4].is_sorted_by(|a, b| a > b), "{objective:?}");
    assert_eq!(found.report["variant"], "nv");
}
