//! Places boxes in layers, from left to right along the edges.
//!
//! The method is Sugiyama's: layers by the longest path, an edge that spans layers passes through a
//! bend in each, order within a layer by the mean position of the neighbours, and places that are as
//! near to the neighbours' as order and gaps allow (isotonic regression, exact for each layer).

use std::collections::{BTreeMap, BTreeSet};

/// Space between the boxes of a layer.
const GAP: f64 = 26.0;
/// The height of a bend for each edge that passes through it.
const LANE: f64 = 5.0;
/// Rounds of ordering and of placing.
const ROUNDS: usize = 24;

/// The size of a box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A place on the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// Where everything is.
pub(super) struct Layout {
    /// The upper left corner of each box.
    pub(super) corners: Vec<Point>,
    /// The layers that each pair's edges cross: the left and right end of each crossing.
    pub(super) crossings: BTreeMap<(usize, usize), Vec<(Point, Point)>>,
    pub(super) size: Size,
}

/// What a box stands beside where its edges leave it a choice of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Near {
    /// The first box that reads it.
    Readers,
    /// The last box that it reads.
    Sources,
}

/// A box, or a bend of an edge.
struct Item {
    layer: usize,
    height: f64,
    left: Vec<usize>,
    right: Vec<usize>,
    y: f64,
}

struct Layers {
    items: Vec<Item>,
    /// The items of each layer from top to bottom.
    order: Vec<Vec<usize>>,
}

/// Lays boxes out; `edges` gives how many edges each pair has. `between` is the space between layers.
pub(super) fn layout(sizes: &[Size], edges: &BTreeMap<(usize, usize), usize>, between: f64, near: Near) -> Layout {
    let layer = layers_of(sizes.len(), edges, near);
    let n_layers = layer.iter().max().map_or(0, |last| last + 1);
    let items = sizes.iter().zip(&layer).map(|(size, layer)| Item::new(*layer, size.height));
    let mut layers = Layers { items: items.collect(), order: vec![Vec::new(); n_layers] };
    let bends: BTreeMap<(usize, usize), Vec<usize>> =
        edges.iter().map(|(pair, n_edges)| (*pair, layers.connect(*pair, *n_edges))).collect();
    for (index, item) in layers.items.iter().enumerate() {
        layers.order[item.layer].push(index);
    }
    layers.sort();
    layers.place();
    let (starts, widths) = columns(sizes, &layer, n_layers, between);
    let corners = layer.iter().enumerate().map(|(index, layer)| Point { x: starts[*layer], y: layers.items[index].y });
    let crossing = |bend: &usize| {
        let item = &layers.items[*bend];
        let y = item.y + item.height / 2.0;
        let x = starts[item.layer];
        (Point { x, y }, Point { x: x + widths[item.layer], y })
    };
    let crossings = bends.iter().map(|(pair, bends)| (*pair, bends.iter().map(crossing).collect()));
    let bottom = layers.items.iter().map(|item| item.y + item.height).fold(0.0, f64::max);
    let right = starts.last().zip(widths.last()).map_or(0.0, |(start, width)| start + width);
    Layout { corners: corners.collect(), crossings: crossings.collect(), size: Size { width: right, height: bottom } }
}

/// Gives each box its layer, by the longest path to an end on one side. An edge that closes a cycle
/// does not count.
fn layers_of(n_boxes: usize, edges: &BTreeMap<(usize, usize), usize>, near: Near) -> Vec<usize> {
    let mut next = vec![Vec::new(); n_boxes];
    for (from, to) in edges.keys() {
        match near {
            Near::Readers => next[*from].push(*to),
            Near::Sources => next[*to].push(*from),
        }
    }
    let mut distance: Vec<Option<usize>> = vec![None; n_boxes];
    for index in 0..n_boxes {
        to_end(index, &next, &mut distance, &mut BTreeSet::new());
    }
    let longest = distance.iter().flatten().max().copied().unwrap_or(0);
    let layer = |distance: usize| if near == Near::Readers { longest - distance } else { distance };
    distance.iter().map(|distance| layer(distance.unwrap_or(0))).collect()
}

fn to_end(index: usize, next: &[Vec<usize>], distance: &mut [Option<usize>], path: &mut BTreeSet<usize>) -> usize {
    if let Some(known) = distance[index] {
        return known;
    }
    if !path.insert(index) {
        return 0;
    }
    let farther = next[index].iter().map(|other| match path.contains(other) {
        true => 0,
        false => to_end(*other, next, distance, path) + 1,
    });
    let found = farther.max().unwrap_or(0);
    path.remove(&index);
    distance[index] = Some(found);
    found
}

