//! Lineage, read: the closure in SQL, distances and order here.

use sqlx::SqliteConnection;

use causeway_model::{Direction, LineageRow, VersionId};

use super::names::{Names, StoredEdge};
use super::walk::{self, Edge, Node};
use super::{datasets, edges, write};
use crate::error::{Result, damaged};

/// Up to this depth the closure counts steps and stops early. Beyond it (and without a limit) it only
/// collects nodes: counting would visit a node once for each distance at which it can be reached.
const COUNTED_DEPTH: i64 = 8;

/// Nodes are column ids, and negated version ids that stand for all columns of a version.
/// One row of JSON: tens of thousands of rows, one by one, would take longer than finding them.
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
SELECT json_group_array(json_array(output, source, kind, masking)) FROM (
    SELECT e.out_column_id AS output, e.in_column_id AS source, e.kind, e.masking
      FROM nodes n CROSS JOIN column_edge e WHERE e.out_column_id = n.node
    UNION ALL
    SELECT -e.out_version_id, e.in_column_id, e.kind, e.masking
      FROM nodes n CROSS JOIN dataset_edge e WHERE e.out_version_id = -n.node
)";

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
SELECT json_group_array(json_array(output, source, kind, masking)) FROM (
    SELECT e.out_column_id AS output, e.in_column_id AS source, e.kind, e.masking
      FROM nodes n CROSS JOIN column_edge e WHERE e.in_column_id = n.node
    UNION ALL
    SELECT -e.out_version_id, e.in_column_id, e.kind, e.masking
      FROM nodes n CROSS JOIN dataset_edge e WHERE e.in_column_id = n.node
)";

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
    let stored = closure(connection, question).await?;
    let names = Names::load(connection, &stored).await?;
    let edges = stored.iter().map(|edge| names.edge(edge)).collect::<Result<Vec<Edge>>>()?;
    let mut found = walk::nearest_first(&edges, start, question.direction, question.depth);
    found.sort_by_cached_key(|(depth, edge)| (*depth, names.rank(edge)));
    found.into_iter().map(|(depth, edge)| names.row(depth, edge)).collect()
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

/// Reads every edge that can be reached.
async fn closure(connection: &mut SqliteConnection, question: &Question<'_>) -> Result<Vec<StoredEdge>> {
    let (counted, stop) = match question.depth {
        Some(depth) if depth <= COUNTED_DEPTH => (1, depth),
        _ => (0, 1),
    };
    let sql = match question.direction {
        Direction::Upstream => UPSTREAM,
        Direction::Downstream => DOWNSTREAM,
    };
    let edges: String = sqlx::query_scalar(sql)
        .bind(question.target.0)
        .bind(question.column)
        .bind(counted)
        .bind(stop)
        .fetch_one(connection)
        .await?;
    serde_json::from_str(&edges).map_err(|e| damaged(format!("lineage edges: {e}")))
}
