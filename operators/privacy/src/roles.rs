//! The column and the options that all private operators have.

use causeway_core::{ColumnRole, ColumnType, OperatorError, Parameter, ParameterKind};

/// Whose row it is.
pub(crate) const UNIT: ColumnRole = ColumnRole {
    role: "unit",
    kind: ColumnType::Category,
    unit: "",
    nullable: true,
    required: false,
    several: false,
    meaning: "whose row it is, for example the patient; rows with NULL are left out; without it every row is somebody else's",
};

/// ε.
pub(crate) const EPSILON: Parameter = Parameter {
    name: "epsilon",
    kind: ParameterKind::Float { min: 0.0, max: 1e6, open: true },
    default: None,
    unit: "nats",
    meaning: "the privacy loss of the whole call, all groups together; charged once, rounded up to millionths",
};

/// The level of limits.
pub(crate) const CONFIDENCE: Parameter = Parameter {
    name: "confidence",
    kind: ParameterKind::Float { min: 0.0, max: 1.0, open: true },
    default: Some("0.95"),
    unit: "",
    meaning: "probability with which the noise keeps the value of these rows within the limits",
};

/// The error of an option that the spec promises and the call lacks.
pub(crate) fn unchecked(operator: &'static str, name: &str) -> OperatorError {
    OperatorError::Internal { operator, problem: format!("option `{name}` was not checked against the spec") }
}
