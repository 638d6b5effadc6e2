//! Rows that more than one call writes: datasets, versions and their columns.

use std::collections::{HashMap, HashSet};

use causeway_model::{Column, DatasetId, DatasetKind, DatasetPolicy, StepId, TableName, VersionId};

use chrono::SecondsFormat;

use crate::connection::Connection;
use crate::datasets::FILE_SCHEMA;
use crate::error::{Result, invalid};

const NOW: &str = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')";

const INTO_COLUMNS: &str =
    "INSERT INTO dataset_column (version_id, ordinal, name, data_type, nullable, unit, meaning, identifying)";

/// Column ids of one version by name.
pub(crate) type ColumnIds = HashMap<String, i64>;

/// A dataset about to be made.
pub(crate) struct NewDataset<'a> {
    pub(crate) name: &'a TableName,
    pub(crate) kind: DatasetKind,
    pub(crate) location: &'a str,
}

/// A version about to be recorded.
#[derive(Default)]
pub(crate) struct NewVersion<'a> {
    pub(crate) version: i64,
    pub(crate) n_rows: Option<i64>,
    pub(crate) n_bytes: Option<i64>,
    pub(crate) n_files: Option<i64>,
    pub(crate) digest: Option<&'a str>,
    pub(crate) step: Option<StepId>,
    pub(crate) previous: Option<VersionId>,
    pub(crate) columns: &'a [Column],
}

/// Returns the database's time. Asked once a transaction, so that all its rows agree.
pub(crate) async fn now(connection: &mut Connection) -> Result<String> {
    match connection.own_time() {
        Some(time) => Ok(time.to_rfc3339_opts(SecondsFormat::Millis, true)),
        None => connection.query(NOW).fetch_scalar().await,
    }
}

pub(crate) async fn schema(connection: &mut Connection, name: &str, now: &str) -> Result<()> {
    connection
        .query("INSERT INTO namespace (name, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(name)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// Makes a dataset, and its schema if there is none.
pub(crate) async fn dataset(connection: &mut Connection, new: &NewDataset<'_>, now: &str) -> Result<DatasetId> {
    if new.kind != DatasetKind::File {
        schema(connection, &new.name.schema, now).await?;
    }
    let policy = policy_json(&DatasetPolicy::default())?;
    let id = connection
        .query(
            "INSERT INTO dataset (schema_name, table_name, kind, location, policy, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
        )
        .bind(&new.name.schema)
        .bind(&new.name.table)
        .bind(new.kind.name())
        .bind(new.location)
        .bind(policy)
        .bind(now)
        .fetch_scalar()
        .await?;
    Ok(DatasetId(id))
}

pub(crate) async fn version(
    connection: &mut Connection,
    dataset: DatasetId,
    new: &NewVersion<'_>,
    now: &str,
) -> Result<VersionId> {
    let id: i64 = connection
        .query(
            "INSERT INTO dataset_version (dataset_id, version, n_rows, n_bytes, n_files, digest, step_id, previous_id, \
         committed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id",
        )
        .bind(dataset.0)
        .bind(new.version)
        .bind(new.n_rows)
        .bind(new.n_bytes)
        .bind(new.n_files)
        .bind(new.digest)
        .bind(new.step.map(|step| step.0))
        .bind(new.previous.map(|version| version.0))
        .bind(now)
        .fetch_scalar()
        .await?;
    columns(connection, VersionId(id), new.columns).await?;
    Ok(VersionId(id))
}

/// Returns the number after the newest version of a dataset.
pub(crate) async fn next_number(connection: &mut Connection, dataset: DatasetId) -> Result<i64> {
    connection
        .query("SELECT COALESCE(MAX(version) + 1, 0) FROM dataset_version WHERE dataset_id = $1")
        .bind(dataset.0)
        .fetch_scalar()
        .await
}

pub(crate) async fn column_ids(connection: &mut Connection, version: VersionId) -> Result<ColumnIds> {
    let rows = connection
        .query("SELECT name, id FROM dataset_column WHERE version_id = $1")
        .bind(version.0)
        .fetch_all()
        .await?;
    rows.iter().map(|row| Ok((row.get("name")?, row.get("id")?))).collect()
}

pub(crate) fn policy_json(policy: &DatasetPolicy) -> Result<String> {
    serde_json::to_string(policy).map_err(|e| invalid(format!("the policy cannot be stored: {e}")))
}

/// Refuses tables and views where files outside the lake are listed.
pub(crate) fn check_schema(name: &TableName) -> Result<()> {
    if name.schema == FILE_SCHEMA {
        return Err(invalid(format!("schema `{FILE_SCHEMA}` is kept for files outside the lake; choose another")));
    }
    Ok(())
}

async fn columns(connection: &mut Connection, version: VersionId, columns: &[Column]) -> Result<()> {
    check_unique(columns)?;
    let numbered: Vec<(i64, &Column)> = (0..).zip(columns).collect();
    connection
        .insert(INTO_COLUMNS, 8, &numbered, |row, (ordinal, column)| {
            row.bind(version.0)
                .bind(*ordinal)
                .bind(&column.name)
                .bind(&column.data_type)
                .bind(column.nullable)
                .bind(&column.unit)
                .bind(&column.meaning)
                .bind(column.identifying)
        })
        .await
}

fn check_unique(columns: &[Column]) -> Result<()> {
    let mut seen = HashSet::new();
    match columns.iter().find(|column| !seen.insert(column.name.as_str())) {
        Some(column) => Err(invalid(format!("column `{}` stands twice in one version", column.name))),
        None => Ok(()),
    }
}
