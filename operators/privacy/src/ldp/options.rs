//! The options that sender and server must agree on.

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use causeway_core::{
    ColumnRole, ColumnType, Delta, Epsilon, Literals, OperatorError, Parameter, ParameterKind, Relation, Result, Roles,
    RunContext,
};

use super::calibration::{analytic_gaussian, published_gaussian};

/// What a message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Second moments of the covariates and their products with the outcome.
    Moments,
    /// Products with the outcome alone; the second moments come from public rows.
    Products,
    /// The gradient at an estimate.
    Gradient,
}

/// How the noise of moments is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Calibration {
    /// One joint message, exact sensitivity, analytic Gaussian.
    Tight,
    /// Two messages with half of ε and δ each, twice the squared radius, classical Gaussian: as published.
    Published,
}

/// The public parameters of the messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Protocol {
    pub(crate) mode: Mode,
    pub(crate) calibration: Calibration,
    pub(crate) d: usize,
    pub(crate) epsilon: Epsilon,
    pub(crate) delta: Delta,
    /// Covariates are shortened to this length.
    pub(crate) radius: f64,
    /// The outcome is moved into -clip .. clip.
    pub(crate) clip: f64,
}

const fn float(
    name: &'static str,
    max: f64,
    default: Option<&'static str>,
    unit: &'static str,
    meaning: &'static str,
) -> Parameter {
    Parameter { name, kind: ParameterKind::Float { min: 0.0, max, open: true }, default, unit, meaning }
}

pub(crate) const MODE: Parameter = Parameter {
    name: "mode",
    kind: ParameterKind::Choice(&["nldp", "nldp_public", "iht"]),
    default: Some("'nldp'"),
    unit: "",
    meaning: "'nldp' all moments in one message; 'nldp_public' products with the outcome, covariates known from public rows; 'iht' a gradient at the estimate so far",
};
pub(crate) const EPSILON: Parameter = float("epsilon", 50.0, None, "nats", "privacy loss of each sender");
pub(crate) const DELTA: Parameter =
    float("delta", 0.1, Some("0.00001"), "", "delta of each sender, at least 1e-12; mode 'iht' uses none");
pub(crate) const RADIUS: Parameter = float(
    "radius",
    1e6,
    Some("NULL"),
    "",
    "length to which covariates are shortened; NULL = 1.15 sqrt(number of covariates), for covariates of mean 0 and variance 1",
);
pub(crate) const CLIP: Parameter =
    float("clip_outcome", 1e6, Some("2"), "of `outcome`", "the outcome is moved into -clip_outcome .. clip_outcome");
pub(crate) const CALIBRATION: Parameter = Parameter {
    name: "calibration",
    kind: ParameterKind::Choice(&["tight", "published"]),
    default: Some("'tight'"),
    unit: "",
    meaning: "noise of mode 'nldp': exact sensitivity and the analytic Gaussian, or the constants as published, which need about a thousand times the rows",
};

impl Protocol {
    /// Reads the options for `d` covariates.
    pub(crate) fn new(operator: &'static str, literals: &Literals, d: usize) -> Result<Self> {
        const MAX_COVARIATES: usize = 200;
        let refused = |name: &str, range: &str, value: String| OperatorError::Parameter {
            operator,
            name: name.to_owned(),
            range: range.to_owned(),
            value,
        };
        if d == 0 || d > MAX_COVARIATES {
            return Err(refused("covariates", "1 to 200 columns", d.to_string()));
        }
        let float = |name: &'static str| literals.float(name);
        let epsilon = float("epsilon").and_then(Epsilon::usable);
        let mode = match literals.text("mode") {
            Some("iht") => Mode::Gradient,
            Some("nldp_public") => Mode::Products,
            _ => Mode::Moments,
        };
        let delta = if mode == Mode::Gradient { Some(Delta::ZERO) } else { float("delta").and_then(Delta::usable) };
        let delta = delta.filter(|delta| mode == Mode::Gradient || delta.femto() >= 1000);
        let shown = |name| literals.get(name).map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let is_published = literals.text("calibration") == Some("published");
        Ok(Self {
            mode,
            calibration: if is_published { Calibration::Published } else { Calibration::Tight },
            d,
            epsilon: epsilon.ok_or_else(|| refused("epsilon", "in [0.000001, 50)", shown("epsilon")))?,
            delta: delta.ok_or_else(|| refused("delta", "in [1e-12, 0.1)", shown("delta")))?,
            radius: float("radius").unwrap_or_else(|| 1.15 * super::calibration::number(d).sqrt()),
            clip: float("clip_outcome").ok_or_else(|| refused("clip_outcome", "given", shown("clip_outcome")))?,
        })
    }

    /// Returns the numbers of a message.
    pub(crate) fn message_length(&self) -> usize {
        match self.mode {
            Mode::Moments => self.d * (self.d + 1) / 2 + self.d,
            Mode::Products | Mode::Gradient => self.d,
        }
    }

    /// Returns σ / Δ of the Gaussian noise; 10⁻¹⁵ of δ are kept back for the lattice.
    pub(crate) fn multiplier(&self) -> f64 {
        let (epsilon, delta) = (self.epsilon.value(), self.delta.value() - 1e-15);
        match self.calibration {
            Calibration::Published if self.mode == Mode::Moments => published_gaussian(0.5 * epsilon, 0.5 * delta),
            _ => analytic_gaussian(epsilon, delta),
        }
    }
}

/// The second relation of the interactive mode, and its two roles.
pub(crate) const FEATURE: ColumnRole = ColumnRole {
    role: "feature",
    kind: ColumnType::Text,
    unit: "",
    nullable: false,
    required: false,
    several: false,
    meaning: "mode 'iht': name of the covariate",
};
pub(crate) const COEFFICIENT: ColumnRole = ColumnRole {
    role: "coefficient",
    kind: ColumnType::Number,
    unit: "of `outcome` per covariate",
    nullable: false,
    required: false,
    several: false,
    meaning: "mode 'iht': its coefficient so far",
};

/// Reads the coefficients of the features from rows of `feature` and `coefficient`; those that are not named are 0.
///
/// # Errors
/// [`OperatorError::Data`] if a row names no feature.
pub(crate) fn read_estimate(
    operator: &'static str,
    roles: &Roles,
    features: &[String],
    mut relation: Relation,
    context: &RunContext,
) -> Result<Vec<f64>> {
    let mut estimate = vec![0.0; features.len()];
    let (Some(feature), Some(coefficient)) = (roles.column("feature"), roles.column("coefficient")) else {
        return Err(OperatorError::Data {
            operator,
            problem: "relation `given` needs the columns `feature` and `coefficient` in mode 'iht'".to_owned(),
        });
    };
    while let Some(batch) = relation.next_batch(context)? {
        let names = cast(batch.column(feature.index), &DataType::Utf8)?;
        let values = cast(batch.column(coefficient.index), &DataType::Float64)?;
        for (name, value) in names.as_string::<i32>().iter().zip(values.as_primitive::<Float64Type>()) {
            let position = features.iter().position(|feature| Some(feature.as_str()) == name);
            let (Some(position), Some(value)) = (position, value.filter(|value| value.is_finite())) else {
                return Err(OperatorError::Data {
                    operator,
                    problem: format!(
                        "each row of `given` must have one of the features ({}) and a finite coefficient",
                        features.join(", ")
                    ),
                });
            };
            estimate[position] = value;
        }
    }
    Ok(estimate)
}