/// Returns the left edge and the width of each layer.
fn columns(sizes: &[Size], layer: &[usize], n_layers: usize, between: f64) -> (Vec<f64>, Vec<f64>) {
    let mut widths = vec![0.0_f64; n_layers];
    for (size, layer) in sizes.iter().zip(layer) {
        widths[*layer] = widths[*layer].max(size.width);
    }
    let mut left = 0.0;
    let starts = widths.iter().map(|width| {
        let start = left;
        left += width + between;
        start
    });
    (starts.collect(), widths)
}

impl Item {
    fn new(layer: usize, height: f64) -> Self {
        Self { layer, height, left: Vec::new(), right: Vec::new(), y: 0.0 }
    }

    fn centre(&self) -> f64 {
        self.y + self.height / 2.0
    }
}

impl Layers {
    /// Joins two boxes, through a bend in each layer between them, and returns the bends.
    #[expect(clippy::cast_precision_loss, reason = "a picture has few edges")]
    fn connect(&mut self, (from, to): (usize, usize), n_edges: usize) -> Vec<usize> {
        let mut bends = Vec::new();
        let mut last = from;
        for layer in self.items[from].layer + 1..self.items[to].layer {
            bends.push(self.items.len());
            self.items.push(Item::new(layer, LANE * n_edges as f64));
            self.join(last, self.items.len() - 1);
            last = self.items.len() - 1;
        }
        self.join(last, to);
        bends
    }

    fn join(&mut self, from: usize, to: usize) {
        self.items[from].right.push(to);
        self.items[to].left.push(from);
    }

    /// Orders each layer by its neighbours' mean position, back and forth; keeps the order with the
    /// fewest crossings.
    fn sort(&mut self) {
        let mut best = (self.n_crossings(), self.order.clone());
        for round in 0..ROUNDS {
            let layers: Vec<usize> =
                if round % 2 == 0 { (0..self.order.len()).rev().collect() } else { (0..self.order.len()).collect() };
            for layer in layers {
                self.sort_layer(layer, round % 2 == 0);
            }
            let n_crossings = self.n_crossings();
            if n_crossings < best.0 {
                best = (n_crossings, self.order.clone());
            }
        }
        self.order = best.1;
    }

    #[expect(clippy::cast_precision_loss, reason = "a picture has few boxes")]
    fn sort_layer(&mut self, layer: usize, by_right: bool) {
        let position = self.positions();
        let mut keyed: Vec<(f64, usize)> = self.order[layer]
            .iter()
            .enumerate()
            .map(|(now, item)| {
                let neighbours = if by_right { &self.items[*item].right } else { &self.items[*item].left };
                (mean(neighbours.iter().map(|other| position[*other] as f64)).unwrap_or(now as f64), *item)
            })
            .collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.order[layer] = keyed.into_iter().map(|(_, item)| item).collect();
    }

    fn positions(&self) -> Vec<usize> {
        let mut position = vec![0; self.items.len()];
        for layer in &self.order {
            for (place, item) in layer.iter().enumerate() {
                position[*item] = place;
            }
        }
        position
    }

    fn n_crossings(&self) -> usize {
        let position = self.positions();
        let mut n_crossings = 0;
        for layer in &self.order {
            let lines: Vec<(usize, usize)> = layer
                .iter()
                .flat_map(|item| self.items[*item].right.iter().map(|to| (position[*item], position[*to])))
                .collect();
            for (index, one) in lines.iter().enumerate() {
                n_crossings += lines[index + 1..]
                    .iter()
                    .filter(|other| (one.0 < other.0 && one.1 > other.1) || (one.0 > other.0 && one.1 < other.1))
                    .count();
            }
        }
        n_crossings
    }

    /// Moves each layer as near to its neighbours as order and gaps allow.
    fn place(&mut self) {
        for layer in 0..self.order.len() {
            self.place_layer(layer, &|_| None);
        }
        for round in 0..ROUNDS {
            for step in 0..self.order.len() {
                let layer = if round % 2 == 0 { self.order.len() - 1 - step } else { step };
                let wanted: BTreeMap<usize, f64> =
                    self.order[layer].iter().filter_map(|item| Some((*item, self.neighbours_centre(*item)?))).collect();
                self.place_layer(layer, &|item| wanted.get(&item).copied());
            }
        }
        let top = self.items.iter().map(|item| item.y).fold(f64::INFINITY, f64::min);
        self.items.iter_mut().for_each(|item| item.y -= top);
    }

