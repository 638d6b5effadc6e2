//! Distances in a graph of lineage edges.

use std::collections::{HashMap, HashSet};

use causeway_model::{Direction, EdgeKind};

/// A column of a version, or with no column the version as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) column: Option<i64>,
    pub(super) version: i64,
}

/// An edge by ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) output: Node,
    /// The origin, if known.
    pub(super) source: Option<Node>,
    pub(super) kind: EdgeKind,
    pub(super) masking: bool,
}

/// Lists the edges that lead from `start`, at most `limit` steps away, each once with its distance
/// (from 1), nearest first. An edge of a whole version leads from each of its columns, and to each.
pub(super) fn nearest_first(
    edges: &[Edge],
    start: Node,
    direction: Direction,
    limit: Option<i64>,
) -> Vec<(i64, &Edge)> {
    let leads_from = Index::new(edges, direction);
    let mut taken = vec![false; edges.len()];
    let mut seen = HashSet::from([start]);
    let mut found = Vec::with_capacity(edges.len());
    let mut frontier = vec![start];
    let mut depth = 0;
    while !frontier.is_empty() && limit.is_none_or(|limit| depth < limit) {
        depth += 1;
        let mut next = Vec::new();
        for at in frontier.drain(..).flat_map(|node| leads_from.edges(node)) {
            if std::mem::replace(&mut taken[at], true) {
                continue;
            }
            found.push((depth, &edges[at]));
            next.extend(far(&edges[at], direction).filter(|node| seen.insert(*node)));
        }
        frontier = next;
    }
    found
}

fn near(edge: &Edge, direction: Direction) -> Option<Node> {
    match direction {
        Direction::Upstream => Some(edge.output),
        Direction::Downstream => edge.source,
    }
}

fn far(edge: &Edge, direction: Direction) -> Option<Node> {
    match direction {
        Direction::Upstream => edge.source,
        Direction::Downstream => Some(edge.output),
    }
}

/// Positions of edges by the end at which they are entered.
struct Index {
    by_node: HashMap<Node, Vec<usize>>,
    by_version: HashMap<i64, Vec<usize>>,
}

impl Index {
    fn new(edges: &[Edge], direction: Direction) -> Self {
        let mut index = Self { by_node: HashMap::new(), by_version: HashMap::new() };
        for (at, edge) in edges.iter().enumerate() {
            if let Some(node) = near(edge, direction) {
                index.by_node.entry(node).or_default().push(at);
                index.by_version.entry(node.version).or_default().push(at);
            }
        }
        index
    }

    /// A whole version is all its columns; a column also has the edges of its version.
    fn edges(&self, node: Node) -> impl Iterator<Item = usize> + '_ {
        let whole = Node { column: None, ..node };
        let lists = match node.column {
            None => [self.by_version.get(&node.version), None],
            Some(_) => [self.by_node.get(&node), self.by_node.get(&whole)],
        };
        lists.into_iter().flatten().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(version: i64, column: i64) -> Node {
        Node { column: Some(column), version }
    }

    fn whole(version: i64) -> Node {
        Node { column: None, version }
    }

    fn edge(output: Node, source: Node) -> Edge {
        Edge { output, source: Some(source), kind: EdgeKind::Identity, masking: false }
    }

    fn depths(edges: &[Edge], start: Node, direction: Direction, limit: Option<i64>) -> Vec<i64> {
        nearest_first(edges, start, direction, limit).into_iter().map(|(depth, _)| depth).collect()
    }

    #[test]
    fn the_shorter_way_counts() {
        // 3 <- 2 <- 1 and 3 <- 1: the edge 2 <- 1 is two steps away, the other two one.
        let edges = [
            edge(column(3, 30), column(2, 20)),
            edge(column(2, 20), column(1, 10)),
            edge(column(3, 30), column(1, 10)),
        ];
        assert_eq!(depths(&edges, column(3, 30), Direction::Upstream, None), [1, 1, 2]);
        assert_eq!(depths(&edges, column(1, 10), Direction::Downstream, None), [1, 1, 2]);
        assert_eq!(depths(&edges, column(3, 30), Direction::Upstream, Some(1)), [1, 1]);
    }

    #[test]
    fn edges_of_the_whole_version_go_with_each_column() {
        let edges = [edge(column(3, 30), column(2, 20)), edge(whole(2), column(1, 10))];
        assert_eq!(depths(&edges, column(3, 30), Direction::Upstream, None), [1, 2]);
        assert_eq!(depths(&edges, column(1, 10), Direction::Downstream, None), [1, 2]);
    }

    #[test]
    fn a_cycle_ends() {
        let edges = [edge(column(1, 10), column(2, 20)), edge(column(2, 20), column(1, 10))];
        assert_eq!(depths(&edges, column(1, 10), Direction::Upstream, None), [1, 2]);
    }

    #[test]
    fn unknown_origins_end_the_way() {
        let edges = [Edge { source: None, ..edge(column(1, 10), column(1, 10)) }];
        assert_eq!(depths(&edges, column(1, 10), Direction::Upstream, None), [1]);
        assert_eq!(depths(&edges, whole(1), Direction::Downstream, None), Vec::<i64>::new());
    }
}
