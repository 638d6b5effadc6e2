//! The discrete Laplace distribution.

use causeway_core::{Epsilon, OperatorError, Result};

use super::bernoulli::{exp_minus_fraction, exp_minus_one};
use super::{Distribution, Drawn, IntegerNoise, RandomBits};

/// The largest scale: draws then stay far within 128 bits.
const MAX_SCALE: u64 = 1 << 56;

/// Integers with P(z) = (1 - p) / (1 + p) · p^|z|, p = exp(-1 / scale), scale = sensitivity / ε.
///
/// Added to a vector of integers whose L1 distance between neighbouring tables is at most the sensitivity, it gives ε
/// pure differential privacy (Ghosh, Roughgarden and Sundararajan 2009): the ratio P(z) / P(z + d) is at most
/// exp(|d| / scale) at every z, so for a vector the ratios multiply to exp(ε) at most.
///
/// ```
/// use causeway_core::{Epsilon, RunContext};
/// use causeway_privacy::noise::{DiscreteLaplace, RandomBits};
///
/// let mut context = RunContext::for_test(1)?;
/// let laplace = DiscreteLaplace::new(Epsilon::usable(0.5).unwrap(), 1)?;
/// assert!((laplace.standard_deviation() - 2.799).abs() < 1e-3);
/// let noise = laplace.sample(&mut RandomBits::new(context.noise()))?;
/// assert!(noise.abs() < 1000);
/// # Ok::<(), causeway_core::OperatorError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiscreteLaplace {
    /// Scale as a fraction in lowest terms: t in algorithm 2.
    numerator: u64,
    /// s in algorithm 2.
    denominator: u64,
}

impl DiscreteLaplace {
    /// Makes the noise that gives `epsilon` for integers of this L1 sensitivity.
    ///
    /// # Errors
    /// [`OperatorError::Parameter`] unless the sensitivity is positive and scale = sensitivity / ε is at most 2^56.
    pub fn new(epsilon: Epsilon, sensitivity: u64) -> Result<Self> {
        let too_large = || scale_error(sensitivity, epsilon);
        let numerator = sensitivity.checked_mul(1_000_000).ok_or_else(too_large)?;
        Self::with_scale(numerator, epsilon.micro()).ok_or_else(too_large)
    }

    /// Makes noise of scale `numerator` / `denominator`; none unless both are positive and the scale is at most 2^56.
    #[must_use]
    pub fn with_scale(numerator: u64, denominator: u64) -> Option<Self> {
        if numerator == 0 || denominator == 0 || numerator / denominator >= MAX_SCALE {
            return None;
        }
        let divisor = greatest_common_divisor(numerator, denominator);
        Some(Self { numerator: numerator / divisor, denominator: denominator / divisor })
    }

    /// Returns 1 / scale: the ε that one unit of L1 distance costs.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "for print and standard errors; draws use the integers")]
    pub fn epsilon_per_unit(&self) -> f64 {
        self.denominator as f64 / self.numerator as f64
    }

    /// Returns the standard deviation, sqrt(2 p) / (1 - p).
    #[must_use]
    pub fn standard_deviation(&self) -> f64 {
        self.variance().sqrt()
    }

    /// Returns a draw, moved to the ends of `i64` where it does not fit.
    ///
    /// # Errors
    /// [`OperatorError::Internal`] if the source of randomness fails.
    pub fn sample(&self, bits: &mut RandomBits<'_>) -> Result<i64> {
        self.draw(bits).map(super::clamp)
    }

    /// Adds a draw to each of the values, which are then what may be released; see [`IntegerNoise::release`].
    ///
    /// # Errors
    /// [`OperatorError::Internal`] if the source of randomness fails; the values must then not be used.
    pub fn release(&self, values: &mut [i64], bits: &mut RandomBits<'_>) -> Result<()> {
        Drawn::new(self, bits).release(values)
    }
}

impl Distribution for DiscreteLaplace {
    /// Canonne, Kamath and Steinke (2020), algorithm 2: X = U + t V is geometric of ratio exp(-1 / t), so floor(X / s)
    /// is geometric of ratio exp(-s / t); it gets a sign, and a negative zero is drawn again.
    fn draw(&self, bits: &mut RandomBits<'_>) -> Result<i128> {
        loop {
            let remainder = bits.below(self.numerator)?;
            if !exp_minus_fraction(u128::from(remainder), u128::from(self.numerator), bits)? {
                continue;
            }
            let mut quotient: u64 = 0;
            while exp_minus_one(bits)? {
                quotient += 1;
            }
            let geometric = u128::from(remainder) + u128::from(self.numerator) * u128::from(quotient);
            let magnitude = (geometric / u128::from(self.denominator)).cast_signed();
            let is_negative = bits.coin()?;
            if is_negative && magnitude == 0 {
                continue;
            }
            return Ok(if is_negative { -magnitude } else { magnitude });
        }
    }

    fn variance(&self) -> f64 {
        let rate = self.epsilon_per_unit();
        // p / (1 - p)^2 = 1 / (4 sinh^2(rate / 2)), without cancellation
        0.5 / (0.5 * rate).sinh().powi(2)
    }
}

fn scale_error(sensitivity: u64, epsilon: Epsilon) -> OperatorError {
    OperatorError::Parameter {
        operator: "discrete Laplace noise",
        name: "epsilon".to_owned(),
        range: format!("at least the sensitivity ({sensitivity}) / 2^56, with a sensitivity in [1, 1.8e13]"),
        value: epsilon.value().to_string(),
    }
}

pub(super) fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}
