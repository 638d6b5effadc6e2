//! The release itself: its cost from options alone, counts, noise, projection.

use causeway_core::{Epsilon, Literals, OperatorError, PrivacyCost, Relation, Result, Roles, RunContext};

use super::life_table::{Noise, float};
use super::roles::unchecked;
use super::{Grid, Strata, count, project};
use crate::noise::{DiscreteLaplace, Drawn, IntegerNoise, RandomBits};

/// The name of the mechanism in ledgers.
const MECHANISM: &str = "discrete Laplace histogram";

/// The claim that stands beside each row of a release.
pub(crate) const GUARANTEE: &str = "pure epsilon-differential privacy when one unit is added or removed";

/// A checked release.
#[derive(Debug)]
pub(crate) struct Release {
    pub(crate) grid: Grid,
    pub(crate) strata: Strata,
    pub(crate) epsilon: Epsilon,
    cost: PrivacyCost,
}

impl Release {
    /// Reads `epsilon`, `horizon`, `bins`, `cohort_size` and the strata.
    pub(crate) fn new(operator: &'static str, n_causes: u32, literals: &Literals, roles: &Roles) -> Result<Self> {
        let asked = literals.float("epsilon").ok_or_else(|| unchecked(operator, "epsilon"))?;
        let amounts = Epsilon::usable(asked).zip(PrivacyCost::pure(MECHANISM, asked));
        let (epsilon, cost) = amounts.ok_or_else(|| OperatorError::Parameter {
            operator,
            name: "epsilon".to_owned(),
            range: "at least 0.000001".to_owned(),
            value: asked.to_string(),
        })?;
        let unit = roles.column("unit").map(|column| column.name.clone());
        let strata = Strata::new(operator, literals, roles)?;
        let grid = Grid {
            horizon: literals.float("horizon").ok_or_else(|| unchecked(operator, "horizon"))?,
            n_bins: n_bins(operator, literals, epsilon, strata.len())?,
            n_causes,
            n_strata: strata.len(),
        };
        check_size(operator, grid)?;
        Ok(Self { grid, strata, epsilon, cost: PrivacyCost { unit, ..cost } })
    }

    /// Returns what the release costs: each unit is in one cell of one stratum, so strata compose in parallel.
    pub(crate) fn cost(&self) -> PrivacyCost {
        self.cost.clone()
    }

    /// Returns what the noise in each cell is like.
    pub(crate) fn noise(&self) -> Noise {
        Noise::new(self.epsilon.value(), self.grid.outcomes())
    }

    /// Counts the rows, adds noise, and returns the cells of each stratum, none negative: events of each cause by bin,
    /// then censorings by bin.
    pub(crate) fn run(&self, roles: &Roles, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Vec<Vec<f64>>> {
        let mut counts = count(roles, self.grid, &self.strata, inputs, context)?;
        let laplace = DiscreteLaplace::new(self.epsilon, 1)?;
        let mut bits = RandomBits::new(context.noise());
        self.released(&mut counts, &mut Drawn::new(&laplace, &mut bits))
    }

    /// Adds noise to counts and projects each stratum.
    pub(crate) fn released(&self, counts: &mut [i64], noise: &mut dyn IntegerNoise) -> Result<Vec<Vec<f64>>> {
        noise.release(counts)?;
        Ok(counts.chunks(self.grid.cells_per_stratum()).map(project).collect())
    }
}

/// Returns the number of bins asked for, or the one that suits a public order of magnitude: 2^round(log2(sqrt(n eps)
/// / 1.2)) in 8 .. 256.
fn n_bins(operator: &'static str, literals: &Literals, epsilon: Epsilon, n_strata: u32) -> Result<u32> {
    let integer = |name: &str| literals.integer(name).and_then(|value| u64::try_from(value).ok());
    if let Some(bins) = integer("bins") {
        return u32::try_from(bins).map_err(|_| unchecked(operator, "bins"));
    }
    let cohort = integer("cohort_size").and_then(|size| usize::try_from(size).ok());
    let per_stratum = float(cohort.ok_or_else(|| unchecked(operator, "cohort_size"))?) / f64::from(n_strata);
    let ideal = ((per_stratum * epsilon.value()).sqrt() / 1.2).log2().round_ties_even();
    Ok((3..8).find(|exponent| f64::from(*exponent) >= ideal).map_or(256, |exponent| 1 << exponent))
}

/// Refuses more cells than a release of use has.
fn check_size(operator: &'static str, grid: Grid) -> Result<()> {
    const MAX_CELLS: usize = 1 << 20;
    if grid.n_cells() <= MAX_CELLS {
        return Ok(());
    }
    Err(OperatorError::Parameter {
        operator,
        name: "bins".to_owned(),
        range: format!("so few that bins times outcomes times strata are at most {MAX_CELLS}"),
        value: grid.n_bins.to_string(),
    })
}
