//! The discrete Gaussian distribution.

use causeway_core::{OperatorError, Result, Rho};

use super::bernoulli::exp_minus;
use super::{DiscreteLaplace, Distribution, Drawn, IntegerNoise, RandomBits};

/// Variances are whole numbers of 2^-24 below 2^32, whole numbers above.
const FINE: u64 = 1 << 24;
const COARSE_FROM: u64 = 1 << 32;
/// The largest variance: the exponents of algorithm 3 then fit 128 bits.
const MAX_VARIANCE: u128 = 1 << 56;

/// Integers with P(z) proportional to exp(-z² / (2 σ²)).
///
/// Added to a vector of integers whose L2 distance between neighbouring tables is at most Δ, it gives ρ = Δ² / (2 σ²)
/// zero-concentrated differential privacy (Canonne, Kamath and Steinke 2020, theorem 14).
///
/// ```
/// use causeway_core::Rho;
/// use causeway_privacy::noise::{DiscreteGaussian, Distribution as _};
///
/// let gaussian = DiscreteGaussian::new(Rho::usable(0.125).unwrap(), 1)?;
/// assert_eq!(gaussian.variance(), 4.0);
/// # Ok::<(), causeway_core::OperatorError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiscreteGaussian {
    /// σ² as a fraction.
    numerator: u64,
    denominator: u64,
    /// t of algorithm 3: floor(σ) + 1, the scale of the proposals.
    proposal: DiscreteLaplace,
    scale: u64,
}

impl DiscreteGaussian {
    /// Makes the noise that gives `rho` for integers whose squared L2 sensitivity is `sensitivity_squared`.
    ///
    /// σ² = Δ² / (2 ρ) is rounded up to a whole number of 2^-24, from 2^32 on to a whole number.
    ///
    /// # Errors
    /// [`OperatorError::Parameter`] unless the sensitivity is positive and σ² is at most 2^56.
    pub fn new(rho: Rho, sensitivity_squared: u64) -> Result<Self> {
        let dividend = u128::from(sensitivity_squared) * 500_000_000;
        Self::with_variance(dividend, u128::from(rho.nano())).ok_or_else(|| OperatorError::Parameter {
            operator: "discrete Gaussian noise",
            name: "rho".to_owned(),
            range: format!("at least the squared sensitivity ({sensitivity_squared}) / 2^57, with a sensitivity > 0"),
            value: rho.value().to_string(),
        })
    }

    /// Makes noise of variance parameter σ² = `dividend` / `divisor`, rounded up as in [`DiscreteGaussian::new`]; none
    /// unless it is positive and at most 2^56.
    #[must_use]
    pub fn with_variance(dividend: u128, divisor: u128) -> Option<Self> {
        if dividend == 0 || divisor == 0 || dividend.div_ceil(divisor) > MAX_VARIANCE {
            return None;
        }
        let is_coarse = dividend / divisor >= u128::from(COARSE_FROM);
        let denominator = if is_coarse { 1 } else { FINE };
        let numerator = u64::try_from(dividend.checked_mul(u128::from(denominator))?.div_ceil(divisor)).ok()?;
        let divisor = super::laplace::greatest_common_divisor(numerator, denominator);
        let (numerator, denominator) = (numerator / divisor, denominator / divisor);
        let scale = (numerator / denominator).isqrt() + 1;
        let proposal = DiscreteLaplace::with_scale(scale, 1)?;
        Some(Self { numerator, denominator, proposal, scale })
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

    /// Returns true with the probability by which a proposal of this magnitude is kept:
    /// exp(-(|y| - σ² / t)² / (2 σ²)) = exp(-distance² / (2 n t² d)) for σ² = n / d, distance = | |y| t d - n |.
    fn keeps(&self, magnitude: u128, bits: &mut RandomBits<'_>) -> Result<bool> {
        let (n, d, t) = (u128::from(self.numerator), u128::from(self.denominator), u128::from(self.scale));
        let distance = magnitude.saturating_mul(t * d).abs_diff(n);
        let divisor = 2 * n * t * t * d;
        if let Some(square) = distance.checked_mul(distance) {
            return exp_minus(square, divisor, bits);
        }
        // The same exponent as a sum of `distance` equal parts: the first parts already fail.
        for _ in 0..distance {
            if !exp_minus(distance, divisor, bits)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Distribution for DiscreteGaussian {
    /// Canonne, Kamath and Steinke (2020), algorithm 3: discrete Laplace proposals of scale t = floor(σ) + 1.
    fn draw(&self, bits: &mut RandomBits<'_>) -> Result<i128> {
        loop {
            let proposed = self.proposal.draw(bits)?;
            if self.keeps(proposed.unsigned_abs(), bits)? {
                return Ok(proposed);
            }
        }
    }

    /// Returns σ²; the variance of the integers is at most that (theorem 20), and equal to the eye from σ = 1 on.
    #[expect(clippy::cast_precision_loss, reason = "for print and standard errors; draws use the integers")]
    fn variance(&self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}
