//! Distances between graphs whose edges are directed or not.

use std::collections::BTreeMap;

use causeway_core::Result;
use rayon::prelude::*;

/// How two variables are joined, seen from the one with the smaller index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Forward,
    Backward,
    Undirected,
}

/// A graph: the mark of each pair (smaller index, larger index) that is joined.
pub(super) type Graph = BTreeMap<(usize, usize), Mark>;

/// How far an estimate is from the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Distance {
    /// Pairs whose mark differs.
    pub(super) shd: usize,
    /// Pairs that both graphs join.
    pub(super) n_shared: usize,
}

pub(super) fn distance(estimate: &Graph, truth: &Graph) -> Distance {
    let n_shared = estimate.keys().filter(|pair| truth.contains_key(pair)).count();
    let n_same = estimate.iter().filter(|(pair, mark)| truth.get(pair) == Some(mark)).count();
    Distance { shd: estimate.len() + truth.len() - n_shared - n_same, n_shared }
}

/// A directed acyclic graph by its neighbours, both ways in ascending order.
#[derive(Debug)]
pub(super) struct Dag {
    parents: Vec<Vec<usize>>,
    children: Vec<Vec<usize>>,
}

impl Dag {
    /// Returns `None` if an edge has no direction or there is a cycle.
    pub(super) fn new(graph: &Graph, n_nodes: usize) -> Option<Self> {
        let mut dag = Self { parents: vec![Vec::new(); n_nodes], children: vec![Vec::new(); n_nodes] };
        for ((smaller, larger), mark) in graph {
            let (source, target) = match mark {
                Mark::Forward => (*smaller, *larger),
                Mark::Backward => (*larger, *smaller),
                Mark::Undirected => return None,
            };
            dag.children[source].push(target);
            dag.parents[target].push(source);
        }
        dag.is_acyclic().then_some(dag)
    }

    fn is_acyclic(&self) -> bool {
        let mut n_left: Vec<usize> = self.parents.iter().map(Vec::len).collect();
        let mut free: Vec<usize> = (0..n_left.len()).filter(|node| n_left[*node] == 0).collect();
        let mut n_sorted = 0;
        while let Some(node) = free.pop() {
            n_sorted += 1;
            for child in &self.children[node] {
                n_left[*child] -= 1;
                if n_left[*child] == 0 {
                    free.push(*child);
                }
            }
        }
        n_sorted == n_left.len()
    }

    /// Returns the nodes that a walk along `next` reaches from some nodes, these included.
    fn reach(next: &[Vec<usize>], from: &[usize]) -> Vec<bool> {
        let mut reached = vec![false; next.len()];
        let mut open = from.to_vec();
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut reached[node], true) {
                open.extend(&next[node]);
            }
        }
        reached
    }
}

/// Returns the structural intervention distance: the number of ordered pairs (i, j) for which adjusting for the
/// parents that i has in the estimate gives a wrong effect of i on j under the truth (Peters and
/// Bühlmann 2015, definition 3 and proposition 6).
pub(super) fn intervention_distance(
    estimate: &Dag,
    truth: &Dag,
    check_cancelled: &(dyn Fn() -> Result<()> + Sync),
) -> Result<usize> {
    let ancestors: Vec<Vec<bool>> = (0..truth.parents.len()).map(|node| Dag::reach(&truth.parents, &[node])).collect();
    let wrong = |source: usize| -> Result<usize> {
        check_cancelled()?;
        let adjustment = &estimate.parents[source];
        Ok((0..truth.parents.len())
            .filter(|target| *target != source && is_wrong(truth, &ancestors, source, *target, adjustment))
            .count())
    };
    (0..truth.parents.len()).into_par_iter().map(wrong).sum()
}

fn is_wrong(truth: &Dag, ancestors: &[Vec<bool>], source: usize, target: usize, adjustment: &[usize]) -> bool {
    if adjustment.contains(&target) {
        return ancestors[target][source]; // the estimate says that the source has no effect
    }
    let first_steps: Vec<usize> =
        truth.children[source].iter().copied().filter(|child| ancestors[target][*child]).collect();
    let on_the_way: Vec<usize> = (0..ancestors.len())
        .filter(|node| ancestors[target][*node] && first_steps.iter().any(|step| ancestors[*node][*step]))
        .collect();
    let forbidden = Dag::reach(&truth.children, &on_the_way);
    adjustment.iter().any(|node| forbidden[*node]) || is_connected(truth, source, target, adjustment, &first_steps)
}

/// Returns true if a path between two nodes is open given others, in the graph without the edges from the
/// source to `without`: the ball of Shachter 1998.
fn is_connected(dag: &Dag, source: usize, target: usize, given: &[usize], without: &[usize]) -> bool {
    let n = dag.parents.len();
    let mut is_given = vec![false; n];
    for node in given {
        is_given[*node] = true;
    }
    let opens = Dag::reach(&dag.parents, given); // a collider is open if it or a descendant is given
    let is_cut = |parent: usize, child: usize| parent == source && without.contains(&child);
    let mut seen = vec![[false; 2]; n];
    let mut open = vec![(source, true)]; // true: as if it came from a child
    while let Some((node, from_child)) = open.pop() {
        if std::mem::replace(&mut seen[node][usize::from(from_child)], true) {
            continue;
        }
        if node == target {
            return true;
        }
        let to_parents = if from_child { !is_given[node] } else { opens[node] };
        if to_parents {
            open.extend(
                dag.parents[node].iter().filter(|parent| !is_cut(**parent, node)).map(|parent| (*parent, true)),
            );
        }
        if !is_given[node] {
            open.extend(dag.children[node].iter().filter(|child| !is_cut(node, **child)).map(|child| (*child, false)));
        }
    }
    false
}
