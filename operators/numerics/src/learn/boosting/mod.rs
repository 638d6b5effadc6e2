//! Gradient boosting.

#[cfg(test)]
mod tests;

use super::kernels::to_probabilities;
use super::random::Random;
use super::tree::{self, Binned, Grower, Limits, Row, Tree, predict_sum};
use super::{Features, LearnError, Learner, Loss, Model, Result, Training, check_classes, check_outcomes, to_float};

/// Gradient boosting (Friedman 2001): a sum of small trees, each fitted to what the sum before it leaves over.
///
/// With the squared loss a tree is fitted to the residuals; with the logistic loss to residuals over p (1 - p), each row
/// with the weight p (1 - p), which is a Newton step for each leaf. A leaf is shrunk as if it had one more
/// row of weight 1 without residual. Columns are binned as in a forest; nothing is random.
#[derive(Debug, Clone, Copy)]
pub struct Boosting {
    /// The mean or a probability.
    pub loss: Loss,
    /// Trees.
    pub n_rounds: u32,
    /// The share of each tree that is added, in (0, 1].
    pub learning_rate: f64,
    /// Divisions between the root and a leaf at most.
    pub depth: u32,
    /// Rows that a leaf has at least.
    pub min_leaf: usize,
}

impl Boosting {
    /// Returns 100 trees of depth 3 with leaves of 10 rows at least, of each of which a tenth is added.
    pub fn new(loss: Loss) -> Self {
        Self { loss, n_rounds: 100, learning_rate: 0.1, depth: 3, min_leaf: 10 }
    }

    fn limits(&self, n_columns: usize) -> Limits {
        Limits { depth: self.depth, min_leaf: self.min_leaf, n_columns, ridge: 1.0 }
    }

    /// Sets the rows to what the sum leaves over; `buffer` is room for a number a row.
    #[expect(clippy::cast_possible_truncation, reason = "a weight needs few digits")]
    fn set_rows(self, rows: &mut Vec<Row>, outcomes: &[f64], fitted: &[f64], buffer: &mut Vec<f64>) {
        rows.clear();
        if self.loss == Loss::Squared {
            let row = |(row, (outcome, fitted)): (u32, (&f64, &f64))| Row::new(row, 1.0, outcome - fitted);
            rows.extend((0..).zip(outcomes.iter().zip(fitted)).map(row));
            return;
        }
        buffer.clear();
        buffer.extend_from_slice(fitted);
        to_probabilities(buffer);
        for (row, (outcome, expected)) in (0..).zip(outcomes.iter().zip(&*buffer)) {
            let variance = (expected * (1.0 - expected)).max(1e-12);
            rows.push(Row { row, weight: variance as f32, weighted: outcome - expected });
        }
    }
}

impl Learner for Boosting {
    fn name(&self) -> &'static str {
        "boosting"
    }

    fn fit(&self, features: &Features, outcomes: &[f64], training: &Training<'_>) -> Result<Box<dyn Model>> {
        check_outcomes(features, outcomes)?;
        if outcomes.is_empty() {
            return Err(LearnError::FewRows { n_rows: 0, needed: 1 });
        }
        let mean = outcomes.iter().sum::<f64>() / to_float(outcomes.len());
        let start = match self.loss {
            Loss::Squared => mean,
            Loss::Logistic => {
                check_classes(outcomes)?;
                (mean / (1.0 - mean)).ln()
            }
        };
        if !start.is_finite() {
            return Err(LearnError::NotFinite);
        }
        let binned = Binned::new(features, training)?;
        let mut grower = Grower::new(&binned, self.limits(features.n_columns()));
        let mut random = Random::new(training.seed, 0);
        let mut fitted = vec![start; outcomes.len()];
        let (mut rows, mut buffer) = (Vec::with_capacity(outcomes.len()), Vec::new());
        let mut trees = Vec::with_capacity(self.n_rounds as usize);
        for _ in 0..self.n_rounds {
            training.check()?;
            self.set_rows(&mut rows, outcomes, &fitted, &mut buffer);
            trees.push(grower.grow(&mut rows, &mut random, |rows, value| {
                rows.iter().for_each(|row| fitted[row.row as usize] += self.learning_rate * value);
            }));
        }
        Ok(Box::new(Boosted { trees, start, learning_rate: self.learning_rate, loss: self.loss }))
    }

    fn bytes(&self, n_rows: usize, n_columns: usize) -> usize {
        tree::bytes(self.n_rounds, self.limits(n_columns), n_rows, n_columns)
    }
}

#[derive(Debug)]
struct Boosted {
    trees: Vec<Tree>,
    start: f64,
    learning_rate: f64,
    loss: Loss,
}

impl Model for Boosted {
    fn predict(&self, features: &Features) -> Vec<f64> {
        let mut out = vec![0.0; features.n_rows()];
        predict_sum(&self.trees, features, &mut out);
        out.iter_mut().for_each(|value| *value = self.start + self.learning_rate * *value);
        if self.loss == Loss::Logistic {
            to_probabilities(&mut out);
        }
        out
    }
}
