//! Cumulative hazard from a private release.
//!
//! Sums the hazards h_k = d_k / (r_k - c_k / 2) of the bins of a table released by [`crate::dp_kaplan_meier`].
//!
//! # Input
//! `time_low`, `time_high`, `events`, `censored`, `epsilon` numbers, as released; `by` the columns of its strata.
//!
//! # Output
//! One row for each stratum and bin: the columns of `by`, then `time_low`, `time_high`, `at_risk`, `hazard`,
//! `cumulative_hazard`, `cumulative_hazard_low`, `cumulative_hazard_high`, `privacy_se`, `reliable`.
//!
//! # Parameters
//! `bands` `'pointwise'`, `confidence` 0.95, `draws` 199.
//!
//! # Shapes
//! One row in, one row out; cost O(draws x rows).
//!
//! # Errors
//! `Data` for negative or missing numbers, rows of two releases, bins that do not follow each other.
//!
//! # Guarantees
//! As private as its input: it reads nothing else. Equal to `cumulative_hazard` of the release.
//!
//! # Source
//! Nelson 1972; Aalen 1978; those censored in a bin are at risk for half of it (actuarial).
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{AsArray, Float64Array, RecordBatch};
//! use arrow::datatypes::Float64Type;
//! use causeway_core::{Literals, Relation, RunContext, call};
//! use causeway_privacy::dp_nelson_aalen;
//!
//! let column = |values: [f64; 2]| Arc::new(Float64Array::from(values.to_vec())) as _;
//! let released = RecordBatch::try_from_iter([
//!     ("time_low", column([0.0, 100.0])),
//!     ("time_high", column([100.0, 200.0])),
//!     ("events", column([30.0, 20.0])),
//!     ("censored", column([20.0, 30.0])),
//!     ("epsilon", column([1.0, 1.0])),
//! ])?;
//! let input = Relation::from_batches(released.schema(), vec![released]);
//! let found = call(&dp_nelson_aalen::Factory, Literals::default(), vec![input], &mut RunContext::for_test(1)?)?;
//! let hazard = found.batches[0]["hazard"].as_primitive::<Float64Type>();
//! assert_eq!(hazard.values(), &[30.0 / 90.0, 20.0 / 35.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod tests;

use causeway_core::{
    Literals, Operator, OperatorFactory, Output, OutputType, PrivacyClaim, Relation, Result, Roles, RunContext, Spec,
    Transformation,
};

use crate::histogram::{Bands, Counts, LifeTable, roles};
use crate::released::{BY_OUT, RELEASED, Release, Stratum, booleans, doubles, estimate};

/// Makes the operator `dp_nelson_aalen`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "dp_nelson_aalen",
    family: "privacy",
    version: 1,
    summary: "Cumulative hazard (Nelson-Aalen) of a table released by dp_kaplan_meier; costs no budget.",
    details: "
Sums the hazards d / (r - c / 2) of the bins. It reads released counts alone and adds no noise, so its result is as
private as its input and costs nothing; given exact counts it would give exact results. Rows may come in any order, but
all bins of a stratum must be there. From the first bin that is not reliable on the sum stays flat, `privacy_se` is
null and the upper limit is infinite.",
    inputs: &[RELEASED],
    parameters: &[roles::BANDS, roles::CONFIDENCE, roles::DRAWS],
    output: &[
        BY_OUT,
        estimate("time_low", OutputType::Float64, false, "of `time_low`", "start of the bin, included"),
        estimate("time_high", OutputType::Float64, false, "of `time_low`", "end of the bin, excluded"),
        estimate("at_risk", OutputType::Float64, false, "units", "at risk at `time_low`"),
        estimate("hazard", OutputType::Float64, false, "per bin", "events per unit exposed in the bin"),
        estimate("cumulative_hazard", OutputType::Float64, false, "", "sum of hazards up to `time_high`"),
        estimate("cumulative_hazard_low", OutputType::Float64, true, "", "lower limit, >= 0; null without `bands`"),
        estimate("cumulative_hazard_high", OutputType::Float64, true, "", "upper limit; null without `bands`"),
        estimate(
            "privacy_se",
            OutputType::Float64,
            true,
            "",
            "standard error of `cumulative_hazard` from the noise alone; null where not reliable",
        ),
        estimate("reliable", OutputType::Boolean, false, "", "true while more are at risk than noise could make up"),
    ],
    indirect: &[("by", Transformation::GroupBy)],
    privacy: PrivacyClaim::Exact,
    source: "Nelson 1972; Aalen 1978",
    example: "SELECT * FROM dp_nelson_aalen((SELECT * FROM dp_kaplan_meier((SELECT time, status AS event FROM clinical.lung), epsilon => 1.0, horizon => 1024)))",
};

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Bound { bands: Bands::from_literals(SPEC.name, literals)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    bands: Bands,
    roles: Roles,
}

/// One bin.
#[derive(Debug)]
struct Row {
    time: (f64, f64),
    at_risk: f64,
    hazard: f64,
    cumulative_hazard: f64,
    limits: Option<(f64, f64)>,
    privacy_se: Option<f64>,
    reliable: bool,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let release = Release::read(SPEC.name, &self.roles, inputs, context)?;
        let mut rows = Vec::new();
        for stratum in &release.strata {
            rows.extend(self.rows(stratum, &release, context)?);
        }
        let rows_per_stratum: Vec<usize> = release.strata.iter().map(|stratum| stratum.counts.events.len()).collect();
        let columns = vec![
            doubles(&rows, |row| Some(row.time.0)),
            doubles(&rows, |row| Some(row.time.1)),
            doubles(&rows, |row| Some(row.at_risk)),
            doubles(&rows, |row| Some(row.hazard)),
            doubles(&rows, |row| Some(row.cumulative_hazard)),
            doubles(&rows, |row| row.limits.map(|limits| limits.0)),
            doubles(&rows, |row| row.limits.map(|limits| limits.1)),
            doubles(&rows, |row| row.privacy_se),
            booleans(&rows, |row| row.reliable),
        ];
        release.output(self.output_schema()?, &rows_per_stratum, columns)
    }
}

impl Bound {
    fn rows(&self, stratum: &Stratum, release: &Release, context: &mut RunContext) -> Result<Vec<Row>> {
        let noise = release.noise();
        let table = stratum.life_table(noise);
        let sums = table.cumulative_hazard();
        let errors = table.noise_errors(&stratum.counts, noise);
        let estimate = |cells: &[f64]| LifeTable::new(&Counts::split(cells), noise).cumulative_hazard();
        let draws = self.bands.draws(&stratum.cells(), noise, context, estimate)?;
        let limits = self.bands.limits(&sums, &draws);
        let row = |bin: usize| {
            let reliable = bin < table.n_reliable;
            let limits = limits.as_ref().map(|limits| limits[bin]);
            Row {
                time: (stratum.ends[bin], stratum.ends[bin + 1]),
                at_risk: table.at_risk[bin],
                hazard: table.hazard[bin],
                cumulative_hazard: sums[bin],
                limits: limits.map(|(low, high)| (low.max(0.0), if reliable { high } else { f64::INFINITY })),
                privacy_se: errors[bin].map(|errors| errors.1),
                reliable,
            }
        };
        Ok((0..sums.len()).map(row).collect())
    }
}
