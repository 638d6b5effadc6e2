//! Zero-concentrated differential privacy: ρ adds up.

use causeway_core::{Delta, Epsilon, Rho};

/// The ρ of several releases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Concentrated {
    nano: u64,
}

impl Concentrated {
    /// Returns the amount after one more release; none if it does not fit.
    #[must_use]
    pub fn and(self, release: Rho) -> Option<Self> {
        Some(Self { nano: self.nano.checked_add(release.nano())? })
    }

    /// Returns the amount after a release of pure ε, which is ρ = ε² / 2 (Bun and Steinke 2016, proposition 1.4).
    #[must_use]
    pub fn and_pure(self, release: Epsilon) -> Option<Self> {
        // ε² / 2 in units of 10⁻⁹ is (millionths)² / 2000
        let square = u128::from(release.micro()) * u128::from(release.micro());
        let nano = u64::try_from(square.div_ceil(2000)).ok()?;
        Some(Self { nano: self.nano.checked_add(nano)? })
    }

    /// Returns the amount in billionths of ρ.
    #[must_use]
    pub fn nano(self) -> u64 {
        self.nano
    }

    /// Returns the amount for `related` units that are to be protected together: k² ρ (Bun and Steinke 2016,
    /// proposition 1.9); none if it does not fit.
    #[must_use]
    pub fn for_group(self, related: u32) -> Option<Self> {
        let square = u64::from(related).checked_mul(u64::from(related))?;
        Some(Self { nano: self.nano.checked_mul(square)? })
    }

    /// Returns the ε for which the releases are (ε, δ) differentially private, rounded up; none for δ = 0, which no ε
    /// gives, and where nothing was released.
    ///
    /// Canonne, Kamath and Steinke (2020), proposition 12, solved for ε: every α > 1 gives a valid
    /// ε = α ρ + ln(1 - 1 / α) - ln(α δ) / (α - 1), of which the smallest is looked for. A search that is not quite at
    /// the minimum yields a larger ε, not a wrong one.
    #[must_use]
    pub fn to_epsilon(self, delta: Delta) -> Option<Epsilon> {
        let rho = Rho::from_nano(self.nano)?.value();
        if delta == Delta::ZERO {
            return None;
        }
        let epsilon = |ln_excess: f64| {
            let excess = ln_excess.exp(); // α - 1
            let order = 1.0 + excess;
            order * rho + ln_excess - order.ln() - (order.ln() + delta.value().ln()) / excess
        };
        super::rounded_up(minimum(epsilon, -20.0, 40.0))
    }

    /// Returns the largest ρ whose releases are (ε, δ) differentially private, rounded down; none if there is none.
    #[must_use]
    pub fn within(epsilon: Epsilon, delta: Delta) -> Option<Rho> {
        let fits = |nano: u64| Self { nano }.to_epsilon(delta).is_some_and(|spent| spent <= epsilon);
        let (mut low, mut high) = (0, 1_u64 << 62);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if fits(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        Rho::from_nano(low)
    }
}

/// Returns about the smallest value of a function that falls and then rises, by golden sections.
fn minimum(function: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut left, mut right) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_left, mut at_right) = (function(left), function(right));
    for _ in 0..100 {
        if at_left <= at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - ratio * (high - low);
            at_left = function(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + ratio * (high - low);
            at_right = function(right);
        }
    }
    at_left.min(at_right)
}
