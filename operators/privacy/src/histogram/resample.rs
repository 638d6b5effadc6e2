//! Draws from what was released, for bands and tests: what other cohorts and other noise would have given.
//!
//! These draws are no privacy mechanism. They start from released counts, so they reveal nothing more, and they come
//! from the run's recorded seed, so the same release gives the same bands.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::life_table::float;

/// Returns the generator of one draw; draws do not depend on the thread that makes them.
pub(crate) fn stream(seed: u64, draw: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(draw);
    rng
}

/// Returns counts of `n` draws from cells whose weights are given, each draw falling in one of them.
pub(crate) fn multinomial(n: u64, weights: &[f64], rng: &mut impl RngCore) -> Vec<u64> {
    let mut left = n;
    let mut weight_left: f64 = weights.iter().sum();
    weights
        .iter()
        .map(|weight| {
            let share = if weight_left > 0.0 { (weight / weight_left).clamp(0.0, 1.0) } else { 0.0 };
            let drawn = binomial(left, share, rng);
            left -= drawn;
            weight_left -= weight;
            drawn
        })
        .collect()
}

/// Adds simulated discrete Laplace noise to counts: the difference of two geometric variables.
pub(crate) fn noisy(counts: &[u64], epsilon: f64, rng: &mut impl RngCore) -> Vec<i64> {
    let draw = |rng: &mut _| geometric(epsilon, rng) - geometric(epsilon, rng);
    counts.iter().map(|count| i64::try_from(*count).unwrap_or(i64::MAX).saturating_add(draw(rng))).collect()
}

/// A number in [0, 1) for simulation; a mechanism draws integers, see [`crate::noise`].
#[expect(clippy::cast_precision_loss, reason = "53 bits")]
fn uniform(rng: &mut impl RngCore) -> f64 {
    (rng.next_u64() >> 11) as f64 / 9_007_199_254_740_992.0 // 2^53
}

/// P(X >= x) = exp(-epsilon x)
#[expect(clippy::cast_possible_truncation, reason = "saturates; far below 2^63 for any epsilon of use")]
fn geometric(epsilon: f64, rng: &mut impl RngCore) -> i64 {
    (-(1.0 - uniform(rng)).ln() / epsilon) as i64
}

/// Returns how many of `n` trials succeed, each with probability `p`.
pub(crate) fn binomial(n: u64, p: f64, rng: &mut impl RngCore) -> u64 {
    if p > 0.5 {
        return n - binomial(n, 1.0 - p, rng);
    }
    if n == 0 || p.is_nan() || p <= 0.0 {
        return 0;
    }
    if as_float(n) * p < 10.0 { by_waiting(n, p, rng) } else { by_rejection(n, p, rng) }
}

/// Counts successes by the trials between them (Devroye 1986, X.4.3).
fn by_waiting(n: u64, p: f64, rng: &mut impl RngCore) -> u64 {
    let log_failure = (-p).ln_1p();
    let mut trials = 0.0;
    let mut successes = 0;
    loop {
        trials += ((1.0 - uniform(rng)).ln() / log_failure).floor() + 1.0;
        if trials > as_float(n) || successes == n {
            return successes;
        }
        successes += 1;
    }
}

