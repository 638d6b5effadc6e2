//! Two-stage least squares beside the effect, and the difference of both.

use causeway_core::Cancel;
use causeway_numerics::Lu;

use super::fault::Found;
use super::sample::{Sample, centred, float, mean, standardised, sum_rows};

/// Two-stage least squares with one instrument, whose effect on the outcome is taken to go through the treatment only.
#[derive(Debug)]
pub(super) struct TwoStage {
    pub(super) estimate: f64,
    /// Without correction for small samples (HC0).
    pub(super) std_error: f64,
    /// What each row adds to the error: mean 0.
    pub(super) influence: Vec<f64>,
}

impl TwoStage {
    /// Regresses with all covariates: b = sum z y / sum z a, with what the covariates leave of Y, A and Z.
    ///
    /// Covariates that are constant or depend on others are left out, which changes nothing. Without a first stage the
    /// numbers are not finite.
    pub(super) fn fit(sample: &Sample, cancel: &Cancel) -> Found<Self> {
        let [y, a, z] = residuals(sample, cancel)?;
        let products = |left: &[f64], right: &[f64]| left.iter().zip(right).map(|(l, r)| l * r).sum::<f64>();
        let first_stage = products(&z, &a);
        let estimate = products(&z, &y) / first_stage;
        let slope = first_stage / float(sample.len());
        let influence: Vec<f64> =
            z.iter().zip(y.iter().zip(&a)).map(|(z, (y, a))| z * (y - estimate * a) / slope).collect();
        let std_error = std_error(&influence);
        Ok(Self { estimate, std_error, influence })
    }
}

/// Returns the standard error of an estimate whose rows have this influence.
pub(super) fn std_error(influence: &[f64]) -> f64 {
    let squares: Vec<f64> = influence.iter().map(|value| value * value).collect();
    (mean(&squares) / float(influence.len())).sqrt()
}

/// Returns what a constant and the covariates leave of outcome, treatment and instrument.
fn residuals(sample: &Sample, cancel: &Cancel) -> Found<[Vec<f64>; 3]> {
    let standard: Vec<(Vec<f64>, f64)> = sample.covariates.iter().map(|column| standardised(column)).collect();
    let targets = [
        centred(&sample.outcome),
        centred(&(0..sample.len()).map(|row| sample.a(row)).collect::<Vec<f64>>()),
        centred(&(0..sample.len()).map(|row| sample.z(row)).collect::<Vec<f64>>()),
    ];
    let mut kept: Vec<&Vec<f64>> =
        standard.iter().filter(|(_, scale)| *scale > 0.0).map(|(column, _)| column).collect();
    loop {
        let k = kept.len();
        let sums = sum_rows(sample.len(), k * (k + 3), cancel, |rows, sums| {
            for row in rows {
                let values = kept.iter().map(|column| column[row]).chain(targets.iter().map(|column| column[row]));
                let line: Vec<f64> = values.collect();
                for (sums, left) in sums.chunks_exact_mut(k + 3).zip(&line) {
                    sums.iter_mut().zip(&line).for_each(|(sum, right)| *sum += left * right);
                }
            }
        })?;
        let gram: Vec<f64> = sums.chunks_exact(k + 3).flat_map(|line| line[..k].iter().copied()).collect();
        let lu = match Lu::factor(&gram, k) {
            Ok(lu) => lu,
            Err(column) => {
                kept.remove(column);
                continue;
            }
        };
        let mut index = k;
        return Ok(targets.map(|mut target| {
            let right: Vec<f64> = sums.chunks_exact(k + 3).map(|line| line[index]).collect();
            index += 1;
            for (column, weight) in kept.iter().zip(lu.solve(&right)) {
                target.iter_mut().zip(*column).for_each(|(value, x)| *value -= weight * x);
            }
            target
        }));
    }
}
