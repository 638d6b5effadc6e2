use causeway_core::Literal;

use super::Factory;
use crate::aggregate::testing::{NO_NOISE, by_ward, column, cost, run, text};

fn bounded(epsilon: Literal) -> Vec<(&'static str, Literal)> {
    let numbers = [("low", 0), ("high", 10), ("bins", 5)].map(|(name, value)| (name, Literal::Integer(value)));
    [("value", text("days")), ("epsilon", epsilon)].into_iter().chain(numbers).collect()
}

#[test]
fn each_row_is_in_one_bin() {
    let output = run(&Factory, bounded(NO_NOISE.1)).unwrap();
    assert_eq!(column(&output, "bin_low"), [0.0, 2.0, 4.0, 6.0, 8.0]);
    assert_eq!(column(&output, "bin_high"), [2.0, 4.0, 6.0, 8.0, 10.0]);
    // 1 and -5 | 2, 3, 2, 2 | | | 40, 9, infinity
    assert_eq!(column(&output, "estimate"), [2.0, 4.0, 0.0, 0.0, 3.0]);
}

#[test]
fn bins_follow_groups_and_share_one_epsilon() {
    let mut given = bounded(NO_NOISE.1);
    given.extend(by_ward());
    assert_eq!(
        column(&run(&Factory, given.clone()).unwrap(), "estimate"),
        [1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 3.0]
    );
    assert_eq!(cost(&Factory, given).epsilon_micro, 500_000_000_000);
}

#[test]
fn empty_bins_are_noisy_too() {
    let output = run(&Factory, bounded(Literal::Float(0.01))).unwrap();
    assert!(column(&output, "estimate").iter().any(|count| *count < 0.0 || *count > 12.0));
    assert!(column(&output, "conf_low").iter().all(|low| *low >= 0.0));
}
