//! Private counts.
//!
//! The number of rows, or of units, in each group of a public list, with discrete Laplace noise.
//!
//! ```text
//! released_g = sum over units of min(rows of the unit in g that count) + Z_g,   P(Z = z) ~ exp(-epsilon |z| / rows_per_unit)
//! ```
//!
//! # Input
//! `by`: category, NULL or unlisted rows are left out. `unit`: category, whose row it is; NULL rows are left out.
//!
//! # Output
//! The column of `by`, `estimate`, `privacy_se`, `conf_low`, `conf_high` (rows).
//!
//! # Parameters
//! `epsilon` required; `by_values` the public groups; `rows_per_unit` 1; `confidence` 0.95.
//!
//! # Shapes
//! n rows to one row for each listed group; time O(n groups), memory O(units) where a column plays `unit`, O(groups)
//! without.
//!
//! # Errors
//! At planning: options out of range, `by` without `by_values`, `rows_per_unit` above 1 without `unit`. No error depends
//! on a row.
//!
//! # Guarantees
//! Pure ε-differential privacy under adding or removing a unit; claim and proof in `dp_count.privacy.md`. The empirical
//! lower bound on ε by an attack on the worst pair stays at or below ε.
//!
//! # Source
//! Dwork, McSherry, Nissim and Smith 2006; Ghosh, Roughgarden and Sundararajan 2009 (discrete noise).
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{AsArray, Int64Array, RecordBatch};
//! use arrow::datatypes::Float64Type;
//! use causeway_core::{Literal, Literals, Relation, RunContext, call};
//! use causeway_privacy::dp_count;
//!
//! let rows = RecordBatch::try_from_iter([("age", Arc::new(Int64Array::from_iter_values(0..1000)) as _)])?;
//! let mut options = Literals::default();
//! options.insert("epsilon", Literal::Float(1.0));
//! let input = Relation::from_batches(rows.schema(), vec![rows]);
//! let count = call(&dp_count::Factory, options, vec![input], &mut RunContext::for_test(1)?)?;
//! let estimate = count.batches[0]["estimate"].as_primitive::<Float64Type>().value(0);
//! assert!((estimate - 1000.0).abs() < 50.0); // fails once in exp(50) runs
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod tests;

use arrow::array::RecordBatch;
use causeway_core::{
    Literals, Operator, OperatorFactory, Output, PrivacyClaim, PrivacyCost, Relation, Result, Roles, RunContext, Spec,
};

use crate::aggregate::roles::{self, counted};
use crate::aggregate::{Amounts, Estimate, Release, Share, confidence, estimates};

/// Makes the operator `dp_count`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "dp_count",
    family: "privacy",
    version: 1,
    summary: "Number of rows or units of each group, differentially private.",
    details: "
Counts rows and adds discrete Laplace noise of scale rows_per_unit / epsilon to each count. With `unit` and
rows_per_unit = 1 it counts units. A unit with more rows than rows_per_unit counts by as many of them, chosen by a
fixed mixture of the group, whatever the order of the rows and whoever else is in the table.

The groups are those that `by_values` lists, in that order: which values occur in the rows decides nothing, and a
group without rows has a noisy count too. Rows of other groups are left out. Groups share one epsilon, since a unit
changes all counts together by rows_per_unit at most.

`estimate` is the noisy count, which may be negative; `conf_low` and `conf_high` enclose the count of these rows (after
the bound on rows of a unit) with probability `confidence`; they say nothing about sampling. `privacy_se` is the
standard deviation of the noise.",
    inputs: &[roles::ROWS],
    parameters: &[roles::EPSILON, roles::BY_VALUES, roles::ROWS_PER_UNIT, roles::CONFIDENCE],
    output: &[
        roles::BY_OUT,
        counted("estimate", "noisy count; may be negative"),
        counted("privacy_se", "standard deviation of the noise; public"),
        counted("conf_low", "lower limit of the count of these rows, at least 0"),
        counted("conf_high", "upper limit of the count of these rows, at least 0"),
    ],
    indirect: roles::GROUPED,
    privacy: PrivacyClaim::Private(
        "pure epsilon-differential privacy under adding or removing one unit with at most rows_per_unit rows that count",
    ),
    source: "Dwork, McSherry, Nissim and Smith 2006; Ghosh, Roughgarden and Sundararajan 2009; Canonne, Kamath and Steinke 2020, algorithm 2 (noise)",
    example: "SELECT * FROM dp_count((SELECT patient_id, sex FROM clinical.patients), epsilon => 0.5, unit => 'patient_id', by => 'sex', by_values => ARRAY['female', 'male'])",
};

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        let share = Share { n_cells: 1, per_row: 1, parts: 1 };
        let release = Release::new(SPEC.name, "discrete Laplace count", &[share], literals, &roles)?;
        Ok(Box::new(Bound { release, confidence: confidence(SPEC.name, literals)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    release: Release,
    confidence: f64,
    roles: Roles,
}

/// Each row is one more.
struct Ones;

impl Amounts for Ones {
    fn cells_per_group(&self) -> usize {
        1
    }

    fn reads_values(&self) -> bool {
        false
    }

    fn add(&self, _value: f64, cells: &mut [i128]) {
        cells[0] += 1;
    }
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn privacy_cost(&self) -> Option<PrivacyCost> {
        Some(self.release.cost())
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let released = self.release.run(&self.roles, &Ones, inputs, context)?;
        let noise = self.release.noise(0, self.confidence)?;
        let rows: Vec<Estimate> =
            released.iter().map(|cell| Estimate::of_cell(*cell, &noise, 1.0).limits_within(0.0, f64::MAX)).collect();
        let mut columns = self.release.groups.keys(1)?;
        columns.extend(estimates(&rows));
        Ok(self.release.output(RecordBatch::try_new(self.output_schema()?, columns)?))
    }
}
