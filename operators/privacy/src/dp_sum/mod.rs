//! Private sums.
//!
//! The sum of a number column in each group of a public list, with discrete Laplace noise on a public lattice.
//!
//! ```text
//! q(v) = round(clamp(v, low, high) / step),  step = 2^(ceil(log2 max(|low|, |high|)) - 20)
//! released_g = step (sum of q over the rows that count + Z_g),   P(Z = z) ~ exp(-epsilon |z| / (rows_per_unit max |q|))
//! ```
//!
//! # Input
//! `value`: number; rows with NULL or NaN are left out, the others are moved into [low, high]. `by`, `unit` as
//! [`crate::dp_count`].
//!
//! # Output
//! The column of `by`, `estimate`, `privacy_se`, `conf_low`, `conf_high` (unit of `value`).
//!
//! # Parameters
//! `epsilon`, `low`, `high` required, low < high; `by_values`; `rows_per_unit` 1; `confidence` 0.95.
//!
//! # Shapes
//! As [`crate::dp_count`].
//!
//! # Errors
//! As [`crate::dp_count`], and a column that is no number; all at planning.
//!
//! # Guarantees
//! As [`crate::dp_count`]; `dp_sum.privacy.md`. Rounding to the lattice moves a value by at most half a step, one part
//! in 2^20 of the larger bound.
//!
//! # Source
//! As [`crate::dp_count`]; Mironov 2012 and Casacuberta et al. 2022 for why sums are of integers.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{AsArray, Int64Array, RecordBatch};
//! use arrow::datatypes::Float64Type;
//! use causeway_core::{Literal, Literals, Relation, RunContext, call};
//! use causeway_privacy::dp_sum;
//!
//! let rows = RecordBatch::try_from_iter([("days", Arc::new(Int64Array::from(vec![3; 1000])) as _)])?;
//! let mut options = Literals::default();
//! options.insert("value", Literal::Text("days".into()));
//! options.insert("epsilon", Literal::Float(1.0));
//! options.insert("low", Literal::Integer(0));
//! options.insert("high", Literal::Integer(8));
//! let input = Relation::from_batches(rows.schema(), vec![rows]);
//! let sum = call(&dp_sum::Factory, options, vec![input], &mut RunContext::for_test(1)?)?;
//! let estimate = sum.batches[0]["estimate"].as_primitive::<Float64Type>().value(0);
//! assert!((estimate - 3000.0).abs() < 400.0); // fails once in exp(50) runs
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod tests;

use arrow::array::RecordBatch;
use causeway_core::{
    Literals, Operator, OperatorFactory, Output, PrivacyClaim, PrivacyCost, Relation, Result, Roles, RunContext, Spec,
};

use crate::aggregate::roles::{self, released};
use crate::aggregate::{Amounts, Bounds, Estimate, Lattice, Release, Share, confidence, estimates};

/// Makes the operator `dp_sum`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "dp_sum",
    family: "privacy",
    version: 1,
    summary: "Sum of a number column in each group, differentially private.",
    details: "
Moves each value into [low, high], rounds it to a whole number of steps (a power of two, about 2^-20 of the larger
bound), adds the whole numbers, and adds discrete Laplace noise of scale rows_per_unit * max(|low|, |high|) / epsilon.
Integers are added, so the sum has the sensitivity of the formula whatever the order of the rows.

`low` and `high` must be chosen without looking at the rows. Bounds too wide make much noise, bounds too narrow move the
sum: values beyond them count as the bound, and how many do stays unknown. NULL and NaN are left out, infinities count
as the bounds. Groups, units and the interval are as in `dp_count`.",
    inputs: &[roles::VALUES],
    parameters: &[roles::EPSILON, roles::LOW, roles::HIGH, roles::BY_VALUES, roles::ROWS_PER_UNIT, roles::CONFIDENCE],
    output: &[
        roles::BY_OUT,
        released("estimate", "of `value`", "noisy sum"),
        released("privacy_se", "of `value`", "standard deviation of the noise; public"),
        released("conf_low", "of `value`", "lower limit of the sum of these rows, moved into the bounds"),
        released("conf_high", "of `value`", "upper limit of the sum of these rows, moved into the bounds"),
    ],
    indirect: roles::GROUPED,
    privacy: PrivacyClaim::Private(
        "pure epsilon-differential privacy under adding or removing one unit with at most rows_per_unit rows that count",
    ),
    source: "Dwork, McSherry, Nissim and Smith 2006; Mironov 2012; Canonne, Kamath and Steinke 2020, algorithm 2 (noise)",
    example: "SELECT * FROM dp_sum((SELECT patient_id, days FROM clinical.stays), value => 'days', epsilon => 1, low => 0, high => 60, unit => 'patient_id', rows_per_unit => 3)",
};

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        let lattice = Lattice::new(Bounds::new(SPEC.name, literals)?);
        let share = Share { n_cells: 1, per_row: lattice.largest(), parts: 1 };
        let release = Release::new(SPEC.name, "discrete Laplace sum", &[share], literals, &roles)?;
        Ok(Box::new(Bound { release, lattice, confidence: confidence(SPEC.name, literals)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    release: Release,
    lattice: Lattice,
    confidence: f64,
    roles: Roles,
}

/// Each row adds the steps of its value.
struct Steps(Lattice);

impl Amounts for Steps {
    fn cells_per_group(&self) -> usize {
        1
    }

    fn add(&self, value: f64, cells: &mut [i128]) {
        cells[0] += i128::from(self.0.steps(value));
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
        let released = self.release.run(&self.roles, &Steps(self.lattice), inputs, context)?;
        let noise = self.release.noise(0, self.confidence)?;
        let rows: Vec<Estimate> =
            released.iter().map(|cell| Estimate::of_cell(*cell, &noise, self.lattice.step)).collect();
        let mut columns = self.release.groups.keys(1)?;
        columns.extend(estimates(&rows));
        Ok(self.release.output(RecordBatch::try_new(self.output_schema()?, columns)?))
    }
}
