//! One person's message.
//!
//! Covariates and outcome are put on public lattices whose steps are powers of two, so moments are whole numbers and their
//! sensitivities are too; noise is discrete. In mode 'nldp' the message is the upper triangle of x xᵀ and x y. For two
//! people whose lattice vectors have length at most r and whose outcomes are at most c,
//!
//! ```text
//! |x xᵀ - x' x'ᵀ|² = |x|⁴ + |x'|⁴ - 2 (x·x')² <= 2 r⁴        |x y - x' y'|² <= 4 r² c²
//! ```
//!
//! An entry beside the diagonal stands for two of the matrix, so it has half the variance of one on the diagonal; the
//! products have variance 2 c² / r² times it, which splits the loss evenly: in units of the noise the squared distance is
//! at most (2 r⁴ + 2 r⁴) / σ², σ being that of the diagonal.
//!
//! The discrete Gaussian of variance σ² at an integer centre is a randomised rounding of a continuous one of variance
//! σ² - 4, but for a relative error below 1e-33 (Poisson's summation over the lattice), so the analytic calibration of
//! the continuous one holds for it once 4 is added to the variance and 10⁻¹⁵ taken off δ.

use causeway_core::{OperatorError, Result};

use super::calibration::ball_radius;
use super::options::{Calibration, Mode, Protocol};
use crate::noise::{DiscreteGaussian, Distribution as _, RandomBits};

/// Steps of the lattices: the bounds have about 2^10 of them.
const LATTICE_BITS: i32 = 10;
/// Variance of the coordinates of a random direction, in lattice units.
const DIRECTION_VARIANCE: u128 = 1 << 24;

/// Makes messages.
#[derive(Debug)]
pub(crate) struct Encoder {
    protocol: Protocol,
    step_x: f64,
    step_y: f64,
    /// Squared length and largest outcome on the lattices.
    squared_radius: i64,
    clip: i64,
    noise: Noise,
    /// Length of the messages of mode 'iht'.
    ball: f64,
}

/// Variances are in lattice units.
#[derive(Debug, Clone, Copy)]
struct Noise {
    diagonal: DiscreteGaussian,
    beside: DiscreteGaussian,
    products: DiscreteGaussian,
}

/// Standard deviations of the noise of a message, in the units of the covariates and the outcome.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deviations {
    pub(crate) diagonal: f64,
    pub(crate) beside: f64,
    pub(crate) products: f64,
}

impl Encoder {
    /// Makes the encoder of a protocol.
    ///
    /// # Errors
    /// [`OperatorError::Parameter`] if ε is so small that the noise leaves the range of the sampler.
    pub(crate) fn new(operator: &'static str, protocol: Protocol) -> Result<Self> {
        let (step_x, step_y) = (step(protocol.radius), step(protocol.clip));
        let squared_radius = whole((protocol.radius / step_x).powi(2).ceil());
        let clip = whole((protocol.clip / step_y).ceil());
        let too_small = || OperatorError::Parameter {
            operator,
            name: "epsilon".to_owned(),
            range: "larger: the noise leaves the range of the sampler".to_owned(),
            value: protocol.epsilon.value().to_string(),
        };
        let noise = Noise::new(&protocol, squared_radius.unsigned_abs(), clip.unsigned_abs()).ok_or_else(too_small)?;
        let ball = protocol.radius * protocol.clip * ball_radius(protocol.d, protocol.epsilon.value());
        Ok(Self { protocol, step_x, step_y, squared_radius, clip, noise, ball })
    }

    /// Returns the noise of one message.
    pub(crate) fn deviations(&self) -> Deviations {
        let sd = |noise: &DiscreteGaussian| noise.variance().sqrt();
        Deviations {
            diagonal: sd(&self.noise.diagonal) * self.step_x * self.step_x,
            beside: sd(&self.noise.beside) * self.step_x * self.step_x,
            products: sd(&self.noise.products) * self.step_x * self.step_y,
        }
    }

    /// Returns the length of the messages of mode 'iht'.
    pub(crate) fn ball(&self) -> f64 {
        self.ball
    }

    /// Appends the message of one person. Values that are missing or no numbers count as 0: whoever sends nothing for
    /// want of a value would tell that.
    pub(crate) fn encode(
        &self,
        covariates: &[f64],
        outcome: f64,
        estimate: &[f64],
        bits: &mut RandomBits<'_>,
        message: &mut Vec<f64>,
    ) -> Result<()> {
        let x = self.on_lattice(covariates);
        let y = self.outcome_on_lattice(outcome);
        match self.protocol.mode {
            Mode::Moments => {
                for (row, left) in x.iter().enumerate() {
                    for (column, right) in x.iter().enumerate().skip(row) {
                        let noise = if row == column { &self.noise.diagonal } else { &self.noise.beside };
                        message.push(number_of(left * right + noise.sample(bits)?) * self.step_x * self.step_x);
                    }
                }
                self.products(&x, y, bits, message)
            }
            Mode::Products => self.products(&x, y, bits, message),
            Mode::Gradient => self.gradient(&x, y, estimate, bits, message),
        }
    }

    fn products(&self, x: &[i64], y: i64, bits: &mut RandomBits<'_>, message: &mut Vec<f64>) -> Result<()> {
        for x in x {
            message.push(number_of(x * y + self.noise.products.sample(bits)?) * self.step_x * self.step_y);
        }
        Ok(())
    }

