//! Learners: functions of features, fitted to rows, that predict a mean or a probability.
//!
//! A [`Learner`] holds its settings; [`Learner::fit`] gives a [`Model`], which predicts rows it has not
//! seen. All learners take the same shape of problem, so a method that needs a regression of any kind
//! (a nuisance function of a causal effect) can be written once.
//!
//! ```text
//! Linear       least squares                      the mean
//! Logit        maximum likelihood, no penalty     a probability
//! ElasticNet   with a penalty; the lasso          either
//! Forest       the mean of many trees             either
//! Boosting     the sum of many small trees        either
//! ```
//!
//! Features are columns of equal length, outcomes one number a row, all of them finite; a probability is
//! learned from outcomes that are 0 or 1. The same rows in the same order and the same seed give the same
//! bits on every machine: no learner starts threads, and sums have a fixed order.
//!
//! ```
//! use causeway_numerics::learn::{Features, Learner, Linear, Training};
//!
//! let features = Features::new(4, vec![vec![0.0, 1.0, 2.0, 3.0]])?;
//! let line = Linear.fit(&features, &[1.0, 3.0, 5.0, 7.0], &Training::seeded(0))?;
//! let ahead = line.predict(&Features::new(1, vec![vec![10.0]])?);
//! assert!((ahead[0] - 21.0).abs() < 1e-12);
//! # Ok::<(), causeway_numerics::learn::LearnError>(())
//! ```

mod boosting;
mod cholesky;
mod design;
mod elastic_net;
mod features;
mod forest;
mod kernels;
mod linear;
mod logit;
mod random;
mod tree;

use std::fmt::Debug;

pub use self::boosting::Boosting;
pub use self::elastic_net::ElasticNet;
pub use self::features::Features;
pub use self::forest::{ColumnShare, Forest};
pub use self::linear::Linear;
pub use self::logit::Logit;

/// The result of a fit.
pub type Result<T, E = LearnError> = std::result::Result<T, E>;

/// A way to learn, with its settings.
pub trait Learner: Debug + Send + Sync {
    /// Returns the name that options and reports use.
    fn name(&self) -> &'static str;

    /// Fits to rows of features and their outcomes, one for each row.
    ///
    /// # Errors
    /// Any [`LearnError`]; its columns are numbered as those of `features`.
    fn fit(&self, features: &Features, outcomes: &[f64], training: &Training<'_>) -> Result<Box<dyn Model>>;

    /// Returns an upper estimate of the bytes that a fit and its model take besides the features.
    fn bytes(&self, n_rows: usize, n_columns: usize) -> usize {
        // a copy of the columns, a few numbers a row, products of columns
        let numbers = n_rows.saturating_mul(n_columns + 4).saturating_add(n_columns * (n_columns + 1024));
        numbers.saturating_mul(size_of::<f64>())
    }
}

/// What was learned.
pub trait Model: Debug + Send + Sync {
    /// Returns the prediction for each row of features, which have the columns of the fit.
    fn predict(&self, features: &Features) -> Vec<f64>;

    /// Returns the weight of each column on its own scale, if the model is a weighted sum (of log odds, for
    /// a probability).
    fn weights(&self) -> Option<&[f64]> {
        None
    }
}

/// What a learner of either kind minimises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The squared error: a mean is learned.
    Squared,
    /// Minus the log likelihood of outcomes 0 and 1: a probability is learned.
    Logistic,
}

/// What a fit may use besides its data.
pub struct Training<'a> {
    /// Decides every random draw.
    pub seed: u64,
    /// Asked at least every 50 ms of work; true ends the fit.
    pub cancelled: &'a (dyn Fn() -> bool + Sync),
}

impl Training<'_> {
    /// Returns a training that nobody cancels.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, cancelled: &|| false }
    }

    /// Returns an error once the fit is to end.
    fn check(&self) -> Result<()> {
        if (self.cancelled)() { Err(LearnError::Cancelled) } else { Ok(()) }
    }
}

impl Debug for Training<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Training").field("seed", &self.seed).finish_non_exhaustive()
    }
}

/// Why nothing could be learned from rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LearnError {
    /// Fewer rows than a fit of so many columns needs.
    FewRows {
        /// The rows there are.
        n_rows: usize,
        /// The rows needed.
        needed: usize,
    },
    /// A column has the same value in every row.
    Constant {
        /// The column.
        column: usize,
    },
    /// A column is a weighted sum of those before it and of a constant.
    Collinear {
        /// The column.
        column: usize,
    },
    /// All outcomes of a probability are 0, or all are 1.
    OneClass,
    /// Outcomes of a probability are neither 0 nor 1.
    NotBinary,
    /// Outcomes 0 and 1 are told apart without error, so that the weights of a logit grow without bound.
    Separation {
        /// The column that separates them alone, or the one with the largest weight.
        column: usize,
        /// True if it does so alone.
        alone: bool,
    },
    /// The iteration did not settle.
    NotConverged {
        /// Iterations done.
        iterations: usize,
    },
    /// Columns, outcomes or weights are not of the same length.
    Shape,
    /// A feature or an outcome is NaN or infinite, or so large that its square is.
    NotFinite,
    /// The fit was cancelled.
    Cancelled,
}

impl LearnError {
    /// Returns the column that the error names.
    pub fn column(&self) -> Option<usize> {
        match self {
            Self::Constant { column } | Self::Collinear { column } | Self::Separation { column, .. } => Some(*column),
            _ => None,
        }
    }
}

impl std::fmt::Display for LearnError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::FewRows { n_rows, needed } => write!(f, "{n_rows} rows, at least {needed} are needed"),
            Self::Constant { column } => write!(f, "column {column} is constant"),
            Self::Collinear { column } => write!(f, "column {column} is a weighted sum of those before it"),
            Self::OneClass => f.write_str("all outcomes are the same"),
            Self::NotBinary => f.write_str("outcomes must be 0 or 1"),
            Self::Separation { column, .. } => write!(f, "column {column} separates the outcomes without error"),
            Self::NotConverged { iterations } => write!(f, "no convergence after {iterations} iterations"),
            Self::Shape => f.write_str("columns and outcomes must have the same length"),
            Self::NotFinite => f.write_str("a number is NaN, infinite or too large"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for LearnError {}

/// Converts a count of rows, far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts of rows and columns")]
pub(crate) fn to_float(count: usize) -> f64 {
    count as f64
}

/// Refuses outcomes that are not one number a row.
fn check_outcomes(features: &Features, outcomes: &[f64]) -> Result<()> {
    if outcomes.len() != features.n_rows() {
        return Err(LearnError::Shape);
    }
    if outcomes.iter().all(|outcome| outcome.is_finite()) { Ok(()) } else { Err(LearnError::NotFinite) }
}

/// Refuses outcomes that are not 0 or 1, or all the same.
fn check_classes(outcomes: &[f64]) -> Result<()> {
    let n_ones = outcomes.iter().filter(|outcome| is(**outcome, 1.0)).count();
    let n_zeros = outcomes.iter().filter(|outcome| is(**outcome, 0.0)).count();
    if n_ones + n_zeros < outcomes.len() {
        return Err(LearnError::NotBinary);
    }
    if n_ones == 0 || n_zeros == 0 { Err(LearnError::OneClass) } else { Ok(()) }
}

/// Compares with a number that is meant exactly.
#[expect(clippy::float_cmp, reason = "0 and 1 are classes, not measurements")]
fn is(value: f64, class: f64) -> bool {
    value == class
}
