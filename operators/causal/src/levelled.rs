//! Tests that keep their level where dropout bends the relations between genes, under test-wise deletion.
//!
//! What tests have in common is computed once:
//!
//! ```text
//! a gene's order            for all tests: the scores of any cells follow without sorting
//! a gene's scores           for all tests without S whose genes delete no cell
//! regressions on S          for all tests given S that use the same cells
//! ```
//!
//! Which cells a test uses depends on the genes whose zeros it deletes: with [`Deletion::Conditioned`] on S alone,
//! with [`Deletion::All`] on x and y too, if they have zeros. An answer depends on x, y, S and the seed
//! alone, not on what it shared.

use std::sync::OnceLock;

use causeway_core::Result;
use rayon::prelude::*;

use crate::ci::{Deletion, Finding, IndependenceTest, MinRows, Queries, Status, Workers};
use crate::expression::{Expression, rows_of};
use crate::independence::{
    Independence, MIN_ROWS, Part, RcitParams, Residual, Sorted, covariance, rcit_of_scores, residuals,
};

/// Doubles a thread needs for each cell: scores and residuals of up to 64 genes, and a basis with the scores beside it.
const DOUBLES_A_CELL: usize = 256;

/// Tests asked in one round: some seconds at most, so that progress is seen.
const ROUND_TESTS: usize = 1 << 12;

/// Tests that share regressions, at most: more would keep one thread busy while others wait.
const GROUP_TESTS: usize = 32;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// The covariance of residuals of spline regressions.
    Gcm,
    /// The covariance of residuals of random features, which the seed draws anew for each x, y and S.
    Rcit { seed: u64 },
}

/// A test of residuals on the columns of an expression.
#[derive(Debug)]
pub(crate) struct Levelled<'a> {
    expression: &'a Expression,
    deletion: Deletion,
    min_rows: MinRows,
    measure: Measure,
    workers: Workers<'a>,
    sorted: Vec<Option<Sorted>>,
    has_zeros: Vec<bool>,
    /// Every cell.
    whole: Part,
    /// What the mean leaves of the scores of each gene in all cells; filled when asked for.
    marginal: Vec<OnceLock<Option<Residual>>>,
}

