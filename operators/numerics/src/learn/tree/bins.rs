//! Columns as small whole numbers, by thresholds that hold equal shares of the rows.

use super::super::{Features, Result, Training};

/// Bins of a column at most, so that a bin fits one byte.
pub(super) const MOST_BINS: usize = 256;

/// Bins of a column of few rows, unless it has fewer values.
const FEWEST_BINS: usize = 64;

/// Rows for each further bin.
const ROWS_A_BIN: usize = 32;

/// Features by bins.
#[derive(Debug)]
pub(crate) struct Binned {
    /// For each column the bin of each row.
    pub(super) columns: Vec<Vec<u8>>,
    /// For each column the largest value of each bin but the last, halfway to the next value.
    pub(super) thresholds: Vec<Vec<f64>>,
}

impl Binned {
    /// Bins every column: one bin for each value if they are few, else equal shares of the rows.
    pub(crate) fn new(features: &Features, training: &Training<'_>) -> Result<Self> {
        let n_bins = (features.n_rows() / ROWS_A_BIN).clamp(FEWEST_BINS, MOST_BINS);
        let mut binned = Self { columns: Vec::new(), thresholds: Vec::new() };
        let mut sorted = Vec::with_capacity(features.n_rows());
        for column in features.columns() {
            training.check()?;
            sorted.clear();
            sorted.extend_from_slice(column);
            sorted.sort_unstable_by(f64::total_cmp);
            let thresholds = thresholds(&sorted, n_bins);
            binned.columns.push(column.iter().map(|value| bin(&thresholds, *value)).collect());
            binned.thresholds.push(thresholds);
        }
        Ok(binned)
    }

    /// Returns how many bins a column has.
    pub(super) fn n_bins(&self, column: usize) -> usize {
        self.thresholds[column].len() + 1
    }
}

/// Returns the thresholds between at most `n_bins` bins of sorted values.
fn thresholds(sorted: &[f64], n_bins: usize) -> Vec<f64> {
    let mut steps: Vec<usize> = Vec::new(); // places at which a new value begins
    for place in 1..sorted.len() {
        if sorted[place] > sorted[place - 1] {
            steps.push(place);
        }
    }
    let chosen = if steps.len() < n_bins { steps } else { equal_shares(&steps, sorted.len(), n_bins) };
    chosen.iter().map(|place| between(sorted[place - 1], sorted[*place])).collect()
}

/// Returns, of the places at which a new value begins, those next to equal shares of the rows.
fn equal_shares(steps: &[usize], n_rows: usize, n_bins: usize) -> Vec<usize> {
    let mut chosen = Vec::with_capacity(n_bins);
    for share in 1..n_bins {
        let wanted = share * n_rows / n_bins;
        let next = steps.partition_point(|place| *place < wanted);
        let Some(place) = steps.get(next) else { break };
        if chosen.last() != Some(place) {
            chosen.push(*place);
        }
    }
    chosen
}

/// Returns a number that is not below the lower and below the upper value.
fn between(lower: f64, upper: f64) -> f64 {
    let middle = lower + (upper - lower) / 2.0;
    if middle < upper { middle } else { lower }
}

/// Returns the number of thresholds below a value.
#[expect(clippy::cast_possible_truncation, reason = "there are at most 255 thresholds")]
fn bin(thresholds: &[f64], value: f64) -> u8 {
    let (mut first, mut n_left) = (0, thresholds.len());
    while n_left > 0 {
        let half = n_left / 2;
        let above = thresholds[first + half] < value;
        first = if above { first + half + 1 } else { first };
        n_left = if above { n_left - half - 1 } else { half };
    }
    first as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binned(column: Vec<f64>) -> Binned {
        let features = Features::new(column.len(), vec![column]).unwrap();
        Binned::new(&features, &Training::seeded(0)).unwrap()
    }

    #[test]
    fn few_values_have_a_bin_each() {
        let found = binned(vec![3.0, 1.0, 1.0, 2.5, 3.0]);
        assert_eq!(found.thresholds[0], [1.75, 2.75]);
        assert_eq!(found.columns[0], [2, 0, 0, 1, 2]);
        assert_eq!(binned(vec![7.0; 4]).n_bins(0), 1);
    }

    #[test]
    fn many_values_are_cut_into_equal_shares() {
        let n = 10_000;
        let found = binned((0..n).map(|row| f64::from(row * 7919 % n)).collect());
        assert_eq!(found.n_bins(0), 256);
        let mut counts = [0; 256];
        for bin in &found.columns[0] {
            counts[usize::from(*bin)] += 1;
        }
        assert!(counts.iter().all(|count| (38..=41).contains(count)), "{counts:?}");
    }

    #[test]
    fn neighbouring_doubles_have_a_threshold_that_tells_them_apart() {
        let lower = 1.0_f64;
        let upper = 1.0 + f64::EPSILON;
        let threshold = between(lower, upper);
        assert!(lower <= threshold && threshold < upper);
        assert!(between(-f64::MAX, f64::MAX).is_finite() || between(-f64::MAX, f64::MAX) <= f64::MAX);
    }
}
