//! Linear and logistic regression with a penalty.

mod descent;
mod logistic;
mod squared;
#[cfg(test)]
mod tests;

use super::design::{Design, Scale};
use super::logit::LogOdds;
use super::{Features, LearnError, Learner, Loss, Model, Result, Training, check_classes, check_outcomes};

/// Lasso, ridge and what lies between: the loss of a row plus a penalty on the weights of standardised columns.
///
/// Minimises over the intercept b and the weights w
///
/// ```text
/// squared    1/(2n) sum (y - b - x'w)^2                + penalty (l1_ratio |w|_1 + (1 - l1_ratio)/2 |w|^2)
/// logistic   1/n sum ln(1 + e^eta) - y eta, eta = b + x'w    + the same
/// ```
///
/// by coordinate descent (Friedman, Hastie and Tibshirani 2010). Without a penalty given, it is the one of 50 between
/// that which leaves no weight and a thousandth of it with the smallest loss in five-fold cross-validation; row `i` is left
/// out with those of the same `i mod 5`. Constant columns have no weight, collinear ones share it.
#[derive(Debug, Clone, Copy)]
pub struct ElasticNet {
    /// The mean or a probability.
    pub loss: Loss,
    /// 1 for the lasso, 0 for ridge regression.
    pub l1_ratio: f64,
    /// The weight of the penalty; chosen by cross-validation if absent.
    pub penalty: Option<f64>,
}

/// Parts of the rows, each left out once to choose the penalty.
const N_PARTS: usize = 5;

/// Penalties tried.
const N_PENALTIES: u32 = 50;

/// The smallest penalty tried, as a share of the largest.
const SMALLEST: f64 = 1e-3;

/// The share of |w|_1 by which the largest penalty is found, at least: ridge regression never leaves no weight.
const LEAST_RATIO: f64 = 1e-3;

impl ElasticNet {
    /// Returns falling penalties, the first of which leaves no weight.
    fn penalties(&self, largest_slope: f64) -> Vec<f64> {
        if let Some(penalty) = self.penalty {
            return vec![penalty];
        }
        let largest = largest_slope / self.l1_ratio.max(LEAST_RATIO);
        let step = SMALLEST.ln() / f64::from(N_PENALTIES - 1);
        (0..N_PENALTIES).map(|index| largest * libm::exp(step * f64::from(index))).collect()
    }
}

impl Learner for ElasticNet {
    fn name(&self) -> &'static str {
        if self.l1_ratio < 1.0 { "elastic_net" } else { "lasso" }
    }

    fn fit(&self, features: &Features, outcomes: &[f64], training: &Training<'_>) -> Result<Box<dyn Model>> {
        check_outcomes(features, outcomes)?;
        if self.loss == Loss::Logistic {
            check_classes(outcomes)?;
        }
        let (n_rows, needed) = (features.n_rows(), if self.penalty.is_some() { 1 } else { 2 * N_PARTS });
        if n_rows < needed {
            return Err(LearnError::FewRows { n_rows, needed });
        }
        let scale = Scale::of(features, training)?;
        let design = Design::new(features, &scale);
        let weights = match self.loss {
            Loss::Squared => squared::fit(self, design, outcomes, training)?,
            Loss::Logistic => logistic::fit(self, design, outcomes, training)?,
        };
        if weights.iter().any(|weight| !weight.is_finite()) {
            return Err(LearnError::NotFinite);
        }
        let (intercept, weights) = weights.split_first().unwrap_or((&0.0, &[]));
        let sum = scale.unscaled(*intercept, weights);
        Ok(match self.loss {
            Loss::Squared => Box::new(sum),
            Loss::Logistic => Box::new(LogOdds(sum)),
        })
    }
}

/// Returns the place of the smallest of the sums of losses; of equal ones the first, which has the largest penalty.
fn smallest(losses: &[f64]) -> usize {
    let mut best = 0;
    for (index, loss) in losses.iter().enumerate() {
        if *loss < losses[best] {
            best = index;
        }
    }
    best
}
