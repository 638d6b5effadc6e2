//! The quadratic form of a test statistic under a covariance matrix that may be singular.

/// A symmetric, positive semi-definite matrix, stored by rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Covariance {
    size: usize,
    values: Vec<f64>,
}

/// The value of u' V^- u and how many independent directions V has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuadraticForm {
    /// u' V^- u, the same for every generalised inverse of V if u lies in the range of V.
    pub value: f64,
    /// The rank of V: the degrees of freedom of the chi-square distribution of the value.
    pub rank: usize,
}

/// Directions whose share of their own variance left over is below this are dependent on earlier ones.
const RANK_TOLERANCE: f64 = 1e-10;

impl Covariance {
    /// Makes a matrix of zeros.
    pub fn zeros(size: usize) -> Self {
        Self { size, values: vec![0.0; size * size] }
    }

    /// Returns the number of rows.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Returns an entry; NaN outside the matrix.
    pub fn get(&self, row: usize, column: usize) -> f64 {
        if column < self.size {
            self.values.get(row * self.size + column).copied().unwrap_or(f64::NAN)
        } else {
            f64::NAN
        }
    }

    /// Returns a row for adding to; empty outside the matrix. The caller keeps the matrix symmetric.
    pub fn row_mut(&mut self, row: usize) -> &mut [f64] {
        self.values.get_mut(row * self.size..(row + 1) * self.size).unwrap_or_default()
    }

    /// Returns `u' V^- u` and the rank of V by Cholesky's method with diagonal pivots.
    ///
    /// V is first scaled to a correlation matrix, so that a rare group next to a common one counts
    /// as a direction of its own; entries without variance are left out. Cost O(size^3).
    ///
    /// ```
    /// let mut v = causeway_numerics::Covariance::zeros(2); // two groups: O - E sums to 0
    /// v.row_mut(0).copy_from_slice(&[4.0, -4.0]);
    /// v.row_mut(1).copy_from_slice(&[-4.0, 4.0]);
    /// let form = v.quadratic_form(&[6.0, -6.0]);
    /// assert_eq!((form.value, form.rank), (9.0, 1)); // 6^2 / 4 on one degree of freedom
    /// ```
    pub fn quadratic_form(&self, u: &[f64]) -> QuadraticForm {
        debug_assert_eq!(u.len(), self.size, "one entry of u for each row of V");
        let (mut correlation, mut rest) = self.scaled(u);
        let mut open: Vec<bool> = (0..self.size).map(|row| self.get(row, row) > 0.0).collect();
        let mut form = QuadraticForm { value: 0.0, rank: 0 };
        while let Some(pivot) = largest_pivot(&correlation, &open) {
            open[pivot] = false;
            let pivot_row: Vec<f64> = correlation.row_mut(pivot).to_vec();
            form.value += rest[pivot] * rest[pivot] / pivot_row[pivot];
            form.rank += 1;
            for row in (0..self.size).filter(|row| open[*row]) {
                let factor = pivot_row[row] / pivot_row[pivot];
                rest[row] -= factor * rest[pivot];
                for (entry, other) in correlation.row_mut(row).iter_mut().zip(&pivot_row) {
                    *entry -= factor * other;
                }
            }
        }
        form
    }

    /// Returns D^-1/2 V D^-1/2 and D^-1/2 u, with D the diagonal of V.
    fn scaled(&self, u: &[f64]) -> (Self, Vec<f64>) {
        let scale: Vec<f64> = (0..self.size).map(|row| self.get(row, row)).map(inverse_root).collect();
        let mut correlation = self.clone();
        for (row, row_scale) in scale.iter().enumerate() {
            for (entry, column_scale) in correlation.row_mut(row).iter_mut().zip(&scale) {
                *entry *= row_scale * column_scale;
            }
        }
        (correlation, u.iter().zip(&scale).map(|(value, scale)| value * scale).collect())
    }
}

fn inverse_root(variance: f64) -> f64 {
    if variance > 0.0 { 1.0 / variance.sqrt() } else { 0.0 }
}

