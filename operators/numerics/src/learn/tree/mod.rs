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
