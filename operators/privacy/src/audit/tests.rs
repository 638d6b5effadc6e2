use causeway_core::{Delta, Epsilon, PrivacyClaim, Rho, RunContext, Spec};

use super::{Attack, PAIRS, lower_bound, operator};
use crate::accounting::Concentrated;
use crate::noise::{DiscreteGaussian, DiscreteLaplace, RandomBits};

const ATTACK: Attack = Attack { runs: 20_000, confidence: 0.9999, delta: 0.0 };

#[test]
fn discrete_laplace_is_found_close_to_its_epsilon_and_not_above() {
    let mut context = RunContext::for_test(1).unwrap();
    let mut bits = RandomBits::new(context.noise());
    for (epsilon, least) in [(0.5, 0.35), (1.0, 0.85), (2.0, 1.7)] {
        let laplace = DiscreteLaplace::new(Epsilon::usable(epsilon).unwrap(), 1).unwrap();
        let attack = Attack { runs: 60_000, ..ATTACK };
        let found = lower_bound(attack, |with| Ok((laplace.sample(&mut bits)? + i64::from(with)) as f64)).unwrap();
        assert!(found.epsilon <= epsilon && found.epsilon > least, "{epsilon}: {found:?}");
    }
}

#[test]
fn discrete_gaussian_stays_within_its_conversion() {
    let mut context = RunContext::for_test(1).unwrap();
    let mut bits = RandomBits::new(context.noise());
    let rho = Rho::usable(0.125).unwrap();
    let gaussian = DiscreteGaussian::new(rho, 1).unwrap();
    let epsilon = Concentrated::default().and(rho).unwrap().to_epsilon(Delta::spent(1e-3).unwrap()).unwrap().value();
    let attack = Attack { delta: 1e-3, ..ATTACK };
    let found = lower_bound(attack, |with| Ok((gaussian.sample(&mut bits)? + i64::from(with)) as f64)).unwrap();
    assert!(found.epsilon <= epsilon && found.epsilon > 0.3, "{epsilon}: {found:?}");
}

#[test]
fn noise_too_small_by_half_is_caught() {
    let mut context = RunContext::for_test(1).unwrap();
    let mut bits = RandomBits::new(context.noise());
    let laplace = DiscreteLaplace::new(Epsilon::usable(1.0).unwrap(), 1).unwrap();
    let found = lower_bound(ATTACK, |with| Ok((laplace.sample(&mut bits)? + 2 * i64::from(with)) as f64)).unwrap();
    assert!(found.epsilon > 1.5 && found.epsilon <= 2.0, "{found:?}");
}

#[test]
fn a_mechanism_that_ignores_the_person_shows_nothing_and_one_without_noise_everything() {
    let mut n = 0.0;
    let count = |_: bool| {
        n += 1.0;
        Ok(n % 17.0)
    };
    assert!(lower_bound(ATTACK, count).unwrap().epsilon < 0.1);
    let open = lower_bound(ATTACK, |with| Ok(f64::from(u8::from(with)))).unwrap();
    assert!(open.epsilon > 6.0, "{open:?}");
}

#[test]
fn every_private_operator_has_a_pair_and_stays_below_its_epsilon() {
    let mut context = RunContext::for_test(1).unwrap();
    for pair in PAIRS.iter().filter(|pair| pair.is_sound) {
        let found = operator(pair, 1.0, ATTACK, &mut context).unwrap();
        assert!(found.epsilon <= 1.0, "{pair:?}: {found:?}");
        assert!(found.epsilon > 0.2, "{pair:?} is no attack: {found:?}");
    }
    let is_private = |spec: &Spec| matches!(spec.privacy, PrivacyClaim::Private(_)) && spec.name.starts_with("dp_");
    for private in crate::OPERATORS.iter().filter(|private| is_private(private.spec())) {
        let name = private.spec().name;
        assert!(PAIRS.iter().any(|pair| pair.factory.spec().name == name), "{name} has no pair");
    }
}

#[test]
fn the_published_curve_fails() {
    let mut context = RunContext::for_test(1).unwrap();
    let attack = Attack { runs: 4000, ..ATTACK };
    for pair in PAIRS.iter().filter(|pair| !pair.is_sound) {
        let found = operator(pair, 1.0, attack, &mut context).unwrap();
        assert!(found.epsilon > 3.0, "{pair:?}: {found:?}");
    }
}