/// Draws by transformed rejection (Hörmann 1993, algorithm BTRS), for p <= 1/2 and n p >= 10.
fn by_rejection(n: u64, p: f64, rng: &mut impl RngCore) -> u64 {
    let n = as_float(n);
    let spread = (n * p * (1.0 - p)).sqrt();
    let b = 1.15 + 2.53 * spread;
    let a = -0.0873 + 0.0248 * b + 0.01 * p;
    let centre = n * p + 0.5;
    let inner = 0.92 - 4.2 / b;
    let alpha = (2.83 + 5.1 / b) * spread;
    let mode = ((n + 1.0) * p).floor();
    let log_odds = (p / (1.0 - p)).ln();
    let log_ways = |k: f64| -libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
    loop {
        let u = uniform(rng) - 0.5;
        let v: f64 = 1.0 - uniform(rng);
        let us = 0.5 - u.abs();
        let k = ((2.0 * a / us + b) * u + centre).floor();
        if !(k >= 0.0 && k <= n) {
            continue;
        }
        let is_inner = us >= 0.07 && v <= inner;
        let density = || log_ways(k) - log_ways(mode) + (k - mode) * log_odds;
        if is_inner || (v * alpha / (a / (us * us) + b)).ln() <= density() {
            return as_count(k);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of people are far below 2^53")]
fn as_float(n: u64) -> f64 {
    n as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number in 0..=n")]
fn as_count(k: f64) -> u64 {
    k as u64
}

/// Returns the quantile of values in ascending order, linear between them (Hyndman and Fan's type 7).
pub(crate) fn quantile(ascending: &[f64], level: f64) -> f64 {
    let Some(last) = ascending.len().checked_sub(1) else { return f64::NAN };
    let place = level.clamp(0.0, 1.0) * float(last);
    let below = usize::try_from(as_count(place.floor())).unwrap_or(last).min(last);
    let above = (below + 1).min(last);
    ascending[below] + (place - place.floor()) * (ascending[above] - ascending[below])
}

#[cfg(test)]
mod tests {
    use super::{binomial, multinomial, noisy, quantile, stream};

    #[test]
    fn binomial_draws_follow_the_exact_probabilities() {
        for (n, p) in [(8_u64, 0.3), (40, 0.1), (60, 0.4), (200, 0.93), (1000, 0.02)] {
            let mut rng = stream(1, n);
            let n_draws = 100_000_u32;
            let mut found = vec![0.0; usize::try_from(n).unwrap() + 1];
            for _ in 0..n_draws {
                found[usize::try_from(binomial(n, p, &mut rng)).unwrap()] += 1.0;
            }
            let size = n as f64;
            let mut probability = ((1.0 - p).ln() * size).exp();
            let (mut chi_square, mut cells, mut rest) = (0.0_f64, 0.0_f64, (0.0_f64, 0.0_f64));
            for (k, found) in found.iter().enumerate() {
                let expected = f64::from(n_draws) * probability;
                if expected >= 10.0 {
                    chi_square += (found - expected).powi(2) / expected;
                    cells += 1.0;
                } else {
                    rest = (rest.0 + found, rest.1 + expected);
                }
                probability *= (size - k as f64) / (k as f64 + 1.0) * p / (1.0 - p);
            }
            chi_square += (rest.0 - rest.1).powi(2) / rest.1.max(1.0);
            assert!(chi_square < cells + 4.0 * (2.0 * cells).sqrt(), "n {n} p {p}: {chi_square} on {cells}");
        }
    }

    #[test]
    fn large_numbers_have_the_right_mean_and_spread() {
        let (n, p) = (10_000_000_u64, 0.37);
        let mut rng = stream(2, 0);
        let draws: Vec<f64> = (0..20_000).map(|_| binomial(n, p, &mut rng) as f64).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / 19_999.0;
        let expected = n as f64 * p * (1.0 - p);
        assert!((mean - n as f64 * p).abs() < 4.0 * (expected / 20_000.0).sqrt());
        assert!((variance / expected - 1.0).abs() < 4.0 * (2.0_f64 / 20_000.0).sqrt());
    }

    #[test]
    fn simulated_noise_has_the_variance_of_the_mechanism() {
        for epsilon in [0.2_f64, 1.0, 4.0] {
            let noise = noisy(&vec![0; 200_000], epsilon, &mut stream(3, 0));
            let variance = noise.iter().map(|z| (*z as f64).powi(2)).sum::<f64>() / 200_000.0;
            let expected = 0.5 / (0.5 * epsilon).sinh().powi(2);
            assert!((variance / expected - 1.0).abs() < 0.05, "epsilon {epsilon}: {variance}, {expected}");
        }
    }

    #[test]
    fn people_are_neither_lost_nor_made() {
        let mut rng = stream(4, 0);
        assert_eq!(multinomial(1000, &[1.0, 0.0, 3.0, 0.0], &mut rng).iter().sum::<u64>(), 1000);
        assert_eq!(multinomial(7, &[0.0, 0.0], &mut rng), [0, 0]);
        assert_eq!((binomial(5, 1.0, &mut rng), binomial(5, 0.0, &mut rng), binomial(0, 0.5, &mut rng)), (5, 0, 0));
    }

    #[test]
    fn quantiles_are_linear_between_values() {
        assert!((quantile(&[1.0, 2.0, 4.0], 0.75) - 3.0).abs() < 1e-15);
        assert!((quantile(&[1.0], 0.3) - 1.0).abs() < 1e-15 && quantile(&[], 0.5).is_nan());
    }
}
