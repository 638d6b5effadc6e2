//! Blocks of a few hundred rows, centred, column by column: small enough for the fast caches.

use causeway_numerics::columns::add_products;
use causeway_numerics::matrix::Matrix;

use super::absorb::Effects;
use super::float;
use super::store::Task;

/// Rows of a block.
pub(super) const BLOCK_ROWS: usize = 256;

static ONES: [f64; BLOCK_ROWS] = [1.0; BLOCK_ROWS];

/// Means of columns, each as the sum of two numbers: one alone has not the digits of a column far from zero.
#[derive(Debug, Clone, Default)]
pub(super) struct Means {
    shift: Vec<f64>,
    rest: Vec<f64>,
}

/// What is taken off every row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Centre<'a> {
    pub(super) means: &'a Means,
    pub(super) effects: Option<&'a Effects>,
}

impl Means {
    /// Returns the number of columns.
    pub(super) fn len(&self) -> usize {
        self.shift.len()
    }

    /// Returns the mean of a column, rounded.
    pub(super) fn get(&self, column: usize) -> f64 {
        self.shift[column] + self.rest[column]
    }
}

/// A block of rows.
#[derive(Debug)]
pub(super) struct Block {
    n_rows: usize,
    values: Vec<f64>,
}

impl Block {
    /// Returns a column without the constant: X, Z, D, Y.
    #[inline(always)]
    pub(super) fn column(&self, column: usize) -> &[f64] {
        &self.values[column * BLOCK_ROWS..column * BLOCK_ROWS + self.n_rows]
    }

    /// Returns as many ones as the block has rows.
    #[inline(always)]
    pub(super) fn ones(&self) -> &[f64] {
        &ONES[..self.n_rows]
    }

    /// Returns the columns with the constant, if the layout has one, in its order.
    pub(super) fn columns(&self, constant: bool) -> Vec<&[f64]> {
        let n_columns = self.values.len() / BLOCK_ROWS;
        let ones = constant.then(|| self.ones());
        ones.into_iter().chain((0..n_columns).map(|column| self.column(column))).collect()
    }
}

/// Calls `visit` with each block of a task and the row it starts at.
#[inline(always)]
pub(super) fn each_block(task: &Task, centre: Centre<'_>, mut visit: impl FnMut(usize, &Block)) {
    let n_columns = centre.means.len();
    let mut block = Block { n_rows: 0, values: vec![0.0; n_columns * BLOCK_ROWS] };
    for start in (0..task.n_rows).step_by(BLOCK_ROWS) {
        block.n_rows = BLOCK_ROWS.min(task.n_rows - start);
        for (column, (shift, rest)) in centre.means.shift.iter().zip(&centre.means.rest).enumerate() {
            let values = &mut block.values[column * BLOCK_ROWS..];
            task.numbers(column, start, block.n_rows, |at, part| {
                for (value, raw) in values[at..].iter_mut().zip(part) {
                    *value = (raw - shift) - rest;
                }
            });
        }
        if let Some(effects) = centre.effects {
            effects.take_off(task, start, block.n_rows, &mut block.values);
        }
        visit(start, &block);
    }
}

/// Number of rows, means and centred sums of products of columns.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    pub(super) n_rows: u64,
    pub(super) means: Means,
    /// Sums of products of deviations from the means.
    pub(super) products: Matrix,
}

impl Moments {
    /// Makes the moments of no rows.
    pub(super) fn new(n_columns: usize) -> Self {
        Self { n_rows: 0, means: Means::default(), products: Matrix::zeros(n_columns, n_columns) }
    }

    /// Returns the moments of a task, summed as deviations from the means of its first block.
    #[inline(always)]
    pub(super) fn of_task(task: &Task, n_columns: usize) -> Self {
        let mut means = Means { shift: first_means(task, n_columns), rest: vec![0.0; n_columns] };
        let n_sums = n_columns + 1;
        let mut sums = vec![0.0; n_sums * n_sums];
        each_block(task, Centre { means: &means, effects: None }, |_, block| {
            add_products(&block.columns(true), &mut sums);
        });
        let n_rows = float(task.n_rows as u64);
        let products = Matrix::from_fn(n_columns, n_columns, |i, j| {
            let (i, j) = (i.min(j) + 1, i.max(j) + 1);
            sums[i * n_sums + j] - sums[i] * sums[j] / n_rows
        });
        means.rest = sums[1..=n_columns].iter().map(|sum| sum / n_rows).collect();
        Self { n_rows: task.n_rows as u64, means, products }
    }

    /// Adds rows that come after these (Chan, Golub and LeVeque 1979, eq. 2.1).
    pub(super) fn add(&mut self, later: &Self) {
        if self.n_rows == 0 {
            self.clone_from(later);
            return;
        }
        let (before, after) = (float(self.n_rows), float(later.n_rows));
        let all = before + after;
        let step: Vec<f64> = (0..self.means.len())
            .map(|column| {
                let shifts = later.means.shift[column] - self.means.shift[column];
                shifts + (later.means.rest[column] - self.means.rest[column])
            })
            .collect();
        let weight = before * after / all;
        let n_columns = step.len();
        let added = Matrix::from_fn(n_columns, n_columns, |i, j| later.products[(i, j)] + weight * step[i] * step[j]);
        self.products = self.products.plus(1.0, &added);
        for (rest, step) in self.means.rest.iter_mut().zip(&step) {
            *rest += step * after / all;
        }
        self.n_rows += later.n_rows;
    }
}

/// Returns the means of the first block of a task.
fn first_means(task: &Task, n_columns: usize) -> Vec<f64> {
    let n_rows = BLOCK_ROWS.min(task.n_rows);
    let mean = |column: usize| {
        let mut sum = 0.0;
        task.numbers(column, 0, n_rows, |_, part| sum += part.iter().sum::<f64>());
        sum / float(n_rows as u64)
    };
    (0..n_columns).map(mean).collect()
}
