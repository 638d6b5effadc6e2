//! Private quantiles.
//!
//! Quantiles of a number column in each group of a public list, read off a noisy histogram.
//!
//! ```text
//! c_j = rows in bin j + Z_j,  P(Z = z) ~ exp(-epsilon |z| / rows_per_unit)        the release
//! D_j = (1 - q) sum of c_i for i <= j - q sum of c_i for i > j                    post-processing
//! quantile: where the closest rising sequence to D crosses 0, linear within its bin
//! ```
//!
//! # Input
//! As [`crate::dp_sum`].
//!
//! # Output
//! The column of `by`, `probability`, `estimate`, `privacy_se`, `conf_low`, `conf_high`, in [low, high] but the error.
//!
//! # Parameters
//! As [`crate::dp_histogram`]; `bins` 64 in [2, 4096]; `probabilities` '0.5', numbers in (0, 1) separated by commas.
//!
//! # Shapes
//! n rows to groups times probabilities rows; otherwise as [`crate::dp_count`].
//!
//! # Errors
//! As [`crate::dp_sum`].
//!
//! # Guarantees
//! As [`crate::dp_histogram`]; `dp_quantile.privacy.md`. The limits enclose the quantile of these rows with probability
//! `confidence` at least, up to the normal approximation of a sum of noises.
//!
//! The exponential mechanism (McSherry and Talwar 2007; Smith 2011) gives one quantile without bins, with a rank error
//! of about 2 ln(range) rows_per_unit / ε. The histogram's, about sqrt(bins) rows_per_unit / ε, is as small for some
//! hundred bins. It is preferred because the same ε pays for all quantiles and for their limits, and because its running
//! time does not depend on the rows.
//!
//! # Source
//! Dwork, McSherry, Nissim and Smith 2006 (histogram); Barlow, Bartholomew, Bremner and Brunk 1972 (closest rising
//! sequence).
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{AsArray, Int64Array, RecordBatch};
//! use arrow::datatypes::Float64Type;
//! use causeway_core::{Literal, Literals, Relation, RunContext, call};
//! use causeway_privacy::dp_quantile;
//!
//! let rows = RecordBatch::try_from_iter([("age", Arc::new(Int64Array::from_iter_values((0..100_000).map(|i| i % 100))) as _)])?;
//! let mut options = Literals::default();
//! options.insert("value", Literal::Text("age".into()));
//! options.insert("probabilities", Literal::Text("0.25, 0.5".into()));
//! for (name, value) in [("epsilon", 1), ("low", 0), ("high", 100)] {
//!     options.insert(name, Literal::Integer(value));
//! }
//! let input = Relation::from_batches(rows.schema(), vec![rows]);
//! let quantiles = call(&dp_quantile::Factory, options, vec![input], &mut RunContext::for_test(1)?)?;
//! let ages = quantiles.batches[0]["estimate"].as_primitive::<Float64Type>();
//! assert!((ages.value(0) - 25.0).abs() < 1.0 && (ages.value(1) - 50.0).abs() < 1.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use causeway_core::{
    Literals, Operator, OperatorError, OperatorFactory, Output, Parameter, ParameterKind, PrivacyClaim, PrivacyCost,
    Relation, Result, Roles, RunContext, Spec,
};

use self::algorithm::quantile;
use crate::aggregate::roles::{self, released};
use crate::aggregate::{Bins, Bounds, Estimate, Release, Share, confidence, estimates};

/// Makes the operator `dp_quantile`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "dp_quantile",
    family: "privacy",
    version: 1,
    summary: "Quantiles of a number column in each group, differentially private.",
    details: "
Counts the rows in `bins` equal bins of [low, high], adds discrete Laplace noise of scale rows_per_unit / epsilon to each
count, and reads all quantiles asked for off the noisy counts: they cost nothing more. The quantile for a probability q
is where (1 - q) times the rows below balances q times the rows above, linear within the bin.