impl<'a> Levelled<'a> {
    /// Sorts each gene's cells.
    pub(crate) fn new(
        expression: &'a Expression,
        deletion: Deletion,
        min_rows: MinRows,
        measure: Measure,
        workers: Workers<'a>,
    ) -> Self {
        let (n_genes, n_cells) = (expression.n_genes(), expression.n_cells());
        let sort = |gene: usize| Sorted::new(expression.column(gene));
        Self {
            expression,
            deletion,
            min_rows,
            measure,
            sorted: workers.pool.install(|| (0..n_genes).into_par_iter().map(sort).collect()),
            workers,
            has_zeros: (0..n_genes).map(|gene| expression.n_nonzero(gene) < n_cells).collect(),
            whole: Part::all(n_cells),
            marginal: (0..n_genes).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Returns the bytes that the test takes on some threads.
    pub(crate) fn bytes(n_genes: usize, n_cells: usize, n_threads: usize) -> usize {
        let scores = n_genes * n_cells * size_of::<f64>();
        n_cells * n_threads * DOUBLES_A_CELL * size_of::<f64>() + n_genes * Sorted::bytes(n_cells) + scores
    }

    /// Returns the genes whose zeros delete cells from a test, ascending.
    fn deleting(&self, x: usize, y: usize, set: &[usize]) -> Vec<usize> {
        let mut genes = match self.deletion {
            Deletion::None => Vec::new(),
            Deletion::Conditioned => set.to_vec(),
            Deletion::All => [set, &[x, y]].concat(),
        };
        genes.retain(|gene| self.has_zeros[*gene]);
        genes.sort_unstable();
        genes
    }

    /// Answers tests given the same S in the same cells.
    fn shared(&self, queries: &Queries, group: &Group<'_>, scratch: &mut Scratch) -> Vec<Finding> {
        let all = |finding: Finding| vec![finding; group.members.len()];
        let Some(first) = group.members.first() else { return Vec::new() };
        let set = queries.set(*first);
        let n_used = self.expression.kept(group.deleting.iter().copied(), &mut scratch.mask);
        if n_used < self.min_rows.required(set.len()).max(MIN_ROWS) {
            return all(Finding::untested(n_used, Status::Few));
        }
        if self.measure == Measure::Gcm && set.is_empty() && group.deleting.is_empty() {
            return group.members.iter().map(|member| self.marginal(n_used, queries.pair(*member))).collect();
        }
        rows_of(&scratch.mask, &mut scratch.rows);
        scratch.part.choose(&scratch.rows, self.expression.n_cells());
        let scores = |gene: usize| self.sorted[gene].as_ref()?.scores(&scratch.part);
        let Some(given) = set.iter().map(|gene| scores(*gene)).collect::<Option<Vec<_>>>() else {
            return all(Finding::untested(n_used, Status::Constant));
        };
        let mut genes: Vec<usize> =
            group.members.iter().map(|member| queries.pair(*member)).flat_map(|(x, y)| [x, y]).collect();
        genes.sort_unstable();
        genes.dedup();
        let of_genes: Vec<(usize, Vec<f64>)> = genes.iter().filter_map(|gene| Some((*gene, scores(*gene)?))).collect();
        match self.measure {
            Measure::Gcm => gcm_each(queries, group, n_used, of_genes, &given),
            Measure::Rcit { seed } => rcit_each(queries, group, n_used, &of_genes, &given, seed),
        }
    }

    /// Tests a pair in all cells.
    fn marginal(&self, n_used: usize, (x, y): (usize, usize)) -> Finding {
        let residual = |gene: usize| {
            let fill = || {
                let scores = self.sorted[gene].as_ref()?.scores(&self.whole)?;
                residuals(vec![scores], &[]).pop()?
            };
            self.marginal[gene].get_or_init(fill).as_ref()
        };
        match (residual(x), residual(y)) {
            (Some(x), Some(y)) => finding(n_used, covariance(x, y)),
            _ => Finding::untested(n_used, Status::Constant),
        }
    }
}

impl IndependenceTest for Levelled<'_> {
    fn evaluate(&self, queries: &Queries) -> Result<Vec<Finding>> {
        let mut order: Vec<(&[usize], Vec<usize>, usize)> = (0..queries.len())
            .map(|index| {
                let ((x, y), set) = (queries.pair(index), queries.set(index));
                (set, self.deleting(x, y, set), index)
            })
            .collect();
        order.sort_unstable();
        let same = order.chunk_by(|a, b| (a.0, &a.1) == (b.0, &b.1));
        let groups: Vec<Group<'_>> = same
            .flat_map(|same| same.chunks(GROUP_TESTS))
            .map(|part| Group { deleting: &part[0].1, members: part.iter().map(|entry| entry.2).collect() })
            .collect();
        let answer = |scratch: &mut Scratch, group: &Group<'_>| {
            self.workers.cancel.check()?;
            Ok(self.shared(queries, group, scratch))
        };
        let answers: Vec<Vec<Finding>> = self
            .workers
            .pool
            .install(|| groups.par_iter().map_init(Scratch::default, answer).collect::<Result<_>>())?;
        let mut findings = vec![Finding::untested(0, Status::Few); queries.len()];
        for (group, answers) in groups.iter().zip(answers) {
            group.members.iter().zip(answers).for_each(|(member, finding)| findings[*member] = finding);
        }
        Ok(findings)
    }

    fn n_asked_first(&self) -> usize {
        1
    }

    fn round_tests(&self) -> usize {
        ROUND_TESTS
    }
}

/// Tests given the same S in the same cells.
#[derive(Debug)]
struct Group<'a> {
    /// The genes whose zeros delete cells.
    deleting: &'a [usize],
    /// The numbers of the tests.
    members: Vec<usize>,
}

/// What a thread keeps between tests.
#[derive(Debug, Default)]
struct Scratch {
    mask: Vec<u64>,
    rows: Vec<u32>,
    part: Part,
}

/// Answers by the covariance of residuals; genes without scores are constant.
fn gcm_each(
    queries: &Queries,
    group: &Group<'_>,
    n_used: usize,
    of_genes: Vec<(usize, Vec<f64>)>,
    given: &[Vec<f64>],
) -> Vec<Finding> {
    let (genes, scores): (Vec<usize>, Vec<Vec<f64>>) = of_genes.into_iter().unzip();
    let residuals = residuals(scores, given);
    let of = |gene: usize| genes.binary_search(&gene).ok().map(|position| residuals[position].as_ref());
    let answer = |member: &usize| {
        let (x, y) = queries.pair(*member);
        match (of(x), of(y)) {
            (Some(Some(x)), Some(Some(y))) => finding(n_used, covariance(x, y)),
            (Some(_), Some(_)) => Finding::untested(n_used, Status::Singular),
            _ => Finding::untested(n_used, Status::Constant),
        }
    };
    group.members.iter().map(answer).collect()
}

