//! What a release by a privacy mechanism costs, in integers.

use crate::{Delta, Epsilon};

/// What one release costs the people in its input, fixed from options alone before any row is read.
///
/// Amounts are integers, rounded up, so that sums and comparisons with a cap are exact.
///
/// ```
/// use causeway_core::{Adjacency, PrivacyCost};
///
/// let cost = PrivacyCost::pure("discrete Laplace histogram", 0.1).unwrap();
/// assert_eq!((cost.epsilon_micro, cost.delta_femto, cost.adjacency), (100_000, 0, Adjacency::AddRemove));
/// assert!(PrivacyCost::pure("discrete Laplace histogram", 0.0).is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivacyCost {
    /// The mechanism, in the field's words.
    pub mechanism: &'static str,
    /// Millionths of ε.
    pub epsilon_micro: u64,
    /// δ in units of 10⁻¹⁵; 0 for a pure mechanism.
    pub delta_femto: u64,
    /// The column that names whom a row belongs to; without one every row is somebody else's.
    pub unit: Option<String>,
    /// The most rows of one unit that count.
    pub rows_per_unit: u32,
    /// Which tables the guarantee cannot tell apart.
    pub adjacency: Adjacency,
    /// False for noise without a proof; the amounts are then its honest worst case.
    pub is_sound: bool,
}

/// Which tables differ in one privacy unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjacency {
    /// One has a unit that the other lacks.
    AddRemove,
    /// The rows of one unit are replaced by others.
    Substitute,
}

impl PrivacyCost {
    /// Returns the cost of a pure ε mechanism under adding or removing a row of its own unit; none unless ε is
    /// positive and finite.
    #[must_use]
    pub fn pure(mechanism: &'static str, epsilon: f64) -> Option<Self> {
        let epsilon_micro = Epsilon::spent(epsilon)?.micro();
        Some(Self {
            mechanism,
            epsilon_micro,
            delta_femto: 0,
            unit: None,
            rows_per_unit: 1,
            adjacency: Adjacency::AddRemove,
            is_sound: true,
        })
    }

    /// Returns the cost with a δ besides; none unless it is below 1.
    #[must_use]
    pub fn with_delta(mut self, delta: f64) -> Option<Self> {
        self.delta_femto = Delta::spent(delta)?.femto();
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::PrivacyCost;

    #[test]
    fn what_is_no_amount_has_no_cost() {
        for amount in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert!(PrivacyCost::pure("discrete Laplace", amount).is_none(), "{amount}");
        }
        let cost = PrivacyCost::pure("discrete Gaussian", 1.0).unwrap();
        assert_eq!(cost.clone().with_delta(1e-6).unwrap().delta_femto, 1_000_000_000);
        assert_eq!(cost.clone().with_delta(0.0).unwrap().delta_femto, 0);
        assert!(cost.with_delta(1.0).is_none());
    }
}
