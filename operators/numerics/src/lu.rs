//! Square systems that need neither be symmetric nor definite.

/// A square matrix factored as P A = L U, with the largest entry of a column as its pivot.
///
/// Columns are first divided by their largest entry, so that a column counts as dependent on the ones before it by
/// its direction, not by its unit.
///
/// ```
/// use causeway_numerics::Lu;
///
/// let lu = Lu::factor(&[0.0, 2.0, 4.0, 1.0], 2).unwrap(); // needs an exchange of rows
/// assert_eq!(lu.solve(&[2.0, 9.0]), [2.0, 1.0]);
/// assert_eq!(lu.solve_transposed(&[4.0, 5.0]), [2.0, 1.0]);
/// assert_eq!(Lu::factor(&[1.0, 2.0, 3.0, 6.0], 2).unwrap_err(), 1);
/// ```
#[derive(Debug, Clone)]
pub struct Lu {
    order: usize,
    /// L below the diagonal, U on and above it, row-major.
    factors: Vec<f64>,
    /// The row of A that stands in each row of P A.
    rows: Vec<usize>,
    /// What each column of A was divided by.
    scale: Vec<f64>,
}

/// The share of a column that must be left over once the columns before it are taken off.
const TOLERANCE: f64 = 1e-13;

impl Lu {
    /// Factors a row-major matrix of `order` rows; cost O(order^3).
    ///
    /// # Errors
    /// The first column that is zero, holds a value that is not finite, or is a linear combination of those before it.
    pub fn factor(matrix: &[f64], order: usize) -> Result<Self, usize> {
        debug_assert_eq!(matrix.len(), order * order, "a square matrix");
        let largest =
            |column: usize| matrix.iter().skip(column).step_by(order).fold(0.0, |most, entry| entry.abs().max(most));
        let scale: Vec<f64> = (0..order).map(largest).collect();
        let mut factors: Vec<f64> =
            matrix.iter().zip(scale.iter().cycle()).map(|(entry, scale)| entry / scale).collect();
        let mut rows: Vec<usize> = (0..order).collect();
        for pivot in 0..order {
            let below = |row: &usize| factors[row * order + pivot].abs();
            let best = (pivot..order).max_by(|a, b| below(a).total_cmp(&below(b))).unwrap_or(pivot);
            let size = below(&best);
            if !(size > TOLERANCE && size.is_finite()) {
                return Err(pivot);
            }
            swap_rows(&mut factors, order, pivot, best);
            rows.swap(pivot, best);
            eliminate(&mut factors, order, pivot);
        }
        Ok(Self { order, factors, rows, scale })
    }

    /// Returns the x of A x = `right`.
    pub fn solve(&self, right: &[f64]) -> Vec<f64> {
        let n = self.order;
        let mut x: Vec<f64> = self.rows.iter().map(|row| right[*row]).collect();
        for row in 0..n {
            x[row] -= dot(&self.factors[row * n..row * n + row], &x[..row]);
        }
        for row in (0..n).rev() {
            let upper = &self.factors[row * n..(row + 1) * n];
            x[row] = (x[row] - dot(&upper[row + 1..], &x[row + 1..])) / upper[row];
        }
        x.iter().zip(&self.scale).map(|(value, scale)| value / scale).collect()
    }

    /// Returns the x of A' x = `right`.
    pub fn solve_transposed(&self, right: &[f64]) -> Vec<f64> {
        let n = self.order;
        let entry = |row: usize, column: usize| self.factors[row * n + column];
        let mut x: Vec<f64> = right.iter().zip(&self.scale).map(|(value, scale)| value / scale).collect();
        for row in 0..n {
            let sum: f64 = (0..row).map(|earlier| entry(earlier, row) * x[earlier]).sum();
            x[row] = (x[row] - sum) / entry(row, row);
        }
        for row in (0..n).rev() {
            let sum: f64 = (row + 1..n).map(|later| entry(later, row) * x[later]).sum();
            x[row] -= sum;
        }
        let mut solution = vec![0.0; n];
        for (row, value) in self.rows.iter().zip(x) {
            solution[*row] = value;
        }
        solution
    }
}

fn swap_rows(matrix: &mut [f64], order: usize, first: usize, second: usize) {
    if first < second {
        let (above, below) = matrix.split_at_mut(second * order);
        above[first * order..(first + 1) * order].swap_with_slice(&mut below[..order]);
    }
}

/// Takes the pivot row off the rows below it and keeps the factors in the place of the zeros.
fn eliminate(matrix: &mut [f64], order: usize, pivot: usize) {
    let (above, below) = matrix.split_at_mut((pivot + 1) * order);
    let lead = &above[pivot * order..];
    for row in below.chunks_exact_mut(order) {
        row[pivot] /= lead[pivot];
        let factor = row[pivot];
        for (entry, other) in row[pivot + 1..].iter_mut().zip(&lead[pivot + 1..]) {
            *entry -= factor * other;
        }
    }
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dependent_zero_and_unusable_columns_are_told() {
        assert_eq!(Lu::factor(&[1.0, 0.0, 2.0, 0.0], 2).unwrap_err(), 1);
        assert_eq!(Lu::factor(&[f64::NAN], 1).unwrap_err(), 0);
        assert_eq!(Lu::factor(&[f64::INFINITY], 1).unwrap_err(), 0);
        let sum = [1.0, 2.0, 3.0, 4.0, 5.0, 9.0, 7.0, 1.0, 8.0]; // the third column is the sum of the others
        assert_eq!(Lu::factor(&sum, 3).unwrap_err(), 2);
        let small: Vec<f64> = [2.0, 1.0, 1.0, 3.0].iter().map(|entry| entry * 1e-200).collect();
        assert!(Lu::factor(&small, 2).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn solutions_solve(order in 1_usize..40, entries in prop::collection::vec(-1.0..1.0_f64, 40 * 40), unit in -9_i32..9) {
            let mut matrix = entries[..order * order].to_vec();
            for index in 0..order {
                matrix[index * order + index] += 3.0 * (order as f64).sqrt(); // far from singular
                matrix[index * order] *= 10.0_f64.powi(unit);
            }
            let right = &entries[..order];
            let lu = Lu::factor(&matrix, order).unwrap();
            let (x, t) = (lu.solve(right), lu.solve_transposed(right));
            // the error of a sum, beside the size of its terms
            let near = |terms: &[f64], expected: f64| {
                let size: f64 = terms.iter().map(|term| term.abs()).sum();
                (terms.iter().sum::<f64>() - expected).abs() <= 1e-13 * (size + 1.0)
            };
            for index in 0..order {
                let line: Vec<f64> = (0..order).map(|column| matrix[index * order + column] * x[column]).collect();
                prop_assert!(near(&line, right[index]));
                let column: Vec<f64> = (0..order).map(|row| matrix[row * order + index] * t[row]).collect();
                prop_assert!(near(&column, right[index]));
            }
        }
    }
}
