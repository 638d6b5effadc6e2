//! The schema's changes, forward only.

use sqlx::{Connection as _, SqliteConnection, SqlitePool};

use causeway_model::CatalogError;

use crate::error::{Result, invalid};

/// Change `n` stands at index `n - 1`. Never edited after release.
const MIGRATIONS: &[(&str, &str)] = &[("core", include_str!("../../../migrations/0001_core.sqlite.sql"))];

const RECORD: &str = "CREATE TABLE schema_migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL, \
                      applied_at TEXT NOT NULL) STRICT";

/// The newest schema version this binary knows.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Brings the catalog to [`known`]. Several processes may try at once: one does it, the others wait.
pub(super) async fn migrate(writer: &SqlitePool) -> Result<()> {
    let mut connection = writer.acquire().await?;
    if pending(current(&mut connection).await?)?.is_empty() {
        return Ok(());
    }
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    let current = current(&mut tx).await?;
    if current == 0 {
        sqlx::raw_sql(RECORD).execute(&mut *tx).await?;
    }
    for (version, (name, sql)) in (current + 1..).zip(pending(current)?) {
        sqlx::raw_sql(*sql).execute(&mut *tx).await?;
        record(&mut tx, version, name).await?;
        tracing::info!(version, name, "catalog schema changed");
    }
    Ok(tx.commit().await?)
}

/// Returns the schema version of the file: 0 if it is empty.
pub(super) async fn current(connection: &mut SqliteConnection) -> Result<i64> {
    let (tables, ours): (i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), COUNT(*) FILTER (WHERE name = 'schema_migration') FROM sqlite_master WHERE type = 'table'",
    )
    .fetch_one(&mut *connection)
    .await?;
    match (tables, ours) {
        (0, _) => Ok(0),
        (_, 0) => Err(invalid("the file is a SQLite database, but no causeway catalog; name another path")),
        _ => Ok(sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM schema_migration")
            .fetch_one(connection)
            .await?),
    }
}

fn pending(found: i64) -> Result<&'static [(&'static str, &'static str)]> {
    let applied = usize::try_from(found).unwrap_or(usize::MAX);
    MIGRATIONS.get(applied..).ok_or_else(|| CatalogError::Newer { found, known: known() }.into())
}

async fn record(connection: &mut SqliteConnection, version: i64, name: &str) -> Result<()> {
    sqlx::query(
        "INSERT INTO schema_migration (version, name, applied_at) VALUES ($1, $2, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
    )
    .bind(version)
    .bind(name)
    .execute(connection)
    .await?;
    Ok(())
}
