//! Estimates and intervals as functions of the direct effects of instruments.

use causeway_core::{Result, RunContext};
use causeway_numerics::matrix::Matrix;

use crate::linear_iv::{Basis, Model, Options, StandardErrors, float};

/// The estimate of one treatment when instruments act on the outcome by themselves.
///
/// With direct effects g the outcome is replaced by Y - Z g: the estimate is linear in g, its variance quadratic.
#[derive(Debug)]
pub(super) struct Sensitivity {
    /// Position among the treatments.
    pub(super) treatment: usize,
    estimate: f64,
    /// Change of the estimate for one unit of each direct effect, with the sign turned.
    slopes: Vec<f64>,
    /// Covariance of the estimates with outcome Y and outcomes Z_j.
    covariance: Matrix,
    critical: f64,
}

/// An estimate with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) estimate: f64,
    pub(super) std_error: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Sensitivity {
    /// Reads the rows once more; `direct` are the columns of the instruments that may act by themselves.
    pub(super) fn new(
        model: &mut Model,
        direct: &[usize],
        options: &Options,
        context: &RunContext,
    ) -> Result<Vec<Self>> {
        let layout = model.layout.clone();
        let fit = model.k_class(0.0)?;
        let w: Vec<usize> = layout.all_instruments().collect();
        let q = layout.regressors();
        // rows of (Qh'Qh)^-1 Qh' as combinations of W
        let rows_of_w = fit.to_instruments.times(&fit.bread);
        let outcomes: Vec<usize> = std::iter::once(layout.outcome()).chain(direct.iter().copied()).collect();
        let coefficients = rows_of_w.transposed_times(&model.products.select(&w, &outcomes));
        let mut residuals = Matrix::zeros(layout.n_columns(), outcomes.len());
        for (index, outcome) in outcomes.iter().enumerate() {
            q.iter().enumerate().for_each(|(row, column)| residuals[(*column, index)] = -coefficients[(row, index)]);
            residuals[(*outcome, index)] += 1.0;
        }
        let first = layout.exogenous().len();
        let n_treatments = layout.treatments().len();
        let covariances: Vec<Matrix> = if options.standard_errors == StandardErrors::Classic {
            let divisor = if options.small_sample { model.residual_degrees() } else { float(model.n_rows) };
            let products = model.products.congruent(&residuals).scaled(1.0 / divisor);
            (0..n_treatments).map(|index| products.scaled(fit.bread[(first + index, first + index)])).collect()
        } else {
            let basis = Matrix::from_fn(layout.n_columns(), n_treatments, |row, column| {
                if row < w.len() { rows_of_w[(row, first + column)] } else { 0.0 }
            });
            let scores = model.scores(&Basis::Combinations(basis), &residuals, context)?;
            let factor = model.correction(options, layout.n_coefficients());
            let entry = |index: usize, e: usize, f: usize| factor * scores.product(e, f)[(index, index)];
            let n = outcomes.len();
            (0..n_treatments).map(|index| Matrix::from_fn(n, n, |e, f| entry(index, e, f))).collect()
        };
        let distribution = options.distribution(model.residual_degrees(), model.n_clusters());
        let critical = distribution.critical(options.confidence);
        let one = |(treatment, covariance): (usize, Matrix)| Self {
            treatment,
            estimate: coefficients[(first + treatment, 0)],
            slopes: (1..outcomes.len()).map(|index| coefficients[(first + treatment, index)]).collect(),
            covariance,
            critical,
        };
        Ok(covariances.into_iter().enumerate().map(one).collect())
    }

    /// Returns the estimate for direct effects.
    pub(super) fn at(&self, effects: &[f64]) -> Point {
        let weights =
            Matrix::column(&[&[1.0][..], &effects.iter().map(|effect| -effect).collect::<Vec<f64>>()].concat());
        let moved: f64 = self.slopes.iter().zip(effects).map(|(slope, effect)| slope * effect).sum();
        let estimate = self.estimate - moved;
        let std_error = self.covariance.congruent(&weights)[(0, 0)].max(0.0).sqrt();
        let half = self.critical * std_error;
        Point { estimate, std_error, low: estimate - half, high: estimate + half }
    }

    /// Returns the union of the intervals for all direct effects of a box, of which the corners are given.
    ///
    /// The standard error is a norm of an affine function of the effects, so that the upper end is convex and the
    /// lower end concave in them: both are furthest out at a corner.
    pub(super) fn union(&self, corners: impl Iterator<Item = Vec<f64>>) -> (f64, f64) {
        corners
            .map(|corner| self.at(&corner))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), point| (low.min(point.low), high.max(point.high)))
    }

    /// Returns the smallest direct effect of one instrument at which the interval reaches 0; `None` if none does.
    pub(super) fn break_even(&self, instrument: usize) -> Option<f64> {
        // (b - g s)^2 = c^2 (v00 - 2 g v01 + g^2 v11)
        let square = self.critical * self.critical;
        let slope = self.slopes[instrument];
        let index = instrument + 1;
        let a = slope * slope - square * self.covariance[(index, index)];
        let h = self.estimate * slope - square * self.covariance[(0, index)];
        let c = self.estimate * self.estimate - square * self.covariance[(0, 0)];
        if c <= 0.0 {
            return Some(0.0);
        }
        let discriminant = h * h - a * c;
        if discriminant < 0.0 {
            return None;
        }
        let larger = h + discriminant.sqrt().copysign(h);
        Some(c / larger) // the root nearer to 0
    }
}

/// Returns the corners of a box with the same ends in every direction.
pub(super) fn corners(n: usize, low: f64, high: f64) -> impl Iterator<Item = Vec<f64>> {
    (0..1_u64 << n).map(move |bits| (0..n).map(|axis| if bits >> axis & 1 == 0 { low } else { high }).collect())
}
