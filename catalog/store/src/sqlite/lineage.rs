//! Lineage, read: the closure in SQL, distances and order here.

use std::collections::{HashMap, HashSet};

use sqlx::{Row as _, SqliteConnection};

use causeway_model::{Direction, EdgeKind, LineageRow, RunId, TableName, VersionId};

use super::walk::{self, Edge, Node};
use super::{datasets, edges, write};
use crate::error::{Result, damaged};

/// Up to this depth the closure counts steps and stops early. Beyond it (and without a limit) it only
/// collects nodes: counting would visit a node once for each distance at which it can be reached.
const COUNTED_DEPTH: i64 = 8;

/// Nodes are column ids, and negated version ids that stand for all columns of a version.
/// $1 version, $2 column name or null, $3 steps counted per edge (0 or 1), $4 depth at which to stop.
const UPSTREAM: &str = "
WITH RECURSIVE reached (node, depth) AS (
    SELECT id, 0 FROM dataset_column WHERE version_id = $1 AND name = COALESCE($2, name)
    UNION
    SELECT e.in_column_id, r.depth + $3 FROM reached r CROSS JOIN column_edge e
     WHERE e.out_column_id = r.node AND e.in_column_id IS NOT NULL AND r.depth < $4
    UNION
    SELECT -c.version_id, r.depth FROM reached r CROSS JOIN dataset_column c WHERE c.id = r.node
    UNION
    SELECT e.in_column_id, r.depth + $3 FROM reached r CROSS JOIN dataset_edge e
     WHERE e.out_version_id = -r.node AND e.in_column_id IS NOT NULL AND r.depth < $4
), nodes AS MATERIALIZED (SELECT DISTINCT node FROM reached WHERE depth < $4)
SELECT e.out_column_id, o.version_id AS out_version_id, o.name AS out_name,
       e.in_column_id, i.version_id AS in_version_id, i.name AS in_name, e.kind, e.masking
  FROM nodes n CROSS JOIN column_edge e CROSS JOIN dataset_column o LEFT JOIN dataset_column i ON i.id = e.in_column_id
 WHERE e.out_column_id = n.node AND o.id = n.node
UNION ALL
SELECT NULL, e.out_version_id, NULL, e.in_column_id, i.version_id, i.name, e.kind, e.masking
  FROM nodes n CROSS JOIN dataset_edge e LEFT JOIN dataset_column i ON i.id = e.in_column_id
 WHERE e.out_version_id = -n.node";

/// As [`UPSTREAM`], the other way.
const DOWNSTREAM: &str = "
WITH RECURSIVE reached (node, depth) AS (
    SELECT id, 0 FROM dataset_column WHERE version_id = $1 AND name = COALESCE($2, name)
    UNION
    SELECT e.out_column_id, r.depth + $3 FROM reached r CROSS JOIN column_edge e
     WHERE e.in_column_id = r.node AND r.depth < $4
    UNION
    SELECT -e.out_version_id, r.depth + $3 FROM reached r CROSS JOIN dataset_edge e
     WHERE e.in_column_id = r.node AND r.depth < $4
    UNION
    SELECT c.id, r.depth FROM reached r CROSS JOIN dataset_column c WHERE c.version_id = -r.node
), nodes AS MATERIALIZED (SELECT DISTINCT node FROM reached WHERE depth < $4)
SELECT e.out_column_id, o.version_id AS out_version_id, o.name AS out_name,
       e.in_column_id, i.version_id AS in_version_id, i.name AS in_name, e.kind, e.masking
  FROM nodes n CROSS JOIN column_edge e CROSS JOIN dataset_column i CROSS JOIN dataset_column o
 WHERE e.in_column_id = n.node AND i.id = n.node AND o.id = e.out_column_id
UNION ALL
SELECT NULL, e.out_version_id, NULL, e.in_column_id, i.version_id, i.name, e.kind, e.masking
  FROM nodes n CROSS JOIN dataset_edge e CROSS JOIN dataset_column i
 WHERE e.in_column_id = n.node AND i.id = n.node";

/// Where to start and how far to go.
pub(super) struct Question<'a> {
    pub(super) target: VersionId,
    pub(super) column: Option<&'a str>,
    pub(super) direction: Direction,
    pub(super) depth: Option<i64>,
}

pub(super) async fn follow(connection: &mut SqliteConnection, question: &Question<'_>) -> Result<Vec<LineageRow>> {
    let start = start(connection, question).await?;
    if question.depth.is_some_and(|depth| depth < 1) {
        return Ok(Vec::new());
    }
    let (edges, names) = closure(connection, question).await?;
    let versions = versions(connection, &edges).await?;
    let mut rows = Vec::with_capacity(edges.len());
    for (depth, edge) in walk::nearest_first(&edges, start, question.direction, question.depth) {
        rows.push(row(depth, edge, &versions, &names)?);
    }
    rows.sort_by(|a, b| order(a).cmp(&order(b)));
    Ok(rows)
}

