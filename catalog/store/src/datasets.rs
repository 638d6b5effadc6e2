//! Datasets and their versions, read.

use chrono::{DateTime, SecondsFormat};

use causeway_model::{Dataset, DatasetId, DatasetVersion, TableName, VersionId};

use crate::connection::{Connection, Sql};
use crate::error::{Result, invalid, not_found};
use crate::rows;

/// The schema of files outside the lake.
pub(crate) const FILE_SCHEMA: &str = "file";

macro_rules! select_dataset {
    ($rest:literal) => {
        concat!(
            "SELECT id, schema_name, table_name, kind, location, view_sql, policy, created_at, dropped_at FROM dataset ",
            $rest
        )
    };
}

/// A version's columns come as one JSON text: a wide table has tens of thousands.
macro_rules! version_columns {
    ($columns:literal) => {
        concat!(
            "v.id AS version_id, v.dataset_id, v.version, v.n_rows, v.n_bytes, v.n_files, v.digest, v.step_id, \
             v.committed_at, (SELECT ",
            $columns,
            " FROM dataset_column c WHERE c.version_id = v.id) AS columns "
        )
    };
}

macro_rules! select_version {
    ($rest:literal) => {
        select_version!("SELECT ", "FROM dataset_version v ", $rest)
    };
    ($before:literal, $from:literal, $rest:literal) => {
        Sql {
            sqlite: concat!(
                $before,
                version_columns!(
                    "json_group_array(json_object('name', c.name, 'data_type', c.data_type, \
                     'nullable', json(CASE WHEN c.nullable THEN 'true' ELSE 'false' END), \
                     'unit', c.unit, 'meaning', c.meaning, \
                     'identifying', json(CASE WHEN c.identifying THEN 'true' ELSE 'false' END)) ORDER BY c.ordinal)"
                ),
                $from,
                $rest
            ),
            postgres: concat!(
                $before,
                version_columns!(
                    "COALESCE(json_agg(json_build_object('name', c.name, 'data_type', c.data_type, \
                     'nullable', c.nullable, 'unit', c.unit, 'meaning', c.meaning, \
                     'identifying', c.identifying) ORDER BY c.ordinal)::text, '[]')"
                ),
                $from,
                $rest
            ),
        }
    };
}

/// A live dataset with its newest version, both at once.
const NEWEST: Sql = select_version!(
    "SELECT d.id, d.schema_name, d.table_name, d.kind, d.location, d.view_sql, d.policy, d.created_at, d.dropped_at, ",
    "FROM dataset d LEFT JOIN dataset_version v ON v.id = (SELECT n.id FROM dataset_version n \
     WHERE n.dataset_id = d.id ORDER BY n.version DESC LIMIT 1) ",
    "WHERE d.schema_name = $1 AND d.table_name = $2 AND d.dropped_at IS NULL"
);

pub(crate) async fn schemas(connection: &mut Connection) -> Result<Vec<String>> {
    connection.query("SELECT name FROM namespace ORDER BY name").fetch_scalars().await
}

pub(crate) async fn live(connection: &mut Connection, name: &TableName) -> Result<Option<Dataset>> {
    let row = connection
        .query(select_dataset!("WHERE schema_name = $1 AND table_name = $2 AND dropped_at IS NULL"))
        .bind(&name.schema)
        .bind(&name.table)
        .fetch_optional()
        .await?;
    row.as_ref().map(rows::dataset).transpose()
}

pub(crate) async fn newest(
    connection: &mut Connection,
    name: &TableName,
) -> Result<Option<(Dataset, Option<DatasetVersion>)>> {
    let query = connection.query(NEWEST).bind(&name.schema).bind(&name.table);
    let Some(row) = query.fetch_optional().await? else { return Ok(None) };
    let version = match row.get::<Option<i64>>("version_id")? {
        Some(_) => Some(rows::version(&row)?),
        None => None,
    };
    Ok(Some((rows::dataset(&row)?, version)))
}

pub(crate) async fn by_id(connection: &mut Connection, id: DatasetId) -> Result<Dataset> {
    let row = connection.query(select_dataset!("WHERE id = $1")).bind(id.0).fetch_optional().await?;
    rows::dataset(&row.ok_or_else(|| not_found("dataset", id.0))?)
}

