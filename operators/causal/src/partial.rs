//! Partial correlation from the correlations of a few columns.
//!
//! With R the correlations of (S, x, y) and P its inverse, the partial correlation is
//! -P_xy / sqrt(P_xx P_yy). Cholesky's method on S gives the same number: with L L' = R_SS and
//! v_c = L^-1 R_Sc for c = x, y it is
//!
//! ```text
//! (R_xy - v_x'v_y) / sqrt((1 - v_x'v_x) (1 - v_y'v_y))
//! ```
//!
//! so one factor of S serves all pairs tested given S.

/// The most columns a test can condition on.
pub(crate) const MAX_CONDITIONED: usize = 30;

/// Entries of the lower triangle of S.
const TRIANGLE: usize = MAX_CONDITIONED * (MAX_CONDITIONED + 1) / 2;

/// A matrix whose smallest eigenvalue is below this share of its largest is singular.
const SINGULAR: f64 = 1e-12;

/// A determinant of correlations above this rules out [`SINGULAR`]: the other eigenvalues
/// of n columns multiply to at most (n / (n - 1))^(n - 1) < e, and the largest is at most n.
const CLEARLY_REGULAR: f64 = 1e-9;

/// Returns true if a column's deviations from its mean are rounding error.
pub(crate) fn is_constant(root_sum_of_squares: f64, largest: f64, n_rows: usize) -> bool {
    root_sum_of_squares <= 1e-12 * largest.max(1.0) * (n_rows as f64).sqrt()
}

/// A partial correlation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Partial {
    /// In (-1, 1).
    pub(crate) correlation: f64,
    /// True if the correlations are singular, so that the pseudo-inverse stands for the inverse.
    pub(crate) singular: bool,
}

/// The Cholesky factor of the correlations of S.
#[derive(Debug)]
pub(crate) struct Factor {
    size: usize,
    lower: [f64; TRIANGLE],
    determinant: f64,
}

impl Factor {
    /// Factors the correlations of `size` columns; 1 on the diagonal.
    pub(crate) fn new(size: usize, correlation: impl Fn(usize, usize) -> f64) -> Self {
        let mut factor = Self { size, lower: [0.0; TRIANGLE], determinant: 1.0 };
        for row in 0..size {
            let start = triangle(row);
            for column in 0..row {
                let known = factor.product(row, column, column);
                factor.lower[start + column] =
                    (correlation(row, column) - known) / factor.lower[triangle(column) + column];
            }
            let pivot = (1.0 - factor.product(row, row, row)).max(0.0);
            factor.determinant *= pivot;
            factor.lower[start + row] = pivot.sqrt();
        }
        factor
    }

    /// Writes v = L^-1 r for a column's correlations r with S, in place, and returns 1 - v'v.
    pub(crate) fn project(&self, with_conditioned: &mut [f64]) -> f64 {
        let mut left = 1.0;
        for row in 0..self.size {
            let start = triangle(row);
            let known: f64 = (0..row).map(|column| self.lower[start + column] * with_conditioned[column]).sum();
            let value = (with_conditioned[row] - known) / self.lower[start + row];
            with_conditioned[row] = value;
            left -= value * value;
        }
        left
    }

    /// Returns the partial correlation of x and y given S, or nothing if the correlations may be
    /// singular: [`Partial::by_eigenvalues`] decides then.
    pub(crate) fn partial(&self, correlation: f64, x: Projected<'_>, y: Projected<'_>) -> Option<Partial> {
        let shared: f64 = x.projection.iter().zip(y.projection).map(|(x, y)| x * y).sum();
        let scale = x.left * y.left;
        let difference = correlation - shared;
        let determinant = self.determinant * (scale - difference * difference);
        // a comparison that NaN fails
        if determinant > CLEARLY_REGULAR && scale > 0.0 {
            Some(Partial { correlation: bounded(difference / scale.sqrt()), singular: false })
        } else {
            None
        }
    }

    fn product(&self, a: usize, b: usize, length: usize) -> f64 {
        let (a, b) = (triangle(a), triangle(b));
        (0..length).map(|column| self.lower[a + column] * self.lower[b + column]).sum()
    }
}

/// A column projected on S.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Projected<'a> {
    /// v of [`Factor::project`].
    pub(crate) projection: &'a [f64],
    /// 1 - v'v: the share of variance left.
    pub(crate) left: f64,
}

impl Partial {
    /// Returns the partial correlation of the last two of `size` columns given the others, by
    /// eigenvalues: exact about singularity, and slow.
    pub(crate) fn by_eigenvalues(size: usize, correlation: impl Fn(usize, usize) -> f64) -> Self {
        let mut matrix: Vec<f64> = (0..size * size).map(|index| correlation(index / size, index % size)).collect();
        let vectors = diagonalise(&mut matrix, size);
        let values: Vec<f64> = (0..size).map(|index| matrix[index * size + index]).collect();
        let largest = values.iter().copied().fold(0.0, f64::max);
        let singular = values.iter().any(|value| *value < SINGULAR * largest);
        let (x, y) = (size - 2, size - 1);
        if size == 2 {
            return Self { correlation: bounded(correlation(x, y)), singular };
        }
        let inverse = |row: usize, column: usize| -> f64 {
            let used = (0..size).filter(|index| values[*index] >= SINGULAR * largest);
            used.map(|index| vectors[row * size + index] * vectors[column * size + index] / values[index]).sum()
        };
        let scale = (inverse(x, x) * inverse(y, y)).abs().sqrt();
        let correlation = if scale > 0.0 { bounded(-inverse(x, y) / scale) } else { 0.0 };
        Self { correlation, singular }
    }
}

