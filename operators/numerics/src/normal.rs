//! The standard normal distribution.

use std::f64::consts::{PI, SQRT_2};

use crate::dense::vectorised;

/// Returns P(Z <= z) for a standard normal Z.
///
/// Relative error below 1e-12 for z > -38; 0 where the value is below the smallest double.
///
/// ```
/// assert_eq!(causeway_numerics::normal_cdf(0.0), 0.5);
/// ```
pub fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z / SQRT_2)
}

/// Returns P(Z > z) for a standard normal Z, exact in the upper tail where `1 - normal_cdf(z)` is not.
///
/// ```
/// assert!(causeway_numerics::normal_sf(20.0) > 0.0);
/// ```
pub fn normal_sf(z: f64) -> f64 {
    normal_cdf(-z)
}

/// Returns P(|Z| > |z|) for a standard normal Z: the p-value of a two-sided test.
///
/// ```
/// assert!((causeway_numerics::normal_two_sided(-1.959963984540054) - 0.05).abs() < 1e-15);
/// ```
pub fn normal_two_sided(z: f64) -> f64 {
    libm::erfc(z.abs() / SQRT_2)
}

/// Returns ln P(|Z| > |z|) for a standard normal Z, also where the probability is below the
/// smallest double. Relative error below 1e-12.
///
/// Far out by the continued fraction of Mills' ratio (Abramowitz and Stegun 26.2.14).
///
/// ```
/// assert!((causeway_numerics::ln_normal_two_sided(100.0) + 5004.831061513645).abs() < 1e-8);
/// ```
pub fn ln_normal_two_sided(z: f64) -> f64 {
    const FAR: f64 = 20.0;
    const TERMS: u32 = 40;
    let z = z.abs();
    if z.is_nan() || z < FAR {
        return normal_two_sided(z).ln();
    }
    let fraction = (1..=TERMS).rev().fold(z, |below, term| z + f64::from(term) / below);
    0.5 * (2.0 / PI).ln() - 0.5 * z * z - fraction.ln()
}

/// Returns the z with P(Z <= z) = `p`: -inf at 0, +inf at 1, NaN outside [0, 1].
///
/// Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37 (1988) 477-484; relative error about 1e-16.
///
/// ```
/// assert_eq!(causeway_numerics::normal_quantile(0.5), 0.0);
/// ```
pub fn normal_quantile(p: f64) -> f64 {
    if p.is_nan() || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    let q = p - 0.5;
    if q.abs() <= CENTRAL {
        return q * rational(0.180625 - q * q, &CENTRE);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    if tail <= 0.0 {
        return if q < 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    let r = (-tail.ln()).sqrt();
    let z = if r <= 5.0 { rational(r - 1.6, &MIDDLE) } else { rational(r - 5.0, &FAR) };
    if q < 0.0 { -z } else { z }
}

/// Returns [`normal_quantile`] of (i + 1/2) / n for i from 0 to n - 1: the scores of n ranks.
///
/// ```
/// assert_eq!(causeway_numerics::normal_quantiles(3)[1], 0.0);
/// ```
pub fn normal_quantiles(n: usize) -> Vec<f64> {
    let share = |rank: f64| (rank + 0.5) / to_float(n);
    let mut quantiles: Vec<f64> = (0..n).map(to_float).collect();
    let is_central = |rank: &f64| (share(*rank) - 0.5).abs() <= CENTRAL;
    let first = quantiles.iter().position(is_central).unwrap_or(0);
    let end = quantiles.iter().rposition(is_central).map_or(0, |last| last + 1);
    vectorised(|| {
        for rank in &mut quantiles[first..end] {
            let q = share(*rank) - 0.5;
            *rank = q * rational(0.180625 - q * q, &CENTRE);
        }
    });
    let (low, high) = quantiles.split_at_mut(end);
    low[..first].iter_mut().chain(high).for_each(|rank| *rank = normal_quantile(share(*rank)));
    quantiles
}

/// Converts a count far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts of rows")]
fn to_float(count: usize) -> f64 {
    count as f64
}

/// |p - 1/2| up to which the central approximation holds.
const CENTRAL: f64 = 0.425;

/// Numerator and denominator of a rational approximation, lowest power first.
struct Rational {
    numerator: [f64; 8],
    denominator: [f64; 8],
}

#[inline(always)]
fn rational(x: f64, terms: &Rational) -> f64 {
    let polynomial = |coefficients: &[f64; 8]| coefficients.iter().rev().fold(0.0, |sum, term| sum * x + term);
    polynomial(&terms.numerator) / polynomial(&terms.denominator)
}

/// |p - 1/2| <= 0.425.
const CENTRE: Rational = Rational {
    numerator: [
        3.387_132_872_796_366_5,
        1.331_416_678_917_843_8e2,
        1.971_590_950_306_551_3e3,
        1.373_169_376_550_946e4,
        4.592_195_393_154_987e4,
        6.726_577_092_700_87e4,
        3.343_057_558_358_813e4,
        2.509_080_928_730_122_7e3,
    ],
    denominator: [
        1.0,
        4.231_333_070_160_091e1,
        6.871_870_074_920_579e2,
        5.394_196_021_424_751e3,
        2.121_379_430_158_659_7e4,
        3.930_789_580_009_271e4,
        2.872_908_573_572_194_3e4,
        5.226_495_278_852_854e3,
    ],
};

/// Tail probability down to exp(-25).
const MIDDLE: Rational = Rational {
    numerator: [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        2.417_807_251_774_506e-1,
        2.272_384_498_926_918_4e-2,
        7.745_450_142_783_414e-4,
    ],
    denominator: [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        6.897_673_349_851e-1,
        1.481_039_764_274_800_8e-1,
        1.519_866_656_361_645_7e-2,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ],
};

/// Tail probability below exp(-25).
const FAR: Rational = Rational {
    numerator: [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        2.965_605_718_285_048_7e-1,
        2.653_218_952_657_612_4e-2,
        1.242_660_947_388_078_4e-3,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ],
    denominator: [
        1.0,
        5.998_322_065_558_88e-1,
        1.369_298_809_227_358e-1,
        1.487_536_129_085_061_5e-2,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ],
};

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "infinities are exact")]
mod tests {
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    use super::*;

