//! The mean from a noisy count and a noisy sum about the middle.

use crate::aggregate::{Bounds, Estimate};

/// Returns the mean with its error and limits.
pub(super) fn mean(count: Estimate, sum: Estimate, bounds: Bounds) -> Estimate {
    let middle = bounds.middle();
    let half_width = 0.5 * bounds.width();
    let n = count.estimate.max(1.0);
    let distance = (sum.estimate / n).clamp(-half_width, half_width);
    let privacy_se =
        if count.estimate < 1.0 { half_width } else { sum.privacy_se.hypot(distance * count.privacy_se) / n };
    let (low, high) = limits(count, sum).unwrap_or((-half_width, half_width));
    Estimate { estimate: middle + distance, privacy_se, conf_low: middle + low, conf_high: middle + high }
        .within(bounds.low, bounds.high)
}

/// Returns the smallest and largest ratio of a sum and a count within their limits; none if the count may be 0.
fn limits(count: Estimate, sum: Estimate) -> Option<(f64, f64)> {
    let (fewest, most) = (count.conf_low.max(0.0), count.conf_high);
    if fewest < 1.0 {
        return None;
    }
    let low = sum.conf_low / if sum.conf_low < 0.0 { fewest } else { most };
    let high = sum.conf_high / if sum.conf_high < 0.0 { most } else { fewest };
    Some((low, high))
}
