//! Sums over rows, in an order that does not depend on the machine's vectors.

/// Sums kept side by side.
const LANES: usize = 16;

/// Rows that stay in the fastest memory while several sums are taken over them.
pub(super) const BLOCK_ROWS: usize = 512;

/// Returns the sum of products.
#[inline(always)]
pub(super) fn dot(left: &[f64], right: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let (left, left_rest) = left.as_chunks::<LANES>();
    let (right, right_rest) = right.as_chunks::<LANES>();
    for (left, right) in left.iter().zip(right) {
        for lane in 0..LANES {
            sums[lane] += left[lane] * right[lane];
        }
    }
    for (lane, (left, right)) in left_rest.iter().zip(right_rest).enumerate() {
        sums[lane] += left * right;
    }
    total(sums)
}

/// Returns the sum.
#[inline(always)]
pub(super) fn sum(values: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let (values, rest) = values.as_chunks::<LANES>();
    for values in values {
        for lane in 0..LANES {
            sums[lane] += values[lane];
        }
    }
    for (lane, value) in rest.iter().enumerate() {
        sums[lane] += value;
    }
    total(sums)
}

#[inline(always)]
fn total(mut sums: [f64; LANES]) -> f64 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

/// Adds a multiple of a column.
#[inline(always)]
pub(super) fn add_multiple(out: &mut [f64], factor: f64, column: &[f64]) {
    for (out, value) in out.iter_mut().zip(column) {
        *out += factor * value;
    }
}

/// Returns e^x for |x| <= 700, within two units in the last place; a loop over it becomes vector code.
#[inline(always)]
pub(super) fn exp(x: f64) -> f64 {
    /// 3/2 * 2^52: a double that has room for whole numbers only, so adding it rounds.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = (x - whole * LN_2_HIGH) - whole * LN_2_LOW; // |rest| <= ln(2) / 2
    let mut series = 1.0 / 6_227_020_800.0; // 1/13!
    for factorial in INVERSE_FACTORIALS {
        series = series * rest + factorial;
    }
    let power = rest * series; // e^rest - 1
    let scale = f64::from_bits(shifted.to_bits().wrapping_shl(52).wrapping_add(1023 << 52)); // 2^whole
    scale + scale * power
}

/// 1/12!, 1/11!, …, 1/1!.
const INVERSE_FACTORIALS: [f64; 12] = [
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
];

/// Returns the probability of log odds.
#[inline(always)]
pub(super) fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + exp(-log_odds.clamp(-700.0, 700.0)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sums_take_every_row_once() {
        for n in [0, 1, 15, 16, 17, 100] {
            let values: Vec<f64> = (0..n).map(f64::from).collect();
            let expected: f64 = values.iter().sum();
            assert!((sum(&values) - expected).abs() < 1e-12);
            assert!((dot(&values, &values) - values.iter().map(|value| value * value).sum::<f64>()).abs() < 1e-9);
        }
    }

    #[test]
    fn log_odds_of_nothing_are_one_half_and_the_ends_are_finite() {
        assert!((probability(0.0) - 0.5).abs() < 1e-16);
        assert!(probability(-1e9) > 0.0 && probability(-1e9) < 1e-300);
        assert!((probability(1e9) - 1.0).abs() < 1e-16);
    }

    proptest! {
        #[test]
        fn the_exponential_is_that_of_the_library(x in -700.0_f64..700.0) {
            prop_assert!((exp(x) / x.exp() - 1.0).abs() < 5e-16, "{x}");
        }
    }
}
