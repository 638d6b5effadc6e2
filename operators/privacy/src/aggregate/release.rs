//! A checked release: groups, budget and the noise of each cell.

use causeway_core::{Literals, OperatorError, Output, PrivacyCost, Relation, Report, Result, Roles, RunContext};

use super::options::Budget;
use super::{Amounts, Groups, Noise, count_rows};
use crate::noise::{DiscreteLaplace, Drawn, IntegerNoise, RandomBits};

/// The cells of each group that share one amount of the budget.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    /// Cells of a group, one after another.
    pub(crate) n_cells: usize,
    /// The most that one row changes these cells by, in L1.
    pub(crate) per_row: u64,
    /// The share is 1 of so many equal parts of ε.
    pub(crate) parts: u64,
}

/// A release of noisy integers, priced before any row is read.
#[derive(Debug)]
pub(crate) struct Release {
    operator: &'static str,
    pub(crate) groups: Groups,
    budget: Budget,
    noise: Vec<(usize, DiscreteLaplace)>,
}

impl Release {
    /// Reads the options that all aggregates have; `shares` say what a group's cells are.
    pub(crate) fn new(
        operator: &'static str,
        mechanism: &'static str,
        shares: &[Share],
        literals: &Literals,
        roles: &Roles,
    ) -> Result<Self> {
        let groups = Groups::new(operator, literals, roles)?;
        let budget = Budget::new(operator, mechanism, literals, roles)?;
        let noise = shares.iter().map(|share| {
            let laplace = laplace(&budget, share).ok_or_else(|| OperatorError::Parameter {
                operator,
                name: "epsilon".to_owned(),
                range: format!("larger for {} rows of a unit: the noise would exceed all counts", budget.rows_per_unit),
                value: budget.epsilon.value().to_string(),
            })?;
            Ok((share.n_cells, laplace))
        });
        Ok(Self { operator, noise: noise.collect::<Result<_>>()?, groups, budget })
    }

    /// Returns what the release costs.
    pub(crate) fn cost(&self) -> PrivacyCost {
        self.budget.cost.clone()
    }

    /// Returns the noise of the cells of each share.
    pub(crate) fn noise(&self, share: usize, confidence: f64) -> Result<Noise> {
        let problem = || OperatorError::Internal { operator: self.operator, problem: "a share is missing".to_owned() };
        let (_, laplace) = self.noise.get(share).ok_or_else(problem)?;
        Ok(Noise::new(laplace, confidence))
    }

    /// Counts the rows and adds noise to every cell.
    pub(crate) fn run(
        &self,
        roles: &Roles,
        amounts: &dyn Amounts,
        inputs: Vec<Relation>,
        context: &mut RunContext,
    ) -> Result<Vec<i64>> {
        let rows_per_unit = usize::try_from(self.budget.rows_per_unit).unwrap_or(usize::MAX);
        let mut cells = count_rows(roles, &self.groups, rows_per_unit, amounts, inputs, context)?;
        let mut bits = RandomBits::new(context.noise());
        let per_group: usize = self.noise.iter().map(|(n_cells, _)| n_cells).sum();
        for group in cells.chunks_mut(per_group) {
            let mut rest = group;
            for (n_cells, laplace) in &self.noise {
                let (share, others) = rest.split_at_mut((*n_cells).min(rest.len()));
                Drawn::new(laplace, &mut bits).release(share)?;
                rest = others;
            }
        }
        context.progress(1.0);
        Ok(cells)
    }

    /// Returns the output with a report that says nothing but the options.
    pub(crate) fn output(&self, batch: arrow::array::RecordBatch) -> Output {
        let cost = &self.budget.cost;
        let report = Report::from([
            ("epsilon", self.budget.epsilon.value().into()),
            ("mechanism", cost.mechanism.into()),
            ("rows_per_unit", cost.rows_per_unit.into()),
            ("n_groups", self.groups.len().into()),
        ]);
        Output { batches: vec![batch], report }
    }
}

/// Returns noise of scale rows_per_unit * per_row * parts / ε.
fn laplace(budget: &Budget, share: &Share) -> Option<DiscreteLaplace> {
    let sensitivity = u64::from(budget.rows_per_unit).checked_mul(share.per_row)?.checked_mul(share.parts)?;
    DiscreteLaplace::new(budget.epsilon, sensitivity).ok()
}
