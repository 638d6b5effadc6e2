//! Linear equations with a symmetric positive definite matrix.

/// The lower triangle L with A = L L'; row `i` has `i + 1` entries.
#[derive(Debug)]
pub(super) struct Cholesky {
    rows: Vec<Vec<f64>>,
}

impl Cholesky {
    /// Factorises the lower triangle of a matrix, or returns the first row of which no more than
    /// `tolerance` of its diagonal entry is left by the rows before it.
    pub(super) fn new(lower: &[Vec<f64>], tolerance: f64) -> Result<Self, usize> {
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(lower.len());
        for (index, entries) in lower.iter().enumerate() {
            let mut row = Vec::with_capacity(index + 1);
            for (column, earlier) in rows.iter().enumerate() {
                let entry = entries[column] - dot(&row[..column], &earlier[..column]);
                row.push(entry / earlier[column]);
            }
            let left = entries[index] - dot(&row, &row);
            if left.is_nan() || left <= tolerance * entries[index] {
                return Err(index);
            }
            row.push(left.sqrt());
            rows.push(row);
        }
        Ok(Self { rows })
    }

    /// Replaces the right side b of A x = b by x.
    pub(super) fn solve(&self, right: &mut [f64]) {
        for (index, row) in self.rows.iter().enumerate() {
            right[index] = (right[index] - dot(&row[..index], &right[..index])) / row[index];
        }
        for (index, row) in self.rows.iter().enumerate().rev() {
            right[index] /= row[index];
            let value = right[index];
            for (entry, factor) in right[..index].iter_mut().zip(row) {
                *entry -= factor * value;
            }
        }
    }
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_three_equations() {
        // numpy 2.4: np.linalg.solve([[4, 1, .5], [1, 3, -1], [.5, -1, 2]], [1, 2, 3])
        let lower = [vec![4.0], vec![1.0, 3.0], vec![0.5, -1.0, 2.0]];
        let mut right = [1.0, 2.0, 3.0];
        Cholesky::new(&lower, 1e-12).unwrap().solve(&mut right);
        let product = [
            4.0 * right[0] + right[1] + 0.5 * right[2],
            right[0] + 3.0 * right[1] - right[2],
            0.5 * right[0] - right[1] + 2.0 * right[2],
        ];
        for (found, expected) in product.iter().zip([1.0, 2.0, 3.0]) {
            assert!((found - expected).abs() < 1e-14);
        }
    }

    #[test]
    fn names_the_row_that_depends_on_earlier_ones() {
        let lower = [vec![1.0], vec![0.0, 1.0], vec![1.0, 1.0, 2.0]];
        assert_eq!(Cholesky::new(&lower, 1e-12).unwrap_err(), 2);
        assert_eq!(Cholesky::new(&[vec![f64::NAN]], 1e-12).unwrap_err(), 0);
    }
}
