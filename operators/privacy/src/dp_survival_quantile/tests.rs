//! Medians of exact counts, limits, curves that stay above.

use arrow::array::Array;
use causeway_core::Literal;

use super::Factory;
use crate::histogram::testing::*;

#[test]
fn exact_counts_by_single_days_give_the_medians_of_the_data() {
    for name in DATA {
        let found = run(&Factory, &[], &exact_release(subjects(name), 1.0, false));
        match exact(name)["median"].as_f64() {
            // an event on day t is somewhere in [t, t + 1); censorings of the same day are at risk for half of it
            Some(median) => assert!((doubles(&found, "time")[0] - median).abs() <= 1.0, "{name}"),
            None => assert_eq!(found["time"].null_count(), 1, "{name}"),
        }
    }
}

#[test]
fn limits_enclose_the_quantile_and_are_null_where_not_reached() {
    let release = exact_release(subjects("lung"), 1.0 / 32.0, true);
    for quantile in [0.25, 0.5, 0.75] {
        let found = run(&Factory, &[("by", text("group")), ("quantile", Literal::Float(quantile))], &release);
        let [low, time, high] = ["time_low", "time", "time_high"].map(|name| doubles(&found, name));
        assert!((0..2).all(|row| low[row] < time[row] && (high[row].is_nan() || high[row] > time[row])), "{quantile}");
    }
    let far = run(&Factory, &[("by", text("group")), ("quantile", Literal::Float(0.999))], &release);
    assert_eq!((far["time"].null_count(), far["time_high"].null_count()), (2, 2));
}
