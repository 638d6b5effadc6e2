//! Private histograms.
//!
//! The number of rows in each of equal bins of a number column, with discrete Laplace noise.
//!
//! ```text
//! bin(v) = floor(bins (clamp(v, low, high) - low) / (high - low)), the last bin closed
//! released_gb = rows in the bin + Z_gb,   P(Z = z) ~ exp(-epsilon |z| / rows_per_unit)
//! ```
//!
//! # Input
//! As [`crate::dp_sum`].
//!
//! # Output
//! The column of `by`, `bin_low`, `bin_high`, `estimate`, `privacy_se`, `conf_low`, `conf_high`.
//!
//! # Parameters
//! As [`crate::dp_sum`], and `bins` 20 in [1, 4096].
//!
//! # Shapes
//! n rows to groups times bins rows; otherwise as [`crate::dp_count`].
//!
//! # Errors
//! As [`crate::dp_sum`].
//!
//! # Guarantees
//! As [`crate::dp_count`]; a row is in one bin, so all bins share one ε. `dp_histogram.privacy.md`.
//!
//! # Source
//! Dwork, McSherry, Nissim and Smith 2006, section 3 (histograms).
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{AsArray, Int64Array, RecordBatch};
//! use arrow::datatypes::Float64Type;
//! use causeway_core::{Literal, Literals, Relation, RunContext, call};
//! use causeway_privacy::dp_histogram;
//!
//! let rows = RecordBatch::try_from_iter([("age", Arc::new(Int64Array::from(vec![61; 1000])) as _)])?;
//! let mut options = Literals::default();
//! options.insert("value", Literal::Text("age".into()));
//! for (name, value) in [("epsilon", 1), ("low", 0), ("high", 100), ("bins", 10)] {
//!     options.insert(name, Literal::Integer(value));
//! }
//! let input = Relation::from_batches(rows.schema(), vec![rows]);
//! let bins = call(&dp_histogram::Factory, options, vec![input], &mut RunContext::for_test(1)?)?;
//! let counts = bins.batches[0]["estimate"].as_primitive::<Float64Type>();
//! assert_eq!(counts.len(), 10);
//! assert!((counts.value(6) - 1000.0).abs() < 50.0); // the bin [60, 70)
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use causeway_core::{
    Literals, Operator, OperatorFactory, Output, Parameter, ParameterKind, PrivacyClaim, PrivacyCost, Relation, Result,
    Roles, RunContext, Spec,
};

use crate::aggregate::roles::{self, released};
use crate::aggregate::{Bins, Bounds, Estimate, Release, Share, confidence, estimates};

/// Makes the operator `dp_histogram`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "dp_histogram",
    family: "privacy",
    version: 1,
    summary: "Number of rows in equal bins of a number column, differentially private.",
    details: "
Counts the rows in `bins` equal bins of [low, high] and adds discrete Laplace noise of scale rows_per_unit / epsilon to
each count. Bins contain their lower edge; the last one contains its upper edge too. Values outside the bounds are
counted in the first or the last bin, NULL and NaN nowhere. Every bin of every listed group is in the output, empty or
not: which bins have rows is not public. `estimate` may be negative.

Groups, units and the interval are as in `dp_count`; the interval holds for each bin alone.",
    inputs: &[roles::VALUES],
    parameters: &[
        roles::EPSILON,
        roles::LOW,
        roles::HIGH,
        Parameter {
            name: "bins",
            kind: ParameterKind::Integer { min: 1, max: 4096 },
            default: Some("20"),
            unit: "bins",
            meaning: "number of bins of equal width",
        },
        roles::BY_VALUES,
        roles::ROWS_PER_UNIT,
        roles::CONFIDENCE,
    ],
    output: &[
        roles::BY_OUT,
        released("bin_low", "of `value`", "lower edge of the bin; public"),
        released("bin_high", "of `value`", "upper edge of the bin; public"),
        released("estimate", "rows", "noisy count; may be negative"),
        released("privacy_se", "rows", "standard deviation of the noise; public"),
        released("conf_low", "rows", "lower limit of the count of these rows, at least 0"),
        released("conf_high", "rows", "upper limit of the count of these rows, at least 0"),
    ],
    indirect: roles::GROUPED,
    privacy: PrivacyClaim::Private(
        "pure epsilon-differential privacy under adding or removing one unit with at most rows_per_unit rows that count",
    ),
    source: "Dwork, McSherry, Nissim and Smith 2006, section 3; Canonne, Kamath and Steinke 2020, algorithm 2 (noise)",
    example: "SELECT * FROM dp_histogram((SELECT patient_id, age FROM clinical.patients), value => 'age', epsilon => 1, low => 0, high => 110, bins => 11, unit => 'patient_id')",
};

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        let bins = Bins::new(SPEC.name, Bounds::new(SPEC.name, literals)?, literals)?;
        let share = Share { n_cells: bins.n, per_row: 1, parts: 1 };
        let release = Release::new(SPEC.name, "discrete Laplace histogram", &[share], literals, &roles)?;
        Ok(Box::new(Bound { release, bins, confidence: confidence(SPEC.name, literals)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    release: Release,
    bins: Bins,
    confidence: f64,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn privacy_cost(&self) -> Option<PrivacyCost> {
        Some(self.release.cost())
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let released = self.release.run(&self.roles, &self.bins, inputs, context)?;
        let noise = self.release.noise(0, self.confidence)?;
        let rows: Vec<Estimate> =
            released.iter().map(|cell| Estimate::of_cell(*cell, &noise, 1.0).limits_within(0.0, f64::MAX)).collect();
        let mut columns = self.release.groups.keys(self.bins.n)?;
        let edges = |offset: usize| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(
                (0..rows.len()).map(|row| self.bins.edge(row % self.bins.n + offset)),
            ))
        };
        columns.extend([edges(0), edges(1)]);
        columns.extend(estimates(&rows));
        Ok(self.release.output(RecordBatch::try_new(self.output_schema()?, columns)?))
    }
}
