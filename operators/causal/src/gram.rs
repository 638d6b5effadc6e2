//! The correlations of all pairs of columns over all rows.

use std::ops::Range;

use causeway_core::{Cancel, Result};
use rayon::prelude::*;

use crate::expression::Expression;
use crate::kernels::{BLOCK, Tile, add_products};
use crate::partial::is_constant;

/// Rows of a panel: two panels of eight columns stay in the first-level cache.
const PANEL_ROWS: usize = 256;

/// Blocks on the left side of a task, which share each panel of the right side.
const TASK_BLOCKS: usize = 2;

/// Correlations of all pairs of genes.
#[derive(Debug)]
pub(crate) struct Gram {
    n_genes: usize,
    correlations: Vec<f64>,
    constant: Vec<bool>,
}

/// Eight columns side by side, row by row, each less its mean; missing columns are zero.
type Block = Vec<[f64; BLOCK]>;

impl Gram {
    /// Computes all correlations. Cost: `n_cells * n_genes^2 / 2` products.
    pub(crate) fn new(expression: &Expression, cancel: &Cancel) -> Result<Self> {
        let n_genes = expression.n_genes();
        let blocks: Vec<Block> =
            (0..n_genes.div_ceil(BLOCK)).into_par_iter().map(|block| centred_block(expression, block)).collect();
        let stripes: Vec<Vec<Tile>> = (0..blocks.len())
            .step_by(TASK_BLOCKS)
            .collect::<Vec<usize>>()
            .into_par_iter()
            .with_max_len(1) // the first stripes are the longest: idle threads take the others one by one
            .map(|first| stripe(&blocks, first..(first + TASK_BLOCKS).min(blocks.len()), cancel))
            .collect::<Result<_>>()?;
        let mut products = vec![0.0; n_genes * n_genes];
        for (stripe, first) in stripes.iter().zip((0..).step_by(TASK_BLOCKS)) {
            let n_left = TASK_BLOCKS.min(blocks.len() - first);
            for (position, tile) in stripe.iter().enumerate() {
                let (left, right) = (first + position % n_left, first + position / n_left);
                copy_tile(tile, left * BLOCK, right * BLOCK, n_genes, &mut products);
            }
        }
        Ok(Self::from_products(expression, products))
    }

    /// Returns the correlation of two genes; 0 beside a constant.
    pub(crate) fn correlation(&self, a: usize, b: usize) -> f64 {
        self.correlations[a * self.n_genes + b]
    }

    /// Returns true if the gene has one value in all cells.
    pub(crate) fn is_constant(&self, gene: usize) -> bool {
        self.constant[gene]
    }

    /// Returns the bytes needed for an expression, with the copy of the columns made on the way.
    pub(crate) fn bytes(expression: &Expression) -> usize {
        let n_padded = expression.n_genes().next_multiple_of(BLOCK);
        (expression.n_cells() * n_padded + 2 * n_padded * n_padded) * size_of::<f64>()
    }

    fn from_products(expression: &Expression, products: Vec<f64>) -> Self {
        let n_genes = expression.n_genes();
        let deviations: Vec<f64> = (0..n_genes).map(|gene| products[gene * n_genes + gene].sqrt()).collect();
        let constant: Vec<bool> = (0..n_genes)
            .map(|gene| is_constant(deviations[gene], expression.largest(gene), expression.n_cells()))
            .collect();
        let mut correlations = products;
        for (a, row) in correlations.chunks_mut(n_genes.max(1)).enumerate() {
            for (b, value) in row.iter_mut().enumerate() {
                *value = if constant[a] || constant[b] { 0.0 } else { *value / (deviations[a] * deviations[b]) };
            }
        }
        Self { n_genes, correlations, constant }
    }
}

fn centred_block(expression: &Expression, block: usize) -> Block {
    let genes = block * BLOCK..expression.n_genes().min((block + 1) * BLOCK);
    let columns: Vec<&[f64]> = genes.map(|gene| expression.column(gene)).collect();
    let means: Vec<f64> = columns.iter().map(|column| column.iter().sum::<f64>() / column.len() as f64).collect();
    let mut rows = vec![[0.0; BLOCK]; expression.n_cells()];
    for (panel, first) in rows.chunks_mut(PANEL_ROWS).zip((0..).step_by(PANEL_ROWS)) {
        for (position, (column, mean)) in columns.iter().zip(&means).enumerate() {
            panel.iter_mut().zip(&column[first..]).for_each(|(row, value)| row[position] = value - mean);
        }
    }
    rows
}

/// Returns the tiles of some blocks on the left with all blocks from there on the right.
fn stripe(blocks: &[Block], left: Range<usize>, cancel: &Cancel) -> Result<Vec<Tile>> {
    let n_left = left.len();
    let mut tiles = vec![[[0.0; BLOCK]; BLOCK]; n_left * (blocks.len() - left.start)];
    let n_rows = blocks[left.start].len();
    for first_row in (0..n_rows).step_by(PANEL_ROWS) {
        cancel.check()?;
        let rows = first_row..(first_row + PANEL_ROWS).min(n_rows);
        for (right, tiles) in blocks[left.start..].iter().zip(tiles.chunks_mut(n_left)) {
            for (left, tile) in blocks[left.clone()].iter().zip(tiles) {
                add_products(&left[rows.clone()], &right[rows.clone()], tile);
            }
        }
    }
    Ok(tiles)
}

fn copy_tile(tile: &Tile, first_row: usize, first_column: usize, n_genes: usize, products: &mut [f64]) {
    for (row, sums) in (first_row..n_genes).zip(tile) {
        for (column, sum) in (first_column..n_genes).zip(sums) {
            products[row * n_genes + column] = *sum;
            products[column * n_genes + row] = *sum;
        }
    }
}
