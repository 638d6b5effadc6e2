//! Where the catalog is kept: the only crate that speaks SQL to a database.
//!
//! [`SqliteCatalog`] is the embedded store, one file beside the lake; [`PostgresCatalog`] is the store
//! of several machines. Both implement [`causeway_model::Catalog`] with the same code; the suite
//! `causeway_model::contract` says what that means, and is run on both. [`open`] takes a URL of either.
//!
//! ```
//! use causeway_model::{Catalog, TableName};
//! use causeway_store::SqliteCatalog;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let catalog = SqliteCatalog::in_memory().await?;
//! assert_eq!(catalog.dataset(&TableName::new("clinical", "lung")).await?, None);
//! # Ok::<(), causeway_model::CatalogError>(())
//! # }).unwrap();
//! ```

mod access;
mod audit;
mod budget;
mod catalog;
mod check;
mod complete;
mod connection;
mod datasets;
mod edges;
mod error;
mod files;
mod jobs;
mod lineage;
mod migrate;
mod open;
mod outbox;
mod postgres;
mod rows;
mod runs;
mod schedules;
mod sqlite;
mod steps;
mod watch;
mod write;

pub use catalog::SqlCatalog;
pub use open::open;
pub use postgres::{Postgres, PostgresCatalog, PostgresOptions};
pub use sqlite::{Sqlite, SqliteCatalog};
