//! What the linear instrumental-variable operators share: rows that can be read again, their cross products, the
//! k-class and GMM estimators, robust and clustered covariances.
//!
//! ```text
//! relation --read--> Store (kept, or spilled beyond a bound) --one pass--> centred cross products of X, Z, D, Y
//!          --algebra--> coefficients --second pass over the store--> sums of scores --> standard errors, tests
//! ```
//!
//! Letters as in the literature: X exogenous covariates with the constant, D treatments, Z excluded instruments,
//! Y the outcome, W = [X Z], Q = [X D], M_W the residual maker of W, P_W the projection on it.

mod absorb;
mod blocks;
mod design;
mod estimate;
mod model;
mod options;
mod output;
mod read;
pub(crate) mod roles;
mod scores;
mod store;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use self::design::{Design, Layout};
pub(crate) use self::estimate::{Fit, Method};
pub(crate) use self::model::{Estimate, Model};
pub(crate) use self::options::{Options, StandardErrors};
pub(crate) use self::output::{Table, Value};
pub(crate) use self::scores::{Basis, Scores};

/// Share of a column's variance that must be left after regression on the columns before it.
///
/// Cross products of doubles know a share to about 1e-14; what is left of 1e-11 has three digits.
pub(crate) const COLLINEAR: f64 = 1e-11;

/// Converts a count of rows or columns, far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts of rows and columns")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}
