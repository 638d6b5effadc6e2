//! A graph as a picture.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use causeway_model::EdgeKind;

use super::dot::escaped;
use super::graph::{Edge, Graph, Port, Table};
use super::layout::{Layout, Near, Point, Size, layout};

const MARGIN: f64 = 20.0;
/// The name and the line below it; the step that made a table stands on a third.
const HEADER: f64 = 40.0;
const THIRD_LINE: f64 = 13.0;
const ROW: f64 = 20.0;
const PADDING: f64 = 10.0;
/// The width of a character of the 12-pixel and the 10-pixel text, in a font of equal widths.
const CHARACTER: f64 = 7.25;
const SMALL_CHARACTER: f64 = 6.05;
const LEGEND: f64 = 44.0;
/// The longest name shown whole; the picture's title of the box has all of it.
const LONGEST_NAME: usize = 44;
/// Space between layers: enough for a label.
const BETWEEN: f64 = 130.0;
/// How far apart edges run that pass through the same bend.
const LANE: f64 = 5.0;

const STYLE: &str = "\
text{font-family:ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:12px;fill:#0f172a}\
.small{font-size:10px;fill:#64748b}.name{font-weight:bold}\
.back{fill:#ffffff}.box{fill:#ffffff;stroke:#94a3b8}.head{fill:#f1f5f9}.file .head{fill:#fef9c3}.target .head{fill:#dbeafe}\
.target .box{stroke:#2563eb;stroke-width:2}.unknown .box{stroke-dasharray:5 4;stroke:#b91c1c}.unknown .head{fill:#fee2e2}\
.edge{fill:none;stroke-width:1.4;opacity:.85}.edge:hover{stroke-width:3.5;opacity:1}\
.masked{stroke-dasharray:7 4}.indirect{stroke-dasharray:1.5 4;stroke-linecap:round}\
.step{stroke:#64748b}.identity{stroke:#64748b}.transformation{stroke:#2563eb}.aggregation{stroke:#c2410c}.rows{stroke:#0d9488}\
.label{font-size:10px;fill:#475569;paint-order:stroke;stroke:#ffffff;stroke-width:4px;stroke-linejoin:round}\
@media(prefers-color-scheme:dark){text{fill:#e2e8f0}.small{fill:#94a3b8}.back{fill:#0f172a}.box{fill:#1e293b;stroke:#64748b}\
.head{fill:#334155}.file .head{fill:#3f3a1d}.target .head{fill:#1e3a5f}.unknown .head{fill:#4c1d1d}\
.label{fill:#cbd5e1;stroke:#0f172a}.step,.identity{stroke:#94a3b8}.transformation{stroke:#60a5fa}\
.aggregation{stroke:#fb923c}.rows{stroke:#2dd4bf}}";

/// How an edge is drawn; the legend lists those that occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    Step,
    Identity,
    Transformation,
    Aggregation,
    Rows,
}

impl Look {
    fn of(edge: &Edge) -> Self {
        let has = |kind| edge.kinds.contains(&kind);
        match edge.kinds.is_empty() {
            true => Self::Step,
            false if has(EdgeKind::Aggregation) => Self::Aggregation,
            false if has(EdgeKind::Transformation) => Self::Transformation,
            false if has(EdgeKind::Identity) => Self::Identity,
            false => Self::Rows,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Identity => "identity",
            Self::Transformation => "transformation",
            Self::Aggregation => "aggregation",
            Self::Rows => "rows indirect",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Step => "read to make it",
            Self::Identity => "copied",
            Self::Transformation => "computed from the row",
            Self::Aggregation => "computed from several rows",
            Self::Rows => "decides which rows or which branch",
        }
    }

    /// The head of the arrow has a colour of its own, which a marker does not inherit.
    fn marker(self) -> &'static str {
        self.class().split(' ').next().unwrap_or_default()
    }
}

