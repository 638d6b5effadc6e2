//! Adam steps, each followed by the noise scales in closed form, and what they need of linear algebra.
//!
//! The gradient of mu score + h is, with A = I - W, C the covariance and M = (s I - W o W)^-1,
//!
//! ```text
//! -mu (C A)_ij / sigma_j + mu lambda sign(W_ij) + 2 W_ij M_ji
//! ```
//!
//! Early in a stage, and with columns of huge variance, all of it is computed at each step, in double precision. Later C A is still that of each step, but
//! its change is computed in single precision; M and sigma change slowly along the path, so they are computed every
//! [`PERIOD`] steps and continued in a straight line between; see [`super::glide`].

use causeway_core::Result;
use causeway_numerics::dense::{Inverter, Right, multiply, vectorised};

use super::algorithm::{Point, Problem, Stage, Value, to_float};
use super::glide::{Course, Glide};
use super::params::Variant;
#[cfg(test)]
use super::walk::BETA_1;
use super::walk::{AdamStep, FullStep};

/// An inverse with an entry below this belongs to a point outside the domain of h.
const OUTSIDE: f64 = -1e-6;

/// Steps between two looks at the objective.
const CHECKPOINT: u32 = 1000;

/// A stage stops when the objective changed less than this, relatively, between two looks.
const TOLERANCE: f64 = 1e-6;

/// Below this learning rate the stage ends where it stands.
const SMALLEST_RATE: f64 = 1e-16;

/// Steps of the first stage whose gradient is computed in full.
const SETTLING_FIRST: u32 = 1000;

/// The same of a later stage, which begins near its end.
const SETTLING: u32 = 200;

/// The largest variance with which stages settle: squares of a gradient a hundred million times as steep as the column's
/// deviation still fit single precision.
const LARGEST_VARIANCE: f64 = 1e14;

/// Steps along an inverse that is continued. Adam averages over 1 / (1 - beta_1) = 100 steps, so the path hardly
/// bends in 8.
const PERIOD: u32 = 8;

/// Steps between two computations of C A in double precision.
const REFRESH: u32 = 5 * PERIOD;

/// How a stage ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) n_steps: u32,
    pub(super) in_domain: bool,
    pub(super) converged: bool,
}

/// The working space of the steps.
#[derive(Debug)]
pub(super) struct Descent<'a> {
    problem: &'a Problem,
    packed: Right,
    /// C A.
    product: Vec<f64>,
    /// (s I - W o W)^-1, and its transpose.
    inverse: Vec<f64>,
    transposed: Vec<f64>,
    inverter: Inverter,
    first_moment: Vec<f64>,
    second_moment: Vec<f64>,
    last_step: AdamStep,
    glide: Glide,
    /// The change of the scales in one step.
    scale_trend: Vec<f64>,
}

impl<'a> Descent<'a> {
    pub(super) fn new(problem: &'a Problem) -> Self {
        let zeros = || vec![0.0; problem.order * problem.order];
        Self {
            problem,
            packed: Right::default(),
            product: zeros(),
            inverse: zeros(),
            transposed: zeros(),
            inverter: Inverter::default(),
            first_moment: zeros(),
            second_moment: zeros(),
            last_step: AdamStep::default(),
            glide: Glide::new(&problem.covariance, problem.order),
            scale_trend: vec![0.0; problem.order],
        }
    }

