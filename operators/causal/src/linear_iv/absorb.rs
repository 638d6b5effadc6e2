//! Fixed effects, taken off by solving for them.
//!
//! Regression on one indicator for each level of each absorbed column leaves v - sum over f of a_f[level of f]. With
//! one column the effects are means within levels. With several they solve the normal equations
//! D'D a = D'v (Gaure 2013), here by conjugate gradients with the diagonal as preconditioner, which has the limit of
//! the alternating projections and takes fewer steps. D'D depends on the rows only by how often each combination of
//! levels occurs, so the steps do not read the rows.

use std::collections::HashMap;

use arrow::array::UInt32Array;
use causeway_core::{Cancel, OperatorError, Result, RunContext};
use rayon::prelude::*;

use super::blocks::{BLOCK_ROWS, Centre, Means, each_block};
use super::float;
use super::store::{Store, Task};

/// Largest mean that may be left within a level, in standard deviations of the column.
const TOLERANCE: f64 = 1e-10;

/// Steps after which levels are taken to be too loosely connected.
const MAX_STEPS: usize = 20_000;

/// Effects of the levels of the absorbed columns on every column of numbers.
#[derive(Debug)]
pub(super) struct Effects {
    n_levels: Vec<usize>,
    /// For each absorbed column: the effects on the first number column, then on the second.
    values: Vec<Vec<f64>>,
    /// Independent effects.
    pub(super) degrees_of_freedom: usize,
    pub(super) n_singletons: usize,
    pub(super) n_steps: usize,
}

/// How often each combination of levels occurs.
struct Combinations {
    /// `n_absorbed` levels each.
    levels: Vec<u32>,
    counts: Vec<f64>,
    n_absorbed: usize,
}

impl Effects {
    /// Reads the rows and solves for the effects on columns with known means and standard deviations.
    pub(super) fn solve(
        operator: &'static str,
        store: &mut Store,
        n_levels: &[usize],
        means: &Means,
        deviations: &[f64],
        context: &RunContext,
    ) -> Result<Self> {
        let n_columns = means.len();
        let n_all: usize = n_levels.iter().sum();
        context.grow_memory(size_of::<f64>() * n_all * (2 * n_columns + 8))?;
        let (sums, combinations) = read(store, n_levels, means, context)?;
        let sizes = combinations.sizes(n_levels);
        let (values, n_steps) = if n_levels.len() == 1 {
            let size = |cell: usize| sizes[0][cell % n_levels[0]];
            let values = sums[0].iter().enumerate().map(|(cell, sum)| sum / size(cell)).collect();
            (vec![values], 0)
        } else {
            context.grow_memory(combinations.levels.len() * 12)?;
            combinations.solve(operator, &sums, &sizes, deviations, context)?
        };
        Ok(Self {
            n_levels: n_levels.to_vec(),
            values,
            degrees_of_freedom: combinations.rank(n_levels),
            n_singletons: sizes.iter().flatten().filter(|size| **size < 1.5).count(),
            n_steps,
        })
    }

    /// Subtracts the effects from a block whose columns stand [`BLOCK_ROWS`] apart.
    pub(super) fn take_off(&self, task: &Task, start: usize, n_rows: usize, block: &mut [f64]) {
        for (absorbed, (effects, n_levels)) in self.values.iter().zip(&self.n_levels).enumerate() {
            task.groups(absorbed, start, n_rows, |at, levels| {
                for (column, effects) in block.chunks_exact_mut(BLOCK_ROWS).zip(effects.chunks_exact(*n_levels)) {
                    for (value, level) in column[at..].iter_mut().zip(levels) {
                        *value -= effects[*level as usize];
                    }
                }
            });
        }
    }
}

/// Sums the columns within levels, and counts the combinations.
fn read(
    store: &mut Store,
    n_levels: &[usize],
    means: &Means,
    context: &RunContext,
) -> Result<(Vec<Vec<f64>>, Combinations)> {
    let n_absorbed = n_levels.len();
    let mut sums: Vec<Vec<f64>> = n_levels.iter().map(|n_levels| vec![0.0; n_levels * means.len()]).collect();
    let mut counts = Counts::new(n_levels);
    let map = |task: &Task| Ok(centred(task, n_absorbed, means));
    let mut reduce = |(columns, groups): (Vec<Vec<f64>>, Vec<UInt32Array>)| {
        for ((sums, n_levels), levels) in sums.iter_mut().zip(n_levels).zip(&groups) {
            add_within(sums, *n_levels, levels.values(), &columns, context);
        }
        counts.add(&groups, columns[0].len());
        Ok(())
    };
    store.fold(context, &map, &mut reduce)?;
    Ok((sums, counts.combinations(n_absorbed)))
}

