//! Reference values and edges of survival quantiles.

use arrow::array::Array;
use causeway_core::Literal;
use proptest::prelude::*;

use super::Factory;
use crate::testing::*;

#[test]
fn medians_and_limits_agree_with_lifelines() {
    for case in golden_json("golden/extra.json")["median"].as_array().unwrap() {
        let (name, group) = (case["data"].as_str().unwrap(), case["group"].as_str().unwrap());
        let rows = data_set(name);
        let rows = if group == "all" { rows } else { rows_of_group(&rows, group) };
        let found = run(&Factory, &[], &rows);
        for (column, key) in [("time", "median"), ("time_low", "low"), ("time_high", "high")] {
            let expected = case[key].as_f64().unwrap_or(f64::NAN);
            assert_close(&doubles(&found, column), &[expected], 0.0, &format!("{name} {group} {key}"));
        }
    }
}

#[test]
fn a_curve_that_stays_high_has_no_median() {
    let found = run(&Factory, &[], &subjects(&[(1.0, true, 0.0, 0), (2.0, false, 0.0, 0), (3.0, false, 0.0, 0)]));
    assert!(found["time"].is_null(0) && found["time_high"].is_null(0));
    assert_eq!(counts(&found, "n_rows"), [3]);
}

#[test]
fn rounding_does_not_move_a_quantile() {
    // ten events of ten rows: S(t) = (10 - t) / 10 up to rounding, so that the q-quantile is at 10 q
    let rows: Vec<Subject> = (1..=10).map(|time| (f64::from(time), true, 0.0, 0)).collect();
    for tenth in 1..10 {
        let quantile = Literal::Float(f64::from(tenth) / 10.0);
        let found = run(&Factory, &[("quantile", quantile)], &subjects(&rows));
        assert_eq!(doubles(&found, "time"), [f64::from(tenth)]);
    }
}

#[test]
fn a_quantile_outside_the_unit_interval_is_refused() {
    let message = refusal(&Factory, &[("quantile", Literal::Integer(1))], &data_set("lung"));
    assert_eq!(message, "option `quantile` of survival_quantile must be a number in (0, 1), got 1");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn limits_enclose_the_quantile(rows in any_subjects(), quantile in 0.05_f64..0.95) {
        let found = run(&Factory, &[("quantile", Literal::Float(quantile))], &subjects(&rows));
        let [time, low, high] = ["time", "time_low", "time_high"].map(|name| doubles(&found, name)[0]);
        prop_assert!(time.is_nan() || low <= time);
        prop_assert!(high.is_nan() || time <= high);
    }

    #[test]
    fn layout_changes_no_byte(rows in any_subjects(), cut in 1_usize..20) {
        assert_independent_of_layout(&Factory, &[("by", text("group"))], &rows, cut);
    }
}
