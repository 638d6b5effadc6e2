//! What callers hand to the verbs and what they get back.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;

/// Says where the lake lies.
#[derive(Debug, Clone, Default)]
pub struct LakeConfig {
    /// `file:///absolute/path`, `memory:///`, or `s3://bucket/prefix` (feature `s3`).
    pub url: String,
    /// Settings of the object store; for S3 the names of its own configuration, such as `aws_region`.
    pub options: BTreeMap<String, String>,
}

/// Names one write for good: a write whose marker is in the table's log is not done again.
///
/// Stored as a Delta application transaction with version 1. A good marker holds the run and the
/// step, such as `causeway/<run>/<step>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Marker(pub String);

/// What a table is told when it is made.
#[derive(Debug, Clone, Default)]
pub struct TableOptions {
    /// Columns that identify a person: none of their values enters the table's log.
    pub identifying: Vec<String>,
}

/// A version of a table that a write made.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The version.
    pub version: i64,
    /// Rows that this write added; for a delete, rows that it took away.
    pub rows_written: u64,
    /// Rows of the table at this version.
    pub n_rows: u64,
    /// Bytes of its data files.
    pub n_bytes: u64,
    /// Its data files.
    pub n_files: u64,
    /// Its columns.
    pub schema: SchemaRef,
}

/// Says which version of a table is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// The newest one.
    Latest,
    /// The one with this number.
    Version(i64),
    /// The one with this number, which the caller's record says is the newest. Asked for again, it is
    /// answered from memory, without a look at the store.
    Recorded(i64),
    /// The newest one at or before an RFC 3339 instant.
    Timestamp(String),
}

/// How [`crate::Lake::overwrite_with`] replaces a table's rows.
#[derive(Debug, Clone)]
pub struct Rewrite {
    /// The columns of the new version.
    pub schema: SchemaRef,
    /// The options of the new version.
    pub options: TableOptions,
    /// The operation named in the log, such as `MERGE`.
    pub operation: &'static str,
    /// The version that the new rows were computed from. A table that has moved on is a conflict.
    pub base_version: Option<i64>,
}

/// Commits of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CommitCounts {
    /// Those that have landed.
    pub commits: u64,
    /// How often one found another writer's commit in its place; most are then tried again.
    pub conflicts: u64,
}
