//! Products and inverses of dense square matrices, at the speed of the processor's vector unit.
//!
//! Matrices are row-major slices of `order * order` values, where the order is a multiple of
//! [`padding`]: a smaller matrix is filled up with zeros (for [`Inverter::invert`] with ones on the
//! diagonal), which changes neither a product nor an inverse within its own rows and columns.
//!
//! ```text
//! product   tiles of 4 rows by 3 vectors stay in registers while the depth is walked
//! inverse   blocked Gauss-Jordan: one small block is inverted at a time, the rest is products
//! ```
//!
//! One thread does all the work in a fixed order, so a result has the same bytes whenever the same
//! processor features are found.

use pulp::{Arch, Simd, WithSimd};

/// Rows of a register tile.
const TILE_ROWS: usize = 4;

/// Vectors in a row of a register tile: 4 x 3 sums, 3 factors and 1 broadcast fill 16 registers.
const TILE_VECTORS: usize = 2;

/// Rows that [`Inverter`] eliminates at a time.
const BLOCK: usize = 24;

/// Returns what the order of every matrix must be a multiple of on this machine.
pub fn padding() -> usize {
    lanes().max(TILE_ROWS)
}

fn lanes() -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F64_LANES
        }
    }
    Arch::new().dispatch(Lanes)
}

/// Runs a loop compiled for the widest vectors of the machine.
pub fn vectorised<R>(body: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(body)
}

/// A matrix laid out as the left factor of products.
#[derive(Debug, Clone, Default)]
pub struct Left {
    /// Groups of [`TILE_ROWS`] rows; within a group column by column.
    values: Vec<f64>,
    depth: usize,
}

/// A matrix laid out as the right factor of products.
#[derive(Debug, Clone, Default)]
pub struct Right {
    /// Panels of up to [`TILE_VECTORS`] vectors; within a panel row by row.
    values: Vec<f64>,
    depth: usize,
}

impl Left {
    /// Lays out the rows of a matrix with `depth` columns; the number of rows is a multiple of [`padding`].
    pub fn pack(&mut self, rows: &[f64], depth: usize) {
        self.values.clear();
        self.depth = depth;
        for group in rows.chunks_exact(TILE_ROWS * depth) {
            for column in 0..depth {
                self.values.extend((0..TILE_ROWS).map(|row| group[row * depth + column]));
            }
        }
    }
}

impl Right {
    /// Lays out the rows of a matrix whose number of columns is a multiple of [`padding`].
    pub fn pack(&mut self, rows: &[f64], columns: usize) {
        let width = TILE_VECTORS * lanes();
        self.values.clear();
        self.depth = rows.len() / columns;
        for start in (0..columns).step_by(width) {
            let end = (start + width).min(columns);
            for row in rows.chunks_exact(columns) {
                self.values.extend_from_slice(&row[start..end]);
            }
        }
    }
}

/// Sets `out` to the product of two matrices; `columns` is the number of columns of `right` and `out`.
pub fn multiply(left: &Left, right: &Right, out: &mut [f64], columns: usize) {
    Arch::new().dispatch(Product { left, right, out, columns, sum: Sum::Replace });
}

/// Adds X'X to `out`, where X are rows of `columns` values, a multiple of [`padding`].
///
/// Rows are summed in blocks of 512 from the first on, so the same rows give the same bytes.
pub fn add_gram(rows: &[f64], columns: usize, out: &mut [f64]) {
    const BLOCK_ROWS: usize = 512;
    let (mut left, mut right) = (Left::default(), Right::default());
    let mut transposed = Vec::new();
    for block in rows.chunks(BLOCK_ROWS * columns) {
        let n_rows = block.len() / columns;
        transposed.clear();
        transposed.resize(block.len(), 0.0);
        for (row, values) in block.chunks_exact(columns).enumerate() {
            for (column, value) in values.iter().enumerate() {
                transposed[column * n_rows + row] = *value;
            }
        }
        left.pack(&transposed, n_rows);
        right.pack(block, columns);
        Arch::new().dispatch(Product { left: &left, right: &right, out, columns, sum: Sum::Add });
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sum {
    Add,
    Replace,
    Subtract,
}

struct Product<'a> {
    left: &'a Left,
    right: &'a Right,
    out: &'a mut [f64],
    columns: usize,
    sum: Sum,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let depth = self.left.depth;
        debug_assert_eq!(depth, self.right.depth);
        let width = TILE_VECTORS * S::F64_LANES;
        for start in (0..self.columns).step_by(width) {
            let end = (start + width).min(self.columns);
            let panel = &self.right.values[start * depth..end * depth];
            let groups = self.left.values.chunks_exact(TILE_ROWS * depth);
            for (group, out) in groups.zip(self.out.chunks_exact_mut(TILE_ROWS * self.columns)) {
                let tile = Tile { group, panel, out, columns: self.columns, start, sum: self.sum };
                match (end - start) / S::F64_LANES {
                    1 => tile.compute::<S, 1>(simd),
                    _ => tile.compute::<S, TILE_VECTORS>(simd),
                }
            }
        }
    }
}

