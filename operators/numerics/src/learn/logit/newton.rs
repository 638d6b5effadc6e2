//! The largest likelihood of a logit, by Newton's method.

use pulp::{Simd, WithSimd};

use super::super::cholesky::Cholesky;
use super::super::design::{Design, WATCH};
use super::super::kernels::{BLOCK_ROWS, add_dots, add_multiple, probability, run, sum, total_of};
use super::super::{LearnError, Result, Training, to_float};

/// Newton steps, of which well behaved data need five to ten.
const MAX_STEPS: usize = 30;

/// The weights have settled when no step changes one by more.
const SETTLED: f64 = 1e-7;

/// The weights will have settled after a step if the next, by the quadratic fall of the last two, is below.
const WILL_SETTLE: f64 = 1e-11;

/// The information of a separated fit vanishes; that of a fit with an end keeps more than this share.
const SINGULAR: f64 = 1e-10;

/// Every how many-th row the first weights are fitted to.
const START_STRIDE: usize = 16;

/// Returns the intercept and the weights of standardised columns.
///
/// The error says `Separation` with the column of the largest weight if the weights grow without bound, and if the
/// columns are collinear.
pub(super) fn maximise(design: Design<'_>, outcomes: &[f64], training: &Training<'_>) -> Result<Vec<f64>> {
    let n_start = outcomes.len() / START_STRIDE;
    let mut start = None;
    if n_start > 50 * (design.n_columns() + 1) {
        let some = |column: &[f64]| column.iter().copied().step_by(START_STRIDE).collect::<Vec<f64>>();
        let columns: Vec<Vec<f64>> = design.columns.iter().map(|column| some(column)).collect();
        let outcomes = some(outcomes);
        let sparse = Design { columns: &columns, n_rows: outcomes.len(), ..design };
        start = climb(sparse, &outcomes, None, training).ok();
    }
    climb(design, outcomes, start, training)
}

/// Climbs from `start`, or from the share of ones.
fn climb(design: Design<'_>, outcomes: &[f64], start: Option<Vec<f64>>, training: &Training<'_>) -> Result<Vec<f64>> {
    let mut weights = start.unwrap_or_else(|| constant_fit(design.n_columns(), outcomes));
    let mut slope = Slope::at(&weights, design, outcomes, training)?;
    let mut last_change = f64::INFINITY;
    for _ in 0..MAX_STEPS {
        let separated = || LearnError::Separation { column: largest(&weights), alone: false };
        let information = Cholesky::new(&slope.information, SINGULAR).map_err(|_| separated())?;
        if slope.information.iter().enumerate().any(|(row, entries)| entries[row] < SINGULAR) {
            return Err(separated());
        }
        let mut step = slope.score.clone();
        information.solve(&mut step);
        let change = step.iter().fold(0.0, |most: f64, change| most.max(change.abs()));
        let next_change = change * (change / last_change).powi(2);
        if change <= SETTLED || (last_change.is_finite() && next_change <= WILL_SETTLE) {
            weights.iter_mut().zip(&step).for_each(|(weight, change)| *weight += change);
            return Ok(weights);
        }
        last_change = change;
        (weights, slope) = advance(&weights, &slope, step, design, outcomes, training)?;
    }
    Err(LearnError::Separation { column: largest(&weights), alone: false })
}

/// Takes a step, or as much of it as does not lead far beyond the top along its line.
fn advance(
    weights: &[f64],
    slope: &Slope,
    mut step: Vec<f64>,
    design: Design<'_>,
    outcomes: &[f64],
    training: &Training<'_>,
) -> Result<(Vec<f64>, Slope)> {
    const HALVINGS: usize = 30;
    let rise = along(&slope.score, &step);
    let mut halvings = 0;
    loop {
        let next: Vec<f64> = weights.iter().zip(&step).map(|(weight, change)| weight + change).collect();
        let found = Slope::at(&next, design, outcomes, training)?;
        // the likelihood is concave: its slope along the step falls from `rise` and is 0 at the top
        if along(&found.score, &step) >= -0.5 * rise || halvings == HALVINGS {
            return Ok((next, found));
        }
        halvings += 1;
        step.iter_mut().for_each(|change| *change *= 0.5);
    }
}

/// Returns the slope along a step.
fn along(score: &[f64], step: &[f64]) -> f64 {
    score.iter().zip(step).map(|(score, step)| score * step).sum()
}

/// Returns the weights with which every row has the share of ones.
pub(in super::super) fn constant_fit(n_columns: usize, outcomes: &[f64]) -> Vec<f64> {
    let share = total_of(outcomes) / to_float(outcomes.len());
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
    /// Returns the derivatives at some weights, of which the first is the intercept.
    pub(in super::super) fn at(
        weights: &[f64],
        design: Design<'_>,
        outcomes: &[f64],
        training: &Training<'_>,
    ) -> Result<Self> {
        let mut slope = Self {
            score: vec![0.0; weights.len()],
            information: (1..=weights.len()).map(|length| vec![0.0; length]).collect(),
        };
        let mut rows = BlockRows::default();
        let mut block = design.block();
        for (index, outcomes) in outcomes.chunks(BLOCK_ROWS).enumerate() {
            if index % WATCH == 0 {
                training.check()?;
            }
            run(AddBlock {
                design,
                weights,
                first: index * BLOCK_ROWS,
                outcomes,
                block: &mut block,
                rows: &mut rows,
                out: &mut slope,
            });
        }
        let n_rows = to_float(outcomes.len());
        slope.score.iter_mut().chain(slope.information.iter_mut().flatten()).for_each(|sum| *sum /= n_rows);
        Ok(slope)
    }
}

/// Adds the derivatives of the rows of a block.
struct AddBlock<'a> {
    design: Design<'a>,
    weights: &'a [f64],
    first: usize,
    outcomes: &'a [f64],
    block: &'a mut [f64],
    rows: &'a mut BlockRows,
    out: &'a mut Slope,
}

impl WithSimd for AddBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { weights, outcomes, block, out, .. } = self;
        self.design.fill(self.first, block);
        let n = outcomes.len();
        let BlockRows { residuals, variances, weighted } = self.rows;
        let (residuals, variances, weighted) = (&mut residuals[..n], &mut variances[..n], &mut weighted[..n]);
        residuals.fill(weights[0]);
        for (weight, column) in weights[1..].iter().zip(block.chunks_exact(BLOCK_ROWS)) {
            add_multiple(residuals, *weight, column);
        }
        for ((residual, variance), outcome) in residuals.iter_mut().zip(&mut *variances).zip(outcomes) {
            let expected = probability(*residual);
            *variance = expected * (1.0 - expected);
            *residual = outcome - expected;
        }
        out.score[0] += sum(simd, residuals);
        out.information[0][0] += sum(simd, variances);
        add_dots(simd, residuals, block, &mut out.score[1..]);
        for (entries, column) in out.information[1..].iter_mut().zip(block.chunks_exact(BLOCK_ROWS)) {
            for ((out, value), variance) in weighted.iter_mut().zip(column).zip(&*variances) {
                *out = value * variance;
            }
            entries[0] += sum(simd, weighted);
            add_dots(simd, weighted, block, &mut entries[1..]);
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
