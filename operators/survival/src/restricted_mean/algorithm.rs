//! The area under a survival curve and its error.

use crate::kaplan_meier::algorithm::survival_and_greenwood;
use crate::risk_table::Moment;

/// The mean of one group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mean {
    pub(super) area: f64,
    pub(super) std_error: f64,
    pub(super) extrapolated: bool,
}

/// Returns the area under the survival curve up to `horizon` (same unit as the times).
///
/// Walks from the horizon back to 0, so that the area right of each time, A_i, is at hand.
#[expect(clippy::cast_precision_loss, reason = "counts of rows are below 2^53")]
pub(super) fn area_up_to(horizon: f64, moments: &[Moment]) -> Mean {
    let within = &moments[..moments.partition_point(|moment| moment.time <= horizon)];
    let curve = survival_and_greenwood(within);
    let mut area = 0.0; // A_i
    let mut variance = 0.0;
    let mut right = horizon;
    for (moment, (survival, _)) in within.iter().zip(&curve).rev() {
        area += survival * (right - moment.time);
        right = moment.time;
        let n = moment.at_risk as f64;
        let d = moment.events as f64;
        if moment.events > 0 && moment.events < moment.at_risk {
            variance += area * area * d / (n * (n - d)); // with n = d nothing is left to the right: A_i = 0
        }
    }
    area += right; // S = 1 before the first time
    let ends_above_zero = curve.last().is_none_or(|(survival, _)| *survival > 0.0);
    let followed = moments.last().is_some_and(|moment| moment.time >= horizon);
    Mean { area, std_error: f64::sqrt(variance), extrapolated: !followed && ends_above_zero }
}
