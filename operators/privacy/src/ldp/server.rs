//! From noisy moments to sparse coefficients.

use causeway_numerics::Lu;
use causeway_numerics::matrix::Matrix;

use super::calibration::number;
use super::encoder::Deviations;

/// How coefficients are made sparse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Solver {
    /// Soft thresholding of the solution: the published estimator. NaN: a threshold of the size of the noise.
    Soft {
        /// The threshold λ.
        threshold: f64,
    },
    /// The k largest coefficients, solved for again without the others.
    TopRefit {
        /// How many are kept.
        k: usize,
    },
    /// An l1 penalty on the quadratic of the moments.
    Lasso {
        /// The penalty λ; NaN: of the size of the noise.
        penalty: f64,
    },
}

/// Noisy second moments, products with the outcome, and what is known of their noise.
#[derive(Debug, Clone)]
pub(crate) struct Moments {
    pub(crate) second: Matrix,
    pub(crate) products: Vec<f64>,
    /// Noise of the means: that of one message over sqrt(n). Zero on the second moments if those are public.
    pub(crate) noise: Deviations,
}

/// Coefficients with the error that the noise makes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Coefficients {
    pub(crate) values: Vec<f64>,
    pub(crate) selected: Vec<bool>,
    pub(crate) privacy_se: Vec<f64>,
}

impl Moments {
    /// Returns the moments of the mean of `n` messages of mode 'nldp'.
    pub(crate) fn of_message(mean: &[f64], d: usize, n: usize, message: Deviations) -> Self {
        let mut second = Matrix::zeros(d, d);
        let mut entries = mean.iter();
        for row in 0..d {
            for column in row..d {
                let entry = entries.next().copied().unwrap_or_default();
                (second[(row, column)], second[(column, row)]) = (entry, entry);
            }
        }
        Self { second, products: entries.copied().collect(), noise: message.of_mean(n) }
    }

    /// Returns the smallest eigenvalue of the second moments.
    pub(crate) fn smallest_eigenvalue(&self) -> f64 {
        self.second.symmetric_eigenvalues().first().copied().unwrap_or_default()
    }

    /// Returns about the largest eigenvalue of the noise, 2 sqrt(d) times the noise beside the diagonal.
    pub(crate) fn spectral_noise(&self) -> f64 {
        2.0 * number(self.products.len()).sqrt() * self.noise.beside
    }

    /// Returns the spectral noise over the smallest eigenvalue; infinite if that is not positive.
    pub(crate) fn noise_to_eigenvalue(&self) -> f64 {
        let (noise, smallest) = (self.spectral_noise(), self.smallest_eigenvalue());
        if noise <= 0.0 {
            0.0
        } else if smallest > 0.0 {
            noise / smallest
        } else {
            f64::INFINITY
        }
    }

    /// Raises small eigenvalues of noisy second moments to 0.2 or a quarter of the spectral noise of the Frobenius-scaled
    /// matrix (half of sigma sqrt(d)), so that the solution does not explode.
    pub(crate) fn floored(&self) -> Self {
        let d = self.products.len();
        let floor = (0.5 * self.noise.diagonal * number(d).sqrt()).max(0.2);
        let (values, vectors) = self.second.symmetric_eigen();
        let scaled = Matrix::from_fn(d, d, |row, column| vectors[(row, column)] * values[column].max(floor));
        Self { second: scaled.times(&vectors.transposed()), ..self.clone() }
    }

    /// Solves for sparse coefficients of l1 norm `l1_radius` at most; none if the moments are singular.
    pub(crate) fn solve(&self, solver: Solver, l1_radius: f64) -> Option<Coefficients> {
        let d = self.products.len();
        let everything: Vec<usize> = (0..d).collect();
        let full = self.restricted(&everything)?;
        let full_se = self.errors(&everything, &full)?;
        let noise = median(&full_se) * (2.0 * number(d.max(2)).ln()).sqrt();
        let or_noise = |given: f64, scale: f64| if given.is_nan() { noise * scale } else { given };
        let (mut values, mut privacy_se) = (vec![0.0; d], full_se);
        match solver {
            Solver::Soft { threshold } => {
                let threshold = or_noise(threshold, 1.0);
                values = full.iter().map(|value| soft(*value, threshold)).collect();
            }
            Solver::TopRefit { k } => {
                let kept = largest(&full, k);
                let refit = self.restricted(&kept)?;
                let errors = self.errors(&kept, &refit)?;
                for ((index, value), error) in kept.iter().zip(refit).zip(errors) {
                    (values[*index], privacy_se[*index]) = (value, error);
                }
            }
            Solver::Lasso { penalty } => {
                let scale = self.second.trace() / number(d);
                values = self.lasso(or_noise(penalty, scale));
            }
        }
        shorten(&mut values, l1_radius);
        let selected = values.iter().map(|value| value.abs() > 0.0).collect();
        Some(Coefficients { values, selected, privacy_se })
    }

