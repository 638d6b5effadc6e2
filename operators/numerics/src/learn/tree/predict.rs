//! The sum of the predictions of many trees.

use super::super::Features;
use super::Tree;

/// Rows that go down a tree side by side, so that their waits overlap.
const ABREAST: usize = 16;

/// Rows that are taken through all trees together.
const BLOCK: usize = 256;

/// Adds to `out`, for each row, the predictions of all trees.
pub(crate) fn predict_sum(trees: &[Tree], features: &Features, out: &mut [f64]) {
    let n_columns = features.n_columns();
    if n_columns == 0 {
        let total: f64 = trees.iter().map(|tree| tree.nodes[0].value).sum();
        out.iter_mut().for_each(|value| *value += total);
        return;
    }
    let mut rows = Vec::with_capacity(BLOCK * n_columns);
    for (block, out) in out.chunks_mut(BLOCK).enumerate() {
        let first = block * BLOCK;
        rows.clear();
        for row in first..first + out.len() {
            rows.extend(features.columns().iter().map(|column| column[row]));
        }
        for tree in trees {
            for (out, rows) in out.chunks_mut(ABREAST).zip(rows.chunks(ABREAST * n_columns)) {
                tree.add(rows, n_columns, out);
            }
        }
    }
}

impl Tree {
    /// Adds the predictions of up to [`ABREAST`] rows.
    #[inline(always)]
    fn add(&self, rows: &[f64], n_columns: usize, out: &mut [f64]) {
        let mut places = [0_u32; ABREAST];
        for _ in 0..self.depth {
            for (place, row) in places.iter_mut().zip(rows.chunks_exact(n_columns)) {
                let node = &self.nodes[*place as usize];
                *place = node.left + u32::from(row[node.column as usize] > node.threshold);
            }
        }
        for (out, place) in out.iter_mut().zip(places) {
            *out += self.nodes[place as usize].value;
        }
    }
}
