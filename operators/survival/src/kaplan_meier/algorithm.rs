//! The product-limit estimator on a risk table.

use rayon::prelude::*;

use crate::interval::Interval;
use crate::risk_table::Moment;

/// The estimate at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    /// S(t).
    pub(crate) survival: f64,
    /// Greenwood's standard error; `None` where S = 0.
    pub(crate) std_error: Option<f64>,
    /// The lower confidence limit.
    pub(crate) low: f64,
    /// The upper confidence limit.
    pub(crate) high: f64,
}

/// Points below this are computed on one thread.
const PARALLEL_POINTS: usize = 1 << 12;

/// Returns the curve at the moments of a risk table.
///
/// The product and Greenwood's sum run in the order of time; the limits, each of which depends on
/// its own point alone, are computed in parallel.
pub(crate) fn product_limit(moments: &[Moment], interval: Interval) -> Vec<Point> {
    let curve = survival_and_greenwood(moments);
    curve.into_par_iter().with_min_len(PARALLEL_POINTS).map(|step| point(step, interval)).collect()
}

/// Returns S(t) and Greenwood's sum, the variance of log S(t), at each moment.
#[expect(clippy::cast_precision_loss, reason = "counts of rows are below 2^53")]
pub(crate) fn survival_and_greenwood(moments: &[Moment]) -> Vec<(f64, f64)> {
    let mut survival = 1.0;
    let mut greenwood_sum = 0.0;
    let mut curve = Vec::with_capacity(moments.len());
    for moment in moments {
        let n = moment.at_risk as f64; // n_i
        let d = moment.events as f64; // d_i
        if moment.events > 0 {
            survival *= (n - d) / n;
            greenwood_sum += d / (n * (n - d)); // infinite once everyone at risk had the event
        }
        curve.push((survival, greenwood_sum));
    }
    curve
}

fn point((survival, greenwood_sum): (f64, f64), interval: Interval) -> Point {
    let (low, high) = interval.limits(survival, greenwood_sum);
    let std_error = (survival > 0.0).then(|| survival * greenwood_sum.sqrt());
    Point { survival, std_error, low, high }
}
