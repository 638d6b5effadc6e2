//! Tests that keep their level where dropout bends the relations between genes, under test-wise deletion.
//!
//! Each test gathers its own cells and asks [`crate::independence`]. Nothing is shared between tests, so
//! an answer depends on x, y, S and the seed alone.

use causeway_core::Result;
use rayon::prelude::*;

use crate::ci::{Deletion, Finding, IndependenceTest, MinRows, Queries, Status, Workers};
use crate::expression::{Expression, rows_of};
use crate::independence::{Independence, MIN_ROWS, RcitParams, gcm, rcit};

/// Doubles a thread needs for each cell: the columns, their ranks, a basis and residuals.
const DOUBLES_A_CELL: usize = 128;

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
    pub(crate) expression: &'a Expression,
    pub(crate) deletion: Deletion,
    pub(crate) min_rows: MinRows,
    pub(crate) measure: Measure,
    pub(crate) workers: Workers<'a>,
}

impl Levelled<'_> {
    /// Returns the bytes that tests on some threads take.
    pub(crate) fn bytes(n_cells: usize, n_threads: usize) -> usize {
        n_cells * n_threads * DOUBLES_A_CELL * size_of::<f64>()
    }

    fn test(&self, x: usize, y: usize, set: &[usize], scratch: &mut Scratch) -> Finding {
        let n_used = self.keep(x, y, set, &mut scratch.mask);
        if n_used < self.min_rows.required(set.len()).max(MIN_ROWS) {
            return Finding::untested(n_used, Status::Few);
        }
        rows_of(&scratch.mask, &mut scratch.rows);
        let columns: Vec<Vec<f64>> =
            [x, y].iter().chain(set).map(|gene| gather(self.expression.column(*gene), &scratch.rows)).collect();
        if columns.iter().any(|column| is_constant(column)) {
            return Finding::untested(n_used, Status::Constant);
        }
        let given: Vec<&[f64]> = columns[2..].iter().map(Vec::as_slice).collect();
        let found = match self.measure {
            Measure::Gcm => gcm(&columns[0], &columns[1], &given),
            Measure::Rcit { seed } => {
                let params = RcitParams { seed: mix(seed, [x, y].iter().chain(set)), ..RcitParams::default() };
                rcit(&columns[0], &columns[1], &given, params)
            }
        };
        let Some(Independence { statistic, p_value, correlation }) = found else {
            return Finding::untested(n_used, Status::Singular);
        };
        Finding { n_used, correlation, statistic, p_value, status: Status::Ok }
    }

    /// Marks the cells of a test and returns their number.
    fn keep(&self, x: usize, y: usize, set: &[usize], mask: &mut Vec<u64>) -> usize {
        let genes = set.iter().copied();
        match self.deletion {
            Deletion::None => self.expression.kept(std::iter::empty(), mask),
            Deletion::Conditioned => self.expression.kept(genes, mask),
            Deletion::All => self.expression.kept(genes.chain([x, y]), mask),
        }
    }
}

impl IndependenceTest for Levelled<'_> {
    fn evaluate(&self, queries: &Queries) -> Result<Vec<Finding>> {
        let test = |scratch: &mut Scratch, index| {
            self.workers.cancel.check()?;
            let (x, y) = queries.pair(index);
            Ok(self.test(x, y, queries.set(index), scratch))
        };
        self.workers.pool.install(|| (0..queries.len()).into_par_iter().map_init(Scratch::default, test).collect())
    }

    fn n_asked_first(&self) -> usize {
        1
    }
}

/// What a thread keeps between tests.
#[derive(Debug, Default)]
struct Scratch {
    mask: Vec<u64>,
    rows: Vec<u32>,
}

/// Returns the cells `rows` of a column; adding 0 turns -0 into 0, so that both are one value.
fn gather(column: &[f64], rows: &[u32]) -> Vec<f64> {
    rows.iter().map(|row| column[*row as usize] + 0.0).collect()
}

fn is_constant(column: &[f64]) -> bool {
    column.windows(2).all(|pair| pair[0].total_cmp(&pair[1]).is_eq())
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
