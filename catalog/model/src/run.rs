//! Runs and their steps.

use crate::{
    AccessChange, Column, DatasetId, DatasetKind, DatasetPolicy, Lease, LineageEdge, Parameters, RunId, StepId,
    TableName, VersionId,
};

/// What started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunKind {
    /// A folder of SQL.
    Pipeline,
    /// One statement typed by a user.
    Statement,
}

impl RunKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Pipeline, Self::Statement];

    /// Returns the word for it, as stored and as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pipeline => "pipeline",
            Self::Statement => "statement",
        }
    }
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Started, not ended; also what a killed process leaves behind.
    Running,
    /// Every step ended well.
    Succeeded,
    /// A step failed.
    Failed,
}

impl RunState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Running, Self::Succeeded, Self::Failed];

    /// Returns the word for it, as stored and as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// Started, not ended; also what a killed process leaves behind.
    Running,
    /// Done; outputs and lineage are recorded.
    Succeeded,
    /// Failed; nothing is recorded but the error.
    Failed,
    /// Not started, because a step it reads from failed.
    Blocked,
    /// Not started, because nothing it depends on has changed since it last succeeded.
    UpToDate,
}

impl StepState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Running, Self::Succeeded, Self::Failed, Self::Blocked, Self::UpToDate];

    /// Returns the word for it, as stored and as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::UpToDate => "up_to_date",
        }
    }
}

/// A run about to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// A fresh UUID, version 7.
    pub id: RunId,
    /// What started it.
    pub kind: RunKind,
    /// The pipeline's name; `None` for a statement.
    pub pipeline: Option<String>,
    /// The SHA-256 of the pipeline's files; `None` for a statement.
    pub pipeline_digest: Option<String>,
    /// The version of the binary.
    pub engine_version: String,
    /// The user who started it.
    pub actor: String,
    /// The values of the `:name`s in its statements.
    pub parameters: Parameters,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// What started it.
    pub kind: RunKind,
    /// The pipeline's name.
    pub pipeline: Option<String>,
    /// The SHA-256 of the pipeline's files.
    pub pipeline_digest: Option<String>,
    /// Where it is.
    pub state: RunState,
    /// The version of the binary that started it.
    pub engine_version: String,
    /// The user who started it.
    pub actor: String,
    /// The values of the `:name`s in its statements.
    pub parameters: Parameters,
    /// When it started (RFC 3339, UTC, the database's clock).
    pub started_at: String,
    /// When it ended.
    pub finished_at: Option<String>,
}

/// A step about to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStep {
    /// The run.
    pub run: RunId,
    /// Its position in the run, from 0.
    pub ordinal: i64,
    /// Its name, unique in the run: the file's name without `.sql`.
    pub name: String,
    /// What the statement does: `create_table`, `insert`, `copy_into`, …
    pub kind: String,
    /// The statement.
    pub sql: String,
    /// The digest of all the result depends on: statement, inputs, operators.
    pub fingerprint: String,
    /// The seed of its operators.
    pub seed: i64,
    /// The input versions it reads, pinned.
    pub inputs: Vec<VersionId>,
    /// The attempt at a job that the step belongs to, if any. If its lease is over, nothing is written:
    /// [`crate::CatalogError::LeaseLost`].
    pub lease: Option<Lease>,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its id.
    pub id: StepId,
    /// The run.
    pub run: RunId,
    /// Its position in the run.
    pub ordinal: i64,
    /// Its name.
    pub name: String,
    /// What the statement does.
    pub kind: String,
    /// The statement.
    pub sql: String,
    /// The digest of all the result depends on.
    pub fingerprint: String,
    /// The seed of its operators.
    pub seed: i64,
    /// Where it is.
    pub state: StepState,
    /// How often it was started.
    pub attempt: i64,
    /// The pinned inputs of the last attempt.
    pub inputs: Vec<VersionId>,
    /// The versions it made.
    pub outputs: Vec<VersionId>,
    /// Rows read, if counted.
    pub rows_in: Option<i64>,
    /// Rows written.
    pub rows_out: Option<i64>,
    /// Rows refused by a schema contract.
    pub rows_quarantined: Option<i64>,
    /// Wall time in milliseconds.
    pub duration_ms: Option<i64>,
    /// The code of the error it failed with.
    pub error_code: Option<String>,
    /// The error in words.
    pub error: Option<String>,
    /// When the last attempt started (RFC 3339, UTC, the database's clock).
    pub started_at: String,
    /// When it ended.
    pub finished_at: Option<String>,
}

/// All that a finished step leaves behind, recorded in one transaction.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepOutcome {
    /// The versions written.
    pub outputs: Vec<OutputVersion>,
    /// Datasets dropped.
    pub dropped: Vec<DatasetId>,
    /// Schemas created, if not there yet.
    pub schemas: Vec<String>,
    /// Column lineage; indices point into `outputs`.
    pub lineage: Vec<LineageEdge>,
    /// The operators that ran.
    pub operators: Vec<OperatorUse>,
    /// The files loaded.
    pub ingested: Vec<IngestedFile>,
    /// Changes of users, roles, grants and policies.
    pub access: Vec<AccessChange>,
    /// Rows read, if counted.
    pub rows_in: Option<i64>,
    /// Rows written.
    pub rows_out: Option<i64>,
    /// Rows refused by a schema contract.
    pub rows_quarantined: Option<i64>,
    /// Wall time in milliseconds.
    pub duration_ms: i64,
    /// The attempt whose work is done with this step: it ends well, and its job and run with it. If its lease
    /// does not hold, nothing is recorded.
    pub ends: Option<Lease>,
}

/// A dataset version that a step wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputVersion {
    /// The name; the dataset is created if no live dataset has it.
    pub name: TableName,
    /// Table or view.
    pub kind: DatasetKind,
    /// Where the data lie.
    pub location: String,
    /// The query of a view.
    pub view_sql: Option<String>,
    /// The policy to set; `None` keeps the one there is.
    pub policy: Option<DatasetPolicy>,
    /// The Delta version; for a view the store counts on its own.
    pub version: i64,
    /// Rows of the whole version.
    pub n_rows: Option<i64>,
    /// Bytes of the whole version.
    pub n_bytes: Option<i64>,
    /// Data files of the whole version.
    pub n_files: Option<i64>,
    /// The SHA-256 of a view's text.
    pub digest: Option<String>,
    /// The columns in order.
    pub columns: Vec<Column>,
    /// For a changed table, the version before; lineage through unchanged rows follows it.
    pub previous: Option<VersionId>,
}

/// An operator that ran in a step.
#[derive(Debug, Clone, PartialEq)]
pub struct OperatorUse {
    /// Its name.
    pub operator: String,
    /// Its version.
    pub version: i64,
    /// Its options as JSON, defaults and the columns of its roles included.
    pub options: serde_json::Value,
    /// Its report as JSON.
    pub report: serde_json::Value,
}

/// A file that was loaded into a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestedFile {
    /// The table.
    pub table: TableName,
    /// The SHA-256 of the file, in hex.
    pub digest: String,
    /// The SHA-256 of the contract it was read under, in hex.
    pub contract_digest: String,
    /// The version of the file's dataset.
    pub file: VersionId,
}
