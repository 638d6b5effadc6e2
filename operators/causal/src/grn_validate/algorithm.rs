//! Which pairs are checked given what, and the adjustment for their number.

use causeway_core::{Result, RunContext};

use super::params::GivenSet;
use crate::ci::{Deletion, Finding, Queries};
use crate::expression::Expression;
use crate::grn::network::independence_test;
use crate::grn::options::SearchOptions;
use crate::partial::MAX_CONDITIONED;
use crate::pc::{Fate, Skeleton};

/// One check of the dropout model.
#[derive(Debug)]
pub(super) struct Check {
    /// The gene whose zeros are explained.
    pub(super) gene: usize,
    /// The gene whose values may explain them.
    pub(super) driver: usize,
    pub(super) given: Vec<usize>,
    pub(super) finding: Finding,
}

impl Check {
    /// Returns the p-value; NaN if the test could not be run.
    pub(super) fn p_value(&self) -> f64 {
        if self.finding.was_run() { self.finding.p_value } else { f64::NAN }
    }
}

/// Runs all checks, ordered by gene and driver.
pub(super) fn checks(
    expression: &Expression,
    skeleton: &Skeleton,
    options: &SearchOptions,
    given: GivenSet,
    context: &RunContext,
) -> Result<Vec<Check>> {
    let n_genes = expression.n_genes();
    let asked = match given {
        GivenSet::Sepset => separated_pairs(skeleton),
        GivenSet::Neighbours => strangers(skeleton),
    };
    context.grow_memory(2 * expression.bytes())?;
    let with_indicators = expression.with_zero_indicators();
    // zeros of x and y are what is looked at: only those of S remove a cell
    let options = SearchOptions { deletion: Deletion::Conditioned, ..options.clone() };
    let test = independence_test(&with_indicators, &options, context)?;
    let mut checks = Vec::with_capacity(asked.len());
    for level in 0..=MAX_CONDITIONED {
        let mut queries = Queries::new(level);
        let of_level = || asked.iter().filter(|(_, _, given)| given.len() == level);
        of_level().for_each(|(gene, driver, given)| queries.push(n_genes + gene, *driver, given));
        let findings = test.evaluate(&queries)?;
        let found = of_level().zip(findings).map(|((gene, driver, given), finding)| Check {
            gene: *gene,
            driver: *driver,
            given: given.clone(),
            finding,
        });
        checks.extend(found);
    }
    checks.sort_by_key(|check| (check.gene, check.driver));
    Ok(checks)
}

/// Both directions of every separated pair, with the set that separated it.
fn separated_pairs(skeleton: &Skeleton) -> Vec<(usize, usize, Vec<usize>)> {
    let separated = skeleton.pairs().filter(|(_, _, pair)| pair.fate == Fate::Separated);
    separated.flat_map(|(i, j, pair)| [(i, j, pair.set.to_vec()), (j, i, pair.set.to_vec())]).collect()
}

/// Every gene with all genes that are not its neighbours, given its neighbours.
fn strangers(skeleton: &Skeleton) -> Vec<(usize, usize, Vec<usize>)> {
    let mut asked = Vec::new();
    for (gene, neighbours) in skeleton.neighbours.iter().enumerate() {
        if neighbours.len() > MAX_CONDITIONED {
            continue;
        }
        let others = (0..skeleton.neighbours.len()).filter(|driver| *driver != gene && !neighbours.contains(driver));
        asked.extend(others.map(|driver| (gene, driver, neighbours.clone())));
    }
    asked
}

/// Returns the p-values adjusted by the step-up rule of Benjamini and Hochberg 1995; NaN stays NaN
/// and does not count.
pub(super) fn false_discovery_rates(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).filter(|index| !p_values[*index].is_nan()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![f64::NAN; p_values.len()];
    let mut least = 1.0_f64;
    for (rank, index) in order.iter().enumerate().rev() {
        least = least.min(p_values[*index] * order.len() as f64 / (rank as f64 + 1.0));
        adjusted[*index] = least;
    }
    adjusted
}
