//! The central path: stages of Adam on score plus acyclicity.
//!
//! With C the covariance of the columns, A = I - W and s a stage's constant (the paper's letters):
//!
//! ```text
//! EV score   tr(A'CA) / (2 sigma) + d sigma / 2 + lambda |W|_1
//! NV score   sum_j (A'CA)_jj / (2 sigma_j) + sum_j sigma_j / 2 + lambda |W|_1
//! h          d log s - log det(s I - W o W)
//! objective  mu score + h
//! ```

use causeway_core::Result;
use causeway_numerics::dense::{Left, padding};

use super::descent::Descent;
use super::params::{Schedule, Variant};

/// The covariance and what is minimised over it. All matrices have `order` rows and columns: those
/// of the variables, and padding whose weights stay 0.
#[derive(Debug)]
pub(super) struct Problem {
    /// The number of variables.
    pub(super) n_variables: usize,
    pub(super) order: usize,
    pub(super) covariance: Vec<f64>,
    /// The covariance as the left factor of products.
    pub(super) packed: Left,
    pub(super) variant: Variant,
    pub(super) lambda: f64,
}

/// A point of the path.
#[derive(Debug, Clone)]
pub(super) struct Point {
    /// W, padded.
    pub(super) weights: Vec<f64>,
    /// sigma for each column, the same in all for equal variances; 1 in the padding.
    pub(super) scales: Vec<f64>,
}

/// The constants of a stage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage {
    pub(crate) mu: f64,
    pub(crate) s: f64,
}

/// What a stage did.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// From 1.
    pub(crate) stage: u64,
    pub(crate) constants: Stage,
    pub(crate) learning_rate: f64,
    pub(crate) n_steps: u32,
    /// False if the stage left the domain and was begun again.
    pub(crate) in_domain: bool,
    /// False if it ended for another reason than the tolerance.
    pub(crate) converged: bool,
    pub(crate) value: Value,
}

/// The objective and its parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value {
    pub(crate) objective: f64,
    /// Without the penalty.
    pub(crate) score: f64,
    pub(crate) acyclicity: f64,
}

/// The end of the path.
#[derive(Debug)]
pub(super) struct Fit {
    pub(super) point: Point,
    pub(super) attempts: Vec<Attempt>,
}

impl Problem {
    /// Takes a covariance matrix of `n_variables` rows and columns.
    pub(super) fn new(covariance: &[f64], n_variables: usize, variant: Variant, lambda: f64) -> Self {
        let order = n_variables.next_multiple_of(padding());
        let covariance = padded(covariance, n_variables, order);
        let mut packed = Left::default();
        packed.pack(&covariance, order);
        Self { n_variables, order, covariance, packed, variant, lambda }
    }

    /// Returns the start: no edge, and every column its own noise.
    pub(super) fn start(&self) -> Point {
        let deviations = (0..self.n_variables).map(|index| self.covariance[index * (self.order + 1)].sqrt());
        let mut scales: Vec<f64> = match self.variant {
            Variant::EqualVariance => vec![deviations.fold(f64::INFINITY, f64::min); self.n_variables],
            Variant::NonEqualVariance => deviations.collect(),
        };
        scales.resize(self.order, 1.0);
        Point { weights: vec![0.0; self.order * self.order], scales }
    }

    pub(super) fn largest_variance(&self) -> f64 {
        self.covariance.iter().step_by(self.order + 1).fold(0.0, |largest, variance| variance.max(largest))
    }

    /// Walks the path. `watch` is told the share of the path that is behind, and may end the run.
    pub(super) fn fit(&self, schedule: &Schedule, watch: &dyn Fn(f64) -> Result<()>) -> Result<Fit> {
        let mut point = self.start();
        let mut attempts = Vec::new();
        let mut mu = 1.0;
        let mut descent = Descent::new(self);
        let n_stages = Schedule::STAGES.len();
        for ((number, s), base) in (1_u64..).zip(Schedule::STAGES).zip(0_u32..) {
            let mut stage = Stage { mu, s };
            let mut learning_rate = schedule.learning_rate;
            let limit = schedule.steps(number);
            let share = 1.0 / f64::from(u32::try_from(n_stages).unwrap_or(u32::MAX));
            let watch_stage = |done: f64| watch((f64::from(base) + done) * share);
            loop {
                let mut next = point.clone();
                let end = descent.stage(&mut next, stage, learning_rate, limit, &watch_stage)?;
                let value = descent.value(&next, stage);
                attempts.push(Attempt {
                    stage: number,
                    constants: stage,
                    learning_rate,
                    n_steps: end.n_steps,
                    in_domain: end.in_domain,
                    converged: end.converged,
                    value,
                });
                if end.in_domain {
                    point = next;
                    break;
                }
                learning_rate *= 0.5;
                stage.s += 0.1;
            }
            mu *= 0.1;
        }
        Ok(Fit { point, attempts })
    }
}

impl Point {
    /// Makes a point from W and either one scale or one for each variable.
    #[cfg(test)]
    pub(super) fn new(weights: &[f64], n_variables: usize, scales: &[f64]) -> Self {
        let order = n_variables.next_multiple_of(padding());
        let mut scales: Vec<f64> = scales.iter().copied().cycle().take(n_variables).collect();
        scales.resize(order, 1.0);
        Self { weights: padded(weights, n_variables, order), scales }
    }

    /// Returns the weight of the edge between two variables.
    fn weight(&self, source: usize, target: usize) -> f64 {
        self.weights[source * self.scales.len() + target]
    }

    /// Returns W without padding.
    pub(super) fn weights(&self, n_variables: usize) -> Vec<f64> {
        (0..n_variables).flat_map(|i| (0..n_variables).map(move |j| self.weight(i, j))).collect()
    }

    /// Returns the standard deviation of each variable's noise.
    pub(super) fn scales(&self, n_variables: usize) -> &[f64] {
        &self.scales[..n_variables]
    }
}

fn padded(matrix: &[f64], n: usize, order: usize) -> Vec<f64> {
    let mut out = vec![0.0; order * order];
    for (row, values) in matrix.chunks_exact(n).enumerate() {
        out[row * order..row * order + n].copy_from_slice(values);
    }
    out
}

/// Converts a count far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts of variables")]
pub(super) fn to_float(count: usize) -> f64 {
    count as f64
}
