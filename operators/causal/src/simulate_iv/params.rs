//! The options of `simulate_iv`.

use causeway_core::{Literals, OperatorError, Result};

use super::algorithm::{A, B, C, Design};

/// Checked options.
#[derive(Debug, Clone)]
pub(super) struct Simulation {
    pub(super) design: Design,
    pub(super) n_rows: usize,
    /// True if the hidden columns are shown.
    pub(super) reveal: bool,
    pub(super) seed: u64,
}

impl Simulation {
    pub(super) fn from_literals(operator: &'static str, literals: &Literals) -> Result<Self> {
        let unchecked =
            |name: &str| OperatorError::Internal { operator, problem: format!("option `{name}` is unchecked") };
        let float = |name: &'static str| literals.float(name).ok_or_else(|| unchecked(name));
        let integer = |name: &'static str| literals.integer(name).ok_or_else(|| unchecked(name));
        let mut design = match literals.text("design") {
            Some("a") => A,
            Some("b") => B,
            Some("c") => C,
            _ => return Err(unchecked("design")),
        };
        let direct_effect = float("direct_effect")?;
        design.direct = design.direct.map(|weight| weight * direct_effect);
        design.confounder_on_outcome *= float("confounding")?;
        Ok(Self {
            design,
            n_rows: usize::try_from(integer("n_rows")?).map_err(|_| unchecked("n_rows"))?,
            reveal: literals.boolean("reveal"),
            seed: u64::try_from(integer("seed")?).map_err(|_| unchecked("seed"))?,
        })
    }
}
