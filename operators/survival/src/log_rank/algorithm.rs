//! Observed and expected events of groups, and the covariance of their difference.

use causeway_core::Result;
use causeway_numerics::{Covariance, QuadraticForm};

use super::params::Weight;
use crate::risk_table::{RiskTable, Walk};

/// The rows of one group within one stratum.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) group: usize,
    pub(super) stratum: usize,
    pub(super) table: &'a RiskTable,
}

/// The sums over all event times and strata, and the test statistic.
#[derive(Debug)]
pub(super) struct Test {
    /// Weighted events of each group.
    pub(super) observed: Vec<f64>,
    /// Weighted events of each group that one common survival curve would give.
    pub(super) expected: Vec<f64>,
    /// The covariance of observed - expected.
    pub(super) covariance: Covariance,
    /// (O - E)' V^- (O - E).
    pub(super) statistic: QuadraticForm,
}

/// Compares groups within strata. `check` stops the work when the run was cancelled.
pub(super) fn compare(
    members: &[Member<'_>],
    n_groups: usize,
    weight: Weight,
    check: &dyn Fn() -> Result<()>,
) -> Result<Test> {
    let mut sums = Sums::new(n_groups, weight);
    let n_strata = members.iter().map(|member| member.stratum + 1).max().unwrap_or(0);
    let mut strata: Vec<Vec<Member<'_>>> = vec![Vec::new(); n_strata];
    for member in members {
        strata[member.stratum].push(*member);
    }
    for stratum in &strata {
        sums.add_stratum(stratum, check)?;
    }
    let difference: Vec<f64> = sums.observed.iter().zip(&sums.expected).map(|(o, e)| o - e).collect();
    let statistic = sums.covariance.quadratic_form(&difference);
    Ok(Test { observed: sums.observed, expected: sums.expected, covariance: sums.covariance, statistic })
}

struct Sums {
    weight: Weight,
    observed: Vec<f64>,
    expected: Vec<f64>,
    covariance: Covariance,
}

/// One group at an event time.
#[derive(Clone, Copy)]
struct Share {
    group: usize,
    at_risk: u64, // n_j
    events: u64,  // d_j
}

impl Sums {
    fn new(n_groups: usize, weight: Weight) -> Self {
        Self {
            weight,
            observed: vec![0.0; n_groups],
            expected: vec![0.0; n_groups],
            covariance: Covariance::zeros(n_groups),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of rows are below 2^53")]
    fn add_stratum(&mut self, members: &[Member<'_>], check: &dyn Fn() -> Result<()>) -> Result<()> {
        let mut walks: Vec<Walk<'_>> = members.iter().map(|member| member.table.walk()).collect();
        let mut shares: Vec<Share> = Vec::with_capacity(members.len());
        let mut pooled_survival = 1.0; // S(t-)
        for time in event_times(members) {
            check()?;
            shares.clear();
            for (member, walk) in members.iter().zip(&mut walks) {
                let (at_risk, events) = walk.at(time);
                if at_risk > 0 {
                    shares.push(Share { group: member.group, at_risk, events });
                }
            }
            let n = shares.iter().map(|share| share.at_risk).sum::<u64>() as f64;
            let d = shares.iter().map(|share| share.events).sum::<u64>() as f64;
            self.add_time(&shares, n, d, self.weight.at(n, pooled_survival));
            pooled_survival *= (n - d) / n;
        }
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of rows are below 2^53")]
    fn add_time(&mut self, shares: &[Share], n: f64, d: f64, w: f64) {
        for share in shares {
            self.observed[share.group] += w * share.events as f64;
            self.expected[share.group] += w * d * (share.at_risk as f64 / n);
        }
        if n <= 1.0 {
            return; // one row at risk: nothing to compare
        }
        let scale = w * w * d * ((n - d) / (n - 1.0));
        for share in shares {
            let n_j = share.at_risk as f64;
            let row = self.covariance.row_mut(share.group);
            for other in shares {
                let n_l = other.at_risk as f64;
                let centred = if share.group == other.group { n - n_j } else { -n_l }; // n (delta_jl - n_l / n)
                row[other.group] += scale * (n_j / n) * (centred / n);
            }
        }
    }
}

impl Weight {
    fn at(self, n: f64, pooled_survival: f64) -> f64 {
        match self {
            Self::LogRank => 1.0,
            Self::Wilcoxon => n,
            Self::TaroneWare => n.sqrt(),
            Self::FlemingHarrington { p, q } => pooled_survival.powf(p) * (1.0 - pooled_survival).powf(q),
        }
    }
}

/// Returns the times at which any of the groups has an event, ascending.
fn event_times(members: &[Member<'_>]) -> Vec<f64> {
    let moments = members.iter().flat_map(|member| &member.table.moments);
    let mut times: Vec<f64> = moments.filter(|moment| moment.events > 0).map(|moment| moment.time).collect();
    times.sort_unstable_by(f64::total_cmp);
    times.dedup();
    times
}
