use causeway_core::Literal;

use super::Factory;
use super::algorithm::mean;
use crate::aggregate::Estimate;
use crate::aggregate::testing::{NO_NOISE, by_ward, column, coverage, run, run_on, text, visits};

fn bounded(epsilon: Literal) -> Vec<(&'static str, Literal)> {
    vec![("value", text("days")), ("low", Literal::Integer(0)), ("high", Literal::Integer(10)), ("epsilon", epsilon)]
}

#[test]
fn the_mean_of_each_group_is_sum_over_count() {
    let mut given = bounded(NO_NOISE.1);
    assert!((column(&run(&Factory, given.clone()).unwrap(), "estimate")[0] - 39.0 / 9.0).abs() < 1e-3);
    given.extend(by_ward());
    let means = column(&run(&Factory, given).unwrap(), "estimate");
    assert!((means[0] - 1.5).abs() < 1e-3 && (means[1] - 32.0 / 5.0).abs() < 1e-3, "{means:?}");
}

#[test]
fn a_group_without_rows_has_the_whole_range() {
    let given = bounded(Literal::Float(1.0));
    let empty = run_on(&Factory, vec![visits().slice(0, 0)], given).unwrap();
    assert_eq!((column(&empty, "conf_low"), column(&empty, "conf_high")), (vec![0.0], vec![10.0]));
    let estimate = column(&empty, "estimate")[0];
    assert!((0.0..=10.0).contains(&estimate));
}

#[test]
fn the_interval_holds_the_mean() {
    let many = vec![visits(); 40];
    let held = coverage(1000, 39.0 / 9.0, || run_on(&Factory, many.clone(), bounded(Literal::Float(1.0))).unwrap());
    assert!(held >= 0.94, "{held}");
}

#[test]
fn error_and_limits_by_hand() {
    let count = Estimate { estimate: 100.0, privacy_se: 3.0, conf_low: 90.0, conf_high: 110.0 };
    let sum = Estimate { estimate: -200.0, privacy_se: 8.0, conf_low: -220.0, conf_high: -180.0 };
    let bounds = crate::aggregate::testing::bounds(0.0, 10.0);
    let found = mean(count, sum, bounds);
    assert!((found.estimate - 3.0).abs() < 1e-12);
    assert!((found.privacy_se - (64.0_f64 + 36.0).sqrt() / 100.0).abs() < 1e-12);
    assert!((found.conf_low - (5.0 - 220.0 / 90.0)).abs() < 1e-12);
    assert!((found.conf_high - (5.0 - 180.0 / 110.0)).abs() < 1e-12);
}
