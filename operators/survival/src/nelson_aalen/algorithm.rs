//! The Nelson–Aalen estimator on a risk table.

use super::params::NelsonAalen;
use crate::risk_table::Moment;

/// The estimate at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hazard {
    pub(super) sum: f64,
    pub(super) std_error: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// Returns the cumulative hazard at the moments of a risk table.
#[expect(clippy::cast_precision_loss, reason = "counts of rows are below 2^53")]
pub(super) fn cumulative_hazard(moments: &[Moment], params: &NelsonAalen) -> Vec<Hazard> {
    let mut sum = 0.0;
    let mut variance = 0.0;
    let mut hazards = Vec::with_capacity(moments.len());
    for moment in moments {
        if moment.events > 0 {
            let n = moment.at_risk as f64;
            let d = moment.events as f64;
            sum += d / n;
            variance += d / (n * n);
        }
        let std_error = f64::sqrt(variance);
        let (low, high) = limits(sum, std_error, params);
        hazards.push(Hazard { sum, std_error, low, high });
    }
    hazards
}

fn limits(sum: f64, std_error: f64, params: &NelsonAalen) -> (f64, f64) {
    if sum <= 0.0 {
        return (0.0, 0.0);
    }
    if params.log_scale {
        let factor = (params.z * std_error / sum).exp();
        (sum / factor, sum * factor)
    } else {
        ((sum - params.z * std_error).max(0.0), sum + params.z * std_error)
    }
}
