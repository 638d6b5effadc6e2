//! The columns and options that the private survival estimates share.

use causeway_core::{
    ColumnRole, ColumnSpec, ColumnType, InputSpec, OutputType, Parameter, ParameterKind, Transformation,
};

use crate::roles;
pub(crate) use crate::roles::unchecked;

const TIME: ColumnRole = ColumnRole {
    role: "time",
    kind: ColumnType::Number,
    unit: "any time unit",
    nullable: true,
    required: true,
    several: false,
    meaning: "duration until the event or the end of follow-up; rows with NULL or NaN are left out, negative ones are in the first bin",
};

const EVENT: ColumnRole = ColumnRole {
    role: "event",
    kind: ColumnType::Flag,
    unit: "",
    nullable: true,
    required: true,
    several: false,
    meaning: "true or 1 = event; anything else, and NULL, = censored",
};

/// The code of the event, for competing risks.
const CAUSE: ColumnRole = ColumnRole {
    kind: ColumnType::Number,
    meaning: "1, 2, ... up to `causes` = event of that cause; anything else, and NULL, = censored",
    ..EVENT
};

const UNIT: ColumnRole = ColumnRole {
    meaning: "whom a row belongs to; of the rows of a unit one counts, rows with NULL are left out. Without it every row is a unit of its own",
    ..roles::UNIT
};

const STRATA: ColumnRole = ColumnRole {
    role: "strata",
    kind: ColumnType::Category,
    unit: "",
    nullable: true,
    required: false,
    several: true,
    meaning: "columns that form strata; rows whose values are not in `strata_values` are left out",
};

/// One row for each subject.
pub(crate) const ROWS: InputSpec = InputSpec {
    name: "rows",
    summary: "one row for each unit of privacy, for example a patient",
    required: true,
    columns: &[TIME, EVENT, UNIT, STRATA],
};

/// One row for each subject, with the cause of its event.
pub(crate) const ROWS_WITH_CAUSE: InputSpec = InputSpec { columns: &[TIME, CAUSE, UNIT, STRATA], ..ROWS };

pub(crate) const EPSILON: Parameter =
    Parameter { meaning: "privacy budget that the release costs; millionths count", ..roles::EPSILON };

pub(crate) const HORIZON: Parameter = Parameter {
    name: "horizon",
    kind: ParameterKind::Float { min: 0.0, max: f64::INFINITY, open: true },
    default: None,
    unit: "of `time`",
    meaning: "end of the last bin, chosen without looking at the rows; who is followed longer is censored in that bin",
};

pub(crate) const BINS: Parameter = Parameter {
    name: "bins",
    kind: ParameterKind::Integer { min: 1, max: 16_384 },
    default: Some("NULL"),
    unit: "",
    meaning: "bins of equal width up to the horizon; if NULL, the power of 2 nearest to sqrt(n epsilon) / 1.2 in 8 .. 256 for n = `cohort_size` / strata",
};

pub(crate) const COHORT_SIZE: Parameter = Parameter {
    name: "cohort_size",
    kind: ParameterKind::Integer { min: 1, max: 1_000_000_000_000 },
    default: Some("1000"),
    unit: "units",
    meaning: "public order of magnitude of the number of units, used for `bins` alone; never the exact number",
};

pub(crate) const STRATA_VALUES: Parameter = Parameter {
    name: "strata_values",
    kind: ParameterKind::Values,
    default: Some("NULL"),
    unit: "",
    meaning: "public list of the values of `strata`, needed with it; one list for each of several columns, all combinations are released",
};

pub(crate) const CONFIDENCE: Parameter =
    Parameter { unit: "probability", meaning: "confidence level of the limits", ..roles::CONFIDENCE };

pub(crate) const DRAWS: Parameter = Parameter {
    name: "draws",
    kind: ParameterKind::Integer { min: 19, max: 100_000 },
    default: Some("199"),
    unit: "",
    meaning: "draws by which limits and p-values are found; they cost no budget",
};

pub(crate) const BANDS: Parameter = Parameter {
    name: "bands",
    kind: ParameterKind::Choice(&["none", "pointwise", "simultaneous"]),
    default: Some("'pointwise'"),
    unit: "",
    meaning: "limits that hold at each time on its own, or for the whole curve at once",
};

/// What every column of counts and estimates is computed from.
pub(crate) const FROM_ROWS: &[(&str, Transformation)] = &[
    ("time", Transformation::Aggregation),
    ("event", Transformation::Aggregation),
    ("unit", Transformation::Aggregation),
    ("strata", Transformation::Aggregation),
];

pub(crate) const STRATA_OUT: ColumnSpec = ColumnSpec {
    name: "strata",
    kind: OutputType::EachOf("strata"),
    nullable: false,
    unit: "",
    meaning: "the columns of `strata`, with the values of `strata_values` in their order",
    from: &[],
};

/// Describes a column that options alone decide.
pub(crate) const fn public(
    name: &'static str,
    kind: OutputType,
    unit: &'static str,
    meaning: &'static str,
) -> ColumnSpec {
    ColumnSpec { name, kind, nullable: false, unit, meaning, from: &[] }
}

/// Describes a column of private estimates.
pub(crate) const fn private(
    name: &'static str,
    kind: OutputType,
    nullable: bool,
    unit: &'static str,
    meaning: &'static str,
) -> ColumnSpec {
    ColumnSpec { name, kind, nullable, unit, meaning, from: FROM_ROWS }
}
