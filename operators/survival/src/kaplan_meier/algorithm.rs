//! The product-limit estimator on a risk table.

use rayon::prelude::*;

use crate::interval::Interval;
use crate::risk_table::Moment;

/// The curve of one group, one entry a moment.
#[derive(Debug, Default)]
pub(crate) struct Curve {
    /// S(t) and Greenwood's sum, the variance of log S(t); infinite where S = 0.
    pub(crate) steps: Vec<(f64, f64)>,
    /// The lower and the upper confidence limit.
    pub(crate) limits: Vec<(f64, f64)>,
}

/// Points that one thread computes at a time.
const PARALLEL_POINTS: usize = 1 << 12;

impl Curve {
    /// Computes the curve at the moments of a risk table.
    ///
    /// The product and Greenwood's sum run in the order of time; the limits, each of which depends
    /// on its own moment alone, are computed in parallel.
    pub(crate) fn new(moments: &[Moment], interval: Interval) -> Self {
        let steps = survival_and_greenwood(moments);
        let mut limits = vec![(0.0, 0.0); steps.len()];
        let shares = limits.par_chunks_mut(PARALLEL_POINTS).zip(steps.par_chunks(PARALLEL_POINTS));
        shares.for_each(|(limits, steps)| fill_limits(limits, steps, interval));
        Self { steps, limits }
    }
}

/// Where nobody had the event the curve is flat, and so are its limits.
fn fill_limits(limits: &mut [(f64, f64)], steps: &[(f64, f64)], interval: Interval) {
    let mut before = None;
    for (limit, step) in limits.iter_mut().zip(steps) {
        *limit = match before {
            Some((same, known)) if same == *step => known,
            _ => interval.limits(step.0, step.1),
        };
        before = Some((*step, *limit));
    }
}

/// Returns Greenwood's standard error of S; `None` where S = 0.
pub(crate) fn std_error(&(survival, greenwood_sum): &(f64, f64)) -> Option<f64> {
    (survival > 0.0).then(|| survival * greenwood_sum.sqrt())
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
