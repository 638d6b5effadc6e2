//! The PC algorithm, in its form that does not depend on the order of variables (Colombo and
//! Maathuis 2014): which pairs stay dependent whatever is conditioned on.
//!
//! ```text
//! level l = 0, 1, …:  neighbours are frozen
//!   pairs i < j in lexicographic order: S = subsets of size l of adj(i) \ {j}, then of adj(j) \ {i}
//!   the first S that separates them is their sepset; the edge goes when the level ends
//! until no node has more than l neighbours
//! ```
//!
//! Pairs ask for their next sets in rounds, so that tests of many pairs can share work. What a pair
//! asked beyond its first separating set is thrown away: it counts nowhere, and the result is
//! that of one test after another.

use causeway_core::{Result, RunContext};

use crate::ci::{Finding, IndependenceTest, Queries, Status};
use crate::graph::Graph;

/// What a test that could not be run says about the pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untestable {
    /// Nothing: without a marginal test the pair is no edge; later, the set does not separate.
    Inconclusive,
    /// Independence, as in the published code.
    Independent,
}

impl Untestable {
    /// Returns the word that the option takes.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Inconclusive => "keep",
            Self::Independent => "independent",
        }
    }
}

/// What a test decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Independence is rejected.
    Dependent,
    /// Independence is not rejected: the set separates the pair.
    Independent,
    /// The test could not be run.
    Untestable,
}

impl Verdict {
    /// Returns the verdict as tables show it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Dependent => "dependent",
            Self::Independent => "independent",
            Self::Untestable => "untestable",
        }
    }
}

/// The rules of the search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rules {
    /// Independent if the p-value is above it.
    pub(crate) alpha: f64,
    /// The largest size of S.
    pub(crate) max_level: usize,
    pub(crate) untestable: Untestable,
}

impl Rules {
    /// Returns what a finding given `n_conditioned` columns decides.
    pub(crate) fn verdict(&self, finding: &Finding, n_conditioned: usize) -> Verdict {
        let open = match finding.status {
            Status::Ok => false,
            Status::Few | Status::Constant => true,
            // without S, a singular pair are copies of each other: dependent
            Status::Singular => n_conditioned > 0 || !finding.was_run(),
        };
        if open && self.untestable == Untestable::Inconclusive {
            Verdict::Untestable
        } else if finding.p_value > self.alpha {
            Verdict::Independent
        } else {
            Verdict::Dependent
        }
    }
}

/// What became of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Joined by an edge.
    Adjacent,
    /// Some set separates it.
    Separated,
    /// Not even the marginal test could be run.
    Untestable,
}

/// What is known of a pair of columns.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) fate: Fate,
    /// The test with the largest p-value: the one that separates, if any does.
    pub(crate) weakest: Finding,
    /// S of that test, ascending.
    pub(crate) set: Box<[usize]>,
    /// Tests of the pair that could not be run.
    pub(crate) n_untestable: usize,
}

/// One test, for the record.
#[derive(Debug, Clone)]
pub(crate) struct Test {
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) set: Box<[usize]>,
    pub(crate) finding: Finding,
    pub(crate) verdict: Verdict,
}

/// An edge i < j with the test shown for it: S and what was found.
pub(crate) type ShownEdge = (usize, usize, Box<[usize]>, Finding);

/// What all tests together say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Tests by the size of S.
    pub(crate) by_level: Vec<usize>,
    pub(crate) few: usize,
    pub(crate) constant: usize,
    pub(crate) singular: usize,
    /// Tests given at least one column that used more cells than the caller's limit.
    pub(crate) above_limit: usize,
}

impl Tally {
    /// Returns the number of tests.
    pub(crate) fn n_tests(&self) -> usize {
        self.by_level.iter().sum()
    }

    /// Counts a test given `level` columns.
    pub(crate) fn add(&mut self, finding: &Finding, level: usize, limit: usize) {
        self.by_level.resize(self.by_level.len().max(level + 1), 0);
        self.by_level[level] += 1;
        match finding.status {
            Status::Ok => {}
            Status::Few => self.few += 1,
            Status::Constant => self.constant += 1,
            Status::Singular => self.singular += 1,
        }
        if level > 0 && finding.n_used > limit {
            self.above_limit += 1;
        }
    }
}

/// What the caller hears and keeps of a search.
pub(crate) struct Watch<'a> {
    /// Called with the share of work done, roughly.
    pub(crate) progress: &'a dyn Fn(f64),
    /// Where memory is charged.
    pub(crate) context: &'a RunContext,
    /// True to keep every test.
    pub(crate) keep_tests: bool,
    /// Tests on more cells than this are counted.
    pub(crate) cell_limit: usize,
}

