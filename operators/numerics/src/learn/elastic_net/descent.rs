//! Coordinate descent on a quadratic with a penalty.

use super::super::{LearnError, Result};

/// Minimises `1/2 w'Qw - q'w + sum_j ridge_j/2 w_j^2 + lasso_j |w_j|`.
#[derive(Debug)]
pub(super) struct Quadratic {
    /// Q by rows, whole.
    pub(super) curvature: Vec<Vec<f64>>,
    /// q.
    pub(super) slope: Vec<f64>,
}

/// The penalty of each weight but, with a logistic loss, the first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Penalty {
    pub(super) lasso: f64,
    pub(super) ridge: f64,
    /// Weights without penalty, from the first on.
    pub(super) n_free: usize,
}

impl Penalty {
    /// Returns the penalty of some weights.
    pub(super) fn of(&self, weights: &[f64]) -> f64 {
        let one = |weight: &f64| self.lasso * weight.abs() + self.ridge / 2.0 * weight * weight;
        weights.iter().skip(self.n_free).map(one).sum()
    }
}

/// Rounds over all weights.
const MAX_ROUNDS: usize = 10_000;

impl Quadratic {
    /// Moves the weights to the minimum, until none changes it by more than `tolerance` times its scale.
    pub(super) fn minimise(&self, weights: &mut [f64], penalty: Penalty, tolerance: f64) -> Result<()> {
        // rest = q - Q w
        let mut rest = self.slope.clone();
        for (row, weight) in self.curvature.iter().zip(&*weights) {
            rest.iter_mut().zip(row).for_each(|(rest, entry)| *rest -= entry * weight);
        }
        for _ in 0..MAX_ROUNDS {
            let mut largest = 0.0_f64;
            for column in 0..weights.len() {
                let own = self.curvature[column][column];
                if own <= 0.0 {
                    continue; // a constant column
                }
                let before = weights[column];
                let pull = rest[column] + own * before;
                weights[column] = if column < penalty.n_free {
                    pull / own
                } else {
                    shrink(pull, penalty.lasso) / (own + penalty.ridge)
                };
                let change = weights[column] - before;
                if change.abs() > 0.0 {
                    rest.iter_mut().zip(&self.curvature[column]).for_each(|(rest, entry)| *rest -= entry * change);
                    largest = largest.max(change.abs() * own.sqrt());
                }
            }
            if largest <= tolerance {
                return Ok(());
            }
        }
        Err(LearnError::NotConverged { iterations: MAX_ROUNDS })
    }
}

/// Moves a number towards 0 by no more than `by`.
fn shrink(value: f64, by: f64) -> f64 {
    if value > by {
        value - by
    } else if value < -by {
        value + by
    } else {
        0.0
    }
}
