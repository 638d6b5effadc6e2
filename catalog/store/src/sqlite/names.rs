//! What the ids of lineage edges are called.

use std::collections::{HashMap, HashSet};

use sqlx::{Row as _, SqliteConnection};

use causeway_model::{EdgeKind, LineageRow, RunId, TableName};

use super::walk::{Edge, Node};
use crate::error::{Result, StoreError, damaged};

/// An edge as it is stored: the output (a column id, or a negated version id for an edge of the whole
/// version), the origin's column id if known, the kind's number, 1 if masked.
pub(super) type StoredEdge = (i64, Option<i64>, usize, u8);

struct ColumnName {
    version: i64,
    name: String,
    /// Its place among all names here, so that edges are sorted by numbers.
    rank: usize,
}

struct VersionName {
    dataset: String,
    version: i64,
    /// The run and the step's name; none for a file.
    made_by: Option<(RunId, String)>,
    rank: usize,
}

/// The columns and versions at the ends of some edges.
pub(super) struct Names {
    columns: HashMap<i64, ColumnName>,
    versions: HashMap<i64, VersionName>,
}

impl Names {
    pub(super) async fn load(connection: &mut SqliteConnection, edges: &[StoredEdge]) -> Result<Self> {
        let ends: HashSet<i64> = edges.iter().flat_map(|edge| [Some(edge.0), edge.1]).flatten().collect();
        let (columns, whole): (Vec<i64>, Vec<i64>) = ends.into_iter().partition(|end| *end > 0);
        let columns = load_columns(connection, columns).await?;
        let versions = columns.values().map(|column| column.version).chain(whole.into_iter().map(|end| -end));
        let versions = load_versions(connection, versions.collect()).await?;
        Ok(Self { columns, versions })
    }

    /// Adds the versions to an edge's ends.
    pub(super) fn edge(&self, &(output, source, kind, masking): &StoredEdge) -> Result<Edge> {
        Ok(Edge {
            output: self.node(output)?,
            source: source.map(|source| self.node(source)).transpose()?,
            kind: *EdgeKind::ALL.get(kind).ok_or_else(|| damaged(format!("unknown kind of lineage edge {kind}")))?,
            masking: masking != 0,
        })
    }

    /// Orders edges by output, then by origin, each by dataset, version and column.
    pub(super) fn rank(&self, edge: &Edge) -> impl Ord + use<> {
        let rank = |node: Node| {
            let column = node.column.and_then(|id| self.columns.get(&id)).map(|column| column.rank);
            (self.versions.get(&node.version).map(|version| version.rank), column)
        };
        (rank(edge.output), edge.source.map(rank), edge.kind, edge.masking)
    }

    pub(super) fn row(&self, depth: i64, edge: &Edge) -> Result<LineageRow> {
        let output = self.version(edge.output.version)?;
        let source = edge.source.map(|source| self.version(source.version)).transpose()?;
        let (run, step) =
            output.made_by.clone().ok_or_else(|| damaged(format!("`{}` has lineage but no step", output.dataset)))?;
        Ok(LineageRow {
            depth,
            dataset: output.dataset.clone(),
            version: output.version,
            column: self.column_name(Some(edge.output)),
            source_dataset: source.map(|source| source.dataset.clone()),
            source_version: source.map(|source| source.version),
            source_column: self.column_name(edge.source),
            kind: edge.kind,
            masking: edge.masking,
            run,
            step,
        })
    }

    fn node(&self, end: i64) -> Result<Node> {
        if end < 0 {
            return Ok(Node { column: None, version: -end });
        }
        let column = self.columns.get(&end).ok_or_else(|| gone("column", end))?;
        Ok(Node { column: Some(end), version: column.version })
    }

    fn version(&self, id: i64) -> Result<&VersionName> {
        self.versions.get(&id).ok_or_else(|| gone("version", id))
    }

    fn column_name(&self, node: Option<Node>) -> Option<String> {
        self.columns.get(&node?.column?).map(|column| column.name.clone())
    }
}

async fn load_columns(connection: &mut SqliteConnection, ids: Vec<i64>) -> Result<HashMap<i64, ColumnName>> {
    let found: String = sqlx::query_scalar(
        "SELECT json_group_array(json_array(c.id, c.version_id, c.name)) FROM json_each($1) j \
         CROSS JOIN dataset_column c WHERE c.id = j.value",
    )
    .bind(json(ids))
    .fetch_one(connection)
    .await?;
    let mut found: Vec<(i64, i64, String)> =
        serde_json::from_str(&found).map_err(|e| damaged(format!("columns of lineage edges: {e}")))?;
    found.sort_by(|a, b| a.2.cmp(&b.2));
    let mut columns = HashMap::with_capacity(found.len());
    let (mut rank, mut last) = (0, None);
    for (id, version, name) in found {
        rank += usize::from(last.as_ref() != Some(&name));
        last = Some(name.clone());
        columns.insert(id, ColumnName { version, name, rank });
    }
    Ok(columns)
}

async fn load_versions(connection: &mut SqliteConnection, ids: HashSet<i64>) -> Result<HashMap<i64, VersionName>> {
    let rows = sqlx::query(
        "SELECT v.id, v.version, d.schema_name, d.table_name, r.uuid, s.name FROM json_each($1) j \
         CROSS JOIN dataset_version v JOIN dataset d ON d.id = v.dataset_id \
         LEFT JOIN step s ON s.id = v.step_id LEFT JOIN run r ON r.id = s.run_id WHERE v.id = j.value \
         ORDER BY d.schema_name, d.table_name, v.version, v.id",
    )
    .bind(json(ids.into_iter().collect()))
    .fetch_all(connection)
    .await?;
    let mut versions = HashMap::with_capacity(rows.len());
    for (rank, row) in rows.iter().enumerate() {
        let name = TableName { schema: row.try_get(2)?, table: row.try_get(3)? };
        let made_by = match (row.try_get(4)?, row.try_get(5)?) {
            (Some(run), Some(step)) => Some((RunId(run), step)),
            _ => None,
        };
        let version = VersionName { dataset: name.to_string(), version: row.try_get(1)?, made_by, rank };
        versions.insert(row.try_get(0)?, version);
    }
    Ok(versions)
}

fn json(ids: Vec<i64>) -> String {
    serde_json::Value::from(ids).to_string()
}

fn gone(what: &str, id: i64) -> StoreError {
    damaged(format!("{what} {id} of a lineage edge is gone"))
}