/// Rows of each combination of levels, while they are counted.
enum Counts {
    /// One absorbed column.
    OfLevels(Vec<f64>),
    /// Several.
    OfCombinations(HashMap<Box<[u32]>, f64>),
}

impl Counts {
    fn new(n_levels: &[usize]) -> Self {
        match n_levels {
            [n_levels] => Self::OfLevels(vec![0.0; *n_levels]),
            _ => Self::OfCombinations(HashMap::new()),
        }
    }

    fn add(&mut self, groups: &[UInt32Array], n_rows: usize) {
        match self {
            Self::OfLevels(counts) => {
                groups.iter().flat_map(UInt32Array::values).for_each(|level| counts[*level as usize] += 1.0);
            }
            Self::OfCombinations(counts) => {
                let mut key = vec![0; groups.len()];
                for row in 0..n_rows {
                    key.iter_mut().zip(groups).for_each(|(level, levels)| *level = levels.value(row));
                    match counts.get_mut(key.as_slice()) {
                        Some(count) => *count += 1.0,
                        None => {
                            counts.insert(key.clone().into_boxed_slice(), 1.0);
                        }
                    }
                }
            }
        }
    }

    /// Returns the combinations in the order of their levels.
    fn combinations(self, n_absorbed: usize) -> Combinations {
        let (levels, counts) = match self {
            Self::OfLevels(counts) => ((0..).take(counts.len()).collect(), counts),
            Self::OfCombinations(counts) => {
                let mut ordered: Vec<(Box<[u32]>, f64)> = counts.into_iter().collect();
                ordered.sort_by(|(left, _), (right, _)| left.cmp(right));
                let levels = ordered.iter().flat_map(|(levels, _)| levels.iter().copied()).collect();
                (levels, ordered.iter().map(|(_, count)| *count).collect())
            }
        };
        Combinations { levels, counts, n_absorbed }
    }
}

/// Returns the centred columns of a task and its levels.
fn centred(task: &Task, n_absorbed: usize, means: &Means) -> (Vec<Vec<f64>>, Vec<UInt32Array>) {
    let mut columns: Vec<Vec<f64>> = vec![Vec::with_capacity(task.n_rows); means.len()];
    each_block(task, Centre { means, effects: None }, |_, block| {
        columns.iter_mut().enumerate().for_each(|(index, column)| column.extend_from_slice(block.column(index)));
    });
    let groups = (0..n_absorbed).map(|absorbed| {
        let mut levels = Vec::with_capacity(task.n_rows);
        task.groups(absorbed, 0, task.n_rows, |_, part| levels.extend_from_slice(part));
        levels.into()
    });
    (columns, groups.collect())
}

/// Adds rows to the sums of their groups: columns side by side, rows in order.
pub(super) fn add_within(
    sums: &mut [f64],
    n_groups: usize,
    groups: &[u32],
    columns: &[Vec<f64>],
    context: &RunContext,
) {
    let add = |(sums, column): (&mut [f64], &Vec<f64>)| {
        for (group, value) in groups.iter().zip(column) {
            sums[*group as usize] += value;
        }
    };
    context.pool().install(|| sums.par_chunks_exact_mut(n_groups).zip(columns).with_min_len(4).for_each(add));
}

impl Combinations {
    fn each(&self) -> impl Iterator<Item = (&[u32], f64)> {
        self.levels.chunks_exact(self.n_absorbed).zip(self.counts.iter().copied())
    }

    /// Returns the rows of each level of each absorbed column.
    fn sizes(&self, n_levels: &[usize]) -> Vec<Vec<f64>> {
        let mut sizes: Vec<Vec<f64>> = n_levels.iter().map(|n_levels| vec![0.0; *n_levels]).collect();
        for (levels, count) in self.each() {
            for (sizes, level) in sizes.iter_mut().zip(levels) {
                sizes[*level as usize] += count;
            }
        }
        sizes
    }

    /// Returns the number of independent effects: exact for one and two columns, for more an upper bound, since
    /// only pairs of columns are looked at.
    fn rank(&self, n_levels: &[usize]) -> usize {
        let mut rank = 0;
        for (column, n_levels_here) in n_levels.iter().enumerate() {
            let redundant = (0..column).map(|earlier| self.n_components(n_levels, earlier, column)).max();
            rank += n_levels_here - redundant.unwrap_or(0).min(*n_levels_here);
        }
        rank
    }

    /// Returns the connected components of the graph that joins the levels of two columns.
    fn n_components(&self, n_levels: &[usize], a: usize, b: usize) -> usize {
        let mut parents: Vec<usize> = (0..n_levels[a] + n_levels[b]).collect();
        let mut n_components = parents.len();
        for (levels, _) in self.each() {
            let left = root(&mut parents, levels[a] as usize);
            let right = root(&mut parents, n_levels[a] + levels[b] as usize);
            if left != right {
                parents[left] = right;
                n_components -= 1;
            }
        }
        n_components
    }

