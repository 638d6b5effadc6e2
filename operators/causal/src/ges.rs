//! Greedy equivalence search with a gain read from one test of independence.
//!
//! The search moves between equivalence classes of directed acyclic graphs (Chickering 2002): it
//! inserts the edge that gains most until none gains, then deletes in the same way. Nobody can score
//! a whole graph when each test drops other cells; but the search needs only the change of one
//! edge x -> y given the parents S of y, and for the Gaussian BIC that is a function of one partial
//! correlation (Nandy, Hauser, Maathuis 2018):
//!
//! ```text
//! gain = -(N / 2) ln(1 - rho^2) - ln(N) / penalty,   rho = tanh(sqrt(n - 3) atanh |r| / sqrt(N - 3))
//! ```
//!
//! where rho is the correlation that would give, with all N cells, the statistic that r gives with
//! the n cells of its test. Each insertion adds an edge and each deletion takes one away, so both
//! phases end.

use std::collections::{BTreeSet, HashMap};

use causeway_core::{OperatorError, Result};

use crate::ci::{Finding, IndependenceTest, Queries};
use crate::graph::Graph;
use crate::partial::MAX_CONDITIONED;
use crate::pc::{Rules, ShownEdge, Tally, Verdict, Watch};

/// A set of candidates larger than this is cut: more tests at once than memory should hold.
const MAX_CANDIDATES: usize = 1 << 20;

/// How far the search goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Greed {
    /// Divides ln N: 2 is the usual BIC, 1 asks twice as much of an edge.
    pub(crate) penalty: f64,
    /// Insertions, and deletions, made at most.
    pub(crate) budget: usize,
}

/// The result of a search.
#[derive(Debug)]
pub(crate) struct Greedy {
    /// A CPDAG.
    pub(crate) graph: Graph,
    /// For each edge i < j: the test by which its deletion costs least.
    pub(crate) edges: Vec<ShownEdge>,
    pub(crate) tally: Tally,
    /// True if a phase ended because the budget was spent.
    pub(crate) budget_spent: bool,
}

/// A move from one class to another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Move {
    x: usize,
    y: usize,
    /// T of an insertion, H of a deletion.
    turned: Vec<usize>,
    /// What the test conditions on.
    given: Vec<usize>,
}

/// Returns the gain of an edge by the test of its ends; see the module.
pub(crate) fn bic_gain(finding: &Finding, n_cells: usize, penalty: f64) -> f64 {
    let total = n_cells as f64;
    let correlation = finding.correlation.unwrap_or(0.0).abs().min(1.0 - f64::EPSILON);
    let rho = if finding.n_used == n_cells || !finding.was_run() {
        correlation
    } else {
        let statistic = (finding.n_used as f64 - 3.0).sqrt() * correlation.atanh();
        (statistic / (total - 3.0).sqrt()).tanh().min(1.0 - f64::EPSILON)
    };
    -0.5 * total * (-rho * rho).ln_1p() - total.ln() / penalty
}

/// Searches over `n_nodes` columns of `n_cells` cells.
pub(crate) fn search(
    n_nodes: usize,
    n_cells: usize,
    test: &dyn IndependenceTest,
    rules: &Rules,
    greed: Greed,
    watch: &Watch<'_>,
) -> Result<Greedy> {
    let mut search = Search { n_cells, test, rules, greed, watch, known: HashMap::new(), tally: Tally::default() };
    let mut graph = Graph::undirected(vec![Vec::new(); n_nodes]);
    let mut budget_spent = true;
    for step in 0..greed.budget {
        let Some(best) = search.best(insertions(&graph, rules.max_level)?, 1.0)? else {
            budget_spent = false;
            break;
        };
        graph = insert(&graph, &best)?;
        (watch.progress)(0.8 * (1.0 - 1.0 / (1.0 + step as f64 / n_nodes as f64)));
    }
    let inserted_all = !budget_spent;
    budget_spent = true;
    for _ in 0..greed.budget {
        let Some(best) = search.best(deletions(&graph, rules.max_level), -1.0)? else {
            budget_spent = false;
            break;
        };
        graph = delete(&graph, &best)?;
    }
    let edges = search.weakest(&graph)?;
    Ok(Greedy { graph, edges, tally: search.tally, budget_spent: budget_spent || !inserted_all })
}

