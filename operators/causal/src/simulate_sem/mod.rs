//! Rows of a random linear system, for trying a method on a design of one's own.
//!
//! Draws a random DAG, weights and noise scales, and rows of
//!
//! ```text
//! x_j = c_j + sum over parents i of w_ij x_i + s_j e_j                e_j of mean 0 and variance 1
//! ```
//!
//! With `form => 'lognormal'` each variable is standardised by the system's own mean and deviation and then
//! exponentiated, so that it is positive with a long tail.
//!
//! # Input
//! None.
//!
//! # Output
//! Columns `x1`, `x2`, … as many as `n_variables`.
//!
//! # Parameters
//! `n_variables` required; `n_rows` 1000; `graph` `'erdos_renyi'` or `'scale_free'`; `degree` 2; `weight_low` 0.25 and
//! `weight_high` 1 (sizes, signs are even); `noise` `'gaussian'`, `'uniform'`, `'exponential'`, `'laplace'`; `noise_low` 1
//! and `noise_high` 2 (standard deviations); `mean_low` -1, `mean_high` 1; `form`; `seed` 0.
//!
//! # Shapes
//! `n_rows` rows; cost O(rows (variables + edges)); memory O(rows variables).
//!
//! # Errors
//! `Parameter` if a lower end lies above the upper; `Memory`, `Cancelled`.
//!
//! # Guarantees
//! The same options give the same bytes on any machine and any number of threads; `simulate_sem_edges` with the
//! same options gives the graph behind the rows. More rows extend those of fewer.
//!
//! # Source
//! The design of Dai et al., Gene regulatory network inference in the presence of dropouts, ICLR 2024, section 5,
//! but lognormal variables are standardised by the moments of the system, not of the sample, so that rows are
//! independent; Erdős and Rényi 1959; Barabási and Albert 1999.
//!
//! # Example
//! ```
//! use causeway_causal::simulate_sem;
//! use causeway_core::{Literal, Literals, RunContext, call};
//!
//! let mut options = Literals::default();
//! options.insert("n_variables", Literal::Integer(3));
//! let rows = call(&simulate_sem::Factory, options, vec![], &mut RunContext::for_test(1)?)?;
//! assert_eq!((rows.batches[0].num_rows(), rows.batches[0].num_columns()), (1000, 3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod params;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use causeway_core::{
    ColumnOrigin, ColumnSpec, Literals, Operator, OperatorFactory, Output, OutputType, Parameter, ParameterKind,
    PrivacyClaim, Relation, Report, Result, Roles, RunContext, Spec,
};
use rayon::prelude::*;

use self::algorithm::BLOCK_ROWS;
pub(crate) use self::algorithm::System;
pub(crate) use self::params::Sem;

/// Makes the operator `simulate_sem`.
#[derive(Debug)]
pub struct Factory;

/// Blocks drawn between two checks for cancellation.
const CHUNK_BLOCKS: usize = 16;

pub(crate) static PARAMETERS: [Parameter; 13] = [
    integer("n_variables", 1, 100_000, None, "number of variables"),
    integer("n_rows", 0, 1_000_000_000, Some("1000"), "number of rows"),
    Parameter {
        name: "graph",
        kind: ParameterKind::Choice(&["erdos_renyi", "scale_free"]),
        default: Some("'erdos_renyi'"),
        unit: "",
        meaning: "every pair as likely as any other, or new variables join those that have many edges",
    },
    positive("degree", "2", "mean number of edges of a variable, in and out"),
    positive("weight_low", "0.25", "smallest size of a weight; signs are even"),
    positive("weight_high", "1", "largest size of a weight"),
    Parameter {
        name: "noise",
        kind: ParameterKind::Choice(&["gaussian", "uniform", "exponential", "laplace"]),
        default: Some("'gaussian'"),
        unit: "",
        meaning: "form of the noise; its mean is 0",
    },
    positive("noise_low", "1", "smallest standard deviation of the noise; equal to noise_high for equal variances"),
    positive("noise_high", "2", "largest standard deviation of the noise"),
    number("mean_low", "-1", "smallest constant of a variable"),
    number("mean_high", "1", "largest constant of a variable"),
    Parameter {
        name: "form",
        kind: ParameterKind::Choice(&["linear", "lognormal"]),
        default: Some("'linear'"),
        unit: "",
        meaning: "the variables as they are, or the exponential of each after standardising",
    },
    integer("seed", 0, i64::MAX, Some("0"), "draws the graph and the rows"),
];