    /// Solves for the effects on every column; returns them and the most steps taken.
    fn solve(
        &self,
        operator: &'static str,
        sums: &[Vec<f64>],
        sizes: &[Vec<f64>],
        deviations: &[f64],
        context: &RunContext,
    ) -> Result<(Vec<Vec<f64>>, usize)> {
        let (flat_sizes, cancel) = (sizes.concat(), context.cancel_flag());
        let column = |(column, deviation): (usize, &f64)| {
            let right: Vec<f64> = sums
                .iter()
                .zip(sizes)
                .flat_map(|(sums, sizes)| sums[column * sizes.len()..(column + 1) * sizes.len()].iter().copied())
                .collect();
            self.conjugate_gradients(operator, &right, &flat_sizes, sizes, TOLERANCE * deviation, &cancel)
        };
        let solved: Vec<Result<(Vec<f64>, usize)>> =
            context.pool().install(|| deviations.par_iter().enumerate().map(column).collect());
        let mut values: Vec<Vec<f64>> = vec![Vec::new(); sizes.len()];
        let mut most_steps = 0;
        for solution in solved {
            let (effects, n_steps) = solution?;
            most_steps = most_steps.max(n_steps);
            let mut start = 0;
            for (values, sizes) in values.iter_mut().zip(sizes) {
                values.extend_from_slice(&effects[start..start + sizes.len()]);
                start += sizes.len();
            }
        }
        Ok((values, most_steps))
    }

    fn conjugate_gradients(
        &self,
        operator: &'static str,
        right: &[f64],
        flat_sizes: &[f64],
        sizes: &[Vec<f64>],
        tolerance: f64,
        cancel: &Cancel,
    ) -> Result<(Vec<f64>, usize)> {
        let mut effects = vec![0.0; right.len()];
        let mut residual = right.to_vec();
        let (mut direction, mut last) = (vec![0.0; right.len()], 0.0);
        for n_steps in 0..MAX_STEPS {
            cancel.check()?;
            let scaled: Vec<f64> = residual.iter().zip(flat_sizes).map(|(residual, size)| residual / size).collect();
            let largest = scaled.iter().fold(0.0_f64, |largest, mean| largest.max(mean.abs()));
            if largest <= tolerance {
                // the residual was updated, not computed: trust it only if it is true
                let product = self.product(&effects, sizes);
                residual = right.iter().zip(&product).map(|(right, product)| right - product).collect();
                let means = residual.iter().zip(flat_sizes).map(|(residual, size)| (residual / size).abs());
                if means.fold(0.0_f64, f64::max) <= 2.0 * tolerance {
                    return Ok((effects, n_steps));
                }
                last = 0.0;
                continue;
            }
            let energy = dot(&residual, &scaled);
            let turn = if last > 0.0 { energy / last } else { 0.0 };
            direction.iter_mut().zip(&scaled).for_each(|(direction, scaled)| *direction = scaled + turn * *direction);
            let product = self.product(&direction, sizes);
            let length = energy / dot(&direction, &product);
            effects.iter_mut().zip(&direction).for_each(|(effect, direction)| *effect += length * direction);
            residual.iter_mut().zip(&product).for_each(|(residual, product)| *residual -= length * product);
            last = energy;
        }
        let means = residual.iter().zip(flat_sizes).map(|(residual, size)| (residual / size).abs());
        let residual = means.fold(0.0_f64, f64::max) / tolerance * TOLERANCE;
        Err(OperatorError::NotConverged { operator, iterations: MAX_STEPS, residual, tolerance: TOLERANCE })
    }

    /// Returns D'D times the effects of all levels, one absorbed column after the other.
    fn product(&self, effects: &[f64], sizes: &[Vec<f64>]) -> Vec<f64> {
        let mut product = vec![0.0; effects.len()];
        for (levels, count) in self.each() {
            let (mut start, mut sum) = (0, 0.0);
            for (level, sizes) in levels.iter().zip(sizes) {
                sum += effects[start + *level as usize];
                start += sizes.len();
            }
            start = 0;
            for (level, sizes) in levels.iter().zip(sizes) {
                product[start + *level as usize] += count * sum;
                start += sizes.len();
            }
        }
        product
    }
}

fn root(parents: &mut [usize], mut node: usize) -> usize {
    while parents[node] != node {
        parents[node] = parents[parents[node]];
        node = parents[node];
    }
    node
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

/// Returns the standard deviation of a column from its sum of squares.
pub(super) fn deviation(sum_of_squares: f64, n_rows: u64) -> f64 {
    (sum_of_squares / float(n_rows)).sqrt()
}
