//! Incidences by hand, one cause as the curve, codes, cost, limits.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch};
use causeway_core::Literal;

use super::Factory;
use crate::histogram::testing::*;

fn pairs(epsilon: f64, causes: i64) -> Vec<(&'static str, Literal)> {
    vec![
        ("epsilon", Literal::Float(epsilon)),
        ("horizon", Literal::Float(30.0)),
        ("bins", Literal::Integer(3)),
        ("causes", Literal::Integer(causes)),
    ]
}

fn rows() -> RecordBatch {
    // [0, 10): 2 of cause 1, 1 of cause 2, 2 censored; [10, 20): 1 of cause 2; the rest later
    let times = vec![1, 2, 3, 4, 5, 15, 25, 25, 40, 41];
    let events =
        vec![Some(1.0), Some(1.0), Some(2.0), Some(0.0), None, Some(2.0), Some(1.0), Some(3.0), Some(1.0), Some(1.5)];
    RecordBatch::try_from_iter([
        ("time", Arc::new(Int64Array::from(times)) as ArrayRef),
        ("event", Arc::new(Float64Array::from(events))),
    ])
    .unwrap()
}

#[test]
fn incidences_by_hand() {
    let found = run(&Factory, &pairs(1e5, 2), &rows());
    assert_eq!(doubles(&found, "events"), [2.0, 0.0, 1.0, 1.0, 1.0, 0.0]);
    assert_eq!(doubles(&found, "censored"), [2.0, 0.0, 3.0, 2.0, 0.0, 3.0]);
    assert_eq!(doubles(&found, "at_risk"), [10.0, 5.0, 4.0, 10.0, 5.0, 4.0]);
    // 3 of 9 exposed, then 1 of 5, then 1 of 2.5
    let survival = [6.0 / 9.0, 6.0 / 9.0 * 0.8, 6.0 / 9.0 * 0.8 * 0.6];
    assert_close(&doubles(&found, "survival"), &[survival, survival].concat(), 1e-12, "survival");
    let first = [2.0 / 9.0, 2.0 / 9.0, 2.0 / 9.0 + survival[1] * 0.4];
    let second = [1.0 / 9.0, 1.0 / 9.0 + survival[0] * 0.2, 1.0 / 9.0 + survival[0] * 0.2];
    assert_close(&doubles(&found, "cumulative_incidence"), &[first, second].concat(), 1e-12, "incidence");
}

#[test]
fn one_cause_is_the_curve() {
    let options = pairs(1e5, 1);
    let found = run(&Factory, &options, &rows());
    let curve = run(&crate::dp_kaplan_meier::Factory, &options[..3], &rows());
    let incidence: Vec<f64> = doubles(&curve, "survival").iter().map(|survival| 1.0 - survival).collect();
    assert_close(&doubles(&found, "cumulative_incidence"), &incidence, 1e-12, "incidence");
}

#[test]
fn a_release_with_noise_sums_to_one_and_costs_epsilon_once() {
    let options = pairs(0.3, 3);
    let found = run(&Factory, &options, &rows());
    let (incidence, survival) = (doubles(&found, "cumulative_incidence"), doubles(&found, "survival"));
    for (bin, survival) in survival.iter().take(3).enumerate() {
        let sum: f64 = incidence.iter().skip(bin).step_by(3).sum();
        assert!((sum + survival - 1.0).abs() < 1e-12);
    }
    let cost = bind(&Factory, &options, rows().schema()).unwrap().privacy_cost().unwrap();
    assert_eq!((cost.epsilon_micro, cost.is_sound), (300_000, true));
}

#[test]
fn limits_and_errors_stand_where_the_curve_is_reliable() {
    let (times, events, _) = simulated(2000, 1.0, repeatable(5).rng());
    let causes = times
        .iter()
        .zip(&events)
        .map(|(time, event)| if *event { Some(if time.rem_euclid(3.0) < 1.0 { 2.0 } else { 1.0 }) } else { Some(0.0) });
    let rows = RecordBatch::try_from_iter([
        ("event", Arc::new(causes.collect::<Float64Array>()) as ArrayRef),
        ("time", Arc::new(Float64Array::from(times.clone()))),
    ])
    .unwrap();
    let options =
        [("epsilon", Literal::Float(1.0)), ("horizon", Literal::Float(1024.0)), ("bins", Literal::Integer(16))];
    let found = run_in(&mut repeatable(1), &Factory, &options, &rows);
    let [low, incidence, high] = ["cumulative_incidence_low", "cumulative_incidence", "cumulative_incidence_high"]
        .map(|name| doubles(&found, name));
    let errors = doubles(&found, "privacy_se");
    let reliable = found["reliable"].as_boolean();
    assert!(reliable.true_count() > 20);
    for row in 0..32 {
        assert!(low[row] <= incidence[row] + 1e-9 && incidence[row] <= high[row] + 1e-9, "row {row}");
        assert_eq!(reliable.value(row), errors[row] > 0.0 && errors[row] < 0.05, "row {row}: {}", errors[row]);
    }
}
