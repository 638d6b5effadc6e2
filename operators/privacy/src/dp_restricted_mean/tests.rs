//! Means of exact counts, the common horizon, refusals.

use arrow::array::AsArray;
use causeway_core::Literal;

use super::Factory;
use crate::histogram::testing::*;

#[test]
fn exact_counts_by_single_days_give_the_means_of_the_data() {
    for name in DATA {
        let horizon = exact(name)["rmst_horizon"].as_f64().unwrap();
        let found = run(&Factory, &[("horizon", Literal::Float(horizon))], &exact_release(subjects(name), 1.0, false));
        let expected = exact(name)["rmst"].as_f64().unwrap();
        // an event on day t is somewhere in [t, t + 1)
        assert!((doubles(&found, "restricted_mean")[0] - expected).abs() <= 1.0, "{name}");
        let [low, mean, high] =
            ["restricted_mean_low", "restricted_mean", "restricted_mean_high"].map(|name| doubles(&found, name)[0]);
        assert!(low < mean && mean < high, "{name}");
    }
}

#[test]
fn without_a_horizon_all_strata_take_the_last_reliable_time() {
    let release = exact_release(subjects("lung"), 1.0 / 32.0, true);
    let found = run(&Factory, &[("by", text("group"))], &release);
    let horizons = doubles(&found, "horizon");
    assert!((horizons[0] - horizons[1]).abs() < 1e-12 && horizons[0] > 800.0);
    assert_eq!(found["extrapolated"].as_boolean().true_count(), 0);
    let whole = run(&Factory, &[("by", text("group")), ("horizon", Literal::Float(1023.0))], &release);
    assert!(whole["extrapolated"].as_boolean().true_count() > 0);
}

#[test]
fn a_horizon_beyond_the_release_is_refused() {
    let release = exact_release(subjects("lung"), 1.0 / 32.0, false);
    let error = call_on(&Factory, &[("horizon", Literal::Integer(2000))], vec![release], 1).unwrap_err();
    assert!(error.to_string().contains("`horizon` of dp_restricted_mean must be at most the end of the release, 1023"));
}
