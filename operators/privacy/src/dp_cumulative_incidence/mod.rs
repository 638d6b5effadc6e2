//! Private cumulative incidence of competing causes.
//!
//! Releases how many people have an event of each cause, and how many are censored, in each public bin of time:
//!
//! ```text
//! h_ck = d_ck / (r_k - c_k / 2),  S at the end of bin k = product over i <= k of (1 - sum over c of h_ci)
//! F_c at the end of bin k = sum over i <= k of (S_{i-1} - S_i) h_ci / sum over c of h_ci
//! ```
//!
//! # Input
//! `time` number in any unit; `event` number, 0 = censored, 1 .. `causes` = cause; `unit` and `strata` as by
//! [`crate::dp_kaplan_meier`].
//!
//! # Output
//! One row for each stratum, cause and bin: the columns of `strata`, then `cause`, `time_low`, `time_high`, `events`,
//! `censored`, `at_risk`, `cumulative_incidence` (at `time_high`), `cumulative_incidence_low`,
//! `cumulative_incidence_high`, `survival`, `privacy_se`, `reliable`, `epsilon`, `guarantee`.
//!
//! # Parameters
//! `epsilon`, `horizon` required; `causes` 2; `bins`, `cohort_size`, `strata_values`, `bands`, `confidence`, `draws`.
//!
//! # Shapes
//! n rows to strata x causes x bins rows; cost O(n + draws x strata x causes x bins).
//!
//! # Errors
//! As [`crate::dp_kaplan_meier`]: while the call is planned, never because of rows.
//!
//! # Guarantees
//! Epsilon-differentially private when one unit is added or removed: a unit is in one cell at most, whatever the number
//! of causes. The incidences and the survival of a bin sum to 1. Experimental until audited.
//!
//! # Source
//! Aalen and Johansen 1978 on counts by bins; mechanism as [`crate::dp_kaplan_meier`].
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{AsArray, Int64Array, RecordBatch};
//! use arrow::datatypes::Float64Type;
//! use causeway_core::{Literal, Literals, Relation, RunContext, call};
//! use causeway_privacy::dp_cumulative_incidence;
//!
//! let days = (0..3000).map(|person| person % 100).collect::<Int64Array>();
//! let cause = (0..3000).map(|person| person / 100 % 3).collect::<Int64Array>(); // 0 censored, 1, 2
//! let rows = RecordBatch::try_from_iter([("time", Arc::new(days) as _), ("event", Arc::new(cause) as _)])?;
//! let input = Relation::from_batches(rows.schema(), vec![rows]);
//! let mut options = Literals::default();
//! options.insert("epsilon", Literal::Float(1.0));
//! options.insert("horizon", Literal::Integer(100));
//! options.insert("bins", Literal::Integer(8));
//! let found = call(&dp_cumulative_incidence::Factory, options, vec![input], &mut RunContext::for_test(1)?)?;
//! let column = |name: &str| found.batches[0][name].as_primitive::<Float64Type>().clone();
//! let (incidence, survival) = (column("cumulative_incidence"), column("survival"));
//! let sum = incidence.value(3) + incidence.value(11) + survival.value(3); // causes 1 and 2 in the fourth bin
//! assert!((sum - 1.0).abs() < 1e-12);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::array::{ArrayRef, StringArray, UInt64Array};
use causeway_core::{
    Literals, Operator, OperatorFactory, Output, OutputType, Parameter, ParameterKind, PrivacyClaim, PrivacyCost,
    Relation, Report, Result, Roles, RunContext, Spec, Transformation,
};
use rand::RngCore as _;

use crate::histogram::{
    Bands, Counts, GUARANTEE, LifeTable, Release, roles, roles::private, roles::public, spread_of_noise,
};
use crate::released::{booleans, doubles};

/// Makes the operator `dp_cumulative_incidence`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "dp_cumulative_incidence",
    family: "privacy",
    version: 1,
    summary: "Cumulative incidence of competing causes with differential privacy (Aalen-Johansen on private counts).",
    details: "
The mechanism, its guarantee, its rules for rows, units and strata are those of dp_kaplan_meier, with one cell for each
cause: `event` is 0 for censored and 1, 2, ... up to `causes` for the cause; anything else is a censoring. The release
costs `epsilon` whatever the number of causes, since a unit has one of them.

