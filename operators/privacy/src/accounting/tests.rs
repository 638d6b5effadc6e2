use causeway_core::{Delta, Epsilon, Rho};
use proptest::prelude::*;

use super::{Approximate, Concentrated, Disjoint, Pure};

fn epsilon(value: f64) -> Epsilon {
    Epsilon::spent(value).unwrap()
}

fn delta(value: f64) -> Delta {
    Delta::spent(value).unwrap()
}

/// The δ of ρ at an ε and an order, straight from the proposition.
fn delta_at(rho: f64, epsilon: f64, order: f64) -> f64 {
    let exponent = (order - 1.0) * (order * rho - epsilon) + order * (-1.0 / order).ln_1p();
    exponent.exp() / (order - 1.0)
}

#[test]
fn pure_amounts_add_exactly_and_overflow_is_refused() {
    let ten = (0..10).try_fold(Pure::default(), |spent, _| spent.and(epsilon(0.1))).unwrap();
    assert_eq!(ten.micro(), 1_000_000);
    assert_eq!(ten.for_group(3).unwrap().micro(), 3_000_000);
    let full = Pure::default().and(Epsilon::from_micro(u64::MAX).unwrap()).unwrap();
    assert!(full.and(epsilon(0.1)).is_none() && full.for_group(2).is_none());
}

#[test]
fn disjoint_releases_need_evidence_and_cost_the_dearest() {
    let evidence = Disjoint::cells_of_rows(1).unwrap();
    assert!(Disjoint::cells_of_rows(0).is_none() && Disjoint::cells_of_rows(2).is_none());
    let releases = [epsilon(0.5), epsilon(1.0), epsilon(0.25)];
    assert_eq!(Pure::default().and_disjoint(&releases, evidence).unwrap().micro(), 1_000_000);
    assert_eq!(Pure::default().and_disjoint(&[], evidence).unwrap().micro(), 0);
}

#[test]
fn approximate_amounts_add_and_delta_stays_below_one() {
    let once = Approximate::default().and(epsilon(0.5), delta(1e-6)).unwrap();
    let twice = once.and(epsilon(0.5), delta(1e-6)).unwrap();
    assert_eq!((twice.epsilon_micro(), twice.delta_femto()), (1_000_000, 2_000_000_000));
    assert!(Approximate::default().and(epsilon(1.0), delta(0.6)).unwrap().and(epsilon(1.0), delta(0.6)).is_none());
    // 1e-6 (1 + e^0.5) by hand
    assert_eq!(once.for_group(1).unwrap(), once);
    let pair = once.for_group(2).unwrap();
    assert_eq!(pair.epsilon_micro(), 1_000_000);
    assert!((pair.delta_femto() as f64 / 1e15 - 1e-6 * (1.0 + 0.5_f64.exp())).abs() < 2e-15);
    assert!(once.for_group(1_000_000).is_none());
}

#[test]
fn concentrated_amounts_add_and_pure_ones_join() {
    let spent = Concentrated::default().and_pure(epsilon(1.0)).unwrap();
    assert_eq!(spent.nano(), 500_000_000);
    assert_eq!(Concentrated::default().and_pure(Epsilon::from_micro(1).unwrap()).unwrap().nano(), 1, "rounded up");
    assert_eq!(spent.for_group(3).unwrap().nano(), 4_500_000_000);
    assert!(spent.for_group(u32::MAX).is_none());
    assert!(Concentrated::default().and_pure(Epsilon::from_micro(u64::MAX).unwrap()).is_none());
}

#[test]
fn conversion_is_the_best_order_rounded_up() {
    for (rho, d) in [(0.125, 1e-6), (0.5, 1e-5), (0.001, 1e-9), (10.0, 1e-3), (100.0, 1e-12)] {
        let spent = Concentrated::default().and(Rho::spent(rho).unwrap()).unwrap();
        let found = spent.to_epsilon(delta(d)).unwrap().value();
        let best = |epsilon: f64| {
            (1..400_000).map(|step| delta_at(rho, epsilon, 1.0 + 1e-3 * f64::from(step))).fold(f64::INFINITY, f64::min)
        };
        assert!(best(found) <= d * (1.0 + 1e-3), "rho {rho}: {found}");
        assert!(best(found - 2e-6) > d * (1.0 - 1e-3), "rho {rho}: {found} is not the smallest");
        // the textbook bound is larger
        assert!(found < rho + 2.0 * (rho * (1.0 / d).ln()).sqrt());
    }
}

#[test]
fn no_delta_or_no_release_has_no_conversion() {
    let spent = Concentrated::default().and(Rho::spent(0.1).unwrap()).unwrap();
    assert!(spent.to_epsilon(Delta::ZERO).is_none());
    assert!(Concentrated::default().to_epsilon(delta(1e-6)).is_none());
}

#[test]
fn the_largest_rho_within_a_budget_fits_and_the_next_does_not() {
    for (e, d) in [(0.1, 1e-6), (1.0, 1e-5), (4.0, 1e-5), (20.0, 1e-9)] {
        let rho = Concentrated::within(epsilon(e), delta(d)).unwrap();
        let to_epsilon =
            |nano| Concentrated::default().and(Rho::from_nano(nano).unwrap()).unwrap().to_epsilon(delta(d));
        assert!(to_epsilon(rho.nano()).unwrap() <= epsilon(e));
        assert!(to_epsilon(rho.nano() + 1).unwrap() > epsilon(e));
    }
    assert!(Concentrated::within(epsilon(1.0), Delta::ZERO).is_none());
}

proptest! {
    #[test]
    fn a_sum_is_never_below_the_sum_of_its_parts(parts in proptest::collection::vec(1e-9..3.0_f64, 1..20)) {
        let spent = parts.iter().try_fold(Pure::default(), |sum, part| sum.and(epsilon(*part))).unwrap();
        prop_assert!(spent.micro() as f64 >= 1e6 * parts.iter().sum::<f64>() * (1.0 - 1e-12));
        let used: u64 = parts.iter().filter_map(|part| Epsilon::usable(*part)).map(Epsilon::micro).sum();
        prop_assert!(used <= spent.micro());
    }
}
