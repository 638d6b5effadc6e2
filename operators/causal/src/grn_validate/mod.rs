//! Does dropout depend on the gene's own value alone?
//!
//! [`crate::grn_dropout`] rests on the assumption that whether a gene drops out depends on no other
//! gene. Then the indicator of a zero, R_i = 1 if X_i = 0, depends on gene j only through Z_i, and
//!
//! ```text
//! Z_i _||_ Z_j | Z_S   =>   R_i _||_ X_j | X_S, no zero in X_S
//! ```
//!
//! so a dependence of R_i on X_j that is left given S speaks for a dropout of i driven by j.
//!
//! # Input
//! As [`crate::grn_dropout`].
//!
//! # Output
//! One row for each ordered pair checked: `gene`, `driver`, `given`, `n_used`, `correlation`,
//! `statistic`, `p_value`, `q_value`, `status`.
//!
//! # Parameters
//! As [`crate::grn_dropout`], without `pairs` and `stability`; `seed` is that of `'rcit'`; `given` `'sepset'`.
//!
//! # Shapes
//! At most p (p - 1) rows for p genes, each one test after those of the search.
//!
//! # Errors
//! As [`crate::grn_dropout`].
//!
//! # Guarantees
//! The statistic is that of [`crate::grn_dropout`], checked there. On simulated cells a driver is
//! found and self-masking passes.
//!
//! # Source
//! Dai, Ng, Luo, Spirtes, Stojanov, Zhang 2024 (the model); Benjamini, Hochberg 1995 (`q_value`).
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
//! use causeway_causal::grn_validate;
//! use causeway_core::{Literals, Relation, RunContext, call};
//!
//! // b follows a; c follows b and is lost where a is high
//! let a = |cell: f64| 10.0 + (7.0 * cell) % 11.0;
//! let b = |cell: f64| 10.0 + (7.0 * cell) % 11.0 + (3.0 * cell) % 13.0;
//! let c = |cell: f64| if (7.0 * cell) % 11.0 > 6.0 { 0.0 } else { 10.0 + (7.0 * cell) % 11.0 + (3.0 * cell) % 13.0 + (5.0 * cell) % 17.0 };
//! let gene = |value: fn(f64) -> f64| -> ArrayRef {
//!     Arc::new(Float64Array::from_iter_values((0..2431).map(|cell| value(f64::from(cell)))))
//! };
//! let cells = RecordBatch::try_from_iter([("a", gene(a)), ("b", gene(b)), ("c", gene(c))])?;
//! let input = Relation::from_batches(cells.schema(), vec![cells]);
//! let checks = call(&grn_validate::Factory, Literals::default(), vec![input], &mut RunContext::for_test(1)?)?;
//! let rows = &checks.batches[0];
//! assert_eq!(rows["gene"].as_string::<i32>().value(1), "c");
//! assert_eq!(rows["driver"].as_string::<i32>().value(1), "a");
//! assert!(rows["q_value"].as_primitive::<arrow::datatypes::Float64Type>().value(1) < 1e-9);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod params;
#[cfg(test)]
mod tests;

use arrow::array::ArrayRef;
use causeway_core::{
    ColumnSpec, Literals, Operator, OperatorFactory, Output, OutputType, Parameter, ParameterKind, PrivacyClaim,
    Relation, Result, Roles, RunContext, Spec,
};

use self::algorithm::{Check, checks, false_discovery_rates};
use self::params::GrnValidate;
use crate::grn::cells::{Cells, Layout, read};
use crate::grn::columns::{
    ALPHA, CELLS, DELETION, EXPRESSION, INDIRECT, MAX_LEVEL, METHOD, MIN_ROWS, NEGATIVE, ORIENTATION, SEED, TEST,
    TRANSFORM, UNTESTABLE, name, number, text,
};
use crate::grn::network::{find_network, report};
use crate::grn::options::TestKind;
use crate::grn::output::{assemble, counts, doubles, join, statistics, texts};

/// Makes the operator `grn_validate`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "grn_validate",
    family: "causal",
    version: 1,
    summary: "Check of the dropout model behind grn_dropout: whether the dropout of a gene depends on another gene.",
    details: "
The search of `grn_dropout` assumes that whether a gene i drops out depends on its own true value at most. Then the
column R_i, 1 where i is zero and 0 elsewhere, is independent of any gene j given a set S that separates i and j.
After a search with the options given, each row tests R_i against the values of `driver` j given the genes in
`given`, in the cells without a zero in S; zeros of i and j stay. With `given => 'sepset'` every pair that the search
separated is checked in both directions, given the set that separated it; with `'neighbours'` each gene i against
every gene that is not its neighbour, given all its neighbours (at most 30).

