use std::collections::BTreeMap;

use causeway_core::{Epsilon, NoiseSource, OperatorError, Result, Rho, RunContext};
use causeway_numerics::chi_square_sf;

use super::bernoulli::{exp_minus, exp_minus_one};
use super::{DiscreteGaussian, DiscreteLaplace, Distribution, Drawn, IntegerNoise, Known, RandomBits};

/// Words of SplitMix64 (Steele, Lea and Flood 2014): the same in every run of a test.
struct Seeded(u64);

impl Seeded {
    fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl NoiseSource for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        for word in bytes.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes()[..word.len()]);
        }
        Ok(())
    }
}

/// A source that fails after a number of blocks.
struct Failing(usize);

impl NoiseSource for Failing {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.0 = self.0.checked_sub(1).ok_or_else(|| super::internal("no randomness"))?;
        bytes.fill(0x5a);
        Ok(())
    }
}

fn laplace(epsilon: f64, sensitivity: u64) -> DiscreteLaplace {
    DiscreteLaplace::new(Epsilon::usable(epsilon).unwrap(), sensitivity).unwrap()
}

fn counts(distribution: &dyn Distribution, draws: usize, seed: u64) -> BTreeMap<i128, u64> {
    let mut source = Seeded::new(seed);
    let mut bits = RandomBits::new(&mut source);
    let mut counts = BTreeMap::new();
    for _ in 0..draws {
        *counts.entry(distribution.draw(&mut bits).unwrap()).or_insert(0) += 1;
    }
    counts
}

/// Returns the p value of the counts under the probabilities; values of less than 10 expected draws are one cell.
fn chi_squared_p(counts: &BTreeMap<i128, u64>, pmf: impl Fn(i128) -> f64, reach: i128) -> f64 {
    let draws = counts.values().sum::<u64>() as f64;
    let (mut statistic, mut cells, mut rest_seen, mut rest_expected) = (0.0, 0, draws, draws);
    for z in -reach..=reach {
        let expected = draws * pmf(z);
        if expected < 10.0 {
            continue;
        }
        let seen = *counts.get(&z).unwrap_or(&0) as f64;
        statistic += (seen - expected).powi(2) / expected;
        cells += 1;
        rest_seen -= seen;
        rest_expected -= expected;
    }
    if rest_expected > 1.0 {
        statistic += (rest_seen - rest_expected).powi(2) / rest_expected;
        cells += 1;
    }
    chi_square_sf(statistic, cells - 1)
}

fn laplace_pmf(rate: f64) -> impl Fn(i128) -> f64 {
    let p = (-rate).exp();
    move |z| (1.0 - p) / (1.0 + p) * (-rate * z.unsigned_abs() as f64).exp()
}

fn gaussian_pmf(variance: f64) -> impl Fn(i128) -> f64 {
    let weight = move |z: i128| (-(z as f64).powi(2) / (2.0 * variance)).exp();
    let reach: i128 = if variance < 100.0 { 400 } else { 4000 };
    let total: f64 = (-reach..=reach).map(weight).sum();
    move |z| weight(z) / total
}

#[test]
fn laplace_draws_follow_the_exact_probabilities() {
    for (seed, epsilon, sensitivity) in [(1, 1.0, 1), (2, 0.1, 1), (3, 4.0, 1), (4, 0.123_457, 1), (5, 2.5, 7)] {
        let rate = epsilon / sensitivity as f64;
        let seen = counts(&laplace(epsilon, sensitivity), 1_000_000, seed);
        let p = chi_squared_p(&seen, laplace_pmf(rate), 2000);
        assert!(p > 1e-3, "epsilon {epsilon}, sensitivity {sensitivity}: p {p}");
    }
}

#[test]
fn wrong_probabilities_are_noticed() {
    let seen = counts(&laplace(1.0, 1), 1_000_000, 6);
    assert!(chi_squared_p(&seen, laplace_pmf(1.01), 100) < 1e-3);
    let seen = counts(&DiscreteGaussian::with_variance(4, 1).unwrap(), 1_000_000, 7);
    assert!(chi_squared_p(&seen, gaussian_pmf(4.08), 100) < 1e-3);
}

#[test]
fn neighbouring_integers_differ_by_exp_epsilon() {
    let seen = counts(&laplace(0.5, 1), 1_000_000, 8);
    for z in 0..6 {
        for sign in [-1, 1] {
            let (near, far) = (seen[&(sign * z)] as f64, seen[&(sign * (z + 1))] as f64);
            let standard_error = (1.0 / near + 1.0 / far).sqrt();
            assert!(((near / far).ln() - 0.5).abs() < 4.0 * standard_error, "{z}");
        }
    }
}

