//! Datasets and their versions, read.

use sqlx::SqliteConnection;

use causeway_model::{Dataset, DatasetId, DatasetVersion, TableName, VersionId};

use super::rows;
use crate::error::{Result, invalid, not_found};

/// The schema of files outside the lake.
pub(super) const FILE_SCHEMA: &str = "file";

macro_rules! select_dataset {
    ($rest:literal) => {
        concat!(
            "SELECT id, schema_name, table_name, kind, location, view_sql, policy, created_at, dropped_at FROM dataset ",
            $rest
        )
    };
}

macro_rules! select_version {
    ($rest:literal) => {
        concat!(
            "SELECT v.id, v.dataset_id, v.version, v.n_rows, v.n_bytes, v.n_files, v.digest, v.step_id, v.committed_at, ",
            "(SELECT json_group_array(json_object('name', c.name, 'data_type', c.data_type, ",
            "'nullable', json(CASE WHEN c.nullable THEN 'true' ELSE 'false' END), 'unit', c.unit, 'meaning', c.meaning, ",
            "'identifying', json(CASE WHEN c.identifying THEN 'true' ELSE 'false' END)) ORDER BY c.ordinal) ",
            "FROM dataset_column c WHERE c.version_id = v.id) AS columns FROM dataset_version v ",
            $rest
        )
    };
}

pub(super) async fn schemas(connection: &mut SqliteConnection) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar("SELECT name FROM namespace ORDER BY name").fetch_all(connection).await?)
}

pub(super) async fn live(connection: &mut SqliteConnection, name: &TableName) -> Result<Option<Dataset>> {
    let row = sqlx::query(select_dataset!("WHERE schema_name = $1 AND table_name = $2 AND dropped_at IS NULL"))
        .bind(&name.schema)
        .bind(&name.table)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(rows::dataset).transpose()
}

pub(super) async fn by_id(connection: &mut SqliteConnection, id: DatasetId) -> Result<Dataset> {
    let row = sqlx::query(select_dataset!("WHERE id = $1")).bind(id.0).fetch_optional(connection).await?;
    rows::dataset(&row.ok_or_else(|| not_found("dataset", id.0))?)
}

pub(super) async fn list(connection: &mut SqliteConnection, include_dropped: bool) -> Result<Vec<Dataset>> {
    let rows = sqlx::query(select_dataset!("WHERE dropped_at IS NULL OR $1 ORDER BY schema_name, table_name, id"))
        .bind(include_dropped)
        .fetch_all(connection)
        .await?;
    rows.iter().map(rows::dataset).collect()
}

pub(super) async fn latest(connection: &mut SqliteConnection, dataset: DatasetId) -> Result<Option<DatasetVersion>> {
    let row = sqlx::query(select_version!("WHERE v.dataset_id = $1 ORDER BY v.version DESC LIMIT 1"))
        .bind(dataset.0)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(rows::version).transpose()
}

pub(super) async fn numbered(
    connection: &mut SqliteConnection,
    dataset: DatasetId,
    version: i64,
) -> Result<Option<DatasetVersion>> {
    let row = sqlx::query(select_version!("WHERE v.dataset_id = $1 AND v.version = $2"))
        .bind(dataset.0)
        .bind(version)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(rows::version).transpose()
}

pub(super) async fn at(
    connection: &mut SqliteConnection,
    dataset: DatasetId,
    instant: &str,
) -> Result<Option<DatasetVersion>> {
    let instant = utc(connection, instant).await?;
    let row = sqlx::query(select_version!(
        "WHERE v.dataset_id = $1 AND v.committed_at <= $2 ORDER BY v.version DESC LIMIT 1"
    ))
    .bind(dataset.0)
    .bind(instant)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(rows::version).transpose()
}

pub(super) async fn version(connection: &mut SqliteConnection, id: VersionId) -> Result<DatasetVersion> {
    let row = sqlx::query(select_version!("WHERE v.id = $1")).bind(id.0).fetch_optional(connection).await?;
    rows::version(&row.ok_or_else(|| not_found("version", id.0))?)
}

pub(super) async fn versions(
    connection: &mut SqliteConnection,
    dataset: Option<DatasetId>,
) -> Result<Vec<DatasetVersion>> {
    let rows = match dataset {
        Some(dataset) => {
            let query = sqlx::query(select_version!("WHERE v.dataset_id = $1 ORDER BY v.version"));
            query.bind(dataset.0).fetch_all(connection).await?
        }
        None => sqlx::query(select_version!("ORDER BY v.id")).fetch_all(connection).await?,
    };
    rows.iter().map(rows::version).collect()
}

/// Lists the versions of a file's dataset that hold this content.
pub(super) async fn with_digest(
    connection: &mut SqliteConnection,
    dataset: DatasetId,
    digest: &str,
) -> Result<Vec<DatasetVersion>> {
    let rows = sqlx::query(select_version!("WHERE v.dataset_id = $1 AND v.digest = $2 ORDER BY v.version"))
        .bind(dataset.0)
        .bind(digest)
        .fetch_all(connection)
        .await?;
    rows.iter().map(rows::version).collect()
}

/// Returns an instant in the form in which times are stored.
async fn utc(connection: &mut SqliteConnection, instant: &str) -> Result<String> {
    let utc: Option<String> = sqlx::query_scalar("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', $1)")
        .bind(looks_like_rfc3339(instant).then_some(instant))
        .fetch_one(connection)
        .await?;
    utc.ok_or_else(|| {
        invalid(format!("`{instant}` is no instant; write it with its offset, as in 2026-05-01T06:00:00Z"))
    })
}

/// SQLite also takes Julian days, `now`, and times without an offset; none of them is meant here.
fn looks_like_rfc3339(instant: &str) -> bool {
    let bytes = instant.as_bytes();
    let is = |at: usize, allowed: &[u8]| bytes.get(at).is_some_and(|byte| allowed.contains(byte));
    let ends_with_offset = bytes.len().checked_sub(6).is_some_and(|at| is(at, b"+-"));
    is(4, b"-")
        && is(7, b"-")
        && is(10, b"Tt ")
        && is(13, b":")
        && is(16, b":")
        && (instant.ends_with(['Z', 'z']) || ends_with_offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_need_date_time_and_offset() {
        for good in ["2026-05-01T06:00:00Z", "2026-05-01 06:00:00.250z", "2026-05-01T06:00:00+02:00"] {
            assert!(looks_like_rfc3339(good), "{good}");
        }
        for bad in ["", "now", "2461000.5", "2026-05-01", "2026-05-01T06:00:00", "06:00:00Z"] {
            assert!(!looks_like_rfc3339(bad), "{bad}");
        }
    }
}
