//! Places for nodes, so that distances in the plane are like distances in the network.
//!
//! Stress majorisation (Gansner, Koren and North 2004): with d the number of edges between two nodes, the
//! places x minimise sum over pairs of (|x_i - x_j| - d_ij)^2 / d_ij^2. Each sweep moves every node to the
//! weighted mean of where the others want it, which never raises the sum.

use std::collections::VecDeque;

/// Sweeps over all nodes; pictures of a hundred nodes stand still long before.
const SWEEPS: usize = 300;

/// Edges between two nodes that no path connects, beyond the longest path there is.
const APART: f64 = 1.5;

/// Returns a place for each of `n` nodes, in [0, 1] x [0, 1].
pub(crate) fn places(n: usize, edges: &[(usize, usize)]) -> Vec<(f64, f64)> {
    let distances = distances(n, edges);
    let mut places = circle(n);
    for _ in 0..SWEEPS {
        for node in 0..n {
            places[node] = wanted(node, &places, &distances);
        }
    }
    into_unit_square(&mut places);
    places
}

/// The nodes around a circle, from which the sweeps start.
fn circle(n: usize) -> Vec<(f64, f64)> {
    let angle = |node: usize| std::f64::consts::TAU * to_float(node) / to_float(n);
    (0..n).map(|node| (angle(node).cos(), angle(node).sin())).collect()
}

/// Counts the edges between all pairs of nodes, whatever their direction.
fn distances(n: usize, edges: &[(usize, usize)]) -> Vec<Vec<f64>> {
    let mut neighbours = vec![Vec::new(); n];
    for &(a, b) in edges {
        neighbours[a].push(b);
        neighbours[b].push(a);
    }
    let mut all: Vec<Vec<f64>> = (0..n).map(|node| from(node, &neighbours)).collect();
    let longest = all.iter().flatten().copied().filter(|distance| distance.is_finite()).fold(1.0, f64::max);
    for distance in all.iter_mut().flatten().filter(|distance| distance.is_infinite()) {
        *distance = longest + APART;
    }
    all
}

fn from(start: usize, neighbours: &[Vec<usize>]) -> Vec<f64> {
    let mut distances = vec![f64::INFINITY; neighbours.len()];
    distances[start] = 0.0;
    let mut reached = VecDeque::from([start]);
    while let Some(node) = reached.pop_front() {
        for &next in &neighbours[node] {
            if distances[next].is_infinite() {
                distances[next] = distances[node] + 1.0;
                reached.push_back(next);
            }
        }
    }
    distances
}

/// Where the others want a node to be.
fn wanted(node: usize, places: &[(f64, f64)], distances: &[Vec<f64>]) -> (f64, f64) {
    let (x, y) = places[node];
    let (mut sum, mut total) = ((0.0, 0.0), 0.0);
    for (other, &(other_x, other_y)) in places.iter().enumerate().filter(|(other, _)| *other != node) {
        let distance = distances[node][other];
        let weight = distance.powi(-2);
        let apart = (x - other_x).hypot(y - other_y);
        let scale = if apart > 1e-9 { distance / apart } else { 0.0 };
        sum.0 += weight * (other_x + scale * (x - other_x));
        sum.1 += weight * (other_y + scale * (y - other_y));
        total += weight;
    }
    if total > 0.0 { (sum.0 / total, sum.1 / total) } else { (x, y) }
}

fn into_unit_square(places: &mut [(f64, f64)]) {
    let (mut x, mut y): (Vec<f64>, Vec<f64>) = places.iter().copied().unzip();
    stretch(&mut x);
    stretch(&mut y);
    for ((place, x), y) in places.iter_mut().zip(x).zip(y) {
        *place = (x, y);
    }
}

/// Maps the smallest to 0 and the largest to 1.
fn stretch(values: &mut [f64]) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for value in values {
        *value = if high - low > 1e-9 { (*value - low) / (high - low) } else { 0.5 };
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most some hundred nodes")]
fn to_float(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(places: &[(f64, f64)], a: usize, b: usize) -> f64 {
        (places[a].0 - places[b].0).hypot(places[a].1 - places[b].1)
    }

    #[test]
    fn a_path_becomes_longer_with_every_edge() {
        let places = places(4, &[(0, 1), (1, 2), (2, 3)]);
        assert!(apart(&places, 0, 1) < apart(&places, 0, 2) && apart(&places, 0, 2) < apart(&places, 0, 3));
    }

    #[test]
    fn parts_that_nothing_connects_lie_apart() {
        let places = places(6, &[(0, 2), (2, 4), (4, 0), (1, 3), (3, 5), (5, 1)]);
        let within = apart(&places, 0, 2).max(apart(&places, 1, 3));
        for (a, b) in [(0, 1), (0, 3), (2, 5), (4, 1)] {
            assert!(apart(&places, a, b) > within, "{places:?}");
        }
    }

    #[test]
    fn every_place_is_within_the_square_and_no_two_are_the_same() {
        let edges: Vec<(usize, usize)> = (1..40).map(|node| (node, node * 7 % node)).collect();
        let places = places(40, &edges);
        assert!(places.iter().all(|(x, y)| (0.0..=1.0).contains(x) && (0.0..=1.0).contains(y)));
        for a in 0..40 {
            assert!((0..a).all(|b| apart(&places, a, b) > 1e-6), "{places:?}");
        }
        assert_eq!(super::places(1, &[]), [(0.5, 0.5)]);
    }
}
