//! Amounts of privacy as integers: what is spent is rounded up, what a mechanism may use is rounded down.

/// Digits of ε after the point that are told apart.
const MICRO: usize = 6;
/// Digits of ρ after the point that are told apart.
const NANO: usize = 9;
/// Digits of δ after the point that are told apart.
const FEMTO: usize = 15;

/// An amount ε of pure differential privacy in millionths, at least one of them.
///
/// ```
/// use causeway_core::Epsilon;
///
/// assert_eq!(Epsilon::spent(0.123_456_7).unwrap().micro(), 123_457);
/// assert_eq!(Epsilon::usable(0.123_456_7).unwrap().micro(), 123_456);
/// assert_eq!(Epsilon::spent(0.1), Epsilon::usable(0.1));
/// assert!(Epsilon::spent(f64::NAN).is_none() && Epsilon::usable(1e-9).is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epsilon(u64);

impl Epsilon {
    /// Returns the amount that a ledger books for ε: rounded up; none unless it is positive and fits.
    #[must_use]
    pub fn spent(epsilon: f64) -> Option<Self> {
        Self::from_micro(decimal(epsilon, MICRO, true)?)
    }

    /// Returns the amount that a mechanism asked for ε may use: rounded down; none if nothing is left of it.
    #[must_use]
    pub fn usable(epsilon: f64) -> Option<Self> {
        Self::from_micro(decimal(epsilon, MICRO, false)?)
    }

    /// Returns an amount in millionths; none for 0.
    #[must_use]
    pub const fn from_micro(micro: u64) -> Option<Self> {
        if micro > 0 { Some(Self(micro)) } else { None }
    }

    /// Returns the amount in millionths.
    #[must_use]
    pub const fn micro(self) -> u64 {
        self.0
    }

    /// Returns the amount as a number, for formulas and print.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "for print; sums and comparisons are of integers")]
    pub fn value(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

/// An amount δ of approximate differential privacy in units of 10⁻¹⁵, from 0 up to but not including 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Delta(u64);

impl Delta {
    /// No δ: a pure mechanism.
    pub const ZERO: Self = Self(0);
    const ONE: u64 = 1_000_000_000_000_000;

    /// Returns the amount that a ledger books for δ: rounded up; none unless it is in [0, 1).
    #[must_use]
    pub fn spent(delta: f64) -> Option<Self> {
        if delta.abs() > 0.0 {
            Self::from_femto(decimal(delta, FEMTO, true)?)
        } else {
            (!delta.is_nan()).then_some(Self(0))
        }
    }

    /// Returns the amount that a mechanism asked for δ may use: rounded down.
    #[must_use]
    pub fn usable(delta: f64) -> Option<Self> {
        if delta.abs() > 0.0 { Self::from_femto(decimal(delta, FEMTO, false)?) } else { Self::spent(delta) }
    }

    /// Returns an amount in units of 10⁻¹⁵; none from 1 on.
    #[must_use]
    pub const fn from_femto(femto: u64) -> Option<Self> {
        if femto < Self::ONE { Some(Self(femto)) } else { None }
    }

    /// Returns the amount in units of 10⁻¹⁵.
    #[must_use]
    pub const fn femto(self) -> u64 {
        self.0
    }

    /// Returns the amount as a number, for formulas and print.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
    pub fn value(self) -> f64 {
        self.0 as f64 / 1e15
    }
}

/// An amount ρ of zero-concentrated differential privacy in billionths, at least one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rho(u64);

impl Rho {
    /// Returns the amount that a ledger books for ρ: rounded up; none unless it is positive and fits.
    #[must_use]
    pub fn spent(rho: f64) -> Option<Self> {
        Self::from_nano(decimal(rho, NANO, true)?)
    }

    /// Returns the amount that a mechanism asked for ρ may use: rounded down; none if nothing is left of it.
    #[must_use]
    pub fn usable(rho: f64) -> Option<Self> {
        Self::from_nano(decimal(rho, NANO, false)?)
    }

    /// Returns an amount in billionths; none for 0.
    #[must_use]
    pub const fn from_nano(nano: u64) -> Option<Self> {
        if nano > 0 { Some(Self(nano)) } else { None }
    }

    /// Returns the amount in billionths.
    #[must_use]
    pub const fn nano(self) -> u64 {
        self.0
    }

    /// Returns the amount as a number, for formulas and print.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "for print; sums and comparisons are of integers")]
    pub fn value(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

/// Returns a positive amount in units of the last of `digits` decimals, rounded up or down; none if it is not
/// positive or does not fit. It is the decimal number that was written which counts: 0.1 is 100 000 millionths.
fn decimal(amount: f64, digits: usize, is_spent: bool) -> Option<u64> {
    if !(amount.is_finite() && amount > 0.0) {
        return None;
    }
    let written = amount.to_string();
    let (whole, fraction) = written.split_once('.').unwrap_or((&written, ""));
    let kept: String = fraction.chars().chain(std::iter::repeat('0')).take(digits).collect();
    let has_more = fraction.chars().skip(digits).any(|digit| digit != '0');
    format!("{whole}{kept}").parse::<u64>().ok()?.checked_add(u64::from(has_more && is_spent))
}

#[cfg(test)]
mod tests {
    use super::{Delta, Epsilon, FEMTO, MICRO, Rho, decimal};

    #[test]
    fn written_decimals_are_exact_and_the_rest_is_rounded_against_the_spender() {
        for (amount, expected) in [(0.1, 100_000), (0.3, 300_000), (1.0, 1_000_000), (10.0, 10_000_000)] {
            assert_eq!(decimal(amount, MICRO, true), Some(expected));
            assert_eq!(decimal(amount, MICRO, false), Some(expected));
        }
        assert_eq!(decimal(0.123_456_7, MICRO, true), Some(123_457));
        assert_eq!(decimal(0.123_456_7, MICRO, false), Some(123_456));
        assert_eq!(decimal(1e-9, MICRO, true), Some(1));
        assert_eq!(decimal(1e-5, FEMTO, true), Some(10_000_000_000));
        assert_eq!(Rho::spent(0.125).map(Rho::nano), Some(125_000_000));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for amount in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert!(Epsilon::spent(amount).is_none() && Epsilon::usable(amount).is_none(), "{amount}");
            assert!(Rho::spent(amount).is_none(), "{amount}");
        }
        assert!(Epsilon::usable(1e-7).is_none());
        assert_eq!(Delta::spent(0.0), Some(Delta::ZERO));
        for delta in [1.0, -1e-9, f64::NAN, f64::INFINITY] {
            assert!(Delta::spent(delta).is_none() && Delta::usable(delta).is_none(), "{delta}");
        }
    }
}
