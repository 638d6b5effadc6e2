//! The true edges behind `simulate_sem`.
//!
//! Draws the same system as [`crate::simulate_sem`] from the same options and returns its graph.
//!
//! # Input, Parameters, Errors, Source
//! As [`crate::simulate_sem`]; options that only shape the rows are taken and change nothing.
//!
//! # Output
//! One row for each edge: `source`, `target`, `weight`.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use causeway_core::{
    ColumnSpec, Literals, Operator, OperatorFactory, Output, OutputType, PrivacyClaim, Relation, Result, Roles,
    RunContext, Spec,
};

use crate::simulate_sem::{PARAMETERS, Sem, System, describe, name};

/// Makes the operator `simulate_sem_edges`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "simulate_sem_edges",
    family: "causal",
    version: 1,
    summary: "The true edges of the system that `simulate_sem` draws from the same options.",
    details: "
Takes the options of `simulate_sem` and returns the graph behind its rows: the source and the target by the
names of the columns there, and the weight, the change of the target for one unit of the source before any
lognormal transformation. The graph depends on `n_variables`, `graph`, `degree`, the range of the weights and `seed`; `n_rows`,
the noise and the form may be given, so that one call can be copied into the other, and change nothing. There are no nulls. A graph
without edges gives no row. Cost O(edges log edges).",
    inputs: &[],
    parameters: &PARAMETERS,
    output: &[
        column("source", OutputType::Utf8, "the variable that acts"),
        column("target", OutputType::Utf8, "the variable acted on"),
        column("weight", OutputType::Float64, "change of the target for one unit of the source"),
    ],
    indirect: &[],
    privacy: PrivacyClaim::Exact,
    source: "Dai et al. 2024, section 5; Erdos and Renyi 1959; Barabasi and Albert 1999",
    example: "SELECT * FROM simulate_sem_edges(n_variables => 10, n_rows => 5000, degree => 2, seed => 7)",
};

const fn column(name: &'static str, kind: OutputType, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind, nullable: false, unit: "", meaning, from: &[] }
}

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

    fn run(&self, _inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        context.check_cancelled()?;
        let system = System::draw(&self.params);
        let edges = system.edges();
        let report = describe(&self.params, &system);
        if edges.is_empty() {
            return Ok(Output { batches: Vec::new(), report });
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(edges.iter().map(|(source, _, _)| name(*source)))),
            Arc::new(StringArray::from_iter_values(edges.iter().map(|(_, target, _)| name(*target)))),
            Arc::new(Float64Array::from_iter_values(edges.iter().map(|(_, _, weight)| *weight))),
        ];
        Ok(Output { batches: vec![RecordBatch::try_new(self.output_schema()?, columns)?], report })
    }
}
