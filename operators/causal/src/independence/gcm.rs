//! The generalised covariance measure.

use causeway_numerics::normal_sf;

use super::regression::{Design, Smoothing};
use super::scores::{float, normal_scores};
use super::{Independence, MIN_ROWS};
use crate::kernels::{dot, squared_deviations};

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
    let responses = [normal_scores(x)?, normal_scores(y)?];
    let s = s.iter().map(|column| normal_scores(column)).collect::<Option<Vec<_>>>()?;
    let residuals = residuals(responses.to_vec(), &s);
    covariance(residuals[0].as_ref()?, residuals[1].as_ref()?)
}

/// What regression leaves of the normal scores of a column.
#[derive(Debug)]
pub(crate) struct Residual {
    values: Vec<f64>,
    /// The mean square.
    left: f64,
}

/// Returns what regression on s leaves of each response; `None` where the equations have no solution. All columns are
/// normal scores of the same rows. A response comes out the same whatever the others are.
pub(crate) fn residuals(responses: Vec<Vec<f64>>, s: &[Vec<f64>]) -> Vec<Option<Residual>> {
    let Some(n_rows) = responses.first().map(Vec::len) else { return Vec::new() };
    if s.is_empty() {
        return responses.into_iter().map(|scores| Some(Residual::new(centred(scores)))).collect();
    }
    let basis = Basis::new(s, n_rows);
    let design = Design::new(n_rows, basis.len(), responses.len(), |row, values, out| {
        basis.fill(s, row, values);
        for (out, scores) in out.iter_mut().zip(&responses) {
            *out = scores[row];
        }
    });
    let residuals = design.residuals(&Smoothing::CrossValidated(basis.penalty()));
    residuals.into_iter().map(|values| Some(Residual::new(values?))).collect()
}

/// Tests whether the covariance of two columns of residuals is 0; `None` if one is nearly nothing.
pub(crate) fn covariance(x: &Residual, y: &Residual) -> Option<Independence> {
    let n = float(x.values.len());
    let mean = dot(&x.values, &y.values) / n;
    let variance = squared_deviations(&x.values, &y.values, mean) / n;
    let statistic = n.sqrt() * mean / variance.sqrt();
    if !statistic.is_finite() || x.left.min(y.left) < SINGULAR {
        return None;
    }
    let correlation = Some(mean / (x.left * y.left).sqrt());
    Some(Independence { statistic, p_value: 2.0 * normal_sf(statistic.abs()), correlation })
}

impl Residual {
    fn new(values: Vec<f64>) -> Self {
        let left = dot(&values, &values) / float(values.len());
        Self { values, left }
    }
}

fn centred(mut scores: Vec<f64>) -> Vec<f64> {
    let mean = scores.iter().sum::<f64>() / float(scores.len());
    scores.iter_mut().for_each(|score| *score -= mean);
    scores
}

/// Cubic splines of each column, then the products of each pair of columns.
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
        self.n_splines() + n * (n - 1) / 2
    }

    /// Writes the basis of one row.
    fn fill(&self, columns: &[Vec<f64>], row: usize, out: &mut [f64]) {
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
