//! Survival time quantiles, among them the median.
//!
//! Finds the time by which a share q of the group has had the event, and its confidence limits by
//! reading the limits of the curve (Brookmeyer and Crowley):
//!
//! ```text
//! t_q    = min { t : S(t) <= 1 - q }
//! limits = min { t : S_low(t) <= 1 - q },  min { t : S_high(t) <= 1 - q }
//! ```
//!
//! # Input
//! As [`crate::kaplan_meier`].
//!
//! # Output
//! The columns of `by`, `n_rows`, `n_events`, `quantile` (the option), `time`, `time_low`,
//! `time_high`; a time is null where the curve, or its limit, does not fall that far.
//!
//! # Parameters
//! `quantile` 0.5 in (0, 1); `confidence` 0.95 in (0, 1); `interval` `'loglog'` (`'log'`, `'plain'`).
//!
//! # Shapes
//! n rows to one row for each group; cost as [`crate::kaplan_meier`].
//!
//! # Errors
//! As [`crate::kaplan_meier`].
//!
//! # Guarantees
//! Equal to lifelines 0.30.3, medians and limits, on six data sets and their groups. A curve within
//! 1e-12 of 1 - q counts as having reached it, so that rounding does not decide.
//!
//! # Source
//! Brookmeyer and Crowley, A confidence interval for the median survival time, Biometrics 38 (1982);
//! Klein and Moeschberger 2003, 4.5. R's survfit takes the middle of a flat stretch at exactly 1 - q,
//! we take its begin.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{AsArray, BooleanArray, Int64Array, RecordBatch};
//! use arrow::datatypes::Float64Type;
//! use causeway_core::{Literals, Relation, RunContext, call};
//! use causeway_survival::survival_quantile;
//!
//! let rows = RecordBatch::try_from_iter([
//!     ("time", Arc::new(Int64Array::from(vec![1, 2, 2, 3])) as _),
//!     ("event", Arc::new(BooleanArray::from(vec![true, true, false, true])) as _),
//! ])?;
//! let input = Relation::from_batches(rows.schema(), vec![rows]);
//! let mut context = RunContext::for_test(1)?;
//! let median = call(&survival_quantile::Factory, Literals::default(), vec![input], &mut context)?;
//! assert_eq!(median.batches[0]["time"].as_primitive::<Float64Type>().value(0), 2.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod params;
#[cfg(test)]
mod tests;

use causeway_core::{
    ColumnSpec, Literals, Operator, OperatorFactory, Output, OutputType, Parameter, ParameterKind, PrivacyClaim,
    Relation, Result, Roles, RunContext, Spec,
};

use self::algorithm::{Quantile, quantile_time};
use self::params::SurvivalQuantile;
use crate::cohort::Cohort;
use crate::output::{assemble, counts, doubles, nullable_doubles};
use crate::risk_table::RiskTable;
use crate::roles;

/// Makes the operator `survival_quantile`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "survival_quantile",
    family: "survival",
    version: 1,
    summary: "Median survival time, or another quantile, with its confidence interval.",
    details: "
The first time at which the Kaplan-Meier curve is at or below 1 - `quantile`. The limits are the first times at
which the lower and the upper confidence limit of the curve are (Brookmeyer and Crowley 1982). A time is null
where the curve, or its limit, does not fall that far within the follow-up.

A curve within 1e-12 of 1 - `quantile` counts as having reached it. Nulls, entries, ties and empty input are
treated as by `kaplan_meier`.",
    inputs: &[roles::ROWS],
    parameters: &[
        Parameter {
            name: "quantile",
            kind: ParameterKind::Float { min: 0.0, max: 1.0, open: true },
            default: Some("0.5"),
            unit: "",
            meaning: "share that has had the event by the time sought; 0.5 = median",
        },
        roles::CONFIDENCE,
        roles::INTERVAL,
    ],
    output: &[
        roles::BY_OUT,
        roles::N_ROWS_OUT,
        roles::N_EVENTS_OUT,
        ColumnSpec {
            name: "quantile",
            kind: OutputType::Float64,
            nullable: false,
            unit: "",
            meaning: "the option `quantile`",
            from: &[],
        },
        roles::estimate("time", true, "of `time`", "the quantile; null if the curve stays above 1 - quantile"),
        roles::estimate("time_low", true, "of `time`", "lower confidence limit; null if not reached"),
        roles::estimate("time_high", true, "of `time`", "upper confidence limit; null if not reached"),
    ],
    indirect: roles::GROUPED,
    privacy: PrivacyClaim::Exact,
    source: "Brookmeyer and Crowley 1982; Klein and Moeschberger 2003, section 4.5",
    example: "SELECT * FROM survival_quantile((SELECT time, status AS event, sex FROM clinical.lung), by => 'sex')",
};

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Bound { params: SurvivalQuantile::from_literals(literals)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    params: SurvivalQuantile,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let cohort = Cohort::read(SPEC.name, &self.roles, &self.roles.columns("by"), inputs, context)?;
        let mut found: Vec<Quantile> = Vec::with_capacity(cohort.tables.len());
        let report = cohort.report();
        let n_rows = counts(cohort.tables.iter().map(|table| table.n_rows));
        let n_events = counts(cohort.tables.iter().map(RiskTable::n_events));
        for table in cohort.tables {
            context.check_cancelled()?;
            found.push(quantile_time(&table.with_start(), self.params.quantile, self.params.interval));
        }
        context.progress(1.0);
        let columns = vec![
            n_rows,
            n_events,
            doubles(found.iter().map(|_| self.params.quantile)),
            nullable_doubles(found.iter().map(|quantile| quantile.time)),
            nullable_doubles(found.iter().map(|quantile| quantile.low)),
            nullable_doubles(found.iter().map(|quantile| quantile.high)),
        ];
        assemble(self.output_schema()?, &cohort.keys, &vec![1; found.len()], columns, report)
    }
}
