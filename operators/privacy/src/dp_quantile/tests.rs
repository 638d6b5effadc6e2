use std::sync::Arc;

use arrow::array::{Float64Array, RecordBatch};
use causeway_core::Literal;

use super::Factory;
use crate::aggregate::testing::{NO_NOISE, batch, column, coverage, refusal, run_on, text, visits};

fn given(epsilon: Literal, probabilities: &str) -> Vec<(&'static str, Literal)> {
    let numbers = [("low", 0), ("high", 100), ("bins", 50)].map(|(name, value)| (name, Literal::Integer(value)));
    let words = [("value", text("days")), ("probabilities", text(probabilities)), ("epsilon", epsilon)];
    words.into_iter().chain(numbers).collect()
}

/// n values, even over [0, 100).
fn even(n: i32) -> Vec<RecordBatch> {
    let values: Float64Array = (0..n).map(|i| Some(100.0 * f64::from(i) / f64::from(n))).collect();
    vec![batch([("days", Arc::new(values) as _)])]
}

#[test]
fn quantiles_of_even_values_are_their_probabilities() {
    let output = run_on(&Factory, even(10_000), given(NO_NOISE.1, "0.01, 0.25,0.5, 0.993")).unwrap();
    assert_eq!(column(&output, "probability"), [0.01, 0.25, 0.5, 0.993]);
    for (estimate, expected) in column(&output, "estimate").iter().zip([1.0, 25.0, 50.0, 99.3]) {
        assert!((estimate - expected).abs() < 1e-9, "{estimate} {expected}");
    }
}

#[test]
fn the_interval_holds_the_quantile() {
    let rows = even(2000);
    for (probability, truth) in [("0.5", 50.0), ("0.1", 10.0), ("0.95", 95.0)] {
        let held =
            coverage(500, truth, || run_on(&Factory, rows.clone(), given(Literal::Float(1.0), probability)).unwrap());
        assert!(held >= 0.94, "{probability}: {held}");
    }
}

#[test]
fn without_rows_beside_the_noise_the_interval_is_the_whole_range() {
    let output = run_on(&Factory, vec![visits()], given(Literal::Float(0.05), "0.5")).unwrap();
    assert_eq!((column(&output, "conf_low"), column(&output, "conf_high")), (vec![0.0], vec![100.0]));
}

#[test]
fn a_single_value_is_found() {
    let values = vec![batch([("days", Arc::new(Float64Array::from(vec![37.0; 500])) as _)])];
    let output = run_on(&Factory, values, given(NO_NOISE.1, "0.2, 0.8")).unwrap();
    assert!(column(&output, "estimate").iter().all(|estimate| (36.0..=38.0).contains(estimate)));
    assert_eq!((column(&output, "conf_low"), column(&output, "conf_high")), (vec![36.0; 2], vec![38.0; 2]));
}

#[test]
fn probabilities_are_checked_while_planning() {
    for wrong in ["0", "1", "half", "0.5,", "", "0.5; 0.6"] {
        let message = refusal(&Factory, given(NO_NOISE.1, wrong));
        assert!(message.contains("`probabilities`"), "{message}");
    }
}
