//! The central path: stages of Adam on score plus acyclicity, and the final cut to a DAG.
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
use causeway_numerics::dense::{Inverter, Left, Right, multiply, padding, vectorised};

use super::params::{Schedule, Variant};

/// An inverse with an entry below this belongs to a point outside the domain of h.
const OUTSIDE: f64 = -1e-6;

/// Steps between two looks at the objective.
pub(super) const CHECKPOINT: u32 = 1000;

/// A stage stops when the objective changed less than this, relatively, between two looks.
const TOLERANCE: f64 = 1e-6;

/// Below this learning rate the stage ends where it stands.
const SMALLEST_RATE: f64 = 1e-16;

/// From the first checkpoint of a stage on, steps between two inverses. In between the inverse is continued in
/// a straight line: Adam averages over 1 / (1 - beta_1) = 100 steps, so the path hardly bends in 8.
const PERIOD: u32 = 8;

const BETA_1: f64 = 0.99;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// The covariance and what is minimised over it. All matrices have `order` rows and columns: those
/// of the variables, and padding whose weights stay 0.
#[derive(Debug)]
pub(super) struct Problem {
    /// The number of variables.
    pub(super) n_variables: usize,
    order: usize,
    covariance: Left,
    variances: Vec<f64>,
    variant: Variant,
    lambda: f64,
}

/// A point of the path.
#[derive(Debug, Clone)]
pub(super) struct Point {
    /// W, padded.
    weights: Vec<f64>,
    /// sigma for each column, the same in all for equal variances; 1 in the padding.
    scales: Vec<f64>,
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

/// How a stage ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    n_steps: u32,
    pub(super) in_domain: bool,
    converged: bool,
}

impl Problem {
    /// Takes a covariance matrix of `n_variables` rows and columns.
    pub(super) fn new(covariance: &[f64], n_variables: usize, variant: Variant, lambda: f64) -> Self {
        let order = n_variables.next_multiple_of(padding());
        let mut packed = Left::default();
        packed.pack(&padded(covariance, n_variables, order), order);
        let variances = (0..n_variables).map(|index| covariance[index * n_variables + index]).collect();
        Self { n_variables, order, covariance: packed, variances, variant, lambda }
    }

    /// Returns the start: no edge, and every column its own noise.
    pub(super) fn start(&self) -> Point {
        let deviations = self.variances.iter().map(|variance| variance.sqrt());
        let mut scales: Vec<f64> = match self.variant {
            Variant::EqualVariance => vec![deviations.fold(f64::INFINITY, f64::min); self.n_variables],
            Variant::NonEqualVariance => deviations.collect(),
        };
        scales.resize(self.order, 1.0);
        Point { weights: vec![0.0; self.order * self.order], scales }
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

/// The working space of the steps.
#[derive(Debug)]
pub(super) struct Descent<'a> {
    problem: &'a Problem,
    /// A = I - W.
    residual: Vec<f64>,
    packed: Right,
    /// C A, of the point the scales belong to.
    product: Vec<f64>,
    /// (s I - W o W)^-1 where it was last computed.
    inverse: Vec<f64>,
    /// Its transpose at the present step, computed or continued, and the change in one step.
    transposed: Vec<f64>,
    trend: Vec<f64>,
    inverter: Inverter,
    first_moment: Vec<f64>,
    second_moment: Vec<f64>,
    step: Vec<f64>,
}

/// The constants of one Adam step.
#[derive(Debug, Clone, Copy)]
struct Adam {
    mu: f64,
    /// mu lambda.
    penalty: f64,
    /// 1 / (1 - beta^t), for both moments.
    correction_1: f64,
    correction_2: f64,
    learning_rate: f64,
}

impl<'a> Descent<'a> {
    pub(super) fn new(problem: &'a Problem) -> Self {
        let zeros = || vec![0.0; problem.order * problem.order];
        Self {
            problem,
            residual: zeros(),
            packed: Right::default(),
            product: zeros(),
            inverse: zeros(),
            transposed: zeros(),
            trend: zeros(),
            inverter: Inverter::default(),
            first_moment: zeros(),
            second_moment: zeros(),
            step: zeros(),
        }
    }

