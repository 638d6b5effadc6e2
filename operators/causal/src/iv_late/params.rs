//! The options of `iv_late`.

use causeway_core::{Literals, OperatorError, Result, Roles};

use crate::iv::folds::FoldsBy;
use crate::iv::learners::Learners;
use crate::iv::rows::{Missing, refuse_shared};

/// What is assumed of the effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    /// It may differ between persons in any way.
    Interactive,
    /// It is the same for all, and the covariates act beside it.
    PartiallyLinear,
}

/// Checked options.
#[derive(Debug, Clone)]
pub(crate) struct IvLate {
    pub(super) model: Model,
    pub(super) learners: Learners,
    /// Learners named for single targets.
    pub(super) outcome_learner: Option<String>,
    pub(super) treatment_learner: Option<String>,
    pub(super) instrument_learner: Option<String>,
    pub(super) folds: FoldsBy,
    pub(super) n_repeats: u32,
    pub(super) seed: Option<u64>,
    pub(super) normalise: bool,
    pub(super) clip: f64,
    pub(super) confidence: f64,
    pub(super) missing: Missing,
}

impl Model {
    /// Returns the word of the option.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::PartiallyLinear => "partially_linear",
        }
    }
}

impl IvLate {
    /// Reads the options, and refuses a column in two roles.
    pub(crate) fn new(operator: &'static str, literals: &Literals, roles: &Roles) -> Result<Self> {
        refuse_shared(operator, roles, &["outcome", "treatment", "instrument", "covariates", "key", "folds"])?;
        let unchecked =
            |name: &str| OperatorError::Internal { operator, problem: format!("option `{name}` is unchecked") };
        let float = |name: &'static str| literals.float(name).ok_or_else(|| unchecked(name));
        let named = |name: &str| literals.text(name).map(str::to_owned);
        let n_repeats = literals.integer("repeats").and_then(|n| u32::try_from(n).ok());
        let params = Self {
            model: match literals.text("model") {
                Some("partially_linear") => Model::PartiallyLinear,
                _ => Model::Interactive,
            },
            learners: Learners::from_literals(operator, literals)?,
            outcome_learner: named("outcome_learner"),
            treatment_learner: named("treatment_learner"),
            instrument_learner: named("instrument_learner"),
            folds: FoldsBy::from_literals(operator, literals)?,
            n_repeats: n_repeats.ok_or_else(|| unchecked("repeats"))?,
            seed: literals.integer("seed").and_then(|seed| u64::try_from(seed).ok()),
            normalise: literals.boolean("normalise"),
            clip: float("clip")?,
            confidence: float("confidence")?,
            missing: if literals.text("missing") == Some("drop") { Missing::Drop } else { Missing::Refuse },
        };
        if params.model == Model::PartiallyLinear && params.normalise {
            return Err(OperatorError::Parameter {
                operator,
                name: "normalise".to_owned(),
                range: "false with model => 'partially_linear', which has no weights".to_owned(),
                value: "true".to_owned(),
            });
        }
        Ok(params)
    }
}
