//! A gene network from expression with dropouts.
//!
//! Which genes depend on each other whatever else is held fixed, when many values are zero because
//! the transcript was missed? For true values Z, dropouts D and observed X = (1 - D) Z, Dai et al. show
//!
//! ```text
//! Z_i _||_ Z_j | Z_S   <=>   X_i _||_ X_j | X_S, no zero in X_S
//! ```
//!
//! if a gene's dropout depends on no other gene, so each test of the PC algorithm removes the cells
//! that have a zero in its own S, and no other.
//!
//! # Input
//! Wide: `genes` number columns, finite, >= 0 (any sign with `negative => 'allow'`), by default every
//! number column that plays no other role. Long: `cell` and `gene` text, integer or date, `value`
//! number; a missing pair is 0. Nulls are refused in all of them.
//!
//! # Output
//! One row for each edge and each untestable pair: `source`, `target`, `mark` (`->`, `--`, null),
//! `statistic`, `p_value`, `log_p_value`, `n_used`, `level`, `sepset`, `status`, `frequency`.
//!
//! # Parameters
//! `method` `'pc'` or `'ges'`; `deletion` `'cond'`; `test` `'fisher_z'`; `alpha` 0.05 (0, 1); `max_level` 30
//! [0, 30]; `min_rows` NULL >= 0; `untestable` `'keep'`; `transform` `'none'`; `negative` `'refuse'`;
//! `orientation` `'sepset'`; `penalty` NULL > 0 and `budget` NULL >= 1, only with `'ges'`; `pairs` `'edges'`; `stability` 0 [0, 10000]; `seed` NULL >= 0.
//!
//! # Shapes
//! n cells by p genes. Level 0 costs n p^2 / 2 products; each S of a later level is one pass over
//! its cells for the genes next to it. Memory: two copies of the n p values and a few p^2.
//!
//! # Errors
//! `Data` for nulls, NaN, infinities, negative values, a gene named twice, fewer than two genes, a
//! repeated pair of cell and gene; `Parameter` for options that contradict each other.
//!
//! # Guarantees
//! Cells used, status, partial correlation (1e-10) and p-value (1e-6 relative) of 1045 tests, and
//! skeletons, separating sets and both CPDAGs of 18 searches, equal plain numpy code; the skeletons
//! equal causal-learn 0.1.4.8. Greedy search gives 7 of 8 graphs of the published code, the eighth without
//! one edge. The same bytes for any number of threads and any cut into batches.
//!
//! # Source
//! Dai, Ng, Luo, Spirtes, Stojanov, Zhang 2024 (test-wise deletion); Spirtes, Glymour, Scheines 2000
//! (PC); Colombo, Maathuis 2014 (its stable form); Meek 1995; Ramsey 2016 (`max_p`); Meinshausen,
//! Bühlmann 2010 (`stability`); Chickering 2002 and Nandy, Hauser, Maathuis 2018 (`ges`). The published code counts a test with too few cells as independence;
//! here that is a third outcome.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
//! use causeway_causal::grn_dropout;
//! use causeway_core::{Literals, Relation, RunContext, call};
//!
//! // b follows a; c follows neither
//! let gene = |value: fn(f64) -> f64| -> ArrayRef {
//!     Arc::new(Float64Array::from_iter_values((1..=200).map(|cell| value(f64::from(cell)))))
//! };
//! let cells = RecordBatch::try_from_iter([
//!     ("a", gene(|cell| (7.0 * cell) % 11.0)),
//!     ("b", gene(|cell| (7.0 * cell) % 11.0 + (3.0 * cell) % 5.0)),
//!     ("c", gene(|cell| (5.0 * cell) % 13.0)),
//! ])?;
//! let input = Relation::from_batches(cells.schema(), vec![cells]);
//! let found = call(&grn_dropout::Factory, Literals::default(), vec![input], &mut RunContext::for_test(1)?)?;
//! let edges = &found.batches[0];
//! assert_eq!(edges.num_rows(), 1);
//! assert_eq!(edges["source"].as_string::<i32>().value(0), "a");
//! assert_eq!(edges["target"].as_string::<i32>().value(0), "b");
//! assert_eq!(edges["mark"].as_string::<i32>().value(0), "--");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod params;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use causeway_core::{
    ColumnSpec, Literals, Operator, OperatorFactory, Output, OutputType, Parameter, ParameterKind, PrivacyClaim,
    Relation, Result, Roles, RunContext, Spec,
};

