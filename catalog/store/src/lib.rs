//! Where the catalog is kept: the only crate that speaks SQL to a database.
//!
//! [`SqliteCatalog`] is the embedded store, one file beside the lake. It implements
//! [`causeway_model::Catalog`]; the suite `causeway_model::contract` says what that means.
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

mod error;
mod sqlite;

pub use sqlite::SqliteCatalog;
