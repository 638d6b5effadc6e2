//! The published heuristic: Laplace noise on the curve itself, its scale falling with time. It gives no guarantee.
//!
//! One person can move the curve by 1 at every later time: of n people all but one are censored early, and the last
//! one has the event or not. Noise at T times then costs the sum over times of 1 / scale, which is far above the
//! nominal ε for every schedule but `global`. What is charged is that sum; where the released times are those
//! observed, a person alone at a time is given away with certainty, which no ε describes, so δ = 1 is charged.
//! The noise is floating-point, as published, which is one more reason.

use causeway_core::{Epsilon, NoiseSource, PrivacyCost, Result};

use crate::histogram::float;

/// The claim that stands beside each row.
pub(super) const GUARANTEE: &str = "none: noise on the curve by a heuristic, mechanism 'published'";

/// δ = 1 in units of a ledger.
const EVERYTHING: u64 = 1_000_000_000_000_000;

/// How the scale of the noise depends on the number of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schedule {
    /// (1 - i / T) / ε
    Linear,
    /// 1 / (ε (i + 1))
    Harmonic,
    /// 1 / (ε sqrt(i + 1))
    SquareRoot,
    /// 1 / ε
    Constant,
    /// T / ε, which is ε in total
    Global,
}

/// How the noisy values are made to fall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clip {
    /// No value above an earlier one; biased downwards.
    RunningMinimum,
    /// The nearest falling curve.
    Isotonic,
}

/// At which times the curve is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Points {
    /// 0 and the ends of the bins.
    Public,
    /// 0 and the distinct times in the rows.
    Observed,
}

/// Checked options of the heuristic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) schedule: Schedule,
    /// Values in the moving average.
    pub(super) window: usize,
    pub(super) clip: Clip,
    pub(super) points: Points,
}

impl Published {
    /// Returns the worst case over all tables that differ in a row: the sum of 1 / scale over the public times.
    pub(super) fn cost(self, epsilon: Epsilon, n_bins: u32, sound: PrivacyCost) -> PrivacyCost {
        let n_points = n_bins as usize + 1;
        let per_nominal: f64 = (0..n_points).map(|point| 1.0 / self.scale(1.0, point, n_points)).sum();
        let worst = PrivacyCost::pure("published heuristic", epsilon.value() * per_nominal.max(1.0));
        PrivacyCost {
            mechanism: "published heuristic",
            epsilon_micro: worst.map_or(u64::MAX, |worst| worst.epsilon_micro),
            delta_femto: if self.points == Points::Observed { EVERYTHING } else { 0 },
            is_sound: false,
            ..sound
        }
    }

    /// Returns the scale of the noise at a point of `n_points`.
    fn scale(self, epsilon: f64, point: usize, n_points: usize) -> f64 {
        let (i, n) = (float(point), float(n_points));
        match self.schedule {
            Schedule::Linear => (1.0 - i / n) / epsilon,
            Schedule::Harmonic => 1.0 / (epsilon * (i + 1.0)),
            Schedule::SquareRoot => 1.0 / (epsilon * (i + 1.0).sqrt()),
            Schedule::Constant => 1.0 / epsilon,
            Schedule::Global => n / epsilon,
        }
    }

    /// Releases a curve with the given Laplace noise of scale 1 at each point.
    pub(super) fn release(self, survival: &[f64], unit_noise: &[f64], epsilon: f64) -> Vec<f64> {
        let points = survival.iter().zip(unit_noise).enumerate();
        let noisy = points.map(|(point, (value, noise))| {
            (value + noise * self.scale(epsilon, point, survival.len())).clamp(0.0, 1.0)
        });
        let smooth = moving_average(&noisy.collect::<Vec<f64>>(), self.window);
        match self.clip {
            Clip::RunningMinimum => running_minimum(smooth),
            Clip::Isotonic => isotonic(&smooth),
        }
    }
}

/// Returns the mean of `window` values around each, the first and last one being repeated at the ends.
fn moving_average(values: &[f64], window: usize) -> Vec<f64> {
    let half = window / 2;
    let last = values.len().saturating_sub(1);
    let around = |centre: usize| (0..window).map(move |step| (centre + step).saturating_sub(half).min(last));
    (0..values.len()).map(|centre| around(centre).map(|place| values[place]).sum::<f64>() / float(window)).collect()
}

fn running_minimum(values: Vec<f64>) -> Vec<f64> {
    let mut lowest: f64 = 1.0;
    let mut released = values;
    for value in &mut released {
        lowest = value.max(0.0).min(lowest);
        *value = lowest;
    }
    released
}

/// Returns the falling curve with the least squared distance (pool adjacent violators).
fn isotonic(values: &[f64]) -> Vec<f64> {
    let mut pools: Vec<(f64, usize)> = Vec::new(); // mean and number of values
    for value in values {
        let mut pool = (*value, 1);
        while let Some(earlier) = pools.pop_if(|earlier| earlier.0 < pool.0) {
            let n = earlier.1 + pool.1;
            pool = ((earlier.0 * float(earlier.1) + pool.0 * float(pool.1)) / float(n), n);
        }
        pools.push(pool);
    }
    pools.into_iter().flat_map(|(mean, n)| std::iter::repeat_n(mean.clamp(0.0, 1.0), n)).collect()
}

/// Returns 0 and the distinct times with the survival just after each (Kaplan and Meier 1958).
pub(super) fn kaplan_meier(rows: &mut [(f64, bool)]) -> Vec<(f64, f64)> {
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut curve = vec![(0.0, 1.0)];
    let mut survival = 1.0;
    let mut at_risk = rows.len();
    for tied in rows.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let events = tied.iter().filter(|row| row.1).count();
        survival *= 1.0 - float(events) / float(at_risk);
        at_risk -= tied.len();
        if tied[0].0 > 0.0 {
            curve.push((tied[0].0, survival));
        } else {
            curve[0].1 = survival;
        }
    }
    curve
}

/// Returns the survival at a time of a curve.
pub(super) fn survival_at(curve: &[(f64, f64)], time: f64) -> f64 {
    curve[..curve.partition_point(|point| point.0 <= time)].last().map_or(1.0, |point| point.1)
}

/// Draws Laplace noise of scale 1 in floating point, as the heuristic has it.
pub(super) fn unit_laplace(n: usize, noise: &mut dyn NoiseSource) -> Result<Vec<f64>> {
    (0..n).map(|_| laplace(noise)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "53 bits")]
fn laplace(noise: &mut dyn NoiseSource) -> Result<f64> {
    let mut bytes = [0; 8];
    noise.fill(&mut bytes)?;
    let bits = u64::from_le_bytes(bytes);
    let uniform = ((bits >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0; // 2^53
    let magnitude = -uniform.ln();
    Ok(if bits & 1 == 1 { magnitude } else { -magnitude })
}
