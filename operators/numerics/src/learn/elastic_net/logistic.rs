//! The logistic loss: Newton steps, each a quadratic with a penalty.

use super::super::design::Design;
use super::super::logit::{Slope, constant_fit};
use super::super::{LearnError, Result, Training, is, to_float};
use super::descent::{Penalty, Quadratic};
use super::{ElasticNet, N_PARTS, smallest};

/// Newton steps for one penalty.
const MAX_STEPS: usize = 50;

/// Weights settle to this.
const TOLERANCE: f64 = 1e-7;

/// Newton steps that change no log odds of a standardised column by more lower the loss.
const SAFE_STEP: f64 = 0.5;

/// Returns the intercept and the weights of standardised columns.
pub(super) fn fit(net: &ElasticNet, design: Design<'_>, outcomes: &[f64], training: &Training<'_>) -> Result<Vec<f64>> {
    let start = constant_fit(design.n_columns(), outcomes);
    let slope = Slope::at(&start, design, outcomes, training)?;
    let penalties = net.penalties(slope.score[1..].iter().fold(0.0, |most, slope| slope.abs().max(most)));
    let chosen = if penalties.len() == 1 { 0 } else { choose(net, design, outcomes, &penalties, training)? };
    let mut weights = start;
    for penalty in &penalties[..=chosen] {
        descend(net, *penalty, &mut weights, design, outcomes, training)?;
    }
    Ok(weights)
}

/// Returns the place of the penalty with the smallest loss of rows left out.
///
/// A part on the others of which some small penalty does not settle counts as infinite there.
fn choose(
    net: &ElasticNet,
    design: Design<'_>,
    outcomes: &[f64],
    penalties: &[f64],
    training: &Training<'_>,
) -> Result<usize> {
    let mut losses = vec![0.0; penalties.len()];
    for part in 0..N_PARTS {
        let (own, others) = split(design.columns, outcomes, part);
        let own_design = Design { columns: &own.0, n_rows: own.1.len(), ..design };
        let design = Design { columns: &others.0, n_rows: others.1.len(), ..design };
        let n_ones = others.1.iter().filter(|outcome| is(**outcome, 1.0)).count();
        if n_ones == 0 || n_ones == others.1.len() {
            return Err(LearnError::OneClass);
        }
        let mut weights = constant_fit(design.n_columns(), &others.1);
        let mut settles = true;
        for (loss, penalty) in losses.iter_mut().zip(penalties) {
            settles = settles
                && match descend(net, *penalty, &mut weights, design, &others.1, training) {
                    Err(LearnError::NotConverged { .. }) => false,
                    other => other.map(|()| true)?,
                };
            *loss += if settles { log_loss(&weights, own_design, &own.1) } else { f64::INFINITY };
        }
    }
    Ok(smallest(&losses))
}

type Part = (Vec<Vec<f64>>, Vec<f64>);

/// Returns the rows of a part, then the others.
fn split(columns: &[Vec<f64>], outcomes: &[f64], part: usize) -> (Part, Part) {
    let some = |column: &[f64], own: bool| -> Vec<f64> {
        let rows = column.iter().enumerate().filter(|(row, _)| (row % N_PARTS == part) == own);
        rows.map(|(_, value)| *value).collect()
    };
    let rows = |own: bool| (columns.iter().map(|column| some(column, own)).collect(), some(outcomes, own));
    (rows(true), rows(false))
}

/// Moves the weights to the minimum for a penalty.
fn descend(
    net: &ElasticNet,
    penalty: f64,
    weights: &mut Vec<f64>,
    design: Design<'_>,
    outcomes: &[f64],
    training: &Training<'_>,
) -> Result<()> {
    let penalty = Penalty { lasso: penalty * net.l1_ratio, ridge: penalty * (1.0 - net.l1_ratio), n_free: 1 };
    for _ in 0..MAX_STEPS {
        let slope = Slope::at(weights, design, outcomes, training)?;
        let quadratic = around(weights, &slope);
        let mut next = weights.clone();
        quadratic.minimise(&mut next, penalty, TOLERANCE / 10.0)?;
        let change = next.iter().zip(&*weights).fold(0.0, |most: f64, (next, now)| most.max((next - now).abs()));
        let objective =
            |weights: &[f64]| log_loss(weights, design, outcomes) / to_float(outcomes.len()) + penalty.of(weights);
        if change > SAFE_STEP {
            shorten(weights, &mut next, objective);
        }
        *weights = next;
        if change <= TOLERANCE {
            return Ok(());
        }
    }
    Err(LearnError::NotConverged { iterations: MAX_STEPS })
}

/// Halves a step until it lowers the objective.
fn shorten(weights: &[f64], next: &mut [f64], objective: impl Fn(&[f64]) -> f64) {
    const HALVINGS: usize = 30;
    let before = objective(weights);
    for _ in 0..HALVINGS {
        if objective(next) < before {
            return;
        }
        next.iter_mut().zip(weights).for_each(|(next, now)| *next = now + (*next - now) / 2.0);
    }
}

/// Returns the second-order expansion of the loss.
fn around(weights: &[f64], slope: &Slope) -> Quadratic {
    let n = weights.len();
    let entry = |row: usize, column: usize| slope.information[row.max(column)][row.min(column)];
    let curvature: Vec<Vec<f64>> = (0..n).map(|row| (0..n).map(|column| entry(row, column)).collect()).collect();
    let along = |row: &Vec<f64>| row.iter().zip(weights).map(|(entry, weight)| entry * weight).sum::<f64>();
    let slope = slope.score.iter().zip(&curvature).map(|(score, row)| score + along(row)).collect();
    Quadratic { curvature, slope }
}

/// Returns the sum of ln(1 + e^eta) - y eta.
fn log_loss(weights: &[f64], design: Design<'_>, outcomes: &[f64]) -> f64 {
    let loss = |(log_odds, outcome): (&f64, &f64)| {
        log_odds.max(0.0) + libm::log1p(libm::exp(-log_odds.abs())) - outcome * log_odds
    };
    design.evaluate(weights).iter().zip(outcomes).map(loss).sum()
}
