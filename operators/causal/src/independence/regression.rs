//! Penalised regression on a basis: what is left of columns when a smooth function of others is taken off.

use causeway_numerics::dense::{add_gram, padding, vectorised};

use super::scores::float;

/// A ridge that keeps collinear columns of a basis solvable, relative to the mean of the diagonal.
const JITTER: f64 = 1e-9;

/// Running sums of a dot product.
const LANES: usize = 8;

/// Columns of a basis and of the responses, row after row.
#[derive(Debug)]
pub(super) struct Design {
    /// Row-major, `width` values a row: first the basis, then the responses, then zeros.
    values: Vec<f64>,
    width: usize,
    n_basis: usize,
    n_responses: usize,
}

/// How a fit is smoothed.
#[derive(Debug)]
pub(super) enum Smoothing {
    /// The penalty matrix of each block of the basis, weighted as generalised cross-validation finds best.
    CrossValidated(Vec<f64>),
    /// No more than keeps the equations solvable.
    Least,
}

impl Design {
    /// Makes a design of `n_rows` rows; `fill` writes one row of basis and responses.
    pub(super) fn new(
        n_rows: usize,
        n_basis: usize,
        n_responses: usize,
        mut fill: impl FnMut(usize, &mut [f64], &mut [f64]),
    ) -> Self {
        let width = (n_basis + n_responses).next_multiple_of(padding());
        let mut values = vec![0.0; n_rows * width];
        for (row, values) in values.chunks_exact_mut(width).enumerate() {
            let (basis, responses) = values.split_at_mut(n_basis);
            fill(row, basis, &mut responses[..n_responses]);
        }
        Self { values, width, n_basis, n_responses }
    }

    /// Returns the residuals of each response, one after another. `None` where the equations have no solution.
    ///
    /// Each response is smoothed by itself, so its residuals do not depend on what else is asked; only the
    /// equations are shared.
    pub(super) fn residuals(&self, smoothing: &Smoothing) -> Vec<Option<Vec<f64>>> {
        let mut gram = vec![0.0; self.width * self.width];
        add_gram(&self.values, self.width, &mut gram);
        let coefficients = vectorised(|| match smoothing {
            Smoothing::Least => self.least(&gram),
            Smoothing::CrossValidated(penalty) => self.cross_validate(&gram, penalty),
        });
        let residuals = coefficients.into_iter().enumerate();
        residuals.map(|(response, coefficients)| Some(self.residuals_of(response, &coefficients?))).collect()
    }

    fn residuals_of(&self, response: usize, coefficients: &[f64]) -> Vec<f64> {
        let mut residuals = Vec::with_capacity(self.values.len() / self.width);
        vectorised(|| {
            for row in self.values.chunks_exact(self.width) {
                residuals.push(row[self.n_basis + response] - dot(&row[..self.n_basis], coefficients));
            }
        });
        residuals
    }

    #[inline(always)]
    fn least(&self, gram: &[f64]) -> Vec<Option<Vec<f64>>> {
        let factor = Cholesky::new(self.penalised(gram, &[], 0.0), self.n_basis);
        let solve = |response| Some(factor.as_ref()?.solve(&self.cross(gram, response)));
        (0..self.n_responses).map(solve).collect()
    }

    /// Returns for each response the coefficients at the weight with the least n RSS / (n - trace H)^2
    /// (Craven and Wahba 1979).
    #[inline(always)]
    fn cross_validate(&self, gram: &[f64], penalty: &[f64]) -> Vec<Option<Vec<f64>>> {
        let n_rows = float(self.values.len() / self.width);
        let trace = |matrix: &dyn Fn(usize) -> f64| (0..self.n_basis).map(matrix).sum::<f64>();
        let scale = trace(&|index| gram[index * (self.width + 1)])
            / trace(&|index| penalty[index * (self.n_basis + 1)]).max(f64::MIN_POSITIVE);
        let mut best = vec![(f64::INFINITY, None); self.n_responses];
        let unpenalised = Cholesky::new(self.penalised(gram, &[], 0.0), self.n_basis);
        let crosses: Vec<Vec<f64>> = (0..self.n_responses).map(|response| self.cross(gram, response)).collect();
        for power in -9..=2 {
            let weight = scale * 10.0_f64.powi(power);
            let factor = Cholesky::new(self.penalised(gram, penalty, weight), self.n_basis);
            let (Some(factor), Some(unpenalised)) = (factor, &unpenalised) else {
                return vec![None; self.n_responses];
            };
            let freedom = n_rows - factor.trace_of_quotient(unpenalised);
            if freedom <= 0.0 {
                continue;
            }
            for (response, (best, cross)) in best.iter_mut().zip(&crosses).enumerate() {
                let coefficients = factor.solve(cross);
                let criterion = self.squares(gram, response, cross, &coefficients) / (freedom * freedom);
                if criterion < best.0 {
                    *best = (criterion, Some(coefficients));
                }
            }
        }
        best.into_iter().map(|(_, coefficients)| coefficients).collect()
    }

