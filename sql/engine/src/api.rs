//! What callers give to the engine and get back.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use causeway_core::{Cancel, Seed};
use causeway_model::{Lease, Parameters, Rights, Run, RunId, Step, StepState, TableName};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

/// Limits and places of an engine.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Memory that all operators and joins of the process share, in bytes; beyond it they spill or
    /// are refused.
    pub memory_limit_bytes: usize,
    /// Threads for queries and operators.
    pub threads: usize,
    /// A statement that runs longer is cancelled; `None` for no limit.
    pub timeout: Option<Duration>,
    /// Where sorts and joins spill to.
    pub spill_dir: PathBuf,
    /// The longest statement accepted, in bytes.
    pub max_statement_bytes: usize,
    /// The deepest nesting accepted.
    pub max_depth: usize,
    /// The folder that relative paths of statements start from.
    pub base_dir: PathBuf,
    /// Folders whose files may be read.
    pub read_paths: Vec<PathBuf>,
    /// Folders that `COPY … TO` may write to.
    pub write_paths: Vec<PathBuf>,
    /// The folder of the tables and the catalog's file, which no statement reads or writes as files.
    pub closed_paths: Vec<PathBuf>,
    /// The version of the binary, for the record of runs.
    pub version: String,
}

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatementKind {
    /// `SELECT`, `WITH`, `VALUES`.
    Query,
    /// `EXPLAIN`.
    Explain,
    /// `CREATE [OR REPLACE] TABLE`.
    CreateTable,
    /// `CREATE [OR REPLACE] VIEW`.
    CreateView,
    /// `CREATE SCHEMA`.
    CreateSchema,
    /// `ALTER TABLE … SET`, `RESET`.
    AlterTable,
    /// `ALTER VIEW … SET`, `RESET`.
    AlterView,
    /// `DROP TABLE`.
    DropTable,
    /// `DROP VIEW`.
    DropView,
    /// `INSERT INTO`.
    Insert,
    /// `UPDATE`.
    Update,
    /// `DELETE FROM`.
    Delete,
    /// `MERGE INTO`.
    Merge,
    /// `COPY INTO table FROM 'file'`.
    CopyInto,
    /// `COPY … TO 'file'`.
    CopyTo,
    /// `CREATE USER`.
    CreateUser,
    /// `CREATE ROLE`.
    CreateRole,
    /// `DROP USER`.
    DropUser,
    /// `DROP ROLE`.
    DropRole,
    /// `GRANT`.
    Grant,
    /// `REVOKE`.
    Revoke,
    /// `CREATE POLICY`.
    CreatePolicy,
    /// `DROP POLICY`.
    DropPolicy,
    /// `CALL`.
    Call,
}

impl StatementKind {
    /// Returns the name the record of runs uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Explain => "explain",
            Self::CreateTable => "create_table",
            Self::CreateView => "create_view",
            Self::CreateSchema => "create_schema",
            Self::AlterTable => "alter_table",
            Self::AlterView => "alter_view",
            Self::DropTable => "drop_table",
            Self::DropView => "drop_view",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Merge => "merge",
            Self::CopyInto => "copy_into",
            Self::CopyTo => "copy_to",
            Self::CreateUser => "create_user",
            Self::CreateRole => "create_role",
            Self::DropUser => "drop_user",
            Self::DropRole => "drop_role",
            Self::Grant => "grant",
            Self::Revoke => "revoke",
            Self::CreatePolicy => "create_policy",
            Self::DropPolicy => "drop_policy",
            Self::Call => "call",
        }
    }

    /// Returns true for statements that return rows and change nothing.
    pub fn is_read_only(self) -> bool {
        matches!(self, Self::Query | Self::Explain)
    }
}

/// What a statement says about itself before any table is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementInfo {
    /// Its text, without the final semicolon.
    pub sql: String,
    /// What it does.
    pub kind: StatementKind,
    /// The tables and views it reads.
    pub reads: Vec<TableName>,
    /// The tables and views it makes, changes or drops.
    pub writes: Vec<TableName>,
    /// The files it reads, as written.
    pub files: Vec<String>,
    /// The names of its parameters, in order.
    pub parameters: BTreeSet<String>,
}

/// What happens while a statement runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ProgressEvent {
    /// An operator or an ingest has done this share of its work, 0 to 1.
    Share(f64),
    /// So many rows were read so far.
    RowsRead(u64),
    /// A private release that was paid for before is shown again, at no cost.
    ServedAgain {
        /// The charge that paid for it.
        charge: i64,
        /// How long ago it was released, in milliseconds.
        age_ms: i64,
    },
}

