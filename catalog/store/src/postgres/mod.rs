//! The shared store: PostgreSQL 13 or newer, for several machines.
//!
//! **One writer at a time.** Every transaction that writes takes one advisory lock first and holds it
//! to its end, as `BEGIN IMMEDIATE` does in SQLite. So a check followed by an insert races with
//! nobody, both stores give the same errors for the same calls, and ids ascend in the order of
//! commits, which is what "newest" and "oldest first" go by. `SERIALIZABLE` would make writers that
//! touch different tables independent, but a writer would then fail and start over after its work is
//! done, the more often the longer its lineage; and ids would no longer follow commits. Writes take
//! milliseconds; readers never wait for them, nor they for readers.
//!
//! **Jobs** are the exception: to take one and to hold it, a worker locks that job's row and nothing
//! else, so that workers wait neither for each other nor for what a step records.
//!
//! **Reads** are `REPEATABLE READ`: all statements of one call see one state. A call of one statement
//! needs no transaction for that.
//!
//! **A server that restarts** costs time, no errors: a transaction that lost its connection is done
//! again, for nothing of it remained. Only a lost answer to `COMMIT` leaves open what happened; then
//! the server is asked what became of the transaction's id.

mod connect;
mod errors;
mod settings;

use std::time::Duration;

use sqlx::PgPool;

use causeway_model::{CatalogError, Result};

use crate::catalog::{Backend, Patience, SqlCatalog};
use crate::connection::{Connection, Link};
use crate::error::{Result as StoreResult, StoreError, located, unopened};
use crate::migrate;
pub(crate) use errors::{is_farewell, no_tls, translate, unreachable};
pub use settings::PostgresOptions;

/// The key of the advisory lock that writers hold: "causeway" in ASCII.
const WRITER_LOCK: i64 = 0x6361_7573_6577_6179;

/// A catalog in a Postgres database. Cheap to clone.
pub type PostgresCatalog = SqlCatalog<Postgres>;

/// A pool of connections to a Postgres server.
#[derive(Debug, Clone)]
pub struct Postgres {
    pool: PgPool,
    /// `postgres://user@host:port/database`, for messages.
    place: String,
    patience: Duration,
}

/// A transaction of a Postgres server, or a connection for one statement.
pub(crate) struct PostgresTransaction {
    pub(crate) inner: Link<sqlx::Postgres>,
    /// Its id on the server if it writes.
    id: Option<String>,
}

impl SqlCatalog<Postgres> {
    /// Opens the catalog at a URL (`postgres://user:password@host:port/database`), makes its tables if
    /// the database is empty, and brings its schema up to date.
    ///
    /// # Errors
    /// [`CatalogError::Newer`] if a newer binary made it, [`CatalogError::Invalid`] if the URL is
    /// malformed or the database is somebody else's, [`CatalogError::Backend`] if the server cannot be
    /// reached or refuses. No message repeats the password.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, &PostgresOptions::default()).await
    }

    /// Opens a catalog as [`SqlCatalog::open`] does, with other limits than the usual ones.
    ///
    /// # Errors
    /// As [`SqlCatalog::open`].
    pub async fn open_with(url: &str, options: &PostgresOptions) -> Result<Self> {
        let server = settings::parse(url, options)?;
        let place = settings::place(&server);
        let ready = async {
            let pool = connect::pool(server, options).await?;
            let backend = Postgres { pool, place: place.clone(), patience: options.reconnect_timeout };
            migrate::migrate(&backend).await?;
            Ok::<_, StoreError>(Self::new(backend))
        };
        ready.await.map_err(|error| located(unopened(error), &place))
    }
}

impl Backend for Postgres {
    async fn read(&self) -> StoreResult<Connection> {
        let inner = self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        Ok(Connection::Postgres(PostgresTransaction { inner: Link::Transaction(inner), id: None }))
    }

    async fn read_one(&self) -> StoreResult<Connection> {
        let inner = Link::Single(self.pool.acquire().await?);
        Ok(Connection::Postgres(PostgresTransaction { inner, id: None }))
    }

    async fn write(&self) -> StoreResult<Connection> {
        let mut inner = self.pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE").await?;
        let id = sqlx::query_scalar("SELECT pg_current_xact_id()::text FROM pg_advisory_xact_lock($1)")
            .bind(WRITER_LOCK)
            .fetch_one(&mut *inner)
            .await?;
        Ok(Connection::Postgres(PostgresTransaction { inner: Link::Transaction(inner), id: Some(id) }))
    }

    /// Takes no turn among the writers: jobs are locked row by row.
    async fn hold(&self) -> StoreResult<Connection> {
        let mut inner = self.pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE").await?;
        let id = sqlx::query_scalar("SELECT pg_current_xact_id()::text").fetch_one(&mut *inner).await?;
        Ok(Connection::Postgres(PostgresTransaction { inner: Link::Transaction(inner), id: Some(id) }))
    }

    async fn commit(&self, connection: Connection) -> StoreResult<()> {
        let Connection::Postgres(PostgresTransaction { inner, id }) = connection else {
            return Err(StoreError::foreign());
        };
        let lost = match inner.commit().await {
            Err(error) if error.is_connection_loss() => error,
            outcome => return outcome,
        };
        match id {
            Some(id) => self.settle(&id, lost).await,
            None => Ok(()),
        }
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    fn locate(&self, error: CatalogError) -> CatalogError {
        match error {
            CatalogError::Backend(_) | CatalogError::Busy(_) | CatalogError::Full(_) => located(error, &self.place),
            other => other,
        }
    }
}

impl Postgres {
    /// Finds out whether a transaction whose `COMMIT` got no answer is recorded. If it is not, hands
    /// back the loss of the connection, so that the transaction is done again.
    async fn settle(&self, id: &str, lost: StoreError) -> StoreResult<()> {
        let mut patience = Patience::new(self.patience);
        loop {
            let status = match self.status(id).await {
                Ok(status) => status,
                Err(error) if patience.outlasts(&error).await => continue,
                Err(error) => return Err(unsettled(&CatalogError::from(error))),
            };
            match status.as_deref() {
                Some("committed") => return Ok(()),
                Some("aborted") => return Err(lost),
                // The server still works on it.
                Some(_) if patience.outlasts(&lost).await => {}
                _ => return Err(unsettled(&CatalogError::from(lost))),
            }
        }
    }

    async fn status(&self, id: &str) -> StoreResult<Option<String>> {
        let status = sqlx::query_scalar("SELECT pg_xact_status($1::text::xid8)").bind(id);
        Ok(status.fetch_one(&self.pool).await?)
    }
}

fn unsettled(error: &CatalogError) -> StoreError {
    let message = format!("the connection was lost while a call was being recorded; look whether it was ({error})");
    CatalogError::Busy(message).into()
}
