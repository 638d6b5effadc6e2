//! Coins of probability exp(-γ) for a rational γ.

use causeway_core::Result;

use super::RandomBits;

/// Returns true with probability exp(-`numerator` / `denominator`); the denominator must be positive.
///
/// Canonne, Kamath and Steinke (2020), algorithm 1: one coin of probability exp(-1) for each whole of γ, and one of
/// probability exp(-rest).
pub(super) fn exp_minus(numerator: u128, denominator: u128, bits: &mut RandomBits<'_>) -> Result<bool> {
    let mut wholes = numerator / denominator;
    while wholes > 0 {
        if !exp_minus_one(bits)? {
            return Ok(false);
        }
        wholes -= 1;
    }
    exp_minus_fraction(numerator % denominator, denominator, bits)
}

/// Returns true with probability exp(-γ) for γ = `numerator` / `denominator` in [0, 1].
///
/// The number K of the first coin of probabilities γ/1, γ/2, γ/3, … that fails is odd with probability
/// 1 - γ + γ²/2! - … = exp(-γ). A coin of probability γ/k is one of γ and one of 1/k.
pub(super) fn exp_minus_fraction(numerator: u128, denominator: u128, bits: &mut RandomBits<'_>) -> Result<bool> {
    let mut k: u64 = 1;
    loop {
        let is_success = bits.below(k)? == 0 && ratio(numerator, denominator, bits)?;
        if !is_success {
            return Ok(k % 2 == 1);
        }
        k += 1;
    }
}

/// Returns true with probability `numerator` / `denominator` in [0, 1].
fn ratio(numerator: u128, denominator: u128, bits: &mut RandomBits<'_>) -> Result<bool> {
    if numerator == 0 || numerator >= denominator {
        return Ok(numerator > 0);
    }
    Ok(bits.below_wide(denominator)? < numerator)
}

/// 12!, which fits 32 bits.
const FACTORIAL: u64 = 479_001_600;

/// Returns true with probability exp(-1): K as in [`exp_minus_fraction`] for γ = 1.
///
/// A uniform integer of 0 .. 12! has independent uniform digits of 0 .. 2, 0 .. 3, up to 0 .. 12 in the factorial number
/// system, which are the coins of probabilities 1/2 to 1/12 at once: the first k of them are zero if k! divides it.
pub(super) fn exp_minus_one(bits: &mut RandomBits<'_>) -> Result<bool> {
    let mut digits = bits.below(FACTORIAL)?;
    for k in 2..=12 {
        if digits % k != 0 {
            return Ok(k % 2 == 1);
        }
        digits /= k;
    }
    let mut k = 13;
    while bits.below(k)? == 0 {
        k += 1;
    }
    Ok(k % 2 == 1)
}
