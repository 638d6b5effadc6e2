//! Connections: one that writes, a few that read.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqlitePool};

use causeway_model::CatalogError;

use super::group::Writers;
use crate::error::{Result, StoreError};

/// How long a write waits for another process to finish its own.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a call waits for its turn within this process.
const TURN_TIMEOUT: Duration = Duration::from_secs(120);

const READERS: u32 = 4;

/// The pools of an open catalog.
#[derive(Debug, Clone)]
pub(super) struct Pools {
    /// One connection, so that writes of this process queue here and not at the file's lock.
    pub(super) writers: Writers,
    /// Connections that cannot write.
    pub(super) readers: SqlitePool,
}

/// Opens the file, or makes it.
pub(super) async fn file(path: &Path) -> Result<Pools> {
    let options = common()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let writers = Writers::new(first_connection(&options).await?);
    let readers = file_pool(READERS).connect_lazy_with(options.pragma("query_only", "ON"));
    Ok(Pools { writers, readers })
}

/// The change of a new file to WAL mode takes a lock for which SQLite does not wait, so we do.
async fn first_connection(options: &SqliteConnectOptions) -> Result<SqlitePool> {
    for wait_ms in [2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000] {
        match file_pool(1).connect_with(options.clone()).await.map_err(StoreError::from).map_err(CatalogError::from) {
            Err(error) if error.retryable() => tokio::time::sleep(Duration::from_millis(wait_ms)).await,
            outcome => return Ok(outcome?),
        }
    }
    Ok(file_pool(1).connect_with(options.clone()).await?)
}

/// Makes a catalog in memory: it lives in one connection, which reads and writes.
pub(super) async fn memory() -> Result<Pools> {
    let writer = pool(1).min_connections(1).connect_with(common().in_memory(true)).await?;
    Ok(Pools { readers: writer.clone(), writers: Writers::new(writer) })
}

fn common() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("cache_size", "-32768")
        .row_buffer_size(1024)
        .disable_statement_logging()
}

/// SQLite ends a transaction by itself when the disk is full or fails. The driver then still counts it
/// as open and could start no other on that connection, so the connection is closed.
fn file_pool(size: u32) -> SqlitePoolOptions {
    pool(size).after_release(|connection, _| {
        Box::pin(async move {
            if connection.is_in_transaction() {
                connection.ping().await?; // waits for a rollback that is under way
            }
            Ok(!connection.is_in_transaction())
        })
    })
}

fn pool(size: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(size)
        .acquire_timeout(TURN_TIMEOUT)
        .max_lifetime(None)
        .idle_timeout(None)
        .test_before_acquire(false)
}
