//! Penalised regression on a basis: what is left of a column when a smooth function of others is taken off.

use causeway_numerics::dense::{add_gram, padding};

use super::scores::float;

/// A ridge that keeps collinear columns of a basis solvable, relative to the mean of the diagonal.
const JITTER: f64 = 1e-9;

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

    /// Returns the residuals of every response, row-major. `None` if the equations have no solution.
    pub(super) fn residuals(&self, smoothing: &Smoothing) -> Option<Vec<f64>> {
        let mut gram = vec![0.0; self.width * self.width];
        add_gram(&self.values, self.width, &mut gram);
        let coefficients: Vec<Vec<f64>> = match smoothing {
            Smoothing::Least => {
                let factor = Cholesky::new(&self.penalised(&gram, &[], 0.0))?;
                (0..self.n_responses).map(|response| factor.solve(&self.cross(&gram, response))).collect()
            }
            Smoothing::CrossValidated(penalty) => self.cross_validate(&gram, penalty)?,
        };
        let rows = self.values.chunks_exact(self.width);
        let residuals = rows.flat_map(|row| {
            let (basis, responses) = row.split_at(self.n_basis);
            coefficients.iter().zip(responses).map(move |(coefficients, response)| {
                response - basis.iter().zip(coefficients).map(|(value, weight)| value * weight).sum::<f64>()
            })
        });
        Some(residuals.collect())
    }

    /// Returns for each response the coefficients at the weight with the least n RSS / (n - trace H)^2
    /// (Craven and Wahba 1979).
    fn cross_validate(&self, gram: &[f64], penalty: &[f64]) -> Option<Vec<Vec<f64>>> {
        let n_rows = float(self.values.len() / self.width);
        let trace = |matrix: &dyn Fn(usize) -> f64| (0..self.n_basis).map(matrix).sum::<f64>();
        let scale = trace(&|index| gram[index * (self.width + 1)])
            / trace(&|index| penalty[index * (self.n_basis + 1)]).max(f64::MIN_POSITIVE);
        let mut best = vec![(f64::INFINITY, Vec::new()); self.n_responses];
        for power in -9..=2 {
            let weight = scale * 10.0_f64.powi(power);
            let factor = Cholesky::new(&self.penalised(gram, penalty, weight))?;
            let freedom = n_rows - self.effective_parameters(gram, &factor);
            if freedom <= 0.0 {
                continue;
            }
            for (response, best) in best.iter_mut().enumerate() {
                let cross = self.cross(gram, response);
                let coefficients = factor.solve(&cross);
                let criterion = self.squares(gram, response, &cross, &coefficients) / (freedom * freedom);
                if criterion < best.0 {
                    *best = (criterion, coefficients);
                }
            }
        }
        best.into_iter().map(|(criterion, coefficients)| criterion.is_finite().then_some(coefficients)).collect()
    }

    /// Returns B'B plus the penalty and a jitter.
    fn penalised(&self, gram: &[f64], penalty: &[f64], weight: f64) -> Vec<Vec<f64>> {
        let n = self.n_basis;
        let mean = (0..n).map(|index| gram[index * (self.width + 1)]).sum::<f64>() / float(n);
        let entry = |row: usize, column: usize| {
            let ridge = if row == column { JITTER * mean } else { 0.0 };
            gram[row * self.width + column] + weight * penalty.get(row * n + column).unwrap_or(&0.0) + ridge
        };
        (0..n).map(|row| (0..n).map(|column| entry(row, column)).collect()).collect()
    }

    /// Returns B'y.
    fn cross(&self, gram: &[f64], response: usize) -> Vec<f64> {
        (0..self.n_basis).map(|row| gram[row * self.width + self.n_basis + response]).collect()
    }

    /// Returns the trace of the smoother.
    fn effective_parameters(&self, gram: &[f64], factor: &Cholesky) -> f64 {
        let column = |index: usize| (0..self.n_basis).map(|row| gram[row * self.width + index]).collect::<Vec<f64>>();
        (0..self.n_basis).map(|index| factor.solve(&column(index))[index]).sum()
    }

    /// Returns the residual sum of squares y'y - 2 b'B'y + b'B'B b.
    fn squares(&self, gram: &[f64], response: usize, cross: &[f64], coefficients: &[f64]) -> f64 {
        let own = gram[(self.n_basis + response) * (self.width + 1)];
        let mut sum = own;
        for (row, weight) in coefficients.iter().enumerate() {
            let fitted: f64 =
                coefficients.iter().zip(&gram[row * self.width..]).map(|(weight, entry)| weight * entry).sum();
            sum += weight * (fitted - 2.0 * cross[row]);
        }
        sum.max(0.0)
    }
}

/// The lower triangle L of a positive definite matrix L L'.
#[derive(Debug)]
struct Cholesky(Vec<Vec<f64>>);

impl Cholesky {
    fn new(matrix: &[Vec<f64>]) -> Option<Self> {
        let mut lower: Vec<Vec<f64>> = Vec::with_capacity(matrix.len());
        for (row, entries) in matrix.iter().enumerate() {
            let mut next = Vec::with_capacity(row + 1);
            for column in 0..=row {
                let above: &[f64] = if column == row { &next } else { &lower[column] };
                let known: f64 = next.iter().zip(above).take(column).map(|(a, b)| a * b).sum();
                let rest = entries[column] - known;
                if column < row {
                    next.push(rest / lower[column][column]);
                } else if rest > 0.0 {
                    next.push(rest.sqrt());
                } else {
                    return None;
                }
            }
            lower.push(next);
        }
        Some(Self(lower))
    }

    fn solve(&self, right: &[f64]) -> Vec<f64> {
        let mut solution = right.to_vec();
        for row in 0..solution.len() {
            let known: f64 = self.0[row].iter().zip(&solution).take(row).map(|(a, b)| a * b).sum();
            solution[row] = (solution[row] - known) / self.0[row][row];
        }
        for row in (0..solution.len()).rev() {
            let known: f64 = (row + 1..solution.len()).map(|below| self.0[below][row] * solution[below]).sum();
            solution[row] = (solution[row] - known) / self.0[row][row];
        }
        solution
    }
}