#[test]
fn gaussian_draws_follow_the_exact_probabilities() {
    for (seed, dividend, divisor) in [(11, 1, 1), (12, 4, 1), (13, 1, 4), (14, 1, 16), (15, 73, 3), (16, 10_000, 1)] {
        let gaussian = DiscreteGaussian::with_variance(dividend, divisor).unwrap();
        let seen = counts(&gaussian, 1_000_000, seed);
        let p = chi_squared_p(&seen, gaussian_pmf(gaussian.variance()), 2000);
        assert!(p > 1e-3, "variance {dividend}/{divisor}: p {p}");
    }
}

#[test]
fn tails_have_the_share_they_should() {
    let seen = counts(&laplace(1.0, 1), 1_000_000, 17);
    let p = (-1.0_f64).exp();
    for bound in [4, 8, 11] {
        let share = 2.0 * p.powi(bound) / (1.0 + p);
        let seen: u64 =
            seen.iter().filter(|(z, _)| z.unsigned_abs() >= u128::from(bound.unsigned_abs())).map(|(_, n)| n).sum();
        assert!((seen as f64 - 1e6 * share).abs() < 4.0 * (1e6 * share).sqrt(), "{bound}: {seen}");
    }
}

#[test]
fn moments_are_right_from_the_smallest_scale_to_the_largest() {
    for (numerator, denominator) in [(1, 1000), (1, 1), (999_999_937, 1_000_003), (1 << 40, 1), ((1 << 56) - 1, 1)] {
        let laplace = DiscreteLaplace::with_scale(numerator, denominator).unwrap();
        check_moments(&laplace, 20_000, 5.0);
    }
    for variance in [1, 1 << 20, 1 << 33, 1 << 56] {
        check_moments(&DiscreteGaussian::with_variance(variance, 1).unwrap(), 20_000, 2.0);
    }
}

/// Mean and mean square of the draws; the variance of a square is at most `kurtosis` times its squared mean.
fn check_moments(distribution: &(impl Distribution + std::fmt::Debug), draws: u32, kurtosis: f64) {
    let mut source = Seeded::new(21);
    let mut bits = RandomBits::new(&mut source);
    let (mut sum, mut squares) = (0.0, 0.0);
    for _ in 0..draws {
        let z = distribution.draw(&mut bits).unwrap() as f64;
        sum += z;
        squares += z * z;
    }
    let (n, variance) = (f64::from(draws), distribution.variance());
    assert!((sum / n).abs() <= 4.5 * (variance / n).sqrt(), "{distribution:?}: mean {}", sum / n);
    let tolerance = 4.5 * (kurtosis / n).sqrt() * variance + 1e-3;
    assert!((squares / n - variance).abs() < tolerance, "{distribution:?}: {} {variance}", squares / n);
}

#[test]
fn coins_of_exp_minus_are_exact_beyond_one() {
    let mut source = Seeded::new(22);
    let mut bits = RandomBits::new(&mut source);
    for (numerator, denominator) in [(0, 1), (1, 3), (1, 1), (5, 2), (1 << 100, (1 << 100) - 7)] {
        let probability = (-(numerator as f64) / denominator as f64).exp();
        let heads = (0..200_000).filter(|_| exp_minus(numerator, denominator, &mut bits).unwrap()).count() as f64;
        let spread = (200_000.0 * probability * (1.0 - probability)).sqrt();
        assert!((heads - 200_000.0 * probability).abs() <= 4.0 * spread, "{numerator}/{denominator}: {heads}");
    }
    let heads = (0..1_000_000).filter(|_| exp_minus_one(&mut bits).unwrap()).count();
    assert!(heads.abs_diff(367_879) < 4 * 482, "{heads}");
}

#[test]
fn uniform_integers_have_no_bias() {
    let mut source = Seeded::new(23);
    let mut bits = RandomBits::new(&mut source);
    // three quarters of the words: a draw modulo the bound would hit the lower third twice as often
    for bound in [3_u128 << 30, 3 << 62, 3 << 126] {
        let low = (0..90_000).filter(|_| bits.below_wide(bound).unwrap() < bound / 3).count();
        assert!(low.abs_diff(30_000) < 600, "{bound}: {low}");
    }
    let seen: std::collections::BTreeSet<u64> = (0..1000).map(|_| bits.below(7).unwrap()).collect();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), (0..7).collect::<Vec<_>>());
    assert_eq!(bits.below(1).unwrap(), 0);
}

