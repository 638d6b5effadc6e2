//! Why an estimate cannot be computed, before columns have names.

use causeway_core::OperatorError;
use causeway_numerics::learn::LearnError;

/// The result of a step of the method.
pub type Found<T> = Result<T, Fault>;

/// A function of the covariates that the method learns on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nuisance {
    /// pi(X) = P(Z = 1 | X).
    Instrument,
    /// p(Z, X) = E(A | Z, X).
    Treatment,
    /// h or m: the mean of the outcome given Z and X.
    Outcome,
    /// rho or C: the covariance of treatment and outcome given Z and X.
    Confounding,
}

impl Nuisance {
    /// All of them, in the order in which tuples name their learners.
    pub const ALL: [Self; 4] = [Self::Instrument, Self::Treatment, Self::Outcome, Self::Confounding];

    /// Returns its name in options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Instrument => "instrument",
            Self::Treatment => "treatment",
            Self::Outcome => "outcome",
            Self::Confounding => "confounding",
        }
    }
}

/// Why there is no estimate.
#[derive(Debug)]
#[non_exhaustive]
pub enum Fault {
    /// Columns differ in length, there is no row, or a logistic model lacks a constant.
    Shape,
    /// The treatment is the same in every row, or in every row of each arm of the instrument.
    NoChoice,
    /// A nuisance cannot be learned.
    Learn {
        /// The nuisance.
        nuisance: Nuisance,
        /// The arm of the instrument in which it is learned, if it is one only.
        arm: Option<bool>,
        /// The fold outside of which it is learned, if it is cross-fitted.
        fold: Option<usize>,
        /// The reason; its columns are positions among the terms of the model, without the constant.
        error: LearnError,
    },
    /// In the joint linear equations of outcome, confounding and effect a term depends on others.
    Dependent,
    /// The rows outside a fold lack one arm of the instrument.
    EmptyArm {
        /// The arm.
        arm: bool,
        /// The fold.
        fold: usize,
    },
    /// Fewer rows than coefficients.
    FewRows {
        /// Rows.
        n_rows: usize,
        /// Rows that are needed.
        needed: usize,
    },
    /// The instrument moves the conditional variance of the treatment too little in too many rows.
    Weak {
        /// Rows with |D| below the limit.
        n_weak: usize,
        /// All rows.
        n_rows: usize,
    },
    /// The estimate is not a finite number.
    NotFinite,
    /// Stopped for a reason of the operator's own.
    Operator(OperatorError),
}

impl From<OperatorError> for Fault {
    fn from(error: OperatorError) -> Self {
        Self::Operator(error)
    }
}