/// Draws the graph.
pub(super) fn svg(graph: &Graph, title: &str) -> String {
    let sizes: Vec<Size> = graph.tables.iter().map(size).collect();
    let mut pairs: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for edge in &graph.edges {
        *pairs.entry((edge.from.table, edge.to.table)).or_default() += 1;
    }
    let near = if graph.is_downstream { Near::Sources } else { Near::Readers };
    let picture = Picture { graph, layout: layout(&sizes, &pairs, BETWEEN, near), sizes, pairs };
    picture.draw(title)
}

fn size(table: &Table) -> Size {
    let name = text_width(&shown_name(table), CHARACTER);
    let detail = text_width(&table.detail, SMALL_CHARACTER).max(text_width(&step_line(table), SMALL_CHARACTER));
    let column = |(name, data_type): &(String, String)| {
        text_width(name, CHARACTER) + text_width(data_type, SMALL_CHARACTER) + 2.0 * PADDING
    };
    let widest = table.columns.iter().map(column).fold(name.max(detail), f64::max);
    Size { width: (widest + 2.0 * PADDING).max(120.0).ceil(), height: header(table) + ROW * rows(table.columns.len()) }
}

fn header(table: &Table) -> f64 {
    if table.step.is_some() { HEADER + THIRD_LINE } else { HEADER }
}

fn step_line(table: &Table) -> String {
    table.step.as_ref().map(|step| format!("step {step}")).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a picture has few columns")]
fn rows(n: usize) -> f64 {
    n as f64
}

#[expect(clippy::cast_precision_loss, reason = "names are short")]
fn text_width(text: &str, character: f64) -> f64 {
    text.chars().count() as f64 * character
}

/// Returns the name with its version; of a long one its end, where paths differ.
fn shown_name(table: &Table) -> String {
    let n = table.name.chars().count();
    let name = match n > LONGEST_NAME {
        true => format!("…{}", table.name.chars().skip(n + 1 - LONGEST_NAME).collect::<String>()),
        false => table.name.clone(),
    };
    table.version.map_or_else(|| name.clone(), |version| format!("{name} @{version}"))
}

struct Picture<'a> {
    graph: &'a Graph,
    layout: Layout,
    sizes: Vec<Size>,
    /// How many edges each pair of tables has.
    pairs: BTreeMap<(usize, usize), usize>,
}

