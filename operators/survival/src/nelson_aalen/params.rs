//! The options of `nelson_aalen`.

use causeway_core::{Literals, Result};
use causeway_numerics::normal_quantile;

use super::SPEC;
use crate::interval::unchecked;

/// Checked options.
#[derive(Debug)]
pub(super) struct NelsonAalen {
    /// The normal quantile of the confidence level.
    pub(super) z: f64,
    /// True for limits on the log scale.
    pub(super) log_scale: bool,
}

impl NelsonAalen {
    pub(super) fn from_literals(literals: &Literals) -> Result<Self> {
        let confidence = literals.float("confidence").ok_or_else(|| unchecked(SPEC.name, "confidence"))?;
        Ok(Self { z: normal_quantile(0.5 + 0.5 * confidence), log_scale: literals.text("interval") == Some("log") })
    }
}