fn triangle(row: usize) -> usize {
    row * (row + 1) / 2
}

/// Returns a correlation within (-1, 1).
fn bounded(correlation: f64) -> f64 {
    correlation.clamp(-1.0 + f64::EPSILON, 1.0 - f64::EPSILON)
}

/// Leaves the eigenvalues of a symmetric matrix on its diagonal and returns the eigenvectors as columns.
///
/// Jacobi's method in cyclic order (Golub and Van Loan 2013, section 8.5).
fn diagonalise(matrix: &mut [f64], size: usize) -> Vec<f64> {
    const SWEEPS: usize = 30;
    let mut vectors: Vec<f64> =
        (0..size * size).map(|index| if index / size == index % size { 1.0 } else { 0.0 }).collect();
    for _ in 0..SWEEPS {
        let off_diagonal = (0..size * size).filter(|index| index / size != index % size);
        if off_diagonal.map(|index| matrix[index] * matrix[index]).sum::<f64>() < 1e-34 {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                rotate(matrix, &mut vectors, size, p, q);
            }
        }
    }
    vectors
}

fn rotate(matrix: &mut [f64], vectors: &mut [f64], size: usize, p: usize, q: usize) {
    let across = matrix[p * size + q];
    if across.abs() < f64::MIN_POSITIVE {
        return;
    }
    let theta = (matrix[q * size + q] - matrix[p * size + p]) / (2.0 * across);
    let tangent = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
    let sine = tangent * cosine;
    let turn = |values: &mut [f64], first: usize, second: usize| {
        let (a, b) = (values[first], values[second]);
        values[first] = cosine * a - sine * b;
        values[second] = sine * a + cosine * b;
    };
    for index in 0..size {
        turn(matrix, index * size + p, index * size + q);
    }
    for index in 0..size {
        turn(matrix, p * size + index, q * size + index);
        turn(vectors, index * size + p, index * size + q);
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use proptest::prelude::*;

    use super::*;

    /// By the recursion of Yule: the partial correlation given one column more.
    fn recursion(matrix: &[Vec<f64>], x: usize, y: usize, given: &[usize]) -> f64 {
        let Some((last, rest)) = given.split_last() else { return matrix[x][y] };
        let [xy, xz, yz] = [(x, y), (x, *last), (y, *last)].map(|(a, b)| recursion(matrix, a, b, rest));
        (xy - xz * yz) / ((1.0 - xz * xz) * (1.0 - yz * yz)).sqrt()
    }

    fn by_factor(matrix: &[Vec<f64>]) -> Option<Partial> {
        let size = matrix.len() - 2;
        let factor = Factor::new(size, |a, b| matrix[a][b]);
        let mut x: Vec<f64> = matrix[size][..size].to_vec();
        let mut y: Vec<f64> = matrix[size + 1][..size].to_vec();
        let (left_x, left_y) = (factor.project(&mut x), factor.project(&mut y));
        let (x, y) = (Projected { projection: &x, left: left_x }, Projected { projection: &y, left: left_y });
        factor.partial(matrix[size][size + 1], x, y)
    }

    fn correlations(columns: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let centred: Vec<Vec<f64>> = columns
            .iter()
            .map(|column| {
                let mean = column.iter().sum::<f64>() / column.len() as f64;
                column.iter().map(|value| value - mean).collect()
            })
            .collect();
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let entry = |a: &Vec<f64>, b: &Vec<f64>| product(a, b) / (product(a, a) * product(b, b)).sqrt();
        centred.iter().map(|a| centred.iter().map(|b| entry(a, b)).collect()).collect()
    }

    #[test]
    fn copies_are_singular_and_their_correlation_has_its_sign() {
        let column = vec![1.0, 2.0, 4.0, 3.0];
        let opposite: Vec<f64> = column.iter().map(|value| -value).collect();
        let other = vec![0.0, 1.0, 0.0, 2.0];
        let matrix = correlations(&[column.clone(), column.clone()]);
        assert_eq!(by_factor(&matrix), None);
        let same = Partial::by_eigenvalues(2, |a, b| matrix[a][b]);
        assert!(same.singular && same.correlation > 0.999);
        let matrix = correlations(&[column.clone(), opposite]);
        assert!(Partial::by_eigenvalues(2, |a, b| matrix[a][b]).correlation < -0.999);
        let matrix = correlations(&[column.clone(), column, other]);
        assert_eq!(by_factor(&matrix), None);
        assert!(Partial::by_eigenvalues(3, |a, b| matrix[a][b]).singular);
    }

    proptest! {
        #[test]
        fn three_ways_agree(columns in prop::collection::vec(prop::collection::vec(-1.0_f64..1.0, 12), 2..6)) {
            let matrix = correlations(&columns);
            let size = matrix.len();
            let given: Vec<usize> = (0..size - 2).collect();
            let expected = recursion(&matrix, size - 2, size - 1, &given);
            if let Some(found) = by_factor(&matrix) {
                assert_abs_diff_eq!(found.correlation, expected, epsilon = 1e-6); // far from singular: 1e-12
                let slow = Partial::by_eigenvalues(size, |a, b| matrix[a][b]);
                prop_assert!(!slow.singular);
                assert_abs_diff_eq!(slow.correlation, found.correlation, epsilon = 1e-6);
            }
        }
    }
}