impl Picture<'_> {
    fn draw(&self, title: &str) -> String {
        let looks: BTreeSet<Look> = self.graph.edges.iter().map(Look::of).collect();
        let is_masked = self.graph.edges.iter().any(|edge| edge.masking);
        let (legend, legend_width) = legend(&looks, is_masked, self.layout.size.height + MARGIN + 26.0);
        let title_width = text_width(title, CHARACTER);
        let width = self.layout.size.width.max(legend_width).max(title_width) + 2.0 * MARGIN;
        let height = self.layout.size.height + 2.0 * MARGIN + LEGEND;
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n<defs>",
            escaped(title)
        );
        for look in &looks {
            let _ = write!(
                text,
                "<marker id=\"{0}\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
                 markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"{0}\" d=\"M1 1 7 4 1 7\" fill=\"none\" \
                 stroke-width=\"1.4\"/></marker>",
                look.marker()
            );
        }
        let _ = write!(text, "</defs>\n<rect class=\"back\" width=\"{width:.0}\" height=\"{height:.0}\"/>\n");
        let mut nth: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let mut labels = String::new();
        for edge in &self.graph.edges {
            let lane = nth.entry((edge.from.table, edge.to.table)).or_default();
            text.push_str(&self.edge(edge, *lane));
            labels.push_str(&self.label(edge, *lane));
            *lane += 1;
        }
        for (index, table) in self.graph.tables.iter().enumerate() {
            text.push_str(&self.table(index, table));
        }
        text + &labels + &legend + "</svg>\n"
    }

    fn corner(&self, table: usize) -> Point {
        let corner = self.layout.corners[table];
        Point { x: corner.x + MARGIN, y: corner.y + MARGIN }
    }

    fn table(&self, index: usize, table: &Table) -> String {
        let (Point { x, y }, Size { width, height }) = (self.corner(index), self.sizes[index]);
        let class = match (table.version.is_none(), table.is_target, table.is_file) {
            (true, ..) => "unknown",
            (_, true, _) => "target",
            (_, _, true) => "file",
            _ => "table",
        };
        let mut text = format!(
            "<g class=\"{class}\"><title>{}</title><rect class=\"box\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.0}\" \
             height=\"{height:.0}\" rx=\"5\"/><rect class=\"head\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.0}\" \
             height=\"{:.0}\" rx=\"4\"/>",
            escaped(&format!("{}: {}", table.name, table.detail)),
            x + 1.0,
            y + 1.0,
            width - 2.0,
            header(table) - 2.0
        );
        let left = x + PADDING;
        let mut line = |class: &str, x: f64, y: f64, words: &str| {
            let _ = write!(text, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(words));
        };
        line("name", left, y + 17.0, &shown_name(table));
        line("small", left, y + 32.0, &table.detail);
        line("small", left, y + 32.0 + THIRD_LINE, &step_line(table));
        for (row, (name, data_type)) in table.columns.iter().enumerate() {
            let base = y + header(table) + ROW * rows(row) + 14.0;
            line("column", left, base, name);
            line("small", x + width - PADDING - text_width(data_type, SMALL_CHARACTER), base, data_type);
        }
        text + "</g>\n"
    }

    /// Returns the place on the left or right side of a box where an edge ends or begins.
    fn port(&self, port: Port, right: bool) -> Point {
        let corner = self.corner(port.table);
        let header = header(&self.graph.tables[port.table]);
        let below = port.column.map_or(header / 2.0, |column| header + ROW * (rows(column) + 0.5));
        let x = if right { corner.x + self.sizes[port.table].width } else { corner.x - 1.0 };
        Point { x, y: corner.y + below }
    }

    fn edge(&self, edge: &Edge, lane: usize) -> String {
        let look = Look::of(edge);
        let masked = if edge.masking { " masked" } else { "" };
        let ends = [self.port(edge.from, true), self.port(edge.to, false)];
        let mut path = format!("M{:.1} {:.1}", ends[0].x, ends[0].y);
        let mut last = ends[0];
        for (left, right) in self.crossings(edge, lane) {
            curve(&mut path, last, left);
            let _ = write!(path, " L{:.1} {:.1}", right.x, right.y);
            last = right;
        }
        curve(&mut path, last, ends[1]);
        let words =
            format!("{} → {}: {} (step {})", self.words(edge.from), self.words(edge.to), edge.label(), edge.step);
        format!(
            "<path class=\"edge {}{masked}\" d=\"{path}\" marker-end=\"url(#{})\"><title>{}</title></path>\n",
            look.class(),
            look.marker(),
            escaped(&words)
        )
    }

    fn crossings(&self, edge: &Edge, lane: usize) -> Vec<(Point, Point)> {
        let pair = (edge.from.table, edge.to.table);
        let n = self.pairs.get(&pair).copied().unwrap_or(1);
        let shift = LANE * (rows(lane) - (rows(n) - 1.0) / 2.0);
        let moved = |point: &Point| Point { x: point.x + MARGIN, y: point.y + MARGIN + shift };
        let crossings = self.layout.crossings.get(&pair).into_iter().flatten();
        crossings.map(|(left, right)| (moved(left), moved(right))).collect()
    }

    /// Names beside an edge how it decides the rows or a branch.
    fn label(&self, edge: &Edge, lane: usize) -> String {
        if Look::of(edge) != Look::Rows {
            return String::new();
        }
        let end = self.port(edge.to, false);
        let from = self.crossings(edge, lane).last().map_or_else(|| self.port(edge.from, true), |(_, right)| *right);
        format!(
            "<text class=\"label\" text-anchor=\"middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
            (from.x + end.x) / 2.0,
            (from.y + end.y) / 2.0 - 3.0,
            escaped(&edge.label())
        )
    }

    fn words(&self, port: Port) -> String {
        let table = &self.graph.tables[port.table];
        match port.column.and_then(|column| table.columns.get(column)) {
            Some((column, _)) => format!("{}.{column}", table.name),
            None => format!("{} (rows)", table.name),
        }
    }
}

