//! Rows that more than one call writes: datasets, versions and their columns.

use std::collections::{HashMap, HashSet};

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use causeway_model::{Column, DatasetId, DatasetKind, DatasetPolicy, StepId, TableName, VersionId};

use super::datasets::FILE_SCHEMA;
use crate::error::{Result, invalid};

/// Rows of one `INSERT`; 9 values a row stay far below SQLite's 32 766 and Postgres's 65 535.
const CHUNK: usize = 1000;

/// Column ids of one version by name.
pub(super) type ColumnIds = HashMap<String, i64>;

/// A dataset about to be made.
pub(super) struct NewDataset<'a> {
    pub(super) name: &'a TableName,
    pub(super) kind: DatasetKind,
    pub(super) location: &'a str,
}

/// A version about to be recorded.
#[derive(Default)]
pub(super) struct NewVersion<'a> {
    pub(super) version: i64,
    pub(super) n_rows: Option<i64>,
    pub(super) n_bytes: Option<i64>,
    pub(super) n_files: Option<i64>,
    pub(super) digest: Option<&'a str>,
    pub(super) step: Option<StepId>,
    pub(super) previous: Option<VersionId>,
    pub(super) columns: &'a [Column],
}

/// Returns the database's time. Asked once a transaction, so that all its rows agree.
pub(super) async fn now(connection: &mut SqliteConnection) -> Result<String> {
    Ok(sqlx::query_scalar("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')").fetch_one(connection).await?)
}

pub(super) async fn schema(connection: &mut SqliteConnection, name: &str, now: &str) -> Result<()> {
    sqlx::query("INSERT INTO namespace (name, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(name)
        .bind(now)
        .execute(connection)
        .await?;
    Ok(())
}

/// Makes a dataset, and its schema if there is none.
pub(super) async fn dataset(connection: &mut SqliteConnection, new: &NewDataset<'_>, now: &str) -> Result<DatasetId> {
    if new.kind != DatasetKind::File {
        schema(connection, &new.name.schema, now).await?;
    }
    let policy = policy_json(&DatasetPolicy::default())?;
    let id = sqlx::query_scalar(
        "INSERT INTO dataset (schema_name, table_name, kind, location, policy, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
    )
    .bind(&new.name.schema)
    .bind(&new.name.table)
    .bind(new.kind.name())
    .bind(new.location)
    .bind(policy)
    .bind(now)
    .fetch_one(connection)
    .await?;
    Ok(DatasetId(id))
}

pub(super) async fn version(
    connection: &mut SqliteConnection,
    dataset: DatasetId,
    new: &NewVersion<'_>,
    now: &str,
) -> Result<VersionId> {
    let id: i64 = sqlx::query_scalar(
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
    .fetch_one(&mut *connection)
    .await?;
    columns(connection, VersionId(id), new.columns).await?;
    Ok(VersionId(id))
}

/// Returns the number after the newest version of a dataset.
pub(super) async fn next_number(connection: &mut SqliteConnection, dataset: DatasetId) -> Result<i64> {
    Ok(sqlx::query_scalar("SELECT COALESCE(MAX(version) + 1, 0) FROM dataset_version WHERE dataset_id = $1")
        .bind(dataset.0)
        .fetch_one(connection)
        .await?)
}

pub(super) async fn column_ids(connection: &mut SqliteConnection, version: VersionId) -> Result<ColumnIds> {
    let ids: Vec<(String, i64)> = sqlx::query_as("SELECT name, id FROM dataset_column WHERE version_id = $1")
        .bind(version.0)
        .fetch_all(connection)
        .await?;
    Ok(ids.into_iter().collect())
}

pub(super) fn policy_json(policy: &DatasetPolicy) -> Result<String> {
    serde_json::to_string(policy).map_err(|e| invalid(format!("the policy cannot be stored: {e}")))
}

/// Refuses tables and views where files outside the lake are listed.
pub(super) fn check_schema(name: &TableName) -> Result<()> {
    if name.schema == FILE_SCHEMA {
        return Err(invalid(format!("schema `{FILE_SCHEMA}` is kept for files outside the lake; choose another")));
    }
    Ok(())
}

async fn columns(connection: &mut SqliteConnection, version: VersionId, columns: &[Column]) -> Result<()> {
    check_unique(columns)?;
    let numbered: Vec<(i64, &Column)> = (0..).zip(columns).collect();
    for chunk in numbered.chunks(CHUNK) {
        let mut insert = QueryBuilder::<Sqlite>::new(
            "INSERT INTO dataset_column (version_id, ordinal, name, data_type, nullable, unit, meaning, identifying) ",
        );
        insert.push_values(chunk, |mut row, (ordinal, column)| {
            row.push_bind(version.0)
                .push_bind(*ordinal)
                .push_bind(column.name.as_str())
                .push_bind(column.data_type.as_str())
                .push_bind(column.nullable)
                .push_bind(column.unit.as_deref())
                .push_bind(column.meaning.as_deref())
                .push_bind(column.identifying);
        });
        insert.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

fn check_unique(columns: &[Column]) -> Result<()> {
    let mut seen = HashSet::new();
    match columns.iter().find(|column| !seen.insert(column.name.as_str())) {
        Some(column) => Err(invalid(format!("column `{}` stands twice in one version", column.name))),
        None => Ok(()),
    }
}
