//! Every test of independence behind a gene network.
//!
//! Runs the search of [`crate::grn_dropout`] with the same options and returns its tests, so that an
//! auditor can follow why an edge is there or not.
//!
//! # Input
//! As [`crate::grn_dropout`].
//!
//! # Output
//! One row for each test: `x`, `y`, `given`, `level`, `phase`, `n_used`, `correlation`, `statistic`,
//! `p_value`, `log_p_value`, `status`, `verdict`.
//!
//! # Parameters
//! As [`crate::grn_dropout`], without `pairs` and `stability`; `seed` is that of `'rcit'`.
//!
//! # Shapes
//! As many rows as tests: at least p (p - 1) / 2 for p genes. Memory grows with them.
//!
//! # Errors
//! As [`crate::grn_dropout`].
//!
//! # Guarantees
//! As [`crate::grn_dropout`]; the number of tests of each level equals the reference code.
//!
//! # Source
//! As [`crate::grn_dropout`].
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
//! use causeway_causal::grn_tests;
//! use causeway_core::{Literals, Relation, RunContext, call};
//!
//! let gene = |value: fn(f64) -> f64| -> ArrayRef {
//!     Arc::new(Float64Array::from_iter_values((1..=200).map(|cell| value(f64::from(cell)))))
//! };
//! let cells = RecordBatch::try_from_iter([
//!     ("a", gene(|cell| (7.0 * cell) % 11.0)),
//!     ("b", gene(|cell| (7.0 * cell) % 11.0 + (3.0 * cell) % 5.0)),
//!     ("c", gene(|cell| (5.0 * cell) % 13.0)),
//! ])?;
//! let input = Relation::from_batches(cells.schema(), vec![cells]);
//! let tests = call(&grn_tests::Factory, Literals::default(), vec![input], &mut RunContext::for_test(1)?)?;
//! let verdicts: Vec<&str> = tests.batches[0]["verdict"].as_string::<i32>().iter().flatten().collect();
//! assert_eq!(verdicts, ["dependent", "independent", "independent"]); // a b, a c, b c
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod tests;

use arrow::array::ArrayRef;
use causeway_core::{
    Literals, Operator, OperatorFactory, Output, PrivacyClaim, Relation, Result, Roles, RunContext, Spec,
};

use crate::grn::cells::{Cells, Layout, read};
use crate::grn::columns::{
    ALPHA, CELLS, DELETION, INDIRECT, MAX_LEVEL, METHOD, MIN_ROWS, NEGATIVE, ORIENTATION, SEED, TEST, TRANSFORM,
    UNTESTABLE, count, name, number, text,
};
use crate::grn::network::{find_network, report};
use crate::grn::options::{SearchOptions, TestKind};
use crate::grn::output::{assemble, counts, doubles, join, statistics, texts};
use crate::pc::Test;

/// Makes the operator `grn_tests`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "grn_tests",
    family: "causal",
    version: 1,
    summary: "Every test of independence that grn_dropout runs, for those who check a network.",
    details: "
Runs the search of `grn_dropout` with the same options and gives a row for each test: that `x` and `y` are independent
given the genes in `given`. Rows of `phase` `skeleton` come level by level and, within a level, pair by pair in the
order in which sets are tried; the first set with verdict `independent` separates the pair and ends its tests. Rows
of `phase` `orientation` are the further tests of `orientation => 'max_p'`.

`verdict` is `dependent` if p_value <= `alpha`, `independent` if it is above, `untestable` if the test could not be
run: `few` cells, a `constant` gene in them, or `singular`, a gene that is a function of others. With
`untestable => 'independent'` the latter count as independence, a singular partial correlation by its pseudo-inverse. Tests of
several pairs are run ahead together for speed; those that one after another would not have run are not listed.

Nulls, NaN, infinite and negative values are treated as by `grn_dropout`. The number of rows is at least
p (p - 1) / 2 for p genes, and memory grows with it.",
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
    ],
    output: &[
        name("x", "a gene; that of the earlier column"),
        name("y", "the other gene"),
        text("given", "S: the genes conditioned on, separated by commas; empty if none"),
        count("level", "genes", "size of S"),
        text("phase", "`skeleton` or `orientation`"),
        count("n_used", "cells", "cells left by deletion"),
        number("correlation", "", "partial correlation, with 'gcm' that of the residuals, in (-1, 1); null with 'rcit' or if the test could not be run"),
        number("statistic", "", "of the test, see grn_dropout; null if the test could not be run"),
        number("p_value", "probability", "two-sided; null if the test could not be run"),
        number("log_p_value", "nats", "its natural logarithm"),
        text("status", "`ok`, `few`, `constant` or `singular`"),
        text("verdict", "`dependent`, `independent` or `untestable`"),
    ],
    indirect: INDIRECT,
    privacy: PrivacyClaim::Exact,
    source: "As grn_dropout: Dai, Ng, Luo, Spirtes, Stojanov, Zhang 2024; Colombo, Maathuis 2014",
    example: "SELECT * FROM grn_tests((SELECT * FROM genomic.expression), alpha => 0.01) WHERE verdict = 'untestable'",
};

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        let search = SearchOptions::from_literals(&SPEC, literals)?;
        let layout = Layout::new(SPEC.name, &roles, !literals.texts("genes").is_empty())?;
        Ok(Box::new(Bound { search, layout, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    search: SearchOptions,
    layout: Layout,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let context = &*context;
        let cells = read(SPEC.name, &self.layout, &self.search, inputs, context)?;
        let network = find_network(&cells.expression, &self.search, true, context, &|done| context.progress(done))?;
        let of_skeleton = network.skeleton.tests.iter().map(|test| ("skeleton", test));
        let of_orientation = network.orientation_tests.iter().map(|test| ("orientation", test));
        let tests: Vec<(&str, &Test)> = of_skeleton.chain(of_orientation).collect();
        context.progress(1.0);
        assemble(
            self.output_schema()?,
            columns(&tests, &cells, self.search.test),
            report(&cells, &self.search, &network),
        )
    }
}

fn columns(tests: &[(&str, &Test)], cells: &Cells, kind: TestKind) -> Vec<ArrayRef> {
    let [statistic, p_value, log_p_value] = statistics(kind, tests.iter().map(|(_, test)| &test.finding));
    vec![
        texts(tests.iter().map(|(_, test)| &cells.genes[test.x])),
        texts(tests.iter().map(|(_, test)| &cells.genes[test.y])),
        texts(tests.iter().map(|(_, test)| join(&cells.genes, &test.set))),
        counts(tests.iter().map(|(_, test)| test.set.len())),
        texts(tests.iter().map(|(phase, _)| phase)),
        counts(tests.iter().map(|(_, test)| test.finding.n_used)),
        doubles(tests.iter().map(|(_, test)| test.finding.correlation)),
        statistic,
        p_value,
        log_p_value,
        texts(tests.iter().map(|(_, test)| test.finding.status.as_str())),
        texts(tests.iter().map(|(_, test)| test.verdict.as_str())),
    ]
}
