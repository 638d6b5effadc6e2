//! The columns and options that the operators have in common.

use causeway_core::{
    ColumnRole, ColumnSpec, ColumnType, InputSpec, OutputType, Parameter, ParameterKind, Transformation,
};

pub(crate) const OUTCOME: ColumnRole = ColumnRole {
    role: "outcome",
    kind: ColumnType::Quantity,
    unit: "any",
    nullable: true,
    required: true,
    several: false,
    meaning: "Y: what the treatment acts on",
};

pub(crate) const TREATMENT: ColumnRole = ColumnRole {
    role: "treatment",
    kind: ColumnType::Quantity,
    unit: "any",
    nullable: true,
    required: true,
    several: true,
    meaning: "D: the endogenous columns whose effect is sought",
};

pub(crate) const INSTRUMENTS: ColumnRole = ColumnRole {
    role: "instruments",
    kind: ColumnType::Quantity,
    unit: "any",
    nullable: true,
    required: true,
    several: true,
    meaning: "Z: columns that move the treatment and act on the outcome by it alone; at least as many as treatments",
};

pub(crate) const COVARIATES: ColumnRole = ColumnRole {
    role: "covariates",
    kind: ColumnType::Quantity,
    unit: "any",
    nullable: true,
    required: false,
    several: true,
    meaning: "X: exogenous columns held fixed; a constant is always added; none if left out",
};

pub(crate) const CLUSTER: ColumnRole = ColumnRole {
    role: "cluster",
    kind: ColumnType::Category,
    unit: "",
    nullable: true,
    required: false,
    several: false,
    meaning: "groups of rows whose errors may depend on each other",
};

pub(crate) const ABSORB: ColumnRole = ColumnRole {
    role: "absorb",
    kind: ColumnType::Category,
    unit: "",
    nullable: true,
    required: false,
    several: true,
    meaning: "columns of which every level gets an effect of its own (fixed effects), removed before the regression",
};

/// The one input relation.
pub(crate) const ROWS: InputSpec = input(&[OUTCOME, TREATMENT, INSTRUMENTS, COVARIATES, CLUSTER, ABSORB]);

/// The one input relation, with columns of its own.
pub(crate) const fn input(columns: &'static [ColumnRole]) -> InputSpec {
    InputSpec { name: "rows", summary: "one row for each unit", required: true, columns }
}

/// What every number of the output is computed from.
pub(crate) const ESTIMATE: &[(&str, Transformation)] = &[
    ("outcome", Transformation::Aggregation),
    ("treatment", Transformation::Aggregation),
    ("instruments", Transformation::Aggregation),
    ("covariates", Transformation::Aggregation),
    ("cluster", Transformation::Aggregation),
    ("absorb", Transformation::Aggregation),
];

pub(crate) const METHOD: Parameter = Parameter {
    name: "method",
    kind: ParameterKind::Choice(&["2sls", "liml", "fuller", "gmm"]),
    default: Some("'2sls'"),
    unit: "",
    meaning: "two-stage least squares, limited information maximum likelihood, Fuller's correction of it, two-step GMM",
};

pub(crate) const SE: Parameter = Parameter {
    name: "se",
    kind: ParameterKind::Choice(&["classic", "hc0", "hc1", "cluster"]),
    default: Some("NULL"),
    unit: "",
    meaning: "standard errors: equal variances, robust without or with the factor n/(n - k), or clustered; if NULL 'cluster' with `cluster`, else 'hc1'",
};

pub(crate) const ROBUST: Parameter = Parameter {
    name: "se",
    kind: ParameterKind::Choice(&["hc0", "hc1", "cluster"]),
    default: Some("NULL"),
    unit: "",
    meaning: "covariance of the robust tests, as in `iv_regression`; if NULL 'cluster' with `cluster`, else 'hc1'",
};

pub(crate) const SMALL_SAMPLE: Parameter = Parameter {
    name: "small_sample",
    kind: ParameterKind::Boolean,
    default: Some("true"),
    unit: "",
    meaning: "divide by n - k with 'classic', multiply by (n - 1)/(n - k) G/(G - 1) with 'cluster' of G clusters",
};

pub(crate) const DISTRIBUTION: Parameter = Parameter {
    name: "distribution",
    kind: ParameterKind::Choice(&["t", "normal"]),
    default: Some("'t'"),
    unit: "",
    meaning: "of the statistic: Student's t with n - k degrees of freedom, with clusters G - 1, or the normal",
};

pub(crate) const CONFIDENCE: Parameter = Parameter {
    name: "confidence",
    kind: ParameterKind::Float { min: 0.0, max: 1.0, open: true },
    default: Some("0.95"),
    unit: "",
    meaning: "coverage of the interval of each coefficient",
};

pub(crate) const MISSING: Parameter = Parameter {
    name: "missing",
    kind: ParameterKind::Choice(&["refuse", "drop"]),
    default: Some("'refuse'"),
    unit: "",
    meaning: "rows with a null, NaN or infinity in a column used are refused with their number, or left out and counted",
};

pub(crate) const FULLER: Parameter = Parameter {
    name: "fuller",
    kind: ParameterKind::Float { min: 0.0, max: f64::INFINITY, open: true },
    default: Some("1"),
    unit: "",
    meaning: "Fuller's constant: 1 for least bias, 4 for least mean squared error",
};

/// A column of words.
pub(crate) const fn words(name: &'static str, nullable: bool, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::Utf8, nullable, unit: "", meaning, from: ESTIMATE }
}

/// A column of numbers that may be null.
pub(crate) const fn number(name: &'static str, unit: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::Float64, nullable: true, unit, meaning, from: ESTIMATE }
}

/// A column of counts.
pub(crate) const fn count(name: &'static str, unit: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::UInt64, nullable: false, unit, meaning, from: ESTIMATE }
}
