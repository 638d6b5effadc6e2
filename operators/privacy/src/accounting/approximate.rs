//! Approximate differential privacy: ε and δ add up.

use causeway_core::{Delta, Epsilon};

/// The ε and δ of several releases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Approximate {
    epsilon_micro: u64,
    delta_femto: u64,
}

impl Approximate {
    /// Returns the amounts after one more release; none if they do not fit or δ reaches 1.
    #[must_use]
    pub fn and(self, epsilon: Epsilon, delta: Delta) -> Option<Self> {
        let delta_femto = self.delta_femto.checked_add(delta.femto())?;
        Delta::from_femto(delta_femto)?;
        Some(Self { epsilon_micro: self.epsilon_micro.checked_add(epsilon.micro())?, delta_femto })
    }

    /// Returns the amount in millionths of ε.
    #[must_use]
    pub fn epsilon_micro(self) -> u64 {
        self.epsilon_micro
    }

    /// Returns the amount in units of 10⁻¹⁵ of δ.
    #[must_use]
    pub fn delta_femto(self) -> u64 {
        self.delta_femto
    }

    /// Returns the amounts for `related` units that are to be protected together; none if they do not fit or δ
    /// reaches 1.
    ///
    /// Along a chain of `related` tables each step costs a factor exp(ε) and δ: together k ε and
    /// δ (1 + exp(ε) + … + exp((k - 1) ε)) (Vadhan 2017, lemma 2.2, summed).
    #[must_use]
    pub fn for_group(self, related: u32) -> Option<Self> {
        let epsilon_micro = self.epsilon_micro.checked_mul(u64::from(related))?;
        let delta = Delta::from_femto(self.delta_femto)?.value();
        let step = Epsilon::from_micro(self.epsilon_micro).map_or(0.0, Epsilon::value);
        let steps: f64 =
            if step > 0.0 { (step * f64::from(related)).exp_m1() / step.exp_m1() } else { f64::from(related) };
        let delta_femto = match (self.delta_femto, related) {
            (0, _) => 0,
            (unchanged, 1) => unchanged,
            _ => Delta::spent(delta * steps * (1.0 + super::SLACK))?.femto(),
        };
        Some(Self { epsilon_micro, delta_femto })
    }
}
