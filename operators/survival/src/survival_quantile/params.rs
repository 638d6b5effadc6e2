//! The options of `survival_quantile`.

use causeway_core::{Literals, Result};

use super::SPEC;
use crate::interval::{Interval, unchecked};

/// Checked options.
#[derive(Debug)]
pub(super) struct SurvivalQuantile {
    pub(super) quantile: f64,
    pub(super) interval: Interval,
}

impl SurvivalQuantile {
    pub(super) fn from_literals(literals: &Literals) -> Result<Self> {
        let quantile = literals.float("quantile").ok_or_else(|| unchecked(SPEC.name, "quantile"))?;
        Ok(Self { quantile, interval: Interval::from_literals(SPEC.name, literals)? })
    }
}
