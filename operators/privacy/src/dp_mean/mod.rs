//! Private means.
//!
//! The mean of a number column in each group of a public list, from a noisy sum about the middle and a noisy count.
//!
//! ```text
//! S_g = sum of q(v - middle) + Z,  N_g = count + Z'      half of epsilon each
//! mean_g = middle + step S_g / max(N_g, 1), moved into [low, high]
//! ```
//!
//! # Input
//! As [`crate::dp_sum`].
//!
//! # Output
//! The column of `by`, `estimate`, `privacy_se`, `conf_low`, `conf_high`, all in [low, high] but the error.
//!
//! # Parameters
//! As [`crate::dp_sum`].
//!
//! # Shapes
//! As [`crate::dp_count`].
//!
//! # Errors
//! As [`crate::dp_sum`].
//!
//! # Guarantees
//! As [`crate::dp_sum`]; `dp_mean.privacy.md`. The middle halves the largest amount of a row, and with it the noise.
//!
//! # Source
//! Dwork, McSherry, Nissim and Smith 2006; the sum about the middle as in Li, Lyu, Su and Yang 2016, section 2.4.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{AsArray, Int64Array, RecordBatch};
//! use arrow::datatypes::Float64Type;
//! use causeway_core::{Literal, Literals, Relation, RunContext, call};
//! use causeway_privacy::dp_mean;
//!
//! let rows = RecordBatch::try_from_iter([("age", Arc::new(Int64Array::from(vec![61; 10_000])) as _)])?;
//! let mut options = Literals::default();
//! options.insert("value", Literal::Text("age".into()));
//! for (name, value) in [("epsilon", 1), ("low", 0), ("high", 100)] {
//!     options.insert(name, Literal::Integer(value));
//! }
//! let input = Relation::from_batches(rows.schema(), vec![rows]);
//! let mean = call(&dp_mean::Factory, options, vec![input], &mut RunContext::for_test(1)?)?;
//! let estimate = mean.batches[0]["estimate"].as_primitive::<Float64Type>().value(0);
//! assert!((estimate - 61.0).abs() < 1.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
#[cfg(test)]
mod tests;

use arrow::array::RecordBatch;
use causeway_core::{
    Literals, Operator, OperatorFactory, Output, PrivacyClaim, PrivacyCost, Relation, Result, Roles, RunContext, Spec,
};

use self::algorithm::mean;
use crate::aggregate::roles::{self, released};
use crate::aggregate::{Amounts, Bounds, Estimate, Lattice, Release, Share, confidence, estimates};

/// Makes the operator `dp_mean`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "dp_mean",
    family: "privacy",
    version: 1,
    summary: "Mean of a number column in each group, differentially private.",
    details: "
Releases a noisy count and a noisy sum of the distances from the middle of [low, high], each with half of epsilon, and
divides. Values are moved into [low, high] and rounded to whole steps (a power of two, about 2^-20 of half the width).

`privacy_se` is the error of the ratio to first order: sqrt(var_sum + (mean - middle)^2 var_count) / count, and half the
width where the noisy count is below 1. `conf_low` and `conf_high` enclose the mean of these rows (moved into the bounds)
with probability `confidence` at least: sum and count each take half of the rest. A group that may have no rows has the
whole range as its interval. NULL and NaN are left out. Groups and units are as in `dp_count`.",
    inputs: &[roles::VALUES],
    parameters: &[roles::EPSILON, roles::LOW, roles::HIGH, roles::BY_VALUES, roles::ROWS_PER_UNIT, roles::CONFIDENCE],
    output: &[
        roles::BY_OUT,
        released("estimate", "of `value`", "noisy mean in [low, high]"),
        released("privacy_se", "of `value`", "error that the noise makes, from the noisy values"),
        released("conf_low", "of `value`", "lower limit of the mean of these rows, in [low, high]"),
        released("conf_high", "of `value`", "upper limit of the mean of these rows, in [low, high]"),
    ],
    indirect: roles::GROUPED,
    privacy: PrivacyClaim::Private(
        "pure epsilon-differential privacy under adding or removing one unit with at most rows_per_unit rows that count",
    ),
    source: "Dwork, McSherry, Nissim and Smith 2006; Li, Lyu, Su and Yang 2016, section 2.4; Canonne, Kamath and Steinke 2020, algorithm 2 (noise)",
    example: "SELECT * FROM dp_mean((SELECT patient_id, age, sex FROM clinical.patients), value => 'age', epsilon => 1, low => 0, high => 110, unit => 'patient_id', by => 'sex', by_values => ARRAY['female', 'male'])",
};

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        let bounds = Bounds::new(SPEC.name, literals)?;
        let lattice = Lattice::new(bounds.about_middle());
        let shares =
            [Share { n_cells: 1, per_row: 1, parts: 2 }, Share { n_cells: 1, per_row: lattice.largest(), parts: 2 }];
        let release = Release::new(SPEC.name, "discrete Laplace sum and count", &shares, literals, &roles)?;
        Ok(Box::new(Bound { release, bounds, lattice, confidence: confidence(SPEC.name, literals)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    release: Release,
    bounds: Bounds,
    lattice: Lattice,
    confidence: f64,
    roles: Roles,
}

/// Each row adds one to the count and the steps from the middle to the sum.
struct FromMiddle {
    bounds: Bounds,
    lattice: Lattice,
}

impl Amounts for FromMiddle {
    fn cells_per_group(&self) -> usize {
        2
    }

    fn add(&self, value: f64, cells: &mut [i128]) {
        cells[0] += 1;
        cells[1] += i128::from(self.lattice.steps(value - self.bounds.middle()));
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
        let amounts = FromMiddle { bounds: self.bounds, lattice: self.lattice };
        let released = self.release.run(&self.roles, &amounts, inputs, context)?;
        let each = 1.0 - (1.0 - self.confidence) / 2.0;
        let (of_count, of_sum) = (self.release.noise(0, each)?, self.release.noise(1, each)?);
        let estimate = |cells: &[i64]| {
            let count = Estimate::of_cell(cells[0], &of_count, 1.0);
            let sum = Estimate::of_cell(cells[1], &of_sum, self.lattice.step);
            mean(count, sum, self.bounds)
        };
        let rows: Vec<Estimate> = released.chunks_exact(2).map(estimate).collect();
        let mut columns = self.release.groups.keys(1)?;
        columns.extend(estimates(&rows));
        Ok(self.release.output(RecordBatch::try_new(self.output_schema()?, columns)?))
    }
}
