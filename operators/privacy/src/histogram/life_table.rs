//! What a curve is made of: hazards, survival and its error from private counts of events and censorings by bin.

/// The least 1 - h that counts: a bin in which everyone seems to have the event does not end the curve for good.
const LEAST_SURVIVAL_OF_A_BIN: f64 = 1e-3;

/// Private counts of one stratum by bin of time; none is negative.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Counts {
    /// Events d_k.
    pub(crate) events: Vec<f64>,
    /// Censorings c_k.
    pub(crate) censored: Vec<f64>,
}

impl Counts {
    /// Splits cells in the order events, then censorings.
    pub(crate) fn split(cells: &[f64]) -> Self {
        let (events, censored) = cells.split_at(cells.len() / 2);
        Self { events: events.to_vec(), censored: censored.to_vec() }
    }

    /// Returns the sum of all counts.
    pub(crate) fn total(&self) -> f64 {
        self.events.iter().chain(&self.censored).sum()
    }

    /// Returns r_k, those at risk at the start of each bin: everyone who ends in it or later.
    pub(crate) fn at_risk(&self) -> Vec<f64> {
        suffix_sums(self.events.iter().zip(&self.censored).map(|(events, censored)| events + censored))
    }
}

pub(crate) fn suffix_sums(ending: impl DoubleEndedIterator<Item = f64>) -> Vec<f64> {
    let mut at_risk = 0.0;
    let mut backward: Vec<f64> = ending
        .rev()
        .map(|ending| {
            at_risk += ending;
            at_risk
        })
        .collect();
    backward.reverse();
    backward
}

/// The noise in each count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Noise {
    epsilon: f64,
    /// Cells of each bin: kinds of events and the censorings.
    cells_per_bin: f64,
}

impl Noise {
    /// Describes discrete Laplace noise of parameter `epsilon` in every cell.
    pub(crate) fn new(epsilon: f64, cells_per_bin: u32) -> Self {
        Self { epsilon, cells_per_bin: f64::from(cells_per_bin) }
    }

    /// Returns Var z = 2 p / (1 - p)^2 with p = exp(-epsilon).
    pub(crate) fn variance(self) -> f64 {
        let p = (-self.epsilon).exp();
        let q = -(-self.epsilon).exp_m1(); // 1 - p
        2.0 * p / (q * q)
    }

    pub(crate) fn epsilon(self) -> f64 {
        self.epsilon
    }

    /// Returns the standard deviation of the noise in those at risk when `bins_left` bins are summed; that of the
    /// continuous Laplace distribution, which is a little above.
    fn of_at_risk(self, bins_left: f64) -> f64 {
        std::f64::consts::SQRT_2 / self.epsilon * (self.cells_per_bin * bins_left).sqrt()
    }
}

/// The curve of one stratum at the ends of the bins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LifeTable {
    pub(crate) at_risk: Vec<f64>,
    /// The first bin whose hazard is not used: fewer are at risk than the noise could make up.
    pub(crate) n_reliable: usize,
    /// h_k = d_k / (r_k - c_k / 2), those censored being at risk for half the bin.
    pub(crate) hazard: Vec<f64>,
    pub(crate) survival: Vec<f64>,
}

impl LifeTable {
    /// Makes the curve of private counts.
    pub(crate) fn new(counts: &Counts, noise: Noise) -> Self {
        let at_risk = counts.at_risk();
        let n_reliable = n_reliable(&at_risk, noise);
        let mut hazard = vec![0.0; at_risk.len()];
        let mut survival = Vec::with_capacity(at_risk.len());
        let mut log_survival = 0.0;
        for bin in 0..at_risk.len() {
            let exposed = at_risk[bin] - counts.censored[bin] / 2.0;
            if bin < n_reliable && exposed > 0.0 {
                hazard[bin] = (counts.events[bin] / exposed).clamp(0.0, 1.0);
            }
            log_survival += (1.0 - hazard[bin]).max(LEAST_SURVIVAL_OF_A_BIN).ln();
            survival.push(log_survival.exp());
        }
        Self { at_risk, n_reliable, hazard, survival }
    }

    /// Returns the sums of hazards, by which Nelson and Aalen estimate the cumulative hazard.
    pub(crate) fn cumulative_hazard(&self) -> Vec<f64> {
        let mut sum = 0.0;
        self.hazard
            .iter()
            .map(|hazard| {
                sum += hazard;
                sum
            })
            .collect()
    }

