//! The options of `log_rank`.

use causeway_core::{Literals, OperatorError, Result};

use super::SPEC;
use crate::interval::unchecked;

/// Checked options.
#[derive(Debug)]
pub(super) struct LogRank {
    pub(super) weight: Weight,
}

/// The weight of an event time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Weight {
    /// 1.
    LogRank,
    /// n.
    Wilcoxon,
    /// The root of n.
    TaroneWare,
    /// S(t-)^p (1 - S(t-))^q.
    FlemingHarrington { p: f64, q: f64 },
}

impl LogRank {
    pub(super) fn from_literals(literals: &Literals) -> Result<Self> {
        let (p, q) = (literals.float("p"), literals.float("q"));
        let weight = match literals.text("weights") {
            Some("logrank") => Weight::LogRank,
            Some("wilcoxon") => Weight::Wilcoxon,
            Some("tarone_ware") => Weight::TaroneWare,
            Some("fleming_harrington") => Weight::FlemingHarrington { p: p.unwrap_or(1.0), q: q.unwrap_or(0.0) },
            _ => return Err(unchecked(SPEC.name, "weights")),
        };
        if !matches!(weight, Weight::FlemingHarrington { .. }) {
            refuse_power("p", p)?;
            refuse_power("q", q)?;
        }
        Ok(Self { weight })
    }
}

fn refuse_power(name: &str, value: Option<f64>) -> Result<()> {
    match value {
        None => Ok(()),
        Some(value) => Err(OperatorError::Parameter {
            operator: SPEC.name,
            name: name.to_owned(),
            range: "left out unless weights => 'fleming_harrington'".to_owned(),
            value: value.to_string(),
        }),
    }
}
