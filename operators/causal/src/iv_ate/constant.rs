//! The learner that learns a mean and nothing else.

use causeway_numerics::learn::{Features, LearnError, Learner, Model, Result, Training};

/// Predicts the mean of the outcomes for every row, whatever its features.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Constant;

impl Learner for Constant {
    fn name(&self) -> &'static str {
        "constant"
    }

    fn fit(&self, features: &Features, outcomes: &[f64], _training: &Training<'_>) -> Result<Box<dyn Model>> {
        if outcomes.len() != features.n_rows() {
            return Err(LearnError::Shape);
        }
        if outcomes.is_empty() {
            return Err(LearnError::FewRows { n_rows: 0, needed: 1 });
        }
        Ok(Box::new(Mean(super::sample::mean(outcomes))))
    }
}

#[derive(Debug)]
struct Mean(f64);

impl Model for Mean {
    fn predict(&self, features: &Features) -> Vec<f64> {
        vec![self.0; features.n_rows()]
    }
}
