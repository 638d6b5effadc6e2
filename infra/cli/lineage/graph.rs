//! Lineage as a graph: what DOT and SVG draw.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use causeway_model::{
    Catalog, Dataset, DatasetKind, DatasetVersion, Direction, EdgeKind, LineageRow, StepId, TableName, VersionId,
};
use causeway_system::Target;

use crate::errors::Failure;
use crate::record::Record;

/// Versions of tables and what flows between them.
#[derive(Default)]
pub(super) struct Graph {
    pub(super) tables: Vec<Table>,
    pub(super) edges: Vec<Edge>,
    /// True if all was made from one table, false if one table was made from all.
    pub(super) is_downstream: bool,
}

/// One version of a table, view or file; or an origin that is not known.
pub(super) struct Table {
    /// `schema.table`, or the path of a file.
    pub(super) name: String,
    /// `None` for an unknown origin.
    pub(super) version: Option<i64>,
    /// What it is, how many rows: the line below the name.
    pub(super) detail: String,
    /// The step that made it.
    pub(super) step: Option<String>,
    pub(super) is_file: bool,
    pub(super) is_target: bool,
    /// The columns shown, with their types.
    pub(super) columns: Vec<(String, String)>,
}

/// Where an edge begins or ends: a table's column, or the table as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Port {
    pub(super) table: usize,
    pub(super) column: Option<usize>,
}

/// What flows from one port to another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: Port,
    pub(super) to: Port,
    /// Between columns: how; empty between tables.
    pub(super) kinds: BTreeSet<EdgeKind>,
    pub(super) masking: bool,
    /// The step that made it.
    pub(super) step: String,
}

impl Edge {
    /// Returns true if values are passed on, not only the choice of rows.
    pub(super) fn is_direct(&self) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|kind| kind.is_direct())
    }

    /// Says what flows: the kinds, or the step.
    pub(super) fn label(&self) -> String {
        let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.name()).collect();
        match (kinds.is_empty(), self.masking) {
            (true, _) => self.step.clone(),
            (false, false) => kinds.join(", "),
            (false, true) => format!("{}, masked", kinds.join(", ")),
        }
    }
}

/// The step between an input version and what it made.
pub(crate) struct Link {
    pub(crate) input: VersionId,
    pub(crate) output: VersionId,
    pub(crate) step: StepId,
}

/// Follows the steps from a version, nearest first, at most `depth` of them.
pub(crate) fn links(record: &Record, target: VersionId, direction: Direction, depth: Option<i64>) -> Vec<Link> {
    let mut links = Vec::new();
    let mut waiting = VecDeque::from([(target, 0)]);
    let mut seen = BTreeSet::from([target]);
    while let Some((version, distance)) = waiting.pop_front() {
        if depth.is_some_and(|depth| distance >= depth) {
            continue;
        }
        let found: Vec<Link> = match direction {
            Direction::Upstream => record.maker(version).into_iter().flat_map(|step| made(step, version)).collect(),
            Direction::Downstream => record.readers(version).flat_map(|step| read(step, version)).collect(),
        };
        for link in found {
            let next = if direction == Direction::Upstream { link.input } else { link.output };
            if seen.insert(next) {
                waiting.push_back((next, distance + 1));
            }
            links.push(link);
        }
    }
    links
}

fn made(step: &causeway_model::Step, output: VersionId) -> Vec<Link> {
    step.inputs.iter().map(|input| Link { input: *input, output, step: step.id }).collect()
}

fn read(step: &causeway_model::Step, input: VersionId) -> Vec<Link> {
    step.outputs.iter().map(|output| Link { input, output: *output, step: step.id }).collect()
}

/// Makes the graph of tables.
pub(super) fn of_tables(record: &Record, target: &Target, direction: Direction, depth: Option<i64>) -> Graph {
    let mut graph = Graph { is_downstream: direction == Direction::Downstream, ..Graph::default() };
    let mut places = HashMap::new();
    let mut place = |graph: &mut Graph, id: VersionId| -> usize {
        *places.entry(id).or_insert_with(|| {
            let table = match record.version(id) {
                Some((dataset, version)) => Table::known(dataset, version),
                None => Table::unknown(),
            };
            let step = record.maker(id).map(|step| step.name.clone());
            graph.tables.push(Table { step, is_target: id == target.version.id, ..table });
            graph.tables.len() - 1
        })
    };
    place(&mut graph, target.version.id);
    for link in links(record, target.version.id, direction, depth) {
        let (from, to) = (place(&mut graph, link.input), place(&mut graph, link.output));
        let step = record.step(link.step).map_or_else(String::new, |step| step.name.clone());
        let whole = |table| Port { table, column: None };
        graph.edges.push(Edge { from: whole(from), to: whole(to), kinds: BTreeSet::new(), masking: false, step });
    }
    graph
}

/// Makes the graph of columns.
pub(super) async fn of_columns(
    catalog: &dyn Catalog,
    target: &Target,
    direction: Direction,
    depth: Option<i64>,
) -> Result<Graph, Failure> {
    let rows = catalog.lineage(target.version.id, target.column.as_deref(), direction, depth).await?;
    let mut builder = Builder::default();
    builder.graph.is_downstream = direction == Direction::Downstream;
    let name = target.dataset.name.to_string();
    let table = builder.table(catalog, Some((&name, target.version.version))).await?;
    builder.graph.tables[table].is_target = true;
    let columns = target.version.columns.iter().map(|column| column.name.as_str());
    for column in columns.filter(|name| target.column.as_deref().is_none_or(|wanted| wanted == *name)) {
        builder.port(table, Some(column));
    }
    for row in &rows {
        builder.add(catalog, row).await?;
    }
    Ok(builder.finish())
}

