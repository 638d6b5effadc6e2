//! Columns with mean 0 and variance 1.

use super::cholesky::Cholesky;
use super::kernels::{dot, sum};
use super::{Features, LearnError, Result, Training, to_float};
use crate::dense::vectorised;

/// Columns of which no more than this share of the variance is left by those before them are collinear.
pub(super) const COLLINEAR: f64 = 1e-10;

/// Features with mean 0 and population variance 1, and what that took.
#[derive(Debug)]
pub(super) struct Standardised {
    pub(super) columns: Vec<Vec<f64>>,
    means: Vec<f64>,
    deviations: Vec<f64>,
}

impl Standardised {
    /// Standardises the columns; a constant one is refused.
    pub(super) fn new(features: &Features) -> Result<Self> {
        let standardised = Self::with_constants(features)?;
        let is_constant = |column: &Vec<f64>| column.iter().all(|value| value.abs() <= 0.0);
        match standardised.columns.iter().position(is_constant) {
            Some(column) => Err(LearnError::Constant { column }),
            None => Ok(standardised),
        }
    }

    /// Standardises the columns; a constant one becomes 0.
    pub(super) fn with_constants(features: &Features) -> Result<Self> {
        let n_rows = to_float(features.n_rows());
        let mut standardised =
            Self { columns: Vec::with_capacity(features.n_columns()), means: Vec::new(), deviations: Vec::new() };
        for column in features.columns() {
            let (values, mean, deviation) = vectorised(|| standardise(column, n_rows));
            if !deviation.is_finite() {
                return Err(LearnError::NotFinite);
            }
            // rounding of the mean leaves a few units in the last place of a constant column
            let is_constant = deviation <= 1e-13 * mean.abs() || deviation <= 0.0;
            standardised.columns.push(if is_constant { vec![0.0; values.len()] } else { values });
            standardised.means.push(mean);
            standardised.deviations.push(if is_constant { 1.0 } else { deviation });
        }
        Ok(standardised)
    }

    /// Returns the lower triangle of the correlations.
    pub(super) fn correlations(&self, n_rows: usize, training: &Training<'_>) -> Result<Vec<Vec<f64>>> {
        let n_rows = to_float(n_rows);
        let row = |index: usize| {
            training.check()?;
            let column = &self.columns[index];
            let entries = self.columns[..=index].iter();
            Ok(entries.map(|other| vectorised(|| dot(column, other)) / n_rows).collect())
        };
        (0..self.columns.len()).map(row).collect()
    }

    /// Returns the factorised correlations; refuses columns that are collinear.
    pub(super) fn factorised(&self, n_rows: usize, training: &Training<'_>) -> Result<Cholesky> {
        let correlations = self.correlations(n_rows, training)?;
        Cholesky::new(&correlations, COLLINEAR).map_err(|column| LearnError::Collinear { column })
    }

    /// Returns the weighted sum on the features' own scale.
    pub(super) fn unscaled(&self, intercept: f64, weights: &[f64]) -> WeightedSum {
        let mut sum = WeightedSum { intercept, weights: Vec::with_capacity(weights.len()) };
        for ((weight, mean), deviation) in weights.iter().zip(&self.means).zip(&self.deviations) {
            let weight = weight / deviation;
            sum.intercept -= weight * mean;
            sum.weights.push(weight);
        }
        sum
    }
}

#[inline(always)]
fn standardise(column: &[f64], n_rows: f64) -> (Vec<f64>, f64, f64) {
    let first = column.first().copied().unwrap_or(0.0);
    let mut values: Vec<f64> = column.iter().map(|value| value - first).collect();
    let offset = sum(&values) / n_rows;
    for value in &mut values {
        *value -= offset;
    }
    let deviation = (dot(&values, &values) / n_rows).sqrt();
    let factor = 1.0 / deviation;
    for value in &mut values {
        *value *= factor;
    }
    (values, first + offset, deviation)
}

/// An intercept and one weight for each column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WeightedSum {
    pub(super) intercept: f64,
    pub(super) weights: Vec<f64>,
}

impl WeightedSum {
    /// Returns the sum for each row.
    pub(super) fn evaluate(&self, features: &Features) -> Vec<f64> {
        let mut out = vec![self.intercept; features.n_rows()];
        vectorised(|| {
            for (weight, column) in self.weights.iter().zip(features.columns()) {
                super::kernels::add_multiple(&mut out, *weight, column);
            }
        });
        out
    }
}
