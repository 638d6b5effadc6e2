//! The lake: Delta tables on an object store behind six verbs.
//!
//! ```text
//! create ─┐                                 ┌─ data files (Parquet)
//! append ─┤                                 │
//! overwrite ─── rows ──> fit ──> encode ──> upload ──> commit (put-if-absent, marker)
//! delete ─┤                                                 │
//! erase  ─┘                          snapshot_at <── log ───┘
//! ```
//!
//! Every write carries a [`Marker`]; a write whose marker is in the log already is not done again.
//! Nothing that a predicate says, and no value of a column declared identifying, enters the log.
//! Vacuum is not offered: files are removed by [`Lake::erase`] alone, and only those it has
//! itself taken out of the table, so no other writer's fresh file is ever lost.
//!
//! # Example
//! ```
//! # use std::sync::Arc;
//! # use arrow::array::{ArrayRef, Int64Array, RecordBatch};
//! # use causeway_lake::{At, Lake, LakeConfig, Marker, TableOptions};
//! # use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let lake = Lake::open(&LakeConfig { url: "memory:///".to_owned(), ..LakeConfig::default() })?;
//! let days: ArrayRef = Arc::new(Int64Array::from(vec![306, 455, 1010]));
//! let rows = RecordBatch::try_from_iter([("days", days)])?;
//! let schema = rows.schema();
//! let stream = Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&schema), futures::stream::iter([Ok(rows)])));
//!
//! let marker = Marker("causeway/run-1/load".to_owned());
//! let options = TableOptions::default();
//! let commit = lake.overwrite("clinical/lung", vec![stream], schema, &options, "CREATE TABLE", &marker).await?;
//! assert_eq!((commit.version, commit.n_rows), (0, 3));
//! assert_eq!(lake.snapshot_at("clinical/lung", &At::Latest).await?.n_rows(), 3);
//! # Ok(())
//! # }
//! ```

mod bounds;
mod delete;
mod erase;
mod error;
mod housekeeping;
mod kept;
mod lake;
mod location;
mod log;
mod properties;
mod provider;
mod schema;
mod scratch;
mod snapshot;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod types;
mod write;

pub use erase::{Erasure, ErasureEvidence, Evidence, SearchedObject};
pub use error::{LakeError, Result, is_disk_full};
pub use housekeeping::Orphans;
pub use lake::Lake;
pub use snapshot::Snapshot;
pub use types::{At, Commit, CommitCounts, LakeConfig, Marker, Rewrite, TableOptions};
