//! The columns that all operators of the family read and write.

use causeway_core::{
    ColumnRole, ColumnSpec, ColumnType, InputSpec, OutputType, Parameter, ParameterKind, Transformation,
};

/// Follow-up time.
pub(crate) const TIME: ColumnRole = ColumnRole {
    role: "time",
    kind: ColumnType::Number,
    unit: "any time unit",
    nullable: false,
    required: true,
    several: false,
    meaning: "duration until the event or the end of follow-up; finite, >= 0",
};

/// Event or censoring.
pub(crate) const EVENT: ColumnRole = ColumnRole {
    role: "event",
    kind: ColumnType::Flag,
    unit: "",
    nullable: false,
    required: true,
    several: false,
    meaning: "true = the event was seen at `time`, false = censored at `time`",
};

/// Left truncation.
pub(crate) const ENTRY: ColumnRole = ColumnRole {
    role: "entry",
    kind: ColumnType::Number,
    unit: "of `time`",
    nullable: false,
    required: false,
    several: false,
    meaning: "time at which observation began (left truncation); finite, >= 0, before `time`; 0 if left out",
};

/// Groups that are estimated apart.
pub(crate) const BY: ColumnRole = ColumnRole {
    role: "by",
    kind: ColumnType::Category,
    unit: "",
    nullable: true,
    required: false,
    several: true,
    meaning: "columns that form the groups; nulls are a group of their own",
};

/// The one input relation of an estimator.
pub(crate) const ROWS: InputSpec =
    InputSpec { name: "rows", summary: "one row for each subject", required: true, columns: &[TIME, EVENT, ENTRY, BY] };

/// The grouping columns in the output.
pub(crate) const BY_OUT: ColumnSpec = ColumnSpec {
    name: "by",
    kind: OutputType::EachOf("by"),
    nullable: true,
    unit: "",
    meaning: "the group, one column for each column of `by`",
    from: &[("by", Transformation::Identity)],
};

/// Rows of a group.
pub(crate) const N_ROWS_OUT: ColumnSpec = ColumnSpec {
    name: "n_rows",
    kind: OutputType::UInt64,
    nullable: false,
    unit: "rows",
    meaning: "rows of the group",
    from: &[("time", Transformation::Aggregation)],
};

/// Events of a group.
pub(crate) const N_EVENTS_OUT: ColumnSpec = ColumnSpec {
    name: "n_events",
    kind: OutputType::UInt64,
    nullable: false,
    unit: "rows",
    meaning: "rows of the group with an event",
    from: &[("event", Transformation::Aggregation)],
};

/// The distinct times of a group.
pub(crate) const TIME_OUT: ColumnSpec = ColumnSpec {
    name: "time",
    kind: OutputType::Float64,
    nullable: false,
    unit: "of `time`",
    meaning: "0, then each distinct time at which a row of the group ends, ascending",
    from: &[("time", Transformation::Aggregation)],
};

/// Rows at risk.
pub(crate) const AT_RISK_OUT: ColumnSpec = ColumnSpec {
    name: "at_risk",
    kind: OutputType::UInt64,
    nullable: false,
    unit: "rows",
    meaning: "rows under observation just before the time: entry < time <= end",
    from: &[("time", Transformation::Aggregation), ("entry", Transformation::Aggregation)],
};

/// Events at a time.
pub(crate) const EVENTS_OUT: ColumnSpec = ColumnSpec {
    name: "events",
    kind: OutputType::UInt64,
    nullable: false,
    unit: "rows",
    meaning: "rows with the event at the time",
    from: &[("time", Transformation::Aggregation), ("event", Transformation::Aggregation)],
};

/// Censored rows at a time.
pub(crate) const CENSORED_OUT: ColumnSpec = ColumnSpec {
    name: "censored",
    kind: OutputType::UInt64,
    nullable: false,
    unit: "rows",
    meaning: "rows censored at the time",
    from: &[("time", Transformation::Aggregation), ("event", Transformation::Aggregation)],
};

/// The origins of an estimate.
pub(crate) const ESTIMATE: &[(&str, Transformation)] = &[
    ("time", Transformation::Aggregation),
    ("event", Transformation::Aggregation),
    ("entry", Transformation::Aggregation),
];

/// Which columns decide the rows of the output.
pub(crate) const GROUPED: &[(&str, Transformation)] = &[("by", Transformation::GroupBy)];

/// The option `confidence`.
pub(crate) const CONFIDENCE: Parameter = Parameter {
    name: "confidence",
    kind: ParameterKind::Float { min: 0.0, max: 1.0, open: true },
    default: Some("0.95"),
    unit: "",
    meaning: "coverage of the interval at each single time",
};

/// The option `interval` of survival probabilities.
pub(crate) const INTERVAL: Parameter = Parameter {
    name: "interval",
    kind: ParameterKind::Choice(&["loglog", "log", "plain"]),
    default: Some("'loglog'"),
    unit: "",
    meaning: "scale on which the estimate is taken as normal: log(-log S), log S or S itself",
};

/// Returns a column of an estimate.
pub(crate) const fn estimate(
    name: &'static str,
    nullable: bool,
    unit: &'static str,
    meaning: &'static str,
) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::Float64, nullable, unit, meaning, from: ESTIMATE }
}
