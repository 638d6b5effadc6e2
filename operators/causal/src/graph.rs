//! Graphs whose edges may be without direction: skeletons and CPDAGs.

/// How an edge is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    /// `source -> target`: every member of the equivalence class has this direction.
    Directed,
    /// `source -- target`: members of the class disagree on the direction.
    Undirected,
}

impl Mark {
    /// Returns the mark as tables show it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Directed => "->",
            Self::Undirected => "--",
        }
    }
}

/// An edge; an undirected one has its smaller node as source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) source: usize,
    pub(crate) target: usize,
    pub(crate) mark: Mark,
}

/// A graph with at most one edge between two nodes, directed or undirected. The skeleton is fixed
/// when the graph is made; directions are added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Graph {
    /// The neighbours of each node, ascending.
    neighbours: Vec<Vec<usize>>,
    /// At `a * n_nodes + b`: true if the edge may still be read from a to b.
    open: Vec<bool>,
}

impl Graph {
    /// Makes an undirected graph from the neighbours of each node, ascending and mutual.
    pub(crate) fn undirected(neighbours: Vec<Vec<usize>>) -> Self {
        let n_nodes = neighbours.len();
        let mut open = vec![false; n_nodes * n_nodes];
        for (node, others) in neighbours.iter().enumerate() {
            for other in others {
                open[node * n_nodes + other] = true;
            }
        }
        Self { neighbours, open }
    }

    /// Returns the number of nodes.
    pub(crate) fn n_nodes(&self) -> usize {
        self.neighbours.len()
    }

    /// Returns the neighbours of a node, ascending, whatever the direction.
    pub(crate) fn neighbours(&self, node: usize) -> &[usize] {
        &self.neighbours[node]
    }

    /// Returns true if an edge joins the nodes.
    pub(crate) fn is_adjacent(&self, a: usize, b: usize) -> bool {
        self.is_open(a, b) || self.is_open(b, a)
    }

    /// Returns true for a -> b.
    pub(crate) fn is_directed(&self, a: usize, b: usize) -> bool {
        self.is_open(a, b) && !self.is_open(b, a)
    }

    /// Returns true for a -- b.
    pub(crate) fn is_undirected(&self, a: usize, b: usize) -> bool {
        self.is_open(a, b) && self.is_open(b, a)
    }

    /// Turns the edge a -- b into a -> b.
    pub(crate) fn orient(&mut self, a: usize, b: usize) {
        let n_nodes = self.n_nodes();
        self.open[b * n_nodes + a] = false;
    }

    /// Orients i -> k <- j, unless one of the two edges already points away from k.
    pub(crate) fn orient_collider(&mut self, i: usize, k: usize, j: usize) {
        if self.is_open(i, k) && self.is_open(j, k) {
            self.orient(i, k);
            self.orient(j, k);
        }
    }

    /// Returns the common neighbours of two nodes, ascending.
    pub(crate) fn common_neighbours(&self, a: usize, b: usize) -> impl Iterator<Item = usize> {
        self.neighbours[a].iter().copied().filter(move |node| self.is_adjacent(*node, b))
    }

    /// Applies Meek's rules 1 to 3 (Meek 1995) until none of them orients another edge. Nodes are
    /// visited in ascending order, which matters only where colliders contradict each other.
    pub(crate) fn close_under_meek(&mut self) {
        let mut changed = true;
        while changed {
            changed = false;
            for a in 0..self.n_nodes() {
                for position in 0..self.neighbours[a].len() {
                    let b = self.neighbours[a][position];
                    if self.is_undirected(a, b) && self.meek_directs(a, b) {
                        self.orient(a, b);
                        changed = true;
                    }
                }
            }
        }
    }

    /// Returns all edges, ordered by their smaller and then their larger node.
    pub(crate) fn edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for (a, others) in self.neighbours.iter().enumerate() {
            for b in others.iter().copied().filter(|b| *b > a) {
                let mark = if self.is_undirected(a, b) { Mark::Undirected } else { Mark::Directed };
                let (source, target) = if self.is_open(a, b) { (a, b) } else { (b, a) };
                edges.push(Edge { source, target, mark });
            }
        }
        edges
    }

    fn is_open(&self, a: usize, b: usize) -> bool {
        self.open[a * self.n_nodes() + b]
    }

    fn meek_directs(&self, a: usize, b: usize) -> bool {
        let around = || self.neighbours[a].iter().copied().filter(|c| *c != b);
        let avoids_new_collider = || around().any(|c| self.is_directed(c, a) && !self.is_adjacent(c, b));
        let avoids_cycle = || around().any(|c| self.is_directed(a, c) && self.is_directed(c, b));
        let two_paths = || {
            let parents: Vec<usize> =
                around().filter(|c| self.is_undirected(a, *c) && self.is_directed(*c, b)).collect();
            let apart = |c: usize, rest: &[usize]| rest.iter().any(|d| !self.is_adjacent(c, *d));
            parents.iter().enumerate().any(|(position, c)| apart(*c, &parents[position + 1..]))
        };
        avoids_new_collider() || avoids_cycle() || two_paths()
    }
}

#[cfg(test)]
mod tests {
    use super::{Edge, Graph, Mark};

    fn graph(n_nodes: usize, edges: &[(usize, usize)], arrows: &[(usize, usize)]) -> Graph {
        let mut neighbours = vec![Vec::new(); n_nodes];
        for (a, b) in edges.iter().chain(arrows) {
            neighbours[*a].push(*b);
            neighbours[*b].push(*a);
        }
        neighbours.iter_mut().for_each(|others| others.sort_unstable());
        let mut graph = Graph::undirected(neighbours);
        arrows.iter().for_each(|(a, b)| graph.orient(*a, *b));
        graph
    }

    #[test]
    fn rule_1_avoids_a_new_collider() {
        let mut found = graph(3, &[(1, 2)], &[(0, 1)]);
        found.close_under_meek();
        assert_eq!(found, graph(3, &[], &[(0, 1), (1, 2)]));
    }

    #[test]
    fn rule_2_avoids_a_cycle() {
        let mut found = graph(3, &[(0, 2)], &[(0, 1), (1, 2)]);
        found.close_under_meek();
        assert!(found.is_directed(0, 2));
    }

    #[test]
    fn rule_3_directs_the_diagonal_of_a_kite() {
        let mut found = graph(4, &[(0, 1), (0, 2), (0, 3)], &[(1, 3), (2, 3)]);
        found.close_under_meek();
        assert!(found.is_directed(0, 3) && found.is_undirected(0, 1) && found.is_undirected(0, 2));
    }

    #[test]
    fn a_triangle_keeps_no_direction_and_an_arrow_is_never_turned() {
        let mut found = graph(3, &[(0, 1), (1, 2), (0, 2)], &[]);
        found.close_under_meek();
        assert_eq!(found.edges()[1], Edge { source: 0, target: 2, mark: Mark::Undirected });
        let mut found = graph(3, &[(1, 2)], &[(1, 0)]);
        found.orient_collider(0, 1, 2);
        assert_eq!(found.edges()[0], Edge { source: 1, target: 0, mark: Mark::Directed });
        assert!(found.is_undirected(1, 2));
    }
}