More bins tell values better apart and make more noise: about sqrt(2 bins) rows_per_unit / epsilon ranks. `conf_low` and
`conf_high` are edges of bins and enclose the quantile of these rows (moved into the bounds) with probability
`confidence`; `privacy_se` is the width of the interval in standard errors. Where hardly any row is left beside the noise
the interval is the whole range. NULL and NaN are left out. Groups and units are as in `dp_count`.",
    inputs: &[roles::VALUES],
    parameters: &[
        roles::EPSILON,
        roles::LOW,
        roles::HIGH,
        Parameter {
            name: "probabilities",
            kind: ParameterKind::Text,
            default: Some("'0.5'"),
            unit: "",
            meaning: "numbers in (0, 1) separated by commas: '0.25, 0.5, 0.75'",
        },
        Parameter {
            name: "bins",
            kind: ParameterKind::Integer { min: 2, max: 4096 },
            default: Some("64"),
            unit: "bins",
            meaning: "number of bins of equal width",
        },
        roles::BY_VALUES,
        roles::ROWS_PER_UNIT,
        roles::CONFIDENCE,
    ],
    output: &[
        roles::BY_OUT,
        released("probability", "", "share of the rows below the quantile, as asked for"),
        released("estimate", "of `value`", "noisy quantile in [low, high]"),
        released("privacy_se", "of `value`", "error that the noise and the bins make, from the noisy counts"),
        released("conf_low", "of `value`", "lower limit of the quantile of these rows, in [low, high]"),
        released("conf_high", "of `value`", "upper limit of the quantile of these rows, in [low, high]"),
    ],
    indirect: roles::GROUPED,
    privacy: PrivacyClaim::Private(
        "pure epsilon-differential privacy under adding or removing one unit with at most rows_per_unit rows that count",
    ),
    source: "Dwork, McSherry, Nissim and Smith 2006 (histogram); Barlow et al. 1972 (isotonic regression); Canonne, Kamath and Steinke 2020, algorithm 2 (noise)",
    example: "SELECT * FROM dp_quantile((SELECT patient_id, age FROM clinical.patients), value => 'age', epsilon => 1, low => 0, high => 110, probabilities => '0.25, 0.5, 0.75', unit => 'patient_id')",
};

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        let bins = Bins::new(SPEC.name, Bounds::new(SPEC.name, literals)?, literals)?;
        let share = Share { n_cells: bins.n, per_row: 1, parts: 1 };
        let release = Release::new(SPEC.name, "discrete Laplace histogram", &[share], literals, &roles)?;
        let probabilities = probabilities(literals)?;
        Ok(Box::new(Bound { release, bins, probabilities, confidence: confidence(SPEC.name, literals)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    release: Release,
    bins: Bins,
    probabilities: Vec<f64>,
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
        let of_group = |counts| {
            let quantile = move |q: &f64| quantile(*q, counts, self.bins, noise.variance, self.confidence);
            self.probabilities.iter().map(quantile)
        };
        let rows: Vec<Estimate> = released.chunks_exact(self.bins.n).flat_map(of_group).collect();
        let mut columns = self.release.groups.keys(self.probabilities.len())?;
        let probability: ArrayRef =
            Arc::new(Float64Array::from_iter_values(self.probabilities.iter().copied().cycle().take(rows.len())));
        columns.push(probability);
        columns.extend(estimates(&rows));
        Ok(self.release.output(RecordBatch::try_new(self.output_schema()?, columns)?))
    }
}

/// Reads `probabilities`.
fn probabilities(literals: &Literals) -> Result<Vec<f64>> {
    let given = literals.text("probabilities").unwrap_or_default();
    let read = |word: &str| word.trim().parse::<f64>().ok().filter(|q| *q > 0.0 && *q < 1.0);
    given.split(',').map(read).collect::<Option<Vec<f64>>>().filter(|list| list.len() <= 100).ok_or_else(|| {
        OperatorError::Parameter {
            operator: SPEC.name,
            name: "probabilities".to_owned(),
            range: "at most 100 numbers in (0, 1) separated by commas, for example '0.25, 0.5, 0.75'".to_owned(),
            value: format!("'{given}'"),
        }
    })
}
