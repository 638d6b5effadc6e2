//! Sums of products of scores h e over rows or clusters: the middle of every robust covariance.

use arrow::array::UInt32Array;
use causeway_core::{Result, RunContext};
use causeway_numerics::columns::add_products;
use causeway_numerics::dense::vectorised;
use causeway_numerics::matrix::Matrix;

use super::absorb::add_within;
use super::blocks::{BLOCK_ROWS, Block, Centre, each_block};
use super::store::{Store, Task};

/// The columns h that residuals are multiplied with.
#[derive(Debug)]
pub(crate) enum Basis {
    /// Columns of the layout.
    Columns(Vec<usize>),
    /// Linear combinations: one row for each column of the layout, one column for each h.
    Combinations(Matrix),
}

/// Sums over rows of h e, and sums of products of all pairs of them over rows or clusters.
#[derive(Debug)]
pub(crate) struct Scores {
    n_basis: usize,
    totals: Vec<f64>,
    products: Matrix,
}

/// What is read from each block.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) constant: bool,
    pub(super) basis: &'a Basis,
    /// Residuals: one row for each column of the layout, one column for each residual.
    pub(super) residuals: &'a Matrix,
}

/// Groups of rows whose scores are summed first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clusters {
    /// Which group column of the store.
    pub(super) column: usize,
    pub(super) n_clusters: usize,
}

impl Scores {
    /// Returns the sum over rows of h e for residual `e`.
    pub(crate) fn total(&self, residual: usize) -> Matrix {
        Matrix::column(&self.totals[residual * self.n_basis..(residual + 1) * self.n_basis])
    }

    /// Returns the sum over rows or clusters of (h e)(h f)' for two residuals.
    pub(crate) fn product(&self, e: usize, f: usize) -> Matrix {
        let (first, second) = (e * self.n_basis, f * self.n_basis);
        Matrix::from_fn(self.n_basis, self.n_basis, |row, column| self.products[(first + row, second + column)])
    }

    /// Reads the store once more.
    pub(super) fn read(
        store: &mut Store,
        centre: Centre<'_>,
        request: &Request<'_>,
        clusters: Option<Clusters>,
        context: &RunContext,
    ) -> Result<Self> {
        match clusters {
            None => Self::over_rows(store, centre, request, context),
            Some(clusters) => Self::over_clusters(store, centre, request, clusters, context),
        }
    }

    fn over_rows(store: &mut Store, centre: Centre<'_>, request: &Request<'_>, context: &RunContext) -> Result<Self> {
        let n_scores = request.n_scores();
        let n_sums = n_scores + 1;
        let mut sums = vec![0.0; n_sums * n_sums];
        let map = |task: &Task| Ok(vectorised(|| request.sums(task, centre)));
        let mut reduce = |of_task: Vec<f64>| {
            sums.iter_mut().zip(&of_task).for_each(|(sum, more)| *sum += more);
            Ok(())
        };
        store.fold(context, &map, &mut reduce)?;
        let products = Matrix::from_fn(n_scores, n_scores, |row, column| {
            sums[(row.min(column) + 1) * n_sums + row.max(column) + 1]
        });
        Ok(Self { n_basis: request.n_basis(), totals: sums[1..n_sums].to_vec(), products })
    }

    fn over_clusters(
        store: &mut Store,
        centre: Centre<'_>,
        request: &Request<'_>,
        clusters: Clusters,
        context: &RunContext,
    ) -> Result<Self> {
        let n_scores = request.n_scores();
        context.grow_memory(size_of::<f64>() * n_scores * clusters.n_clusters)?;
        let mut sums = vec![0.0; n_scores * clusters.n_clusters];
        let map = |task: &Task| {
            let scores = vectorised(|| request.scores(task, centre));
            let mut groups = Vec::with_capacity(task.n_rows);
            task.groups(clusters.column, 0, task.n_rows, |_, part| groups.extend_from_slice(part));
            Ok((scores, UInt32Array::from(groups)))
        };
        let mut reduce = |(scores, groups): (Vec<Vec<f64>>, UInt32Array)| {
            add_within(&mut sums, clusters.n_clusters, groups.values(), &scores, context);
            Ok(())
        };
        store.fold(context, &map, &mut reduce)?;
        let columns: Vec<&[f64]> = sums.chunks_exact(clusters.n_clusters).collect();
        let mut products = vec![0.0; n_scores * n_scores];
        add_products(&columns, &mut products);
        Ok(Self {
            n_basis: request.n_basis(),
            totals: columns.iter().map(|column| column.iter().sum()).collect(),
            products: Matrix::from_fn(n_scores, n_scores, |row, column| {
                products[row.min(column) * n_scores + row.max(column)]
            }),
        })
    }
}

