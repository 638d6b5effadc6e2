//! The columns and options that the operators on gene expression have in common.

use causeway_core::{
    ColumnRole, ColumnSpec, ColumnType, InputSpec, OutputType, Parameter, ParameterKind, Transformation,
};

const GENES: ColumnRole = ColumnRole {
    role: "genes",
    kind: ColumnType::Number,
    unit: "expression, any scale",
    nullable: false,
    required: false,
    several: true,
    meaning: "wide input: the gene columns; by default every number column that plays no other role; exact 0 = dropped or not expressed",
};

const CELL: ColumnRole = ColumnRole {
    role: "cell",
    kind: ColumnType::Category,
    unit: "",
    nullable: false,
    required: false,
    several: false,
    meaning: "the cell; needed for long input",
};

const GENE: ColumnRole = ColumnRole {
    role: "gene",
    kind: ColumnType::Category,
    unit: "",
    nullable: false,
    required: false,
    several: false,
    meaning: "long input: the gene of the row",
};

const VALUE: ColumnRole = ColumnRole {
    role: "value",
    kind: ColumnType::Number,
    unit: "expression, any scale",
    nullable: false,
    required: false,
    several: false,
    meaning: "long input: the value of the gene in the cell; a pair without a row is 0",
};

/// The one input relation.
pub(crate) const CELLS: InputSpec = InputSpec {
    name: "cells",
    summary: "one row for each cell and a column for each gene (wide), or one row for each cell and gene (long)",
    required: true,
    columns: &[CELL, GENE, VALUE, GENES],
};

/// What every number of the output is computed from.
pub(crate) const EXPRESSION: &[(&str, Transformation)] = &[
    ("genes", Transformation::Aggregation),
    ("cell", Transformation::Aggregation),
    ("gene", Transformation::Aggregation),
    ("value", Transformation::Aggregation),
];

/// What names of genes are copied from.
pub(crate) const NAMES: &[(&str, Transformation)] = &[("gene", Transformation::Identity)];

/// Which rows there are depends on every value.
pub(crate) const INDIRECT: &[(&str, Transformation)] = &[
    ("genes", Transformation::Conditional),
    ("cell", Transformation::GroupBy),
    ("gene", Transformation::GroupBy),
    ("value", Transformation::Conditional),
];

pub(crate) const METHOD: Parameter = Parameter {
    name: "method",
    kind: ParameterKind::Choice(&["pc"]),
    default: Some("'pc'"),
    unit: "",
    meaning: "the search: PC in its form that does not depend on the order of genes",
};

/// The method, for what works with both searches.
pub(crate) const METHODS: Parameter = Parameter {
    kind: ParameterKind::Choice(&["pc", "ges"]),
    meaning: "the search: PC in its form that does not depend on the order of genes, or greedy equivalence search",
    ..METHOD
};

pub(crate) const PENALTY: Parameter = Parameter {
    name: "penalty",
    kind: ParameterKind::Float { min: 0.0, max: f64::INFINITY, open: true },
    default: Some("NULL"),
    unit: "",
    meaning: "with 'ges': an edge must gain ln(n) / penalty; 2 is the usual BIC; 1 if NULL, as published",
};

pub(crate) const BUDGET: Parameter = Parameter {
    name: "budget",
    kind: ParameterKind::Integer { min: 1, max: i64::MAX },
    default: Some("NULL"),
    unit: "moves",
    meaning: "with 'ges': insertions, and deletions, made at most; no limit if NULL",
};

pub(crate) const DELETION: Parameter = Parameter {
    name: "deletion",
    kind: ParameterKind::Choice(&["cond", "all", "none"]),
    default: Some("'all'"),
    unit: "",
    meaning: "zeros that remove a cell from the test of x and y given S: those in S, those in x, y and S, or none",
};

pub(crate) const TEST: Parameter = Parameter {
    name: "test",
    kind: ParameterKind::Choice(&["fisher_z", "gcm", "rcit"]),
    default: Some("NULL"),
    unit: "",
    meaning: "partial correlation, generalised covariance measure or randomised kernel test; 'gcm' if NULL, 'fisher_z' with method => 'ges'",
};

/// The seed of the random features.
pub(crate) const SEED: Parameter = Parameter {
    name: "seed",
    kind: ParameterKind::Integer { min: 0, max: i64::MAX },
    default: Some("NULL"),
    unit: "",
    meaning: "seed of the random features of 'rcit'; 0 if NULL",
};

pub(crate) const ALPHA: Parameter = Parameter {
    name: "alpha",
    kind: ParameterKind::Float { min: 0.0, max: 1.0, open: true },
    default: Some("0.05"),
    unit: "probability",
    meaning: "x and y are independent given S if the p-value is above it",
};

pub(crate) const MAX_LEVEL: Parameter = Parameter {
    name: "max_level",
    kind: ParameterKind::Integer { min: 0, max: 30 },
    default: Some("30"),
    unit: "genes",
    meaning: "the largest S tried",
};

pub(crate) const MIN_ROWS: Parameter = Parameter {
    name: "min_rows",
    kind: ParameterKind::Integer { min: 0, max: i64::MAX },
    default: Some("NULL"),
    unit: "cells",
    meaning: "cells a test needs; 30 + 3 |S| if NULL, and never fewer than |S| + 4, or 20 with 'gcm' and 'rcit'",
};

pub(crate) const UNTESTABLE: Parameter = Parameter {
    name: "untestable",
    kind: ParameterKind::Choice(&["keep", "independent"]),
    default: Some("'keep'"),
    unit: "",
    meaning: "a test that cannot be run decides nothing, or counts as independence as in the published code",
};

pub(crate) const TRANSFORM: Parameter = Parameter {
    name: "transform",
    kind: ParameterKind::Choice(&["none", "log1p"]),
    default: Some("'none'"),
    unit: "",
    meaning: "change of scale after the zeros were found: none, or ln(1 + x)",
};

pub(crate) const NEGATIVE: Parameter = Parameter {
    name: "negative",
    kind: ParameterKind::Choice(&["refuse", "allow"]),
    default: Some("'refuse'"),
    unit: "",
    meaning: "values below 0 are refused, since expression has none, or allowed for values on another scale",
};

pub(crate) const ORIENTATION: Parameter = Parameter {
    name: "orientation",
    kind: ParameterKind::Choice(&["sepset", "max_p"]),
    default: Some("'sepset'"),
    unit: "",
    meaning: "colliders by the set that separated their ends, or by the set with the largest p-value, strongest first",
};

/// A column of a gene's name.
pub(crate) const fn name(name: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::Utf8, nullable: false, unit: "", meaning, from: NAMES }
}

/// A column of words.
pub(crate) const fn text(name: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::Utf8, nullable: false, unit: "", meaning, from: EXPRESSION }
}

/// A column of numbers that may be null.
pub(crate) const fn number(name: &'static str, unit: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::Float64, nullable: true, unit, meaning, from: EXPRESSION }
}

/// A column of counts.
pub(crate) const fn count(name: &'static str, unit: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::UInt64, nullable: false, unit, meaning, from: EXPRESSION }
}