`statistic` is that of `test` for R_i and X_j given S; but for `'rcit'` it is > 0 if i is zero more often where j is high. `q_value` is the p-value adjusted for all
checks (Benjamini and Hochberg 1995): rows with q_value <= 0.05 hold at most 5 % false alarms on average, if the
p-values are right. Fisher's z is an approximation for a column of zeros and ones, and too eager on many cells if
dropout depends on the value, as described for `grn_dropout`. On many cells small causes are found too: look at the size of `correlation`. A pair that is
joined in the network cannot be checked: i itself would have to be given. A driver j of the dropout of i makes i and j
dependent, so with `deletion => 'cond'` it hides as an edge; the default `'all'` removes the zeros of i
from the search and leaves the pair to the check.

`status` is `ok`, `few` (cells), `constant` (a gene without or with nothing but zeros, among others) or `singular`.
Nulls, NaN, infinite and negative values are treated as by `grn_dropout`. Cost: the search, and one test for
each row.",
    inputs: &[CELLS],
    parameters: &[
        METHOD,
        DELETION,
        TEST,
        ALPHA,
        MAX_LEVEL,
        MIN_ROWS,
        UNTESTABLE,
        TRANSFORM,
        NEGATIVE,
        ORIENTATION,
        SEED,
        Parameter {
            name: "given",
            kind: ParameterKind::Choice(&["sepset", "neighbours"]),
            default: Some("'sepset'"),
            unit: "",
            meaning: "what is conditioned on: the set that separated the pair, or all neighbours of the gene",
        },
    ],
    output: &[
        name("gene", "i: the gene whose zeros are explained"),
        name("driver", "j: the gene whose values may explain them"),
        text("given", "S, separated by commas; empty if none"),
        ColumnSpec {
            name: "n_used",
            kind: OutputType::UInt64,
            nullable: false,
            unit: "cells",
            meaning: "cells without a zero in S",
            from: EXPRESSION,
        },
        number("correlation", "", "partial correlation of R_i and X_j, with 'gcm' that of the residuals; null with 'rcit' or if the test could not be run"),
        number("statistic", "", "of the test, see grn_dropout; null if the test could not be run"),
        number("p_value", "probability", "two-sided; null if the test could not be run"),
        number("q_value", "probability", "adjusted for all checks; null if the test could not be run"),
        text("status", "`ok`, `few`, `constant` or `singular`"),
    ],
    indirect: INDIRECT,
    privacy: PrivacyClaim::Exact,
    source: "Dai, Ng, Luo, Spirtes, Stojanov, Zhang 2024; Benjamini, Hochberg 1995",
    example: "SELECT * FROM grn_validate((SELECT * FROM genomic.expression)) WHERE q_value <= 0.05 ORDER BY p_value",
};

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        let params = GrnValidate::from_literals(literals)?;
        let layout = Layout::new(SPEC.name, &roles, !literals.texts("genes").is_empty())?;
        Ok(Box::new(Bound { params, layout, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    params: GrnValidate,
    layout: Layout,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let context = &*context;
        let GrnValidate { search, given } = &self.params;
        let cells = read(SPEC.name, &self.layout, search, inputs, context)?;
        let network = find_network(&cells.expression, search, false, context, &|done| context.progress(0.7 * done))?;
        let checks = checks(&cells.expression, &network.skeleton, search, *given, context)?;
        let p_values: Vec<f64> = checks.iter().map(Check::p_value).collect();
        let q_values = false_discovery_rates(&p_values);
        let rejected = |values: &[f64]| values.iter().filter(|value| **value <= search.rules.alpha).count();
        let mut report = report(&cells, search, &network);
        report.insert("n_checks", checks.len().into());
        report.insert("n_checks_untestable", p_values.iter().filter(|value| value.is_nan()).count().into());
        report.insert("n_rejected", rejected(&p_values).into());
        report.insert("n_rejected_adjusted", rejected(&q_values).into());
        context.progress(1.0);
        assemble(self.output_schema()?, columns(&checks, &q_values, &cells, search.test), report)
    }
}

fn columns(checks: &[Check], q_values: &[f64], cells: &Cells, test: TestKind) -> Vec<ArrayRef> {
    let [statistic, p_value, _] = statistics(test, checks.iter().map(|check| &check.finding));
    vec![
        texts(checks.iter().map(|check| &cells.genes[check.gene])),
        texts(checks.iter().map(|check| &cells.genes[check.driver])),
        texts(checks.iter().map(|check| join(&cells.genes, &check.given))),
        counts(checks.iter().map(|check| check.finding.n_used)),
        doubles(checks.iter().map(|check| check.finding.correlation)),
        statistic,
        p_value,
        doubles(q_values.iter().map(|value| (!value.is_nan()).then_some(*value))),
        texts(checks.iter().map(|check| check.finding.status.as_str())),
    ]
}
