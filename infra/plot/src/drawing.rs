//! From a network to lines, circles and names.

use plotters::backend::DrawingBackend;
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::HPos;
use plotters::style::{Color, RGBColor, ShapeStyle, TextStyle, WHITE};

use crate::canvas::{BLUE, GREY, INK, ORANGE, Paint, WIDTH, backend, render, text};
use crate::layout::places;
use crate::network::Numbered;
use crate::{Edge, Format, Network, PlotError};

const NODE: RGBColor = RGBColor(243, 196, 84);

/// Width and height in dots, and what lies around the nodes.
const SIZE: (u32, u32) = (WIDTH, 1200);
const MARGIN: (f64, f64) = (110.0, 100.0);

const RADIUS: f64 = 11.0;
const ARROW: f64 = 16.0;
/// How far two edges between the same nodes lie from the middle.
const BESIDE: f64 = 5.0;
const WIDTHS: (f64, f64) = (1.5, 7.0);

impl Network {
    /// Draws it.
    ///
    /// # Errors
    /// [`PlotError::Empty`], [`PlotError::TooMany`], and what the library that draws cannot do.
    pub fn draw(&self, format: Format) -> Result<Vec<u8>, PlotError> {
        render(&Picture::new(self)?, SIZE, format)
    }
}

/// A place in dots.
type Place = (f64, f64);

/// A network with places.
struct Picture<'a> {
    network: &'a Network,
    nodes: Vec<(&'a str, Place)>,
    lines: Vec<Line<'a>>,
}

/// An edge with places.
struct Line<'a> {
    edge: &'a Edge,
    from: Place,
    to: Place,
    /// True if another one runs between the same nodes.
    is_beside: bool,
}

impl<'a> Picture<'a> {
    fn new(network: &'a Network) -> Result<Self, PlotError> {
        let Numbered { nodes: names, pairs } = network.numbered()?;
        let (width, height) = (f64::from(SIZE.0) - 2.0 * MARGIN.0, f64::from(SIZE.1) - 2.0 * MARGIN.1);
        let placed = places(names.len(), &pairs);
        let placed: Vec<Place> =
            placed.into_iter().map(|(x, y)| (MARGIN.0 + x * width, MARGIN.1 + y * height)).collect();
        let line = |(edge, &(from, to)): (&'a Edge, &(usize, usize))| Line {
            edge,
            from: placed[from],
            to: placed[to],
            is_beside: pairs.contains(&(to, from)),
        };
        let lines = network.edges.iter().zip(&pairs).map(line).collect();
        Ok(Self { network, lines, nodes: names.into_iter().zip(placed).collect() })
    }

    fn legend(&self, scale: &Scale) -> String {
        let (shown, given) = (self.network.edges.len(), self.network.n_given);
        let mut legend = match shown == given {
            true => format!("{} nodes, {shown} edges", self.nodes.len()),
            false => format!("{} nodes, the {shown} strongest of {given} edges", self.nodes.len()),
        };
        let mut say = |part: &str| {
            legend.push_str("; ");
            legend.push_str(part);
        };
        match (self.lines.iter().any(|line| line.edge.directed), self.lines.iter().any(|line| !line.edge.directed)) {
            (true, true) => say("arrow: directed, line: undirected"),
            (true, false) => say("arrow: directed"),
            _ => say("line: undirected"),
        }
        if let Some((least, most)) = scale.0 {
            say(&format!("width: strength {} to {}", short(least), short(most)));
            if self.network.edges.iter().any(|edge| edge.weight.is_some_and(|weight| weight < 0.0)) {
                say("blue above 0, orange below");
            }
        }
        legend
    }
}

impl Paint for Picture<'_> {
    fn paint<D: DrawingBackend>(&self, area: &DrawingArea<D, Shift>) -> Result<(), PlotError> {
        area.fill(&WHITE).map_err(backend)?;
        let scale = Scale::of(self.network);
        let size = if self.nodes.len() > 80 { 18 } else { 24 };
        // The strongest on top; names on lines, arrows on names.
        for line in self.lines.iter().rev() {
            line.paint(area, &scale)?;
        }
        for (name, place) in &self.nodes {
            lighten(area, name, above(*place), &text(size, HPos::Center))?;
        }
        for line in self.lines.iter().rev().filter(|line| line.edge.directed) {
            line.paint_head(area, &scale)?;
        }
        for (name, place) in &self.nodes {
            let rim = ShapeStyle::from(INK).stroke_width(2);
            area.draw(&Circle::new(dot(*place), whole(RADIUS), NODE.filled())).map_err(backend)?;
            area.draw(&Circle::new(dot(*place), whole(RADIUS), rim)).map_err(backend)?;
            let name = Text::new((*name).to_owned(), dot(above(*place)), text(size, HPos::Center));
            area.draw(&name).map_err(backend)?;
        }
        area.draw(&Text::new(self.network.title.clone(), (40, 56), text(34, HPos::Left))).map_err(backend)?;
        let foot = (40, SIZE.1.cast_signed() - 24);
        area.draw(&Text::new(self.legend(&scale), foot, text(22, HPos::Left))).map_err(backend)?;
        area.present().map_err(backend)
    }
}

