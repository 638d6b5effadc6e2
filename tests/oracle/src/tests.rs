use causeway_core::{Delta, Epsilon, Rho, RunContext};
use causeway_numerics::chi_square_sf;
use causeway_privacy::accounting::Concentrated;
use causeway_privacy::noise::{DiscreteGaussian, DiscreteLaplace, Distribution, RandomBits};
use opendp::combinators::{make_fix_delta, make_pureDP_to_zCDP, make_zCDP_to_approxDP};
use opendp::domains::{AtomDomain, VectorDomain};
use opendp::measurements::{make_gaussian, make_laplace};
use opendp::measures::{MaxDivergence, ZeroConcentratedDivergence};
use opendp::metrics::{L1Distance, L2Distance};

type Integers = VectorDomain<AtomDomain<i64>>;

const DRAWS: usize = 50_000;

fn integers() -> Integers {
    VectorDomain::new(AtomDomain::<i64>::default())
}

fn ours(distribution: &impl Distribution) -> Vec<i64> {
    let mut context = RunContext::for_test(1).unwrap();
    let mut bits = RandomBits::new(context.noise());
    (0..DRAWS).map(|_| i64::try_from(distribution.draw(&mut bits).unwrap()).unwrap()).collect()
}

/// Returns the p value of the hypothesis that two samples have one distribution (chi-square of the two rows of
/// counts; cells of fewer than 20 are one).
fn same_distribution(one: &[i64], other: &[i64], reach: i64) -> f64 {
    let count = |sample: &[i64], z: i64| sample.iter().filter(|value| **value == z).count() as f64;
    let (mut statistic, mut cells, mut left) = (0.0, 0, (one.len() as f64, other.len() as f64));
    for z in -reach..=reach {
        let (a, b) = (count(one, z), count(other, z));
        if a + b >= 20.0 {
            statistic += (a - b).powi(2) / (a + b);
            cells += 1;
            left = (left.0 - a, left.1 - b);
        }
    }
    if left.0 + left.1 > 0.0 {
        statistic += (left.0 - left.1).powi(2) / (left.0 + left.1);
        cells += 1;
    }
    chi_square_sf(statistic, cells - 1)
}

#[test]
fn laplace_has_their_privacy_map_and_distribution() {
    for (epsilon, sensitivity, reach) in [(1.0, 1, 15), (0.5, 1, 30), (2.0, 3, 20)] {
        let mine = DiscreteLaplace::new(Epsilon::usable(epsilon).unwrap(), sensitivity).unwrap();
        let scale = sensitivity as f64 / epsilon;
        let theirs =
            make_laplace::<_, _, MaxDivergence>(integers(), L1Distance::<i64>::default(), scale, None).unwrap();
        let distance = i64::try_from(sensitivity).unwrap();
        assert!((theirs.map(&distance).unwrap() - epsilon).abs() < 1e-12);
        assert!((mine.epsilon_per_unit() * sensitivity as f64 - epsilon).abs() < 1e-12);
        let p = same_distribution(&ours(&mine), &theirs.invoke(&vec![0; DRAWS]).unwrap(), reach);
        assert!(p > 1e-4, "epsilon {epsilon}: p {p}");
    }
}

#[test]
fn gaussian_has_their_privacy_map_and_distribution() {
    for (rho, squared, scale, reach) in [(0.125, 1, 2.0, 12), (0.5, 1, 1.0, 6), (0.5, 25, 5.0, 30)] {
        let mine = DiscreteGaussian::new(Rho::usable(rho).unwrap(), squared).unwrap();
        assert!((mine.variance().sqrt() - scale).abs() < 1e-12);
        let metric = L2Distance::<f64>::default();
        let theirs = make_gaussian::<_, _, ZeroConcentratedDivergence>(integers(), metric, scale, None).unwrap();
        assert!((theirs.map(&(squared as f64).sqrt()).unwrap() - rho).abs() < 1e-12);
        let p = same_distribution(&ours(&mine), &theirs.invoke(&vec![0; DRAWS]).unwrap(), reach);
        assert!(p > 1e-4, "rho {rho}: p {p}");
    }
}

#[test]
fn different_distributions_are_told_apart() {
    let one = DiscreteLaplace::new(Epsilon::usable(1.0).unwrap(), 1).unwrap();
    let other = DiscreteLaplace::new(Epsilon::usable(1.1).unwrap(), 1).unwrap();
    assert!(same_distribution(&ours(&one), &ours(&other), 15) < 1e-4);
}

#[test]
fn conversion_to_epsilon_is_never_below_theirs_and_close() {
    for (scale, delta) in [(2.0, 1e-6), (1.0, 1e-5), (10.0, 1e-9), (0.5, 1e-3)] {
        let metric = L2Distance::<f64>::default();
        let gaussian = make_gaussian::<_, _, ZeroConcentratedDivergence>(integers(), metric, scale, None).unwrap();
        let rho = gaussian.map(&1.0).unwrap();
        let approximate = make_zCDP_to_approxDP(gaussian).unwrap();
        let (theirs, _) = make_fix_delta(&approximate, delta).unwrap().map(&1.0).unwrap();
        let spent = Concentrated::default().and(Rho::spent(rho).unwrap()).unwrap();
        let mine = spent.to_epsilon(Delta::spent(delta).unwrap()).unwrap().value();
        assert!(mine >= theirs - 1e-9 && mine < theirs + 2e-6, "scale {scale}: {mine} {theirs}");
    }
}

#[test]
fn pure_noise_has_their_rho() {
    let laplace = make_laplace::<_, _, MaxDivergence>(integers(), L1Distance::<i64>::default(), 1.0, None).unwrap();
    let theirs = make_pureDP_to_zCDP(laplace).unwrap().map(&1).unwrap();
    let mine = Concentrated::default().and_pure(Epsilon::spent(1.0).unwrap()).unwrap();
    assert!((mine.nano() as f64 / 1e9 - theirs).abs() < 1e-9);
}
