//! The options of `grn_validate`.

use causeway_core::{Literals, Result};

use super::SPEC;
use crate::grn::options::SearchOptions;

/// Checked options.
#[derive(Debug)]
pub(super) struct GrnValidate {
    pub(super) search: SearchOptions,
    pub(super) given: GivenSet,
}

/// What a check conditions on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GivenSet {
    /// The set that separated the pair.
    Sepset,
    /// All neighbours of the gene whose zeros are explained.
    Neighbours,
}

impl GrnValidate {
    pub(super) fn from_literals(literals: &Literals) -> Result<Self> {
        let given = match literals.text("given") {
            Some("neighbours") => GivenSet::Neighbours,
            _ => GivenSet::Sepset,
        };
        Ok(Self { search: SearchOptions::from_literals(&SPEC, literals)?, given })
    }
}