    /// Takes up to `limit` Adam steps, each followed by the scale in closed form. Ends outside the
    /// domain if the first step leaves it, or any step with s <= 0.9; otherwise a step that leaves it is
    /// taken back and tried at half the learning rate. A step along a continued inverse is not taken back: then
    /// the stage begins again.
    pub(super) fn stage(
        &mut self,
        point: &mut Point,
        stage: Stage,
        mut learning_rate: f64,
        limit: u32,
        watch: &dyn Fn(f64) -> Result<()>,
    ) -> Result<End> {
        for moments in [&mut self.first_moment, &mut self.second_moment, &mut self.trend] {
            moments.fill(0.0);
        }
        self.multiply(&point.weights);
        let mut previous = 1e16;
        for n_steps in 1..=limit {
            watch(f64::from(n_steps) / f64::from(limit))?;
            let continued = n_steps > CHECKPOINT;
            if continued && n_steps % PERIOD != 0 {
                self.adam(point, stage, n_steps, learning_rate);
                self.update_scales(point);
                continue;
            }
            while self.invert(&point.weights, stage.s).is_none() {
                if n_steps == 1 || stage.s <= 0.9 || continued {
                    return Ok(End { n_steps, in_domain: false, converged: false });
                }
                add_scaled(&mut point.weights, learning_rate, &self.step);
                learning_rate *= 0.5;
                if learning_rate <= SMALLEST_RATE {
                    return Ok(End { n_steps, in_domain: true, converged: false });
                }
                add_scaled(&mut point.weights, -learning_rate, &self.step);
                self.update_scales(point);
            }
            self.take_inverse(if continued { PERIOD } else { 1 });
            self.adam(point, stage, n_steps, learning_rate);
            self.update_scales(point);
            if n_steps % CHECKPOINT == 0 || n_steps == limit {
                let objective = self.value(point, stage).objective;
                if ((previous - objective) / previous).abs() <= TOLERANCE {
                    return Ok(End { n_steps, in_domain: true, converged: true });
                }
                previous = objective;
            }
        }
        Ok(End { n_steps: limit, in_domain: true, converged: false })
    }

    /// Computes A and C A.
    fn multiply(&mut self, weights: &[f64]) {
        let order = self.problem.order;
        for (residual, weight) in self.residual.iter_mut().zip(weights) {
            *residual = -weight;
        }
        for index in 0..order {
            self.residual[index * (order + 1)] += 1.0;
        }
        self.packed.pack(&self.residual, order);
        multiply(&self.problem.covariance, &self.packed, &mut self.product, order);
    }

    /// Computes (s I - W o W)^-1 and returns the logarithm of the determinant, `None` outside the domain.
    fn invert(&mut self, weights: &[f64], s: f64) -> Option<f64> {
        let order = self.problem.order;
        for (entry, weight) in self.inverse.iter_mut().zip(weights) {
            *entry = -weight * weight;
        }
        for index in 0..order {
            self.inverse[index * (order + 1)] += s;
        }
        let log_determinant = self.inverter.invert(&mut self.inverse, order)?;
        let inverse = &self.inverse;
        let smallest = vectorised(|| inverse.iter().fold(f64::INFINITY, |smallest, entry| entry.min(smallest)));
        (smallest >= OUTSIDE).then_some(log_determinant)
    }

    /// Moves the weights by one Adam step along the full gradient.
    fn adam(&mut self, point: &mut Point, stage: Stage, n_steps: u32, learning_rate: f64) {
        let power = i32::try_from(n_steps).unwrap_or(i32::MAX);
        let adam = Adam {
            mu: stage.mu,
            penalty: stage.mu * self.problem.lambda,
            correction_1: 1.0 / (1.0 - BETA_1.powi(power)),
            correction_2: 1.0 / (1.0 - BETA_2.powi(power)),
            learning_rate,
        };
        vectorised(|| self.adam_rows(point, adam));
    }

    /// Takes the inverse just computed, `age` steps after the one before, for the present step.
    fn take_inverse(&mut self, age: u32) {
        let order = self.problem.order;
        for_each_transposed(order, |cell, source| {
            let computed = self.inverse[source];
            self.trend[cell] += (computed - self.transposed[cell]) / f64::from(age);
            self.transposed[cell] = computed;
        });
    }

    #[inline(always)]
    fn adam_rows(&mut self, point: &mut Point, adam: Adam) {
        let order = self.problem.order;
        let factors: Vec<f64> = point.scales.iter().map(|scale| -adam.mu / scale).collect();
        for row in 0..order {
            let range = row * order..(row + 1) * order;
            let weights = &mut point.weights[range.clone()];
            let product = &self.product[range.clone()];
            let transposed = &mut self.transposed[range.clone()];
            let trend = &self.trend[range.clone()];
            let first = &mut self.first_moment[range.clone()];
            let second = &mut self.second_moment[range.clone()];
            let step = &mut self.step[range];
            for column in 0..order {
                let weight = weights[column];
                let gradient =
                    factors[column] * product[column] + adam.penalty * sign(weight) + 2.0 * weight * transposed[column];
                first[column] = BETA_1 * first[column] + (1.0 - BETA_1) * gradient;
                second[column] = BETA_2 * second[column] + (1.0 - BETA_2) * gradient * gradient;
                let deviation = (second[column] * adam.correction_2).sqrt() + EPSILON;
                step[column] = first[column] * adam.correction_1 / deviation;
                weights[column] = weight - adam.learning_rate * step[column];
                transposed[column] += trend[column];
            }
        }
    }

    /// Sets the scales to their closed form at the weights.
    fn update_scales(&mut self, point: &mut Point) {
        self.multiply(&point.weights);
        let mut squares = self.residual_variances();
        squares.truncate(self.problem.n_variables);
        match self.problem.variant {
            Variant::EqualVariance => {
                let mean = squares.iter().sum::<f64>() / to_float(self.problem.n_variables);
                point.scales[..squares.len()].fill(mean.sqrt());
            }
            Variant::NonEqualVariance => {
                for (scale, square) in point.scales.iter_mut().zip(&squares) {
                    *scale = square.sqrt();
                }
            }
        }
    }