use self::algorithm::{Row, frequencies, rows};
use self::params::GrnDropout;
use crate::grn::cells::{Cells, Layout, read};
use crate::grn::columns::{
    ALPHA, BUDGET, CELLS, DELETION, EXPRESSION, INDIRECT, MAX_LEVEL, METHODS, MIN_ROWS, NAMES, NEGATIVE, ORIENTATION,
    PENALTY, TEST, TRANSFORM, UNTESTABLE,
};
use crate::grn::network::{find_network, report};
use crate::grn::output::{assemble, counts, doubles, join, statistics, texts};

/// Makes the operator `grn_dropout`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "grn_dropout",
    family: "causal",
    version: 1,
    summary: "Gene network from expression with dropouts: the PC algorithm with test-wise deletion of zeros.",
    details: "
Two genes are joined unless some set S of other genes makes them independent. The test of x and y given S uses the
cells left by `deletion`: with `'cond'` those without a zero in S, since a value that is not zero was not dropped
while a zero says nothing about the true value; with `'all'` those without a zero in x, y and S, which also holds
where dropout of x or y depends on other genes; with `'none'` all. With r the partial correlation in those n cells,
`statistic` = sqrt(n - |S| - 3) atanh r is standard normal under independence (Fisher's z), `p_value` its two-sided
tail, `log_p_value` the natural logarithm, which does not underflow.

Skeleton: at level l = 0, 1, ... the neighbours of each gene are frozen; each joined pair tries the sets of l
neighbours of one gene, then of the other, until one has p_value > `alpha`; the edge goes when the level ends. So
the skeleton does not depend on the order of genes. Directions: with `'sepset'` a common neighbour k of a separated
pair is a collider if it is not in the set that separated them, and colliders are placed in the order of columns;
with `'max_p'` the set is that with the largest p-value among up to three neighbours of one gene, and the colliders
with the largest are placed first. Meek's rules 1 to 3 follow. `->` is common to all graphs of the equivalence class,
`--` is not decided by the data.

A test with fewer cells than `min_rows` (status `few`), with a gene of one value in them (`constant`) or with
linearly dependent genes (`singular`, given others) is untestable: neither independence nor dependence. Such a set
does not separate. A pair whose test without S is untestable has no evidence of dependence: it is no edge, and is
given as a row with a null mark and its status. An edge with an untestable set is `partly_tested`: it may be
indirect. `untestable => 'independent'` with `min_rows => 0` is the published rule instead, by which too few cells
count as independence.

Each row shows the test with the largest p-value of the pair, the weakest evidence for an edge: `sepset` is its S, of
size `level`, `n_used` its cells. `pairs => 'all'` adds the pairs that were separated (status `separated`) with the
set that did. `stability` => n repeats the search on n random halves of the cells; `frequency` is the share of them
with an edge between the pair (Meinshausen and Bühlmann 2010 keep those above 0.6 to 0.9).

`method => 'ges'` is greedy equivalence search (Chickering 2002): from the empty graph the insertion that gains most is
made until none gains, then deletions. The gain of x -> y given the parents S of y is that of the Gaussian BIC,
-(N/2) ln(1 - rho^2) - ln(N) / `penalty`, with rho = tanh(sqrt(n - 3) atanh |r| / sqrt(N - 3)) for the r and n of the test and N
cells in all. `alpha` plays no part; an edge shows the test by which its deletion would cost least, and moves whose
test is untestable are not made. `budget` bounds the moves of each phase, so the result never depends on time.

Limits. Under dropout that depends on the gene's own value, Fisher's z with `'cond'` rejects true independence too
often where a test has more than some thousand cells, since keeping the zeros of x and y bends their relation
to S; `'all'` keeps its level far better. The report warns where it applies. Hidden common causes and feedback loops
break the method; an edge is a claim about dependence, not about regulation. Dense networks, cyclic ones
and few cells gain nothing from deletion.

Nulls, NaN, infinite and negative values are refused; genes that are all zero or constant give untestable pairs, and
so do fewer cells than `min_rows`; more genes than cells are no problem at level 0. Long input orders genes by
name. Cost: n p^2 / 2 products at level 0; then one pass over the cells of each S for the genes next to it.",
    inputs: &[CELLS],
    parameters: &[
        METHODS,
        DELETION,
        TEST,
        ALPHA,
        MAX_LEVEL,
        MIN_ROWS,
        UNTESTABLE,
        TRANSFORM,
        NEGATIVE,
        ORIENTATION,
        PENALTY,
        BUDGET,
        Parameter {
            name: "pairs",
            kind: ParameterKind::Choice(&["edges", "all"]),
            default: Some("'edges'"),
            unit: "",
            meaning: "rows for edges and untestable pairs, or for separated pairs too",
        },
        Parameter {
            name: "stability",
            kind: ParameterKind::Integer { min: 0, max: 10_000 },
            default: Some("0"),
            unit: "searches",
            meaning: "searches repeated on random halves of the cells",
        },
        Parameter {
            name: "seed",
            kind: ParameterKind::Integer { min: 0, max: i64::MAX },
            default: Some("NULL"),
            unit: "",
            meaning: "seed of the random halves; that of the run if NULL",
        },
    ],
    output: &[
        name("source", "the gene the edge starts from; of an undirected pair the one of the earlier column"),
        name("target", "the gene the edge ends at"),
        ColumnSpec {
            name: "mark",
            kind: OutputType::Utf8,
            nullable: true,
            unit: "",
            meaning: "`->` directed, `--` undirected; null if the pair is no edge",
            from: EXPRESSION,
        },
        number("statistic", "", "Fisher's z, signed; null if the test could not be run"),
        number(
            "p_value",
            "probability",
            "two-sided, the largest of the pair's tests; null if the test could not be run",
        ),
        number("log_p_value", "nats", "its natural logarithm"),
        count("n_used", "cells", "cells of that test"),
        count("level", "genes", "size of its S"),
        ColumnSpec {
            name: "sepset",
            kind: OutputType::Utf8,
            nullable: false,
            unit: "",
            meaning: "its S, the genes conditioned on, separated by commas; empty if none",
            from: EXPRESSION,
        },
        ColumnSpec {
            name: "status",
            kind: OutputType::Utf8,
            nullable: false,
            unit: "",
            meaning: "`ok`, `partly_tested`, `singular` for edges; `few`, `constant` for untestable pairs; `separated`",
            from: EXPRESSION,
        },
        number(
            "frequency",
            "",
            "share of the repeated searches with an edge between the pair; null without `stability`",
        ),
    ],
    indirect: INDIRECT,
    privacy: PrivacyClaim::Exact,
    source: "Dai, Ng, Luo, Spirtes, Stojanov, Zhang 2024, Gene regulatory network inference in the presence of dropouts; Spirtes, Glymour, Scheines 2000; Colombo, Maathuis 2014; Meek 1995; Ramsey 2016; Meinshausen, Bühlmann 2010; Chickering 2002; Nandy, Hauser, Maathuis 2018",
    example: "SELECT * FROM grn_dropout((SELECT * FROM genomic.expression), alpha => 0.01, deletion => 'all')",
};

