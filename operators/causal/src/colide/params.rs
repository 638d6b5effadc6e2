//! The options of `colide`.

use causeway_core::{Literals, OperatorError, Result};

/// What is assumed of the noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    /// One standard deviation for all variables.
    EqualVariance,
    /// One for each variable.
    NonEqualVariance,
}

/// The stages and how long they may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    pub(super) learning_rate: f64,
    /// Steps of the last stage.
    pub(super) max_steps: u32,
}

/// Checked options.
#[derive(Debug, Clone)]
pub(crate) struct Colide {
    pub(super) variant: Variant,
    pub(super) lambda: f64,
    pub(super) threshold: f64,
    pub(super) standardise: bool,
    pub(super) compare_variants: bool,
    pub(super) schedule: Schedule,
}

impl Schedule {
    /// s of each stage; mu falls by 10 from 1.
    pub(super) const STAGES: [f64; 4] = [1.0, 0.9, 0.8, 0.7];

    /// Steps of the stages before the last.
    const WARM_STEPS: u32 = 20_000;

    /// Returns the most steps of a stage, counted from 1.
    pub(super) fn steps(&self, stage: u64) -> u32 {
        if stage == Self::STAGES.len() as u64 { self.max_steps } else { self.max_steps.min(Self::WARM_STEPS) }
    }
}

impl Variant {
    /// Returns the word of the option.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::EqualVariance => "ev",
            Self::NonEqualVariance => "nv",
        }
    }

    /// Returns the other assumption.
    pub(super) fn other(self) -> Self {
        match self {
            Self::EqualVariance => Self::NonEqualVariance,
            Self::NonEqualVariance => Self::EqualVariance,
        }
    }
}

impl Colide {
    pub(crate) fn from_literals(operator: &'static str, literals: &Literals) -> Result<Self> {
        let unchecked =
            |name: &str| OperatorError::Internal { operator, problem: format!("option `{name}` is unchecked") };
        let float = |name: &'static str| literals.float(name).ok_or_else(|| unchecked(name));
        let max_steps = literals.integer("max_steps").ok_or_else(|| unchecked("max_steps"))?;
        Ok(Self {
            variant: match literals.text("variant") {
                Some("ev") => Variant::EqualVariance,
                Some("nv") => Variant::NonEqualVariance,
                _ => return Err(unchecked("variant")),
            },
            lambda: float("lambda")?,
            threshold: float("threshold")?,
            standardise: literals.boolean("standardise"),
            compare_variants: literals.boolean("compare_variants"),
            schedule: Schedule {
                learning_rate: float("learning_rate")?,
                max_steps: u32::try_from(max_steps).map_err(|_| unchecked("max_steps"))?,
            },
        })
    }
}
