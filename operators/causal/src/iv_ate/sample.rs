//! The rows of a study, and sums over them that do not depend on the number of threads.

use std::ops::Range;

use causeway_core::{Cancel, OperatorError};
use rayon::prelude::*;

use super::fault::{Fault, Found};

/// Rows summed one after the other; blocks are summed side by side and added in the order of the rows.
const BLOCK_ROWS: usize = 2048;

/// The rows of a study: outcome, treatment, instrument and covariates.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// Y, any unit.
    pub outcome: Vec<f64>,
    /// A, true = treated.
    pub treatment: Vec<bool>,
    /// Z, true = encouraged.
    pub instrument: Vec<bool>,
    /// X, one column each.
    pub covariates: Vec<Vec<f64>>,
}

impl Sample {
    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.outcome.len()
    }

    /// Returns true if there is no row.
    pub fn is_empty(&self) -> bool {
        self.outcome.is_empty()
    }

    /// Returns the sample with covariates of mean 0 and variance 1, and the standard deviations; 0 if constant.
    pub(super) fn standardised(&self) -> (Self, Vec<f64>) {
        let (covariates, scales) = self.covariates.iter().map(|column| standardised(column)).unzip();
        (Self { covariates, ..self.clone() }, scales)
    }

    /// Returns A of a row as a number.
    pub(super) fn a(&self, row: usize) -> f64 {
        number(self.treatment[row])
    }

    /// Returns Z of a row as a number.
    pub(super) fn z(&self, row: usize) -> f64 {
        number(self.instrument[row])
    }

    /// Returns true if all columns have as many rows as the outcome.
    pub(super) fn is_whole(&self) -> bool {
        let n = self.len();
        self.treatment.len() == n
            && self.instrument.len() == n
            && self.covariates.iter().all(|column| column.len() == n)
    }
}

/// Sums `width` numbers over rows `0..n_rows`: `add` adds the rows of a range to its slice.
pub(super) fn sum_rows(
    n_rows: usize,
    width: usize,
    cancel: &Cancel,
    add: impl Fn(Range<usize>, &mut [f64]) + Sync,
) -> Found<Vec<f64>> {
    let sums: Vec<Vec<f64>> = blocks(n_rows)
        .into_par_iter()
        .map(|block| {
            let mut sums = vec![0.0; width];
            if !cancel.is_cancelled() {
                add(block, &mut sums);
            }
            sums
        })
        .collect();
    check(cancel)?;
    let mut total = vec![0.0; width];
    for sums in sums {
        for (total, sum) in total.iter_mut().zip(sums) {
            *total += sum;
        }
    }
    Ok(total)
}

/// Computes one value of each row: `fill` returns those of a range.
pub(super) fn map_rows<T: Send>(
    n_rows: usize,
    cancel: &Cancel,
    fill: impl Fn(Range<usize>) -> Vec<T> + Sync,
) -> Found<Vec<T>> {
    let values: Vec<Vec<T>> = blocks(n_rows)
        .into_par_iter()
        .map(|block| if cancel.is_cancelled() { Vec::new() } else { fill(block) })
        .collect();
    check(cancel)?;
    Ok(values.into_iter().flatten().collect())
}

fn blocks(n_rows: usize) -> Vec<Range<usize>> {
    (0..n_rows).step_by(BLOCK_ROWS).map(|start| start..(start + BLOCK_ROWS).min(n_rows)).collect()
}

fn check(cancel: &Cancel) -> Found<()> {
    if cancel.is_cancelled() { Err(Fault::Operator(OperatorError::Cancelled)) } else { Ok(()) }
}

/// Returns 0 or 1.
pub(super) fn number(flag: bool) -> f64 {
    f64::from(u8::from(flag))
}

/// Returns a count as a number; counts of rows are far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts of rows")]
pub(super) fn float(count: usize) -> f64 {
    count as f64
}

/// Returns the mean in the order of the rows.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / float(values.len())
}

/// Returns the values less their mean.
pub(super) fn centred(values: &[f64]) -> Vec<f64> {
    let first = values.first().copied().unwrap_or(0.0);
    let shifted: Vec<f64> = values.iter().map(|value| value - first).collect();
    let offset = mean(&shifted);
    shifted.iter().map(|value| value - offset).collect()
}

/// Returns the values with mean 0 and variance 1, and their standard deviation: 0 if they are constant but for rounding.
pub(super) fn standardised(values: &[f64]) -> (Vec<f64>, f64) {
    let mut standard = centred(values);
    let deviation = mean(&standard.iter().map(|value| value * value).collect::<Vec<f64>>()).sqrt();
    let largest = values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    if deviation <= 1e-13 * largest {
        return (standard, 0.0);
    }
    standard.iter_mut().for_each(|value| *value /= deviation);
    (standard, deviation)
}

/// Returns the standard error of the mean of `values`, with n - 1.
pub(super) fn error_of_mean(values: &[f64]) -> f64 {
    let n = float(values.len());
    let centre = mean(values);
    (values.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt()
}
