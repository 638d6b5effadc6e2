//! Logistic regression.

mod newton;
mod separation;
#[cfg(test)]
mod tests;

use self::newton::maximise;
pub(super) use self::newton::{Slope, constant_fit};
use super::kernels::probability;
use super::standardised::{Standardised, WeightedSum};
use super::{Features, LearnError, Learner, Model, Result, Training, check_classes, check_outcomes};
use crate::dense::vectorised;

/// Logistic regression with an intercept, by maximum likelihood without a penalty.
///
/// Newton's method on standardised columns, until a step changes no weight by more than 1e-7, after which
/// the error is of the order of its square. Outcomes must be 0 or 1. Constant and collinear columns are
/// refused, and so are columns that tell the outcomes apart without error, since then no finite weights have
/// the largest likelihood (Albert and Anderson 1984).
#[derive(Debug, Clone, Copy, Default)]
pub struct Logit;

impl Learner for Logit {
    fn name(&self) -> &'static str {
        "logit"
    }

    fn fit(&self, features: &Features, outcomes: &[f64], training: &Training<'_>) -> Result<Box<dyn Model>> {
        check_outcomes(features, outcomes)?;
        check_classes(outcomes)?;
        let (n_rows, needed) = (features.n_rows(), features.n_columns() + 1);
        if n_rows < needed {
            return Err(LearnError::FewRows { n_rows, needed });
        }
        let standardised = Standardised::new(features)?;
        standardised.factorised(n_rows, training)?;
        let weights = maximise(&standardised.columns, outcomes, training)
            .map_err(|error| separation::explain(error, features, outcomes))?;
        let (intercept, weights) = weights.split_first().unwrap_or((&0.0, &[]));
        Ok(Box::new(LogOdds(standardised.unscaled(*intercept, weights))))
    }
}

/// A weighted sum of log odds.
#[derive(Debug)]
pub(super) struct LogOdds(pub(super) WeightedSum);

impl Model for LogOdds {
    fn predict(&self, features: &Features) -> Vec<f64> {
        let mut out = self.0.evaluate(features);
        vectorised(|| out.iter_mut().for_each(|value| *value = probability(*value)));
        out
    }

    fn weights(&self) -> Option<&[f64]> {
        Some(&self.0.weights)
    }
}
