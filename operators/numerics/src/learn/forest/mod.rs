//! Random forest.

#[cfg(test)]
mod tests;

use super::random::{Random, bootstrap};
use super::tree::{self, Binned, Grower, Limits, Row, Tree, predict_sum};
use super::{Features, LearnError, Learner, Model, Result, Training, check_outcomes, to_float};

/// The columns that a forest tries for a division.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnShare {
    /// The square root of their number, rounded down, at least one.
    Root,
    /// A third, rounded down, at least one.
    Third,
    /// All.
    All,
}

/// Random forest (Breiman 2001): the mean of trees, each grown over rows drawn with replacement.
///
/// Divisions lower the sum of squares most, which for outcomes 0 and 1 is the rule of Gini; a leaf predicts the mean of
/// its rows, so a forest learns means and probabilities alike. Columns are cut into 64 to 256 bins of equal shares of the
/// rows (a column with fewer values loses nothing). Tree `t` draws from the stream `t` of the seed.
#[derive(Debug, Clone, Copy)]
pub struct Forest {
    /// Trees.
    pub n_trees: u32,
    /// Divisions between the root and a leaf at most.
    pub depth: u32,
    /// Rows that a leaf has at least; one drawn twice counts once.
    pub min_leaf: usize,
    /// Columns tried for a division.
    pub columns: ColumnShare,
}

impl Default for Forest {
    fn default() -> Self {
        Self { n_trees: 200, depth: 6, min_leaf: 10, columns: ColumnShare::Root }
    }
}

impl ColumnShare {
    /// Returns how many of `n` columns are tried.
    fn of(self, n: usize) -> usize {
        match self {
            Self::Root => n.isqrt().max(1),
            Self::Third => (n / 3).max(1),
            Self::All => n,
        }
    }
}

impl Forest {
    fn limits(&self, n_columns: usize) -> Limits {
        Limits { depth: self.depth, min_leaf: self.min_leaf, n_columns: self.columns.of(n_columns), ridge: 0.0 }
    }
}

impl Learner for Forest {
    fn name(&self) -> &'static str {
        "forest"
    }

    fn fit(&self, features: &Features, outcomes: &[f64], training: &Training<'_>) -> Result<Box<dyn Model>> {
        check_outcomes(features, outcomes)?;
        if outcomes.is_empty() {
            return Err(LearnError::FewRows { n_rows: 0, needed: 1 });
        }
        let n_rows = u32::try_from(outcomes.len()).map_err(|_| LearnError::Shape)?;
        let binned = Binned::new(features, training)?;
        // rounding costs least when the outcomes lie around 0
        let centre = outcomes.iter().sum::<f64>() / to_float(outcomes.len());
        let mut grower = Grower::new(&binned, self.limits(features.n_columns()));
        let (mut counts, mut rows) = (Vec::new(), Vec::with_capacity(outcomes.len()));
        let mut trees = Vec::with_capacity(self.n_trees as usize);
        for tree in 0..self.n_trees {
            training.check()?;
            let mut random = Random::new(training.seed, u64::from(tree));
            bootstrap(n_rows, &mut random, &mut counts);
            rows.clear();
            for (row, (count, outcome)) in (0..).zip(counts.iter().zip(outcomes)) {
                if *count > 0 {
                    rows.push(Row::new(row, f32::from(*count), outcome - centre));
                }
            }
            trees.push(grower.grow(&mut rows, &mut random, |_, _| {}));
        }
        if !centre.is_finite() {
            return Err(LearnError::NotFinite);
        }
        Ok(Box::new(Trees { trees, centre }))
    }

    fn bytes(&self, n_rows: usize, n_columns: usize) -> usize {
        tree::bytes(self.n_trees, self.limits(n_columns), n_rows, n_columns)
    }
}

#[derive(Debug)]
struct Trees {
    trees: Vec<Tree>,
    centre: f64,
}

impl Model for Trees {
    fn predict(&self, features: &Features) -> Vec<f64> {
        let mut out = vec![0.0; features.n_rows()];
        predict_sum(&self.trees, features, &mut out);
        let n_trees = to_float(self.trees.len());
        out.iter_mut().for_each(|value| *value = self.centre + *value / n_trees);
        out
    }
}
