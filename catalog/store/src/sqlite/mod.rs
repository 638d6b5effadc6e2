//! The embedded store: SQLite in WAL mode, safe to open from several processes.
//!
//! Writes of a process queue at one connection and start with `BEGIN IMMEDIATE`, so that two
//! processes never deadlock on an upgrade; reads take a snapshot on connections of their own. A
//! commit is on the disk when the call returns (`synchronous = FULL`); calls that come together share
//! one ([`group`]).

mod connect;
mod errors;
mod group;
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
use group::Member;

/// A catalog in one SQLite file. Cheap to clone.
pub type SqliteCatalog = SqlCatalog<Sqlite>;

/// An open SQLite file, or a database in memory.
#[derive(Debug, Clone)]
pub struct Sqlite {
    pools: Pools,
}

/// A connection that reads, or a writer whose turn it is.
pub(crate) enum SqliteTransaction {
    Reads(Link<sqlx::Sqlite>),
    Writes(Member),
}

impl SqliteTransaction {
    pub(crate) fn connection(&mut self) -> StoreResult<&mut sqlx::SqliteConnection> {
        match self {
            Self::Reads(link) => Ok(link.connection()),
            Self::Writes(member) => member.connection(),
        }
    }
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
        let link = Link::Transaction(self.pools.readers.begin().await?);
        Ok(Connection::Sqlite(SqliteTransaction::Reads(link)))
    }

    async fn read_one(&self) -> StoreResult<Connection> {
        let link = Link::Single(self.pools.readers.acquire().await?);
        Ok(Connection::Sqlite(SqliteTransaction::Reads(link)))
    }

    async fn write(&self) -> StoreResult<Connection> {
        Ok(Connection::Sqlite(SqliteTransaction::Writes(self.pools.writers.turn().await?)))
    }

    /// Rows cannot be locked one by one here.
    async fn hold(&self) -> StoreResult<Connection> {
        self.write().await
    }

    async fn commit(&self, connection: Connection) -> StoreResult<()> {
        match connection {
            Connection::Sqlite(SqliteTransaction::Writes(member)) => member.commit().await,
            Connection::Sqlite(SqliteTransaction::Reads(_)) | Connection::Postgres(_) => Err(StoreError::foreign()),
        }
    }

    /// There is no server.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }
}
