//! Least squares.

#[cfg(test)]
mod tests;

use super::design::{Design, Scale, WeightedSum};
use super::kernels::total_of;
use super::{Features, LearnError, Learner, Model, Result, Training, check_outcomes, to_float};

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
        let scale = Scale::of(features, training)?;
        scale.refuse_constants()?;
        let mean = total_of(outcomes) / to_float(n_rows);
        let residuals: Vec<f64> = outcomes.iter().map(|outcome| outcome - mean).collect();
        let products = Design::new(features, &scale).products(&residuals, training)?;
        let mut weights = products.with_outcomes.clone();
        products.factorised()?.solve(&mut weights);
        if !mean.is_finite() || weights.iter().any(|weight| !weight.is_finite()) {
            return Err(LearnError::NotFinite);
        }
        Ok(Box::new(scale.unscaled(mean, &weights)))
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
