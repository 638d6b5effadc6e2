//! Mean survival time up to a horizon from a private release.
//!
//! The area under the curve of a table released by [`crate::dp_kaplan_meier`], the hazard being constant within a bin.
//!
//! # Input
//! `time_low`, `time_high`, `events`, `censored`, `epsilon` numbers, as released; `by` the columns of its strata.
//!
//! # Output
//! One row for each stratum: the columns of `by`, then `horizon`, `restricted_mean`, `restricted_mean_low`,
//! `restricted_mean_high`, `extrapolated`.
//!
//! # Parameters
//! `horizon` NULL; `confidence` 0.95; `draws` 199.
//!
//! # Shapes
//! One row for each stratum; cost O(draws x rows).
//!
//! # Errors
//! `Data` for negative or missing numbers, rows of two releases, bins that do not follow each other; `Parameter` for a
//! horizon beyond the release.
//!
//! # Guarantees
//! As private as its input: it reads nothing else.
//!
//! # Source
//! Irwin 1949; Royston and Parmar 2013.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{AsArray, Float64Array, RecordBatch};
//! use arrow::datatypes::Float64Type;
//! use causeway_core::{Literals, Relation, RunContext, call};
//! use causeway_privacy::dp_restricted_mean;
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
//! let mut options = Literals::default();
//! options.insert("horizon", causeway_core::Literal::Integer(100));
//! let found = call(&dp_restricted_mean::Factory, options, vec![input], &mut RunContext::for_test(1)?)?;
//! let mean = found.batches[0]["restricted_mean"].as_primitive::<Float64Type>().value(0);
//! assert!((mean - 100.0 * 0.5 / std::f64::consts::LN_2).abs() < 1e-9); // the mean of 2^-t over [0, 1] is 1 / (2 ln 2)
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod tests;

use causeway_core::{
    Literals, Operator, OperatorError, OperatorFactory, Output, OutputType, Parameter, ParameterKind, PrivacyClaim,
    Relation, Result, Roles, RunContext, Spec, Transformation,
};

use crate::histogram::{Bands, Counts, LifeTable, roles};
use crate::released::{BY_OUT, RELEASED, Release, Stratum, booleans, doubles, estimate};

/// Makes the operator `dp_restricted_mean`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "dp_restricted_mean",
    family: "privacy",
    version: 1,
    summary: "Mean survival time up to a horizon of a table released by dp_kaplan_meier; costs no budget.",
    details: "
The area under the curve from 0 to `horizon`, the hazard being constant within a bin. Without `horizon`, all strata take
the end of the last bin that is reliable in every one of them. Beyond its reliable bins the curve of a stratum stays
flat; `extrapolated` is then true and the mean and its limits should not be used. It reads released counts alone and adds
no noise, so its result is as private as its input and costs nothing; given exact counts it would give exact results.",
    inputs: &[RELEASED],
    parameters: &[
        Parameter {
            name: "horizon",
            kind: ParameterKind::Float { min: 0.0, max: f64::INFINITY, open: true },
            default: Some("NULL"),
            unit: "of `time_low`",
            meaning: "time up to which the mean is taken; NULL = the last time that is reliable in all strata",
        },
        roles::CONFIDENCE,
        roles::DRAWS,
    ],
    output: &[
        BY_OUT,
        estimate("horizon", OutputType::Float64, false, "of `time_low`", "the time up to which the mean is taken"),
        estimate("restricted_mean", OutputType::Float64, false, "of `time_low`", "mean time without the event"),
        estimate("restricted_mean_low", OutputType::Float64, false, "of `time_low`", "lower limit, in [0, horizon]"),
        estimate("restricted_mean_high", OutputType::Float64, false, "of `time_low`", "upper limit, in [0, horizon]"),
        estimate("extrapolated", OutputType::Boolean, false, "", "true if the curve is not reliable up to the horizon"),
    ],
    indirect: &[("by", Transformation::GroupBy)],
    privacy: PrivacyClaim::Exact,
    source: "Irwin 1949; Royston and Parmar 2013",
    example: "SELECT * FROM dp_restricted_mean((SELECT * FROM dp_kaplan_meier((SELECT time, status AS event FROM clinical.lung), epsilon => 1.0, horizon => 1024)), horizon => 730)",
};

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        let bands = Bands::from_literals(SPEC.name, literals)?;
        Ok(Box::new(Bound { horizon: literals.float("horizon"), bands, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    horizon: Option<f64>,
    bands: Bands,
    roles: Roles,
}

/// The mean of one stratum.
#[derive(Debug)]
struct Row {
    mean: f64,
    limits: (f64, f64),
    extrapolated: bool,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let release = Release::read(SPEC.name, &self.roles, inputs, context)?;
        let last_reliable = |stratum: &Stratum| stratum.ends[stratum.life_table(release.noise()).n_reliable];
        let common = release.strata.iter().map(last_reliable).fold(f64::INFINITY, f64::min);
        let horizon = self.horizon.unwrap_or(common);
        self.check(&release)?;
        let mut rows = Vec::new();
        for stratum in &release.strata {
            rows.push(self.row(stratum, &release, horizon, context)?);
        }
        let columns = vec![
            doubles(&rows, |_| Some(horizon)),
            doubles(&rows, |row| Some(row.mean)),
            doubles(&rows, |row| Some(row.limits.0)),
            doubles(&rows, |row| Some(row.limits.1)),
            booleans(&rows, |row| row.extrapolated),
        ];
        release.output(self.output_schema()?, &vec![1; rows.len()], columns)
    }
}

impl Bound {
    /// Refuses a horizon beyond the bins.
    fn check(&self, release: &Release) -> Result<()> {
        let ends = release.strata.iter().filter_map(|stratum| stratum.ends.last().copied());
        let last = ends.fold(f64::INFINITY, f64::min);
        match self.horizon {
            Some(horizon) if horizon > last => Err(OperatorError::Parameter {
                operator: SPEC.name,
                name: "horizon".to_owned(),
                range: format!("at most the end of the release, {last}"),
                value: horizon.to_string(),
            }),
            _ => Ok(()),
        }
    }

    fn row(&self, stratum: &Stratum, release: &Release, horizon: f64, context: &mut RunContext) -> Result<Row> {
        let noise = release.noise();
        let table = stratum.life_table(noise);
        let mean = stratum.restricted_mean(&table.survival, horizon);
        let estimate = |cells: &[f64]| {
            vec![stratum.restricted_mean(&LifeTable::new(&Counts::split(cells), noise).survival, horizon)]
        };
        let draws = self.bands.draws(&stratum.cells(), noise, context, estimate)?;
        let limits = self.bands.limits(&[mean], &draws).and_then(|limits| limits.first().copied());
        let (low, high) = limits.unwrap_or((mean, mean));
        Ok(Row {
            mean,
            limits: (low.clamp(0.0, horizon), high.clamp(0.0, horizon)),
            extrapolated: horizon > stratum.ends[table.n_reliable],
        })
    }
}