    /// Returns the least-squares coefficients of some features.
    fn restricted(&self, kept: &[usize]) -> Option<Vec<f64>> {
        let right: Vec<f64> = kept.iter().map(|index| self.products[*index]).collect();
        let lu = Lu::factor(self.second.select(kept, kept).values(), kept.len()).ok()?;
        Some(lu.solve(&right))
    }

    /// Returns the errors of least-squares coefficients to first order: S⁻¹ (noise of the products - noise of S · theta).
    fn errors(&self, kept: &[usize], coefficients: &[f64]) -> Option<Vec<f64>> {
        let lu = Lu::factor(self.second.select(kept, kept).values(), kept.len()).ok()?;
        let squares: f64 = coefficients.iter().map(|value| value * value).sum();
        let (diagonal, beside) = (self.noise.diagonal.powi(2), self.noise.beside.powi(2));
        let of_row =
            |value: &f64| self.noise.products.powi(2) + value * value * diagonal + (squares - value * value) * beside;
        let variances: Vec<f64> = coefficients.iter().map(of_row).collect();
        let mut errors = vec![0.0; kept.len()];
        for (column, variance) in variances.iter().enumerate() {
            let mut unit = vec![0.0; kept.len()];
            unit[column] = 1.0;
            for (error, entry) in errors.iter_mut().zip(lu.solve(&unit)) {
                *error += entry * entry * variance;
            }
        }
        Some(errors.into_iter().map(f64::sqrt).collect())
    }

    /// Minimises theta' S theta / 2 - b' theta + λ |theta|_1 by coordinates.
    fn lasso(&self, penalty: f64) -> Vec<f64> {
        const MAX_SWEEPS: usize = 10_000;
        let d = self.products.len();
        let mut values = vec![0.0; d];
        for _ in 0..MAX_SWEEPS {
            let mut moved: f64 = 0.0;
            for index in 0..d {
                let own = self.second[(index, index)];
                let fitted: f64 = (0..d).map(|other| self.second[(index, other)] * values[other]).sum();
                let partial = self.products[index] - fitted + own * values[index];
                let new = if own > 0.0 { soft(partial, penalty) / own } else { 0.0 };
                moved = moved.max((new - values[index]).abs());
                values[index] = new;
            }
            if moved < 1e-12 {
                break;
            }
        }
        values
    }
}

impl Deviations {
    /// Returns the noise of the mean of `n` messages.
    pub(crate) fn of_mean(self, n: usize) -> Self {
        let root = number(n.max(1)).sqrt();
        Self { diagonal: self.diagonal / root, beside: self.beside / root, products: self.products / root }
    }
}

/// Takes one step of iterative hard thresholding: along the mean gradient, then the `kept` largest coefficients, then into
/// the l1 ball.
pub(crate) fn threshold_step(estimate: &[f64], gradient: &[f64], step: f64, kept: usize, l1_radius: f64) -> Vec<f64> {
    let moved: Vec<f64> = estimate.iter().zip(gradient).map(|(value, slope)| value - step * slope).collect();
    let mut values = vec![0.0; moved.len()];
    for index in largest(&moved, kept) {
        values[index] = moved[index];
    }
    shorten(&mut values, l1_radius);
    values
}

/// Returns the indices of the `k` values largest in absolute terms, ascending; of equal ones the first.
fn largest(values: &[f64], k: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*b].abs().total_cmp(&values[*a].abs()));
    order.truncate(k);
    order.sort_unstable();
    order
}

fn soft(value: f64, threshold: f64) -> f64 {
    value.signum() * (value.abs() - threshold).max(0.0)
}

/// Divides values so that the sum of their absolute values is the radius at most.
fn shorten(values: &mut [f64], l1_radius: f64) {
    let norm: f64 = values.iter().map(|value| value.abs()).sum();
    if norm > l1_radius {
        values.iter_mut().for_each(|value| *value *= l1_radius / norm);
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
