//! Nelson–Aalen cumulative hazard.
//!
//! ```text
//! H(t) = sum over t_i <= t of d_i / n_i          d_i events among n_i at risk at t_i
//! var H(t) = sum over t_i <= t of d_i / n_i^2
//! ```
//!
//! # Input
//! As [`crate::kaplan_meier`].
//!
//! # Output
//! The columns of `by`, then `time`, `at_risk`, `events`, `censored`, `cumulative_hazard` >= 0,
//! `std_error`, `cumulative_hazard_low`, `cumulative_hazard_high`.
//!
//! # Parameters
//! `confidence` 0.95 in (0, 1); `interval` `'log'` (or `'plain'`).
//!
//! # Shapes
//! As [`crate::kaplan_meier`].
//!
//! # Errors
//! As [`crate::kaplan_meier`].
//!
//! # Guarantees
//! Equal to lifelines 0.30.3 (without smoothing of ties) to 1e-9 on six data sets.
//!
//! # Source
//! Nelson 1972; Aalen 1978; Klein and Moeschberger 2003, eq. 4.2.3, 4.2.4 and 4.3.5. The variance is
//! Aalen's, as in R's survfit; lifelines takes d (n - d) / n^3, which differs where times are tied.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{AsArray, BooleanArray, Int64Array, RecordBatch};
//! use arrow::datatypes::Float64Type;
//! use causeway_core::{Literals, Relation, RunContext, call};
//! use causeway_survival::nelson_aalen;
//!
//! let rows = RecordBatch::try_from_iter([
//!     ("time", Arc::new(Int64Array::from(vec![1, 2, 2, 3])) as _),
//!     ("event", Arc::new(BooleanArray::from(vec![true, true, false, false])) as _),
//! ])?;
//! let input = Relation::from_batches(rows.schema(), vec![rows]);
//! let mut context = RunContext::for_test(1)?;
//! let hazard = call(&nelson_aalen::Factory, Literals::default(), vec![input], &mut context)?;
//! let hazard = hazard.batches[0]["cumulative_hazard"].as_primitive::<Float64Type>();
//! assert_eq!(hazard.values(), &[0.0, 0.25, 0.25 + 1.0 / 3.0, 0.25 + 1.0 / 3.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod params;
#[cfg(test)]
mod tests;

use causeway_core::{
    Literals, Operator, OperatorFactory, Output, Parameter, ParameterKind, PrivacyClaim, Relation, Result, Roles,
    RunContext, Spec,
};

use self::algorithm::{Hazard, cumulative_hazard};
use self::params::NelsonAalen;
use crate::cohort::Cohort;
use crate::output::{Column, add, assemble, curve_columns, doubles};
use crate::risk_table::Moment;
use crate::roles;

/// Makes the operator `nelson_aalen`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "nelson_aalen",
    family: "survival",
    version: 1,
    summary: "Cumulative hazard of right-censored durations (Nelson-Aalen).",
    details: "
H(t) is the sum over the distinct times t_i <= t of d_i / n_i, with d_i events among n_i rows at risk; its variance
is the sum of d_i / n_i^2. With `interval => 'log'` the limits are H exp(-+ z std_error / H), with `'plain'` they
are H -+ z std_error, cut at 0; where H is 0 both limits are 0.

The first row of each group stands at time 0. Nulls, entries, ties and empty input are treated as by `kaplan_meier`.",
    inputs: &[roles::ROWS],
    parameters: &[
        roles::CONFIDENCE,
        Parameter {
            name: "interval",
            kind: ParameterKind::Choice(&["log", "plain"]),
            default: Some("'log'"),
            unit: "",
            meaning: "scale on which the estimate is taken as normal: log H or H itself",
        },
    ],
    output: &[
        roles::BY_OUT,
        roles::TIME_OUT,
        roles::AT_RISK_OUT,
        roles::EVENTS_OUT,
        roles::CENSORED_OUT,
        roles::estimate(
            "cumulative_hazard",
            false,
            "",
            "expected number of events of one row followed up to the time, >= 0",
        ),
        roles::estimate("std_error", false, "", "standard error of the cumulative hazard"),
        roles::estimate("cumulative_hazard_low", false, "", "lower confidence limit, >= 0"),
        roles::estimate("cumulative_hazard_high", false, "", "upper confidence limit"),
    ],
    indirect: roles::GROUPED,
    privacy: PrivacyClaim::Exact,
    source: "Nelson 1972; Aalen 1978; Klein and Moeschberger 2003, eq. 4.2.3, 4.2.4 and 4.3.5",
    example: "SELECT * FROM nelson_aalen((SELECT time, status AS event, sex FROM clinical.lung), by => 'sex')",
};

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Bound { params: NelsonAalen::from_literals(literals)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    params: NelsonAalen,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let cohort = Cohort::read(SPEC.name, &self.roles, &self.roles.columns("by"), inputs, context)?;
        let report = cohort.report();
        let mut moments: Vec<Moment> = Vec::new();
        let mut hazards: Vec<Hazard> = Vec::new();
        let mut rows_per_group = Vec::with_capacity(cohort.tables.len());
        for table in cohort.tables {
            context.check_cancelled()?;
            let group = table.with_start();
            add(&mut hazards, cumulative_hazard(&group, &self.params));
            rows_per_group.push(group.len());
            add(&mut moments, group);
        }
        let estimates: [Column<'_>; 4] = [
            &|| doubles(hazards.iter().map(|hazard| hazard.sum)),
            &|| doubles(hazards.iter().map(|hazard| hazard.std_error)),
            &|| doubles(hazards.iter().map(|hazard| hazard.low)),
            &|| doubles(hazards.iter().map(|hazard| hazard.high)),
        ];
        let columns = context.pool().install(|| curve_columns(&moments, &estimates));
        context.progress(1.0);
        assemble(self.output_schema()?, &cohort.keys, &rows_per_group, columns, report)
    }
}