impl Line<'_> {
    /// Returns the dot at a distance from the start and aside from the line.
    fn at(&self, distance: f64, aside: f64) -> (i32, i32) {
        let length = self.length();
        let along = ((self.to.0 - self.from.0) / length, (self.to.1 - self.from.1) / length);
        let aside = aside + if self.is_beside { BESIDE } else { 0.0 };
        dot((self.from.0 + along.0 * distance - along.1 * aside, self.from.1 + along.1 * distance + along.0 * aside))
    }

    fn length(&self) -> f64 {
        (self.to.0 - self.from.0).hypot(self.to.1 - self.from.1).max(1e-9)
    }

    /// A thick line is a polygon: the two formats then agree on its shape.
    fn paint<D: DrawingBackend>(&self, area: &DrawingArea<D, Shift>, scale: &Scale) -> Result<(), PlotError> {
        let width = scale.width(self.edge.weight);
        let end = if self.edge.directed { self.tip() - ARROW - width } else { self.length() };
        let half = width / 2.0;
        let line = vec![self.at(0.0, half), self.at(end, half), self.at(end, -half), self.at(0.0, -half)];
        area.draw(&Polygon::new(line, colour(self.edge.weight).mix(0.75).filled())).map_err(backend)
    }

    fn paint_head<D: DrawingBackend>(&self, area: &DrawingArea<D, Shift>, scale: &Scale) -> Result<(), PlotError> {
        let (tip, size, colour) = (self.tip(), ARROW + scale.width(self.edge.weight), colour(self.edge.weight));
        let head = vec![self.at(tip, 0.0), self.at(tip - size, size * 0.45), self.at(tip - size, -size * 0.45)];
        area.draw(&Polygon::new(head.clone(), colour.filled())).map_err(backend)?;
        area.draw(&PathElement::new(head, ShapeStyle::from(colour).stroke_width(1))).map_err(backend)
    }

    fn tip(&self) -> f64 {
        self.length() - RADIUS - 2.0
    }
}

/// Where the name of a node stands.
fn above((x, y): Place) -> Place {
    (x, y - RADIUS - 5.0)
}

/// Makes what lies behind a text lighter, so that it can be read.
fn lighten<D: DrawingBackend>(
    area: &DrawingArea<D, Shift>,
    words: &str,
    (x, foot): Place,
    style: &TextStyle<'_>,
) -> Result<(), PlotError> {
    let (width, height) = area.estimate_text_size(words, style).map_err(backend)?;
    let (half, height) = (f64::from(width) / 2.0 + 2.0, f64::from(height));
    let behind = [dot((x - half, foot - height)), dot((x + half, foot + 2.0))];
    area.draw(&Rectangle::new(behind, WHITE.mix(0.75).filled())).map_err(backend)
}

/// The sizes of weights, least and most.
struct Scale(Option<(f64, f64)>);

impl Scale {
    fn of(network: &Network) -> Self {
        let sizes = network.edges.iter().filter_map(|edge| edge.weight).map(f64::abs).filter(|size| size.is_finite());
        Self(sizes.fold(None, |range, size| match range {
            None => Some((size, size)),
            Some((least, most)) => Some((f64::min(least, size), f64::max(most, size))),
        }))
    }

    fn width(&self, weight: Option<f64>) -> f64 {
        let (thin, thick) = WIDTHS;
        match (self.0, weight) {
            (Some((least, most)), Some(weight)) if most > least => {
                thin + (thick - thin) * ((weight.abs().min(most) - least) / (most - least))
            }
            _ => f64::midpoint(thin, thick) / 2.0,
        }
    }
}

fn colour(weight: Option<f64>) -> RGBColor {
    match weight {
        Some(weight) if weight < 0.0 => ORANGE,
        Some(_) => BLUE,
        None => GREY,
    }
}

/// Three digits are enough to read a width by.
fn short(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        value if (0.001..10_000.0).contains(&value) => format!("{value:.3}"),
        value => format!("{value:.2e}"),
    }
}

fn dot((x, y): Place) -> (i32, i32) {
    (whole(x), whole(y))
}

#[expect(clippy::cast_possible_truncation, reason = "places lie within the picture")]
fn whole(value: f64) -> i32 {
    value.round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(directed: bool) -> Network {
        let edge = |source: &str, target: &str, weight| Edge {
            source: source.to_owned(),
            target: target.to_owned(),
            directed,
            weight: Some(weight),
        };
        Network::new("one & two", vec![edge("<a>", "b", 0.5), edge("b", "c", -2.0)])
    }

    #[test]
    fn an_svg_names_every_node_and_is_well_formed_whatever_the_names() {
        let svg = String::from_utf8(network(true).draw(Format::Svg).unwrap()).unwrap();
        assert!(svg.contains("&lt;a&gt;") && !svg.contains("<a>"), "{svg}");
        assert!(svg.contains("one &amp; two"));
        assert!(
            svg.contains("3 nodes, 2 edges; arrow: directed; width: strength 0.500 to 2.000; blue above 0, orange")
        );
        assert_eq!(svg.matches("<polygon").count(), 4, "two lines with two heads");
        let undirected = String::from_utf8(network(false).draw(Format::Svg).unwrap()).unwrap();
        assert_eq!(undirected.matches("<polygon").count(), 2);
    }

    #[test]
    fn a_png_has_names_without_any_font_of_the_machine() {
        let png = network(true).draw(Format::Png).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&png)).read_info().unwrap();
        let mut dots = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut dots).unwrap();
        let width = SIZE.0 as usize;
        let title = (20..60).flat_map(|y| (40..300).map(move |x| (y * width + x) * 3));
        let dark = title.filter(|&dot| dots[dot] < 100).count();
        assert!(dark > 100, "the title is not there: {dark} dark dots");
    }

    #[test]
    fn the_same_edges_give_the_same_picture() {
        assert_eq!(network(true).draw(Format::Png).unwrap(), network(true).draw(Format::Png).unwrap());
    }
}
