//! The largest likelihood of a logit, by Newton's method.

use super::super::cholesky::Cholesky;
use super::super::kernels::{BLOCK_ROWS, add_multiple, dot, probability, sum};
use super::super::{LearnError, Result, Training, to_float};
use crate::dense::vectorised;

/// Newton steps, of which well behaved data need five to ten.
const MAX_STEPS: usize = 30;

/// The weights have settled when no step changes one by more.
const SETTLED: f64 = 1e-7;

/// The information of a separated fit vanishes; that of a fit with an end keeps more than this share.
const SINGULAR: f64 = 1e-10;

/// Every how many-th row the first weights are fitted to.
const START_STRIDE: usize = 16;

/// Returns the intercept and the weights of standardised columns.
///
/// The error says `Separation` with the column of the largest weight if the weights grow without bound.
pub(super) fn maximise(columns: &[Vec<f64>], outcomes: &[f64], training: &Training<'_>) -> Result<Vec<f64>> {
    let n_start = outcomes.len() / START_STRIDE;
    let mut start = None;
    if n_start > 50 * (columns.len() + 1) {
        let some = |column: &[f64]| column.iter().copied().step_by(START_STRIDE).collect::<Vec<f64>>();
        let columns: Vec<Vec<f64>> = columns.iter().map(|column| some(column)).collect();
        start = climb(&columns, &some(outcomes), None, training).ok();
    }
    climb(columns, outcomes, start, training)
}

/// Climbs from `start`, or from the share of ones.
fn climb(columns: &[Vec<f64>], outcomes: &[f64], start: Option<Vec<f64>>, training: &Training<'_>) -> Result<Vec<f64>> {
    let mut weights = start.unwrap_or_else(|| constant_fit(columns.len(), outcomes));
    let mut slope = Slope::at(&weights, columns, outcomes, training)?;
    for _ in 0..MAX_STEPS {
        let separated = || LearnError::Separation { column: largest(&weights), alone: false };
        let information = Cholesky::new(&slope.information, SINGULAR).map_err(|_| separated())?;
        let mut step = slope.score.clone();
        information.solve(&mut step);
        if slope.information.iter().enumerate().any(|(row, entries)| entries[row] < SINGULAR) {
            return Err(separated());
        }
        let settled = step.iter().all(|change| change.abs() <= SETTLED);
        if settled {
            weights.iter_mut().zip(&step).for_each(|(weight, change)| *weight += change);
            return Ok(weights);
        }
        (weights, slope) = advance(&weights, &slope, step, columns, outcomes, training)?;
    }
    Err(LearnError::Separation { column: largest(&weights), alone: false })
}

/// Takes a step, or as much of it as does not lead far beyond the top along its line.
fn advance(
    weights: &[f64],
    slope: &Slope,
    mut step: Vec<f64>,
    columns: &[Vec<f64>],
    outcomes: &[f64],
    training: &Training<'_>,
) -> Result<(Vec<f64>, Slope)> {
    const HALVINGS: usize = 30;
    let rise = dot(&slope.score, &step);
    let mut halvings = 0;
    loop {
        let next: Vec<f64> = weights.iter().zip(&step).map(|(weight, change)| weight + change).collect();
        let found = Slope::at(&next, columns, outcomes, training)?;
        // the likelihood is concave: its slope along the step falls from `rise` and is 0 at the top
        if dot(&found.score, &step) >= -0.5 * rise || halvings == HALVINGS {
            return Ok((next, found));
        }
        halvings += 1;
        step.iter_mut().for_each(|change| *change *= 0.5);
    }
}

/// Returns the weights with which every row has the share of ones.
pub(in super::super) fn constant_fit(n_columns: usize, outcomes: &[f64]) -> Vec<f64> {
    let share = vectorised(|| sum(outcomes)) / to_float(outcomes.len());
    let mut weights = vec![0.0; n_columns + 1];
    weights[0] = (share / (1.0 - share)).ln();
    if !weights[0].is_finite() {
        weights[0] = 0.0; // a part of the rows that has one class
    }
    weights
}

/// Returns the column with the largest weight; the first weight is the intercept.
fn largest(weights: &[f64]) -> usize {
    let columns = weights.iter().skip(1).map(|weight| weight.abs()).enumerate();
    columns.max_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(column, _)| column)
}

/// First and second derivatives of the mean log likelihood.
#[derive(Debug)]
pub(in super::super) struct Slope {
    pub(in super::super) score: Vec<f64>,
    /// The lower triangle of minus the second derivatives.
    pub(in super::super) information: Vec<Vec<f64>>,
}

impl Slope {
    pub(in super::super) fn at(
        weights: &[f64],
        columns: &[Vec<f64>],
        outcomes: &[f64],
        training: &Training<'_>,
    ) -> Result<Self> {
        /// Blocks between two questions whether to go on.
        const WATCH: usize = 64;
        let mut slope = Self {
            score: vec![0.0; weights.len()],
            information: (1..=weights.len()).map(|length| vec![0.0; length]).collect(),
        };
        let mut rows = BlockRows::default();
        for (block, outcomes) in outcomes.chunks(BLOCK_ROWS).enumerate() {
            if block % WATCH == 0 {
                training.check()?;
            }
            let first = block * BLOCK_ROWS;
            vectorised(|| slope.add(&mut rows, weights, columns, first, outcomes));
        }
        let n_rows = to_float(outcomes.len());
        slope.score.iter_mut().chain(slope.information.iter_mut().flatten()).for_each(|sum| *sum /= n_rows);
        Ok(slope)
    }

    /// Adds the rows from `first` on.
    #[inline(always)]
    fn add(&mut self, rows: &mut BlockRows, weights: &[f64], columns: &[Vec<f64>], first: usize, outcomes: &[f64]) {
        let n = outcomes.len();
        let BlockRows { residuals, variances, weighted } = rows;
        let (residuals, variances, weighted) = (&mut residuals[..n], &mut variances[..n], &mut weighted[..n]);
        residuals.fill(weights[0]);
        for (weight, column) in weights[1..].iter().zip(columns) {
            add_multiple(residuals, *weight, &column[first..first + n]);
        }
        for ((residual, variance), outcome) in residuals.iter_mut().zip(&mut *variances).zip(outcomes) {
            let expected = probability(*residual);
            *variance = expected * (1.0 - expected);
            *residual = outcome - expected;
        }
        self.score[0] += sum(residuals);
        self.information[0][0] += sum(variances);
        for (index, column) in columns.iter().enumerate() {
            let column = &column[first..first + n];
            self.score[index + 1] += dot(column, residuals);
            for ((out, value), variance) in weighted.iter_mut().zip(column).zip(&*variances) {
                *out = value * variance;
            }
            let entries = &mut self.information[index + 1];
            entries[0] += sum(weighted);
            for (entry, other) in entries[1..].iter_mut().zip(columns) {
                *entry += dot(weighted, &other[first..first + n]);
            }
        }
    }
}

/// One number for each row of a block.
#[derive(Debug)]
struct BlockRows {
    residuals: [f64; BLOCK_ROWS],
    variances: [f64; BLOCK_ROWS],
    weighted: [f64; BLOCK_ROWS],
}

impl Default for BlockRows {
    fn default() -> Self {
        Self { residuals: [0.0; BLOCK_ROWS], variances: [0.0; BLOCK_ROWS], weighted: [0.0; BLOCK_ROWS] }
    }
}
