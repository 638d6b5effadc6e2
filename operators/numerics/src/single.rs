//! Products of a fixed matrix with narrow panels, in single precision.
//!
//! For increments that are small beside what they are added to: half the bytes and twice the lanes of `f64`. A
//! panel holds up to [`MAX_VECTORS`] vectors of columns, row by row, so that it stays in the first cache
//! while the fixed matrix streams by. Sums run over the depth in order, so the same panel gives the same
//! bytes whenever the same processor features are found.

use pulp::{Arch, Simd, WithSimd};

/// Rows of a register tile.
pub const TILE_ROWS: usize = 4;

/// Vectors in a row of a panel: 4 x 2 sums hide how long each takes; with 4 x 3 there are not enough registers.
pub const MAX_VECTORS: usize = 2;

/// Returns the number of single precision values in a vector of this machine.
pub fn lanes() -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    Arch::new().dispatch(Lanes)
}

/// Returns the numbers of vectors in the panels that hold `columns` columns: all are full but the last.
pub fn panels(columns: usize) -> Vec<usize> {
    let n_vectors = columns.div_ceil(lanes());
    (0..n_vectors).step_by(MAX_VECTORS).map(|first| MAX_VECTORS.min(n_vectors - first)).collect()
}

/// A matrix laid out as the left factor of products.
#[derive(Debug, Clone, Default)]
pub struct Left {
    /// Groups of [`TILE_ROWS`] rows; within a group column by column.
    values: Vec<f32>,
    depth: usize,
}

impl Left {
    /// Lays out the rows of a matrix with `depth` columns; the number of rows is a multiple of [`TILE_ROWS`].
    #[expect(clippy::cast_possible_truncation, reason = "rounded to single precision")]
    pub fn new(rows: &[f64], depth: usize) -> Self {
        let mut values = Vec::with_capacity(rows.len());
        for group in rows.chunks_exact(TILE_ROWS * depth) {
            for column in 0..depth {
                values.extend((0..TILE_ROWS).map(|row| group[row * depth + column] as f32));
            }
        }
        Self { values, depth }
    }

    /// Sets `out` to `base` plus the product with a panel of `n_vectors` vectors. The three have the same layout.
    pub fn multiply_add(&self, panel: &[f32], base: &[f32], out: &mut [f32], n_vectors: usize) {
        Arch::new().dispatch(Product { left: self, panel, base, out, n_vectors });
    }
}

struct Product<'a> {
    left: &'a Left,
    panel: &'a [f32],
    base: &'a [f32],
    out: &'a mut [f32],
    n_vectors: usize,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.n_vectors {
            1 => self.compute::<S, 1>(simd),
            _ => self.compute::<S, MAX_VECTORS>(simd),
        }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn compute<S: Simd, const VECTORS: usize>(self, simd: S) {
        let (factors, _) = S::as_simd_f32s(self.panel);
        let (factors, _) = factors.as_chunks::<VECTORS>();
        let (base, _) = S::as_simd_f32s(self.base);
        let (base, _) = base.as_chunks::<VECTORS>();
        let (out, _) = S::as_mut_simd_f32s(self.out);
        let (out, _) = out.as_chunks_mut::<VECTORS>();
        let (base, _) = base.as_chunks::<TILE_ROWS>();
        let (out, _) = out.as_chunks_mut::<TILE_ROWS>();
        let groups = self.left.values.chunks_exact(TILE_ROWS * self.left.depth);
        for ((group, base), out) in groups.zip(base).zip(out) {
            let mut sums = *base;
            let (broadcasts, _) = group.as_chunks::<TILE_ROWS>();
            for (left, right) in broadcasts.iter().zip(factors) {
                for row in 0..TILE_ROWS {
                    let value = simd.splat_f32s(left[row]);
                    for vector in 0..VECTORS {
                        sums[row][vector] = simd.mul_add_e_f32s(value, right[vector], sums[row][vector]);
                    }
                }
            }
            *out = sums;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn panels_cover_all_columns() {
        assert_eq!(panels(5 * lanes()), [2, 2, 1]);
        assert_eq!(panels(lanes() + 1), [2]);
        assert!(panels(0).is_empty());
    }

    #[expect(clippy::cast_possible_truncation, reason = "rounded to single precision")]
    fn single_of(value: f64) -> f32 {
        value as f32
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]

        #[test]
        fn a_product_is_added_to_the_base(groups in 1_usize..12, n_vectors in 1..=MAX_VECTORS, seed in 0_u32..1000) {
            let (order, columns) = (groups * TILE_ROWS, n_vectors * lanes());
            let entry = |cell: usize, stream: u32| {
                let mixed = u32::try_from(cell).unwrap().wrapping_mul(2_654_435_761).wrapping_add(seed * 97 + stream) >> 16;
                f64::from(mixed) / 32768.0 - 1.0
            };
            let rows: Vec<f64> = (0..order * order).map(|cell| entry(cell, 1)).collect();
            let single = |stream: u32| -> Vec<f32> { (0..order * columns).map(|cell| single_of(entry(cell, stream))).collect() };
            let (panel, base) = (single(2), single(3));
            let mut out = vec![f32::NAN; order * columns];
            Left::new(&rows, order).multiply_add(&panel, &base, &mut out, n_vectors);
            for row in 0..order {
                for column in 0..columns {
                    let products = (0..order).map(|k| rows[row * order + k] * f64::from(panel[k * columns + column]));
                    let expected = f64::from(base[row * columns + column]) + products.sum::<f64>();
                    prop_assert!((f64::from(out[row * columns + column]) - expected).abs() < 1e-4);
                }
            }
        }
    }
}
