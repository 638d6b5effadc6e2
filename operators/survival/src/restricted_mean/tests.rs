//! Reference values and invariants of the restricted mean.

use arrow::array::AsArray;
use causeway_core::Literal;
use proptest::prelude::*;

use super::Factory;
use crate::testing::*;

#[test]
fn six_data_sets_agree_with_lifelines() {
    for name in DATA {
        let golden = golden_json(&format!("golden/{name}.json"));
        let horizon = Literal::Float(golden["rmst_horizon"].as_f64().unwrap());
        let rows = data_set(name);
        let all = run(&Factory, &[("horizon", horizon.clone())], &rows);
        assert_close(&doubles(&all, "restricted_mean"), &[golden["rmst"].as_f64().unwrap()], 1e-9, name);
        let groups = run(&Factory, &[("horizon", horizon), ("by", text("group"))], &rows);
        let expected: Vec<f64> =
            golden["groups"].as_object().unwrap().values().map(|group| group["rmst"].as_f64().unwrap()).collect();
        assert_close(&doubles(&groups, "restricted_mean"), &expected, 1e-9, name);
    }
}

#[test]
fn errors_agree_with_the_formula_in_numpy() {
    for case in golden_json("golden/extra.json")["restricted_mean"].as_array().unwrap() {
        let name = case["data"].as_str().unwrap();
        let horizon = Literal::Float(case["horizon"].as_f64().unwrap());
        let found = run(&Factory, &[("horizon", horizon)], &data_set(name));
        assert_close(&doubles(&found, "restricted_mean"), &[case["mean"].as_f64().unwrap()], 1e-9, name);
        assert_close(&doubles(&found, "std_error"), &[case["std_error"].as_f64().unwrap()], 1e-9, name);
    }
}

#[test]
fn without_censoring_it_is_the_sample_mean_and_its_error() {
    let times = [2.0, 3.0, 3.0, 5.0, 9.0, 14.0];
    let rows: Vec<Subject> = times.iter().map(|time| (*time, true, 0.0, 0)).collect();
    let found = run(&Factory, &[], &subjects(&rows));
    let mean = times.iter().sum::<f64>() / 6.0;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / 6.0;
    assert_close(&doubles(&found, "restricted_mean"), &[mean], 1e-14, "mean");
    assert_close(&doubles(&found, "std_error"), &[(variance / 6.0).sqrt()], 1e-14, "error");
}

#[test]
fn the_horizon_defaults_to_the_follow_up_of_every_group() {
    let found = run(&Factory, &[("by", text("group"))], &data_set("lung"));
    assert_eq!(doubles(&found, "horizon"), [965.0, 965.0]);
    assert!(!found["extrapolated"].as_boolean().value(0) && !found["extrapolated"].as_boolean().value(1));
}

#[test]
fn a_horizon_beyond_the_follow_up_is_marked() {
    let rows = subjects(&[(1.0, true, 0.0, 0), (2.0, false, 0.0, 0), (1.0, true, 0.0, 1)]);
    let found = run(&Factory, &[("by", text("group")), ("horizon", Literal::Integer(4))], &rows);
    let extrapolated = found["extrapolated"].as_boolean();
    assert_eq!(doubles(&found, "restricted_mean"), [2.5, 1.0]);
    assert!(extrapolated.value(0) && !extrapolated.value(1), "a curve at 0 needs no extrapolation");
}

#[test]
fn a_horizon_of_zero_is_refused() {
    let message = refusal(&Factory, &[("horizon", Literal::Integer(0))], &data_set("lung"));
    assert_eq!(message, "option `horizon` of restricted_mean must be a number > 0, got 0");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn it_lies_within_the_horizon_and_its_limits(rows in any_subjects(), horizon in 0.1_f64..500.0) {
        let found = run(&Factory, &[("horizon", Literal::Float(horizon)), ("entry", text("late"))], &subjects(&rows));
        let [mean, low, high] =
            ["restricted_mean", "restricted_mean_low", "restricted_mean_high"].map(|name| doubles(&found, name)[0]);
        prop_assert!(0.0 <= low && low <= mean && mean <= high + 1e-9 && high <= horizon);
    }

    #[test]
    fn layout_changes_no_byte(rows in any_subjects(), cut in 1_usize..20) {
        assert_independent_of_layout(&Factory, &[("by", text("group")), ("entry", text("late"))], &rows, cut);
    }
}
