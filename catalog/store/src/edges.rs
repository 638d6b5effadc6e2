//! Lineage edges, written: from names to column ids.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use causeway_model::{EdgeSource, LineageEdge, StepOutcome, VersionId};

use crate::connection::Connection;
use crate::datasets;
use crate::error::{Result, StoreError, invalid, not_found};
use crate::write::{self, ColumnIds};

/// Finds the column ids of the origins, one per edge; `None` for an unknown one.
pub(crate) async fn origins(connection: &mut Connection, edges: &[LineageEdge]) -> Result<Vec<Option<i64>>> {
    let mut known = HashMap::new();
    let mut origins = Vec::with_capacity(edges.len());
    for edge in edges {
        origins.push(match &edge.source {
            EdgeSource::Unknown => None,
            EdgeSource::Column { version, column } => Some(column_id(connection, &mut known, *version, column).await?),
        });
    }
    Ok(origins)
}

/// One row of an edge table: the output side, the origin, the kind's number, masking.
type EdgeRow = (i64, Option<i64>, i64, bool);

/// Writes a step's edges, each once.
pub(crate) async fn write(
    connection: &mut Connection,
    outcome: &StepOutcome,
    outputs: &[VersionId],
    origins: &[Option<i64>],
) -> Result<()> {
    let mut known = HashMap::new();
    let mut column_edges = BTreeSet::new();
    let mut dataset_edges = BTreeSet::new();
    for (edge, origin) in outcome.lineage.iter().zip(origins) {
        let output = *outputs.get(edge.output).ok_or_else(|| no_such_output(edge.output, outputs.len()))?;
        let kind = i64::from(edge.kind as u8);
        match &edge.column {
            None => dataset_edges.insert((output.0, *origin, kind, edge.masking)),
            Some(column) => {
                let id = column_id(connection, &mut known, output, column).await?;
                column_edges.insert((id, *origin, kind, edge.masking))
            }
        };
    }
    insert(connection, "INSERT INTO column_edge (out_column_id, in_column_id, kind, masking)", column_edges).await?;
    insert(connection, "INSERT INTO dataset_edge (out_version_id, in_column_id, kind, masking)", dataset_edges).await
}

async fn insert(connection: &mut Connection, into: &'static str, edges: BTreeSet<EdgeRow>) -> Result<()> {
    let edges: Vec<EdgeRow> = edges.into_iter().collect();
    connection
        .insert(into, 4, &edges, |row, &(output, origin, kind, masking)| {
            row.bind(output).bind(origin).bind(kind).bind(masking)
        })
        .await
}

/// Looks a column up, reading each version's columns once.
async fn column_id(
    connection: &mut Connection,
    known: &mut HashMap<VersionId, ColumnIds>,
    version: VersionId,
    column: &str,
) -> Result<i64> {
    let ids = match known.entry(version) {
        Entry::Occupied(read) => read.into_mut(),
        Entry::Vacant(new) => new.insert(write::column_ids(connection, version).await?),
    };
    match ids.get(column) {
        Some(id) => Ok(*id),
        None => Err(missing_column(connection, version, column).await),
    }
}

/// Says which part of an edge's end does not exist: the version or its column.
pub(crate) async fn missing_column(connection: &mut Connection, version: VersionId, column: &str) -> StoreError {
    let version = match datasets::version(connection, version).await {
        Ok(version) => version,
        Err(error) => return error,
    };
    match datasets::by_id(connection, version.dataset).await {
        Ok(dataset) => not_found("column", format!("{}.{column}", dataset.name)),
        Err(error) => error,
    }
}

fn no_such_output(index: usize, n_outputs: usize) -> StoreError {
    invalid(format!("a lineage edge names output {index}, but the step has {n_outputs} (counted from 0)"))
}