/// The skeleton, and how it came about.
#[derive(Debug)]
pub(crate) struct Skeleton {
    /// The neighbours of each column, ascending.
    pub(crate) neighbours: Vec<Vec<usize>>,
    /// All pairs i < j in lexicographic order.
    pairs: Vec<Pair>,
    pub(crate) tally: Tally,
    /// Every test in the order of level and pair, if asked for.
    pub(crate) tests: Vec<Test>,
    /// True if the search could have gone on: with a larger S.
    pub(crate) stopped_early: bool,
}

impl Skeleton {
    /// Makes the record of a graph found in another way: its edges i < j with the test shown for each.
    pub(crate) fn of_edges(graph: &Graph, edges: Vec<ShownEdge>, tally: Tally) -> Self {
        let n_nodes = graph.n_nodes();
        let neighbours = (0..n_nodes).map(|node| graph.neighbours(node).to_vec()).collect();
        let apart = Pair { fate: Fate::Separated, weakest: UNTESTED, set: Box::default(), n_untestable: 0 };
        let mut pairs = vec![apart; n_nodes * n_nodes.saturating_sub(1) / 2];
        for edge in graph.edges() {
            let index = pair_index(n_nodes, edge.source.min(edge.target), edge.source.max(edge.target));
            pairs[index].fate = Fate::Adjacent;
        }
        for (i, j, set, weakest) in edges {
            pairs[pair_index(n_nodes, i, j)] = Pair { fate: Fate::Adjacent, weakest, set, n_untestable: 0 };
        }
        Self { neighbours, pairs, tally, tests: Vec::new(), stopped_early: false }
    }

    /// Returns what is known of a pair, i < j.
    pub(crate) fn pair(&self, i: usize, j: usize) -> &Pair {
        &self.pairs[pair_index(self.neighbours.len(), i, j)]
    }

    /// Returns all pairs i < j in lexicographic order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (usize, usize, &Pair)> {
        let n_nodes = self.neighbours.len();
        let numbers = (0..n_nodes).flat_map(move |i| (i + 1..n_nodes).map(move |j| (i, j)));
        numbers.zip(&self.pairs).map(|((i, j), pair)| (i, j, pair))
    }

    /// Returns the skeleton as a graph without directions.
    pub(crate) fn graph(&self) -> Graph {
        Graph::undirected(self.neighbours.clone())
    }
}

/// Finds the skeleton over `n_nodes` columns.
pub(crate) fn skeleton(
    n_nodes: usize,
    test: &dyn IndependenceTest,
    rules: &Rules,
    watch: &Watch<'_>,
) -> Result<Skeleton> {
    let n_pairs = n_nodes * n_nodes.saturating_sub(1) / 2;
    watch.context.grow_memory(n_pairs * size_of::<Pair>())?;
    let neighbours = (0..n_nodes).map(|i| (0..n_nodes).filter(|j| *j != i).collect()).collect();
    let unknown = Pair { fate: Fate::Adjacent, weakest: UNTESTED, set: Box::default(), n_untestable: 0 };
    let mut found = Skeleton {
        neighbours,
        pairs: vec![unknown; n_pairs],
        tally: Tally::default(),
        tests: Vec::new(),
        stopped_early: false,
    };
    for level in 0.. {
        if found.neighbours.iter().all(|others| others.len() < level + 1) {
            break;
        }
        if level > rules.max_level {
            found.stopped_early = true;
            break;
        }
        Level { level, test, rules, watch }.run(&mut found)?;
        (watch.progress)(progress(level + 1, 0.0));
    }
    Ok(found)
}

/// Returns the share of the work done when `done` of a level is behind; how many levels there will be is not known.
fn progress(level: usize, done: f64) -> f64 {
    let behind = |levels: usize| 1.0 - 1.0 / (levels as f64 + 1.0);
    behind(level) + done * (behind(level + 1) - behind(level))
}

const UNTESTED: Finding = Finding { n_used: 0, correlation: None, statistic: 0.0, p_value: -1.0, status: Status::Few };

/// A pair whose sets of this level are not all tried.
struct Pending<'a> {
    i: usize,
    j: usize,
    candidates: Candidates<'a>,
    n_asked: usize,
}

struct Level<'a> {
    level: usize,
    test: &'a dyn IndependenceTest,
    rules: &'a Rules,
    watch: &'a Watch<'a>,
}

