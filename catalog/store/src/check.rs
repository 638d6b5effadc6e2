//! The store's own health.

use crate::connection::{Connection, Sql};
use crate::error::{Result, damaged};
use crate::{budget, migrate};

const COUNTS: &str = "SELECT (SELECT COUNT(*) FROM dataset WHERE dropped_at IS NULL), \
                      (SELECT COUNT(*) FROM dataset_version), (SELECT COUNT(*) FROM run), \
                      (SELECT COUNT(*) FROM column_edge) + (SELECT COUNT(*) FROM dataset_edge)";

const PRODUCT: Sql = Sql {
    sqlite: "SELECT 'SQLite ' || sqlite_version()",
    postgres: "SELECT 'Postgres ' || current_setting('server_version')",
};

/// Checks that what was recorded can be read and will last, and counts what there is.
pub(crate) async fn check(connection: &mut Connection) -> Result<String> {
    let soundness = match connection {
        Connection::Sqlite(_) => check_file(connection).await?,
        Connection::Postgres(_) => check_server(connection).await?,
    };
    let charges = budget::check(connection).await?;
    let product: String = connection.query(PRODUCT).fetch_scalar().await?;
    let schema = migrate::current(connection).await?;
    let counts = connection.query(COUNTS).fetch_one().await?;
    let [datasets, versions, runs, edges] =
        [counts.get::<i64>(0)?, counts.get::<i64>(1)?, counts.get::<i64>(2)?, counts.get::<i64>(3)?];
    Ok(format!(
        "{product}, schema {schema} of {}: {datasets} datasets, {versions} versions, {runs} runs, \
         {edges} lineage edges, {charges} privacy charges; {soundness}",
        migrate::known()
    ))
}

async fn check_file(connection: &mut Connection) -> Result<&'static str> {
    let report: String = connection.query("PRAGMA integrity_check(1)").fetch_scalar().await?;
    if report != "ok" {
        return Err(damaged(format!("{report}; restore the file from a backup")));
    }
    let broken: Option<String> =
        connection.query("SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1").fetch_optional_scalar().await?;
    match broken {
        None => Ok("pages and references are sound"),
        Some(table) => Err(damaged(format!("a row of `{table}` refers to one that is gone"))),
    }
}

/// The server keeps references whole by itself; it can be told to take commits lightly.
async fn check_server(connection: &mut Connection) -> Result<&'static str> {
    let lasting: bool = connection
        .query("SELECT current_setting('fsync') = 'on' AND current_setting('synchronous_commit') <> 'off'")
        .fetch_scalar()
        .await?;
    Ok(match lasting {
        true => "a commit is on the server's disk",
        false => "a power cut may lose the last commits: turn on fsync and synchronous_commit",
    })
}
