//! A gene network from expression with dropouts.
//!
//! Which genes depend on each other whatever else is held fixed, when many values are zero because
//! the transcript was missed? For true values Z, dropouts D and observed X = (1 - D) Z, Dai et al. show
//!
//! ```text
//! Z_i _||_ Z_j | Z_S   <=>   X_i _||_ X_j | X_S, no zero in X_S
//! ```
//!
//! if a gene's dropout depends on no other gene, so each test of the PC algorithm removes cells by zeros of its
//! own genes, and no other. What is left bends the relations between genes; the default test allows for that.
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
//! `method` `'pc'` or `'ges'`; `deletion` `'all'`; `test` NULL (`'gcm'`, or `'fisher_z'` with `'ges'`); `alpha` 0.05 (0, 1); `max_level` 30
//! [0, 30]; `min_rows` NULL >= 0; `untestable` `'keep'`; `transform` `'none'`; `negative` `'refuse'`;
//! `orientation` `'sepset'`; `penalty` NULL > 0 and `budget` NULL >= 1, only with `'ges'`; `pairs` `'edges'`; `stability` 0 [0, 10000]; `seed` NULL >= 0.
//!
//! # Shapes
//! n cells by p genes. With `'fisher_z'` and `'cond'` level 0 costs n p^2 / 2 products and each S of a later level
//! one pass over its cells for the genes next to it. `'gcm'` ranks each gene once, and fits a regression on S once for all tests
//! given S in the same cells: all of them with `'cond'`, with `'all'` those of genes without zeros; at 10 000 cells
//! and half of the values lost, 100 genes take about 2 processor seconds and 1000 genes 90. Memory: two copies of the n p
//! values, a few p^2, and for `'gcm'` and `'rcit'` two copies more and 256 n for each thread.
//!
//! # Errors
//! `Data` for nulls, NaN, infinities, negative values, a gene named twice, fewer than two genes, a
//! repeated pair of cell and gene; `Parameter` for options that contradict each other.
//!
//! # Guarantees
//! Level and power of `'gcm'` and `'rcit'` were measured (`cargo run --release -p causeway-causal --example
//! study_ci_size`), and the networks against known ones (`make study-grn`).
//! With `'fisher_z'`: cells used, status, partial correlation (1e-10) and p-value (1e-6 relative) of 1045 tests, and
//! skeletons, separating sets and both CPDAGs of 18 searches, equal plain numpy code; the skeletons
//! equal causal-learn 0.1.4.8. Greedy search gives 7 of 8 graphs of the published code. The eighth lacks one edge, whose
//! deletion gains 0.19: the published code does not make a deletion that leads back to a class that the insertions
//! had left. The same bytes for any number of threads and any cut into batches.
//!
//! # Source
//! Dai, Ng, Luo, Spirtes, Stojanov, Zhang 2024 (test-wise deletion); Shah, Peters 2020 (`gcm`); Strobl, Zhang,
//! Visweswaran 2019 (`rcit`); Spirtes, Glymour, Scheines 2000
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
    ALPHA, BUDGET, CELLS, DELETION, EXPRESSION, INDIRECT, MAX_LEVEL, METHODS, MIN_ROWS, NEGATIVE, ORIENTATION, PENALTY,
    SEED, TEST, TRANSFORM, UNTESTABLE, count, name, number,
};
use crate::grn::network::{find_network, report};
use crate::grn::options::TestKind;
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
n cells left by `deletion`: with `'all'` those without a zero in x, y and S, since a value that is not zero was not
dropped while a zero says nothing about the true value; with `'cond'`, the published rule, those without a zero in S;
with `'none'` all.

`test => 'gcm'`, the generalised covariance measure: with R the products of the residuals of x and y after regression on
S by splines, all as normal scores, `statistic` = sqrt(n) mean(R) / sd(R) is standard normal under independence;
`p_value` is its two-sided tail, `log_p_value` the natural logarithm, which does not underflow. `'rcit'`, the
randomised conditional independence test: `statistic` is n times the squared covariance of the residuals of random cosine
features, `p_value` the tail of a weighted sum of chi-squares, `log_p_value` not below -708; features are drawn from
`seed`, x, y and S by their columns. It also sees dependence without covariance, with less power for the usual
kind. `'fisher_z'`: with r the partial correlation, `statistic` = sqrt(n - |S| - 3) atanh r.

Why the default is `'gcm'` with `'all'`. A gene lost the more often the lower it is has a curved relation to S in the cells left,
and a partial correlation finds an edge in the curve. Share of forks x <- s -> y in which x and y were called dependent
given s at alpha 0.05 (the 24 cells are Gaussian or lognormal values, dropout at a fixed rate, logistic or by truncation,
500 to 50 000 cells; 300 forks each):

    test, deletion      largest, n >= 2000   n = 500   Gaussian, logistic, n = 10 000
    fisher_z, cond      1.000                0.327     0.740
    fisher_z, all       0.750                0.227     0.047
    gcm, cond           0.073                0.070     0.040
    gcm, all            0.070                0.083     0.040
    rcit, cond          0.073                0.070     0.023
    rcit, all           0.057                0.067     0.033