impl Level<'_> {
    fn run(&self, found: &mut Skeleton) -> Result<()> {
        let frozen = found.neighbours.clone();
        let first_test = found.tests.len();
        let mut pending: Vec<Pending<'_>> = Vec::new();
        for (i, others) in frozen.iter().enumerate() {
            for j in others.iter().copied().filter(|j| *j > i) {
                let candidates = Candidates::new(&frozen[i], &frozen[j], i, j, self.level);
                pending.push(Pending { i, j, candidates, n_asked: 0 });
            }
        }
        let round_tests = self.test.round_tests();
        let mut quota = self.test.n_asked_first(); // doubled in each further round
        let mut share_left = 1.0; // nobody knows how many rounds there will be: each takes half of what is left
        while !pending.is_empty() {
            let mut next = Vec::new();
            let per_chunk = (round_tests / quota).max(1);
            let n_pending = pending.len() as f64;
            while !pending.is_empty() {
                let rest = pending.split_off(per_chunk.min(pending.len()));
                self.round(pending, quota, found, &mut next)?;
                pending = rest;
                let done = 1.0 - 0.5 * share_left * (1.0 + pending.len() as f64 / n_pending);
                (self.watch.progress)(progress(self.level, done));
            }
            pending = next;
            share_left *= 0.5;
            quota = (quota * 2).min(round_tests);
        }
        found.tests[first_test..].sort_by_key(|test| (test.x, test.y));
        let removed = |i: usize, j: &usize| {
            let (low, high) = (i.min(*j), i.max(*j));
            found.pairs[pair_index(frozen.len(), low, high)].fate != Fate::Adjacent
        };
        found.neighbours = frozen
            .iter()
            .enumerate()
            .map(|(i, others)| others.iter().copied().filter(|j| !removed(i, j)).collect())
            .collect();
        Ok(())
    }

    /// Lets each pair ask its next sets; pairs that may have more are added to `next`.
    fn round<'a>(
        &self,
        mut pending: Vec<Pending<'a>>,
        quota: usize,
        found: &mut Skeleton,
        next: &mut Vec<Pending<'a>>,
    ) -> Result<()> {
        let mut queries = Queries::new(self.level);
        let mut set = Vec::new();
        for pair in &mut pending {
            pair.n_asked = 0;
            while pair.n_asked < quota && pair.candidates.next_into(&mut set) {
                queries.push(pair.i, pair.j, &set);
                pair.n_asked += 1;
            }
        }
        let findings = self.test.evaluate(&queries)?;
        let mut first = 0;
        for pair in pending {
            let asked = first..first + pair.n_asked;
            first = asked.end;
            let decided = asked.into_iter().any(|index| self.note(found, &queries, index, &findings[index]));
            if !decided && pair.n_asked == quota {
                next.push(pair);
            }
        }
        Ok(())
    }

    /// Takes note of a finding, and returns true if it decides the pair.
    fn note(&self, found: &mut Skeleton, queries: &Queries, index: usize, finding: &Finding) -> bool {
        let (i, j) = queries.pair(index);
        let verdict = self.rules.verdict(finding, self.level);
        found.tally.add(finding, self.level, self.watch.cell_limit);
        if self.watch.keep_tests {
            let set = queries.set(index).into();
            found.tests.push(Test { x: i, y: j, set, finding: *finding, verdict });
        }
        let n_nodes = found.neighbours.len();
        let pair = &mut found.pairs[pair_index(n_nodes, i, j)];
        if verdict == Verdict::Untestable {
            pair.n_untestable += 1;
            if self.level == 0 {
                pair.fate = Fate::Untestable;
                pair.weakest = *finding;
            }
            return self.level == 0;
        }
        if finding.p_value > pair.weakest.p_value {
            pair.weakest = *finding;
            pair.set = queries.set(index).into();
        }
        if verdict == Verdict::Independent {
            pair.fate = Fate::Separated;
        }
        verdict == Verdict::Independent
    }
}

/// The sets that may separate a pair, in the order they are tried.
#[derive(Debug)]
struct Candidates<'a> {
    first: Others<'a>,
    second: Others<'a>,
    in_second: bool,
    /// Positions of the current subset; `None` before the first one.
    chosen: Option<Vec<usize>>,
    size: usize,
}

/// The neighbours of one end of a pair, without the other end.
#[derive(Debug, Clone, Copy)]
struct Others<'a> {
    neighbours: &'a [usize],
    /// Where the other end stands.
    skip: usize,
}

impl<'a> Others<'a> {
    fn new(neighbours: &'a [usize], other_end: usize) -> Self {
        Self { neighbours, skip: neighbours.binary_search(&other_end).unwrap_or(neighbours.len()) }
    }

