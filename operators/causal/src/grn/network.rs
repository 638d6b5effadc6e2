//! The search for a network, from cells to a CPDAG, and what lineage keeps of it.

use causeway_core::{Report, Result, RunContext};
use serde_json::{Value, json};

use super::cells::Cells;
use super::options::{Method, SearchOptions, TestKind};
use crate::ci::{Deletion, IndependenceTest, MinRows, Workers};
use crate::expression::Expression;
use crate::fisher_z::FisherZ;
use crate::ges;
use crate::graph::Graph;
use crate::levelled::{Levelled, Measure};
use crate::orientation::{Orientation, by_largest_p, by_sepsets};
use crate::pc::{Fate, Skeleton, Test, Watch, skeleton};

/// Cells per test above which Fisher's z rejects true independence too often if zeros of x and y stay: with Gaussian
/// values and logistic dropout 24 % instead of 5 % on the 1 100 cells left of 2 000.
const CELL_LIMIT_CONDITIONED: usize = 1_000;

/// The same if zeros of x and y are removed too: with Gaussian values cut off 11 % on the 4 000 to 5 000 cells left of 10 000.
const CELL_LIMIT_ALL: usize = 4_000;

/// A network and how it came about.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) skeleton: Skeleton,
    pub(crate) graph: Graph,
    /// The tests of the orientation, if tests are kept.
    pub(crate) orientation_tests: Vec<Test>,
}

/// Makes the test of independence that the options ask for.
pub(crate) fn independence_test<'a>(
    expression: &'a Expression,
    options: &SearchOptions,
    context: &'a RunContext,
) -> Result<Box<dyn IndependenceTest + 'a>> {
    match options.test {
        TestKind::FisherZ => {
            context.grow_memory(FisherZ::bytes(expression, options.deletion))?;
            Ok(Box::new(FisherZ::new(expression, options.deletion, options.min_rows, Workers::of(context))?))
        }
        TestKind::Levelled(measure) => {
            let SearchOptions { deletion, min_rows, .. } = *options;
            Ok(Box::new(Levelled::new(expression, deletion, min_rows, measure, Workers::of(context))))
        }
    }
}

/// Finds the network.
pub(crate) fn find_network(
    expression: &Expression,
    options: &SearchOptions,
    keep_tests: bool,
    context: &RunContext,
    progress: &dyn Fn(f64),
) -> Result<Network> {
    let test = independence_test(expression, options, context)?;
    let watch = watch(options, keep_tests, context, progress);
    if let Method::Greedy(greed) = options.method {
        let (n_genes, n_cells) = (expression.n_genes(), expression.n_cells());
        let found = ges::search(n_genes, n_cells, test.as_ref(), &options.rules, greed, &watch)?;
        let mut skeleton = Skeleton::of_edges(&found.graph, found.edges, found.tally);
        skeleton.stopped_early = found.budget_spent;
        return Ok(Network { skeleton, graph: found.graph, orientation_tests: Vec::new() });
    }
    let skeleton = skeleton(expression.n_genes(), test.as_ref(), &options.rules, &watch)?;
    let (graph, orientation_tests) = match options.orientation {
        Orientation::Sepset => (by_sepsets(&skeleton), Vec::new()),
        Orientation::MaxP => by_largest_p(&skeleton, test.as_ref(), &options.rules, &watch)?,
    };
    Ok(Network { skeleton, graph, orientation_tests })
}

fn watch<'a>(
    options: &SearchOptions,
    keep_tests: bool,
    context: &'a RunContext,
    progress: &'a dyn Fn(f64),
) -> Watch<'a> {
    let cell_limit = match (options.test, options.deletion) {
        (TestKind::FisherZ, Deletion::All) => CELL_LIMIT_ALL,
        (TestKind::FisherZ, Deletion::Conditioned) => CELL_LIMIT_CONDITIONED,
        (TestKind::FisherZ, Deletion::None) | (TestKind::Levelled(_), _) => usize::MAX,
    };
    Watch { progress, context, keep_tests, cell_limit }
}

/// Returns what lineage keeps of the run.
pub(crate) fn report(cells: &Cells, options: &SearchOptions, network: &Network) -> Report {
    let Network { skeleton, graph, .. } = network;
    let tally = &skeleton.tally;
    let count = |fate: Fate| skeleton.pairs().filter(|(_, _, pair)| pair.fate == fate).count();
    let edges = graph.edges();
    let constant = (0..cells.expression.n_genes()).filter(|gene| cells.expression.n_nonzero(*gene) == 0).count();
    let test_seed = match options.test {
        TestKind::Levelled(Measure::Rcit { seed }) => json!(seed),
        TestKind::FisherZ | TestKind::Levelled(Measure::Gcm) => Value::Null,
    };
    let min_rows = match options.min_rows {
        MinRows::Default => json!("30 + 3 |S|"),
        MinRows::Fixed(n_rows) => json!(n_rows),
    };
    Report::from([
        ("n_cells", cells.expression.n_cells().into()),
        ("n_genes", cells.genes.len().into()),
        ("n_genes_all_zero", constant.into()),
        ("zero_share", cells.expression.zero_share().into()),
        ("method", options.method.as_str().into()),
        ("deletion", options.deletion.as_str().into()),
        ("test", options.test.as_str().into()),
        ("test_seed", test_seed),
        ("orientation", options.orientation.as_str().into()),
        ("alpha", options.rules.alpha.into()),
        ("min_rows", min_rows),
        ("untestable", options.rules.untestable.as_str().into()),
        ("n_edges", edges.len().into()),
        ("n_directed", edges.iter().filter(|edge| graph.is_directed(edge.source, edge.target)).count().into()),
        ("n_pairs_separated", count(Fate::Separated).into()),
        ("n_pairs_untestable", count(Fate::Untestable).into()),
        ("n_tests", tally.n_tests().into()),
        ("n_tests_by_level", tally.by_level.clone().into()),
        ("n_tests_few", tally.few.into()),
        ("n_tests_constant", tally.constant.into()),
        ("n_tests_singular", tally.singular.into()),
        ("warnings", warnings(cells, options, skeleton).into()),
    ])
}

fn warnings(cells: &Cells, options: &SearchOptions, skeleton: &Skeleton) -> Vec<Value> {
    let mut warnings = Vec::new();
    let n_above = skeleton.tally.above_limit;
    if n_above > 0 {
        let limit = if options.deletion == Deletion::All { CELL_LIMIT_ALL } else { CELL_LIMIT_CONDITIONED };
        let advice = match options.method {
            Method::Pc => "compare test => 'gcm'",
            Method::Greedy(_) => "compare method => 'pc' with test => 'gcm'",
        };
        warnings.push(json!(format!(
            "{n_above} tests given other genes used more than {limit} cells: if dropout depends on the gene's own value, \
             Fisher's z then rejects true independence more often than alpha; {advice}"
        )));
    }
    if options.deletion == Deletion::None && cells.expression.zero_share() > 0.0 {
        warnings.push(json!(
            "zeros of the genes conditioned on were kept: a dropped value does not block a path, so expect too many edges"
        ));
    }
    if skeleton.stopped_early {
        warnings.push(match options.method {
            Method::Pc => json!("larger sets S than max_level could be tried: some edges may be indirect"),
            Method::Greedy(_) => json!("the budget ended the search before no move gained"),
        });
    }
    warnings
}