    /// Returns the standard errors of log S and of the cumulative hazard from the noise alone, by the delta method;
    /// none where the curve is not reliable.
    pub(crate) fn noise_errors(&self, counts: &Counts, noise: Noise) -> Vec<Option<(f64, f64)>> {
        let log_survival = self.errors(noise, |bin| log_survival_slopes(self.exposed(counts, bin), counts.events[bin]));
        let hazard = self.errors(noise, |bin| hazard_slopes(self.exposed(counts, bin), counts.events[bin]));
        let errors = log_survival.into_iter().zip(hazard).enumerate();
        errors.map(|(bin, errors)| (bin < self.n_reliable).then_some(errors)).collect()
    }

    fn exposed(&self, counts: &Counts, bin: usize) -> f64 {
        self.at_risk[bin] - counts.censored[bin] / 2.0
    }

    /// Returns, for each bin j, the standard deviation of a sum of terms f(d_i, e_i) over i <= j, e_i being those
    /// exposed, when every cell has independent noise.
    ///
    /// An event cell l counts in d_l, and in e_i for i <= l; a censored cell in e_i for i < l and by half in e_l. With
    /// U_l the sum of the slopes by e_i over i <= l, the slopes of the sum are those by d_l plus U_l for an event
    /// cell l <= j, U_l less half the slope by e_l for a censored one, and U_j for all cells beyond j.
    fn errors(&self, noise: Noise, slopes: impl Fn(usize) -> Slopes) -> Vec<f64> {
        let n_bins = self.at_risk.len();
        let mut by_exposed = 0.0; // U_j
        let mut squares = 0.0;
        let mut cells_beyond = noise.cells_per_bin * float(n_bins);
        let mut errors = Vec::with_capacity(n_bins);
        for bin in 0..n_bins {
            if bin < self.n_reliable {
                let slope = slopes(bin);
                by_exposed += slope.exposed;
                let of_events = (slope.events + by_exposed).powi(2) + (noise.cells_per_bin - 2.0) * by_exposed.powi(2);
                squares += of_events + (by_exposed - slope.exposed / 2.0).powi(2);
                cells_beyond -= noise.cells_per_bin;
            }
            errors.push((noise.variance() * (squares + cells_beyond * by_exposed.powi(2))).sqrt());
        }
        errors
    }
}

/// The slopes of one term by its events and by those exposed.
struct Slopes {
    events: f64,
    exposed: f64,
}

/// -log(1 - d / e) = log e - log(e - d)
fn log_survival_slopes(exposed: f64, events: f64) -> Slopes {
    let without = exposed - events;
    if exposed <= 0.0 || without < LEAST_SURVIVAL_OF_A_BIN * exposed {
        return Slopes { events: 0.0, exposed: 0.0 }; // the hazard stands at its bound
    }
    Slopes { events: 1.0 / without, exposed: -events / (exposed * without) }
}

/// d / e
fn hazard_slopes(exposed: f64, events: f64) -> Slopes {
    if exposed <= 0.0 || events > exposed {
        return Slopes { events: 0.0, exposed: 0.0 };
    }
    Slopes { events: 1.0 / exposed, exposed: -events / (exposed * exposed) }
}

/// Returns the number of leading bins in which more are at risk than one standard deviation of their noise, and
/// more than one person.
pub(crate) fn n_reliable(at_risk: &[f64], noise: Noise) -> usize {
    let n_bins = at_risk.len();
    let is_reliable = |bin: usize, at_risk: f64| at_risk > noise.of_at_risk(float(n_bins - bin)).max(1.0);
    at_risk.iter().enumerate().position(|(bin, at_risk)| !is_reliable(bin, *at_risk)).unwrap_or(n_bins)
}

/// Returns S(t), the hazard being constant within each bin; `survival` stands at the ends of bins of equal width.
///
/// Tests and the study compare curves on other grids by it.
#[cfg(test)]
pub(crate) fn survival_at(survival: &[f64], horizon: f64, time: f64) -> f64 {
    let width = horizon / float(survival.len());
    let mut start: f64 = 1.0;
    for (end, survival) in (1..).zip(survival) {
        let end_time = f64::from(end) * width;
        if time < end_time {
            let share = (time - (end_time - width)) / width;
            return start.powf(1.0 - share) * survival.powf(share);
        }
        start = *survival;
    }
    start
}

/// Returns a number of bins as a float.
#[expect(clippy::cast_precision_loss, reason = "bins are few")]
pub(crate) fn float(n: usize) -> f64 {
    n as f64
}