    fn len(&self) -> usize {
        self.neighbours.len() - usize::from(self.skip < self.neighbours.len())
    }

    fn get(&self, position: usize) -> usize {
        self.neighbours[position + usize::from(position >= self.skip)]
    }

    fn contains(&self, node: usize) -> bool {
        self.neighbours.binary_search(&node).is_ok()
    }
}

impl<'a> Candidates<'a> {
    fn new(of_i: &'a [usize], of_j: &'a [usize], i: usize, j: usize, size: usize) -> Self {
        let (first, second) = (Others::new(of_i, j), Others::new(of_j, i));
        Self { first, second, in_second: false, chosen: None, size }
    }

    /// Writes the next set, or returns false if there is none. A set of both sides comes once.
    fn next_into(&mut self, set: &mut Vec<usize>) -> bool {
        loop {
            let side = if self.in_second { self.second } else { self.first };
            if !advance(&mut self.chosen, self.size, side.len()) {
                if self.in_second {
                    return false;
                }
                (self.in_second, self.chosen) = (true, None);
                continue;
            }
            set.clear();
            set.extend(self.chosen.iter().flatten().map(|position| side.get(*position)));
            if !(self.in_second && set.iter().all(|node| self.first.contains(*node))) {
                return true;
            }
        }
    }
}

/// Moves to the next subset of `size` of `0..n` in lexicographic order; false after the last.
fn advance(chosen: &mut Option<Vec<usize>>, size: usize, n: usize) -> bool {
    let Some(positions) = chosen else {
        *chosen = Some((0..size).collect());
        return size <= n;
    };
    let Some(last) = (0..size).rev().find(|index| positions[*index] < n + *index - size) else {
        return false;
    };
    let first_moved = positions[last] + 1;
    for (position, value) in positions[last..].iter_mut().zip(first_moved..) {
        *position = value;
    }
    true
}

fn pair_index(n_nodes: usize, i: usize, j: usize) -> usize {
    i * (2 * n_nodes - i - 1) / 2 + j - i - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(of_i: &[usize], of_j: &[usize], size: usize) -> Vec<Vec<usize>> {
        let mut candidates = Candidates::new(of_i, of_j, 0, 1, size);
        let (mut all, mut set) = (Vec::new(), Vec::new());
        while candidates.next_into(&mut set) {
            all.push(set.clone());
        }
        all
    }

    #[test]
    fn candidates_come_in_lexicographic_order_first_of_i_then_of_j_and_once() {
        assert_eq!(sets(&[1, 2, 4], &[0, 3, 4], 1), [[2], [4], [3]]);
        assert_eq!(sets(&[1, 2, 4, 5], &[0, 4, 5, 6], 2), [[2, 4], [2, 5], [4, 5], [4, 6], [5, 6]]);
        assert_eq!(sets(&[1], &[0], 0), [Vec::<usize>::new()]);
        assert!(sets(&[1, 2], &[0], 2).is_empty());
    }

    /// Calls every pair independent, ten at a time.
    struct Slow;

    impl IndependenceTest for Slow {
        fn evaluate(&self, queries: &Queries) -> Result<Vec<Finding>> {
            assert!(queries.len() <= 10);
            Ok(vec![Finding { p_value: 1.0, status: Status::Ok, ..UNTESTED }; queries.len()])
        }

        fn n_asked_first(&self) -> usize {
            1
        }

        fn round_tests(&self) -> usize {
            10
        }
    }

    #[test]
    fn progress_is_told_within_a_level() {
        let context = RunContext::for_test(1).unwrap();
        let told = std::cell::RefCell::new(Vec::new());
        let progress = |done: f64| told.borrow_mut().push(done);
        let watch = Watch { progress: &progress, context: &context, keep_tests: false, cell_limit: usize::MAX };
        let rules = Rules { alpha: 0.05, max_level: 3, untestable: Untestable::Inconclusive };
        let found = skeleton(10, &Slow, &rules, &watch).unwrap(); // 45 pairs: five rounds
        assert!(found.neighbours.iter().all(Vec::is_empty));
        let told = told.into_inner();
        assert_eq!(told.len(), 6);
        assert!(told.windows(2).all(|pair| pair[0] < pair[1]), "{told:?}");
        assert!(told[0] > 0.0 && (told[5] - 0.5).abs() < 1e-12);
    }

    #[test]
    fn pairs_are_numbered_in_lexicographic_order() {
        let numbers: Vec<usize> = (0..5).flat_map(|i| (i + 1..5).map(move |j| pair_index(5, i, j))).collect();
        assert_eq!(numbers, (0..10).collect::<Vec<usize>>());
    }
}
