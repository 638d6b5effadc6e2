//! Logistic regression.

mod newton;
mod separation;
#[cfg(test)]
mod tests;

use self::newton::maximise;
pub(super) use self::newton::{Slope, constant_fit};
use super::design::{Design, Scale, WeightedSum};
use super::kernels::to_probabilities;
use super::{Features, LearnError, Learner, Model, Result, Training, check_classes, check_outcomes};

/// Logistic regression with an intercept, by maximum likelihood without a penalty.
///
/// Newton's method on standardised columns, until the next step would change no weight by more than 1e-11, as far as the
/// quadratic fall of the last two tells. Outcomes must be 0 or 1. Constant and collinear columns are
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
        let scale = Scale::of(features, training)?;
        scale.refuse_constants()?;
        let design = Design::new(features, &scale);
        let weights = match maximise(design, outcomes, training) {
            Err(error @ LearnError::Separation { .. }) => {
                design.products(outcomes, training)?.factorised()?; // collinear columns are told as such
                return Err(separation::explain(error, features, outcomes));
            }
            found => found?,
        };
        let (intercept, weights) = weights.split_first().unwrap_or((&0.0, &[]));
        Ok(Box::new(LogOdds(scale.unscaled(*intercept, weights))))
    }
}

/// A weighted sum of log odds.
#[derive(Debug)]
pub(super) struct LogOdds(pub(super) WeightedSum);

impl Model for LogOdds {
    fn predict(&self, features: &Features) -> Vec<f64> {
        let mut out = self.0.evaluate(features);
        to_probabilities(&mut out);
        out
    }

    fn weights(&self) -> Option<&[f64]> {
        Some(&self.0.weights)
    }
}
