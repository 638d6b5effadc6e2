//! What the nodes of lineage edges are called.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use causeway_model::{LineageRow, RunId, TableName};

use super::graph::Found;
use super::{Edge, sql};
use crate::connection::{Connection, Row};
use crate::error::{Result, StoreError, damaged};

struct VersionName {
    dataset: Arc<str>,
    version: i64,
    /// The run and the step's name; none for a file.
    made_by: Option<(Arc<RunId>, Arc<str>)>,
    /// The place of the version as a whole among all nodes; its columns come after it.
    first_node: usize,
}

struct NodeName {
    /// The place of its version.
    version: usize,
    /// None for the version as a whole.
    column: Option<Arc<str>>,
}

/// The nodes at the ends of some edges, in the order in which people list them: by dataset, version
/// and column, the version as a whole before its columns. A node's place says all about its rank.
pub(super) struct Names {
    versions: Vec<VersionName>,
    nodes: Vec<NodeName>,
    places: HashMap<i64, usize>,
}

impl Names {
    /// Names the ends of the edges; `known` are columns that need not be read again.
    pub(super) async fn load(connection: &mut Connection, edges: &[Edge], known: Vec<ColumnRow>) -> Result<Self> {
        let mut ends: HashSet<i64> = HashSet::with_capacity(2 * known.len());
        for edge in edges {
            ends.insert(edge.output);
            ends.extend(edge.source);
        }
        // Taken out of the ends as it is found, so that what is left is to be read.
        let mut columns: Vec<ColumnRow> = known.into_iter().filter(|column| ends.remove(&column.id)).collect();
        let (unknown, whole): (Vec<i64>, Vec<i64>) = ends.into_iter().partition(|end| *end > 0);
        if !unknown.is_empty() {
            columns.extend(load_columns(connection, &unknown).await?);
        }
        let mut ids: HashSet<i64> = whole.into_iter().map(|end| -end).collect();
        ids.extend(columns.iter().map(|column| column.version));
        let versions = load_versions(connection, &ids.into_iter().collect::<Vec<_>>()).await?;
        Self::ordered(versions, columns)
    }

    fn ordered(versions: Vec<(i64, VersionName)>, columns: Vec<ColumnRow>) -> Result<Self> {
        let place: HashMap<i64, usize> = (0..).zip(&versions).map(|(place, (id, _))| (*id, place)).collect();
        let mut nodes: Vec<(usize, Option<Arc<str>>, i64)> =
            (0..).zip(&versions).map(|(place, (id, _))| (place, None, -id)).collect();
        for column in columns {
            let version = *place.get(&column.version).ok_or_else(|| gone("version", column.version))?;
            nodes.push((version, Some(column.name), column.id));
        }
        nodes.sort_unstable();
        let places = (0..).zip(&nodes).map(|(place, (_, _, id))| (*id, place)).collect();
        let mut versions: Vec<VersionName> = versions.into_iter().map(|(_, version)| version).collect();
        for (place, (version, column, _)) in nodes.iter().enumerate().rev() {
            if let (None, Some(version)) = (column, versions.get_mut(*version)) {
                version.first_node = place;
            }
        }
        let nodes = nodes.into_iter().map(|(version, column, _)| NodeName { version, column }).collect();
        Ok(Self { versions, nodes, places })
    }

    pub(super) fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Finds the place of a column, or of a version as a whole (negated).
    pub(super) fn place(&self, node: i64) -> Option<usize> {
        self.places.get(&node).copied()
    }

    pub(super) fn known_place(&self, node: i64) -> Result<usize> {
        self.place(node).ok_or_else(|| gone("node", node))
    }

    /// Returns the place of the version as a whole that a node belongs to.
    pub(super) fn whole(&self, place: usize) -> usize {
        self.versions[self.nodes[place].version].first_node
    }

    /// Returns the place after the last column of a node's version.
    pub(super) fn end(&self, place: usize) -> usize {
        self.versions.get(self.nodes[place].version + 1).map_or(self.nodes.len(), |next| next.first_node)
    }

    pub(super) fn row(&self, edge: Found) -> Result<LineageRow> {
        let output = &self.nodes[edge.output];
        let of = &self.versions[output.version];
        let source = edge.source().map(|place| &self.nodes[place]);
        let from = source.map(|source| &self.versions[source.version]);
        let (run, step) =
            of.made_by.clone().ok_or_else(|| damaged(format!("`{}` has lineage but no step", of.dataset)))?;
        Ok(LineageRow {
            depth: edge.depth,
            dataset: Arc::clone(&of.dataset),
            version: of.version,
            column: output.column.clone(),
            source_dataset: from.map(|from| Arc::clone(&from.dataset)),
            source_version: from.map(|from| from.version),
            source_column: source.and_then(|source| source.column.clone()),
            kind: edge.kind,
            masking: edge.masking,
            run,
            step,
        })
    }
}

pub(super) struct ColumnRow {
    id: i64,
    pub(super) version: i64,
    name: Arc<str>,
}

async fn load_columns(connection: &mut Connection, ids: &[i64]) -> Result<Vec<ColumnRow>> {
    columns(&connection.query(sql::COLUMNS).bind_integers(ids).fetch_one().await?, 0)
}

/// Reads the lists of ids, versions and names that begin at a place of a row.
pub(super) fn columns(row: &Row, at: usize) -> Result<Vec<ColumnRow>> {
    let names: Vec<String> = serde_json::from_str(row.get::<Option<&str>>(at + 2)?.unwrap_or("[]"))
        .map_err(|error| damaged(format!("columns of lineage edges: {error}")))?;
    let ids = row.integers(at)?.into_iter().zip(row.integers(at + 1)?);
    Ok(ids.zip(names).map(|((id, version), name)| ColumnRow { id, version, name: name.into() }).collect())
}

async fn load_versions(connection: &mut Connection, ids: &[i64]) -> Result<Vec<(i64, VersionName)>> {
    let rows = connection.query(sql::VERSIONS).bind_integers(ids).fetch_all().await?;
    let mut versions = Vec::with_capacity(rows.len());
    for row in &rows {
        let name = TableName { schema: row.get(2)?, table: row.get(3)? };
        let run: Option<String> = row.get(4)?;
        let made_by = run.map(|run| Arc::new(RunId(run))).zip(row.get::<Option<&str>>(5)?.map(Arc::from));
        let version = VersionName { dataset: name.to_string().into(), version: row.get(1)?, made_by, first_node: 0 };
        versions.push((row.get(0)?, version));
    }
    Ok(versions)
}

fn gone(what: &str, id: i64) -> StoreError {
    damaged(format!("{what} {id} of a lineage edge is gone"))
}

#[cfg(test)]
impl Names {
    /// Makes names of columns given as (version, column id).
    pub(super) fn of_columns(columns: &[(i64, i64)]) -> Self {
        let versions: std::collections::BTreeSet<i64> = columns.iter().map(|(version, _)| *version).collect();
        let named =
            |&version: &i64| (version, VersionName { dataset: "".into(), version, made_by: None, first_node: 0 });
        let columns =
            columns.iter().map(|&(version, id)| ColumnRow { id, version, name: format!("{id:05}").into() }).collect();
        Self::ordered(versions.iter().map(named).collect(), columns).unwrap()
    }
}