    fn neighbours_centre(&self, item: usize) -> Option<f64> {
        let Item { left, right, .. } = &self.items[item];
        mean(left.iter().chain(right).map(|other| self.items[*other].centre()))
    }

    /// Finds the places with the least squared distance from the wanted ones.
    fn place_layer(&mut self, layer: usize, wanted: &dyn Fn(usize) -> Option<f64>) {
        let mut offset = 0.0;
        // Pools of items that touch: the mean place of the first one, and their offsets below it.
        let mut pools: Vec<(f64, Vec<(usize, f64)>)> = Vec::new();
        for index in self.order[layer].clone() {
            let height = self.items[index].height;
            let centre = wanted(index).unwrap_or_else(|| self.items[index].centre());
            pools.push((centre - height / 2.0 - offset, vec![(index, offset)]));
            offset += height + GAP;
            while let [.., above, below] = pools.as_mut_slice()
                && above.0 > below.0
            {
                let (n_above, n_below) = (count(&above.1), count(&below.1));
                above.0 = (above.0 * n_above + below.0 * n_below) / (n_above + n_below);
                let moved = std::mem::take(&mut below.1);
                above.1.extend(moved);
                pools.pop();
            }
        }
        for (start, members) in pools {
            for (index, offset) in members {
                self.items[index].y = start + offset;
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a picture has few boxes")]
fn count(members: &[(usize, f64)]) -> f64 {
    members.len() as f64
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (n, sum) = values.fold((0.0, 0.0), |(n, sum), value| (n + 1.0, sum + value));
    (n > 0.0).then(|| sum / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxes(n: usize) -> Vec<Size> {
        vec![Size { width: 100.0, height: 40.0 }; n]
    }

    fn edges(pairs: &[(usize, usize)]) -> BTreeMap<(usize, usize), usize> {
        pairs.iter().map(|pair| (*pair, 1)).collect()
    }

    #[test]
    fn a_chain_is_a_straight_line() {
        let layout = layout(&boxes(3), &edges(&[(2, 1), (1, 0)]), 50.0, Near::Readers);
        let places: Vec<(f64, f64)> = layout.corners.iter().map(|corner| (corner.x, corner.y)).collect();
        assert_eq!(places, [(300.0, 0.0), (150.0, 0.0), (0.0, 0.0)]);
        assert_eq!(layout.size, Size { width: 400.0, height: 40.0 });
    }

    #[test]
    fn boxes_of_a_layer_do_not_touch_and_lines_do_not_cross() {
        // Two sources each feed one of two tables, given in crossed order.
        let layout = layout(&boxes(5), &edges(&[(3, 2), (4, 1), (1, 0), (2, 0)]), 50.0, Near::Readers);
        let y = |index: usize| layout.corners[index].y;
        assert!((y(1) - y(2)).abs() >= 40.0 + GAP - 1e-9);
        assert_eq!(y(1) < y(2), y(4) < y(3));
    }

    #[test]
    fn an_edge_over_a_layer_goes_round_the_box_there() {
        let layout = layout(&boxes(3), &edges(&[(0, 1), (1, 2), (0, 2)]), 50.0, Near::Readers);
        let (left, right) = layout.crossings[&(0, 2)][0];
        let middle = layout.corners[1];
        assert!(left.y > middle.y + 40.0 || left.y < middle.y, "{} {}", left.y, middle.y);
        assert_eq!((left.x, right.x), (middle.x, middle.x + 100.0));
    }

    #[test]
    fn a_box_stands_beside_what_it_is_near_to() {
        let x = |near| layout(&boxes(4), &edges(&[(0, 1), (1, 2), (0, 3)]), 50.0, near).corners[3].x;
        assert_eq!((x(Near::Readers), x(Near::Sources)), (300.0, 150.0));
    }

    #[test]
    fn a_cycle_ends_too() {
        assert_eq!(layout(&boxes(2), &edges(&[(0, 1), (1, 0)]), 50.0, Near::Readers).corners.len(), 2);
        assert_eq!(layout(&[], &edges(&[]), 50.0, Near::Readers).corners.len(), 0);
    }
}