impl ProgressEvent {
    /// Returns what people should read of the event, if anything.
    pub fn note(&self) -> Option<String> {
        let Self::ServedAgain { charge, age_ms } = self else { return None };
        let seconds = age_ms / 1000;
        let age = match seconds {
            ..120 => format!("{seconds} seconds"),
            120..7_200 => format!("{} minutes", seconds / 60),
            7_200..172_800 => format!("{} hours", seconds / 3_600),
            _ => format!("{} days", seconds / 86_400),
        };
        Some(format!("the release of {age} ago is shown again, at no cost (charge {charge})"))
    }
}

/// A receiver of progress.
pub type ProgressSink = Arc<dyn Fn(ProgressEvent) + Send + Sync>;

/// How to run one statement.
#[derive(Clone)]
pub struct StatementContext {
    /// Stops the statement when cancelled.
    pub cancel: Cancel,
    /// Receives progress.
    pub progress: ProgressSink,
    /// The folder that relative paths start from; `None` for the engine's.
    pub base_dir: Option<PathBuf>,
    /// The seed of its operators.
    pub seed: Seed,
    /// The user whose rights hold; `None` for the embedded mode's only user, who may do everything.
    pub user: Option<String>,
    /// The values of its `:name`s.
    pub parameters: Parameters,
    /// Reads the versions that an earlier attempt has pinned, unless that one is known to have ended: it may
    /// only be asleep, and commit yet.
    pub keep_inputs: bool,
    /// The attempt at a job that the statement belongs to. It begins nothing once the lease is over.
    pub lease: Option<Lease>,
    /// The statement is all of the job, which ends well when the step is recorded.
    pub ends_job: bool,
}

impl StatementContext {
    /// Returns the name under which the record knows the user.
    pub fn actor(&self) -> String {
        self.user.clone().unwrap_or_else(|| Rights::embedded().user)
    }
}

impl Default for StatementContext {
    fn default() -> Self {
        Self {
            cancel: Cancel::default(),
            progress: Arc::new(|_| {}),
            base_dir: None,
            seed: Seed(0),
            user: None,
            parameters: Parameters::default(),
            keep_inputs: false,
            lease: None,
            ends_job: false,
        }
    }
}

/// The rows of a query, as they are computed.
pub struct Rows {
    /// The columns.
    pub schema: SchemaRef,
    /// The batches. Dropping the stream cancels the query.
    pub stream: SendableRecordBatchStream,
}

impl Rows {
    /// Returns rows that are there already.
    pub(crate) fn of(batch: RecordBatch) -> Self {
        let schema = batch.schema();
        let stream = RecordBatchStreamAdapter::new(Arc::clone(&schema), futures::stream::iter([Ok(batch)]));
        Self { schema, stream: Box::pin(stream) }
    }
}

/// The result of a statement.
pub enum Outcome {
    /// A query's rows.
    Rows(Rows),
    /// A change, done and recorded.
    Done(StepReport),
}

/// One step of a run.
#[derive(Clone)]
pub struct StepRequest {
    /// The run it belongs to; the caller has begun it.
    pub run: RunId,
    /// The pipeline whose last success decides what is up to date; `None` never skips.
    pub pipeline: Option<String>,
    /// Its position in the run.
    pub ordinal: i64,
    /// Its name, unique in the run.
    pub name: String,
    /// One statement.
    pub sql: String,
    /// True if it must run though its inputs did not change, because a step before it in this run
    /// has written the table it changes.
    pub force: bool,
    /// How to run it.
    pub context: StatementContext,
}

impl StepRequest {
    /// Asks for what a recorded step did, with its seed, its name and the values of its run, whether or
    /// not anything has changed.
    pub fn again(step: &Step, run: &Run) -> Self {
        let seed = Seed(u64::from_le_bytes(step.seed.to_le_bytes()));
        Self {
            run: step.run.clone(),
            pipeline: None,
            ordinal: step.ordinal,
            name: step.name.clone(),
            sql: step.sql.clone(),
            force: true,
            context: StatementContext { seed, parameters: run.parameters.clone(), ..StatementContext::default() },
        }
    }
}

/// What a step did.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// What the statement does.
    pub kind: StatementKind,
    /// Succeeded, or up to date.
    pub state: StepState,
    /// The table versions it made (or, if up to date, has made).
    pub outputs: Vec<(TableName, i64)>,
    /// Rows read from tables and files.
    pub rows_in: Option<u64>,
    /// Rows written; for `UPDATE` and `DELETE` rows changed.
    pub rows_out: Option<u64>,
    /// Rows refused by the schema contract.
    pub rows_quarantined: Option<u64>,
    /// Wall time.
    pub duration: Duration,
    /// Things the user should know.
    pub warnings: Vec<String>,
    /// The job has ended with the record of the step, as [`StatementContext::ends_job`] asks.
    pub has_ended: bool,
}