struct Search<'a> {
    n_cells: usize,
    test: &'a dyn IndependenceTest,
    rules: &'a Rules,
    greed: Greed,
    watch: &'a Watch<'a>,
    /// What every test asked so far has found, by its two ends and S.
    known: HashMap<(usize, usize, Vec<usize>), Finding>,
    tally: Tally,
}

impl Search<'_> {
    /// Returns the move whose gain, times `sign`, is largest and positive; of equal ones the first.
    fn best(&mut self, moves: Vec<Move>, sign: f64) -> Result<Option<Move>> {
        self.watch.context.check_cancelled()?;
        self.ask(&moves)?;
        let mut best: Option<(f64, &Move)> = None;
        for candidate in &moves {
            let Some(gain) = self.gain(candidate) else { continue };
            let gain = sign * gain;
            if gain > 0.0 && best.as_ref().is_none_or(|(largest, _)| gain > *largest) {
                best = Some((gain, candidate));
            }
        }
        Ok(best.map(|(_, candidate)| candidate.clone()))
    }

    /// Returns the gain of the edge of a move; nothing if its test could not be run.
    fn gain(&self, candidate: &Move) -> Option<f64> {
        let finding = self.known.get(&key(candidate))?;
        let untestable = self.rules.verdict(finding, candidate.given.len()) == Verdict::Untestable;
        (!untestable).then(|| bic_gain(finding, self.n_cells, self.greed.penalty))
    }

    /// Runs the tests of moves that were not run before.
    fn ask(&mut self, moves: &[Move]) -> Result<()> {
        let unknown: BTreeSet<(usize, usize, Vec<usize>)> =
            moves.iter().map(key).filter(|key| !self.known.contains_key(key)).collect();
        self.watch.context.grow_memory(unknown.len() * 2 * size_of::<(Move, Finding)>())?;
        for level in 0..=self.rules.max_level.min(MAX_CONDITIONED) {
            let mut queries = Queries::new(level);
            let of_level = || unknown.iter().filter(|(_, _, given)| given.len() == level);
            of_level().for_each(|(x, y, given)| queries.push(*x, *y, given));
            for (key, finding) in of_level().zip(self.test.evaluate(&queries)?) {
                self.tally.add(&finding, level, self.watch.cell_limit);
                self.known.insert(key.clone(), finding);
            }
        }
        Ok(())
    }

    /// Returns, for each edge, the test by which its deletion costs least.
    fn weakest(&mut self, graph: &Graph) -> Result<Vec<ShownEdge>> {
        let moves = deletions(graph, self.rules.max_level);
        self.ask(&moves)?;
        let mut edges = Vec::new();
        for edge in graph.edges() {
            let ends = (edge.source.min(edge.target), edge.source.max(edge.target));
            let of_edge = moves.iter().filter(|other| (other.x.min(other.y), other.x.max(other.y)) == ends);
            let weakest = of_edge.filter_map(|other| Some((self.gain(other)?, other)));
            let Some((_, weakest)) = weakest.min_by(|a, b| a.0.total_cmp(&b.0)) else { continue };
            if let Some(finding) = self.known.get(&key(weakest)) {
                edges.push((ends.0, ends.1, weakest.given.clone().into(), *finding));
            }
        }
        Ok(edges)
    }
}

fn key(candidate: &Move) -> (usize, usize, Vec<usize>) {
    (candidate.x.min(candidate.y), candidate.x.max(candidate.y), candidate.given.clone())
}

