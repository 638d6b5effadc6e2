//! From a skeleton to a CPDAG: colliders, then Meek's rules.

use std::collections::BTreeSet;

use causeway_core::Result;

use crate::ci::{IndependenceTest, Queries};
use crate::graph::Graph;
use crate::pc::{Fate, Rules, Skeleton, Test, Verdict, Watch};

/// The largest S that the rule of the largest p-value tries.
const MAX_P_SIZE: usize = 3;

/// Pairs whose tests are asked together.
const PAIRS_AT_A_TIME: usize = 256;

/// How colliders are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Orientation {
    /// k is a collider of i - k - j if it is not in the set that separated i and j.
    Sepset,
    /// k is a collider if it is not in the set of neighbours, up to three, with the largest p-value;
    /// strong ones are placed first. No pair's place in the order matters.
    MaxP,
}

impl Orientation {
    /// Returns the word that the option takes.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sepset => "sepset",
            Self::MaxP => "max_p",
        }
    }
}

/// Orients by the sets that separated the pairs: pairs i < j and k in lexicographic order, an arrow
/// that stands is not turned.
pub(crate) fn by_sepsets(skeleton: &Skeleton) -> Graph {
    let mut graph = skeleton.graph();
    for (i, j) in separated_with_common_neighbour(skeleton, &graph) {
        let set = &skeleton.pair(i, j).set;
        let colliders: Vec<usize> = graph.common_neighbours(i, j).filter(|k| !set.contains(k)).collect();
        for k in colliders {
            graph.orient_collider(i, k, j);
        }
    }
    graph.close_under_meek();
    graph
}

/// Orients by the largest p-values, after the idea of Ramsey 2016. Further tests are run; they are
/// returned too, if the watch keeps tests.
pub(crate) fn by_largest_p(
    skeleton: &Skeleton,
    test: &dyn IndependenceTest,
    rules: &Rules,
    watch: &Watch<'_>,
) -> Result<(Graph, Vec<Test>)> {
    let mut graph = skeleton.graph();
    let mut colliders: Vec<(f64, usize, usize, usize)> = Vec::new();
    let mut tests = Vec::new();
    let pairs = separated_with_common_neighbour(skeleton, &graph);
    for pairs in pairs.chunks(PAIRS_AT_A_TIME) {
        let mut strongest: Vec<(f64, Vec<usize>)> = vec![(-1.0, Vec::new()); pairs.len()];
        for size in 0..=MAX_P_SIZE {
            let (queries, owners) = neighbour_sets(&graph, pairs, size);
            let findings = test.evaluate(&queries)?;
            for (index, (owner, finding)) in owners.iter().zip(&findings).enumerate() {
                let verdict = rules.verdict(finding, size);
                if watch.keep_tests {
                    let (x, y) = queries.pair(index);
                    tests.push(Test { x, y, set: queries.set(index).into(), finding: *finding, verdict });
                }
                if verdict != Verdict::Untestable && finding.p_value > strongest[*owner].0 {
                    strongest[*owner] = (finding.p_value, queries.set(index).to_vec());
                }
            }
        }
        for ((i, j), (p_value, set)) in pairs.iter().zip(&strongest) {
            let outside = graph.common_neighbours(*i, *j).filter(|k| !set.contains(k));
            colliders.extend(outside.map(|k| (-p_value, *i, *j, k)));
        }
    }
    colliders.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| (a.1, a.2, a.3).cmp(&(b.1, b.2, b.3))));
    for (_, i, j, k) in colliders {
        graph.orient_collider(i, k, j);
    }
    graph.close_under_meek();
    Ok((graph, tests))
}

/// Returns the pairs i < j, in lexicographic order, that a set separates and a node joins.
fn separated_with_common_neighbour(skeleton: &Skeleton, graph: &Graph) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for i in 0..graph.n_nodes() {
        let around = graph.neighbours(i).iter();
        let second: BTreeSet<usize> = around.flat_map(|k| graph.neighbours(*k)).copied().filter(|j| *j > i).collect();
        let separated = second.into_iter().filter(|j| skeleton.pair(i, *j).fate == Fate::Separated);
        pairs.extend(separated.map(|j| (i, j)));
    }
    pairs
}

/// Asks, for each pair, all sets of a size among the neighbours of one of its ends, in
/// lexicographic order. The numbers say to which pair a question belongs.
fn neighbour_sets(graph: &Graph, pairs: &[(usize, usize)], size: usize) -> (Queries, Vec<usize>) {
    let mut queries = Queries::new(size);
    let mut owners = Vec::new();
    for (owner, (i, j)) in pairs.iter().enumerate() {
        let mut sets: BTreeSet<Vec<usize>> = BTreeSet::new();
        for end in [i, j] {
            add_subsets(graph.neighbours(*end), size, &mut Vec::new(), &mut sets);
        }
        for set in sets {
            queries.push(*i, *j, &set);
            owners.push(owner);
        }
    }
    (queries, owners)
}

fn add_subsets(nodes: &[usize], size: usize, chosen: &mut Vec<usize>, sets: &mut BTreeSet<Vec<usize>>) {
    if size == 0 {
        sets.insert(chosen.clone());
        return;
    }
    for (position, node) in nodes.iter().enumerate() {
        chosen.push(*node);
        add_subsets(&nodes[position + 1..], size - 1, chosen, sets);
        chosen.pop();
    }
}
