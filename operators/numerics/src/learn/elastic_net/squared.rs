//! The squared loss: everything follows from sums of products, so the rows are read once.

use super::super::design::Design;
use super::super::kernels::{squares_of, total_of};
use super::super::{Result, Training, to_float};
use super::descent::{Penalty, Quadratic};
use super::{ElasticNet, N_PARTS, smallest};

/// Weights settle to this share of the standard deviation of the outcomes.
const TOLERANCE: f64 = 1e-8;

/// Returns the intercept and the weights of standardised columns.
pub(super) fn fit(net: &ElasticNet, design: Design<'_>, outcomes: &[f64], training: &Training<'_>) -> Result<Vec<f64>> {
    let mean = total_of(outcomes) / to_float(outcomes.len());
    let residuals: Vec<f64> = outcomes.iter().map(|outcome| outcome - mean).collect();
    let n_parts = if net.penalty.is_some() { 1 } else { N_PARTS };
    let mut parts = Vec::with_capacity(n_parts);
    for part in 0..n_parts {
        parts.push(Sums::of(design, &residuals, part, n_parts, training)?);
    }
    let mut all = parts[0].clone();
    parts[1..].iter().for_each(|part| all.add(part, 1.0));
    let (quadratic, _) = all.quadratic();
    let penalties = net.penalties(quadratic.slope.iter().fold(0.0, |most, slope| slope.abs().max(most)));
    let chosen = if penalties.len() == 1 { 0 } else { choose(net, &all, &parts, &penalties, training)? };
    let weights = path(net, &all, &penalties[..=chosen], training)?.pop().unwrap_or_default();
    let mut found = vec![mean + all.intercept(&weights)];
    found.extend(weights);
    Ok(found)
}

/// Returns the place of the penalty with the smallest squared error of rows left out.
fn choose(net: &ElasticNet, all: &Sums, parts: &[Sums], penalties: &[f64], training: &Training<'_>) -> Result<usize> {
    let mut losses = vec![0.0; penalties.len()];
    for part in parts {
        let mut others = all.clone();
        others.add(part, -1.0);
        for (loss, weights) in losses.iter_mut().zip(path(net, &others, penalties, training)?) {
            *loss += part.squared_error(others.intercept(&weights), &weights);
        }
    }
    Ok(smallest(&losses))
}

/// Returns the weights for each penalty, each started at those of the penalty before.
fn path(net: &ElasticNet, sums: &Sums, penalties: &[f64], training: &Training<'_>) -> Result<Vec<Vec<f64>>> {
    let (quadratic, variance) = sums.quadratic();
    let mut weights = vec![0.0; sums.products.len()];
    let mut found = Vec::with_capacity(penalties.len());
    for penalty in penalties {
        training.check()?;
        let penalty = Penalty { lasso: penalty * net.l1_ratio, ridge: penalty * (1.0 - net.l1_ratio), n_free: 0 };
        quadratic.minimise(&mut weights, penalty, TOLERANCE * variance.sqrt())?;
        found.push(weights.clone());
    }
    Ok(found)
}

/// Sums over rows of the columns, the outcomes and their products.
#[derive(Debug, Clone)]
struct Sums {
    n_rows: f64,
    columns: Vec<f64>,
    outcomes: f64,
    products: Vec<Vec<f64>>,
    with_outcomes: Vec<f64>,
    outcome_squares: f64,
}

impl Sums {
    /// Sums every `n_parts`-th row from `part` on.
    fn of(design: Design<'_>, outcomes: &[f64], part: usize, n_parts: usize, training: &Training<'_>) -> Result<Self> {
        let some = |column: &[f64]| column.iter().skip(part).step_by(n_parts).copied().collect::<Vec<f64>>();
        let columns: Vec<Vec<f64>> = design.columns.iter().map(|column| some(column)).collect();
        let outcomes = some(outcomes);
        let own = Design { columns: &columns, n_rows: outcomes.len(), ..design };
        let found = own.products(&outcomes, training)?;
        let n = columns.len();
        let entry = |row: usize, column: usize| found.lower[row.max(column)][row.min(column)];
        Ok(Self {
            n_rows: to_float(outcomes.len()),
            outcomes: total_of(&outcomes),
            products: (0..n).map(|row| (0..n).map(|column| entry(row, column)).collect()).collect(),
            with_outcomes: found.with_outcomes,
            columns: found.columns,
            outcome_squares: squares_of(&outcomes),
        })
    }

    fn add(&mut self, other: &Self, sign: f64) {
        let add = |total: &mut [f64], more: &[f64]| {
            total.iter_mut().zip(more).for_each(|(total, more)| *total += sign * more);
        };
        self.n_rows += sign * other.n_rows;
        self.outcomes += sign * other.outcomes;
        self.outcome_squares += sign * other.outcome_squares;
        add(&mut self.columns, &other.columns);
        add(&mut self.with_outcomes, &other.with_outcomes);
        self.products.iter_mut().zip(&other.products).for_each(|(total, more)| add(total, more));
    }

    /// Returns the loss around the means, and the variance of the outcomes.
    fn quadratic(&self) -> (Quadratic, f64) {
        let n = self.n_rows;
        let mean = |sum: &f64| sum / n;
        let means: Vec<f64> = self.columns.iter().map(mean).collect();
        let centred = |(row, products): (usize, &Vec<f64>)| {
            products.iter().zip(&means).map(|(product, other)| product / n - means[row] * other).collect()
        };
        let slope = self.with_outcomes.iter().zip(&means).map(|(product, mean)| product / n - mean * self.outcomes / n);
        let variance = self.outcome_squares / n - (self.outcomes / n).powi(2);
        let curvature = self.products.iter().enumerate().map(centred).collect();
        (Quadratic { curvature, slope: slope.collect() }, variance.max(0.0))
    }

    fn intercept(&self, weights: &[f64]) -> f64 {
        let fitted: f64 = self.columns.iter().zip(weights).map(|(sum, weight)| sum * weight).sum();
        (self.outcomes - fitted) / self.n_rows
    }

    /// Returns the sum of (y - b - x'w)^2.
    fn squared_error(&self, intercept: f64, weights: &[f64]) -> f64 {
        let along = |row: &[f64]| row.iter().zip(weights).map(|(entry, weight)| entry * weight).sum::<f64>();
        let products: Vec<f64> = self.products.iter().map(|row| along(row)).collect();
        self.outcome_squares - 2.0 * intercept * self.outcomes - 2.0 * along(&self.with_outcomes)
            + self.n_rows * intercept * intercept
            + 2.0 * intercept * along(&self.columns)
            + along(&products)
    }
}