/// Checks that the target exists.
async fn start(connection: &mut SqliteConnection, question: &Question<'_>) -> Result<Node> {
    let version = question.target.0;
    let Some(column) = question.column else {
        datasets::version(connection, question.target).await?;
        return Ok(Node { column: None, version });
    };
    match write::column_ids(connection, question.target).await?.get(column) {
        Some(id) => Ok(Node { column: Some(*id), version }),
        None => Err(edges::missing_column(connection, question.target, column).await),
    }
}

/// Names of columns by id.
type ColumnNames = HashMap<i64, String>;

/// Reads every edge that can be reached.
async fn closure(connection: &mut SqliteConnection, question: &Question<'_>) -> Result<(Vec<Edge>, ColumnNames)> {
    let (counted, stop) = match question.depth {
        Some(depth) if depth <= COUNTED_DEPTH => (1, depth),
        _ => (0, 1),
    };
    let sql = match question.direction {
        Direction::Upstream => UPSTREAM,
        Direction::Downstream => DOWNSTREAM,
    };
    let found = sqlx::query(sql)
        .bind(question.target.0)
        .bind(question.column)
        .bind(counted)
        .bind(stop)
        .fetch_all(connection)
        .await?;
    let mut edges = Vec::with_capacity(found.len());
    let mut names = ColumnNames::new();
    for row in &found {
        let output = Node { column: row.try_get(0)?, version: row.try_get(1)? };
        let origin: Option<i64> = row.try_get(3)?;
        let source = match origin {
            Some(column) => Some(Node { column: Some(column), version: row.try_get(4)? }),
            None => None,
        };
        for (column, name) in [(output.column, 2), (origin, 5)] {
            if let Some(column) = column
                && !names.contains_key(&column)
            {
                names.insert(column, row.try_get(name)?);
            }
        }
        edges.push(Edge { output, source, kind: kind(row.try_get(6)?)?, masking: row.try_get(7)? });
    }
    Ok((edges, names))
}

fn kind(stored: i64) -> Result<EdgeKind> {
    let found = usize::try_from(stored).ok().and_then(|at| EdgeKind::ALL.get(at).copied());
    found.ok_or_else(|| damaged(format!("unknown kind of lineage edge {stored}")))
}

/// A version, said so that people know it.
struct VersionName {
    dataset: String,
    version: i64,
    /// The run and the step's name; none for a file.
    made_by: Option<(RunId, String)>,
}

async fn versions(connection: &mut SqliteConnection, edges: &[Edge]) -> Result<HashMap<i64, VersionName>> {
    let ids: HashSet<i64> =
        edges.iter().flat_map(|edge| [Some(edge.output.version), edge.source.map(|s| s.version)]).flatten().collect();
    let ids = serde_json::Value::from_iter(ids).to_string();
    let rows = sqlx::query(
        "SELECT v.id, v.version, d.schema_name, d.table_name, r.uuid, s.name FROM json_each($1) j \
         CROSS JOIN dataset_version v JOIN dataset d ON d.id = v.dataset_id \
         LEFT JOIN step s ON s.id = v.step_id LEFT JOIN run r ON r.id = s.run_id WHERE v.id = j.value",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    let mut versions = HashMap::with_capacity(rows.len());
    for row in &rows {
        let name = TableName { schema: row.try_get(2)?, table: row.try_get(3)? };
        let made_by = match (row.try_get(4)?, row.try_get(5)?) {
            (Some(run), Some(step)) => Some((RunId(run), step)),
            _ => None,
        };
        versions.insert(row.try_get(0)?, VersionName { dataset: name.to_string(), version: row.try_get(1)?, made_by });
    }
    Ok(versions)
}

fn row(depth: i64, edge: &Edge, versions: &HashMap<i64, VersionName>, names: &ColumnNames) -> Result<LineageRow> {
    let version = |id: i64| versions.get(&id).ok_or_else(|| damaged(format!("version {id} of a lineage edge is gone")));
    let name = |column: Option<i64>| column.and_then(|id| names.get(&id)).cloned();
    let output = version(edge.output.version)?;
    let source = edge.source.map(|source| version(source.version)).transpose()?;
    let (run, step) =
        output.made_by.clone().ok_or_else(|| damaged(format!("`{}` has lineage but no step", output.dataset)))?;
    Ok(LineageRow {
        depth,
        dataset: output.dataset.clone(),
        version: output.version,
        column: name(edge.output.column),
        source_dataset: source.map(|source| source.dataset.clone()),
        source_version: source.map(|source| source.version),
        source_column: name(edge.source.and_then(|source| source.column)),
        kind: edge.kind,
        masking: edge.masking,
        run,
        step,
    })
}

/// Nearest first, then by name.
fn order(row: &LineageRow) -> impl Ord + '_ {
    (
        (row.depth, &row.dataset, row.version, &row.column),
        (&row.source_dataset, row.source_version, &row.source_column),
        (row.kind, row.masking),
    )
}
