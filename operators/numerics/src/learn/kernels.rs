//! Sums over rows, in an order that does not depend on the machine's vectors.

use pulp::{Arch, Simd, WithSimd};

/// Sums kept side by side, whatever the vectors of the machine hold.
const LANES: usize = 8;

/// Columns that are multiplied with one other at a time.
const TILE: usize = 4;

/// Rows that stay in the fastest memory while several sums are taken over them.
pub(super) const BLOCK_ROWS: usize = 512;

/// Runs a loop over rows, compiled for the vectors of the machine.
pub(super) fn run<K: WithSimd>(kernel: K) -> K::Output {
    Arch::new().dispatch(kernel)
}

/// Returns the sum of a column.
pub(super) fn total_of(values: &[f64]) -> f64 {
    struct Sum<'a>(&'a [f64]);
    impl WithSimd for Sum<'_> {
        type Output = f64;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> f64 {
            sum(simd, self.0)
        }
    }
    run(Sum(values))
}

/// Returns the sum of the squares of a column.
pub(super) fn squares_of(values: &[f64]) -> f64 {
    struct Squares<'a>(&'a [f64]);
    impl WithSimd for Squares<'_> {
        type Output = f64;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> f64 {
            dot(simd, self.0, self.0)
        }
    }
    run(Squares(values))
}

/// Replaces log odds by probabilities.
pub(super) fn to_probabilities(log_odds: &mut [f64]) {
    struct Probabilities<'a>(&'a mut [f64]);
    impl WithSimd for Probabilities<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            for value in self.0 {
                *value = probability(*value);
            }
        }
    }
    run(Probabilities(log_odds));
}

/// Returns the sum of products; every product is added without rounding it first.
#[inline(always)]
pub(super) fn dot<S: Simd>(simd: S, left: &[f64], right: &[f64]) -> f64 {
    dots(simd, left, [right])[0]
}

/// Returns the sums of products of one column with several.
#[inline(always)]
fn dots<S: Simd, const N: usize>(simd: S, left: &[f64], rights: [&[f64]; N]) -> [f64; N] {
    match LANES / S::F64_LANES {
        1 => dots_of::<S, 1, N>(simd, left, rights),
        2 => dots_of::<S, 2, N>(simd, left, rights),
        4 => dots_of::<S, 4, N>(simd, left, rights),
        _ => dots_of::<S, LANES, N>(simd, left, rights),
    }
}

/// As [`dots`], with the lanes in so many vectors.
#[inline(always)]
fn dots_of<S: Simd, const VECTORS: usize, const N: usize>(simd: S, left: &[f64], rights: [&[f64]; N]) -> [f64; N] {
    let n_whole = left.len() / LANES;
    let left_chunks = chunks::<S, VECTORS>(left, n_whole);
    let right_chunks = rights.map(|right| chunks::<S, VECTORS>(right, n_whole));
    let mut sums = [[simd.splat_f64s(0.0); VECTORS]; N];
    for index in 0..n_whole {
        let left = &left_chunks[index];
        for column in 0..N {
            let right = &right_chunks[column][index];
            for vector in 0..VECTORS {
                sums[column][vector] = simd.mul_add_f64s(left[vector], right[vector], sums[column][vector]);
            }
        }
    }
    let mut out = [0.0; N];
    for column in 0..N {
        let mut lanes = [0.0; LANES];
        for (lanes, sum) in S::as_mut_simd_f64s(&mut lanes).0.iter_mut().zip(&sums[column]) {
            *lanes = *sum;
        }
        for (lane, row) in (n_whole * LANES..left.len()).enumerate() {
            lanes[lane] = left[row].mul_add(rights[column][row], lanes[lane]);
        }
        out[column] = total(lanes);
    }
    out
}

/// Returns the first rows of a column as so many times [`LANES`] in vectors.
#[inline(always)]
fn chunks<S: Simd, const VECTORS: usize>(column: &[f64], n_whole: usize) -> &[[S::f64s; VECTORS]] {
    &S::as_simd_f64s(&column[..n_whole * LANES]).0.as_chunks::<VECTORS>().0[..n_whole]
}

/// Adds to `out` the sums of products of one column with those of a block, one below the other.
#[inline(always)]
pub(super) fn add_dots<S: Simd>(simd: S, left: &[f64], block: &[f64], out: &mut [f64]) {
    let mut columns = block.chunks_exact(BLOCK_ROWS);
    let (tiles, rest) = out.as_chunks_mut::<TILE>();
    for out in tiles {
        let mut rights: [&[f64]; TILE] = [&[]; TILE];
        for (right, column) in rights.iter_mut().zip(&mut columns) {
            *right = column;
        }
        let sums = dots(simd, left, rights);
        for (out, sum) in out.iter_mut().zip(sums) {
            *out += sum;
        }
    }
    for (out, right) in rest.iter_mut().zip(columns) {
        *out += dot(simd, left, right);
    }
}