    /// mpmath 1.3 with 40 digits; scipy 1.17 `norm.ppf` agrees to 1e-15.
    const QUANTILES: &[(f64, f64)] = &[
        (1e-300, -37.047_096_299_361_2),
        (1e-100, -21.273_453_560_965_326),
        (1e-20, -9.262_340_089_798_408),
        (1e-8, -5.612_001_244_174_789),
        (0.001, -3.090_232_306_167_813_5),
        (0.02425, -1.972_961_051_311_884_8),
        (0.025, -1.959_963_984_540_054_2),
        (0.1, -1.281_551_565_544_600_4),
        (0.3, -0.524_400_512_708_040_8),
        (0.425, -0.189_118_426_272_792_5),
        (0.9, 1.281_551_565_544_600_6),
        (0.95, 1.644_853_626_951_472_3),
        (0.975, 1.959_963_984_540_054),
        (0.995, 2.575_829_303_548_900_5),
        (0.9995, 3.290_526_731_491_926),
        (0.999_999, 4.753_424_308_817_088),
    ];

    /// mpmath 1.3 with 40 digits.
    const PROBABILITIES: &[(f64, f64)] = &[
        (-37.0, 5.725_571_222_524_577e-300),
        (-20.0, 2.753_624_118_606_233_7e-89),
        (-8.5, 9.479_534_822_203_318e-18),
        (-3.0, 0.001_349_898_031_630_094_5),
        (-1.25, 0.105_649_773_666_855_26),
        (-0.1, 0.460_172_162_722_971),
        (0.5, 0.691_462_461_274_013_1),
        (4.0, 0.999_968_328_758_166_9),
        (8.0, 0.999_999_999_999_999_4),
    ];

    #[test]
    fn quantiles_of_ranks_are_those_of_their_shares() {
        for n in [0, 1, 2, 7, 100, 1001] {
            let shares = (0..n).map(|rank| (to_float(rank) + 0.5) / to_float(n));
            let expected: Vec<f64> = shares.map(normal_quantile).collect();
            assert_eq!(normal_quantiles(n), expected);
        }
    }

    #[test]
    fn quantiles_agree_with_forty_digit_values() {
        for &(p, z) in QUANTILES {
            assert_relative_eq!(normal_quantile(p), z, max_relative = 1e-14);
        }
    }

    #[test]
    fn probabilities_agree_with_forty_digit_values() {
        for &(z, p) in PROBABILITIES {
            assert_relative_eq!(normal_cdf(z), p, max_relative = 1e-12);
            assert_relative_eq!(normal_sf(-z), p, max_relative = 1e-12);
        }
    }

    #[test]
    fn the_ends_of_the_unit_interval_are_infinite_and_beyond_is_nan() {
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(normal_quantile(1.0), f64::INFINITY);
        assert!(normal_quantile(-0.1).is_nan() && normal_quantile(1.1).is_nan() && normal_quantile(f64::NAN).is_nan());
    }

    #[test]
    fn two_sided_tails_agree_with_forty_digit_values_and_meet_where_the_method_changes() {
        assert_relative_eq!(normal_two_sided(20.0), 2.0 * 2.753_624_118_606_233_7e-89, max_relative = 1e-12);
        for z in [0.0, 0.3, 5.0, 19.999_999, 20.000_001, 30.0, 37.0] {
            assert_relative_eq!(ln_normal_two_sided(-z), normal_two_sided(z).ln(), max_relative = 1e-12);
        }
        assert!(ln_normal_two_sided(f64::NAN).is_nan());
    }

    proptest! {
        #[test]
        fn quantile_inverts_cdf(p in 1e-12..0.999_999) {
            prop_assert!((normal_cdf(normal_quantile(p)) - p).abs() <= 1e-13 * p.max(1e-3));
        }
    }
}