    /// Takes up to `limit` Adam steps. Ends outside the domain if the first step leaves it, or any step with s <= 0.9;
    /// otherwise a step that leaves it is taken back and tried at half the learning rate. Steps along a
    /// continued inverse are not taken back: then the stage begins again.
    pub(super) fn stage(
        &mut self,
        point: &mut Point,
        stage: Stage,
        mut learning_rate: f64,
        limit: u32,
        watch: &dyn Fn(f64) -> Result<()>,
    ) -> Result<End> {
        self.first_moment.fill(0.0);
        self.second_moment.fill(0.0);
        self.multiply(&point.weights);
        let settling = match stage.mu {
            _ if self.problem.largest_variance() > LARGEST_VARIANCE => limit,
            mu if mu < 1.0 => SETTLING,
            _ => SETTLING_FIRST,
        };
        let (mut n_steps, mut previous) = (0, 1e16);
        while n_steps < limit {
            watch(f64::from(n_steps) / f64::from(limit))?;
            while self.invert(&point.weights, stage.s).is_none() {
                if n_steps == 0 || stage.s <= 0.9 || n_steps > settling {
                    return Ok(End { n_steps: n_steps + 1, in_domain: false, converged: false });
                }
                learning_rate *= 0.5;
                if learning_rate <= SMALLEST_RATE {
                    self.take_back(point, 1.0);
                    return Ok(End { n_steps: n_steps + 1, in_domain: true, converged: false });
                }
                self.take_back(point, 0.5);
                self.update_scales(point);
            }
            n_steps += if n_steps < settling {
                self.step(point, stage, n_steps, learning_rate);
                1
            } else {
                let begins = n_steps == settling;
                self.glide(point, stage, Leg { n_steps, n_ahead: PERIOD.min(limit - n_steps), begins, learning_rate })
            };
            if n_steps.is_multiple_of(CHECKPOINT) || n_steps == limit {
                let objective = self.value(point, stage).objective;
                if ((previous - objective) / previous).abs() <= TOLERANCE {
                    return Ok(End { n_steps, in_domain: true, converged: true });
                }
                previous = objective;
            }
        }
        Ok(End { n_steps, in_domain: true, converged: false })
    }

    /// Computes C A = C - C W.
    fn multiply(&mut self, weights: &[f64]) {
        let order = self.problem.order;
        self.packed.pack(weights, order);
        multiply(&self.problem.packed, &self.packed, &mut self.product, order);
        let (product, covariance) = (&mut self.product, &self.problem.covariance);
        vectorised(|| {
            for (product, covariance) in product.iter_mut().zip(covariance) {
                *product = covariance - *product;
            }
        });
    }

    /// Computes (s I - W o W)^-1 and returns the logarithm of the determinant, `None` outside the domain.
    fn invert(&mut self, weights: &[f64], s: f64) -> Option<f64> {
        let order = self.problem.order;
        let inverse = &mut self.inverse;
        vectorised(|| {
            for (entry, weight) in inverse.iter_mut().zip(weights) {
                *entry = -weight * weight;
            }
        });
        for index in 0..order {
            self.inverse[index * (order + 1)] += s;
        }
        let log_determinant = self.inverter.invert(&mut self.inverse, order)?;
        let inverse = &self.inverse;
        let smallest = vectorised(|| inverse.iter().fold(f64::INFINITY, |smallest, entry| entry.min(smallest)));
        (smallest >= OUTSIDE).then_some(log_determinant)
    }

    /// Takes step `n_steps + 1` along the full gradient.
    fn step(&mut self, point: &mut Point, stage: Stage, n_steps: u32, learning_rate: f64) {
        transpose(&self.inverse, &mut self.transposed, self.problem.order);
        self.last_step = AdamStep::new(n_steps + 1, learning_rate);
        let factors: Vec<f64> = point.scales.iter().map(|scale| -stage.mu / scale).collect();
        FullStep {
            step: self.last_step,
            penalty: stage.mu * self.problem.lambda,
            factors: &factors,
            product: &self.product,
            inverse: &self.transposed,
            weights: &mut point.weights,
            first_moment: &mut self.first_moment,
            second_moment: &mut self.second_moment,
        }
        .take();
        self.update_scales(point);
    }

    /// Takes the steps of a leg, and returns their number.
    fn glide(&mut self, point: &mut Point, stage: Stage, leg: Leg) -> u32 {
        let Leg { n_steps, n_ahead, begins, learning_rate } = leg;
        if begins {
            self.glide.begin(&point.weights, &self.first_moment, &self.second_moment);
            self.scale_trend.fill(0.0);
        }
        if begins || n_steps.is_multiple_of(REFRESH) {
            self.multiply(&point.weights);
            self.glide.take_product(&self.product);
        }
        self.glide.take_inverse(&self.inverse, if begins { 0 } else { PERIOD });
        let steps: Vec<AdamStep> = (1..=n_ahead).map(|ahead| AdamStep::new(n_steps + ahead, learning_rate)).collect();
        let factors = self.factors(point, stage, n_ahead);
        let course = Course { steps: &steps, penalty: stage.mu * self.problem.lambda, factors: &factors };
        self.glide.walk(&course, &mut point.weights);
        let squares = self.glide.residual_variances();
        self.set_scales(point, &squares, n_ahead);
        n_ahead
    }