const fn integer(
    name: &'static str,
    min: i64,
    max: i64,
    default: Option<&'static str>,
    meaning: &'static str,
) -> Parameter {
    Parameter { name, kind: ParameterKind::Integer { min, max }, default, unit: "", meaning }
}

const fn positive(name: &'static str, default: &'static str, meaning: &'static str) -> Parameter {
    let kind = ParameterKind::Float { min: 0.0, max: f64::INFINITY, open: false };
    Parameter { name, kind, default: Some(default), unit: "", meaning }
}

const fn number(name: &'static str, default: &'static str, meaning: &'static str) -> Parameter {
    let kind = ParameterKind::Float { min: f64::NEG_INFINITY, max: f64::INFINITY, open: false };
    Parameter { name, kind, default: Some(default), unit: "", meaning }
}

static SPEC: Spec = Spec {
    name: "simulate_sem",
    family: "causal",
    version: 1,
    summary: "Rows of a random linear system on a random acyclic graph.",
    details: "
Draws a directed acyclic graph, a weight for each edge (size between `weight_low` and `weight_high`, either sign), a
constant and a noise scale for each variable, and then rows: each variable is its constant, plus its parents times
their weights, plus noise. 'erdos_renyi' draws `n_variables * degree / 2` edges among all pairs; 'scale_free' lets each
variable join `degree / 2` earlier ones, in proportion to the edges these have already (at least one). Either way the
variables are then renamed at random, so that names tell nothing of the order. With `form => 'lognormal'` each
variable is standardised by the mean and deviation it has in the system, and exponentiated.

`simulate_sem_edges` with the same options gives the true edges, `simulate_dropout` sets some values to zero,
`compare_graphs` compares a learned graph with the true one. The same options give the same rows on any machine and
any number of threads; rows of a smaller `n_rows` are the first of a larger. There are no nulls. Cost O(rows (variables + edges)).",
    inputs: &[],
    parameters: &PARAMETERS,
    output: &[ColumnSpec {
        name: "x1",
        kind: OutputType::Float64,
        nullable: false,
        unit: "",
        meaning: "the first variable; columns x2, x3, … up to `n_variables` follow",
        from: &[],
    }],
    indirect: &[],
    privacy: PrivacyClaim::Exact,
    source: "Dai et al. 2024, section 5; Erdos and Renyi 1959; Barabasi and Albert 1999",
    example: "SELECT * FROM simulate_sem(n_variables => 10, n_rows => 5000, degree => 2, seed => 7)",
};

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Bound { params: Sem::from_literals(SPEC.name, literals)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    params: Sem,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn output_schema(&self) -> Result<SchemaRef> {
        let fields = (0..self.params.n_variables).map(|index| Field::new(name(index), DataType::Float64, false));
        Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
    }

    fn column_lineage(&self) -> Vec<Vec<ColumnOrigin>> {
        vec![Vec::new(); self.params.n_variables]
    }

    fn run(&self, _inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let params = &self.params;
        context.grow_memory(size_of::<f64>().saturating_mul(params.n_rows).saturating_mul(params.n_variables))?;
        let system = System::draw(params);
        let schema = self.output_schema()?;
        let starts: Vec<usize> = (0..params.n_rows).step_by(BLOCK_ROWS).collect();
        let mut batches = Vec::with_capacity(starts.len());
        for chunk in starts.chunks(CHUNK_BLOCKS) {
            context.check_cancelled()?;
            let blocks: Vec<Vec<Vec<f64>>> = context.pool().install(|| {
                let block = |start: &usize| {
                    let index = (start / BLOCK_ROWS) as u64;
                    system.block(index, BLOCK_ROWS.min(params.n_rows - start))
                };
                chunk.par_iter().map(block).collect()
            });
            for columns in blocks {
                let columns = columns.into_iter().map(|column| Arc::new(Float64Array::from(column)) as ArrayRef);
                batches.push(RecordBatch::try_new(SchemaRef::clone(&schema), columns.collect())?);
            }
            context.progress(share(batches.len(), starts.len()));
        }
        Ok(Output { batches, report: describe(params, &system) })
    }
}

/// Returns the name of a variable.
pub(crate) fn name(index: usize) -> String {
    format!("x{}", index + 1)
}

/// Returns what lineage keeps of a system.
pub(crate) fn describe(params: &Sem, system: &System) -> Report {
    Report::from([
        ("n_variables", params.n_variables.into()),
        ("n_edges", system.edges().len().into()),
        ("seed", params.seed.into()),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "counts of batches")]
fn share(done: usize, all: usize) -> f64 {
    done as f64 / all as f64
}
