//! Pointwise confidence limits of a survival probability.

use causeway_core::{Literals, OperatorError, Result};
use causeway_numerics::normal_quantile;

/// The scale on which an estimate is taken as normal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// log(-log S): limits stay within (0, 1) and hold their coverage in small groups.
    LogLog,
    /// log S.
    Log,
    /// S itself, cut at 0 and 1.
    Plain,
}

/// How limits are computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval {
    scale: Scale,
    /// The normal quantile of the confidence level.
    pub(crate) z: f64,
}

impl Interval {
    pub(crate) fn new(scale: Scale, confidence: f64) -> Self {
        Self { scale, z: normal_quantile(0.5 + 0.5 * confidence) }
    }

    /// Reads the options `interval` and `confidence`.
    pub(crate) fn from_literals(operator: &'static str, literals: &Literals) -> Result<Self> {
        let scale = match literals.text("interval") {
            Some("loglog") => Scale::LogLog,
            Some("log") => Scale::Log,
            Some("plain") => Scale::Plain,
            _ => return Err(unchecked(operator, "interval")),
        };
        let confidence = literals.float("confidence").ok_or_else(|| unchecked(operator, "confidence"))?;
        Ok(Self::new(scale, confidence))
    }

    /// Returns the limits of S from Greenwood's sum, the variance of log S.
    ///
    /// At S = 0 the sum is infinite; the limits are 0, to which the log scales tend. At S = 1 they are 1.
    pub(crate) fn limits(self, survival: f64, greenwood_sum: f64) -> (f64, f64) {
        if survival <= 0.0 || greenwood_sum <= 0.0 {
            return (survival, survival);
        }
        let log_error = self.z * greenwood_sum.sqrt();
        match self.scale {
            Scale::LogLog => {
                let log_survival = survival.ln();
                let factor = (log_error / -log_survival).exp();
                ((log_survival * factor).exp(), (log_survival / factor).exp())
            }
            Scale::Log => (survival * (-log_error).exp(), (survival * log_error.exp()).min(1.0)),
            Scale::Plain => ((survival - survival * log_error).max(0.0), (survival + survival * log_error).min(1.0)),
        }
    }
}

/// Returns the error for an option that the spec should have filled in.
pub(crate) fn unchecked(operator: &'static str, name: &str) -> OperatorError {
    OperatorError::Internal { operator, problem: format!("option `{name}` was not checked against the spec") }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::{Interval, Scale};

    #[test]
    fn limits_by_hand() {
        // S = 1/2 with variance of log S = 0.04: 0.5^exp(-+ z 0.2 / ln 2), 0.5 exp(-+ z 0.2), 0.5 -+ z 0.1
        for (scale, low, high) in [
            (Scale::LogLog, 0.2951717160849096, 0.6745226381822923),
            (Scale::Log, 0.33785449056852285, 0.7399635256566038),
            (Scale::Plain, 0.3040036015459946, 0.6959963984540054),
        ] {
            let limits = Interval::new(scale, 0.95).limits(0.5, 0.04);
            assert_abs_diff_eq!(limits.0, low, epsilon = 1e-14);
            assert_abs_diff_eq!(limits.1, high, epsilon = 1e-14);
        }
    }

    #[test]
    fn every_scale_agrees_at_the_ends() {
        for scale in [Scale::LogLog, Scale::Log, Scale::Plain] {
            let interval = Interval::new(scale, 0.9);
            assert_eq!(interval.limits(1.0, 0.0), (1.0, 1.0));
            assert_eq!(interval.limits(0.0, 0.3), (0.0, 0.0));
            let (low, high) = interval.limits(0.5, 0.2);
            assert!((0.0..0.5).contains(&low) && high > 0.5 && high <= 1.0);
        }
    }
}
