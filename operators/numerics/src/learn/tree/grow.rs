//! Growth of one tree, level by level.

use super::super::random::Random;
use super::super::to_float;
use super::bins::MOST_BINS;
use super::{Binned, Node, Tree};

/// How far a tree grows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Divisions between the root and a leaf at most.
    pub(crate) depth: u32,
    /// Rows that a leaf has at least; a row drawn twice counts once.
    pub(crate) min_leaf: usize,
    /// Columns tried for a division, drawn anew each time.
    pub(crate) n_columns: usize,
    /// Added to the weight of a leaf, so that its value shrinks towards 0.
    pub(crate) ridge: f64,
}

/// A row of a tree.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Row {
    /// Its place in the columns.
    pub(crate) row: u32,
    /// h, above 0.
    pub(crate) weight: f32,
    /// h t.
    pub(crate) weighted: f64,
}

/// The sums of a bin or a node.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    weighted: f64,
    weight: f32,
    n_rows: u32,
}

/// A division that pays.
#[derive(Debug, Clone, Copy)]
struct Division {
    column: usize,
    /// Rows of a bin up to it go left.
    bin: u8,
    gain: f64,
}

/// A node whose rows may still be divided.
#[derive(Debug, Clone, Copy)]
struct Open {
    node: usize,
    first: usize,
    end: usize,
}

/// Grows trees over the same columns and keeps its working space.
#[derive(Debug)]
pub(crate) struct Grower<'a> {
    binned: &'a Binned,
    limits: Limits,
    order: Vec<u32>,
    /// Of the bins of one column; as long as there are bytes, so that a bin needs no check.
    sums: [Sums; MOST_BINS],
    spare: Vec<Row>,
}

impl<'a> Grower<'a> {
    /// Prepares for trees of some columns.
    pub(crate) fn new(binned: &'a Binned, limits: Limits) -> Self {
        let order = (0..u32::try_from(binned.columns.len()).unwrap_or(u32::MAX)).collect();
        Self { binned, limits, order, sums: [Sums::default(); MOST_BINS], spare: Vec::new() }
    }

    /// Grows a tree over rows, whose order changes: the rows of a leaf come to stand together.
    ///
    /// Calls `leaf` with the rows and the value of each leaf.
    pub(crate) fn grow(&mut self, rows: &mut [Row], random: &mut Random, mut leaf: impl FnMut(&[Row], f64)) -> Tree {
        let mut tree = Tree { nodes: vec![Node::leaf(0, self.value(rows))], depth: 0 };
        let mut level = vec![Open { node: 0, first: 0, end: rows.len() }];
        for depth in 0..=self.limits.depth {
            let mut next = Vec::with_capacity(2 * level.len());
            for open in &level {
                let own = &mut rows[open.first..open.end];
                let division = if depth < self.limits.depth { self.best_division(own, random) } else { None };
                let Some(division) = division else {
                    leaf(own, tree.nodes[open.node].value);
                    continue;
                };
                let n_left = self.divide(own, division);
                let left = tree.nodes.len();
                self.make_children(&mut tree, open.node, division, own, n_left);
                next.push(Open { node: left, first: open.first, end: open.first + n_left });
                next.push(Open { node: left + 1, first: open.first + n_left, end: open.end });
                tree.depth = depth + 1;
            }
            level = next;
        }
        tree
    }

    fn make_children(&self, tree: &mut Tree, parent: usize, division: Division, rows: &[Row], n_left: usize) {
        let left = tree.nodes.len();
        let (left_rows, right_rows) = rows.split_at(n_left);
        tree.nodes.push(Node::leaf(left, self.value(left_rows)));
        tree.nodes.push(Node::leaf(left + 1, self.value(right_rows)));
        let node = &mut tree.nodes[parent];
        node.column = narrow(division.column);
        node.left = narrow(left);
        node.threshold = self.binned.thresholds[division.column][usize::from(division.bin)];
    }

    /// Returns the value of a leaf with these rows.
    fn value(&self, rows: &[Row]) -> f64 {
        let (mut weighted, mut weight) = (0.0, self.limits.ridge);
        for row in rows {
            weighted += row.weighted;
            weight += f64::from(row.weight);
        }
        if weight > 0.0 { weighted / weight } else { 0.0 }
    }