const fn name(name: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::Utf8, nullable: false, unit: "", meaning, from: NAMES }
}

const fn number(name: &'static str, unit: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::Float64, nullable: true, unit, meaning, from: EXPRESSION }
}

const fn count(name: &'static str, unit: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::UInt64, nullable: false, unit, meaning, from: EXPRESSION }
}

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        let params = GrnDropout::from_literals(literals)?;
        let layout = Layout::new(SPEC.name, &roles, !literals.texts("genes").is_empty())?;
        Ok(Box::new(Bound { params, layout, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    params: GrnDropout,
    layout: Layout,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let GrnDropout { search, stability, all_pairs, .. } = &self.params;
        let mut rng = self.params.rng(context);
        let context = &*context;
        let cells = read(SPEC.name, &self.layout, search, inputs, context)?;
        let share = 1.0 / (*stability as f64 + 1.0);
        let progress = |done: f64| context.progress(share * done);
        let network = find_network(&cells.expression, search, false, context, &progress)?;
        let frequencies = match stability {
            0 => None,
            n_searches => Some(frequencies(&cells.expression, search, *n_searches, &mut rng, context)?),
        };
        let rows = rows(&network, *all_pairs, frequencies.as_deref());
        let mut report = report(&cells, search, &network);
        report.insert("stability", (*stability).into());
        context.progress(1.0);
        assemble(self.output_schema()?, columns(&rows, &cells), report)
    }
}

fn columns(rows: &[Row<'_>], cells: &Cells) -> Vec<ArrayRef> {
    let [statistic, p_value, log_p_value] = statistics(rows.iter().map(|row| &row.pair.weakest));
    let marks: StringArray = rows.iter().map(|row| row.mark.map(|mark| mark.as_str())).collect();
    vec![
        texts(rows.iter().map(|row| &cells.genes[row.source])),
        texts(rows.iter().map(|row| &cells.genes[row.target])),
        Arc::new(marks),
        statistic,
        p_value,
        log_p_value,
        counts(rows.iter().map(|row| row.pair.weakest.n_used)),
        counts(rows.iter().map(|row| row.pair.set.len())),
        texts(rows.iter().map(|row| join(&cells.genes, &row.pair.set))),
        texts(rows.iter().map(Row::status)),
        doubles(rows.iter().map(|row| row.frequency)),
    ]
}
