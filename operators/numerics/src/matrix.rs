//! Small dense matrices: products, Cholesky's factors, symmetric eigenvalues.
//!
//! For the algebra of an estimator with tens of coefficients, written as its formulas are. Large products belong
//! to [`crate::dense`]. Sizes that do not fit are a bug of the caller: they are checked in debug builds, and
//! missing entries count as zero in release builds.

use std::ops::{Index, IndexMut};

/// A matrix, stored by rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    n_rows: usize,
    n_columns: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// Makes a matrix of zeros.
    pub fn zeros(n_rows: usize, n_columns: usize) -> Self {
        Self { n_rows, n_columns, values: vec![0.0; n_rows * n_columns] }
    }

    /// Makes a matrix from its entries.
    pub fn from_fn(n_rows: usize, n_columns: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        let values = (0..n_rows * n_columns).map(|cell| entry(cell / n_columns, cell % n_columns)).collect();
        Self { n_rows, n_columns, values }
    }

    /// Makes the unit matrix.
    pub fn identity(order: usize) -> Self {
        Self::from_fn(order, order, |row, column| if row == column { 1.0 } else { 0.0 })
    }

    /// Makes a matrix of one column.
    pub fn column(values: &[f64]) -> Self {
        Self { n_rows: values.len(), n_columns: 1, values: values.to_vec() }
    }

    /// Makes a matrix from values stored by rows.
    pub fn from_rows(n_columns: usize, values: Vec<f64>) -> Self {
        debug_assert_eq!(values.len() % n_columns.max(1), 0, "whole rows");
        Self { n_rows: values.len() / n_columns.max(1), n_columns, values }
    }

    /// Returns the number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Returns the number of columns.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Returns the entries, row by row.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Returns the diagonal.
    pub fn diagonal(&self) -> Vec<f64> {
        (0..self.n_rows.min(self.n_columns)).map(|index| self[(index, index)]).collect()
    }

    /// Returns the sum of the diagonal.
    pub fn trace(&self) -> f64 {
        self.diagonal().iter().sum()
    }

    /// Returns the transposed matrix.
    #[must_use]
    pub fn transposed(&self) -> Self {
        Self::from_fn(self.n_columns, self.n_rows, |row, column| self[(column, row)])
    }

    /// Returns the product with a matrix on the right.
    #[must_use]
    pub fn times(&self, right: &Self) -> Self {
        debug_assert_eq!(self.n_columns, right.n_rows, "sizes of a product");
        let mut product = Self::zeros(self.n_rows, right.n_columns);
        for row in 0..self.n_rows {
            for inner in 0..self.n_columns {
                let factor = self[(row, inner)];
                for column in 0..right.n_columns {
                    product[(row, column)] += factor * right[(inner, column)];
                }
            }
        }
        product
    }

    /// Returns the product of the transposed matrix with a matrix on the right.
    #[must_use]
    pub fn transposed_times(&self, right: &Self) -> Self {
        self.transposed().times(right)
    }

    /// Returns `T' self T`.
    #[must_use]
    pub fn congruent(&self, t: &Self) -> Self {
        t.transposed_times(&self.times(t))
    }

    /// Returns the matrix times a number.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        Self { values: self.values.iter().map(|value| value * factor).collect(), ..*self }
    }

    /// Returns the sum with `factor` times another matrix.
    #[must_use]
    pub fn plus(&self, factor: f64, other: &Self) -> Self {
        debug_assert_eq!((self.n_rows, self.n_columns), (other.n_rows, other.n_columns), "sizes of a sum");
        let values = self.values.iter().zip(&other.values).map(|(value, more)| value + factor * more).collect();
        Self { values, ..*self }
    }

    /// Returns some rows and columns, in the order given.
    #[must_use]
    pub fn select(&self, rows: &[usize], columns: &[usize]) -> Self {
        Self::from_fn(rows.len(), columns.len(), |row, column| self[(rows[row], columns[column])])
    }

    /// Returns the eigenvalues of a symmetric matrix, ascending.
    ///
    /// Jacobi's rotations (Golub and Van Loan, Matrix Computations, 8.5). Cost O(order^3) a sweep.
    ///
    /// ```
    /// use causeway_numerics::matrix::Matrix;
    /// let values = Matrix::from_rows(2, vec![2.0, 1.0, 1.0, 2.0]).symmetric_eigenvalues();
    /// assert!((values[0] - 1.0).abs() < 1e-15 && (values[1] - 3.0).abs() < 1e-15);
    /// ```
    pub fn symmetric_eigenvalues(&self) -> Vec<f64> {
        let mut values = self.diagonalised(&mut Self::zeros(0, 0)).diagonal();
        values.sort_by(f64::total_cmp);
        values
    }

    /// Returns the eigenvalues of a symmetric matrix, in no order, and the eigenvectors as columns in the same order.
    ///
    /// As [`Matrix::symmetric_eigenvalues`].
    ///
    /// ```
    /// use causeway_numerics::matrix::Matrix;
    /// let matrix = Matrix::from_rows(2, vec![2.0, 1.0, 1.0, 2.0]);
    /// let (values, vectors) = matrix.symmetric_eigen();
    /// let again = vectors.times(&Matrix::from_fn(2, 2, |i, j| if i == j { values[i] } else { 0.0 }));
    /// assert!((again.times(&vectors.transposed())[(0, 1)] - 1.0).abs() < 1e-15);
    /// ```
    pub fn symmetric_eigen(&self) -> (Vec<f64>, Self) {
        let mut vectors = Self::identity(self.n_rows);
        (self.diagonalised(&mut vectors).diagonal(), vectors)
    }

    /// Returns the matrix rotated until it is diagonal, and rotates the columns of `vectors` along.
    fn diagonalised(&self, vectors: &mut Self) -> Self {
        const MAX_SWEEPS: u32 = 60;
        let mut matrix = self.clone();
        for _ in 0..MAX_SWEEPS {
            let mut rotated = false;
            for p in 0..matrix.n_rows {
                for q in p + 1..matrix.n_rows {
                    let Some(turn) = matrix.rotate(p, q) else { continue };
                    rotated = true;
                    for row in 0..vectors.n_rows {
                        turn.apply(&mut vectors.values, (row * vectors.n_columns + p, row * vectors.n_columns + q));
                    }
                }
            }
            if !rotated {
                break;
            }
        }
        matrix
    }

    /// Makes the entry of p and q zero by a rotation; none if it is as good as zero already.
    fn rotate(&mut self, p: usize, q: usize) -> Option<Turn> {
        let (diagonal_p, diagonal_q, beside) = (self[(p, p)], self[(q, q)], self[(p, q)]);
        if beside.abs() <= f64::EPSILON * (diagonal_p * diagonal_q).abs().sqrt() || beside.abs() < f64::MIN_POSITIVE {
            return None;
        }
        let ratio = (diagonal_q - diagonal_p) / (2.0 * beside);
        let tangent = ratio.signum() / (ratio.abs() + ratio.hypot(1.0));
        let cosine = 1.0 / tangent.hypot(1.0);
        let turn = Turn { cosine, sine: tangent * cosine };
        let n = self.n_columns;
        for index in 0..self.n_rows {
            turn.apply(&mut self.values, (index * n + p, index * n + q));
        }
        for index in 0..self.n_rows {
            turn.apply(&mut self.values, (p * n + index, q * n + index));
        }
        (self[(p, q)], self[(q, p)]) = (0.0, 0.0);
        Some(turn)
    }
}

