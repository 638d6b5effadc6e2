//! The options of `iv_ate`, some of which `iv_selection` shares.

use causeway_core::{Literals, OperatorError, Parameter, ParameterKind, Result, Roles};

use super::basis::{Basis, InstrumentTerms};
use super::constant::Constant;
use super::debiased::{Candidate, Library};
use super::fault::Nuisance;
use super::parametric::{Guard, Models};
use super::study::Study;
use crate::iv::folds::FoldsBy;
use crate::iv::learners::{Learners, Target};
use crate::iv::options as shared;
use crate::iv::rows::Missing;

/// How the effect is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Estimator {
    /// Linear models, multiply robust.
    MultiplyRobust,
    /// Learners with cross-fitting.
    Debiased,
    /// Learners chosen by their pseudo-risk, with cross-fitting.
    Selective,
}

/// Roles of covariates of single models: of pi, p, h, rho and beta.
pub(crate) const COVARIATE_ROLES: [&str; 5] = [
    "instrument_covariates",
    "treatment_covariates",
    "outcome_covariates",
    "confounding_covariates",
    "effect_modifiers",
];

const WORDS: &[&str] = &["constant", "linear", "logit", "lasso", "elastic_net", "forest", "boosting"];

pub(crate) const MIN_D: Parameter = Parameter {
    name: "min_d",
    kind: ParameterKind::Float { min: 0.0, max: 0.25, open: true },
    default: Some("0.01"),
    unit: "",
    meaning: "|D(X)| below this is weak and is raised to it; D = p1 (1 - p1) - p0 (1 - p0)",
};

pub(crate) const WEAK_SHARE: Parameter = Parameter {
    name: "weak_share",
    kind: ParameterKind::Float { min: 0.0, max: 1.0, open: false },
    default: Some("0.05"),
    unit: "share of rows",
    meaning: "the call is refused if more rows are weak",
};

pub(crate) const CANDIDATES: Parameter = Parameter {
    name: "learners",
    kind: ParameterKind::Words(&["constant", "linear", "lasso", "elastic_net", "forest", "boosting"]),
    default: Some("ARRAY['constant', 'linear']"),
    unit: "",
    meaning: "the candidates for every nuisance; 'linear' is a logit for a probability",
};

pub(crate) const LEARNER: Parameter = Parameter {
    kind: ParameterKind::Choice(&["constant", "linear", "lasso", "elastic_net", "forest", "boosting"]),
    ..shared::LEARNER
};

pub(crate) const INSTRUMENT_LEARNER: Parameter =
    Parameter { kind: ParameterKind::Choice(WORDS), ..shared::INSTRUMENT_LEARNER };

pub(crate) const TREATMENT_LEARNER: Parameter =
    Parameter { kind: ParameterKind::Choice(WORDS), ..shared::TREATMENT_LEARNER };

pub(crate) const OUTCOME_LEARNER: Parameter =
    Parameter { kind: ParameterKind::Choice(WORDS), ..shared::OUTCOME_LEARNER };

pub(crate) const CONFOUNDING_LEARNER: Parameter = Parameter {
    name: "confounding_learner",
    meaning: "instead of `learner` for the covariance of treatment and outcome",
    ..OUTCOME_LEARNER
};

/// Checked options of cross-fitting.
#[derive(Debug, Clone)]
pub(crate) struct Fitting {
    pub(crate) guard: Guard,
    pub(crate) clip: f64,
    pub(crate) folds: FoldsBy,
    pub(crate) n_repeats: u32,
    pub(crate) seed: Option<u64>,
    pub(crate) missing: Missing,
    pub(crate) learners: Learners,
    /// The word of the option `learner`.
    pub(crate) family: String,
    /// The candidates for every nuisance.
    pub(crate) candidates: Vec<String>,
}

/// Checked options.
#[derive(Debug, Clone)]
pub(super) struct IvAte {
    pub(super) estimator: Estimator,
    pub(super) confidence: f64,
    pub(super) fitting: Fitting,
    /// The learner named for each nuisance.
    pub(super) named: [Option<String>; 4],
    /// The covariates of each model, in the order of [`COVARIATE_ROLES`].
    pub(super) covariates: [Vec<String>; 5],
}

impl Estimator {
    /// Returns the word of the option.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::MultiplyRobust => "mr",
            Self::Debiased => "dml",
            Self::Selective => "selective",
        }
    }
}