In each bin the fall of the survival without any event is shared among the causes as their events are. The incidences
and the survival of a bin sum to 1. From the first bin on that is not reliable all curves stay flat, `privacy_se` is null
and the limits are those of what is possible. `privacy_se` and limits come from `draws`.",
    inputs: &[roles::ROWS_WITH_CAUSE],
    parameters: &[
        roles::EPSILON,
        roles::HORIZON,
        Parameter {
            name: "causes",
            kind: ParameterKind::Integer { min: 1, max: 50 },
            default: Some("2"),
            unit: "",
            meaning: "number of causes, a public constant",
        },
        roles::BINS,
        roles::COHORT_SIZE,
        roles::STRATA_VALUES,
        roles::BANDS,
        roles::CONFIDENCE,
        roles::DRAWS,
    ],
    output: &[
        roles::STRATA_OUT,
        public("cause", OutputType::UInt64, "", "the cause, from 1"),
        public("time_low", OutputType::Float64, "of `time`", "start of the bin, included"),
        public("time_high", OutputType::Float64, "of `time`", "end of the bin, excluded"),
        private("events", OutputType::Float64, false, "units", "events of the cause in the bin"),
        private("censored", OutputType::Float64, false, "units", "censorings in the bin"),
        private("at_risk", OutputType::Float64, false, "units", "at risk at `time_low`"),
        private(
            "cumulative_incidence",
            OutputType::Float64,
            false,
            "probability",
            "probability of an event of the cause before `time_high`",
        ),
        private("cumulative_incidence_low", OutputType::Float64, true, "probability", "lower limit; null without `bands`"),
        private("cumulative_incidence_high", OutputType::Float64, true, "probability", "upper limit; null without `bands`"),
        private("survival", OutputType::Float64, false, "probability", "probability of no event before `time_high`"),
        private(
            "privacy_se",
            OutputType::Float64,
            true,
            "probability",
            "standard error of `cumulative_incidence` from the noise alone; null where not reliable",
        ),
        private("reliable", OutputType::Boolean, false, "", "true while more are at risk than noise could make up"),
        public("epsilon", OutputType::Float64, "nats", "the option `epsilon`, to the millionth below"),
        public("guarantee", OutputType::Utf8, "", "what the release guarantees, in words"),
    ],
    indirect: &[("strata", Transformation::GroupBy)],
    privacy: PrivacyClaim::Private("epsilon-differential privacy when one unit is added or removed"),
    source: "Aalen and Johansen 1978; Ghosh, Roughgarden and Sundararajan 2009; Gondara and Wang 2020",
    example: "SELECT * FROM dp_cumulative_incidence((SELECT years AS time, cause AS event FROM registry), epsilon => 1.0, horizon => 10, causes => 2)",
};

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        let causes = literals.integer("causes").and_then(|causes| u32::try_from(causes).ok());
        let causes = causes.ok_or_else(|| roles::unchecked(SPEC.name, "causes"))?;
        let release = Release::new(SPEC.name, causes, literals, &roles)?;
        Ok(Box::new(Bound { release, bands: Bands::from_literals(SPEC.name, literals)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    release: Release,
    bands: Bands,
    roles: Roles,
}

/// One bin of one cause.
#[derive(Debug)]
struct Row {
    cause: u32,
    time: (f64, f64),
    events: f64,
    censored: f64,
    at_risk: f64,
    incidence: f64,
    limits: Option<(f64, f64)>,
    survival: f64,
    privacy_se: Option<f64>,
    reliable: bool,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn privacy_cost(&self) -> Option<PrivacyCost> {
        Some(self.release.cost())
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let strata = self.release.run(&self.roles, inputs, context)?;
        let mut rows = Vec::new();
        for cells in &strata {
            rows.extend(self.rows(cells, context)?);
        }
        let grid = self.release.grid;
        let rows_per_stratum = vec![grid.n_bins as usize * grid.n_causes as usize; strata.len()];
        let mut all = self.release.strata.keys(&rows_per_stratum)?;
        all.extend(self.columns(&rows));
        let report = Report::from([
            ("n_bins", grid.n_bins.into()),
            ("n_causes", grid.n_causes.into()),
            ("n_strata", grid.n_strata.into()),
        ]);
        Ok(Output { batches: vec![RecordBatch::try_new(self.output_schema()?, all)?], report })
    }
}

impl Bound {
    fn columns(&self, rows: &[Row]) -> Vec<ArrayRef> {
        vec![
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| u64::from(row.cause)))),
            doubles(rows, |row| Some(row.time.0)),
            doubles(rows, |row| Some(row.time.1)),
            doubles(rows, |row| Some(row.events)),
            doubles(rows, |row| Some(row.censored)),
            doubles(rows, |row| Some(row.at_risk)),
            doubles(rows, |row| Some(row.incidence)),
            doubles(rows, |row| row.limits.map(|limits| limits.0)),
            doubles(rows, |row| row.limits.map(|limits| limits.1)),
            doubles(rows, |row| Some(row.survival)),
            doubles(rows, |row| row.privacy_se),
            booleans(rows, |row| row.reliable),
            doubles(rows, |_| Some(self.release.epsilon.value())),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|_| GUARANTEE))),
        ]
    }

    /// Computes the rows of one stratum from its released cells.
    fn rows(&self, cells: &[f64], context: &mut RunContext) -> Result<Vec<Row>> {
        let grid = self.release.grid;
        let noise = self.release.noise();
        let n_bins = grid.n_bins as usize;
        let counts = all_causes(cells, n_bins);
        let table = LifeTable::new(&counts, noise);
        let estimate = |cells: &[f64]| {
            let counts = all_causes(cells, n_bins);
            incidences(cells, &counts, &LifeTable::new(&counts, noise))
        };
        let incidence = incidences(cells, &counts, &table);
        let draws = self.bands.draws(cells, noise, context, estimate)?;
        let limits = self.bands.limits(&incidence, &draws);
        let of_noise = (self.bands.n_draws, context.rng().next_u64());
        let errors = spread_of_noise(cells, &incidence, of_noise, (noise, context), estimate)?;
        let row = |place: usize| {
            let (cause, bin) = (place / n_bins, place % n_bins);
            let reliable = bin < table.n_reliable;
            let first_flat = cause * n_bins + table.n_reliable.saturating_sub(1);
            Row {
                cause: u32::try_from(cause + 1).unwrap_or(u32::MAX),
                time: grid.ends(u32::try_from(bin).unwrap_or(u32::MAX)),
                events: cells[place],
                censored: counts.censored[bin],
                at_risk: table.at_risk[bin],
                incidence: incidence[place],
                limits: limits.as_ref().map(|limits| {
                    let (low, high) = if reliable { limits[place] } else { (limits[first_flat].0, 1.0) };
                    let low = if table.n_reliable == 0 { 0.0 } else { low };
                    (low.clamp(0.0, 1.0), high.clamp(0.0, 1.0))
                }),
                survival: table.survival[bin],
                privacy_se: reliable.then_some(errors[place]),
                reliable,
            }
        };
        Ok((0..incidence.len()).map(row).collect())
    }
}

/// Returns the counts of events of all causes together.
fn all_causes(cells: &[f64], n_bins: usize) -> Counts {
    let (events, censored) = cells.split_at(cells.len().saturating_sub(n_bins));
    let by_bin = |bin: usize| events.iter().skip(bin).step_by(n_bins).sum();
    Counts { events: (0..n_bins).map(by_bin).collect(), censored: censored.to_vec() }
}

/// Returns F_c at the end of each bin, cause by cause.
fn incidences(cells: &[f64], counts: &Counts, table: &LifeTable) -> Vec<f64> {
    let n_bins = counts.events.len();
    let events = &cells[..cells.len() - n_bins];
    let mut incidences = Vec::with_capacity(events.len());
    for of_cause in events.chunks(n_bins) {
        let mut incidence = 0.0;
        let mut before = 1.0;
        for (bin, events) in of_cause.iter().enumerate() {
            if counts.events[bin] > 0.0 {
                incidence += (before - table.survival[bin]) * events / counts.events[bin];
            }
            before = table.survival[bin];
            incidences.push(incidence);
        }
    }
    incidences
}