For an edge of slope 0.15 at 10 000 cells `'gcm'` with `'all'` loses at most 3 points of power against Fisher's z before
dropout, `'rcit'` with `'all'` 8; after `'cond'` at a fixed rate the zeros of x and y that stay cost either up to 86. At 2000
cells with half of them lost `'gcm'` finds 49 % of such edges. `'gcm'` does not see dependence without
covariance of the residuals.

Skeleton: at level l = 0, 1, ... the neighbours of each gene are frozen; each joined pair tries the sets of l
neighbours of one gene, then of the other, until one has p_value > `alpha`; the edge goes when the level ends. So
the skeleton does not depend on the order of genes. Directions: with `'sepset'` a common neighbour k of a separated
pair is a collider if it is not in the set that separated them, and colliders are placed in the order of columns;
with `'max_p'` the set is that with the largest p-value among up to three neighbours of one gene, and the colliders
with the largest are placed first. Meek's rules 1 to 3 follow. `->` is common to all graphs of the equivalence class,
`--` is not decided by the data.

A test with fewer cells than `min_rows` (status `few`), with a gene of one value in them (`constant`) or with a
gene that is a function of others (`singular`) is untestable: neither independence nor dependence. Such a set
does not separate. A pair whose test without S is untestable has no evidence of dependence: it is no edge, and is
given as a row with a null mark and its status. An edge with an untestable set is `partly_tested`: it may be
indirect. `untestable => 'independent'` with `min_rows => 0`, `test => 'fisher_z'` and
`deletion => 'cond'` is the published rule instead, by which too few cells count as independence.

Each row shows the test with the largest p-value of the pair, the weakest evidence for an edge: `sepset` is its S, of
size `level`, `n_used` its cells. `pairs => 'all'` adds the pairs that were separated (status `separated`) with the
set that did. `stability` => n repeats the search on n random halves of the cells; `frequency` is the share of them
with an edge between the pair (Meinshausen and Bühlmann 2010 keep those above 0.6 to 0.9).

`method => 'ges'` is greedy equivalence search (Chickering 2002): from the empty graph the insertion that gains most is
made until none gains, then deletions. The gain of x -> y given the parents S of y is that of the Gaussian BIC,
-(N/2) ln(1 - rho^2) - ln(N) / `penalty`, with rho = tanh(sqrt(n - 3) atanh |r| / sqrt(N - 3)) for the r and n of the test and N
cells in all, so it needs `'fisher_z'`. `alpha` plays no part; an edge shows the test by which its deletion would cost least, and moves whose
test is untestable are not made. `budget` bounds the moves of each phase, so the result never depends on time.

Limits. The report warns where Fisher's z is used on more cells than its level stands: 1000 left by `'cond'`, 4000 by
`'all'`; on long-tailed values it fails with fewer. Hidden common causes and feedback loops break the method; an
edge is a claim about dependence, not about regulation.

Deletion does not help everywhere. On 2000 cells simulated from the Boolean network of blood cell differentiation (11
genes, cyclic, half of the values below the median lost) Fisher's z finds the skeleton with an F1 of 0.63 without deletion, 0.40
with `'cond'` and 0.53 with `'all'`; `'gcm'` with 0.29, 0.31 and 0.44. In dense or cyclic networks and with
few cells the tests left are too weak for many true edges. On sparse acyclic graphs of 30 genes and 10 000 cells
(three graphs, logistic dropout) F1 is 0.68 without deletion and 0.95 with `'gcm'` and `'all'` for Gaussian values, 0.62 and 0.98 for
lognormal ones, where Fisher's z with `'all'` has 0.85.

Nulls, NaN, infinite and negative values are refused; genes that are all zero or constant give untestable pairs, and
so do fewer cells than `min_rows`; more genes than cells are no problem at level 0. Long input orders genes by
name. Ranks, and so `'gcm'` and `'rcit'`, are the same after `transform`. Cost: with `'fisher_z'` n p^2 / 2 products at
level 0, then one pass over the cells of each S for the genes next to it; `'gcm'` is one regression for each test, n k^2
with k about 16 |S|, so thousands of genes want `'fisher_z'`.",
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
            meaning: "seed of the random halves, that of the run if NULL, and of the random features of 'rcit', 0 if NULL",
            ..SEED
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
        number("statistic", "", "of the test, signed unless 'rcit'; null if the test could not be run"),
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
    source: "Dai, Ng, Luo, Spirtes, Stojanov, Zhang 2024, Gene regulatory network inference in the presence of dropouts; Spirtes, Glymour, Scheines 2000; Colombo, Maathuis 2014; Meek 1995; Ramsey 2016; Meinshausen, Bühlmann 2010; Chickering 2002; Nandy, Hauser, Maathuis 2018; Shah, Peters 2020; Strobl, Zhang, Visweswaran 2019",
    example: "SELECT * FROM grn_dropout((SELECT * FROM genomic.expression), alpha => 0.01, stability => 20)",
};

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
        assemble(self.output_schema()?, columns(&rows, &cells, search.test), report)
    }
}

fn columns(rows: &[Row<'_>], cells: &Cells, test: TestKind) -> Vec<ArrayRef> {
    let [statistic, p_value, log_p_value] = statistics(test, rows.iter().map(|row| &row.pair.weakest));
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
