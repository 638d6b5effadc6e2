//! The embedded store: SQLite in WAL mode, safe to open from several processes.
//!
//! Writes of a process queue at one connection and start with `BEGIN IMMEDIATE`, so that two
//! processes never deadlock on an upgrade; reads take a snapshot on connections of their own. A
//! commit is on the disk when the call returns (`synchronous = FULL`).

mod connect;
mod errors;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use causeway_model::Result;

use crate::catalog::{Backend, SqlCatalog};
use crate::connection::{Connection, Link};
use crate::error::{Result as StoreResult, StoreError, located};
use crate::migrate;
use connect::Pools;
pub(crate) use errors::translate;

/// A catalog in one SQLite file. Cheap to clone.
pub type SqliteCatalog = SqlCatalog<Sqlite>;

/// An open SQLite file, or a database in memory.
#[derive(Debug, Clone)]
pub struct Sqlite {
    pools: Pools,
}

impl SqlCatalog<Sqlite> {
    /// Opens the catalog at `path`, makes it if there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// [`causeway_model::CatalogError::Newer`] if a newer binary made it, [`causeway_model::CatalogError::Damaged`] if the file is no
    /// sound database, [`causeway_model::CatalogError::Invalid`] if it is somebody else's, [`causeway_model::CatalogError::Backend`]
    /// if it cannot be opened or written.
    pub async fn open(path: &Path) -> Result<Self> {
        Self::ready(connect::file(path).await).await.map_err(|error| located(error, &path.display().to_string()))
    }

    /// Makes an empty catalog that ends with the value.
    ///
    /// # Errors
    /// [`causeway_model::CatalogError::Backend`] if SQLite refuses.
    pub async fn in_memory() -> Result<Self> {
        Self::ready(connect::memory().await).await
    }

    async fn ready(pools: StoreResult<Pools>) -> Result<Self> {
        let backend = Sqlite { pools: pools? };
        migrate::migrate(&backend).await?;
        Ok(Self::new(backend))
    }
}

impl Backend for Sqlite {
    async fn read(&self) -> StoreResult<Connection> {
        Ok(Connection::Sqlite(Link::Transaction(self.pools.readers.begin().await?)))
    }

    async fn read_one(&self) -> StoreResult<Connection> {
        Ok(Connection::Sqlite(Link::Single(self.pools.readers.acquire().await?)))
    }

    async fn write(&self) -> StoreResult<Connection> {
        Ok(Connection::Sqlite(Link::Transaction(self.pools.writer.begin_with("BEGIN IMMEDIATE").await?)))
    }

    /// Rows cannot be locked one by one here.
    async fn hold(&self) -> StoreResult<Connection> {
        self.write().await
    }

    async fn commit(&self, connection: Connection) -> StoreResult<()> {
        match connection {
            Connection::Sqlite(link) => link.commit().await,
            Connection::Postgres(_) => Err(StoreError::foreign()),
        }
    }

    /// There is no server.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }
}
