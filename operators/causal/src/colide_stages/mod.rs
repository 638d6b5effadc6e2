//! The path by which `colide` reaches its graph.
//!
//! Runs the fit of [`crate::colide`] with the same options and returns one row for each attempt at a
//! stage: the constants, the steps taken, the objective at the end and why it ended.
//!
//! # Input, Parameters, Errors, Guarantees, Source
//! As [`crate::colide`].
//!
//! # Output
//! `variant`, `stage` from 1, `mu`, `s`, `learning_rate`, `n_steps`, `in_domain`, `converged`, `objective`,
//! `score`, `acyclicity`.
//!
//! # Shapes
//! Four rows, and one more for each stage that had to begin again; twice that with `compare_variants`.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt64Array};
use causeway_core::{
    ColumnSpec, Literals, Operator, OperatorFactory, Output, OutputType, PrivacyClaim, Relation, Result, Roles,
    RunContext, Spec,
};

use crate::colide::{Attempt, Colide, FROM_COLUMNS, PARAMETERS, ROWS, learn};

/// Makes the operator `colide_stages`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "colide_stages",
    family: "causal",
    version: 1,
    summary: "The stages by which `colide` reaches its graph, with the objective at the end of each.",
    details: "
Runs the same fit as `colide` with the same options, and returns its log instead of its edges: one row for each
attempt at a stage. `in_domain` is false where the stage left the domain of the acyclicity function and was begun
again with half the learning rate and s + 0.1; `converged` is false where it ended at its step limit. The
objective is mu (score + lambda |W|_1) + acyclicity at the unpruned weights, and null outside the domain, so it falls by a
factor of about ten from stage to stage with mu. A last stage that did not converge calls for more
`max_steps`. With `compare_variants => true` the stages of the other variant follow. Nulls, cost and guarantees
are those of `colide`.",
    inputs: &[ROWS],
    parameters: &PARAMETERS,
    output: &[
        column("variant", OutputType::Utf8, "'ev' or 'nv'"),
        column("stage", OutputType::UInt64, "1 to 4"),
        column("mu", OutputType::Float64, "weight of the score"),
        column("s", OutputType::Float64, "constant of the acyclicity function"),
        column("learning_rate", OutputType::Float64, "step size at the start of the stage"),
        column("n_steps", OutputType::UInt64, "steps taken"),
        column("in_domain", OutputType::Boolean, "false if the stage was begun again"),
        column("converged", OutputType::Boolean, "true if the objective settled before the step limit"),
        nullable("objective", "mu (score + lambda |W|_1) + acyclicity; null outside the domain"),
        column("score", OutputType::Float64, "the likelihood part"),
        nullable("acyclicity", "0 for an acyclic graph; null outside the domain"),
    ],
    indirect: &[],
    privacy: PrivacyClaim::Exact,
    source: "Saboksayr, Mateos and Tepper 2024, algorithm 1; Bello, Aragam and Ravikumar 2022",
    example: "SELECT * FROM colide_stages((SELECT expression_a, expression_b, expression_c FROM genomic.expression), variant => 'ev')",
};

const fn column(name: &'static str, kind: OutputType, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind, nullable: false, unit: "", meaning, from: FROM_COLUMNS }
}

const fn nullable(name: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::Float64, nullable: true, unit: "", meaning, from: FROM_COLUMNS }
}

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Bound { params: Colide::from_literals(SPEC.name, literals)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    params: Colide,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let graph = learn(SPEC.name, &self.params, &self.roles, inputs, context)?;
        let paths = graph.paths.iter();
        let rows: Vec<(&str, &Attempt)> =
            paths.flat_map(|(variant, attempts)| attempts.iter().map(move |attempt| (*variant, attempt))).collect();
        let batch = RecordBatch::try_new(self.output_schema()?, log_columns(&rows))?;
        Ok(Output { batches: vec![batch], report: graph.report })
    }
}

fn log_columns(rows: &[(&str, &Attempt)]) -> Vec<ArrayRef> {
    let doubles = |value: &dyn Fn(&Attempt) -> f64| -> ArrayRef {
        let values = rows.iter().map(|(_, attempt)| Some(value(attempt)).filter(|value| value.is_finite()));
        Arc::new(values.collect::<Float64Array>())
    };
    let counts = |value: &dyn Fn(&Attempt) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|(_, attempt)| value(attempt))))
    };
    let flags = |value: &dyn Fn(&Attempt) -> bool| -> ArrayRef {
        Arc::new(rows.iter().map(|(_, attempt)| Some(value(attempt))).collect::<BooleanArray>())
    };
    vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(variant, _)| variant))),
        counts(&|attempt| attempt.stage),
        doubles(&|attempt| attempt.constants.mu),
        doubles(&|attempt| attempt.constants.s),
        doubles(&|attempt| attempt.learning_rate),
        counts(&|attempt| u64::from(attempt.n_steps)),
        flags(&|attempt| attempt.in_domain),
        flags(&|attempt| attempt.converged),
        doubles(&|attempt| attempt.value.objective),
        doubles(&|attempt| attempt.value.score),
        doubles(&|attempt| attempt.value.acyclicity),
    ]
}
