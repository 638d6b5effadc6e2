//! Rows with a treatment, an instrument that may be invalid, and an effect that is known.
//!
//! Draws covariates, a confounder that stays hidden, an instrument, a treatment and an outcome by
//!
//! ```text
//! x1, x2 ~ U(-1, 1)   x3 ~ Bernoulli(1/2)   u ~ U(-1, 1)          u is hidden
//! Z ~ Bernoulli(expit(lp_z))
//! A ~ Bernoulli(expit(lp_a + c Z) + k u)
//! Y = g + w d Z + beta A + v s u + e                              e normal, mean 0
//! ```
//!
//! where lp_z, lp_a, g, d and beta are linear in the covariates.
//!
//! # Input
//! None.
//!
//! # Output
//! `outcome` f64, `treatment` and `instrument` i64 (0 or 1), `x1`, `x2`, `x3` f64; with `reveal => true` also
//! `confounder` f64 (u) and `effect` f64 (beta of the row).
//!
//! # Parameters
//! `design` `'a'` (mean effect 2.25), `'b'` (-1.3), `'c'` (0); `n_rows` 1000; `direct_effect` 1 (w: 0 makes the instrument
//! valid); `confounding` 1 (v: 0 makes the treatment as good as random); `reveal` false; `seed` 0.
//!
//! # Shapes
//! `n_rows` rows; cost and memory O(rows).
//!
//! # Errors
//! `Memory`, `Cancelled`.
//!
//! # Guarantees
//! The same options give the same bytes on any machine and any number of threads; more rows extend those of fewer. In
//! every design the covariance of treatment and outcome that is due to u is k v s / 3 whatever X and Z, and the
//! variance of the treatment given X differs between the arms of the instrument: what `iv_ate` needs.
//!
//! # Source
//! Our own designs for the setting of Sun, Cui and Tchetgen Tchetgen, JMLR 23 (2022).
//!
//! # Example
//! ```
//! use causeway_causal::simulate_iv;
//! use causeway_core::{Literal, Literals, RunContext, call};
//!
//! let mut options = Literals::default();
//! options.insert("design", Literal::Text("b".to_owned()));
//! let rows = call(&simulate_iv::Factory, options, vec![], &mut RunContext::for_test(1)?)?;
//! assert_eq!((rows.batches[0].num_rows(), rows.batches[0].num_columns()), (1000, 6));
//! assert_eq!(rows.report["ate"], -1.3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod params;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use causeway_core::{
    ColumnOrigin, ColumnSpec, Literals, Operator, OperatorFactory, Output, OutputType, Parameter, ParameterKind,
    PrivacyClaim, Relation, Report, Result, Roles, RunContext, Spec,
};
use rayon::prelude::*;

use self::algorithm::{BLOCK_ROWS, Rows};
use self::params::Simulation;

/// Makes the operator `simulate_iv`.
#[derive(Debug)]
pub struct Factory;

/// Blocks drawn between two checks for cancellation.
const CHUNK_BLOCKS: usize = 16;

/// Columns that are shown only on request; the last ones.
const N_HIDDEN: usize = 2;

static SPEC: Spec = Spec {
    name: "simulate_iv",
    family: "causal",
    version: 1,
    summary: "Rows of a study with a possibly invalid instrument and a known effect.",
    details: "
x1 and x2 are uniform on (-1, 1), x3 is 0 or 1 with equal chance, u is uniform on (-1, 1) and hidden. The instrument Z is 1
with probability expit(lp_z), the treatment A with probability expit(lp_a + c Z) + k u, and the outcome is
g + d Z + beta A + s u + e, where d is the direct effect of the instrument, which a valid one does not have:

| design | lp_z | lp_a, c, k | beta | mean effect | g | d | s | sd of e |
|---|---|---|---|---|---|---|---|---|
| 'a' | 0.3 + 0.5 x1 - 0.4 x3 | -1.6 + 0.3 x1 - 0.2 x3, 1.5, 0.1 | 2 + x1 + 0.5 x3 | 2.25 | 1 + 0.5 x1 - 0.3 x2 | 1.5 + 0.4 x2 | 4 | 1 |
| 'b' | -0.2 - 0.6 x2 + 0.3 x3 | -1.7 - 0.2 x2 + 0.1 x3, 1.6, 0.1 | -1 + 0.8 x2 - 0.6 x3 | -1.3 | -0.5 + 0.3 x3 | -2 + 0.7 x1 | -5 | 0.8 |
| 'c' | 0.1 + 0.4 x1 | -1.6 + 0.2 x2, 1.6, 0.12 | 0 | 0 | 2 - 0.5 x1 + 0.4 x2 | 1 | 3 | 1 |

`direct_effect` multiplies d: with 0 the instrument is valid. `confounding` multiplies s: with 0 nothing is hidden that
matters. `iv_ate` finds the mean effect in every design, `iv_regression` only with `direct_effect => 0`. The same options
give the same rows on any machine and any number of threads; rows of a smaller `n_rows` are the first of a larger.
There are no nulls. Cost O(rows).",
    inputs: &[],
    parameters: &[
        Parameter {
            name: "design",
            kind: ParameterKind::Choice(&["a", "b", "c"]),
            default: Some("'a'"),
            unit: "",
            meaning: "which of the three designs",
        },
        Parameter {
            name: "n_rows",
            kind: ParameterKind::Integer { min: 0, max: 1_000_000_000 },
            default: Some("1000"),
            unit: "rows",
            meaning: "number of rows",
        },
        factor("direct_effect", "what the direct effect of the instrument is multiplied by; 0 makes it valid"),
        factor("confounding", "what the effect of u on the outcome is multiplied by"),
        Parameter {
            name: "reveal",
            kind: ParameterKind::Boolean,
            default: Some("false"),
            unit: "",
            meaning: "also show the columns `confounder` and `effect`, which a study would not have",
        },
        Parameter {
            name: "seed",
            kind: ParameterKind::Integer { min: 0, max: i64::MAX },
            default: Some("0"),
            unit: "",
            meaning: "draws the rows",
        },
    ],
    output: &[
        column("outcome", OutputType::Float64, "Y"),
        column("treatment", OutputType::Int64, "A: 0 untreated, 1 treated"),
        column("instrument", OutputType::Int64, "Z: 0 not encouraged, 1 encouraged"),
        column("x1", OutputType::Float64, "covariate in (-1, 1)"),
        column("x2", OutputType::Float64, "covariate in (-1, 1)"),
        column("x3", OutputType::Float64, "covariate, 0 or 1"),
        column("confounder", OutputType::Float64, "only with `reveal`: u, in (-1, 1)"),
        column("effect", OutputType::Float64, "only with `reveal`: what the treatment does to the outcome of the row"),
    ],
    indirect: &[],
    privacy: PrivacyClaim::Exact,
    source: "own designs for the setting of Sun, Cui and Tchetgen Tchetgen 2022",
    example: "SELECT * FROM simulate_iv(design => 'a', n_rows => 5000, seed => 7)",
};

