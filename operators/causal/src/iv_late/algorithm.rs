//! The effect as a ratio of two means, its error and its confidence sets.

use causeway_numerics::{normal_quantile, normal_two_sided};

/// Fitted nuisance functions of the interactive model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interactive<'a> {
    /// g_0, g_1: the mean outcome for instrument 0 and 1.
    pub(super) outcome: [&'a [f64]; 2],
    /// r_0, r_1: the probability of treatment for instrument 0 and 1.
    pub(super) treatment: [&'a [f64]; 2],
    /// m: the probability of instrument 1, clipped.
    pub(super) instrument: &'a [f64],
}

/// Terms of each row whose means have the effect as ratio.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scores {
    /// psi_b: the mean is the effect of the instrument on the outcome.
    pub(super) outcome: Vec<f64>,
    /// psi_a: the mean is the effect of the instrument on the treatment.
    pub(super) treatment: Vec<f64>,
}

/// An estimate and its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub(super) value: f64,
    pub(super) std_error: f64,
}

/// Values of the effect that a test does not reject.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum ConfidenceSet {
    /// From the first to the second.
    Interval(f64, f64),
    /// Up to the first, and from the second on.
    TwoRays(f64, f64),
    /// Every number.
    Line,
}

/// Returns the terms of the interactive model (Tan 2006; Chernozhukov et al. 2018, eq. 5.5):
///
/// psi_b = g_1 - g_0 + Z (Y - g_1) / m - (1 - Z) (Y - g_0) / (1 - m), psi_a the same with A and r.
///
/// With `normalise` the weights Z / m and (1 - Z) / (1 - m) are divided by their means (Hajek).
pub(super) fn interactive_scores(
    outcome: &[f64],
    treatment: &[f64],
    instrument: &[f64],
    fitted: Interactive<'_>,
    normalise: bool,
) -> Scores {
    let weights = |row: usize| {
        let (z, m) = (instrument[row], fitted.instrument[row]);
        [(1.0 - z) / (1.0 - m), z / m]
    };
    let n = instrument.len();
    let mut means = [1.0; 2];
    if normalise {
        let mut sums = [0.0; 2];
        for row in 0..n {
            let [without, with] = weights(row);
            sums[0] += without;
            sums[1] += with;
        }
        means = sums.map(|sum| sum / n as f64);
    }
    let terms = |values: &[f64], [at_0, at_1]: [&[f64]; 2]| {
        let term = |row: usize| {
            let [without, with] = weights(row);
            at_1[row] - at_0[row] + with / means[1] * (values[row] - at_1[row])
                - without / means[0] * (values[row] - at_0[row])
        };
        (0..n).map(term).collect()
    };
    Scores { outcome: terms(outcome, fitted.outcome), treatment: terms(treatment, fitted.treatment) }
}

/// Returns the residuals of values.
pub(super) fn residuals(values: &[f64], fitted: &[f64]) -> Vec<f64> {
    values.iter().zip(fitted).map(|(value, fitted)| value - fitted).collect()
}

/// Returns the products of two columns.
pub(super) fn products(left: &[f64], right: &[f64]) -> Vec<f64> {
    left.iter().zip(right).map(|(left, right)| left * right).collect()
}

/// Returns theta = mean(b) / mean(a) with the standard error sqrt(mean((b - theta a)^2) / n) / |mean(a)|.
pub(super) fn ratio(numerator: &[f64], denominator: &[f64]) -> Estimate {
    let n = numerator.len() as f64;
    let (b, a) = (mean(numerator), mean(denominator));
    let theta = b / a;
    let squares = numerator.iter().zip(denominator).map(|(b, a)| (b - theta * a).powi(2)).sum::<f64>();
    Estimate { value: theta, std_error: (squares / n / n).sqrt() / a.abs() }
}

/// Returns the mean with its standard error.
pub(super) fn average(terms: &[f64]) -> Estimate {
    let n = terms.len() as f64;
    let value = mean(terms);
    let squares = terms.iter().map(|term| (term - value).powi(2)).sum::<f64>();
    Estimate { value, std_error: (squares / n / n).sqrt() }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Returns the median of estimates, and as variance the median of v_r + (theta_r - theta)^2, which adds to
/// the error of a division into folds that between divisions (Chernozhukov et al. 2018, definition 3.3).
pub(super) fn median_of(estimates: &[Estimate]) -> Estimate {
    let value = median(estimates.iter().map(|estimate| estimate.value).collect());
    let variance = |estimate: &Estimate| estimate.std_error.powi(2) + (estimate.value - value).powi(2);
    Estimate { value, std_error: median(estimates.iter().map(variance).collect()).sqrt() }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 }
}

impl Estimate {
    /// Returns the estimate in standard errors.
    pub(super) fn statistic(&self) -> f64 {
        self.value / self.std_error
    }

    /// Returns the two-sided tail of the standard normal distribution.
    pub(super) fn p_value(&self) -> f64 {
        normal_two_sided(self.statistic())
    }

    /// Returns the ends of the interval of a confidence level.
    pub(super) fn interval(&self, confidence: f64) -> (f64, f64) {
        let reach = quantile(confidence) * self.std_error;
        (self.value - reach, self.value + reach)
    }
}

fn quantile(confidence: f64) -> f64 {
    normal_quantile(0.5 + confidence / 2.0)
}

/// Returns the theta for which mean(b - theta a) is not significant, whatever the strength of the instrument.
///
/// n mean(b - theta a)^2 <= z^2 var(b - theta a) is a quadratic inequality in theta (Fieller 1954; Anderson and
/// Rubin 1949). The ratio of the means lies in the set, so it is never empty.
pub(super) fn weak_robust_set(scores: &Scores, confidence: f64) -> ConfidenceSet {
    let n = scores.outcome.len() as f64;
    let (b, a) = (mean(&scores.outcome), mean(&scores.treatment));
    let (mut bb, mut ab, mut aa) = (0.0, 0.0, 0.0);
    for (outcome, treatment) in scores.outcome.iter().zip(&scores.treatment) {
        let (outcome, treatment) = (outcome - b, treatment - a);
        bb += outcome * outcome;
        ab += outcome * treatment;
        aa += treatment * treatment;
    }
    let share = quantile(confidence).powi(2) / n / n;
    // square theta^2 - 2 linear theta + constant <= 0
    let (square, linear, constant) = (a * a - share * aa, a * b - share * ab, b * b - share * bb);
    let discriminant = linear * linear - square * constant;
    if square > 0.0 {
        let root = discriminant.max(0.0).sqrt();
        return ConfidenceSet::Interval((linear - root) / square, (linear + root) / square);
    }
    if square < 0.0 && discriminant > 0.0 {
        let root = discriminant.sqrt();
        return ConfidenceSet::TwoRays((linear + root) / square, (linear - root) / square);
    }
    ConfidenceSet::Line
}

/// Moves probabilities into [clip, 1 - clip] and returns how many were moved.
pub(super) fn clip(probabilities: &mut [f64], clip: f64) -> usize {
    let mut n_moved = 0;
    for probability in probabilities {
        let inside = probability.clamp(clip, 1.0 - clip);
        n_moved += usize::from((inside - *probability).abs() > 0.0);
        *probability = inside;
    }
    n_moved
}