    /// Returns B'B plus the penalty and a jitter.
    fn penalised(&self, gram: &[f64], penalty: &[f64], weight: f64) -> Vec<f64> {
        let n = self.n_basis;
        let mean = (0..n).map(|index| gram[index * (self.width + 1)]).sum::<f64>() / float(n);
        let mut matrix = Vec::with_capacity(n * n);
        for row in gram.chunks_exact(self.width).take(n) {
            matrix.extend_from_slice(&row[..n]);
        }
        for (entry, penalty) in matrix.iter_mut().zip(penalty) {
            *entry += weight * penalty;
        }
        for entry in matrix.iter_mut().step_by(n + 1) {
            *entry += JITTER * mean;
        }
        matrix
    }

    /// Returns B'y.
    fn cross(&self, gram: &[f64], response: usize) -> Vec<f64> {
        (0..self.n_basis).map(|row| gram[row * self.width + self.n_basis + response]).collect()
    }

    /// Returns the residual sum of squares y'y - 2 b'B'y + b'B'B b.
    #[inline(always)]
    fn squares(&self, gram: &[f64], response: usize, cross: &[f64], coefficients: &[f64]) -> f64 {
        let own = gram[(self.n_basis + response) * (self.width + 1)];
        let mut sum = own;
        for ((weight, gram), cross) in coefficients.iter().zip(gram.chunks_exact(self.width)).zip(cross) {
            sum += weight * (dot(coefficients, &gram[..self.n_basis]) - 2.0 * cross);
        }
        sum.max(0.0)
    }
}

/// The lower triangle L of a positive definite matrix L L', and its transpose.
#[derive(Debug)]
struct Cholesky {
    order: usize,
    lower: Vec<f64>,
    upper: Vec<f64>,
}

impl Cholesky {
    #[inline(always)]
    fn new(mut matrix: Vec<f64>, order: usize) -> Option<Self> {
        let mut upper = vec![0.0; order * order];
        for row in 0..order {
            let (above, own) = matrix.split_at_mut(row * order);
            let own = &mut own[..order];
            for (column, other) in above.chunks_exact(order).enumerate() {
                own[column] = (own[column] - dot(&own[..column], &other[..column])) / other[column];
                upper[column * order + row] = own[column];
            }
            let rest = own[row] - dot(&own[..row], &own[..row]);
            if rest.is_nan() || rest <= 0.0 {
                return None;
            }
            own[row] = rest.sqrt();
            upper[row * (order + 1)] = own[row];
            own[row + 1..].fill(0.0);
        }
        Some(Self { order, lower: matrix, upper })
    }

    #[inline(always)]
    fn solve(&self, right: &[f64]) -> Vec<f64> {
        let mut solution = right.to_vec();
        for (row, lower) in self.lower.chunks_exact(self.order).enumerate() {
            solution[row] = (solution[row] - dot(&lower[..row], &solution[..row])) / lower[row];
        }
        for (row, upper) in self.upper.chunks_exact(self.order).enumerate().rev() {
            solution[row] = (solution[row] - dot(&upper[row + 1..], &solution[row + 1..])) / upper[row];
        }
        solution
    }

    /// Returns the trace of (L L')^-1 R R', with R the other lower triangle: the squared entries of L^-1 R.
    #[inline(always)]
    fn trace_of_quotient(&self, other: &Self) -> f64 {
        let mut trace = 0.0;
        let mut column = Vec::with_capacity(self.order);
        for (first, entries) in other.upper.chunks_exact(self.order).enumerate() {
            column.clear();
            for row in first..self.order {
                let lower = &self.lower[row * self.order..(row + 1) * self.order];
                let entry = (entries[row] - dot(&lower[first..row], &column)) / lower[row];
                trace += entry * entry;
                column.push(entry);
            }
        }
        trace
    }
}

/// Returns the sum of products of two slices of one length, in a fixed order.
#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (c + g)) + ((b + f) + (d + h)) + rest
}
