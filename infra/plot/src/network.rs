//! Edges and what is drawn of them.

use std::collections::BTreeMap;

use crate::PlotError;

/// The most nodes of a picture: beyond it names cover each other.
pub(crate) const MOST_NODES: usize = 300;

/// An edge as it is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    /// Where it starts.
    pub source: String,
    /// Where it ends.
    pub target: String,
    /// True for an arrow, false for a line.
    pub directed: bool,
    /// Its strength: the width is its size, the colour its sign. `None` draws it like the others.
    pub weight: Option<f64>,
}

/// What is drawn.
#[derive(Debug, Clone)]
pub struct Network {
    pub(crate) title: String,
    pub(crate) edges: Vec<Edge>,
    pub(crate) n_given: usize,
}

impl Network {
    /// Makes a network of edges between different nodes; an edge from a node to itself is left out.
    pub fn new(title: impl Into<String>, edges: Vec<Edge>) -> Self {
        let n_given = edges.len();
        let edges = edges.into_iter().filter(|edge| edge.source != edge.target).collect();
        Self { title: title.into(), edges, n_given }
    }

    /// Keeps the strongest edges. Those without a strength come last, equal ones in the order given.
    #[must_use]
    pub fn strongest(mut self, count: usize) -> Self {
        let size = |edge: &Edge| edge.weight.map_or(-1.0, f64::abs);
        self.edges.sort_by(|a, b| size(b).total_cmp(&size(a)));
        self.edges.truncate(count);
        self
    }

    /// Numbers the nodes in the order of their names.
    pub(crate) fn numbered(&self) -> Result<Numbered<'_>, PlotError> {
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for edge in &self.edges {
            numbers.insert(&edge.source, 0);
            numbers.insert(&edge.target, 0);
        }
        match numbers.len() {
            0 => return Err(PlotError::Empty),
            n_nodes if n_nodes > MOST_NODES => return Err(PlotError::TooMany { n_nodes, most: MOST_NODES }),
            _ => {}
        }
        for (number, known) in numbers.values_mut().enumerate() {
            *known = number;
        }
        let pairs = self.edges.iter().map(|edge| (numbers[edge.source.as_str()], numbers[edge.target.as_str()]));
        let pairs = pairs.collect();
        Ok(Numbered { nodes: numbers.into_keys().collect(), pairs })
    }
}

/// A network by numbers.
#[derive(Debug)]
pub(crate) struct Numbered<'a> {
    /// The names of the nodes.
    pub(crate) nodes: Vec<&'a str>,
    /// The nodes of each edge.
    pub(crate) pairs: Vec<(usize, usize)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(source: &str, target: &str, weight: Option<f64>) -> Edge {
        Edge { source: source.to_owned(), target: target.to_owned(), directed: true, weight }
    }

    #[test]
    fn the_strongest_are_kept_whatever_their_sign() {
        let edges = vec![edge("a", "b", None), edge("b", "c", Some(0.1)), edge("c", "d", Some(-0.9))];
        let kept = Network::new("", edges).strongest(2);
        assert_eq!((kept.edges[0].weight, kept.edges[1].weight, kept.n_given), (Some(-0.9), Some(0.1), 3));
    }

    #[test]
    fn nodes_are_numbered_by_name_and_an_edge_to_itself_is_left_out() {
        let network = Network::new("", vec![edge("z", "a", None), edge("m", "m", None), edge("a", "k", None)]);
        let numbered = network.numbered().unwrap();
        assert_eq!((numbered.nodes, numbered.pairs), (vec!["a", "k", "z"], vec![(2, 0), (0, 1)]));
        assert!(matches!(Network::new("", vec![edge("m", "m", None)]).numbered(), Err(PlotError::Empty)));
    }

    #[test]
    fn a_hairball_is_refused() {
        let edges = (0..MOST_NODES).map(|number| edge("hub", &format!("leaf {number}"), None)).collect();
        let error = Network::new("", edges).numbered().unwrap_err();
        assert_eq!(error.to_string(), "301 nodes do not fit a picture, at most 300 do; draw fewer edges");
    }
}
