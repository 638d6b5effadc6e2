//! The options of `restricted_mean`.

use causeway_core::{Literals, Result};
use causeway_numerics::normal_quantile;

use super::SPEC;
use crate::interval::unchecked;

/// Checked options.
#[derive(Debug)]
pub(super) struct RestrictedMean {
    /// `None`: the smallest of the groups' last times.
    pub(super) horizon: Option<f64>,
    /// The normal quantile of the confidence level.
    pub(super) z: f64,
}

impl RestrictedMean {
    pub(super) fn from_literals(literals: &Literals) -> Result<Self> {
        let confidence = literals.float("confidence").ok_or_else(|| unchecked(SPEC.name, "confidence"))?;
        Ok(Self { horizon: literals.float("horizon"), z: normal_quantile(0.5 + 0.5 * confidence) })
    }
}