fn largest_pivot(matrix: &Covariance, open: &[bool]) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for row in (0..matrix.size).filter(|row| open[*row]) {
        let left = matrix.get(row, row);
        if left > RANK_TOLERANCE && best.is_none_or(|(_, most)| left > most) {
            best = Some((row, left));
        }
    }
    best.map(|(row, _)| row)
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    use super::*;

    fn matrix(rows: &[&[f64]]) -> Covariance {
        let mut matrix = Covariance::zeros(rows.len());
        for (index, row) in rows.iter().enumerate() {
            matrix.row_mut(index).copy_from_slice(row);
        }
        matrix
    }

    #[test]
    fn solves_a_regular_matrix() {
        // numpy 2.4: u @ np.linalg.solve(V, u)
        let v = matrix(&[&[4.0, 1.0, 0.5], &[1.0, 3.0, -1.0], &[0.5, -1.0, 2.0]]);
        let form = v.quadratic_form(&[1.0, 2.0, 3.0]);
        assert_relative_eq!(form.value, 10.092_307_692_307_692, max_relative = 1e-12);
        assert_eq!(form.rank, 3);
    }

    #[test]
    fn a_group_without_variance_costs_no_degree_of_freedom() {
        let v = matrix(&[&[4.0, 0.0, -4.0], &[0.0, 0.0, 0.0], &[-4.0, 0.0, 4.0]]);
        assert_eq!(v.quadratic_form(&[6.0, 0.0, -6.0]), QuadraticForm { value: 9.0, rank: 1 });
        assert_eq!(Covariance::zeros(2).quadratic_form(&[0.0, 0.0]), QuadraticForm { value: 0.0, rank: 0 });
    }

    #[test]
    fn a_rare_group_keeps_its_direction() {
        // multinomial covariance of three groups with shares 1e-8, 0.4, 0.6
        let share = [1e-8, 0.4, 1.0 - 0.4 - 1e-8];
        let mut v = Covariance::zeros(3);
        for row in 0..3 {
            for column in 0..3 {
                let diagonal = if row == column { share[row] } else { 0.0 };
                v.row_mut(row)[column] = diagonal - share[row] * share[column];
            }
        }
        // for a multinomial, u' V^- u = sum u_j^2 / share_j
        let u = [1e-4, 0.3, -0.3 - 1e-4];
        let expected: f64 = u.iter().zip(&share).map(|(u, share)| u * u / share).sum();
        let form = v.quadratic_form(&u);
        assert_relative_eq!(form.value, expected, max_relative = 1e-9);
        assert_eq!(form.rank, 2);
    }

    proptest! {
        #[test]
        fn the_order_of_groups_does_not_matter(
            shares in prop::collection::vec(0.01_f64..1.0, 2..7), seed in prop::collection::vec(-1.0_f64..1.0, 7),
        ) {
            let total: f64 = shares.iter().sum();
            let share: Vec<f64> = shares.iter().map(|share| share / total).collect();
            let mut u: Vec<f64> = seed[..share.len() - 1].to_vec();
            u.push(-u.iter().sum::<f64>());
            let forward = multinomial(&share).quadratic_form(&u);
            let reversed_share: Vec<f64> = share.iter().rev().copied().collect();
            let reversed_u: Vec<f64> = u.iter().rev().copied().collect();
            let backward = multinomial(&reversed_share).quadratic_form(&reversed_u);
            let expected: f64 = u.iter().zip(&share).map(|(u, share)| u * u / share).sum();
            prop_assert_eq!(forward.rank, share.len() - 1);
            prop_assert!((forward.value - expected).abs() <= 1e-9 * expected.max(1e-9));
            prop_assert!((forward.value - backward.value).abs() <= 1e-10 * expected.max(1e-9));
        }
    }

    fn multinomial(share: &[f64]) -> Covariance {
        let mut v = Covariance::zeros(share.len());
        for row in 0..share.len() {
            for column in 0..share.len() {
                let diagonal = if row == column { share[row] } else { 0.0 };
                v.row_mut(row)[column] = diagonal - share[row] * share[column];
            }
        }
        v
    }
}
