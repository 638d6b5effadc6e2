//! Fisher's z test of partial correlations under test-wise deletion.
//!
//! ```text
//! z = sqrt(n - |S| - 3) atanh r,     p = erfc(|z| / sqrt 2)
//! ```
//!
//! with r the partial correlation of x and y given S in the n cells that deletion leaves. Without
//! deletion, and without S unless zeros of x and y count, all tests read one matrix of correlations.
//! If zeros of S alone count, the tests that share S share its cells: each column is gathered once
//! for each S. Otherwise every test gathers its own cells.

use std::sync::{Mutex, PoisonError};

use causeway_core::Result;
use causeway_numerics::normal_two_sided;
use rayon::prelude::*;

use crate::ci::{Deletion, Finding, IndependenceTest, MinRows, Queries, Status, Workers};
use crate::expression::{Expression, rows_of};
use crate::gram::Gram;
use crate::kernels::{dot, gather_centred};
use crate::partial::{Factor, MAX_CONDITIONED, Partial, Projected, is_constant};

/// Tests on cells of their own that a thread does before it looks for others: some hundred microseconds.
const TASK_TESTS: usize = 8;

/// Fisher's z test on the columns of an expression.
#[derive(Debug)]
pub(crate) struct FisherZ<'a> {
    expression: &'a Expression,
    deletion: Deletion,
    min_rows: MinRows,
    /// Correlations over all cells; not needed if zeros of x and y count.
    gram: Option<Gram>,
    workers: Workers<'a>,
    /// What threads have used and will use again: its columns are too long to be made anew for every few tests.
    idle: Mutex<Vec<Scratch>>,
}

impl<'a> FisherZ<'a> {
    /// Prepares the test.
    pub(crate) fn new(
        expression: &'a Expression,
        deletion: Deletion,
        min_rows: MinRows,
        workers: Workers<'a>,
    ) -> Result<Self> {
        let all_rows = || workers.pool.install(|| Gram::new(expression, &workers.cancel));
        let gram = if deletion == Deletion::All { None } else { Some(all_rows()?) };
        Ok(Self { expression, deletion, min_rows, gram, workers, idle: Mutex::default() })
    }

    /// Returns the bytes that [`Self::new`] takes.
    pub(crate) fn bytes(expression: &Expression, deletion: Deletion) -> usize {
        if deletion == Deletion::All { 0 } else { Gram::bytes(expression) }
    }

    fn over_all_cells(&self, gram: &Gram, x: usize, y: usize, set: &[usize]) -> Finding {
        let n_used = self.expression.n_cells();
        if n_used < self.min_rows.required(set.len()) {
            return Finding::untested(n_used, Status::Few);
        }
        if set.iter().chain([&x, &y]).any(|gene| gram.is_constant(*gene)) {
            return Finding::untested(n_used, Status::Constant);
        }
        let correlation = |a: usize, b: usize| gram.correlation(gene(x, y, set, a), gene(x, y, set, b));
        finding(n_used, set.len(), partial(set.len(), correlation))
    }

    /// One test on cells of its own.
    fn direct(&self, x: usize, y: usize, set: &[usize], scratch: &mut Scratch) -> Finding {
        let genes = || set.iter().copied().chain([x, y]);
        let n_used = self.expression.kept(genes(), &mut scratch.mask);
        if n_used < self.min_rows.required(set.len()) {
            return Finding::untested(n_used, Status::Few);
        }
        rows_of(&scratch.mask, &mut scratch.rows);
        scratch.gather(self.expression, genes());
        if scratch.constant.iter().any(|constant| *constant) {
            return Finding::untested(n_used, Status::Constant);
        }
        finding(n_used, set.len(), partial(set.len(), |a, b| scratch.correlation(a, b)))
    }