/// Returns all valid insertions: of x -> y, turning T - y into T -> y (Chickering 2002, definition 12
/// and theorem 15).
fn insertions(graph: &Graph, max_level: usize) -> Result<Vec<Move>> {
    let mut moves = Vec::new();
    for y in 0..graph.n_nodes() {
        let undirected: Vec<usize> = undirected(graph, y);
        for x in (0..graph.n_nodes()).filter(|x| *x != y && !graph.is_adjacent(*x, y)) {
            let (shared, free): (Vec<usize>, Vec<usize>) =
                undirected.iter().partition(|node| graph.is_adjacent(**node, x));
            if !is_clique(graph, &shared) {
                continue;
            }
            let mut turned_sets = Vec::new();
            add_cliques(graph, &shared, &free, &mut Vec::new(), &mut turned_sets);
            for turned in turned_sets {
                let barrier: Vec<usize> = shared.iter().chain(&turned).copied().collect();
                let given = given(graph, y, None, &barrier);
                if given.len() <= max_level.min(MAX_CONDITIONED) && !reaches(graph, y, x, &barrier) {
                    moves.push(Move { x, y, turned, given });
                }
            }
            if moves.len() > MAX_CANDIDATES {
                let problem =
                    format!("more than {MAX_CANDIDATES} insertions to compare; raise the penalty or use 'pc'");
                return Err(OperatorError::Data { operator: "grn_dropout", problem });
            }
        }
    }
    Ok(moves)
}

/// Returns all valid deletions: of x - y or x -> y, turning H - y into y -> H and H - x into x -> H
/// (Chickering 2002, definition 13 and theorem 17).
fn deletions(graph: &Graph, max_level: usize) -> Vec<Move> {
    let mut moves = Vec::new();
    for y in 0..graph.n_nodes() {
        let ends = graph.neighbours(y).iter().copied().filter(|x| !graph.is_directed(y, *x));
        for x in ends {
            let shared: Vec<usize> =
                undirected(graph, y).into_iter().filter(|node| *node != x && graph.is_adjacent(*node, x)).collect();
            let mut kept_sets = Vec::new();
            add_cliques(graph, &[], &shared, &mut Vec::new(), &mut kept_sets);
            for kept in kept_sets {
                let turned = shared.iter().copied().filter(|node| !kept.contains(node)).collect();
                let given = given(graph, y, Some(x), &kept);
                if given.len() <= max_level.min(MAX_CONDITIONED) {
                    moves.push(Move { x, y, turned, given });
                }
            }
        }
    }
    moves
}

fn insert(graph: &Graph, best: &Move) -> Result<Graph> {
    let mut open = Arrows::of(graph);
    open.set(best.x, best.y, true);
    for node in &best.turned {
        open.set(best.y, *node, false);
    }
    open.complete()
}

fn delete(graph: &Graph, best: &Move) -> Result<Graph> {
    let mut open = Arrows::of(graph);
    open.set(best.x, best.y, false);
    open.set(best.y, best.x, false);
    for node in &best.turned {
        open.set(*node, best.y, false);
        if graph.is_undirected(best.x, *node) {
            open.set(*node, best.x, false);
        }
    }
    open.complete()
}

fn undirected(graph: &Graph, node: usize) -> Vec<usize> {
    graph.neighbours(node).iter().copied().filter(|other| graph.is_undirected(node, *other)).collect()
}

/// The parents of y, without one node, and the further nodes, ascending.
fn given(graph: &Graph, y: usize, without: Option<usize>, further: &[usize]) -> Vec<usize> {
    let parents = graph.neighbours(y).iter().copied().filter(|node| graph.is_directed(*node, y));
    let mut given: Vec<usize> = parents.filter(|node| Some(*node) != without).chain(further.iter().copied()).collect();
    given.sort_unstable();
    given
}

fn is_clique(graph: &Graph, nodes: &[usize]) -> bool {
    nodes.iter().enumerate().all(|(index, a)| nodes[index + 1..].iter().all(|b| graph.is_adjacent(*a, *b)))
}

/// Adds all sets of `free` nodes that form a clique together with the `fixed` ones, which are one.
fn add_cliques(graph: &Graph, fixed: &[usize], free: &[usize], chosen: &mut Vec<usize>, sets: &mut Vec<Vec<usize>>) {
    sets.push(chosen.clone());
    for (index, node) in free.iter().enumerate() {
        if fixed.iter().chain(chosen.iter()).all(|other| graph.is_adjacent(*node, *other)) {
            chosen.push(*node);
            add_cliques(graph, fixed, &free[index + 1..], chosen, sets);
            chosen.pop();
        }
    }
}