pub(crate) async fn list(connection: &mut Connection, include_dropped: bool) -> Result<Vec<Dataset>> {
    let rows = connection
        .query(select_dataset!("WHERE dropped_at IS NULL OR $1 ORDER BY schema_name, table_name, id"))
        .bind(include_dropped)
        .fetch_all()
        .await?;
    rows.iter().map(rows::dataset).collect()
}

pub(crate) async fn latest(connection: &mut Connection, dataset: DatasetId) -> Result<Option<DatasetVersion>> {
    let row = connection
        .query(select_version!("WHERE v.dataset_id = $1 ORDER BY v.version DESC LIMIT 1"))
        .bind(dataset.0)
        .fetch_optional()
        .await?;
    row.as_ref().map(rows::version).transpose()
}

pub(crate) async fn numbered(
    connection: &mut Connection,
    dataset: DatasetId,
    version: i64,
) -> Result<Option<DatasetVersion>> {
    let row = connection
        .query(select_version!("WHERE v.dataset_id = $1 AND v.version = $2"))
        .bind(dataset.0)
        .bind(version)
        .fetch_optional()
        .await?;
    row.as_ref().map(rows::version).transpose()
}

pub(crate) async fn at(
    connection: &mut Connection,
    dataset: DatasetId,
    instant: &str,
) -> Result<Option<DatasetVersion>> {
    let instant = utc(instant)?;
    let row = connection
        .query(select_version!("WHERE v.dataset_id = $1 AND v.committed_at <= $2 ORDER BY v.version DESC LIMIT 1"))
        .bind(dataset.0)
        .bind(instant)
        .fetch_optional()
        .await?;
    row.as_ref().map(rows::version).transpose()
}

pub(crate) async fn version(connection: &mut Connection, id: VersionId) -> Result<DatasetVersion> {
    let row = connection.query(select_version!("WHERE v.id = $1")).bind(id.0).fetch_optional().await?;
    rows::version(&row.ok_or_else(|| not_found("version", id.0))?)
}

pub(crate) async fn versions(connection: &mut Connection, dataset: Option<DatasetId>) -> Result<Vec<DatasetVersion>> {
    let rows = match dataset {
        Some(dataset) => {
            let query = connection.query(select_version!("WHERE v.dataset_id = $1 ORDER BY v.version"));
            query.bind(dataset.0).fetch_all().await?
        }
        None => connection.query(select_version!("ORDER BY v.id")).fetch_all().await?,
    };
    rows.iter().map(rows::version).collect()
}

/// Lists the versions of a file's dataset that hold this content.
pub(crate) async fn with_digest(
    connection: &mut Connection,
    dataset: DatasetId,
    digest: &str,
) -> Result<Vec<DatasetVersion>> {
    let rows = connection
        .query(select_version!("WHERE v.dataset_id = $1 AND v.digest = $2 ORDER BY v.version"))
        .bind(dataset.0)
        .bind(digest)
        .fetch_all()
        .await?;
    rows.iter().map(rows::version).collect()
}

/// Returns an instant in the form in which times are stored, so that they compare as texts.
fn utc(instant: &str) -> Result<String> {
    let instant = DateTime::parse_from_rfc3339(instant).map_err(|_| {
        invalid(format!("`{instant}` is no instant; write it with its offset, as in 2026-05-01T06:00:00Z"))
    })?;
    Ok(instant.to_utc().to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_utc_with_milliseconds() {
        for (given, stored) in [
            ("2026-05-01T06:00:00Z", "2026-05-01T06:00:00.000Z"),
            ("2026-05-01 06:00:00.250z", "2026-05-01T06:00:00.250Z"),
            ("2026-05-01T06:00:00.2509+02:00", "2026-05-01T04:00:00.250Z"),
        ] {
            assert_eq!(utc(given).unwrap(), stored);
        }
    }

    #[test]
    fn instants_need_date_time_and_offset() {
        for bad in ["", "now", "2461000.5", "2026-05-01", "2026-05-01T06:00:00", "06:00:00Z", "2026-02-30T00:00:00Z"] {
            assert!(utc(bad).is_err(), "{bad}");
        }
    }
}
