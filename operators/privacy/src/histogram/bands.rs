//! Limits of what is estimated from a release, by drawing cohorts and noise again.

use causeway_core::{Literals, Result, RunContext};
use rand::RngCore as _;
use rayon::prelude::*;

use super::life_table::{Counts, LifeTable, Noise, float};
use super::projection::project;
use super::resample::{multinomial, noisy, quantile, stream};
use super::roles::unchecked;

/// What limits hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// No limits.
    None,
    /// Each value on its own.
    Pointwise,
    /// All values of a curve at once.
    Simultaneous,
}

/// How limits are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bands {
    pub(crate) coverage: Coverage,
    pub(crate) confidence: f64,
    pub(crate) n_draws: u64,
}

impl Bands {
    /// Reads the options `bands`, `confidence` and `draws`; without `bands` limits are pointwise, without `confidence`
    /// at 95 %.
    pub(crate) fn from_literals(operator: &'static str, literals: &Literals) -> Result<Self> {
        let coverage = match literals.text("bands") {
            None | Some("pointwise") => Coverage::Pointwise,
            Some("simultaneous") => Coverage::Simultaneous,
            Some(_) => Coverage::None,
        };
        let confidence = literals.float("confidence").unwrap_or(0.95);
        Ok(Self { coverage, confidence, n_draws: n_draws(operator, literals)? })
    }

    /// Returns the limits of estimates from their values in draws; none if no limits were asked for.
    ///
    /// Pointwise the basic interval: what the draws deviate from the estimate is taken off it, the upper deviation for
    /// the lower limit. Simultaneously the estimate plus and minus a quantile of the largest deviation of a draw.
    pub(crate) fn limits(self, estimates: &[f64], draws: &[Vec<f64>]) -> Option<Vec<(f64, f64)>> {
        match self.coverage {
            Coverage::None => None,
            Coverage::Pointwise => Some(self.pointwise(estimates, draws)),
            Coverage::Simultaneous => {
                let half_width = self.half_width(estimates, draws);
                Some(estimates.iter().map(|estimate| (estimate - half_width, estimate + half_width)).collect())
            }
        }
    }

    /// Returns limits of a survival curve in [0, 1]; none if no limits were asked for.
    ///
    /// Beyond the reliable bins survival may fall to 0, and is not above the last reliable upper limit.
    pub(crate) fn of_survival(
        self,
        cells: &[f64],
        table: &LifeTable,
        noise: Noise,
        context: &mut RunContext,
    ) -> Result<Option<Vec<(f64, f64)>>> {
        if self.coverage == Coverage::None {
            return Ok(None);
        }
        let estimate = |cells: &[f64]| LifeTable::new(&Counts::split(cells), noise).survival;
        let draws = self.draws(cells, noise, context, estimate)?;
        let Some(mut limits) = self.limits(&table.survival, &draws) else { return Ok(None) };
        let mut highest = 1.0;
        for (bin, limits) in limits.iter_mut().enumerate() {
            if bin < table.n_reliable {
                *limits = (limits.0.clamp(0.0, 1.0), limits.1.clamp(0.0, 1.0));
                highest = limits.1;
            } else {
                *limits = (0.0, highest);
            }
        }
        Ok(Some(limits))
    }

    /// Estimates again from cells drawn anew, cohort and noise; nothing is drawn if no limits were asked for.
    pub(crate) fn draws(
        self,
        cells: &[f64],
        noise: Noise,
        context: &mut RunContext,
        estimate: impl Fn(&[f64]) -> Vec<f64> + Sync,
    ) -> Result<Vec<Vec<f64>>> {
        if self.coverage == Coverage::None {
            return Ok(Vec::new());
        }
        let draws = (self.n_draws, context.rng().next_u64());
        resampled(cells, noise.epsilon(), draws, context, estimate)
    }

    fn pointwise(self, estimates: &[f64], draws: &[Vec<f64>]) -> Vec<(f64, f64)> {
        let tail = (1.0 - self.confidence) / 2.0;
        let limits = |(index, estimate): (usize, &f64)| {
            let deviations = ascending(draws.iter().map(|draw| draw[index] - estimate));
            (estimate - quantile(&deviations, 1.0 - tail), estimate - quantile(&deviations, tail))
        };
        estimates.iter().enumerate().map(limits).collect()
    }

    fn half_width(self, estimates: &[f64], draws: &[Vec<f64>]) -> f64 {
        let largest = |draw: &Vec<f64>| {
            draw.iter().zip(estimates).map(|(drawn, estimate)| (drawn - estimate).abs()).fold(0.0, f64::max)
        };
        quantile(&ascending(draws.iter().map(largest)), self.confidence)
    }
}

/// Reads the option `draws`.
fn n_draws(operator: &'static str, literals: &Literals) -> Result<u64> {
    let draws = literals.integer("draws").and_then(|draws| u64::try_from(draws).ok());
    draws.ok_or_else(|| unchecked(operator, "draws"))
}

/// Estimates again from cells drawn anew: as many people as were released fall into the cells as they did, and fresh
/// noise of the same size is added and projected.
///
/// The draws are the same for any number of threads.
fn resampled(
    cells: &[f64],
    epsilon: f64,
    (n_draws, seed): (u64, u64),
    context: &RunContext,
    estimate: impl Fn(&[f64]) -> Vec<f64> + Sync,
) -> Result<Vec<Vec<f64>>> {
    context.check_cancelled()?;
    let n_people = rounded(cells.iter().sum());
    let draw = |draw: u64| {
        let mut rng = stream(seed, draw);
        let drawn = multinomial(n_people, cells, &mut rng);
        estimate(&project(&noisy(&drawn, epsilon, &mut rng)))
    };
    Ok(context.pool().install(|| (0..n_draws).into_par_iter().map(draw).collect()))
}

/// Returns the standard deviation of each estimate over fresh noise alone, the cohort being as released.
pub(crate) fn spread_of_noise(
    cells: &[f64],
    estimates: &[f64],
    draws: (u64, u64),
    (noise, context): (Noise, &RunContext),
    estimate: impl Fn(&[f64]) -> Vec<f64> + Sync,
) -> Result<Vec<f64>> {
    context.check_cancelled()?;
    let cohort: Vec<u64> = cells.iter().map(|cell| rounded(*cell)).collect();
    let (n_draws, seed) = draws;
    let draw = |draw: u64| estimate(&project(&noisy(&cohort, noise.epsilon(), &mut stream(seed, draw))));
    let drawn: Vec<Vec<f64>> = context.pool().install(|| (0..n_draws).into_par_iter().map(draw).collect());
    let variance = |index: usize| drawn.iter().map(|draw| (draw[index] - estimates[index]).powi(2)).sum::<f64>();
    Ok((0..estimates.len()).map(|index| (variance(index) / float(drawn.len())).sqrt()).collect())
}

/// Returns a number of people that is not negative as an integer.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
pub(crate) fn rounded(people: f64) -> u64 {
    people.round() as u64
}

/// Returns values in ascending order.
pub(crate) fn ascending(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}
