//! Datasets, their versions and columns.

use crate::{DatasetId, StepId, TableName, VersionId};

/// What a dataset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatasetKind {
    /// A Delta table of the lake.
    Table,
    /// A stored query.
    View,
    /// A file outside the lake that was read; its schema is `file`, its name the path.
    File,
}

impl DatasetKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Table, Self::View, Self::File];

    /// Returns the word for it, as stored and as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::File => "file",
        }
    }
}

/// A table, view or file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Its id. A name that is dropped and created again gets a new id.
    pub id: DatasetId,
    /// Its name.
    pub name: TableName,
    /// What it is.
    pub kind: DatasetKind,
    /// Where the data lie: for a table the folder relative to the lake's root, for a file its path.
    pub location: String,
    /// The query of a view.
    pub view_sql: Option<String>,
    /// What must be known to protect the people in it.
    pub policy: DatasetPolicy,
    /// When it was made (RFC 3339, UTC, the database's clock).
    pub created_at: String,
    /// When it was dropped, if it was.
    pub dropped_at: Option<String>,
}

/// What must be known about a dataset to protect the people in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatasetPolicy {
    /// Columns that identify a person: kept out of file statistics.
    pub identifying: Vec<String>,
    /// The column that says whose row it is.
    pub subject_key: Option<String>,
}

/// One version of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetVersion {
    /// Its id.
    pub id: VersionId,
    /// The dataset.
    pub dataset: DatasetId,
    /// The Delta version of a table; 0, 1, … for the contents of a file or the text of a view.
    pub version: i64,
    /// Rows, if known.
    pub n_rows: Option<i64>,
    /// Bytes stored, if known.
    pub n_bytes: Option<i64>,
    /// Data files, if known.
    pub n_files: Option<i64>,
    /// The SHA-256 of a file's content, or of a view's text.
    pub digest: Option<String>,
    /// The columns in order.
    pub columns: Vec<Column>,
    /// The step that made it; `None` for a file.
    pub step: Option<StepId>,
    /// When it was recorded (RFC 3339, UTC, the database's clock).
    pub committed_at: String,
}

/// A column of a dataset version.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its SQL type.
    pub data_type: String,
    /// True if it may hold nulls.
    pub nullable: bool,
    /// Its unit, if the contract or the operator states one.
    pub unit: Option<String>,
    /// What it means, if stated.
    pub meaning: Option<String>,
    /// True if it identifies a person.
    pub identifying: bool,
}

/// A file outside the lake, about to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// The path as the user wrote it, relative to the project where possible.
    pub path: String,
    /// The SHA-256 of its content, in hex.
    pub digest: String,
    /// Its size.
    pub n_bytes: i64,
    /// Its columns, as the header or the contract says.
    pub columns: Vec<Column>,
}
