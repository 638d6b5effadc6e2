//! A quantile from noisy counts of bins.

use causeway_numerics::normal_quantile;

use crate::aggregate::{Bins, Estimate, double};

/// Returns the quantile for probability `q` with its error and limits.
pub(super) fn quantile(q: f64, counts: &[i64], bins: Bins, variance: f64, confidence: f64) -> Estimate {
    let balance = balances(q, counts);
    let z = normal_quantile(0.5 + 0.5 * confidence);
    let n = bins.n;
    // standard deviation of the balance of bin j: j + 1 noises of weight 1 - q and the rest of weight q
    let deviations: Vec<f64> = (1..=n)
        .map(|below| {
            (variance * ((1.0 - q).powi(2) * bins.as_number(below) + q * q * bins.as_number(n - below))).sqrt()
        })
        .collect();
    // a bin may hold the quantile if its own balance may be positive and that of the bin before negative
    let first = (0..n).find(|j| balance[*j] + z * deviations[*j] >= 0.0).unwrap_or(0);
    let last = (0..n - 1).rev().find(|j| balance[*j] - z * deviations[*j] < 0.0).map_or(0, |j| j + 1).max(first);
    let total: f64 = counts.iter().map(|count| double(*count)).sum();
    let has_rows = total > z * (variance * bins.as_number(n)).sqrt();
    let (low, high) = if has_rows { (bins.edge(first), bins.edge(last + 1)) } else { (bins.edge(0), bins.edge(n)) };
    let estimate = if total > 0.0 { crossing(&rising(&balance), -q * total, bins) } else { 0.5 * (low + high) };
    Estimate { estimate, privacy_se: (high - low) / (2.0 * z), conf_low: low, conf_high: high }.within(low, high)
}

/// Returns D_j = (1 - q) (rows up to bin j) - q (rows after it) for each bin.
fn balances(q: f64, counts: &[i64]) -> Vec<f64> {
    let total: f64 = counts.iter().map(|count| double(*count)).sum();
    let mut below = 0.0;
    let balance = |count: &i64| {
        below += double(*count);
        below - q * total
    };
    counts.iter().map(balance).collect()
}

/// Returns the rising sequence closest to the values in squares (pool adjacent violators).
fn rising(values: &[f64]) -> Vec<f64> {
    let mut blocks: Vec<(f64, f64, usize)> = Vec::with_capacity(values.len()); // sum, weight, length
    for value in values {
        let mut block = (*value, 1.0, 1);
        while let Some(before) = blocks.pop_if(|before| before.0 * block.1 >= block.0 * before.1) {
            block = (block.0 + before.0, block.1 + before.1, block.2 + before.2);
        }
        blocks.push(block);
    }
    blocks.into_iter().flat_map(|(sum, weight, length)| std::iter::repeat_n(sum / weight, length)).collect()
}

/// Returns where the balance, `start` at the lower bound and linear between the edges of the bins, crosses 0.
fn crossing(balance: &[f64], start: f64, bins: Bins) -> f64 {
    let Some(j) = balance.iter().position(|balance| *balance >= 0.0) else { return bins.edge(bins.n) };
    let (from, to) = (bins.edge(j), bins.edge(j + 1));
    let before = if j > 0 { balance[j - 1] } else { start };
    let share = -before / (balance[j] - before);
    if share.is_finite() { from + share.clamp(0.0, 1.0) * (to - from) } else { from }
}
