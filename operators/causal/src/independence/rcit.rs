//! The randomised conditional independence test.

use std::f64::consts::{SQRT_2, TAU};

use causeway_numerics::gamma_sf;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::regression::{Design, Smoothing};
use super::scores::{float, normal_scores};
use super::{Independence, MIN_ROWS};
use crate::random::standard_normal;

/// The numbers of random features, and the seed that draws them.
#[derive(Debug, Clone, Copy)]
pub struct RcitParams {
    /// Features of the conditioning columns.
    pub n_condition_features: usize,
    /// Features of each of the two tested variables.
    pub n_features: usize,
    /// Draws the features; the same seed gives the same p-value.
    pub seed: u64,
}

impl Default for RcitParams {
    fn default() -> Self {
        Self { n_condition_features: 100, n_features: 5, seed: 0 }
    }
}

/// Tests whether two columns are independent given others (Strobl, Zhang and Visweswaran 2019).
///
/// Random cosine features of (x, s) and of y stand for functions of them (Rahimi and Recht 2007); both are
/// regressed on features of s, and n times the squared norm of the residuals' covariance is the statistic. Under
/// independence it is a weighted sum of chi-squares, whose upper tail is taken from its first three
/// cumulants (Buckley and Eagleson 1988). It sees dependence of many forms, with less power than
/// [`super::gcm()`] for a monotone one. All columns are normal scores.
///
/// Returns `None` where no test is possible, as [`super::gcm()`] does.
pub fn rcit(x: &[f64], y: &[f64], s: &[&[f64]], params: RcitParams) -> Option<Independence> {
    let n_rows = x.len();
    if n_rows < MIN_ROWS || y.len() != n_rows || s.iter().any(|column| column.len() != n_rows) {
        return None;
    }
    let s = s.iter().map(|column| normal_scores(column)).collect::<Option<Vec<_>>>()?;
    rcit_of_scores(&normal_scores(x)?, &normal_scores(y)?, &s, params)
}

/// The same on normal scores of the same rows, at least [`MIN_ROWS`].
pub(crate) fn rcit_of_scores(x: &[f64], y: &[f64], s: &[Vec<f64>], params: RcitParams) -> Option<Independence> {
    let n_rows = x.len();
    let joint: Vec<&[f64]> = std::iter::once(x).chain(s.iter().map(Vec::as_slice)).collect();
    let mut random = ChaCha20Rng::seed_from_u64(params.seed);
    let given = &joint[1..];
    let n_given = if s.is_empty() { 0 } else { params.n_condition_features.min(n_rows / 5) };
    let of_s = Features::draw(n_given, given.len(), &mut random);
    let of_x = Features::draw(params.n_features, joint.len(), &mut random);
    let of_y = Features::draw(params.n_features, 1, &mut random);
    let n = params.n_features;
    let design = Design::new(n_rows, 1 + n_given, 2 * n, |row, basis, responses| {
        basis[0] = 1.0;
        of_s.fill(given, row, &mut basis[1..]);
        of_x.fill(&joint, row, &mut responses[..n]);
        of_y.fill(&[y], row, &mut responses[n..]);
    });
    let residuals = design.residuals(&Smoothing::Least).into_iter().collect::<Option<Vec<_>>>()?;
    let by_row: Vec<f64> = (0..n_rows).flat_map(|row| residuals.iter().map(move |column| column[row])).collect();
    statistic(&by_row, n)
}

/// Random directions and phases of cosines.
#[derive(Debug)]
struct Features {
    directions: Vec<Vec<f64>>,
    phases: Vec<f64>,
}

impl Features {
    /// Draws features whose kernel is the Gaussian one, as wide as the median distance of normal scores.
    fn draw(n_features: usize, n_columns: usize, random: &mut ChaCha20Rng) -> Self {
        // two independent normal vectors lie about sqrt(2 n_columns) apart
        let width = (2.0 * float(n_columns)).sqrt();
        let directions =
            (0..n_features).map(|_| (0..n_columns).map(|_| standard_normal(random) / width).collect()).collect();
        let phases = (0..n_features).map(|_| TAU * random.random::<f64>()).collect();
        Self { directions, phases }
    }

    fn fill(&self, columns: &[&[f64]], row: usize, out: &mut [f64]) {
        for ((out, direction), phase) in out.iter_mut().zip(&self.directions).zip(&self.phases) {
            let angle: f64 = direction.iter().zip(columns).map(|(weight, column)| weight * column[row]).sum();
            *out = SQRT_2 * (angle + phase).cos();
        }
    }
}

/// Returns n |C|^2 and its tail, where C is the covariance of the residuals of x's and y's features.
fn statistic(residuals: &[f64], n_features: usize) -> Option<Independence> {
    let rows = || residuals.chunks_exact(2 * n_features);
    let n = float(rows().len());
    let n_products = n_features * n_features;
    let mut means = vec![0.0; n_products];
    let mut products = vec![0.0; n_products];
    for row in rows() {
        fill_products(row, n_features, &mut products);
        for (mean, product) in means.iter_mut().zip(&products) {
            *mean += product / n;
        }
    }
    let mut covariance = vec![0.0; n_products * n_products];
    for row in rows() {
        fill_products(row, n_features, &mut products);
        for (a, out) in covariance.chunks_exact_mut(n_products).enumerate() {
            let deviation = products[a] - means[a];
            for (b, out) in out.iter_mut().enumerate() {
                *out += deviation * (products[b] - means[b]) / n;
            }
        }
    }
    let statistic = n * means.iter().map(|mean| mean * mean).sum::<f64>();
    let p_value = weighted_chi_square_sf(statistic, &covariance, n_products);
    p_value.is_finite().then_some(Independence { statistic, p_value, correlation: None })
}

fn fill_products(row: &[f64], n_features: usize, out: &mut [f64]) {
    let (x, y) = row.split_at(n_features);
    for (out, x) in out.chunks_exact_mut(n_features).zip(x) {
        for (out, y) in out.iter_mut().zip(y) {
            *out = x * y;
        }
    }
}

/// Returns P(sum of l_i chi-square(1) > value), l the eigenvalues of the matrix, from the traces of its powers: the
/// chi-square with the same mean, variance and skewness.
fn weighted_chi_square_sf(value: f64, matrix: &[f64], order: usize) -> f64 {
    let mut square = vec![0.0; order * order];
    for row in 0..order {
        for column in 0..order {
            square[row * order + column] =
                (0..order).map(|k| matrix[row * order + k] * matrix[k * order + column]).sum();
        }
    }
    let first: f64 = (0..order).map(|index| matrix[index * (order + 1)]).sum();
    let second: f64 = matrix.iter().map(|entry| entry * entry).sum();
    let third: f64 = matrix.iter().zip(&square).map(|(a, b)| a * b).sum();
    let (variance, skew) = (2.0 * second, 8.0 * third);
    let freedom = 8.0 * variance.powi(3) / (skew * skew);
    let matched = freedom + (value - first) / variance.sqrt() * (2.0 * freedom).sqrt();
    gamma_sf(0.5 * freedom, 0.5 * matched)
}
