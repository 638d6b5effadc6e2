//! Tests of conditional independence that hold their level whatever the form of the dependence.
//!
//! The correlation test (Fisher's z) asks whether a straight-line regression leaves correlated residuals. Where
//! zeros were dropped, or values cut, the regressions are curved although X and Y are independent given S, and the
//! test rejects more and more often as rows are added. Both tests here remove the curve first:
//!
//! ```text
//! gcm    regress X and Y on S by splines; are the residuals correlated?          O(n k^2), k about 16 |S|
//! rcit   the same for random cosine features of (X, S) and of Y                  O(n k^2), k about 110
//! ```
//!
//! Each variable is replaced by its normal scores first: a rank carries all that independence is about, and no
//! tail is left that could carry the whole statistic. Rows are deleted before, by the caller.

mod gcm;
mod rcit;
mod regression;
mod scores;
#[cfg(test)]
mod tests;

/// Fewest rows that are tested.
pub(crate) const MIN_ROWS: usize = 20;

pub use self::gcm::gcm;
pub(crate) use self::gcm::{Residual, covariance, residuals};
pub(crate) use self::rcit::rcit_of_scores;
pub use self::rcit::{RcitParams, rcit};
pub(crate) use self::scores::{Part, Sorted};

/// The outcome of a test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Independence {
    /// The test statistic.
    pub statistic: f64,
    /// The probability of a statistic as large if X and Y are independent given S.
    pub p_value: f64,
    /// The correlation of the two residuals, where the test is about one.
    pub correlation: Option<f64>,
}