/// A rotation of two coordinates.
#[derive(Debug, Clone, Copy)]
struct Turn {
    cosine: f64,
    sine: f64,
}

impl Turn {
    fn apply(self, values: &mut [f64], (p, q): (usize, usize)) {
        let (at_p, at_q) = (values[p], values[q]);
        values[p] = self.cosine * at_p - self.sine * at_q;
        values[q] = self.sine * at_p + self.cosine * at_q;
    }
}

impl Index<(usize, usize)> for Matrix {
    type Output = f64;

    fn index(&self, (row, column): (usize, usize)) -> &f64 {
        debug_assert!(column < self.n_columns, "column of a matrix");
        &self.values[row * self.n_columns + column]
    }
}

impl IndexMut<(usize, usize)> for Matrix {
    fn index_mut(&mut self, (row, column): (usize, usize)) -> &mut f64 {
        debug_assert!(column < self.n_columns, "column of a matrix");
        &mut self.values[row * self.n_columns + column]
    }
}

/// Cholesky's factor of a symmetric positive definite matrix that was scaled to a diagonal of ones.
#[derive(Debug, Clone)]
pub struct Cholesky {
    /// Lower triangle L with L L' the scaled matrix.
    lower: Matrix,
    /// One over the roots of the diagonal.
    scale: Vec<f64>,
}

/// The first variable that is a linear combination of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependent(
    /// Its index.
    pub usize,
);

impl Cholesky {
    /// Factors a matrix.
    ///
    /// # Errors
    /// [`Dependent`] with the first variable of which a share of at most `tolerance` of its own diagonal entry is
    /// left after regression on those before it, or that has a diagonal entry that is not positive and finite.
    ///
    /// ```
    /// use causeway_numerics::matrix::{Cholesky, Dependent, Matrix};
    /// let matrix = Matrix::from_rows(2, vec![4.0, 2.0, 2.0, 3.0]);
    /// let solution = Cholesky::new(&matrix, 1e-12).unwrap().solve(&Matrix::column(&[8.0, 7.0]));
    /// assert!((solution[(0, 0)] - 1.25).abs() < 1e-15 && (solution[(1, 0)] - 1.5).abs() < 1e-15);
    /// let twice = Matrix::from_rows(2, vec![1.0, 2.0, 2.0, 4.0]);
    /// assert_eq!(Cholesky::new(&twice, 1e-12).unwrap_err(), Dependent(1));
    /// ```
    pub fn new(matrix: &Matrix, tolerance: f64) -> Result<Self, Dependent> {
        let order = matrix.n_rows;
        let diagonal = matrix.diagonal();
        if let Some(first) = diagonal.iter().position(|entry| !(entry.is_finite() && *entry > 0.0)) {
            return Err(Dependent(first));
        }
        let scale: Vec<f64> = diagonal.iter().map(|entry| 1.0 / entry.sqrt()).collect();
        let mut lower = Matrix::from_fn(order, order, |row, column| matrix[(row, column)] * scale[row] * scale[column]);
        for pivot in 0..order {
            let done: f64 = (0..pivot).map(|inner| lower[(pivot, inner)].powi(2)).sum();
            let left = 1.0 - done;
            if left.is_nan() || left <= tolerance {
                return Err(Dependent(pivot));
            }
            let root = left.sqrt();
            lower[(pivot, pivot)] = root;
            for row in pivot + 1..order {
                let done: f64 = (0..pivot).map(|inner| lower[(row, inner)] * lower[(pivot, inner)]).sum();
                lower[(row, pivot)] = (lower[(row, pivot)] - done) / root;
            }
        }
        Ok(Self { lower, scale })
    }