impl IvAte {
    pub(super) fn from_literals(operator: &'static str, literals: &Literals, roles: &Roles) -> Result<Self> {
        let estimator = match literals.text("estimator") {
            Some("dml") => Estimator::Debiased,
            Some("selective") => Estimator::Selective,
            _ => Estimator::MultiplyRobust,
        };
        for role in COVARIATE_ROLES {
            if estimator != Estimator::MultiplyRobust && !literals.texts(role).is_empty() {
                return Err(OperatorError::Parameter {
                    operator,
                    name: role.to_owned(),
                    range: format!(
                        "left out with estimator => '{}', whose learners take all covariates",
                        estimator.name()
                    ),
                    value: literals.texts(role).join(", "),
                });
            }
        }
        let given = !literals.texts("covariates").is_empty();
        let names = |role: &str| roles.columns(role).iter().map(|column| column.name.clone()).collect::<Vec<String>>();
        let mut all = names("covariates");
        if !given {
            for name in COVARIATE_ROLES.iter().flat_map(|role| names(role)) {
                if !all.contains(&name) {
                    all.push(name);
                }
            }
        }
        let of_model = |role: &str| Some(names(role)).filter(|names| !names.is_empty()).unwrap_or_else(|| all.clone());
        Ok(Self {
            estimator,
            confidence: literals.float("confidence").ok_or_else(|| unchecked(operator, "confidence"))?,
            fitting: Fitting::from_literals(operator, literals)?,
            named: Nuisance::ALL.map(|nuisance| {
                let option = format!("{}_learner", nuisance.name());
                literals.text(&option).map(str::to_owned)
            }),
            covariates: COVARIATE_ROLES.map(of_model),
        })
    }

    /// Returns the terms of the parametric models.
    pub(super) fn models(&self, study: &Study) -> Models {
        let basis = |model: usize, instrument| {
            let positions = self.covariates[model].iter().filter_map(|name| study.position(name));
            Basis::of(positions, instrument)
        };
        Models {
            instrument: basis(0, InstrumentTerms::Absent),
            treatment: basis(1, InstrumentTerms::Interacted),
            outcome: basis(2, InstrumentTerms::Interacted),
            confounding: basis(3, InstrumentTerms::Absent),
            effect: basis(4, InstrumentTerms::Absent),
        }
    }

    /// Returns the learners to fit: one for each nuisance, or the candidates.
    pub(super) fn library(&self) -> Library {
        if self.estimator == Estimator::Selective {
            return self.fitting.library();
        }
        Library(Nuisance::ALL.map(|nuisance| {
            let named = self.named[nuisance as usize].as_deref();
            vec![self.fitting.candidate(named, named.unwrap_or(&self.fitting.family), nuisance)]
        }))
    }
}

impl Fitting {
    pub(crate) fn from_literals(operator: &'static str, literals: &Literals) -> Result<Self> {
        let float = |name: &'static str| literals.float(name).ok_or_else(|| unchecked(operator, name));
        let n_repeats = literals.integer("repeats").and_then(|n| u32::try_from(n).ok());
        let mut candidates: Vec<String> = literals.texts("learners").into_iter().map(str::to_owned).collect();
        candidates.sort_unstable();
        candidates.dedup();
        Ok(Self {
            guard: Guard { min_d: float("min_d")?, weak_share: float("weak_share")? },
            clip: float("clip")?,
            folds: FoldsBy::from_literals(operator, literals)?,
            n_repeats: n_repeats.ok_or_else(|| unchecked(operator, "repeats"))?,
            seed: literals.integer("seed").and_then(|seed| u64::try_from(seed).ok()),
            missing: if literals.text("missing") == Some("drop") { Missing::Drop } else { Missing::Refuse },
            learners: Learners::from_literals(operator, literals)?,
            family: literals.text("learner").unwrap_or("linear").to_owned(),
            candidates,
        })
    }

    /// Returns the candidates for every nuisance.
    pub(crate) fn library(&self) -> Library {
        Library(Nuisance::ALL.map(|nuisance| {
            let candidate = |word: &String| {
                let probability = matches!(nuisance, Nuisance::Instrument | Nuisance::Treatment);
                let named = if word == "linear" && probability { "logit" } else { word };
                self.candidate(Some(named), word, nuisance)
            };
            self.candidates.iter().map(candidate).collect()
        }))
    }

    fn candidate(&self, named: Option<&str>, word: &str, nuisance: Nuisance) -> Candidate {
        let target = match nuisance {
            Nuisance::Instrument | Nuisance::Treatment => Target::Logistic,
            Nuisance::Outcome | Nuisance::Confounding => Target::Squared,
        };
        let learner = if word == "constant" { Box::new(Constant) } else { self.learners.make(named, target) };
        Candidate { name: word.to_owned(), learner, adapts: matches!(word, "forest" | "boosting") }
    }
}

fn unchecked(operator: &'static str, name: &str) -> OperatorError {
    OperatorError::Internal { operator, problem: format!("option `{name}` is unchecked") }
}
