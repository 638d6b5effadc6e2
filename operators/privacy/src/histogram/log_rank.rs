//! The log-rank test of private counts, calibrated for their noise.

use causeway_core::{Result, RunContext};
use causeway_numerics::{Covariance, QuadraticForm};
use rayon::prelude::*;

use super::bands::rounded;
use super::life_table::Counts;
use super::projection::project;
use super::resample::{binomial, noisy, stream};

/// Sums over the bins, and the test.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LogRank {
    /// Events of each group.
    pub(crate) observed: Vec<f64>,
    /// Events of each group that one common hazard would give.
    pub(crate) expected: Vec<f64>,
    /// (O - E)' V^- (O - E) and its degrees of freedom.
    pub(crate) statistic: QuadraticForm,
}

impl LogRank {
    /// Compares groups bin by bin; a bin with one person at risk at most adds nothing to the covariance.
    pub(crate) fn new(groups: &[Counts]) -> Self {
        let at_risk: Vec<Vec<f64>> = groups.iter().map(Counts::at_risk).collect();
        let mut observed = vec![0.0; groups.len()];
        let mut expected = vec![0.0; groups.len()];
        let mut covariance = Covariance::zeros(groups.len());
        for bin in 0..groups.first().map_or(0, |group| group.events.len()) {
            let n: f64 = at_risk.iter().map(|at_risk| at_risk[bin]).sum();
            let d: f64 = groups.iter().map(|group| group.events[bin]).sum();
            if n <= 0.0 || d <= 0.0 {
                continue;
            }
            let scale = if n > 1.0 { d * ((n - d) / (n - 1.0)).clamp(0.0, 1.0) } else { 0.0 };
            for (group, counts) in groups.iter().enumerate() {
                let share = at_risk[group][bin] / n;
                observed[group] += counts.events[bin];
                expected[group] += d * share;
                for (other, entry) in covariance.row_mut(group).iter_mut().enumerate() {
                    let same = if other == group { 1.0 } else { 0.0 };
                    *entry += scale * share * (same - at_risk[other][bin] / n);
                }
            }
        }
        let difference: Vec<f64> = observed.iter().zip(&expected).map(|(o, e)| o - e).collect();
        let statistic = covariance.quadratic_form(&difference);
        Self { observed, expected, statistic }
    }

    /// Returns the share of draws under one common hazard whose statistic is as large, the release itself counted
    /// with them; none without a comparable event.
    ///
    /// Each draw follows as many people as each group has through the bins, with the pooled hazard and the group's own
    /// censoring, and adds fresh noise of the same size. The chi-square distribution would ignore the noise.
    pub(crate) fn calibrated_p_value(
        &self,
        groups: &[Counts],
        epsilon: f64,
        (n_draws, seed): (u64, u64),
        context: &RunContext,
    ) -> Result<Option<f64>> {
        if self.statistic.rank == 0 {
            return Ok(None);
        }
        context.check_cancelled()?;
        let null = Null::new(groups);
        let is_as_large = |draw: &u64| {
            let mut rng = stream(seed, *draw);
            let groups: Vec<Counts> = (0..groups.len())
                .map(|group| Counts::split(&project(&noisy(&null.cells(group, &mut rng), epsilon, &mut rng))))
                .collect();
            Self::new(&groups).statistic.value >= self.statistic.value
        };
        let n_as_large = context.pool().install(|| (0..n_draws).into_par_iter().filter(is_as_large).count());
        #[expect(clippy::cast_precision_loss, reason = "draws are few")]
        let p_value = (1.0 + n_as_large as f64) / (1.0 + n_draws as f64);
        Ok(Some(p_value))
    }
}

/// What happens to people if all groups have one hazard.
#[derive(Debug)]
struct Null {
    /// Probability of the event in each bin.
    hazard: Vec<f64>,
    groups: Vec<NullGroup>,
}

#[derive(Debug)]
struct NullGroup {
    n_people: u64,
    /// Probability of being censored in each bin, for those left after its events.
    censoring: Vec<f64>,
}

impl Null {
    fn new(groups: &[Counts]) -> Self {
        let at_risk: Vec<Vec<f64>> = groups.iter().map(Counts::at_risk).collect();
        let n_bins = groups.first().map_or(0, |group| group.events.len());
        let hazard = (0..n_bins).map(|bin| {
            let n: f64 = at_risk.iter().map(|at_risk| at_risk[bin]).sum();
            share(groups.iter().map(|group| group.events[bin]).sum(), n)
        });
        let null_group = |(group, at_risk): (&Counts, &Vec<f64>)| NullGroup {
            n_people: rounded(group.total()),
            censoring: (0..n_bins).map(|bin| share(group.censored[bin], at_risk[bin] - group.events[bin])).collect(),
        };
        Self { hazard: hazard.collect(), groups: groups.iter().zip(&at_risk).map(null_group).collect() }
    }

    /// Returns the events, then the censorings of a group by bin; whoever is left is censored in the last bin.
    fn cells(&self, group: usize, rng: &mut impl rand::RngCore) -> Vec<u64> {
        let n_bins = self.hazard.len();
        let mut cells = vec![0; 2 * n_bins];
        let mut left = self.groups[group].n_people;
        for bin in 0..n_bins {
            cells[bin] = binomial(left, self.hazard[bin], rng);
            left -= cells[bin];
            let is_last = bin + 1 == n_bins;
            cells[n_bins + bin] = if is_last { left } else { binomial(left, self.groups[group].censoring[bin], rng) };
            left -= cells[n_bins + bin];
        }
        cells
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 0.0 }
}