/// Four rows of the result from column `start` on.
struct Tile<'a> {
    group: &'a [f64],
    panel: &'a [f64],
    out: &'a mut [f64],
    columns: usize,
    start: usize,
    sum: Sum,
}

impl Tile<'_> {
    #[inline(always)]
    fn compute<S: Simd, const VECTORS: usize>(self, simd: S) {
        let mut sums = [[simd.splat_f64s(0.0); VECTORS]; TILE_ROWS];
        let (factors, _) = S::as_simd_f64s(self.panel);
        let (broadcasts, _) = self.group.as_chunks::<TILE_ROWS>();
        let (factors, _) = factors.as_chunks::<VECTORS>();
        for (left, right) in broadcasts.iter().zip(factors) {
            for row in 0..TILE_ROWS {
                let value = simd.splat_f64s(left[row]);
                for vector in 0..VECTORS {
                    sums[row][vector] = simd.mul_add_e_f64s(value, right[vector], sums[row][vector]);
                }
            }
        }
        let width = VECTORS * S::F64_LANES;
        for (sums, out) in sums.iter().zip(self.out.chunks_exact_mut(self.columns)) {
            let (out, _) = S::as_mut_simd_f64s(&mut out[self.start..self.start + width]);
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = match self.sum {
                    Sum::Replace => *sum,
                    Sum::Add => simd.add_f64s(*out, *sum),
                    Sum::Subtract => simd.sub_f64s(*out, *sum),
                };
            }
        }
    }
}

/// Inverts matrices that need no row exchanges, in place, and keeps its working space.
///
/// M-matrices are such: a matrix with positive diagonal and no positive entry beside it has an
/// inverse without negative entries exactly if elimination meets only positive pivots (Berman and
/// Plemmons, Nonnegative Matrices in the Mathematical Sciences, theorem 6.2.3).
#[derive(Debug, Default)]
pub struct Inverter {
    block: Vec<f64>,
    pivot_rows: Vec<f64>,
    others: Vec<f64>,
    left: Left,
    right: Right,
}

impl Inverter {
    /// Replaces a matrix by its inverse and returns the logarithm of its determinant, or `None`
    /// as soon as a pivot is not positive; the matrix is then spoilt.
    pub fn invert(&mut self, matrix: &mut [f64], order: usize) -> Option<f64> {
        let mut log_determinant = 0.0;
        for first in (0..order).step_by(BLOCK) {
            let size = BLOCK.min(order - first);
            log_determinant += self.eliminate(matrix, order, first, size)?;
        }
        Some(log_determinant)
    }

    /// Exchanges the variables `first..first + size` with their equations: with P the block on the
    /// diagonal, R its rows and K its columns, R becomes P^-1 R, the rest loses K P^-1 R.
    fn eliminate(&mut self, matrix: &mut [f64], order: usize, first: usize, size: usize) -> Option<f64> {
        self.block.clear();
        self.others.clear();
        for (index, row) in matrix.chunks_exact_mut(order).enumerate() {
            let own = (first..first + size).contains(&index);
            let panel = &mut row[first..first + size];
            if own {
                self.block.extend_from_slice(panel);
                self.others.resize(self.others.len() + size, 0.0);
            } else {
                self.others.extend_from_slice(panel);
            }
            panel.fill(0.0);
            if own {
                panel[index - first] = 1.0;
            }
        }
        let block = &mut self.block;
        let log_determinant = vectorised(|| invert_small(block, size))?;
        self.pivot_rows.clear();
        self.pivot_rows.resize(size * order, 0.0);
        self.left.pack(&self.block, size);
        self.right.pack(&matrix[first * order..(first + size) * order], order);
        multiply(&self.left, &self.right, &mut self.pivot_rows, order);
        self.left.pack(&self.others, size);
        self.right.pack(&self.pivot_rows, order);
        let (left, right) = (&self.left, &self.right);
        Arch::new().dispatch(Product { left, right, out: matrix, columns: order, sum: Sum::Subtract });
        matrix[first * order..(first + size) * order].copy_from_slice(&self.pivot_rows);
        Some(log_determinant)
    }
}