/// Returns the sum.
#[inline(always)]
pub(super) fn sum<S: Simd>(simd: S, values: &[f64]) -> f64 {
    match LANES / S::F64_LANES {
        1 => sum_of::<S, 1>(simd, values),
        2 => sum_of::<S, 2>(simd, values),
        4 => sum_of::<S, 4>(simd, values),
        _ => sum_of::<S, LANES>(simd, values),
    }
}

/// As [`sum`], with the lanes in so many vectors.
#[inline(always)]
fn sum_of<S: Simd, const VECTORS: usize>(simd: S, values: &[f64]) -> f64 {
    let n_whole = values.len() / LANES;
    let mut sums = [simd.splat_f64s(0.0); VECTORS];
    for chunk in S::as_simd_f64s(&values[..n_whole * LANES]).0.as_chunks::<VECTORS>().0 {
        for vector in 0..VECTORS {
            sums[vector] = simd.add_f64s(sums[vector], chunk[vector]);
        }
    }
    let mut lanes = [0.0; LANES];
    for (lanes, sum) in S::as_mut_simd_f64s(&mut lanes).0.iter_mut().zip(&sums) {
        *lanes = *sum;
    }
    for (lane, value) in values[n_whole * LANES..].iter().enumerate() {
        lanes[lane] += value;
    }
    total(lanes)
}

#[inline(always)]
fn total(lanes: [f64; LANES]) -> f64 {
    let pairs = [lanes[0] + lanes[4], lanes[1] + lanes[5], lanes[2] + lanes[6], lanes[3] + lanes[7]];
    (pairs[0] + pairs[2]) + (pairs[1] + pairs[3])
}

/// Adds a multiple of a column.
#[inline(always)]
pub(super) fn add_multiple(out: &mut [f64], factor: f64, column: &[f64]) {
    for (out, value) in out.iter_mut().zip(column) {
        *out = factor.mul_add(*value, *out);
    }
}

/// Returns e^x for |x| <= 700, within two units in the last place; a loop over it becomes vector code.
#[inline(always)]
pub(super) fn exp(x: f64) -> f64 {
    /// 3/2 * 2^52: a double that has room for whole numbers only, so adding it rounds.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let shifted = x.mul_add(std::f64::consts::LOG2_E, ROUND);
    let whole = shifted - ROUND;
    let rest = whole.mul_add(-LN_2_LOW, whole.mul_add(-LN_2_HIGH, x)); // |rest| <= ln(2) / 2
    let mut series: f64 = 1.0 / 6_227_020_800.0; // 1/13!
    for factorial in INVERSE_FACTORIALS {
        series = series.mul_add(rest, factorial);
    }
    let power = rest * series; // e^rest - 1
    let scale = f64::from_bits(shifted.to_bits().wrapping_shl(52).wrapping_add(1023 << 52)); // 2^whole
    scale.mul_add(power, scale)
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

    struct AddDots<'a>(&'a [f64], &'a [f64], &'a mut [f64]);

    impl WithSimd for AddDots<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            add_dots(simd, self.0, self.1, self.2);
        }
    }

    #[test]
    fn sums_take_every_row_once() {
        for n in [0, 1, 7, 8, 9, 100] {
            let values: Vec<f64> = (0..n).map(f64::from).collect();
            let expected: f64 = values.iter().sum();
            assert!((total_of(&values) - expected).abs() < 1e-12);
            assert!((squares_of(&values) - values.iter().map(|value| value * value).sum::<f64>()).abs() < 1e-9);
        }
    }

    #[test]
    fn a_block_is_multiplied_column_by_column() {
        for (n_columns, n_rows) in [(1, 512), (2, 17), (4, 16), (9, 300), (3, 5)] {
            let block: Vec<f64> = (0_u32..).map(|cell| f64::from(cell % 97)).take(n_columns * BLOCK_ROWS).collect();
            let left: Vec<f64> = (0_u32..).map(|row| f64::from(row % 13)).take(n_rows).collect();
            let mut out = vec![1.0; n_columns];
            run(AddDots(&left, &block, &mut out));
            for (found, column) in out.iter().zip(block.chunks(BLOCK_ROWS)) {
                let expected: f64 = 1.0 + left.iter().zip(column).map(|(left, right)| left * right).sum::<f64>();
                assert!((found - expected).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn vectors_and_single_numbers_give_the_same_bits() {
        let block: Vec<f64> = (0_u32..).map(|cell| f64::from(cell).sin()).take(5 * BLOCK_ROWS).collect();
        let left: Vec<f64> = (0_u32..).map(|row| f64::from(row).cos()).take(501).collect();
        let (mut by_vectors, mut by_numbers) = ([0.0; 5], [0.0; 5]);
        run(AddDots(&left, &block, &mut by_vectors));
        add_dots(pulp::Scalar::new(), &left, &block, &mut by_numbers);
        assert_eq!(by_vectors.map(f64::to_bits), by_numbers.map(f64::to_bits));
        assert_eq!(total_of(&left).to_bits(), sum(pulp::Scalar::new(), &left).to_bits());
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
