//! The store's own health.

use sqlx::SqliteConnection;

use super::migrate;
use crate::error::{Result, damaged};

/// Checks pages, indexes and references, and counts what there is.
pub(super) async fn check(connection: &mut SqliteConnection) -> Result<String> {
    check_pages(connection).await?;
    check_references(connection).await?;
    let sqlite: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut *connection).await?;
    let schema = migrate::current(connection).await?;
    let (datasets, versions, runs, edges): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT COUNT(*) FROM dataset WHERE dropped_at IS NULL), (SELECT COUNT(*) FROM dataset_version), \
         (SELECT COUNT(*) FROM run), (SELECT COUNT(*) FROM column_edge) + (SELECT COUNT(*) FROM dataset_edge)",
    )
    .fetch_one(connection)
    .await?;
    Ok(format!(
        "SQLite {sqlite}, schema {schema} of {}: {datasets} datasets, {versions} versions, {runs} runs, \
         {edges} lineage edges; pages and references are sound",
        migrate::known()
    ))
}

async fn check_pages(connection: &mut SqliteConnection) -> Result<()> {
    let report: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(connection).await?;
    match report.as_str() {
        "ok" => Ok(()),
        first => Err(damaged(format!("{first}; restore the file from a backup"))),
    }
}

async fn check_references(connection: &mut SqliteConnection) -> Result<()> {
    let broken: Option<String> =
        sqlx::query_scalar("SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1").fetch_optional(connection).await?;
    match broken {
        None => Ok(()),
        Some(table) => Err(damaged(format!("a row of `{table}` refers to one that is gone"))),
    }
}
