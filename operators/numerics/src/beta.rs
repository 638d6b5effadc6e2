//! The beta distribution and what is made of it: the tails and quantiles of F and of Student's t.

use std::f64::consts::PI;

use crate::normal::{normal_quantile, normal_two_sided};

/// Degrees of freedom from which F and t are computed as chi-square and normal would be.
const LARGE: f64 = 1e13;

/// Returns P(F > f) for F with `df1` and `df2` degrees of freedom: 1 for f <= 0, NaN outside the domain.
///
/// The incomplete beta function by its continued fraction (Abramowitz and Stegun 26.5.8, 26.6.2). The factor
/// before it is written as deviation from the mode, so that large degrees of freedom lose no digits:
/// relative error below 1e-11 up to 1e9 of them.
///
/// ```
/// assert!((causeway_numerics::f_sf(4.0, 2.0, 10.0) - (1.8_f64).powi(-5)).abs() < 1e-15);
/// ```
pub fn f_sf(f: f64, df1: f64, df2: f64) -> f64 {
    if f.is_nan() || df1.is_nan() || df2.is_nan() || df1 <= 0.0 || df2 <= 0.0 {
        return f64::NAN;
    }
    if f <= 0.0 {
        return 1.0;
    }
    if f.is_infinite() {
        return 0.0;
    }
    let total = df1 * f + df2.min(LARGE);
    beta_ratio(0.5 * df2.min(LARGE), 0.5 * df1, df2.min(LARGE) / total, df1 * f / total)
}

/// Returns the f with P(F > f) = `p`: infinite at 0, 0 at 1, NaN outside the domain.
///
/// ```
/// let f = causeway_numerics::f_quantile_upper(0.05, 1.0, 10.0);
/// assert!((causeway_numerics::f_sf(f, 1.0, 10.0) - 0.05).abs() < 1e-15);
/// ```
pub fn f_quantile_upper(p: f64, df1: f64, df2: f64) -> f64 {
    inverse_of_tail(p, |f| f_sf(f, df1, df2))
}

/// Returns P(|T| > |t|) for Student's T with `df` degrees of freedom, normal for infinitely many.
///
/// ```
/// assert!((causeway_numerics::t_two_sided(1.0, 1.0) - 0.5).abs() < 1e-15);
/// ```
pub fn t_two_sided(t: f64, df: f64) -> f64 {
    if df >= LARGE { normal_two_sided(t) } else { f_sf(t * t, 1.0, df) }
}

/// Returns the t with P(|T| > t) = `p` for Student's T, normal for infinitely many degrees of freedom.
///
/// ```
/// assert!((causeway_numerics::t_quantile_two_sided(0.5, 1.0) - 1.0).abs() < 1e-14);
/// ```
pub fn t_quantile_two_sided(p: f64, df: f64) -> f64 {
    if df >= LARGE { -normal_quantile(0.5 * p) } else { f_quantile_upper(p, 1.0, df).sqrt() }
}

