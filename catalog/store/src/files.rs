//! Files outside the lake.

use causeway_model::{DatasetId, DatasetKind, NewFile, TableName, VersionId};

use crate::connection::Connection;
use crate::datasets::{self, FILE_SCHEMA};
use crate::error::Result;
use crate::write::{self, NewDataset, NewVersion};

pub(crate) async fn register(connection: &mut Connection, file: &NewFile) -> Result<VersionId> {
    let now = write::now(connection).await?;
    let dataset = dataset(connection, &file.path, &now).await?;
    let same_content = datasets::with_digest(connection, dataset, &file.digest).await?;
    if let Some(known) = same_content.iter().find(|version| version.columns == file.columns) {
        return Ok(known.id);
    }
    let version = NewVersion {
        version: write::next_number(connection, dataset).await?,
        n_bytes: Some(file.n_bytes),
        n_files: Some(1),
        digest: Some(&file.digest),
        columns: &file.columns,
        ..NewVersion::default()
    };
    write::version(connection, dataset, &version, &now).await
}

pub(crate) async fn is_ingested(
    connection: &mut Connection,
    table: &TableName,
    digest: &str,
    contract_digest: &str,
) -> Result<bool> {
    connection
        .query(
            "SELECT EXISTS (SELECT 1 FROM ingested_file i JOIN dataset d ON d.id = i.dataset_id \
         WHERE d.schema_name = $1 AND d.table_name = $2 AND d.dropped_at IS NULL \
         AND i.digest = $3 AND i.contract_digest = $4)",
        )
        .bind(&table.schema)
        .bind(&table.table)
        .bind(digest)
        .bind(contract_digest)
        .fetch_scalar()
        .await
}

async fn dataset(connection: &mut Connection, path: &str, now: &str) -> Result<DatasetId> {
    let name = TableName::new(FILE_SCHEMA, path);
    if let Some(known) = datasets::live(connection, &name).await? {
        return Ok(known.id);
    }
    write::dataset(connection, &NewDataset { name: &name, kind: DatasetKind::File, location: path }, now).await
}
