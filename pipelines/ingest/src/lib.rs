//! Brings files into the lake under a schema contract.
mod assemble;
mod block;
mod columns;
mod contract;
mod csv;
mod digest;
mod error;
mod expression;
mod fault;
mod keys;
mod load;
mod ndjson;
mod open;
mod parquet_file;
mod path;
mod pipeline;
mod quarantine;
mod source;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tokens;

pub use contract::{ColumnType, Contract, Encoding, ExtraColumns, Format, Kind, Limits, Part};
pub use digest::digest;
pub use error::{FaultCount, IngestError, Result};
pub use expression::{left_out, matrix_files};
pub use fault::Reason;
pub use load::{Mode, Progress, Report, Request, ingest};
pub use path::{resolve_folder, resolve_new_path, resolve_path};
pub use quarantine::quarantine_schema;
