//! Quantiles read off a survival curve and its limits.

use crate::interval::Interval;
use crate::kaplan_meier::algorithm::survival_and_greenwood;
use crate::risk_table::Moment;

/// A curve this close to the level counts as having reached it.
const TOLERANCE: f64 = 1e-12;

/// A quantile and its limits; `None` where the curve, or its limit, does not fall that far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quantile {
    pub(super) time: Option<f64>,
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
}

/// Returns the first time at which a share `quantile` has had the event, with its limits.
pub(super) fn quantile_time(moments: &[Moment], quantile: f64, interval: Interval) -> Quantile {
    let level = 1.0 - quantile + TOLERANCE;
    let mut found = Quantile { time: None, low: None, high: None };
    for (moment, (survival, greenwood_sum)) in moments.iter().zip(survival_and_greenwood(moments)) {
        let (low, high) = interval.limits(survival, greenwood_sum);
        for (reached, value) in [(&mut found.time, survival), (&mut found.low, low), (&mut found.high, high)] {
            if reached.is_none() && value <= level {
                *reached = Some(moment.time);
            }
        }
        if found.high.is_some() {
            break; // low <= S <= high: all three are found
        }
    }
    found
}
