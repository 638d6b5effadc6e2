//! Log-rank test of the strata of a private release.
//!
//! Compares observed events with those that one common hazard would give, bin by bin, and calibrates the p-value by
//! draws with the same noise as the release.
//!
//! # Input
//! `time_low`, `time_high`, `events`, `censored`, `epsilon` numbers, as released; `by` the columns of its strata.
//!
//! # Output
//! One row for each stratum: the columns of `by`, then `at_start`, `observed`, `expected`, `chi_square`,
//! `degrees_of_freedom`, `p_value`, `uncalibrated_p_value`.
//!
//! # Parameters
//! `draws` 199.
//!
//! # Shapes
//! One row for each stratum; cost O(draws x rows).
//!
//! # Errors
//! `Data` for fewer than two strata, negative or missing numbers, rows of two releases, bins that do not follow each
//! other or differ between strata.
//!
//! # Guarantees
//! As private as its input: it reads nothing else. With exact counts by single days the statistic is that of lifelines
//! 0.30.3 to 1e-9; its calibrated size is measured in tests/bench/results/study_dp.md.
//!
//! # Source
//! Mantel 1966 on counts after Gondara and Wang 2020; calibration by parametric bootstrap.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{AsArray, Float64Array, RecordBatch, StringArray};
//! use arrow::datatypes::Float64Type;
//! use causeway_core::{Literal, Literals, Relation, RunContext, call};
//! use causeway_privacy::dp_log_rank;
//!
//! let column = |values: [f64; 4]| Arc::new(Float64Array::from(values.to_vec())) as _;
//! let released = RecordBatch::try_from_iter([
//!     ("arm", Arc::new(StringArray::from(vec!["a", "a", "b", "b"])) as _),
//!     ("time_low", column([0.0, 100.0, 0.0, 100.0])),
//!     ("time_high", column([100.0, 200.0, 100.0, 200.0])),
//!     ("events", column([60.0, 20.0, 20.0, 20.0])),
//!     ("censored", column([0.0, 20.0, 0.0, 60.0])),
//!     ("epsilon", column([1.0; 4])),
//! ])?;
//! let input = Relation::from_batches(released.schema(), vec![released]);
//! let mut options = Literals::default();
//! options.insert("by", Literal::Text("arm".to_owned()));
//! let test = call(&dp_log_rank::Factory, options, vec![input], &mut RunContext::for_test(1)?)?;
//! let p_value = test.batches[0]["p_value"].as_primitive::<Float64Type>().value(0);
//! assert!(p_value <= 0.05);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};
use causeway_core::{
    ColumnRole, InputSpec, Literals, Operator, OperatorError, OperatorFactory, Output, OutputType, PrivacyClaim,
    Relation, Result, Roles, RunContext, Spec, Transformation,
};
use causeway_numerics::chi_square_sf;
use rand::RngCore as _;

use crate::histogram::{Bands, Counts, LogRank, roles};
use crate::released::{self, BY_OUT, RELEASED, Release, doubles, estimate};

/// Makes the operator `dp_log_rank`.
#[derive(Debug)]
pub struct Factory;

const COLUMNS: &[ColumnRole] = &released::columns(true);

static SPEC: Spec = Spec {
    name: "dp_log_rank",
    family: "privacy",
    version: 1,
    summary: "Log-rank test of the strata of a table released by dp_kaplan_meier; costs no budget.",
    details: "
In each bin with d events among n at risk, a stratum with r at risk is expected to have d r / n of them; `chi_square` is
(O - E)' V^- (O - E) over all bins. `p_value` is the share of `draws` with one common hazard whose statistic is as
large: people of each stratum go through the bins with the pooled hazard and the stratum's own censoring, and the noise of
the release is added again. `uncalibrated_p_value` is that of the chi-square distribution, which ignores the noise and
rejects too often.

It reads released counts alone and adds no noise, so its result is as private as its input and costs nothing; given
exact counts it would give exact results. Bins without events compare nothing; without any, the statistic is null.",
    inputs: &[InputSpec { columns: COLUMNS, ..RELEASED }],
    parameters: &[roles::DRAWS],
    output: &[
        BY_OUT,
        estimate("at_start", OutputType::Float64, false, "units", "at risk at time 0"),
        estimate("observed", OutputType::Float64, false, "events", "events in bins that compare"),
        estimate("expected", OutputType::Float64, false, "events", "events expected with one common hazard"),
        estimate("chi_square", OutputType::Float64, true, "", "test statistic over all strata; null without a comparable event"),
        estimate("degrees_of_freedom", OutputType::UInt64, false, "", "degrees of freedom of the statistic"),
        estimate("p_value", OutputType::Float64, true, "probability", "calibrated for the noise; null without a statistic"),
        estimate(
            "uncalibrated_p_value",
            OutputType::Float64,
            true,
            "probability",
            "of the chi-square distribution, which ignores the noise; null without a statistic",
        ),
    ],
    indirect: &[("by", Transformation::GroupBy)],
    privacy: PrivacyClaim::Exact,
    source: "Mantel 1966; Gondara and Wang 2020",
    example: "SELECT * FROM dp_log_rank((SELECT * FROM dp_kaplan_meier((SELECT time, status AS event, sex FROM clinical.lung),\n    epsilon => 1.0, horizon => 1024, strata => 'sex', strata_values => ARRAY[1, 2])), by => 'sex')",
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

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let release = Release::read(SPEC.name, &self.roles, inputs, context)?;
        check(&release)?;
        let groups: Vec<Counts> = release.strata.iter().map(|stratum| stratum.counts.clone()).collect();
        let test = LogRank::new(&groups);
        let draws = (self.bands.n_draws, context.rng().next_u64());
        let p_value = test.calibrated_p_value(&groups, release.epsilon, draws, context)?;
        release.output(self.output_schema()?, &vec![1; groups.len()], columns(&test, &groups, p_value))
    }
}

fn columns(test: &LogRank, groups: &[Counts], p_value: Option<f64>) -> Vec<ArrayRef> {
    let rank = u32::try_from(test.statistic.rank).unwrap_or(u32::MAX);
    let statistic = (rank > 0).then_some(test.statistic.value);
    let ranks = UInt64Array::from_iter_values(groups.iter().map(|_| u64::from(rank)));
    vec![
        doubles(groups, |group| Some(group.total())),
        doubles(&test.observed, |observed| Some(*observed)),
        doubles(&test.expected, |expected| Some(*expected)),
        doubles(groups, |_| statistic),
        Arc::new(ranks),
        doubles(groups, |_| p_value),
        doubles(groups, |_| statistic.map(|statistic| chi_square_sf(statistic, rank))),
    ]
}

/// Refuses what cannot be compared.
fn check(release: &Release) -> Result<()> {
    let first = release.strata.first().map(|stratum| &stratum.ends);
    let problem = if release.strata.len() < 2 {
        "a comparison needs at least two strata; name the columns of the release's strata with `by`"
    } else if release.strata.iter().any(|stratum| Some(&stratum.ends) != first) {
        "all strata must have the same bins: take the rows of one release"
    } else {
        return Ok(());
    };
    Err(OperatorError::Data { operator: SPEC.name, problem: problem.to_owned() })
}
