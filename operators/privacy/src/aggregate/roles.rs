//! The columns and options that the private aggregates share.

use causeway_core::{
    ColumnRole, ColumnSpec, ColumnType, InputSpec, OutputType, Parameter, ParameterKind, Transformation,
};

use crate::roles::UNIT;
pub(crate) use crate::roles::{CONFIDENCE, EPSILON, unchecked};

const VALUE: ColumnRole = ColumnRole {
    role: "value",
    kind: ColumnType::Number,
    unit: "any",
    nullable: true,
    required: true,
    several: false,
    meaning: "the number; rows with NULL or NaN are left out, others are moved into [low, high]",
};

const BY: ColumnRole = ColumnRole {
    role: "by",
    kind: ColumnType::Category,
    unit: "",
    nullable: true,
    required: false,
    several: false,
    meaning: "the group of a row; rows with NULL or a value that by_values does not list are left out",
};

/// Rows with a value.
pub(crate) const VALUES: InputSpec =
    InputSpec { name: "rows", summary: "one row is one observation", required: true, columns: &[VALUE, BY, UNIT] };

/// Rows that are only counted.
pub(crate) const ROWS: InputSpec =
    InputSpec { name: "rows", summary: "one row is one observation", required: true, columns: &[BY, UNIT] };

/// The groups of the output.
pub(crate) const BY_VALUES: Parameter = Parameter {
    name: "by_values",
    kind: ParameterKind::Values,
    default: Some("NULL"),
    unit: "",
    meaning: "the groups, which must be public knowledge: ARRAY['female', 'male']; each is in the output, whether rows have it or not",
};

/// The contribution bound.
pub(crate) const ROWS_PER_UNIT: Parameter = Parameter {
    name: "rows_per_unit",
    kind: ParameterKind::Integer { min: 1, max: 1_000_000 },
    default: Some("1"),
    unit: "rows",
    meaning: "the most rows of one unit that count; the noise grows with it",
};

/// The lower bound of the values.
pub(crate) const LOW: Parameter = Parameter {
    name: "low",
    kind: ParameterKind::Float { min: -1e15, max: 1e15, open: false },
    default: None,
    unit: "of `value`",
    meaning: "lower bound, chosen without looking at the rows; smaller values count as it",
};

/// The upper bound of the values.
pub(crate) const HIGH: Parameter = Parameter {
    name: "high",
    meaning: "upper bound, chosen without looking at the rows; larger values count as it",
    ..LOW
};

const AGGREGATED: &[(&str, Transformation)] = &[("value", Transformation::Aggregation)];

/// Roles that decide which rows meet.
pub(crate) const GROUPED: &[(&str, Transformation)] =
    &[("by", Transformation::GroupBy), ("unit", Transformation::Filter)];

/// The group.
pub(crate) const BY_OUT: ColumnSpec = ColumnSpec {
    name: "by",
    kind: OutputType::EachOf("by"),
    nullable: true,
    unit: "",
    meaning: "the group, as listed in by_values",
    from: &[("by", Transformation::Identity)],
};

/// A column computed from the released integers.
pub(crate) const fn released(name: &'static str, unit: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::Float64, nullable: false, unit, meaning, from: AGGREGATED }
}

/// A column computed from noisy counts of rows.
pub(crate) const fn counted(name: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec {
        name,
        kind: OutputType::Float64,
        nullable: false,
        unit: "rows",
        meaning,
        from: &[("by", Transformation::Aggregation)],
    }
}