#[test]
fn a_failing_source_gives_no_draw() {
    let mut source = Failing(0);
    let mut bits = RandomBits::new(&mut source);
    assert!(matches!(laplace(1.0, 1).sample(&mut bits), Err(OperatorError::Internal { .. })));
    let gaussian = DiscreteGaussian::new(Rho::usable(0.5).unwrap(), 1).unwrap();
    assert!(gaussian.sample(&mut bits).is_err());
    // it fails in the middle of a batch too, even for a source that is stuck
    let mut stuck = Failing(1);
    assert!(laplace(1.0, 1).release(&mut [0; 100_000], &mut RandomBits::new(&mut stuck)).is_err());
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let epsilon = Epsilon::usable(1.0).unwrap();
    assert!(DiscreteLaplace::new(epsilon, 0).is_err());
    assert!(DiscreteLaplace::new(epsilon, u64::MAX).is_err());
    let tiny = DiscreteLaplace::new(Epsilon::from_micro(1).unwrap(), 1 << 40).unwrap_err();
    assert!(tiny.to_string().contains("`epsilon`"), "{tiny}");
    assert!(DiscreteLaplace::with_scale(1, 0).is_none());
    assert!(DiscreteGaussian::new(Rho::usable(1.0).unwrap(), 0).is_err());
    assert!(DiscreteGaussian::new(Rho::from_nano(1).unwrap(), 1 << 40).is_err());
    assert!(DiscreteGaussian::with_variance(1, 0).is_none());
}

#[test]
fn variance_is_rounded_up_never_down() {
    for (dividend, divisor) in [(1, 3), (1, 1 << 30), ((1 << 40) + 1, 1 << 3), ((1 << 50) + 1, 3)] {
        let gaussian = DiscreteGaussian::with_variance(dividend, divisor).unwrap();
        let asked = dividend as f64 / divisor as f64;
        assert!(gaussian.variance() >= asked && gaussian.variance() <= asked * (1.0 + 1e-7) + 1e-7);
    }
    assert!((DiscreteGaussian::new(Rho::usable(0.5).unwrap(), 25).unwrap().variance() - 25.0).abs() < f64::EPSILON);
}

#[test]
fn releases_saturate_and_known_noise_is_added_as_given() {
    let mut values = [5, i64::MAX, i64::MIN];
    Known::new([-7, 1, -1]).release(&mut values).unwrap();
    assert_eq!(values, [-2, i64::MAX, i64::MIN]);
    assert!(Known::new([1]).release(&mut [0, 0]).is_err());
}

#[test]
fn noise_differs_between_runs_and_not_between_equal_sources() {
    let laplace = laplace(0.01, 1);
    let draw = |source: &mut dyn NoiseSource| {
        let mut values = [0; 16];
        Drawn::new(&laplace, &mut RandomBits::new(source)).release(&mut values).unwrap();
        values
    };
    assert_eq!(draw(&mut Seeded::new(1)), draw(&mut Seeded::new(1)));
    let mut context = RunContext::for_test(1).unwrap();
    assert_ne!(draw(context.noise()), draw(context.noise()));
    let mut again = RunContext::for_test(1).unwrap();
    assert_ne!(draw(context.noise()), draw(again.noise()));
}

#[test]
fn random_bits_print_nothing_of_themselves() {
    let mut source = Seeded::new(1);
    assert_eq!(format!("{:?}", RandomBits::new(&mut source)), "RandomBits([redacted])");
}

/// No line of the crate, tests aside, draws a floating-point number or takes randomness from elsewhere.
#[test]
fn nothing_in_the_crate_draws_floating_point_noise() {
    const FORBIDDEN: [&str; 9] = [
        "rand_distr",
        "StandardNormal",
        "random::<f64>",
        "random::<f32>",
        "gen_range",
        "random_range",
        "Uniform::new",
        "thread_rng",
        "OsRng",
    ];
    let root = std::path::PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap());
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    assert!(!manifest.contains("rand_distr") && !manifest.contains("statrs"));
    let (mut folders, mut n_files, mut found) = (vec![root.join("src")], 0, Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") && !entry.ends_with("tests.rs") {
                n_files += 1;
                let text = std::fs::read_to_string(&entry).unwrap();
                let words = FORBIDDEN.iter().filter(|word| text.contains(**word));
                found.extend(words.map(|word| format!("{}: {word}", entry.display())));
            }
        }
    }
    assert!(n_files > 10 && found.is_empty(), "{found:?}");
}
