//! Sums of products of a few columns over many rows, vectorised.
//!
//! A tile of four columns by two stays in registers while the rows are walked. Rows are added in a fixed order, so
//! the same columns give the same bytes whenever the same processor features are found.

use pulp::{Arch, Simd, WithSimd};

/// Columns on the left of a tile.
const LEFT: usize = 4;

/// Columns on the right of a tile.
const RIGHT: usize = 2;

/// Adds to `totals`, row-major, the sum over the rows of the product of columns i and j for every i <= j.
///
/// All columns have the same length; entries below the diagonal are left as they are.
///
/// ```
/// let mut totals = [0.0; 4];
/// causeway_numerics::columns::add_products(&[&[1.0, 2.0], &[3.0, -1.0]], &mut totals);
/// assert_eq!(totals, [5.0, 1.0, 0.0, 10.0]);
/// ```
pub fn add_products(columns: &[&[f64]], totals: &mut [f64]) {
    Arch::new().dispatch(Products { columns, totals });
}

struct Products<'a> {
    columns: &'a [&'a [f64]],
    totals: &'a mut [f64],
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let n = self.columns.len();
        for first in (0..n).step_by(LEFT) {
            // columns beyond the last repeat it; their sums are not used
            let left = std::array::from_fn(|index| self.columns[(first + index).min(n - 1)]);
            for second in (first..n).step_by(RIGHT) {
                let right = std::array::from_fn(|index| self.columns[(second + index).min(n - 1)]);
                let sums = tile(simd, left, right);
                for (i, sums) in (first..n).zip(&sums) {
                    for (j, sum) in (second..n).zip(sums).filter(|(j, _)| i <= *j) {
                        self.totals[i * n + j] += sum;
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn tile<S: Simd>(simd: S, left: [&[f64]; LEFT], right: [&[f64]; RIGHT]) -> [[f64; RIGHT]; LEFT] {
    let [(a, a_rest), (b, b_rest), (c, c_rest), (d, d_rest)] = left.map(S::as_simd_f64s);
    let [(x, x_rest), (y, y_rest)] = right.map(S::as_simd_f64s);
    let mut sums = [[simd.splat_f64s(0.0); RIGHT]; LEFT];
    for (((((a, b), c), d), x), y) in a.iter().zip(b).zip(c).zip(d).zip(x).zip(y) {
        for (sums, left) in sums.iter_mut().zip([a, b, c, d]) {
            sums[0] = simd.mul_add_e_f64s(*left, *x, sums[0]);
            sums[1] = simd.mul_add_e_f64s(*left, *y, sums[1]);
        }
    }
    let mut totals = sums.map(|sums| sums.map(|sum| simd.reduce_sum_f64s(sum)));
    for (totals, left) in totals.iter_mut().zip([a_rest, b_rest, c_rest, d_rest]) {
        for (total, right) in totals.iter_mut().zip([x_rest, y_rest]) {
            for (left, right) in left.iter().zip(right) {
                *total += left * right;
            }
        }
    }
    totals
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::add_products;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn products_are_sums_over_rows(
            (n_rows, values) in (1_usize..70, 1_usize..12)
                .prop_flat_map(|(rows, columns)| (Just(rows), proptest::collection::vec(-1.0_f64..1.0, rows * columns)))
        ) {
            let columns: Vec<&[f64]> = values.chunks(n_rows).collect();
            let n = columns.len();
            let mut totals = vec![1.0; n * n];
            add_products(&columns, &mut totals);
            for i in 0..n {
                for j in 0..n {
                    let sum: f64 = columns[i].iter().zip(columns[j]).map(|(a, b)| a * b).sum();
                    let expected = if i <= j { 1.0 + sum } else { 1.0 };
                    prop_assert!((totals[i * n + j] - expected).abs() < 1e-12);
                }
            }
        }
    }
}