const fn factor(name: &'static str, meaning: &'static str) -> Parameter {
    let kind = ParameterKind::Float { min: f64::NEG_INFINITY, max: f64::INFINITY, open: false };
    Parameter { name, kind, default: Some("1"), unit: "", meaning }
}

const fn column(name: &'static str, kind: OutputType, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind, nullable: false, unit: "", meaning, from: &[] }
}

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Bound { params: Simulation::from_literals(SPEC.name, literals)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    params: Simulation,
    roles: Roles,
}

impl Bound {
    fn n_columns(&self) -> usize {
        if self.params.reveal { SPEC.output.len() } else { SPEC.output.len() - N_HIDDEN }
    }
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn output_schema(&self) -> Result<SchemaRef> {
        let kind = |column: &ColumnSpec| match column.kind {
            OutputType::Int64 => DataType::Int64,
            _ => DataType::Float64,
        };
        let columns = &SPEC.output[..self.n_columns()];
        let fields: Vec<Field> = columns.iter().map(|column| Field::new(column.name, kind(column), false)).collect();
        Ok(Arc::new(Schema::new(fields)))
    }

    fn column_lineage(&self) -> Vec<Vec<ColumnOrigin>> {
        vec![Vec::new(); self.n_columns()]
    }

    fn run(&self, _inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let params = &self.params;
        context.grow_memory(size_of::<f64>().saturating_mul(params.n_rows).saturating_mul(SPEC.output.len()))?;
        let schema = self.output_schema()?;
        let starts: Vec<usize> = (0..params.n_rows).step_by(BLOCK_ROWS).collect();
        let mut batches = Vec::with_capacity(starts.len());
        for chunk in starts.chunks(CHUNK_BLOCKS) {
            context.check_cancelled()?;
            let draw = |start: &usize| {
                let n_rows = BLOCK_ROWS.min(params.n_rows - start);
                params.design.block(params.seed, (start / BLOCK_ROWS) as u64, n_rows)
            };
            let blocks: Vec<Rows> = context.pool().install(|| chunk.par_iter().map(draw).collect());
            for rows in blocks {
                let columns = arrays(rows).into_iter().take(self.n_columns()).collect();
                batches.push(RecordBatch::try_new(SchemaRef::clone(&schema), columns)?);
            }
            context.progress(share(batches.len(), starts.len()));
        }
        let report = Report::from([
            ("n_rows", params.n_rows.into()),
            ("ate", params.design.ate().into()),
            ("seed", params.seed.into()),
        ]);
        Ok(Output { batches, report })
    }
}

/// Returns the columns in the order of the output.
fn arrays(rows: Rows) -> Vec<ArrayRef> {
    let numbers = |values: Vec<f64>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
    let flags = |values: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
    let mut columns = vec![numbers(rows.outcome), flags(rows.treatment), flags(rows.instrument)];
    columns.extend(rows.covariates.into_iter().map(numbers));
    columns.extend([numbers(rows.confounder), numbers(rows.effect)]);
    columns
}

#[expect(clippy::cast_precision_loss, reason = "counts of batches")]
fn share(done: usize, all: usize) -> f64 {
    done as f64 / all as f64
}
