//! The options of `simulate_dropout`.

use causeway_core::{Literals, OperatorError, Result};

/// When a value is lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mechanism {
    /// With a rate of each column, uniform in the range.
    Fixed { low: f64, high: f64 },
    /// With probability 1 / (1 + exp(-(a + b value))).
    Logistic { a: f64, b: f64 },
    /// At and under a quantile of each column, uniform in the range.
    Truncate { low: f64, high: f64 },
    /// With the rate c / (c + mean of the column).
    MichaelisMenten { half_saturation: f64 },
}

/// Checked options.
#[derive(Debug, Clone)]
pub(super) struct Dropout {
    pub(super) mechanism: Mechanism,
    pub(super) seed: u64,
}

impl Dropout {
    pub(super) fn from_literals(operator: &'static str, literals: &Literals) -> Result<Self> {
        let word = literals.text("mechanism").unwrap_or_default();
        let own: &[&str] = match word {
            "fixed" | "truncate" => &["low", "high"],
            "logistic" => &["a", "b"],
            _ => &["half_saturation"],
        };
        for name in ["low", "high", "a", "b", "half_saturation"] {
            if let (Some(value), false) = (literals.float(name), own.contains(&name)) {
                let range = format!("left out with mechanism => '{word}', which takes {}", own.join(", "));
                return Err(OperatorError::Parameter {
                    operator,
                    name: name.to_owned(),
                    range,
                    value: value.to_string(),
                });
            }
        }
        let option = |name: &str, default: f64| literals.float(name).unwrap_or(default);
        let mechanism = match word {
            "fixed" => Mechanism::Fixed { low: option("low", 0.3), high: option("high", 0.6) },
            "logistic" => Mechanism::Logistic { a: option("a", 0.5), b: option("b", -0.5) },
            "truncate" => Mechanism::Truncate { low: option("low", 0.2), high: option("high", 0.4) },
            _ => Mechanism::MichaelisMenten { half_saturation: option("half_saturation", 1.0) },
        };
        if let Mechanism::Fixed { low, high } | Mechanism::Truncate { low, high } = mechanism
            && low > high
        {
            return Err(OperatorError::Parameter {
                operator,
                name: "low".to_owned(),
                range: format!("at most `high`, {high}"),
                value: low.to_string(),
            });
        }
        let seed = literals.integer("seed").and_then(|seed| u64::try_from(seed).ok()).unwrap_or(0);
        Ok(Self { mechanism, seed })
    }
}
