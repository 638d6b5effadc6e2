//! Distances in a graph of lineage edges.

use causeway_model::{Direction, EdgeKind};

use super::Edge;
use super::names::Names;
use crate::error::Result;

/// An edge by the places of its nodes, and how far it is from the start. They sort nearest first,
/// then by names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    /// Steps away from the start, from 1; 0 if not reached.
    pub(super) depth: i64,
    pub(super) output: usize,
    /// One more than the origin's place, so that an unknown one (0) comes first.
    source_rank: usize,
    pub(super) kind: EdgeKind,
    pub(super) masking: bool,
}

impl Found {
    /// Returns the origin's place if it is known.
    pub(super) fn source(&self) -> Option<usize> {
        self.source_rank.checked_sub(1)
    }

    fn near(&self, direction: Direction) -> Option<usize> {
        match direction {
            Direction::Upstream => Some(self.output),
            Direction::Downstream => self.source(),
        }
    }

    fn far(&self, direction: Direction) -> Option<usize> {
        match direction {
            Direction::Upstream => self.source(),
            Direction::Downstream => Some(self.output),
        }
    }
}

/// Edges ordered by the node at which they are entered.
pub(super) struct Graph<'a> {
    names: &'a Names,
    direction: Direction,
    edges: Vec<Found>,
    /// The edges entered at node `n` lie from `starts[n]` to `starts[n + 1]`.
    starts: Vec<usize>,
}

impl<'a> Graph<'a> {
    pub(super) fn new(names: &'a Names, edges: &[Edge], direction: Direction) -> Result<Self> {
        let mut placed = Vec::with_capacity(edges.len());
        for edge in edges {
            let source = edge.source.map(|source| names.known_place(source)).transpose()?;
            placed.push(Found {
                depth: 0,
                output: names.known_place(edge.output)?,
                source_rank: source.map_or(0, |place| place + 1),
                kind: edge.kind,
                masking: edge.masking,
            });
        }
        placed.retain(|edge| edge.near(direction).is_some());
        placed.sort_unstable_by_key(|edge| edge.near(direction));
        let starts = (0..=names.n_nodes())
            .map(|node| placed.partition_point(|edge| edge.near(direction).is_some_and(|near| near < node)))
            .collect();
        Ok(Self { names, direction, edges: placed, starts })
    }

    /// Lists the edges that lead from `start`, at most `limit` steps away, each once. An edge of a
    /// whole version leads from each of its columns, and to each.
    pub(super) fn nearest_first(mut self, start: usize, limit: Option<i64>) -> Vec<Found> {
        let mut seen = vec![false; self.names.n_nodes()];
        seen[start] = true;
        let mut frontier = vec![start];
        let mut depth = 0;
        while !frontier.is_empty() && limit.is_none_or(|limit| depth < limit) {
            depth += 1;
            let mut next = Vec::new();
            let ranges: Vec<_> = frontier.iter().flat_map(|node| self.ranges(*node)).collect();
            for range in ranges {
                for edge in self.edges[range].iter_mut().filter(|edge| edge.depth == 0) {
                    edge.depth = depth;
                    let far = edge.far(self.direction);
                    next.extend(far.filter(|node| !std::mem::replace(&mut seen[*node], true)));
                }
            }
            frontier = next;
        }
        self.edges.retain(|edge| edge.depth > 0);
        self.edges.sort_unstable();
        self.edges
    }

    /// Where the edges of a node lie. A whole version is all its columns; a column also has the edges
    /// of its version.
    fn ranges(&self, node: usize) -> [std::ops::Range<usize>; 2] {
        let whole = self.names.whole(node);
        if node == whole {
            return [self.starts[whole]..self.starts[self.names.end(node)], 0..0];
        }
        [self.starts[node]..self.starts[node + 1], self.starts[whole]..self.starts[whole + 1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns 10, 20, 30, … belong to the versions 1, 2, 3, …; a negative node is a whole version.
    fn depths(edges: &[(i64, i64)], start: i64, direction: Direction, limit: Option<i64>) -> Vec<i64> {
        let columns: Vec<(i64, i64)> = (1..=3).map(|version| (version, version * 10)).collect();
        let names = Names::of_columns(&columns);
        let edges: Vec<Edge> = edges.iter().map(|&(output, source)| edge(output, Some(source))).collect();
        let graph = Graph::new(&names, &edges, direction).unwrap();
        graph.nearest_first(names.place(start).unwrap(), limit).iter().map(|edge| edge.depth).collect()
    }

    fn edge(output: i64, source: Option<i64>) -> Edge {
        Edge { output, source, kind: EdgeKind::Identity, masking: false }
    }

    #[test]
    fn the_shorter_way_counts() {
        // 3 <- 2 <- 1 and 3 <- 1: the edge 2 <- 1 is two steps away, the other two one.
        let edges = [(30, 20), (20, 10), (30, 10)];
        assert_eq!(depths(&edges, 30, Direction::Upstream, None), [1, 1, 2]);
        assert_eq!(depths(&edges, 10, Direction::Downstream, None), [1, 1, 2]);
        assert_eq!(depths(&edges, 30, Direction::Upstream, Some(1)), [1, 1]);
    }

    #[test]
    fn edges_of_the_whole_version_go_with_each_column() {
        let edges = [(30, 20), (-2, 10)];
        assert_eq!(depths(&edges, 30, Direction::Upstream, None), [1, 2]);
        assert_eq!(depths(&edges, 10, Direction::Downstream, None), [1, 2]);
    }

    #[test]
    fn a_whole_version_starts_at_all_its_columns() {
        assert_eq!(depths(&[(30, 20), (-3, 10)], -3, Direction::Upstream, None), [1, 1]);
        assert_eq!(depths(&[(30, 20), (20, 10)], -1, Direction::Downstream, None), [1, 2]);
    }

    #[test]
    fn a_cycle_ends() {
        assert_eq!(depths(&[(10, 20), (20, 10)], 10, Direction::Upstream, None), [1, 2]);
    }

    #[test]
    fn unknown_origins_end_the_way() {
        let names = Names::of_columns(&[(1, 10)]);
        let edges = [edge(10, None)];
        let found = |direction, start| {
            let graph = Graph::new(&names, &edges, direction).unwrap();
            graph.nearest_first(names.place(start).unwrap(), None).len()
        };
        assert_eq!(found(Direction::Upstream, 10), 1);
        assert_eq!(found(Direction::Downstream, -1), 0);
    }
}
