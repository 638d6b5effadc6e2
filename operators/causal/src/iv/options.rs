//! Options and columns that the operators with cross-fitting share.

use causeway_core::{ColumnRole, ColumnType, Parameter, ParameterKind};

const ROLE: ColumnRole = ColumnRole {
    role: "",
    kind: ColumnType::Number,
    unit: "",
    nullable: false,
    required: true,
    several: false,
    meaning: "",
};

pub(crate) const OUTCOME: ColumnRole = ColumnRole {
    role: "outcome",
    meaning: "what the treatment may change, any unit; boolean columns: cast to integer",
    ..ROLE
};

pub(crate) const TREATMENT: ColumnRole =
    ColumnRole { role: "treatment", kind: ColumnType::Flag, meaning: "0 untreated, 1 treated", ..ROLE };

pub(crate) const INSTRUMENT: ColumnRole =
    ColumnRole { role: "instrument", kind: ColumnType::Flag, meaning: "0 not encouraged, 1 encouraged", ..ROLE };

pub(crate) const COVARIATES: ColumnRole = ColumnRole {
    role: "covariates",
    required: false,
    several: true,
    meaning: "what is held fixed; without the option every number column that plays no other role",
    ..ROLE
};

pub(crate) const KEY: ColumnRole = ColumnRole {
    role: "key",
    kind: ColumnType::Category,
    required: false,
    meaning: "names a row (or a person with several, who then stay in one fold): the result does not depend on the order of the rows",
    ..ROLE
};

/// The column of the option [`FOLDS`].
pub(crate) const FOLD: ColumnRole = ColumnRole {
    role: "folds",
    kind: ColumnType::Category,
    required: false,
    meaning: "the fold of each row, 2 to 100 different values",
    ..ROLE
};

const OPTION: Parameter =
    Parameter { name: "", kind: ParameterKind::Boolean, default: Some("NULL"), unit: "", meaning: "" };

pub(crate) const FOLDS: Parameter = Parameter {
    name: "folds",
    kind: ParameterKind::Integer { min: 2, max: 100 },
    default: Some("5"),
    meaning: "folds by the hash of key (or row number) and seed, or the name of a column that holds them",
    ..OPTION
};

pub(crate) const REPEATS: Parameter = Parameter {
    name: "repeats",
    kind: ParameterKind::Integer { min: 1, max: 1000 },
    default: Some("1"),
    meaning: "divisions into folds, of whose estimates the median is given",
    ..OPTION
};

pub(crate) const SEED: Parameter = Parameter {
    name: "seed",
    kind: ParameterKind::Integer { min: 0, max: i64::MAX },
    meaning: "decides folds and forests; that of the run if NULL",
    ..OPTION
};

pub(crate) const MISSING: Parameter = Parameter {
    name: "missing",
    kind: ParameterKind::Choice(&["refuse", "drop"]),
    default: Some("'refuse'"),
    meaning: "rows with a null, NaN or infinite number are refused with their count, or left out",
    ..OPTION
};

pub(crate) const CONFIDENCE: Parameter = Parameter {
    name: "confidence",
    kind: ParameterKind::Float { min: 0.0, max: 1.0, open: true },
    default: Some("0.95"),
    unit: "probability",
    meaning: "level of the intervals",
};

pub(crate) const CLIP: Parameter = Parameter {
    name: "clip",
    kind: ParameterKind::Float { min: 0.0, max: 0.5, open: true },
    default: Some("0.01"),
    unit: "probability",
    meaning: "fitted probabilities of the instrument are moved into [clip, 1 - clip]",
};

pub(crate) const LEARNER: Parameter = Parameter {
    name: "learner",
    kind: ParameterKind::Choice(&["linear", "lasso", "elastic_net", "forest", "boosting"]),
    default: Some("'linear'"),
    meaning: "of every nuisance function; 'linear' is least squares for a mean and a logit for a probability",
    ..OPTION
};

const LEARNERS: ParameterKind =
    ParameterKind::Choice(&["linear", "logit", "lasso", "elastic_net", "forest", "boosting"]);

pub(crate) const OUTCOME_LEARNER: Parameter =
    Parameter { name: "outcome_learner", kind: LEARNERS, meaning: "instead of `learner` for the outcome", ..OPTION };

pub(crate) const TREATMENT_LEARNER: Parameter = Parameter {
    name: "treatment_learner",
    kind: LEARNERS,
    meaning: "instead of `learner` for the treatment",
    ..OPTION
};

pub(crate) const INSTRUMENT_LEARNER: Parameter = Parameter {
    name: "instrument_learner",
    kind: LEARNERS,
    meaning: "instead of `learner` for the instrument",
    ..OPTION
};

pub(crate) const TREES: Parameter = Parameter {
    name: "trees",
    kind: ParameterKind::Integer { min: 1, max: 100_000 },
    meaning: "trees of a forest (200 if NULL) or of boosting (100 if NULL)",
    ..OPTION
};

pub(crate) const DEPTH: Parameter = Parameter {
    name: "depth",
    kind: ParameterKind::Integer { min: 1, max: 30 },
    meaning: "divisions from the root of a tree to a leaf; 6 in a forest, 3 in boosting if NULL",
    ..OPTION
};

pub(crate) const MIN_LEAF: Parameter = Parameter {
    name: "min_leaf",
    kind: ParameterKind::Integer { min: 1, max: i64::MAX },
    default: Some("10"),
    unit: "rows",
    meaning: "rows of a leaf at least",
};

pub(crate) const TRIED: Parameter = Parameter {
    name: "tried",
    kind: ParameterKind::Choice(&["root", "third", "all"]),
    default: Some("'root'"),
    meaning: "covariates a forest tries for a division: the square root of their number, a third or all",
    ..OPTION
};

pub(crate) const LEARNING_RATE: Parameter = Parameter {
    name: "learning_rate",
    kind: ParameterKind::Float { min: 0.0, max: 1.0, open: true },
    default: Some("0.1"),
    meaning: "share of each tree that boosting adds",
    ..OPTION
};

pub(crate) const PENALTY: Parameter = Parameter {
    name: "penalty",
    kind: ParameterKind::Float { min: 0.0, max: f64::INFINITY, open: false },
    meaning: "of 'lasso' and 'elastic_net' on standardised covariates; by cross-validation within the other folds if NULL",
    ..OPTION
};

pub(crate) const L1_RATIO: Parameter = Parameter {
    name: "l1_ratio",
    kind: ParameterKind::Float { min: 0.0, max: 1.0, open: false },
    default: Some("0.5"),
    meaning: "share of the lasso in the penalty of 'elastic_net'",
    ..OPTION
};
