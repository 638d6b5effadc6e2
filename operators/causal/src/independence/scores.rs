//! Normal scores of a column.

use causeway_numerics::normal_quantile;

/// Returns the normal quantile of each value's share of the column, ties at their mean rank. `None` if the
/// column is constant, empty or holds a NaN.
pub(super) fn normal_scores(column: &[f64]) -> Option<Vec<f64>> {
    if column.iter().any(|value| value.is_nan()) {
        return None;
    }
    let mut order: Vec<usize> = (0..column.len()).collect();
    order.sort_unstable_by(|a, b| column[*a].total_cmp(&column[*b]).then(a.cmp(b)));
    let n = float(column.len());
    let mut scores = vec![0.0; column.len()];
    let mut first = 0;
    for ties in order.chunk_by(|a, b| column[*a].total_cmp(&column[*b]).is_eq()) {
        if ties.len() == column.len() {
            return None;
        }
        let middle = float(first) + 0.5 * float(ties.len());
        let score = normal_quantile(middle / n);
        for row in ties {
            scores[*row] = score;
        }
        first += ties.len();
    }
    (!scores.is_empty()).then_some(scores)
}

/// Converts a count of rows, far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts of rows")]
pub(super) fn float(count: usize) -> f64 {
    count as f64
}
