//! The options of `kaplan_meier`.

use causeway_core::{Literals, Result};

use super::SPEC;
use crate::interval::Interval;

/// Checked options.
#[derive(Debug)]
pub(super) struct KaplanMeier {
    pub(super) interval: Interval,
}

impl KaplanMeier {
    pub(super) fn from_literals(literals: &Literals) -> Result<Self> {
        Ok(Self { interval: Interval::from_literals(SPEC.name, literals)? })
    }
}