/// Returns true if a path without an arrow against it leads from one node to another, avoiding some.
fn reaches(graph: &Graph, from: usize, to: usize, avoided: &[usize]) -> bool {
    let mut seen = vec![false; graph.n_nodes()];
    let mut next = vec![from];
    seen[from] = true;
    while let Some(node) = next.pop() {
        if node == to {
            return true;
        }
        for other in graph.neighbours(node) {
            if !seen[*other] && !graph.is_directed(*other, node) && !avoided.contains(other) {
                seen[*other] = true;
                next.push(*other);
            }
        }
    }
    false
}

/// A graph in the making: which edges may be read from a to b.
#[derive(Debug)]
struct Arrows {
    n_nodes: usize,
    open: Vec<bool>,
}

impl Arrows {
    fn of(graph: &Graph) -> Self {
        let n_nodes = graph.n_nodes();
        let mut arrows = Self { n_nodes, open: vec![false; n_nodes * n_nodes] };
        for a in 0..n_nodes {
            for b in graph.neighbours(a) {
                arrows.set(a, *b, !graph.is_directed(*b, a));
            }
        }
        arrows
    }

    fn set(&mut self, a: usize, b: usize, open: bool) {
        self.open[a * self.n_nodes + b] = open;
    }

    fn get(&self, a: usize, b: usize) -> bool {
        self.open[a * self.n_nodes + b]
    }

    fn around(&self, node: usize) -> Vec<usize> {
        (0..self.n_nodes).filter(|other| self.get(node, *other) || self.get(*other, node)).collect()
    }

    /// Returns the class of the graphs that extend this one: a member, then its CPDAG.
    fn complete(mut self) -> Result<Graph> {
        let neighbours: Vec<Vec<usize>> = (0..self.n_nodes).map(|node| self.around(node)).collect();
        self.extend(&neighbours)?;
        let mut graph = Graph::undirected(neighbours);
        for k in 0..self.n_nodes {
            let parents: Vec<usize> = (0..self.n_nodes).filter(|node| self.get(*node, k)).collect();
            for (index, i) in parents.iter().enumerate() {
                // all arrows come from one acyclic graph, so none contradicts another
                for j in &parents[index + 1..] {
                    if !graph.is_adjacent(*i, *j) {
                        graph.orient(*i, k);
                        graph.orient(*j, k);
                    }
                }
            }
        }
        graph.close_under_meek();
        Ok(graph)
    }

    /// Directs every undirected edge without a cycle or a new collider (Dor and Tarsi 1992).
    fn extend(&mut self, neighbours: &[Vec<usize>]) -> Result<()> {
        let mut left: BTreeSet<usize> = (0..self.n_nodes).collect();
        while !left.is_empty() {
            let sink = left.iter().copied().find(|node| self.is_sink(*node, &neighbours[*node], &left));
            let Some(sink) = sink else {
                let problem = "a move led to a graph without a consistent extension".to_owned();
                return Err(OperatorError::Internal { operator: "grn_dropout", problem });
            };
            left.remove(&sink);
            for node in neighbours[sink].iter().filter(|node| left.contains(node)) {
                self.set(sink, *node, false);
            }
        }
        Ok(())
    }

    /// True if all edges to nodes that are left can point to this node.
    fn is_sink(&self, node: usize, neighbours: &[usize], left: &BTreeSet<usize>) -> bool {
        let around: Vec<usize> = neighbours.iter().copied().filter(|other| left.contains(other)).collect();
        let joined = |a: usize, b: usize| self.get(a, b) || self.get(b, a);
        around.iter().all(|other| {
            let arrow_in = self.get(*other, node);
            let undirected = arrow_in && self.get(node, *other);
            arrow_in && (!undirected || around.iter().all(|third| third == other || joined(*other, *third)))
        })
    }
}
