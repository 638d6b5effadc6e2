//! The generalised covariance measure.

use causeway_numerics::normal_sf;

use super::regression::{Design, Smoothing};
use super::scores::{float, normal_scores};
use super::{Independence, MIN_ROWS};

/// Splines for one variable; with normal scores they stand about half a deviation apart.
const MAX_SPLINES: usize = 16;

/// Rows that each spline should have at least.
const ROWS_A_SPLINE: usize = 25;

/// Fewest splines that bend.
const MIN_SPLINES: usize = 5;

/// A column of which regression leaves no more than this share of the variance is a function of the others.
const SINGULAR: f64 = 1e-10;

/// Tests whether two columns are independent given others (Shah and Peters 2020, eq. 3).
///
/// With R the products of the residuals of x and y after regression on s, the statistic
/// `sqrt(n) mean(R) / sd(R)` is standard normal if x and y are independent given s and the product of the two
/// regression errors falls faster than 1/sqrt(n). The regressions are additive cubic P-splines of
/// the normal scores (Eilers and Marx 1996), with the products of pairs of s, smoothed by generalised
/// cross-validation. Dependence that leaves the covariance of the residuals 0 is not seen.
///
/// Returns `None` where no test is possible: fewer than 20 rows, a constant column, a NaN, columns of different
/// lengths, a column that is a smooth function of s, or equations without a solution. Cost O(n k^2) with k about 16 |s| + |s|^2 / 2.
pub fn gcm(x: &[f64], y: &[f64], s: &[&[f64]]) -> Option<Independence> {
    let n_rows = x.len();
    if n_rows < MIN_ROWS || y.len() != n_rows || s.iter().any(|column| column.len() != n_rows) {
        return None;
    }
    let (x, y) = (normal_scores(x)?, normal_scores(y)?);
    let s = s.iter().map(|column| normal_scores(column)).collect::<Option<Vec<_>>>()?;
    let basis = Basis::new(&s, n_rows);
    let design = Design::new(n_rows, basis.len(), 2, |row, values, responses| {
        basis.fill(&s, row, values);
        responses.copy_from_slice(&[x[row], y[row]]);
    });
    let residuals = design.residuals(&Smoothing::CrossValidated(basis.penalty()))?;
    let products: Vec<f64> = residuals.chunks_exact(2).map(|pair| pair[0] * pair[1]).collect();
    let n = float(n_rows);
    let mean = products.iter().sum::<f64>() / n;
    let variance = products.iter().map(|product| (product - mean) * (product - mean)).sum::<f64>() / n;
    let statistic = n.sqrt() * mean / variance.sqrt();
    let left = |end: usize| residuals.iter().skip(end).step_by(2).map(|value| value * value).sum::<f64>() / n;
    let (left_x, left_y) = (left(0), left(1));
    if !statistic.is_finite() || left_x.min(left_y) < SINGULAR {
        return None;
    }
    let correlation = Some(mean / (left_x * left_y).sqrt());
    Some(Independence { statistic, p_value: 2.0 * normal_sf(statistic.abs()), correlation })
}

/// Cubic splines of each column, then the products of each pair of columns; the constant alone for none.
#[derive(Debug)]
struct Basis {
    knots: Vec<Knots>,
}

/// Equally spaced splines over the range of a column.
#[derive(Debug)]
struct Knots {
    low: f64,
    spacing: f64,
    n_splines: usize,
}

impl Basis {
    fn new(columns: &[Vec<f64>], n_rows: usize) -> Self {
        let room = n_rows / ROWS_A_SPLINE / columns.len().max(1);
        let n_splines = room.clamp(MIN_SPLINES, MAX_SPLINES);
        let knots = columns.iter().map(|column| {
            let low = column.iter().copied().fold(f64::INFINITY, f64::min);
            let high = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            Knots { low, spacing: (high - low) / float(n_splines - 3), n_splines }
        });
        Self { knots: knots.collect() }
    }

    fn n_splines(&self) -> usize {
        self.knots.iter().map(|knots| knots.n_splines).sum()
    }

    fn len(&self) -> usize {
        let n = self.knots.len();
        if n == 0 { 1 } else { self.n_splines() + n * (n - 1) / 2 }
    }

    /// Writes the basis of one row.
    fn fill(&self, columns: &[Vec<f64>], row: usize, out: &mut [f64]) {
        if columns.is_empty() {
            out[0] = 1.0;
        }
        let mut start = 0;
        for (knots, column) in self.knots.iter().zip(columns) {
            knots.fill(column[row], &mut out[start..start + knots.n_splines]);
            start += knots.n_splines;
        }
        for (index, second) in columns.iter().enumerate() {
            for first in &columns[..index] {
                out[start] = first[row] * second[row];
                start += 1;
            }
        }
    }

    /// Returns the squares of second differences within the splines of each column; 1 for products.
    fn penalty(&self) -> Vec<f64> {
        let n = self.len();
        let mut penalty = vec![0.0; n * n];
        let mut start = 0;
        for knots in &self.knots {
            for first in start..start + knots.n_splines - 2 {
                for (row, a) in [(first, 1.0), (first + 1, -2.0), (first + 2, 1.0)] {
                    for (column, b) in [(first, 1.0), (first + 1, -2.0), (first + 2, 1.0)] {
                        penalty[row * n + column] += a * b;
                    }
                }
            }
            start += knots.n_splines;
        }
        for product in start..n {
            penalty[product * n + product] = 1.0;
        }
        penalty
    }
}

impl Knots {
    /// Writes the values of all splines at a point: four of them are not 0.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the number of splines")]
    fn fill(&self, value: f64, out: &mut [f64]) {
        let position = ((value - self.low) / self.spacing).max(0.0);
        let cell = (position as usize).min(self.n_splines - 4);
        let t = position - float(cell);
        let u = 1.0 - t;
        out[cell] = u * u * u / 6.0;
        out[cell + 1] = (3.0 * t * t * t - 6.0 * t * t + 4.0) / 6.0;
        out[cell + 2] = (3.0 * u * u * u - 6.0 * u * u + 4.0) / 6.0;
        out[cell + 3] = t * t * t / 6.0;
    }
}
