//! Column lineage: the recorded edges between columns.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use causeway_model::{Catalog, Direction, LineageRow};
use causeway_system::Target;
use serde_json::json;

use crate::errors::Failure;
use crate::terminal::{Terminal, Tone};
use crate::tree::Node;

/// One column of one version, or (without a column) the choice of its rows.
type Place = (Arc<str>, i64, Option<Arc<str>>);

/// The edges of a closure, by the place they start from.
struct Edges<'a> {
    terminal: &'a Terminal,
    direction: Direction,
    by_place: BTreeMap<Place, Vec<&'a LineageRow>>,
}

/// Draws the columns that the columns of a version came from, or those made from them.
pub(super) async fn tree(
    terminal: &Terminal,
    catalog: &dyn Catalog,
    target: &Target,
    direction: Direction,
    depth: Option<i64>,
) -> Result<Node, Failure> {
    let rows = catalog.lineage(target.version.id, target.column.as_deref(), direction, depth).await?;
    let mut edges = Edges { terminal, direction, by_place: BTreeMap::new() };
    for row in &rows {
        if let Some(place) = edges.start(row) {
            edges.by_place.entry(place).or_default().push(row);
        }
    }
    let (name, version) = (Arc::<str>::from(target.dataset.name.to_string()), target.version.version);
    let text = format!("{} @{version}", terminal.paint_output(Tone::Name, &name));
    let mut root = Node::new(text, json!({"dataset": &*name, "version": version}));
    let mut columns: Vec<Option<Arc<str>>> = match &target.column {
        Some(column) => vec![Some(column.as_str().into())],
        None => target.version.columns.iter().map(|column| Some(column.name.as_str().into())).collect(),
    };
    if direction == Direction::Upstream {
        columns.push(None);
    }
    for column in columns {
        let place = (Arc::clone(&name), version, column);
        let mut node = edges.root_node(&place);
        edges.grow(&mut node, &place, &mut HashSet::from([place.clone()]));
        if place.2.is_some() || !node.children.is_empty() {
            root.children.push(node);
        }
    }
    root.children.extend(edges.row_choices(&name, version));
    Ok(root)
}

impl Edges<'_> {
    /// Hangs the neighbours of a place below it. Below one root column a place is entered once.
    fn grow(&self, node: &mut Node, place: &Place, seen: &mut HashSet<Place>) {
        for row in self.rows_at(place) {
            let mut child = self.edge_node(row);
            if let Some(next) = self.end(row)
                && seen.insert(next.clone())
            {
                self.grow(&mut child, &next, seen);
            }
            node.children.push(child);
        }
    }

    /// Returns the edges that start at a place. What decides the rows of a table goes on, downstream,
    /// into whatever is made from any of its columns.
    fn rows_at(&self, place: &Place) -> Vec<&LineageRow> {
        if place.2.is_some() || self.direction == Direction::Upstream {
            return self.by_place.get(place).into_iter().flatten().copied().collect();
        }
        let of_table = |(dataset, version, _): &Place| *dataset == place.0 && *version == place.1;
        self.by_place.iter().filter(|(start, _)| of_table(start)).flat_map(|(_, rows)| rows.iter().copied()).collect()
    }

    /// Returns, for each table on the way to the target, what decided which rows it has.
    fn row_choices(&self, target: &str, target_version: i64) -> Vec<Node> {
        let on_the_way = |place: &&Place| place.2.is_none() && !(*place.0 == *target && place.1 == target_version);
        let choice = |place: &Place| {
            let text = format!("(which rows {} @{} has)", place.0, place.1);
            let fact = json!({"dataset": &*place.0, "version": place.1, "column": null});
            let mut node = Node::new(self.terminal.paint_output(Tone::Faint, &text), fact);
            self.grow(&mut node, place, &mut HashSet::from([place.clone()]));
            node
        };
        self.by_place.keys().filter(on_the_way).map(choice).collect()
    }

    fn start(&self, row: &LineageRow) -> Option<Place> {
        if self.direction == Direction::Upstream { Some(output(row)) } else { source(row) }
    }

    fn end(&self, row: &LineageRow) -> Option<Place> {
        if self.direction == Direction::Upstream { source(row) } else { Some(output(row)) }
    }

    fn root_node(&self, place: &Place) -> Node {
        match &place.2 {
            Some(column) => Node::new(self.terminal.paint_output(Tone::Strong, column), json!({"column": &**column})),
            None => {
                Node::new(self.terminal.paint_output(Tone::Faint, "(which rows there are)"), json!({"column": null}))
            }
        }
    }

    fn edge_node(&self, row: &LineageRow) -> Node {
        let place = match self.end(row) {
            Some((dataset, version, Some(column))) => {
                format!("{}.{column} @{version}", self.terminal.paint_output(Tone::Name, &dataset))
            }
            Some((dataset, version, None)) => {
                format!("{} @{version} (rows)", self.terminal.paint_output(Tone::Name, &dataset))
            }
            None => self.terminal.paint_output(Tone::Warning, "unknown origin"),
        };
        let masked = if row.masking { ", masked" } else { "" };
        let how = format!("{}{masked}, step {}", row.kind.name(), row.step);
        let text = format!("{place}  {}", self.terminal.paint_output(Tone::Faint, &how));
        let end = self.end(row);
        let fact = json!({
            "dataset": end.as_ref().map(|end| &*end.0), "version": end.as_ref().map(|end| end.1),
            "column": end.as_ref().and_then(|end| end.2.as_deref()), "edge": row.kind.name(), "masking": row.masking,
            "step": &*row.step, "run": row.run.0,
        });
        Node::new(text, fact)
    }
}

fn output(row: &LineageRow) -> Place {
    (Arc::clone(&row.dataset), row.version, row.column.clone())
}

fn source(row: &LineageRow) -> Option<Place> {
    Some((row.source_dataset.clone()?, row.source_version?, row.source_column.clone()))
}