/// Answers by random features.
fn rcit_each(
    queries: &Queries,
    group: &Group<'_>,
    n_used: usize,
    of_genes: &[(usize, Vec<f64>)],
    given: &[Vec<f64>],
    seed: u64,
) -> Vec<Finding> {
    let of = |gene: usize| {
        let position = of_genes.binary_search_by_key(&gene, |(gene, _)| *gene).ok()?;
        Some(&of_genes[position].1)
    };
    let answer = |member: &usize| {
        let (x, y) = queries.pair(*member);
        let (Some(scores_x), Some(scores_y)) = (of(x), of(y)) else {
            return Finding::untested(n_used, Status::Constant);
        };
        let seed = mix(seed, [x, y].iter().chain(queries.set(*member)));
        finding(n_used, rcit_of_scores(scores_x, scores_y, given, RcitParams { seed, ..RcitParams::default() }))
    };
    group.members.iter().map(answer).collect()
}

fn finding(n_used: usize, found: Option<Independence>) -> Finding {
    let Some(Independence { statistic, p_value, correlation }) = found else {
        return Finding::untested(n_used, Status::Singular);
    };
    Finding { n_used, correlation, statistic, p_value, status: Status::Ok }
}

/// Returns a seed for some numbers: the finaliser of splitmix64 (Steele, Lea and Flood 2014) after each.
fn mix<'a>(seed: u64, numbers: impl Iterator<Item = &'a usize>) -> u64 {
    numbers.fold(seed, |state, number| {
        let mut mixed = (state ^ *number as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

#[cfg(test)]
mod tests {
    use causeway_core::RunContext;

    use super::*;
    use crate::expression::Transform;
    use crate::independence::gcm;
    use crate::testing::noise;

    /// A chain of six genes; the first three have zeros.
    fn expression() -> Expression {
        let mut columns: Vec<Vec<f64>> = Vec::new();
        for (gene, stream) in (0..6).zip([0.0, 1.0, 2.0, 3.0, 4.0, 5.0]) {
            let value = |cell: usize| 2.0 + noise(cell, stream) + columns.last().map_or(0.0, |cause| 0.5 * cause[cell]);
            let drop = |cell: usize| gene < 3 && cell.is_multiple_of(gene + 3);
            columns.push((0..300).map(|cell| if drop(cell) { 0.0 } else { value(cell) }).collect());
        }
        Expression::new("test", columns, Transform::None).unwrap()
    }

    fn questions(level: usize) -> Queries {
        let mut queries = Queries::new(level);
        for x in 0..6 {
            for y in x + 1..6 {
                let others: Vec<usize> = (0..6).filter(|gene| *gene != x && *gene != y).collect();
                match level {
                    0 => queries.push(x, y, &[]),
                    1 => others.iter().for_each(|gene| queries.push(x, y, &[*gene])),
                    _ => others.windows(2).for_each(|set| queries.push(x, y, set)),
                }
            }
        }
        queries
    }

    #[test]
    fn an_answer_does_not_depend_on_what_else_is_asked_and_is_that_of_the_plain_test() {
        let (expression, context) = (expression(), RunContext::for_test(2).unwrap());
        let levels = [Deletion::None, Deletion::Conditioned, Deletion::All].map(|deletion| (deletion, [0, 1, 2]));
        for (deletion, level) in levels.iter().flat_map(|(deletion, levels)| levels.map(|level| (*deletion, level))) {
            let workers = Workers::of(&context);
            let test = Levelled::new(&expression, deletion, MinRows::Default, Measure::Gcm, workers);
            let queries = questions(level);
            let together = test.evaluate(&queries).unwrap();
            for (index, found) in together.iter().enumerate() {
                let ((x, y), set) = (queries.pair(index), queries.set(index));
                let mut alone = Queries::new(level);
                alone.push(x, y, set);
                assert_eq!(test.evaluate(&alone).unwrap(), [*found], "{deletion:?} {x} {y} {set:?}");
                let (mut mask, mut rows) = (Vec::new(), Vec::new());
                expression.kept(test.deleting(x, y, set).into_iter(), &mut mask);
                rows_of(&mask, &mut rows);
                let gather = |gene: &usize| -> Vec<f64> {
                    rows.iter().map(|row| expression.column(*gene)[*row as usize]).collect()
                };
                let given: Vec<Vec<f64>> = set.iter().map(gather).collect();
                let given: Vec<&[f64]> = given.iter().map(Vec::as_slice).collect();
                let plain = gcm(&gather(&x), &gather(&y), &given).unwrap();
                assert_eq!((found.n_used, found.status), (rows.len(), Status::Ok));
                assert!((found.statistic - plain.statistic).abs() < 1e-9);
            }
        }
    }
}
