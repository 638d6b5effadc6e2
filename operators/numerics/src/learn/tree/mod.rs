//! Regression trees on binned columns, from which forests and boosting are made.
//!
//! A tree divides its rows by thresholds of single columns so that the loss
//! sum_i h_i / 2 (t_i - v)^2 of a target t and a value v for each leaf falls most; h_i is the weight of a row. With the
//! sums H of h and S of h t, a leaf has the value S / (H + ridge).

mod bins;
mod grow;
mod predict;
#[cfg(test)]
mod tests;

pub(super) use self::bins::Binned;
pub(super) use self::grow::{Grower, Limits, Row};
pub(super) use self::predict::predict_sum;

/// A node; the left child of `left`, the right child beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    column: u32,
    /// The first of the two children; the node itself if it is a leaf.
    left: u32,
    /// Rows up to it go left; infinite in a leaf.
    threshold: f64,
    value: f64,
}

/// A grown tree; the root is the first node.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    depth: u32,
}

/// Returns an upper estimate of the bytes of growing trees and of keeping them.
pub(super) fn bytes(n_trees: u32, limits: Limits, n_rows: usize, n_columns: usize) -> usize {
    let n_leaves = (n_rows / limits.min_leaf.max(1)).clamp(1, 1 << limits.depth.min(40));
    let trees = (n_trees as usize).saturating_mul(2 * n_leaves * size_of::<Node>());
    trees.saturating_add(n_rows.saturating_mul(n_columns + 4 * size_of::<Row>()))
}