/// A graph of columns as it grows.
#[derive(Default)]
struct Builder {
    graph: Graph,
    tables: HashMap<(String, i64), usize>,
    /// All columns of each table, with their types.
    columns: HashMap<usize, Vec<(String, String)>>,
    edges: BTreeMap<(Port, Port), usize>,
}

impl Builder {
    async fn add(&mut self, catalog: &dyn Catalog, row: &LineageRow) -> Result<(), Failure> {
        let source = row.source_dataset.as_deref().zip(row.source_version);
        let to = self.table(catalog, Some((&row.dataset, row.version))).await?;
        let to = self.port(to, row.column.as_deref());
        let from = self.table(catalog, source).await?;
        let from = self.port(from, row.source_column.as_deref());
        let index = *self.edges.entry((from, to)).or_insert_with(|| {
            let edge = Edge { from, to, kinds: BTreeSet::new(), masking: false, step: row.step.to_string() };
            self.graph.edges.push(edge);
            self.graph.edges.len() - 1
        });
        let edge = &mut self.graph.edges[index];
        edge.kinds.insert(row.kind);
        edge.masking |= row.masking;
        Ok(())
    }

    /// Finds or adds a table. Unknown origins are a table each.
    async fn table(&mut self, catalog: &dyn Catalog, place: Option<(&str, i64)>) -> Result<usize, Failure> {
        let Some((name, number)) = place else {
            self.graph.tables.push(Table::unknown());
            return Ok(self.graph.tables.len() - 1);
        };
        if let Some(index) = self.tables.get(&(name.to_owned(), number)) {
            return Ok(*index);
        }
        let index = self.graph.tables.len();
        self.tables.insert((name.to_owned(), number), index);
        let table = match described(catalog, name, number).await? {
            Some((dataset, version)) => {
                let columns = version.columns.iter().map(|column| (column.name.clone(), column.data_type.clone()));
                self.columns.insert(index, columns.collect());
                let step = match version.step {
                    Some(step) => Some(catalog.step_by_id(step).await?.name),
                    None => None,
                };
                Table { step, ..Table::known(&dataset, &version) }
            }
            None => {
                Table { name: name.to_owned(), version: Some(number), detail: "dropped".to_owned(), ..Table::unknown() }
            }
        };
        self.graph.tables.push(table);
        Ok(index)
    }

    fn port(&mut self, table: usize, column: Option<&str>) -> Port {
        let shown = &mut self.graph.tables[table].columns;
        let column = column.map(|name| {
            shown.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
                let known = self.columns.get(&table).into_iter().flatten().find(|(known, _)| known == name);
                shown.push(known.cloned().unwrap_or_else(|| (name.to_owned(), String::new())));
                shown.len() - 1
            })
        });
        Port { table, column }
    }

    /// Puts the columns of each table in the order of the table.
    fn finish(mut self) -> Graph {
        for (index, table) in self.graph.tables.iter_mut().enumerate() {
            let known = self.columns.remove(&index).unwrap_or_default();
            let place = |name: &str| known.iter().position(|(known, _)| known == name);
            let mut order: Vec<usize> = (0..table.columns.len()).collect();
            order.sort_by_key(|column| place(&table.columns[*column].0));
            for edge in &mut self.graph.edges {
                for port in [&mut edge.from, &mut edge.to].into_iter().filter(|port| port.table == index) {
                    port.column = port.column.and_then(|column| order.iter().position(|old| *old == column));
                }
            }
            table.columns = order.into_iter().map(|column| table.columns[column].clone()).collect();
        }
        self.graph.edges.sort_by_key(|edge| (edge.to, edge.from));
        self.graph
    }
}

async fn described(
    catalog: &dyn Catalog,
    name: &str,
    number: i64,
) -> Result<Option<(Dataset, DatasetVersion)>, Failure> {
    let Some((schema, table)) = name.split_once('.') else { return Ok(None) };
    let Some(dataset) = catalog.dataset(&TableName::new(schema, table)).await? else { return Ok(None) };
    let version = catalog.version(dataset.id, number).await?;
    Ok(version.map(|version| (dataset, version)))
}

impl Table {
    fn known(dataset: &Dataset, version: &DatasetVersion) -> Self {
        let mut detail = dataset.kind.name().to_owned();
        if let Some(n_rows) = version.n_rows {
            detail.push_str(&format!(", {n_rows} {}", if n_rows == 1 { "row" } else { "rows" }));
        }
        if let Some(digest) = version.digest.as_ref().and_then(|digest| digest.get(..12)) {
            detail.push_str(&format!(", sha256 {digest}…"));
        }
        if dataset.dropped_at.is_some() {
            detail.push_str(", dropped");
        }
        let is_file = dataset.kind == DatasetKind::File;
        let name = if is_file { dataset.name.table.clone() } else { dataset.name.to_string() };
        Self {
            name,
            version: Some(version.version),
            detail,
            step: None,
            is_file,
            is_target: false,
            columns: Vec::new(),
        }
    }

    fn unknown() -> Self {
        Self {
            name: "unknown origin".to_owned(),
            version: None,
            detail: "an opaque step stands between".to_owned(),
            step: None,
            is_file: false,
            is_target: false,
            columns: Vec::new(),
        }
    }
}
