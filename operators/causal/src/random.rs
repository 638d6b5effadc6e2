//! Random numbers that are the same on every machine.

use causeway_numerics::normal_quantile;
use rand::Rng;

/// Returns a standard normal number: the quantile of one uniform number inside (0, 1).
pub(crate) fn standard_normal(random: &mut impl Rng) -> f64 {
    normal_quantile(open_uniform(random))
}

/// Returns a uniform number that is neither 0 nor 1.
#[expect(clippy::cast_precision_loss, reason = "52 bits and a half fit a double")]
pub(crate) fn open_uniform(random: &mut impl Rng) -> f64 {
    ((random.random::<u64>() >> 12) as f64 + 0.5) / 4_503_599_627_370_496.0
}