impl Request<'_> {
    fn n_basis(&self) -> usize {
        match self.basis {
            Basis::Columns(columns) => columns.len(),
            Basis::Combinations(matrix) => matrix.n_columns(),
        }
    }

    fn n_scores(&self) -> usize {
        self.n_basis() * self.residuals.n_columns()
    }

    /// Returns the sums of products of one and all scores.
    #[inline(always)]
    fn sums(&self, task: &Task, centre: Centre<'_>) -> Vec<f64> {
        let n_sums = self.n_scores() + 1;
        let mut sums = vec![0.0; n_sums * n_sums];
        let mut space = Space::default();
        each_block(task, centre, |_, block| {
            self.multiply(block, &mut space);
            let scores = space.scores.chunks_exact(BLOCK_ROWS).map(|column| &column[..block.ones().len()]);
            let columns: Vec<&[f64]> = std::iter::once(block.ones()).chain(scores).collect();
            add_products(&columns, &mut sums);
        });
        sums
    }

    /// Returns the scores of all rows of a task.
    #[inline(always)]
    fn scores(&self, task: &Task, centre: Centre<'_>) -> Vec<Vec<f64>> {
        let mut columns = vec![Vec::with_capacity(task.n_rows); self.n_scores()];
        let mut space = Space::default();
        each_block(task, centre, |_, block| {
            self.multiply(block, &mut space);
            for (column, scores) in columns.iter_mut().zip(space.scores.chunks_exact(BLOCK_ROWS)) {
                column.extend_from_slice(&scores[..block.ones().len()]);
            }
        });
        columns
    }

    /// Sets the scores of a block: all of the first residual, then of the second.
    #[inline(always)]
    fn multiply(&self, block: &Block, space: &mut Space) {
        let columns = block.columns(self.constant);
        combine(&columns, self.residuals, &mut space.residuals);
        space.scores.resize(self.n_scores() * BLOCK_ROWS, 0.0);
        let n_basis = self.n_basis();
        if let Basis::Combinations(matrix) = self.basis {
            combine(&columns, matrix, &mut space.basis);
        }
        let n_rows = block.ones().len();
        for (index, scores) in space.scores.chunks_exact_mut(BLOCK_ROWS).enumerate() {
            let residual = &space.residuals[index / n_basis * BLOCK_ROWS..][..n_rows];
            let basis = match self.basis {
                Basis::Columns(chosen) => columns[chosen[index % n_basis]],
                Basis::Combinations(_) => &space.basis[index % n_basis * BLOCK_ROWS..][..n_rows],
            };
            for ((score, basis), residual) in scores.iter_mut().zip(basis).zip(residual) {
                *score = basis * residual;
            }
        }
    }
}

/// Working space of a task; columns stand [`BLOCK_ROWS`] apart.
#[derive(Debug, Default)]
struct Space {
    residuals: Vec<f64>,
    basis: Vec<f64>,
    scores: Vec<f64>,
}

/// Sets `out` to linear combinations of columns.
#[inline(always)]
fn combine(columns: &[&[f64]], weights: &Matrix, out: &mut Vec<f64>) {
    out.clear();
    out.resize(weights.n_columns() * BLOCK_ROWS, 0.0);
    for (index, out) in out.chunks_exact_mut(BLOCK_ROWS).enumerate() {
        for (row, column) in columns.iter().enumerate() {
            let weight = weights[(row, index)];
            if weight.abs() > 0.0 {
                out.iter_mut().zip(*column).for_each(|(out, value)| *out += weight * value);
            }
        }
    }
}
