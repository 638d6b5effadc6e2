//! Median survival time, or another quantile, from a private release.
//!
//! The first time at which the curve of a table released by [`crate::dp_kaplan_meier`] is at 1 - `quantile`; the limits
//! are the times at which the pointwise limits of the curve are.
//!
//! # Input
//! `time_low`, `time_high`, `events`, `censored`, `epsilon` numbers, as released; `by` the columns of its strata.
//!
//! # Output
//! One row for each stratum: the columns of `by`, then `quantile`, `time`, `time_low`, `time_high`.
//!
//! # Parameters
//! `quantile` 0.5 in (0, 1); `confidence` 0.95; `draws` 199.
//!
//! # Shapes
//! One row for each stratum; cost O(draws x rows).
//!
//! # Errors
//! `Data` for negative or missing numbers, rows of two releases, bins that do not follow each other.
//!
//! # Guarantees
//! As private as its input: it reads nothing else. A time is null where the curve or its limit stays above.
//!
//! # Source
//! Brookmeyer and Crowley 1982, with limits of the private curve.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{AsArray, Float64Array, RecordBatch};
//! use arrow::datatypes::Float64Type;
//! use causeway_core::{Literals, Relation, RunContext, call};
//! use causeway_privacy::dp_survival_quantile;
//!
//! let column = |values: [f64; 2]| Arc::new(Float64Array::from(values.to_vec())) as _;
//! let released = RecordBatch::try_from_iter([
//!     ("time_low", column([0.0, 100.0])),
//!     ("time_high", column([100.0, 200.0])),
//!     ("events", column([50.0, 25.0])),
//!     ("censored", column([0.0, 25.0])),
//!     ("epsilon", column([1.0, 1.0])),
//! ])?;
//! let input = Relation::from_batches(released.schema(), vec![released]);
//! let found = call(&dp_survival_quantile::Factory, Literals::default(), vec![input], &mut RunContext::for_test(1)?)?;
//! let median = found.batches[0]["time"].as_primitive::<Float64Type>().value(0);
//! assert!((median - 100.0).abs() < 1e-9);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod tests;

use causeway_core::{
    Literals, Operator, OperatorFactory, Output, OutputType, Parameter, ParameterKind, PrivacyClaim, Relation, Result,
    Roles, RunContext, Spec, Transformation,
};

use crate::histogram::{Bands, roles};
use crate::released::{BY_OUT, RELEASED, Release, Stratum, doubles, estimate};

/// Makes the operator `dp_survival_quantile`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "dp_survival_quantile",
    family: "privacy",
    version: 1,
    summary: "Median survival time, or another quantile, of a table released by dp_kaplan_meier; costs no budget.",
    details: "
The first time at which the curve is at or below 1 - `quantile`, the hazard being constant within a bin. The limits are
the times at which the pointwise limits of the curve are; where the release is not reliable its lower limit is 0 and its
upper one stays flat. It reads released counts alone and adds no noise, so its result is as private as its input and
costs nothing; given exact counts it would give exact results.",
    inputs: &[RELEASED],
    parameters: &[
        Parameter {
            name: "quantile",
            kind: ParameterKind::Float { min: 0.0, max: 1.0, open: true },
            default: Some("0.5"),
            unit: "",
            meaning: "share that has had the event by the time sought; 0.5 = median",
        },
        roles::CONFIDENCE,
        roles::DRAWS,
    ],
    output: &[
        BY_OUT,
        roles::public("quantile", OutputType::Float64, "", "the option `quantile`"),
        estimate("time", OutputType::Float64, true, "of `time_low`", "the quantile; null if the curve stays above"),
        estimate("time_low", OutputType::Float64, true, "of `time_low`", "lower limit; null if not reached"),
        estimate("time_high", OutputType::Float64, true, "of `time_low`", "upper limit; null if not reached"),
    ],
    indirect: &[("by", Transformation::GroupBy)],
    privacy: PrivacyClaim::Exact,
    source: "Brookmeyer and Crowley 1982",
    example: "SELECT * FROM dp_survival_quantile((SELECT * FROM dp_kaplan_meier((SELECT time, status AS event FROM clinical.lung), epsilon => 1.0, horizon => 1024)))",
};

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        let quantile = literals.float("quantile").ok_or_else(|| roles::unchecked(SPEC.name, "quantile"))?;
        Ok(Box::new(Bound { quantile, bands: Bands::from_literals(SPEC.name, literals)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    quantile: f64,
    bands: Bands,
    roles: Roles,
}

/// The quantile of one stratum and its limits.
#[derive(Debug)]
struct Row {
    time: Option<f64>,
    time_low: Option<f64>,
    time_high: Option<f64>,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let release = Release::read(SPEC.name, &self.roles, inputs, context)?;
        let mut rows = Vec::new();
        for stratum in &release.strata {
            rows.push(self.row(stratum, &release, context)?);
        }
        let columns = vec![
            doubles(&rows, |_| Some(self.quantile)),
            doubles(&rows, |row| row.time),
            doubles(&rows, |row| row.time_low),
            doubles(&rows, |row| row.time_high),
        ];
        release.output(self.output_schema()?, &vec![1; rows.len()], columns)
    }
}

impl Bound {
    fn row(&self, stratum: &Stratum, release: &Release, context: &mut RunContext) -> Result<Row> {
        let noise = release.noise();
        let table = stratum.life_table(noise);
        let limits = self.bands.of_survival(&stratum.cells(), &table, noise, context)?.unwrap_or_default();
        let (low, high): (Vec<f64>, Vec<f64>) = limits.into_iter().unzip();
        let time_of = |survival: &[f64]| stratum.time_of(survival, 1.0 - self.quantile);
        Ok(Row { time: time_of(&table.survival), time_low: time_of(&low), time_high: time_of(&high) })
    }
}