    /// Returns the solution of `matrix x = right`.
    #[must_use]
    pub fn solve(&self, right: &Matrix) -> Matrix {
        let mut solution = self.half_solve(right);
        for column in 0..solution.n_columns {
            for row in (0..self.scale.len()).rev() {
                let known: f64 =
                    (row + 1..self.scale.len()).map(|other| self.lower[(other, row)] * solution[(other, column)]).sum();
                solution[(row, column)] = (solution[(row, column)] - known) / self.lower[(row, row)];
            }
            for row in 0..self.scale.len() {
                solution[(row, column)] *= self.scale[row];
            }
        }
        solution
    }

    /// Returns `F^-1 right` for the factor F with F F' the matrix, so that `half_solve(r)' half_solve(r)` is
    /// `r' matrix^-1 r`.
    #[must_use]
    pub fn half_solve(&self, right: &Matrix) -> Matrix {
        let mut half =
            Matrix::from_fn(right.n_rows, right.n_columns, |row, column| right[(row, column)] * self.scale[row]);
        for column in 0..half.n_columns {
            for row in 0..self.scale.len() {
                let known: f64 = (0..row).map(|other| self.lower[(row, other)] * half[(other, column)]).sum();
                half[(row, column)] = (half[(row, column)] - known) / self.lower[(row, row)];
            }
        }
        half
    }

    /// Returns the inverse.
    #[must_use]
    pub fn inverse(&self) -> Matrix {
        self.solve(&Matrix::identity(self.scale.len()))
    }

    /// Returns `right' matrix^-1 right`.
    #[must_use]
    pub fn quadratic(&self, right: &Matrix) -> Matrix {
        let half = self.half_solve(right);
        half.transposed_times(&half)
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    use super::*;

    /// A matrix of order `order` with entries in (-1, 1).
    fn square(order: usize) -> impl Strategy<Value = Matrix> {
        proptest::collection::vec(-1.0_f64..1.0, order * order).prop_map(move |values| Matrix::from_rows(order, values))
    }

    #[test]
    fn eigenvalues_of_a_known_matrix() {
        // the second difference of 5 points: 2 - 2 cos(k pi / 6)
        let matrix = Matrix::from_fn(5, 5, |row, column| match row.abs_diff(column) {
            0 => 2.0,
            1 => -1.0,
            _ => 0.0,
        });
        for (k, value) in (1..=5).zip(matrix.symmetric_eigenvalues()) {
            let expected = 2.0 - 2.0 * (f64::from(k) * std::f64::consts::PI / 6.0).cos();
            assert_relative_eq!(value, expected, max_relative = 1e-13);
        }
    }

    #[test]
    fn a_dependent_variable_is_named_whatever_its_unit() {
        let mut rows =
            Matrix::from_fn(7, 3, |row, column| f64::from(u32::try_from((row * 5 + column * 3) % 7).unwrap()));
        for row in 0..7 {
            rows[(row, 2)] = 1e-9 * (rows[(row, 0)] - 2.0 * rows[(row, 1)]);
        }
        assert_eq!(Cholesky::new(&rows.transposed_times(&rows), 1e-11).unwrap_err(), Dependent(2));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn the_inverse_times_the_matrix_is_one(square in square(6)) {
            let matrix = square.transposed_times(&square).plus(0.1, &Matrix::identity(6));
            let product = Cholesky::new(&matrix, 1e-12).unwrap().inverse().times(&matrix);
            for (cell, entry) in product.values().iter().enumerate() {
                let expected = if cell / 6 == cell % 6 { 1.0 } else { 0.0 };
                prop_assert!((entry - expected).abs() < 1e-11);
            }
        }

        #[test]
        fn eigenvalues_keep_trace_and_sum_of_squares(square in square(5)) {
            let matrix = square.plus(1.0, &square.transposed());
            let values = matrix.symmetric_eigenvalues();
            prop_assert!((values.iter().sum::<f64>() - matrix.trace()).abs() < 1e-12);
            let squares: f64 = values.iter().map(|value| value * value).sum();
            let expected: f64 = matrix.values().iter().map(|value| value * value).sum();
            prop_assert!((squares - expected).abs() < 1e-11);
            prop_assert!(values.is_sorted());
        }
    }
}
