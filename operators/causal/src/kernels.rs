//! The inner loops: sums of products over the rows of columns.
//!
//! Products are added in a fixed order of sixteen running sums, so the result does not depend on
//! the width of the machine's vectors, nor on threads.

use pulp::{Arch, Simd, WithSimd};

/// Running sums of one dot product.
const LANES: usize = 16;

/// Columns in a block of [`crate::gram`].
pub(crate) const BLOCK: usize = 8;

/// Half a block: the rows of the tile that is held in registers.
const HALF: usize = BLOCK / 2;

/// Sums of products of the columns of two blocks.
pub(crate) type Tile = [[f64; BLOCK]; BLOCK];

/// Returns the sum of products of two columns of one length.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    Arch::new().dispatch(Dot { a, b })
}

/// Returns the sum of (a b - mean)^2 over two columns of one length.
pub(crate) fn squared_deviations(a: &[f64], b: &[f64], mean: f64) -> f64 {
    Arch::new().dispatch(SquaredDeviations { a, b, mean })
}

/// Adds the chosen rows of a column to the end of `out`, less their mean.
pub(crate) fn gather_centred(column: &[f64], rows: &[u32], out: &mut Vec<f64>) {
    let start = out.len();
    out.extend(rows.iter().map(|row| column[*row as usize]));
    Arch::new().dispatch(Centre { values: &mut out[start..] });
}

/// Adds the products of two panels (rows of `BLOCK` columns each) to a tile.
pub(crate) fn add_products(left: &[[f64; BLOCK]], right: &[[f64; BLOCK]], tile: &mut Tile) {
    Arch::new().dispatch(AddProducts { left, right, tile });
}

struct Dot<'a> {
    a: &'a [f64],
    b: &'a [f64],
}

impl WithSimd for Dot<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> f64 {
        let mut sums = [0.0; LANES];
        let (a_blocks, a_rest) = self.a.as_chunks::<LANES>();
        let (b_blocks, b_rest) = self.b.as_chunks::<LANES>();
        for (a, b) in a_blocks.iter().zip(b_blocks) {
            for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                *sum += a * b;
            }
        }
        let mut rest = 0.0;
        for (a, b) in a_rest.iter().zip(b_rest) {
            rest += a * b;
        }
        sums.iter().sum::<f64>() + rest
    }
}

struct SquaredDeviations<'a> {
    a: &'a [f64],
    b: &'a [f64],
    mean: f64,
}

impl WithSimd for SquaredDeviations<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> f64 {
        let square = |a: &f64, b: &f64| {
            let deviation = a * b - self.mean;
            deviation * deviation
        };
        let mut sums = [0.0; LANES];
        let (a_blocks, a_rest) = self.a.as_chunks::<LANES>();
        let (b_blocks, b_rest) = self.b.as_chunks::<LANES>();
        for (a, b) in a_blocks.iter().zip(b_blocks) {
            for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                *sum += square(a, b);
            }
        }
        let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| square(a, b)).sum();
        sums.iter().sum::<f64>() + rest
    }
}

struct Centre<'a> {
    values: &'a mut [f64],
}

impl WithSimd for Centre<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let mut sums = [0.0; LANES];
        let (blocks, rest) = self.values.as_chunks::<LANES>();
        for block in blocks {
            sums.iter_mut().zip(block).for_each(|(sum, value)| *sum += value);
        }
        let total = sums.iter().sum::<f64>() + rest.iter().sum::<f64>();
        let mean = total / self.values.len() as f64;
        self.values.iter_mut().for_each(|value| *value -= mean);
    }
}

struct AddProducts<'a> {
    left: &'a [[f64; BLOCK]],
    right: &'a [[f64; BLOCK]],
    tile: &'a mut Tile,
}

impl WithSimd for AddProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match BLOCK / S::F64_LANES {
            1 => self.add::<S, 1>(simd),
            2 => self.add::<S, 2>(simd),
            4 => self.add::<S, 4>(simd),
            _ => self.add::<S, BLOCK>(simd),
        }
    }
}

impl AddProducts<'_> {
    /// `VECTORS` registers hold a row of a block.
    #[inline(always)]
    fn add<S: Simd, const VECTORS: usize>(self, simd: S) {
        for first in [0, HALF] {
            let mut sums = [[simd.splat_f64s(0.0); VECTORS]; HALF];
            for (left, right) in self.left.iter().zip(self.right) {
                let (right, _) = S::as_simd_f64s(right);
                for (sums, left) in sums.iter_mut().zip(&left[first..first + HALF]) {
                    let left = simd.splat_f64s(*left);
                    for (sum, right) in sums.iter_mut().zip(right) {
                        *sum = simd.add_f64s(*sum, simd.mul_f64s(left, *right));
                    }
                }
            }
            for (sums, tile) in sums.iter().zip(&mut self.tile[first..]) {
                let (tile, _) = S::as_mut_simd_f64s(tile);
                sums.iter().zip(tile).for_each(|(sum, total)| *total = simd.add_f64s(*total, *sum));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    #[test]
    fn a_dot_product_of_any_length_is_the_sum_of_products() {
        for length in [0, 1, 15, 16, 17, 100] {
            let column: Vec<f64> = (0..length).map(f64::from).collect();
            let expected: f64 = column.iter().map(|value| value * value).sum();
            assert_abs_diff_eq!(dot(&column, &column), expected, epsilon = 1e-9);
            let expected: f64 = column.iter().map(|value| (value * value - 3.0).powi(2)).sum();
            assert_abs_diff_eq!(squared_deviations(&column, &column, 3.0), expected, epsilon = 1e-9 * expected);
        }
    }

    #[test]
    fn gathered_rows_have_mean_zero() {
        let column: Vec<f64> = (0..20).map(|row| f64::from(row * row)).collect();
        let mut out = Vec::new();
        gather_centred(&column, &[0, 2, 4, 6, 8], &mut out);
        assert_eq!(out, [-24.0, -20.0, -8.0, 12.0, 40.0]);
    }

    #[test]
    fn a_tile_adds_the_products_of_all_columns() {
        let left = [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]; 3];
        let right = [[2.0; BLOCK]; 3];
        let mut tile = [[1.0; BLOCK]; BLOCK];
        add_products(&left, &right, &mut tile);
        assert!(tile[4].iter().all(|sum| (sum - 31.0).abs() < 1e-12));
    }
}