/// Gauss-Jordan on one small matrix; as [`Inverter::invert`].
#[inline(always)]
fn invert_small(matrix: &mut [f64], order: usize) -> Option<f64> {
    let mut log_determinant = 0.0;
    let mut pivot_row = [0.0; BLOCK];
    for pivot in 0..order {
        let row = &mut matrix[pivot * order..(pivot + 1) * order];
        let value = row[pivot];
        if value.is_nan() || value <= 0.0 {
            return None;
        }
        log_determinant += value.ln();
        row[pivot] = 1.0;
        for entry in row.iter_mut() {
            *entry /= value;
        }
        pivot_row[..order].copy_from_slice(row);
        for (index, row) in matrix.chunks_exact_mut(order).enumerate() {
            if index == pivot {
                continue;
            }
            let factor = std::mem::replace(&mut row[pivot], 0.0);
            for (entry, lead) in row.iter_mut().zip(&pivot_row) {
                *entry -= factor * lead;
            }
        }
    }
    Some(log_determinant)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn padded(order: usize) -> usize {
        order.next_multiple_of(padding())
    }

    /// Entries in (-1, 1) from a fixed generator.
    fn entries(n: usize, seed: u64) -> Vec<f64> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from(u32::try_from(state >> 32).unwrap()) / f64::from(u32::MAX) * 2.0 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    fn product(left: &[f64], right: &[f64], order: usize) -> Vec<f64> {
        let (mut packed_left, mut packed_right) = (Left::default(), Right::default());
        packed_left.pack(left, order);
        packed_right.pack(right, order);
        let mut out = vec![f64::NAN; order * order];
        multiply(&packed_left, &packed_right, &mut out, order);
        out
    }

    #[test]
    fn the_determinant_of_a_triangle_is_the_product_of_its_diagonal() {
        let order = padded(4);
        let mut matrix = vec![0.0; order * order];
        for index in 0..order {
            matrix[index * order + index] = if index < 4 { 2.0 } else { 1.0 };
        }
        matrix[1] = -3.0;
        let log_determinant = Inverter::default().invert(&mut matrix, order).unwrap();
        assert!((log_determinant - 16.0_f64.ln()).abs() < 1e-14);
        assert!((matrix[0] - 0.5).abs() < 1e-15 && (matrix[1] - 0.75).abs() < 1e-15);
    }

    #[test]
    fn a_pivot_that_is_not_positive_is_told() {
        let order = padded(1);
        for value in [0.0, -1.0, f64::NAN] {
            let mut matrix = vec![0.0; order * order];
            matrix[0] = value;
            assert_eq!(Inverter::default().invert(&mut matrix, order), None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]

        #[test]
        fn a_product_is_the_sum_over_the_depth(order in 1_usize..70, seed in any::<u64>()) {
            let order = padded(order);
            let (left, right) = (entries(order * order, seed), entries(order * order, seed ^ 7));
            let found = product(&left, &right, order);
            for row in 0..order {
                for column in 0..order {
                    let expected: f64 = (0..order).map(|k| left[row * order + k] * right[k * order + column]).sum();
                    prop_assert!((found[row * order + column] - expected).abs() < 1e-13);
                }
            }
        }

        #[test]
        fn a_gram_matrix_is_the_sum_over_the_rows(columns in 1_usize..9, n_rows in 1_usize..1100, seed in any::<u64>()) {
            let columns = padded(columns);
            let rows = entries(n_rows * columns, seed);
            let mut found = vec![1.0; columns * columns];
            add_gram(&rows, columns, &mut found);
            for (cell, found) in found.iter().enumerate() {
                let products = rows.chunks_exact(columns).map(|row| row[cell / columns] * row[cell % columns]);
                prop_assert!((found - 1.0 - products.sum::<f64>()).abs() < 1e-11);
            }
        }

        #[test]
        fn an_inverse_times_its_matrix_is_the_identity(order in 1_usize..90, seed in any::<u64>()) {
            let order = padded(order);
            let scale = 0.9 / f64::from(u32::try_from(order).unwrap());
            let mut matrix: Vec<f64> = entries(order * order, seed).iter().map(|entry| -entry.abs() * scale).collect();
            for index in 0..order {
                matrix[index * order + index] = 1.0;
            }
            let mut inverse = matrix.clone();
            prop_assert!(Inverter::default().invert(&mut inverse, order).is_some());
            prop_assert!(inverse.iter().all(|entry| *entry >= 0.0)); // an M-matrix
            for (index, entry) in product(&matrix, &inverse, order).iter().enumerate() {
                let expected = if index / order == index % order { 1.0 } else { 0.0 };
                prop_assert!((entry - expected).abs() < 1e-12);
            }
        }
    }
}