/// Returns the x > 0 at which a falling tail probability is `p`, by halving the logarithm of x.
pub(crate) fn inverse_of_tail(p: f64, tail: impl Fn(f64) -> f64) -> f64 {
    const LARGEST_LOG: f64 = 700.0;
    if p.is_nan() || !(0.0..=1.0).contains(&p) || tail(1.0).is_nan() {
        return f64::NAN;
    }
    if p <= 0.0 {
        return f64::INFINITY;
    }
    if p >= 1.0 {
        return 0.0;
    }
    let (mut low, mut high) = (-1.0, 1.0);
    while tail(f64::exp(low)) < p && low > -LARGEST_LOG {
        (low, high) = (2.0 * low, low);
    }
    while tail(f64::exp(high)) > p && high < LARGEST_LOG {
        (low, high) = (high, 2.0 * high);
    }
    let (mut low, mut high) = (low.exp(), high.exp());
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        if tail(middle) > p {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// Returns P(B <= x) for a beta variable B; `y` is 1 - x, given apart so that neither loses digits.
fn beta_ratio(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if y <= 0.0 {
        return 1.0;
    }
    let factor = density_times_xy(a, b, x, y);
    let beyond = if a > b { (a + b) * y - b } else { a - (a + b) * x };
    if beyond >= 0.0 { factor * fraction(a, b, x, y, beyond) } else { 1.0 - factor * fraction(b, a, y, x, -beyond) }
}

/// Returns x^a y^b / B(a, b).
///
/// With x0 = a / (a + b) and Stirling's formula it is sqrt(a b / (2 pi (a + b))) times the exponential of
/// a ln(x / x0) + b ln(y / y0), in which the logarithms are small where the value is not, and of the
/// remainders of the three gamma functions.
fn density_times_xy(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let total = a + b;
    let (x0, y0) = (a / total, b / total);
    let step = if x < y { x - x0 } else { y0 - y };
    let exponent = a * ln_ratio(step, x0, x) + b * ln_ratio(-step, y0, y);
    let remainders = stirling_remainder(total) - stirling_remainder(a) - stirling_remainder(b);
    (a * y0 / (2.0 * PI)).sqrt() * (exponent + remainders).exp()
}

/// Returns ln((from + step) / from), where `to` is from + step.
fn ln_ratio(step: f64, from: f64, to: f64) -> f64 {
    if step.abs() < 0.5 * from { (step / from).ln_1p() } else { (to / from).ln() }
}

/// Returns ln Gamma(z) - ((z - 1/2) ln z - z + ln(2 pi) / 2) (Abramowitz and Stegun 6.1.41).
fn stirling_remainder(z: f64) -> f64 {
    if z < 12.0 {
        return libm::lgamma(z) - ((z - 0.5) * z.ln() - z + 0.5 * (2.0 * PI).ln());
    }
    let square = 1.0 / (z * z);
    let terms = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0, 1.0 / 156.0];
    terms.iter().rev().fold(0.0, |sum, term| sum * square + term) / z
}

/// The continued fraction, every second convergent of it: none of its terms is a difference of large numbers, however
/// large `a` is. `beyond` is a - (a + b) x >= 0.
fn fraction(a: f64, b: f64, x: f64, y: f64, beyond: f64) -> f64 {
    const MAX_TERMS: u32 = 1_000_000;
    let (first, ratio) = (1.0 + 1.0 / a, b / a);
    // Two numerators and two denominators; the newest denominator is kept at 1.
    let (mut numerators, mut denominators) = ((0.0, first / (1.0 + beyond)), (first / (1.0 + beyond), 1.0));
    let mut part = 1.0;
    for index in 1..MAX_TERMS {
        let n = f64::from(index);
        let (share, size) = (n / a, a + 2.0 * n - 1.0);
        let product = n * (b - n) * x;
        let scale = a / size;
        let alpha = part * (part + ratio) * scale * scale * product * x;
        let beta = n + product / size + (1.0 + share) / (first + 2.0 * share) * (1.0 + beyond + n * (1.0 + y));
        part = 1.0 + share;
        let numerator = alpha * numerators.0 + beta * numerators.1;
        let denominator = alpha * denominators.0 + beta * denominators.1;
        let value = numerator / denominator;
        if (value - numerators.1).abs() <= f64::EPSILON * value {
            return value;
        }
        (numerators, denominators) = ((numerators.1 / denominator, value), (1.0 / denominator, 1.0));
    }
    numerators.1
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the edges are exact by construction")]
mod tests {
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    use super::*;

    /// mpmath 1.3 `betainc` with 40 digits.
    const VALUES: &[(f64, f64, f64, f64)] = &[
        (4.0, 2.0, 10.0, 0.05292214940134465),
        (3.842462482484588, 1.0, 9267.0, 0.05000000000000005),
        (0.3, 5.0, 7.0, 0.8981557643278847),
        (2.9967010137304086, 2.0, 9266.0, 0.050000000000000065),
        (1.2, 40.0, 60.0, 0.25749564155902577),
        (1.01, 1000.0, 1500.0, 0.43006213266581367),
        (30.0, 3.0, 12.0, 7.373032475767986e-06),
        (5.4, 1.0, 1000000.0, 0.020136950921580198),
        (200.0, 4.0, 8.0, 4.766843094909811e-08),
        (3.85, 1.0, 100000000.0, 0.04974599349058171),
        (1.5, 2.5, 1000000000.0, 0.2182973131293553),
        (0.001, 1.0, 3.0, 0.9767590969181911),
        (80.0, 1.0, 2994.0, 6.413202446266469e-19),
    ];

    #[test]
    fn tails_agree_with_forty_digit_values() {
        for &(f, df1, df2, p) in VALUES {
            assert_relative_eq!(f_sf(f, df1, df2), p, max_relative = 1e-11);
        }
    }

    #[test]
    fn edges_are_as_documented() {
        assert_eq!((f_sf(0.0, 1.0, 2.0), f_sf(f64::INFINITY, 1.0, 2.0)), (1.0, 0.0));
        assert!(f_sf(1.0, 0.0, 2.0).is_nan() && f_sf(f64::NAN, 1.0, 2.0).is_nan());
        assert_eq!((f_quantile_upper(1.0, 2.0, 3.0), f_quantile_upper(0.0, 2.0, 3.0)), (0.0, f64::INFINITY));
        assert!(f_quantile_upper(-0.1, 2.0, 3.0).is_nan() && f_quantile_upper(0.5, 0.0, 3.0).is_nan());
        assert_eq!(t_two_sided(1.5, f64::INFINITY), normal_two_sided(1.5));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn the_quantile_inverts_the_tail(p in 1e-9_f64..0.999, df1 in 0.5_f64..200.0, df2 in 1.0_f64..1e6) {
            let f = f_quantile_upper(p, df1, df2);
            assert_relative_eq!(f_sf(f, df1, df2), p, max_relative = 1e-9);
        }

        #[test]
        fn a_ratio_turned_over_has_the_other_tail(f in 0.01_f64..50.0, df1 in 0.5_f64..300.0, df2 in 0.5_f64..300.0) {
            assert_relative_eq!(f_sf(f, df1, df2) + f_sf(1.0 / f, df2, df1), 1.0, max_relative = 1e-12);
        }

        #[test]
        fn many_degrees_of_freedom_are_normal(t in -6.0_f64..6.0) {
            assert_relative_eq!(t_two_sided(t, 1e12), normal_two_sided(t), max_relative = 1e-9);
        }
    }
}
