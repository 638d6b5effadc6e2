//! Exact noise on integers: discrete Laplace and discrete Gaussian.
//!
//! Both are drawn by rejection from uniform integers and coin flips alone, after Canonne, Kamath and Steinke, "The
//! discrete Gaussian for differential privacy" (2020), algorithms 1 to 3. All parameters are rational numbers kept as
//! integers, so the distribution is the one in the formula, to the last bit, and holes in the floating-point numbers
//! (Mironov 2012) do not exist. Random bytes come from a [`causeway_core::NoiseSource`]; where it fails the draw fails
//! and nothing is released.
//!
//! A mechanism counts into integers, calls [`DiscreteLaplace::release`] or [`DiscreteGaussian::release`] once with a
//! [`RandomBits`] over `RunContext::noise()`, and reads only the released integers afterwards. A mechanism that is to be
//! tested with known noise takes `&mut dyn IntegerNoise` instead: [`Drawn`] in the product, `Known` in tests.
//!
//! How long a draw takes depends on the noise drawn; whoever can time single draws learns about the noise. Releases
//! are therefore drawn inside a run, never one by one on request.

mod bernoulli;
mod bits;
mod gaussian;
mod laplace;
#[cfg(test)]
mod tests;

pub use bits::RandomBits;
pub use gaussian::DiscreteGaussian;
pub use laplace::DiscreteLaplace;

#[cfg(test)]
use causeway_core::OperatorError;
use causeway_core::Result;

/// A sequence of independent integers of one distribution, to be added to counts.
pub trait IntegerNoise {
    /// Returns the next integer.
    ///
    /// # Errors
    /// [`causeway_core::OperatorError::Internal`] if the source of randomness fails.
    fn draw(&mut self) -> Result<i128>;

    /// Adds an integer to each of the values, which are then what may be released. Sums beyond the range of `i64` are
    /// moved to its ends, which is post-processing.
    ///
    /// # Errors
    /// As [`IntegerNoise::draw`]; the values must then not be used.
    fn release(&mut self, values: &mut [i64]) -> Result<()> {
        for value in values {
            *value = clamp(i128::from(*value).saturating_add(self.draw()?));
        }
        Ok(())
    }
}

/// A distribution of integers.
pub trait Distribution {
    /// Returns a draw.
    ///
    /// # Errors
    /// [`causeway_core::OperatorError::Internal`] if the source of randomness fails.
    fn draw(&self, bits: &mut RandomBits<'_>) -> Result<i128>;

    /// Returns the variance, for standard errors.
    fn variance(&self) -> f64;
}

/// Noise of a distribution, drawn from a source of randomness.
#[derive(Debug)]
pub struct Drawn<'a, 'b, D> {
    distribution: &'a D,
    bits: &'a mut RandomBits<'b>,
}

impl<'a, 'b, D: Distribution> Drawn<'a, 'b, D> {
    /// Makes noise of a distribution from random bits.
    pub fn new(distribution: &'a D, bits: &'a mut RandomBits<'b>) -> Self {
        Self { distribution, bits }
    }
}

impl<D: Distribution> IntegerNoise for Drawn<'_, '_, D> {
    fn draw(&mut self) -> Result<i128> {
        self.distribution.draw(self.bits)
    }
}

/// Noise that a test knows: the given integers in order, then an error.
#[cfg(test)]
#[derive(Debug, Clone)]
pub(crate) struct Known(std::collections::VecDeque<i64>);

#[cfg(test)]
impl Known {
    /// Makes noise of these integers.
    pub(crate) fn new(integers: impl IntoIterator<Item = i64>) -> Self {
        Self(integers.into_iter().collect())
    }
}

#[cfg(test)]
impl IntegerNoise for Known {
    fn draw(&mut self) -> Result<i128> {
        self.0.pop_front().map(i128::from).ok_or_else(|| internal("the known noise is used up"))
    }
}

/// Returns the closest value of `i64`.
fn clamp(value: i128) -> i64 {
    let ends = if value < 0 { i64::MIN } else { i64::MAX };
    i64::try_from(value).unwrap_or(ends)
}

#[cfg(test)]
fn internal(problem: &str) -> OperatorError {
    OperatorError::Internal { operator: "noise", problem: problem.to_owned() }
}
