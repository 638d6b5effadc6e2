//! Connections to a server.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, PgPool};

use causeway_model::CatalogError;

use super::settings::PostgresOptions;
use crate::error::{Result, invalid};

/// `pg_current_xact_id` and `pg_xact_status` came with it.
const OLDEST_SERVER: i32 = 130_000;

/// Connects once, to say at once what is wrong, and then makes the pool.
pub(super) async fn pool(server: PgConnectOptions, options: &PostgresOptions) -> Result<PgPool> {
    let first = tokio::time::timeout(options.acquire_timeout, server.connect());
    let mut first = first.await.map_err(|_| no_answer(options))??;
    check_server(&mut first).await?;
    first.close().await?;
    Ok(PgPoolOptions::new()
        .max_connections(options.pool_size)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(true)
        .connect_lazy_with(server))
}

fn no_answer(options: &PostgresOptions) -> CatalogError {
    let seconds = options.acquire_timeout.as_secs();
    CatalogError::Backend(super::unreachable(&format!("no answer within {seconds} s")))
}

async fn check_server(connection: &mut PgConnection) -> Result<()> {
    let (number, version, encoding): (i32, String, String) = sqlx::query_as(
        "SELECT current_setting('server_version_num')::int4, current_setting('server_version'), \
         current_setting('server_encoding')",
    )
    .fetch_one(connection)
    .await?;
    if number < OLDEST_SERVER {
        return Err(invalid(format!("the server is PostgreSQL {version}; a catalog needs version 13 or newer")));
    }
    if encoding != "UTF8" {
        return Err(invalid(format!(
            "the database stores text as {encoding}; make one with `createdb --encoding UTF8 --template template0`"
        )));
    }
    Ok(())
}