    /// Duchi, Jordan and Wainwright (2018), section 4.2.3: the gradient becomes one of two opposite directions, and a
    /// random vector of fixed length on its side is sent with probability e^ε / (e^ε + 1), one on the other side
    /// otherwise. The random vector is of whole numbers and as likely as its opposite, so the ratio of the
    /// probabilities of any message is e^ε at most, exactly; only that means are right to about 10⁻⁷ depends on the lattice.
    fn gradient(
        &self,
        x: &[i64],
        y: i64,
        estimate: &[f64],
        bits: &mut RandomBits<'_>,
        message: &mut Vec<f64>,
    ) -> Result<()> {
        let x: Vec<f64> = x.iter().map(|x| number_of(*x) * self.step_x).collect();
        let fitted: f64 = x.iter().zip(estimate).map(|(x, coefficient)| x * coefficient).sum();
        let residual = fitted - number_of(y) * self.step_y;
        let longest = self.protocol.radius * self.protocol.clip;
        let length = (x.iter().map(|x| x * x).sum::<f64>().sqrt() * residual.abs()).min(longest);
        let is_along = bits.chance(0.5 + 0.5 * length / longest)? == (residual >= 0.0);
        let direction = DiscreteGaussian::with_variance(DIRECTION_VARIANCE, 1).ok_or_else(|| internal("direction"))?;
        let (random, side) = loop {
            let random: Vec<f64> =
                (0..x.len()).map(|_| direction.sample(bits).map(number_of)).collect::<Result<_>>()?;
            let side: f64 = random.iter().zip(&x).map(|(random, x)| random * x).sum();
            if random.iter().any(|random| random.abs() > 0.0) {
                break (random, side);
            }
        };
        let is_beside = if side.abs() > 0.0 { (side > 0.0) == is_along } else { bits.chance(0.5)? };
        let keeps = bits.logistic(self.protocol.epsilon)?;
        let sign = if is_beside == keeps { 1.0 } else { -1.0 };
        let norm = random.iter().map(|random| random * random).sum::<f64>().sqrt();
        message.extend(random.iter().map(|random| sign * self.ball * random / norm));
        Ok(())
    }

    /// Returns the covariates, shortened to the radius, in steps.
    fn on_lattice(&self, covariates: &[f64]) -> Vec<i64> {
        let finite = |x: &f64| if x.is_nan() { 0.0 } else { x.clamp(-1e100, 1e100) };
        let length = covariates.iter().map(|x| finite(x).powi(2)).sum::<f64>().sqrt();
        let shrink = if length > self.protocol.radius { self.protocol.radius / length } else { 1.0 };
        let mut steps: Vec<i64> =
            covariates.iter().map(|x| whole((finite(x) * shrink / self.step_x).round())).collect();
        // Rounding may lengthen by a little; the longest coordinates give way.
        while steps.iter().map(|x| x * x).sum::<i64>() > self.squared_radius {
            let Some(longest) = steps.iter_mut().max_by_key(|x| x.abs()) else { break };
            *longest -= longest.signum();
        }
        steps
    }

    fn outcome_on_lattice(&self, outcome: f64) -> i64 {
        let outcome = if outcome.is_nan() { 0.0 } else { outcome.clamp(-self.protocol.clip, self.protocol.clip) };
        whole((outcome / self.step_y).round()).clamp(-self.clip, self.clip)
    }
}

impl Noise {
    fn new(protocol: &Protocol, squared_radius: u64, clip: u64) -> Option<Self> {
        if protocol.mode == Mode::Gradient {
            let none = DiscreteGaussian::with_variance(1, 1)?;
            return Some(Self { diagonal: none, beside: none, products: none });
        }
        let (r2, c2) = (u128::from(squared_radius), u128::from(clip) * u128::from(clip));
        let (r4, r2c2) = (r2 * r2, r2 * c2);
        let [diagonal, beside, products] = match (protocol.mode, protocol.calibration) {
            (Mode::Moments, Calibration::Tight) => [4 * r4, 2 * r4, 8 * r2c2],
            // the published sensitivities: 2 r² for the upper triangle and 2 r c for the products
            (Mode::Moments, Calibration::Published) => [4 * r4, 4 * r4, 4 * r2c2],
            _ => [1, 1, 4 * r2c2],
        };
        let gaussian = |squared_sensitivity: u128| {
            // the squared multiplier in units of 2^-20, rounded up
            const UNITS: u128 = 1 << 20;
            let squared = (protocol.multiplier().powi(2) * 1_048_576.0 * (1.0 + 1e-9)).ceil();
            let multiplier = u128::from(whole(squared).unsigned_abs());
            DiscreteGaussian::with_variance(multiplier.checked_mul(squared_sensitivity)? + 4 * UNITS, UNITS)
        };
        Some(Self { diagonal: gaussian(diagonal)?, beside: gaussian(beside)?, products: gaussian(products)? })
    }
}

/// Returns the power of two of which a bound is about 2^10.
fn step(bound: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "the exponent of a number up to 1e12")]
    let exponent = bound.log2().floor() as i32;
    2.0_f64.powi(exponent - LATTICE_BITS)
}

#[expect(clippy::cast_possible_truncation, reason = "whole numbers of lattice steps; saturates")]
fn whole(value: f64) -> i64 {
    value as i64
}

#[expect(clippy::cast_precision_loss, reason = "noisy lattice units; beyond 2^53 the last digits are noise")]
fn number_of(value: i64) -> f64 {
    value as f64
}

fn internal(what: &str) -> OperatorError {
    OperatorError::Internal { operator: "ldp_encode", problem: format!("no sampler for the {what}") }
}