    /// All tests that share S, on the cells in which no gene of S is zero.
    fn shared(&self, queries: &Queries, members: &[usize], scratch: &mut Scratch) -> Result<Vec<Finding>> {
        let set = members.first().map_or(&[][..], |member| queries.set(*member));
        let n_used = self.expression.kept(set.iter().copied(), &mut scratch.mask);
        if n_used < self.min_rows.required(set.len()) {
            return Ok(vec![Finding::untested(n_used, Status::Few); members.len()]);
        }
        self.workers.cancel.check()?;
        rows_of(&scratch.mask, &mut scratch.rows);
        scratch.choose_columns(queries, members);
        let columns = std::mem::take(&mut scratch.columns);
        scratch.gather(self.expression, set.iter().copied().chain(columns.iter().copied()));
        let given = Given::new(set.len(), scratch);
        self.workers.cancel.check()?;
        let place = |gene: usize| columns.binary_search(&gene).unwrap_or(0) + set.len();
        let findings = members.iter().map(|member| {
            let (x, y) = queries.pair(*member);
            given.test(n_used, place(x), place(y), scratch)
        });
        let findings = findings.collect();
        scratch.columns = columns;
        Ok(findings)
    }

    /// Lends a thread what it works with.
    fn lend(&self) -> Lent<'_> {
        let scratch = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        Lent { scratch, idle: &self.idle }
    }

    fn all_at_once(&self, gram: &Gram, queries: &Queries) -> Vec<Finding> {
        let test = |index| {
            let (x, y) = queries.pair(index);
            self.over_all_cells(gram, x, y, queries.set(index))
        };
        (0..queries.len()).into_par_iter().map(test).collect()
    }

    fn all_direct(&self, queries: &Queries) -> Result<Vec<Finding>> {
        let test = |lent: &mut Lent<'_>, index| {
            self.workers.cancel.check()?;
            let (x, y) = queries.pair(index);
            Ok(self.direct(x, y, queries.set(index), &mut lent.scratch))
        };
        (0..queries.len()).into_par_iter().with_max_len(TASK_TESTS).map_init(|| self.lend(), test).collect()
    }

    fn by_set(&self, queries: &Queries) -> Result<Vec<Finding>> {
        let mut order: Vec<usize> = (0..queries.len()).collect();
        order.sort_by(|a, b| queries.set(*a).cmp(queries.set(*b)));
        let groups: Vec<&[usize]> = order.chunk_by(|a, b| queries.set(*a) == queries.set(*b)).collect();
        let answers: Vec<Vec<Finding>> = groups
            .par_iter()
            .with_max_len(1) // they differ much in length: a thread that is done takes the next one
            .map_init(|| self.lend(), |lent, members| self.shared(queries, members, &mut lent.scratch))
            .collect::<Result<_>>()?;
        let mut findings = vec![Finding::untested(0, Status::Few); queries.len()];
        for (members, answers) in groups.iter().zip(answers) {
            members.iter().zip(answers).for_each(|(member, finding)| findings[*member] = finding);
        }
        Ok(findings)
    }
}

impl IndependenceTest for FisherZ<'_> {
    fn evaluate(&self, queries: &Queries) -> Result<Vec<Finding>> {
        self.workers.cancel.check()?;
        self.workers.pool.install(|| match &self.gram {
            Some(gram) if self.deletion == Deletion::None || queries.level() == 0 => {
                Ok(self.all_at_once(gram, queries))
            }
            Some(_) => self.by_set(queries),
            None => self.all_direct(queries),
        })
    }

    fn n_asked_first(&self) -> usize {
        16
    }
}

/// A thread's loan, which goes back when it is dropped.
struct Lent<'a> {
    scratch: Scratch,
    idle: &'a Mutex<Vec<Scratch>>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.scratch));
    }
}

/// What a thread keeps between tests, so that a test allocates nothing.
#[derive(Debug, Default)]
struct Scratch {
    mask: Vec<u64>,
    rows: Vec<u32>,
    /// The distinct x and y of tests that share S, ascending.
    columns: Vec<usize>,
    /// Gathered columns one after another, less their means.
    values: Vec<f64>,
    /// The root of each column's sum of squares.
    deviations: Vec<f64>,
    constant: Vec<bool>,
}

impl Scratch {
    fn choose_columns(&mut self, queries: &Queries, members: &[usize]) {
        self.columns.clear();
        self.columns.extend(members.iter().flat_map(|member| <[usize; 2]>::from(queries.pair(*member))));
        self.columns.sort_unstable();
        self.columns.dedup();
    }

    /// Gathers the cells `rows` of some genes.
    fn gather(&mut self, expression: &Expression, genes: impl Iterator<Item = usize>) {
        let n_rows = self.rows.len();
        self.values.clear();
        self.deviations.clear();
        self.constant.clear();
        for (position, gene) in genes.enumerate() {
            gather_centred(expression.column(gene), &self.rows, &mut self.values);
            let column = &self.values[position * n_rows..];
            let deviation = dot(column, column).sqrt();
            self.deviations.push(deviation);
            let constant = is_constant(deviation, expression.largest(gene), n_rows)
                && is_constant(deviation, self.largest(expression.column(gene)), n_rows);
            self.constant.push(constant);
        }
    }