/// Goes on to a point, leaving and arriving level.
fn curve(path: &mut String, from: Point, to: Point) {
    let bend = ((to.x - from.x) / 2.0).abs().max(20.0);
    let _ = write!(path, " C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}", from.x + bend, from.y, to.x - bend, to.y, to.x, to.y);
}

/// Returns the legend and its width.
fn legend(looks: &BTreeSet<Look>, is_masked: bool, y: f64) -> (String, f64) {
    let mut entries: Vec<(&str, &str)> = looks.iter().map(|look| (look.class(), look.meaning())).collect();
    if is_masked {
        entries.push(("step masked", "behind a privacy mechanism or keyed hash"));
    }
    let mut text = String::new();
    let mut x = MARGIN;
    for (class, meaning) in entries {
        let _ = writeln!(
            text,
            "<path class=\"edge {class}\" d=\"M{x:.1} {y:.1} h30\"/><text class=\"small\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x + 36.0,
            y + 3.5,
            escaped(meaning)
        );
        x += 36.0 + text_width(meaning, SMALL_CHARACTER) + 24.0;
    }
    (text, x - 24.0)
}

#[cfg(test)]
mod tests {
    use super::super::dot::dot;
    use super::*;

    fn table(name: &str, version: Option<i64>) -> Table {
        Table {
            name: name.to_owned(),
            version,
            detail: "table".to_owned(),
            step: None,
            is_file: false,
            is_target: false,
            columns: vec![("n".to_owned(), "int".to_owned())],
        }
    }

    fn edge(from: usize, to: usize, kind: EdgeKind, masking: bool) -> Edge {
        let port = |table| Port { table, column: Some(0) };
        Edge { from: port(from), to: port(to), kinds: BTreeSet::from([kind]), masking, step: "s".to_owned() }
    }

    fn graph() -> Graph {
        Graph {
            tables: vec![table("a.made", Some(0)), table("a.read", Some(3)), table("unknown origin", None)],
            edges: vec![edge(1, 0, EdgeKind::Aggregation, true), edge(2, 0, EdgeKind::Filter, false)],
            is_downstream: false,
        }
    }

    #[test]
    fn masked_edges_and_unknown_origins_show() {
        let picture = svg(&graph(), "a title");
        assert!(
            picture.contains("class=\"edge aggregation masked\"") && picture.contains("class=\"unknown\""),
            "{picture}"
        );
        assert!(picture.contains("behind a privacy mechanism") && picture.contains(">FILTER</text>"), "{picture}");
        let text = dot(&graph());
        assert!(text.contains("label=\"AGGREGATION, masked\", style=dashed"), "{text}");
        assert!(text.contains("STYLE=\"dashed\"") && text.contains("label=\"FILTER\", style=dotted"), "{text}");
    }

    #[test]
    fn a_long_path_keeps_its_end() {
        let name = shown_name(&table(&format!("{}/last.csv", "folder/".repeat(20)), Some(1)));
        assert!(
            name.starts_with('…') && name.ends_with("/last.csv @1") && name.chars().count() == LONGEST_NAME + 3,
            "{name}"
        );
    }

    #[test]
    fn an_empty_graph_is_a_picture_too() {
        assert!(svg(&Graph::default(), "t").ends_with("</svg>\n"));
    }
}
