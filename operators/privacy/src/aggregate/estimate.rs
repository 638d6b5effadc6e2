//! Estimates with the error that the noise makes.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};

use crate::noise::{DiscreteLaplace, Distribution as _};

/// What the noise in a cell is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise {
    pub(crate) variance: f64,
    /// The noise is within this distance with the confidence asked for.
    pub(crate) reach: f64,
}

impl Noise {
    pub(crate) fn new(laplace: &DiscreteLaplace, confidence: f64) -> Self {
        Self { variance: laplace.variance(), reach: reach(laplace.epsilon_per_unit(), 1.0 - confidence) }
    }
}

/// Returns the smallest whole number that the absolute noise exceeds with probability `miss` at most:
/// P(|Z| > c) = 2 p^(c + 1) / (1 + p) with p = exp(-rate).
fn reach(rate: f64, miss: f64) -> f64 {
    let p = (-rate).exp();
    let exponent = (miss * (1.0 + p) / 2.0).ln() / -rate;
    (exponent - 1.0).ceil().max(0.0)
}

/// An estimate of one row of the output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) estimate: f64,
    pub(crate) privacy_se: f64,
    pub(crate) conf_low: f64,
    pub(crate) conf_high: f64,
}

impl Estimate {
    /// Returns the estimate of a noisy integer times `unit`.
    pub(crate) fn of_cell(noisy: i64, noise: &Noise, unit: f64) -> Self {
        let noisy = double(noisy);
        Self {
            estimate: noisy * unit,
            privacy_se: noise.variance.sqrt() * unit,
            conf_low: (noisy - noise.reach) * unit,
            conf_high: (noisy + noise.reach) * unit,
        }
    }

    /// Moves the limits into a range, and leaves the estimate without bias.
    pub(crate) fn limits_within(self, low: f64, high: f64) -> Self {
        Self { conf_low: self.conf_low.clamp(low, high), conf_high: self.conf_high.clamp(low, high), ..self }
    }

    /// Moves the estimate and its limits into a range.
    pub(crate) fn within(self, low: f64, high: f64) -> Self {
        Self { estimate: self.estimate.clamp(low, high), ..self.limits_within(low, high) }
    }
}

/// Returns the columns `estimate`, `privacy_se`, `conf_low` and `conf_high`.
pub(crate) fn estimates(rows: &[Estimate]) -> Vec<ArrayRef> {
    let column =
        |part: fn(&Estimate) -> f64| -> ArrayRef { Arc::new(Float64Array::from_iter_values(rows.iter().map(part))) };
    vec![
        column(|row| row.estimate),
        column(|row| row.privacy_se),
        column(|row| row.conf_low),
        column(|row| row.conf_high),
    ]
}

/// Returns a noisy integer as a number; beyond 2^53 its last digits are far below the noise.
#[expect(clippy::cast_precision_loss, reason = "after the release only")]
pub(crate) fn double(noisy: i64) -> f64 {
    noisy as f64
}

#[cfg(test)]
mod tests {
    use super::reach;

    #[test]
    fn the_noise_stays_within_its_reach_as_often_as_said() {
        for rate in [0.01_f64, 0.5, 1.0, 4.0] {
            let p = (-rate).exp();
            let beyond = |c: f64| 2.0 * (-rate * (c + 1.0)).exp() / (1.0 + p);
            let c = reach(rate, 0.05);
            assert!(beyond(c) <= 0.05 + 1e-12 && (c < 0.5 || beyond(c - 1.0) > 0.05), "rate {rate}: {c}");
        }
    }
}