    /// Returns the largest absolute value in the cells chosen.
    fn largest(&self, column: &[f64]) -> f64 {
        self.rows.iter().fold(0.0, |largest, row| largest.max(column[*row as usize].abs()))
    }

    /// Returns the correlation of two gathered columns.
    fn correlation(&self, a: usize, b: usize) -> f64 {
        if a == b {
            return 1.0;
        }
        dot(self.gathered(a), self.gathered(b)) / (self.deviations[a] * self.deviations[b])
    }

    fn gathered(&self, position: usize) -> &[f64] {
        let n_rows = self.rows.len();
        &self.values[position * n_rows..(position + 1) * n_rows]
    }
}

/// A set S in the cells chosen, with every gathered column projected on it.
#[derive(Debug)]
struct Given {
    size: usize,
    constant: bool,
    factor: Factor,
    /// For each gathered column after S: its projection on S.
    projections: Vec<f64>,
    /// For each gathered column after S: the share of variance left.
    left: Vec<f64>,
}

impl Given {
    fn new(size: usize, scratch: &Scratch) -> Self {
        let constant = scratch.constant[..size].contains(&true);
        let factor = Factor::new(size, |a, b| scratch.correlation(a, b));
        let others = size..scratch.constant.len();
        let mut projections: Vec<f64> =
            others.flat_map(|column| (0..size).map(move |given| scratch.correlation(given, column))).collect();
        let left = projections.chunks_mut(size.max(1)).map(|column| factor.project(column)).collect();
        Self { size, constant, factor, projections, left }
    }

    /// Tests two gathered columns.
    fn test(&self, n_used: usize, x: usize, y: usize, scratch: &Scratch) -> Finding {
        if self.constant || scratch.constant[x] || scratch.constant[y] {
            return Finding::untested(n_used, Status::Constant);
        }
        let found = self.factor.partial(scratch.correlation(x, y), self.projected(x), self.projected(y));
        let exact = || {
            let place = |index: usize| {
                if index < self.size {
                    index
                } else if index == self.size {
                    x
                } else {
                    y
                }
            };
            Partial::by_eigenvalues(self.size + 2, |a, b| scratch.correlation(place(a), place(b)))
        };
        finding(n_used, self.size, found.unwrap_or_else(exact))
    }

    fn projected(&self, column: usize) -> Projected<'_> {
        let index = column - self.size;
        let projection = &self.projections[index * self.size..(index + 1) * self.size];
        Projected { projection, left: self.left[index] }
    }
}

/// Returns the gene at a place of (S, x, y).
fn gene(x: usize, y: usize, set: &[usize], place: usize) -> usize {
    set.get(place).copied().unwrap_or(if place == set.len() { x } else { y })
}

/// Returns the partial correlation of the columns at `size` and `size + 1` given those before.
fn partial(size: usize, correlation: impl Fn(usize, usize) -> f64) -> Partial {
    let factor = Factor::new(size, &correlation);
    let project = |column: usize| {
        let mut projection = [0.0; MAX_CONDITIONED];
        for (given, value) in projection.iter_mut().enumerate().take(size) {
            *value = correlation(given, column);
        }
        let left = factor.project(&mut projection[..size]);
        (projection, left)
    };
    let ((x, left_x), (y, left_y)) = (project(size), project(size + 1));
    let x = Projected { projection: &x[..size], left: left_x };
    let y = Projected { projection: &y[..size], left: left_y };
    let found = factor.partial(correlation(size, size + 1), x, y);
    found.unwrap_or_else(|| Partial::by_eigenvalues(size + 2, correlation))
}

fn finding(n_used: usize, size: usize, partial: Partial) -> Finding {
    let degrees_of_freedom = (n_used - size - 3) as f64;
    let statistic = degrees_of_freedom.sqrt() * partial.correlation.atanh();
    let status = if partial.singular { Status::Singular } else { Status::Ok };
    let correlation = Some(partial.correlation);
    Finding { n_used, correlation, statistic, p_value: normal_two_sided(statistic), status }
}