    /// Returns the diagonal of A'CA.
    fn residual_variances(&self) -> Vec<f64> {
        let order = self.problem.order;
        let mut squares = vec![0.0; order];
        vectorised(|| {
            for (residual, product) in self.residual.chunks_exact(order).zip(self.product.chunks_exact(order)) {
                for ((square, residual), product) in squares.iter_mut().zip(residual).zip(product) {
                    *square += residual * product;
                }
            }
        });
        squares
    }

    /// Returns the objective and the gradient without padding.
    #[cfg(test)]
    pub(super) fn look(&mut self, point: &Point, stage: Stage) -> (Value, Vec<f64>) {
        let value = self.value(point, stage);
        let mut moved = point.clone();
        self.take_inverse(1);
        self.adam(&mut moved, stage, 1, 1.0); // the first moment of a first step is (1 - beta_1) times the gradient
        let gradient = self.first_moment.iter().map(|moment| moment / (1.0 - BETA_1)).collect();
        let scales = point.scales.clone();
        (value, Point { weights: gradient, scales }.weights(self.problem.n_variables))
    }

    /// Returns the objective at a point; NaN outside the domain.
    fn value(&mut self, point: &Point, stage: Stage) -> Value {
        self.multiply(&point.weights);
        let squares = self.residual_variances();
        let n_variables = self.problem.n_variables;
        let scaled = squares.iter().zip(&point.scales).map(|(square, scale)| square / scale);
        let scales: f64 = point.scales(n_variables).iter().sum();
        let score = 0.5 * scaled.sum::<f64>() + 0.5 * scales;
        let absolute: f64 = point.weights.iter().map(|weight| weight.abs()).sum();
        let log_determinant = self.invert(&point.weights, stage.s).unwrap_or(f64::NAN);
        let acyclicity = to_float(self.problem.order) * stage.s.ln() - log_determinant;
        Value { objective: stage.mu * (score + self.problem.lambda * absolute) + acyclicity, score, acyclicity }
    }
}

/// Keeps the weights above the threshold; while there is a cycle, drops the smallest left.
pub(super) fn prune(weights: &[f64], n_variables: usize, threshold: f64) -> Vec<f64> {
    let mut kept: Vec<f64> =
        weights.iter().map(|weight| if weight.abs() <= threshold { 0.0 } else { *weight }).collect();
    let mut by_size: Vec<usize> = (0..kept.len()).filter(|index| kept[*index].abs() > 0.0).collect();
    by_size.sort_by(|a, b| kept[*a].abs().total_cmp(&kept[*b].abs()));
    for index in by_size {
        if topological_order(&kept, n_variables).is_some() {
            break;
        }
        kept[index] = 0.0;
    }
    kept
}

/// Returns the variables so that every edge points forward, `None` if there is a cycle.
pub(super) fn topological_order(weights: &[f64], n_variables: usize) -> Option<Vec<usize>> {
    let is_edge = |source: usize, target: usize| weights[source * n_variables + target].abs() > 0.0;
    let mut n_parents: Vec<usize> =
        (0..n_variables).map(|target| (0..n_variables).filter(|source| is_edge(*source, target)).count()).collect();
    let mut order: Vec<usize> = (0..n_variables).filter(|variable| n_parents[*variable] == 0).collect();
    let mut next = 0;
    while let Some(&source) = order.get(next) {
        next += 1;
        for target in (0..n_variables).filter(|target| is_edge(source, *target)) {
            n_parents[target] -= 1;
            if n_parents[target] == 0 {
                order.push(target);
            }
        }
    }
    (order.len() == n_variables).then_some(order)
}

fn padded(matrix: &[f64], n: usize, order: usize) -> Vec<f64> {
    let mut out = vec![0.0; order * order];
    for (row, values) in matrix.chunks_exact(n).enumerate() {
        out[row * order..row * order + n].copy_from_slice(values);
    }
    out
}

/// Calls `body` with each cell and the cell across the diagonal, in squares that fit the first cache.
fn for_each_transposed(order: usize, mut body: impl FnMut(usize, usize)) {
    const SIDE: usize = 8;
    for first_row in (0..order).step_by(SIDE) {
        for first_column in (0..order).step_by(SIDE) {
            for row in first_row..(first_row + SIDE).min(order) {
                for column in first_column..(first_column + SIDE).min(order) {
                    body(row * order + column, column * order + row);
                }
            }
        }
    }
}

#[inline(always)]
fn add_scaled(out: &mut [f64], factor: f64, values: &[f64]) {
    for (out, value) in out.iter_mut().zip(values) {
        *out += factor * value;
    }
}

/// Returns -1, 0 or 1; the sign of 0 is 0.
#[inline(always)]
fn sign(value: f64) -> f64 {
    f64::from(u8::from(value > 0.0)) - f64::from(u8::from(value < 0.0))
}

/// Converts a count far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts of variables")]
fn to_float(count: usize) -> f64 {
    count as f64
}