    /// Tries columns drawn at random, and more as long as none of them divides the rows.
    fn best_division(&mut self, rows: &[Row], random: &mut Random) -> Option<Division> {
        if rows.len() < 2 * self.limits.min_leaf.max(1) {
            return None;
        }
        let mut best: Option<Division> = None;
        for tried in 0..self.order.len() {
            if tried >= self.limits.n_columns && best.is_some() {
                break;
            }
            if self.limits.n_columns < self.order.len() {
                let other = tried + random.below(narrow(self.order.len() - tried)) as usize;
                self.order.swap(tried, other);
            }
            let column = self.order[tried] as usize;
            self.sum_bins(column, rows);
            if let Some(found) = self.best_of_column(column)
                && best.is_none_or(|best| found.gain > best.gain)
            {
                best = Some(found);
            }
        }
        best
    }

    fn sum_bins(&mut self, column: usize, rows: &[Row]) {
        self.sums[..self.binned.n_bins(column)].fill(Sums::default());
        let bins = &self.binned.columns[column];
        for row in rows {
            let sums = &mut self.sums[usize::from(bins[row.row as usize])];
            sums.weighted += row.weighted;
            sums.weight += row.weight;
            sums.n_rows += 1;
        }
    }

    /// Returns the division by one column that lowers the loss most; of equal ones the first.
    ///
    /// With S and H the sums of all rows, s and h those of the left: twice the fall of the loss is
    /// s^2 / h + (S - s)^2 / (H - h) - S^2 / H = (s - h S / H)^2 H / (h (H - h)), with the ridge in each weight.
    fn best_of_column(&self, column: usize) -> Option<Division> {
        let mut all = Sums::default();
        let mut all_weight = 0.0;
        let bins = &self.sums[..self.binned.n_bins(column)];
        for sums in bins {
            all.weighted += sums.weighted;
            all_weight += f64::from(sums.weight);
            all.n_rows += sums.n_rows;
        }
        let min_leaf = narrow(self.limits.min_leaf.max(1));
        let mean = all.weighted / all_weight;
        let (mut weighted, mut weight, mut n_rows) = (0.0, 0.0, 0);
        let mut best: Option<(usize, f64)> = None;
        let mut least = all.weighted * all.weighted / all_weight * 1e-12; // rounding is no gain
        for (bin, sums) in bins.iter().enumerate() {
            weighted += sums.weighted;
            weight += f64::from(sums.weight);
            n_rows += sums.n_rows;
            if sums.n_rows == 0 || n_rows < min_leaf {
                continue;
            }
            if all.n_rows - n_rows < min_leaf {
                break;
            }
            let deviation = weighted - weight * mean;
            let gain = deviation * deviation * all_weight / (weight * (all_weight - weight));
            if gain > least {
                least = gain;
                best = Some((bin, gain));
            }
        }
        best.map(|(bin, gain)| Division { column, bin: u8::try_from(bin).unwrap_or(u8::MAX), gain })
    }

    /// Moves the rows of the left before those of the right, both in their order.
    fn divide(&mut self, rows: &mut [Row], division: Division) -> usize {
        let bins = &self.binned.columns[division.column];
        self.spare.clear();
        let mut n_left = 0;
        for index in 0..rows.len() {
            let row = rows[index];
            if bins[row.row as usize] <= division.bin {
                rows[n_left] = row;
                n_left += 1;
            } else {
                self.spare.push(row);
            }
        }
        rows[n_left..].copy_from_slice(&self.spare);
        n_left
    }
}

impl Node {
    /// Makes a leaf, which is its own child.
    fn leaf(place: usize, value: f64) -> Self {
        Self { column: 0, left: narrow(place), threshold: f64::INFINITY, value }
    }
}

impl Row {
    /// Makes a row of weight h and target t.
    pub(crate) fn new(row: u32, weight: f32, target: f64) -> Self {
        Self { row, weight, weighted: f64::from(weight) * target }
    }
}

/// Converts a count of columns or nodes, far below 2^32.
fn narrow(count: usize) -> u32 {
    debug_assert!(to_float(count) < 4e9);
    u32::try_from(count).unwrap_or(u32::MAX)
}
