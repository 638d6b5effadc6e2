//! Rows of the result, and how often an edge comes back in random halves of the cells.

use causeway_core::{Result, RunContext};
use rand::Rng as _;
use rand_chacha::ChaCha20Rng;

use crate::ci::Status;
use crate::expression::Expression;
use crate::graph::Mark;
use crate::grn::network::{Network, find_network};
use crate::grn::options::SearchOptions;
use crate::orientation::Orientation;
use crate::pc::{Fate, Pair};

/// A pair of genes in the result.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) source: usize,
    pub(super) target: usize,
    /// `None` if the pair is no edge.
    pub(super) mark: Option<Mark>,
    pub(super) pair: &'a Pair,
    pub(super) frequency: Option<f64>,
}

impl Row<'_> {
    /// Returns the status as tables show it.
    pub(super) fn status(&self) -> &'static str {
        match (self.pair.fate, self.pair.weakest.status) {
            (Fate::Separated, Status::Ok | Status::Singular) => "separated",
            (Fate::Adjacent, Status::Ok) if self.pair.n_untestable > 0 => "partly_tested",
            (_, status) => status.as_str(),
        }
    }
}

/// Returns the edges and the untestable pairs, and with `all_pairs` the separated ones, by pair.
pub(super) fn rows<'a>(network: &'a Network, all_pairs: bool, frequencies: Option<&[f64]>) -> Vec<Row<'a>> {
    let graph = &network.graph;
    let mut rows = Vec::new();
    for (index, (i, j, pair)) in network.skeleton.pairs().enumerate() {
        if pair.fate == Fate::Separated && !all_pairs {
            continue;
        }
        let mark = match pair.fate {
            Fate::Adjacent if graph.is_undirected(i, j) => Some(Mark::Undirected),
            Fate::Adjacent => Some(Mark::Directed),
            Fate::Separated | Fate::Untestable => None,
        };
        let (source, target) = if graph.is_directed(j, i) { (j, i) } else { (i, j) };
        let frequency = frequencies.and_then(|frequencies| frequencies.get(index).copied());
        rows.push(Row { source, target, mark, pair, frequency });
    }
    rows
}

/// Returns, for each pair i < j in lexicographic order, the share of searches on random halves of the
/// cells that join it.
pub(super) fn frequencies(
    expression: &Expression,
    options: &SearchOptions,
    n_searches: usize,
    rng: &mut ChaCha20Rng,
    context: &RunContext,
) -> Result<Vec<f64>> {
    let n_genes = expression.n_genes();
    let mut n_joined = vec![0_u32; n_genes * (n_genes - 1) / 2];
    context.grow_memory(expression.bytes() / 2)?;
    let options = &SearchOptions { orientation: Orientation::Sepset, ..options.clone() }; // directions are not counted
    for number in 0..n_searches {
        context.check_cancelled()?;
        let half = expression.of_cells(&random_half(expression.n_cells(), rng));
        let share = 1.0 / (n_searches as f64 + 1.0);
        let progress = |done: f64| context.progress(share * (number as f64 + 1.0 + done));
        let network = find_network(&half, options, false, context, &progress)?;
        for (joined, (_, _, pair)) in n_joined.iter_mut().zip(network.skeleton.pairs()) {
            *joined += u32::from(pair.fate == Fate::Adjacent);
        }
    }
    Ok(n_joined.into_iter().map(|joined| f64::from(joined) / n_searches as f64).collect())
}

/// Returns half of the cells, drawn without replacement, ascending.
fn random_half(n_cells: usize, rng: &mut ChaCha20Rng) -> Vec<usize> {
    let mut cells: Vec<usize> = (0..n_cells).collect();
    let n_drawn = n_cells.div_ceil(2);
    for position in 0..n_drawn {
        let other = rng.random_range(position..n_cells);
        cells.swap(position, other);
    }
    cells.truncate(n_drawn);
    cells.sort_unstable();
    cells
}