    /// Returns -mu / sigma of each column for some steps, sigma continued.
    #[expect(clippy::cast_possible_truncation, reason = "rounded to single precision")]
    fn factors(&self, point: &Point, stage: Stage, n_ahead: u32) -> Vec<f32> {
        let mut factors = vec![0.0; self.glide.width() * n_ahead as usize];
        for (ahead, factors) in (0..n_ahead).zip(factors.chunks_exact_mut(self.glide.width())) {
            let scales = point.scales.iter().zip(&self.scale_trend);
            for (factor, (scale, trend)) in factors.iter_mut().zip(scales) {
                *factor = (-stage.mu / (scale + f64::from(ahead) * trend)) as f32;
            }
        }
        factors
    }

    /// Takes a share of what is left of the last step back.
    fn take_back(&mut self, point: &mut Point, share: f64) {
        let moments = self.first_moment.iter().zip(&self.second_moment);
        for (weight, (first, second)) in point.weights.iter_mut().zip(moments) {
            *weight += share * self.last_step.of(*first, *second);
        }
        self.last_step.rate *= 1.0 - share;
    }

    /// Sets the scales to their closed form at the weights.
    fn update_scales(&mut self, point: &mut Point) {
        self.multiply(&point.weights);
        let squares = self.residual_variances(&point.weights);
        self.set_scales(point, &squares, 1);
    }

    fn set_scales(&mut self, point: &mut Point, squares: &[f64], age: u32) {
        let n_variables = self.problem.n_variables;
        let mean = squares[..n_variables].iter().sum::<f64>() / to_float(n_variables);
        let scales = point.scales.iter_mut().zip(&mut self.scale_trend).zip(squares);
        for ((scale, trend), square) in scales.take(n_variables) {
            let next = match self.problem.variant {
                Variant::EqualVariance => mean.sqrt(),
                Variant::NonEqualVariance => square.sqrt(),
            };
            *trend = (next - *scale) / f64::from(age);
            *scale = next;
        }
    }

    /// Returns the diagonal of A'CA = CA - W'CA.
    fn residual_variances(&self, weights: &[f64]) -> Vec<f64> {
        let order = self.problem.order;
        let product = &self.product;
        let mut squares = vec![0.0; order];
        vectorised(|| {
            for (weights, product) in weights.chunks_exact(order).zip(product.chunks_exact(order)) {
                for ((square, weight), product) in squares.iter_mut().zip(weights).zip(product) {
                    *square -= weight * product;
                }
            }
        });
        for (index, square) in squares.iter_mut().enumerate() {
            *square += product[index * (order + 1)];
        }
        squares
    }

    /// Returns the objective and the gradient without padding.
    #[cfg(test)]
    pub(super) fn look(&mut self, point: &Point, stage: Stage) -> (Value, Vec<f64>) {
        let value = self.value(point, stage);
        let mut moved = point.clone();
        self.step(&mut moved, stage, 0, 1.0); // the first moment of a first step is (1 - beta_1) times the gradient
        let gradient = self.first_moment.iter().map(|moment| moment / (1.0 - BETA_1)).collect();
        let scales = point.scales.clone();
        (value, Point { weights: gradient, scales }.weights(self.problem.n_variables))
    }

    /// Returns the objective at a point; NaN outside the domain.
    pub(super) fn value(&mut self, point: &Point, stage: Stage) -> Value {
        self.multiply(&point.weights);
        let squares = self.residual_variances(&point.weights);
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

/// Some steps in a row.
#[derive(Debug, Clone, Copy)]
struct Leg {
    /// Steps taken before.
    n_steps: u32,
    n_ahead: u32,
    /// True for the first one of a stage.
    begins: bool,
    learning_rate: f64,
}

/// Transposes in squares that fit the first cache.
fn transpose(matrix: &[f64], out: &mut [f64], order: usize) {
    const SIDE: usize = 8;
    for first_row in (0..order).step_by(SIDE) {
        for first_column in (0..order).step_by(SIDE) {
            for row in first_row..(first_row + SIDE).min(order) {
                for column in first_column..(first_column + SIDE).min(order) {
                    out[row * order + column] = matrix[column * order + row];
                }
            }
        }
    }
}
