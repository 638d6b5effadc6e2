//! Least squares.

#[cfg(test)]
mod tests;

use super::kernels::{dot, sum};
use super::standardised::{Standardised, WeightedSum};
use super::{Features, LearnError, Learner, Model, Result, Training, check_outcomes, to_float};
use crate::dense::vectorised;

/// Linear regression with an intercept, by least squares without a penalty.
///
/// The normal equations are solved for standardised columns, so that units and large means cost no
/// digits. A column that is constant or a weighted sum of earlier ones is refused, as are fewer rows than
/// weights.
#[derive(Debug, Clone, Copy, Default)]
pub struct Linear;

impl Learner for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn fit(&self, features: &Features, outcomes: &[f64], training: &Training<'_>) -> Result<Box<dyn Model>> {
        check_outcomes(features, outcomes)?;
        let n_rows = features.n_rows();
        let needed = features.n_columns() + 1;
        if n_rows < needed {
            return Err(LearnError::FewRows { n_rows, needed });
        }
        training.check()?;
        let standardised = Standardised::new(features)?;
        let mean = vectorised(|| sum(outcomes)) / to_float(n_rows);
        let residuals: Vec<f64> = outcomes.iter().map(|outcome| outcome - mean).collect();
        let covariance = |column: &Vec<f64>| vectorised(|| dot(column, &residuals)) / to_float(n_rows);
        let mut weights: Vec<f64> = standardised.columns.iter().map(covariance).collect();
        standardised.factorised(n_rows, training)?.solve(&mut weights);
        if !mean.is_finite() || weights.iter().any(|weight| !weight.is_finite()) {
            return Err(LearnError::NotFinite);
        }
        Ok(Box::new(standardised.unscaled(mean, &weights)))
    }
}

impl Model for WeightedSum {
    fn predict(&self, features: &Features) -> Vec<f64> {
        self.evaluate(features)
    }

    fn weights(&self) -> Option<&[f64]> {
        Some(&self.weights)
    }
}
