//! The contract every store keeps. One suite of tests proves it for each of them.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::{
    AuditLog, Budget, Change, ChangeRecord, Dataset, DatasetId, DatasetVersion, Direction, Failure, Grant, JobQueue,
    LineageRow, NewFile, NewRun, NewStep, OperatorUse, OutboxStatus, Principal, Result, Rights, RowPolicy, Run, RunId,
    RunState, ScheduleBook, Step, StepId, StepOutcome, StepState, TableName, VersionId, Watch,
};

/// The record of datasets, runs and lineage. What changes it is a record of its [`AuditLog`] too, in
/// the same transaction, once that log has started.
#[async_trait]
pub trait Catalog: AuditLog + Budget + JobQueue + ScheduleBook + Watch + Send + Sync + Debug {
    /// Lists the schemas by name: those created, and those that a dataset was created in. `file`,
    /// where files outside the lake are listed, is none.
    async fn schemas(&self) -> Result<Vec<String>>;

    /// Finds a live dataset by name.
    async fn dataset(&self, name: &TableName) -> Result<Option<Dataset>>;

    /// Finds a live dataset by name, with its newest version.
    async fn newest(&self, name: &TableName) -> Result<Option<(Dataset, Option<DatasetVersion>)>>;

    /// Finds a dataset by id, dropped or not.
    async fn dataset_by_id(&self, id: DatasetId) -> Result<Dataset>;

    /// Lists live datasets by name, files outside the lake among them; `include_dropped` lists the
    /// others too, oldest first within a name.
    async fn datasets(&self, include_dropped: bool) -> Result<Vec<Dataset>>;

    /// Returns the newest version of a dataset.
    async fn latest_version(&self, dataset: DatasetId) -> Result<Option<DatasetVersion>>;

    /// Returns one version of a dataset by its number.
    async fn version(&self, dataset: DatasetId, version: i64) -> Result<Option<DatasetVersion>>;

    /// Returns the newest version recorded at or before an instant (RFC 3339, with its offset).
    async fn version_at(&self, dataset: DatasetId, instant: &str) -> Result<Option<DatasetVersion>>;

    /// Returns a version by its id.
    async fn version_by_id(&self, id: VersionId) -> Result<DatasetVersion>;

    /// Lists the versions of one dataset, or of all, oldest first.
    async fn versions(&self, dataset: Option<DatasetId>) -> Result<Vec<DatasetVersion>>;

    /// Records a file about to be read and returns its version: the same one for the same path,
    /// digest and columns, the next one for new content or another reading of its columns.
    async fn register_file(&self, file: &NewFile) -> Result<VersionId>;

    /// Returns true if a file of this content was loaded into the live table under this contract,
    /// and the table was not replaced since.
    async fn is_ingested(&self, table: &TableName, digest: &str, contract_digest: &str) -> Result<bool>;

    /// Starts a run.
    async fn begin_run(&self, run: &NewRun) -> Result<()>;

    /// Opens a run again, to go on with what is not done; no harm if it is open. One that has succeeded stays
    /// so: who opens it then has slept while another one did the work.
    async fn resume_run(&self, run: &RunId) -> Result<()>;

    /// Ends a run: [`RunState::Succeeded`] or [`RunState::Failed`].
    async fn finish_run(&self, run: &RunId, state: RunState) -> Result<()>;

    /// Returns a run.
    async fn run(&self, run: &RunId) -> Result<Run>;

    /// Returns the newest run of a pipeline.
    async fn latest_run(&self, pipeline: &str) -> Result<Option<Run>>;

    /// Lists runs, newest first, at most `limit`.
    async fn runs(&self, limit: i64) -> Result<Vec<Run>>;

    /// Starts a step, or its next attempt if the run has one of that name that did not succeed, and
    /// pins its inputs. Fails with [`crate::CatalogError::AlreadyExists`] if it succeeded, with
    /// [`crate::CatalogError::LeaseLost`] for an attempt at a job that another may have taken over.
    async fn begin_step(&self, step: &NewStep) -> Result<Step>;

    /// Records all that a step left behind, in one transaction, and returns the ids of its output
    /// versions. Fails with [`crate::CatalogError::Stale`] unless the step is running `attempt`.
    ///
    /// Drops come first, so a name may be dropped and created by one outcome. Origins of edges are
    /// versions recorded before. The store adds no edges: for a changed table
    /// ([`crate::OutputVersion::previous`]) the caller supplies those of the rows that were kept.
    /// A table whose content is replaced (no `previous`) by a step that loads no files into it
    /// forgets which files were loaded before.
    async fn complete_step(&self, step: StepId, attempt: i64, outcome: &StepOutcome) -> Result<Vec<VersionId>>;

    /// Records that a step failed.
    async fn fail_step(&self, step: StepId, attempt: i64, code: &str, error: &str) -> Result<()>;

    /// Records a step that was not started ([`StepState::Blocked`] or [`StepState::UpToDate`]); this
    /// counts as no attempt. Fails with [`crate::CatalogError::AlreadyExists`] if it succeeded.
    async fn skip_step(&self, step: &NewStep, state: StepState) -> Result<Step>;

    /// Finds a step of a run by name.
    async fn step(&self, run: &RunId, name: &str) -> Result<Option<Step>>;

    /// Returns a step by its id.
    async fn step_by_id(&self, id: StepId) -> Result<Step>;

    /// Lists the steps of one run in order, or of all runs.
    async fn steps(&self, run: Option<&RunId>) -> Result<Vec<Step>>;

    /// Lists the operators that ran in a step, in the order they were recorded.
    async fn operators(&self, step: StepId) -> Result<Vec<OperatorUse>>;

    /// Lists the operators that ran in all steps, by step.
    async fn all_operators(&self) -> Result<Vec<(StepId, OperatorUse)>>;

    /// Returns the last step of that name that succeeded in any run of the pipeline.
    async fn last_success(&self, pipeline: &str, step: &str) -> Result<Option<Step>>;

    /// Follows column edges from a version, or from one of its columns, at most `depth` steps.
    /// Rows come nearest first, then by name; every edge once. Edges that concern a whole output
    /// belong to each of its columns.
    async fn lineage(
        &self,
        target: VersionId,
        column: Option<&str>,
        direction: Direction,
        depth: Option<i64>,
    ) -> Result<Vec<LineageRow>>;

    /// Returns all that a user may do, through roles too; `None` if there is no such user. Every user
    /// is a member of [`crate::PUBLIC`].
    async fn rights(&self, user: &str) -> Result<Option<Rights>>;

    /// Lists users and roles by name, the built-in roles ([`crate::BUILT_IN`]) among them.
    async fn principals(&self) -> Result<Vec<Principal>>;

    /// Lists all grants, by grantee.
    async fn grants(&self) -> Result<Vec<Grant>>;

    /// Lists the row policies of one table, or of all, by table and name.
    async fn row_policies(&self, table: Option<&TableName>) -> Result<Vec<RowPolicy>>;

    /// Lists the changes that wait to be told, in the order in which they happened, at most `limit`.
    /// Each call that starts, resumes, ends or skips a run or step records its change in its own
    /// transaction. Changes of a run with a held one are left out.
    async fn pending_changes(&self, limit: i64) -> Result<Vec<Change>>;

    /// Records that changes were told; no harm if it is recorded already.
    async fn changes_delivered(&self, ids: &[i64]) -> Result<()>;

    /// Records why a change could not be told. `held` keeps it, and the later ones of its run, until
    /// [`Catalog::release_changes`].
    async fn change_failed(&self, id: i64, failure: &Failure, held: bool) -> Result<()>;

    /// Lets held changes be tried again; returns how many runs had one.
    async fn release_changes(&self) -> Result<u64>;

    /// Lists the changes of one run, or of all, told or not, in the order in which they happened.
    async fn changes(&self, run: Option<&RunId>) -> Result<Vec<ChangeRecord>>;

    /// Counts what waits.
    async fn outbox_status(&self) -> Result<OutboxStatus>;

    /// Deletes changes that were told more than `days` ago, with `waiting` also those that wait as
    /// long; none with a number above `up_to`; at most `limit`. Returns how many are gone.
    async fn forget_changes(&self, days: i64, waiting: bool, up_to: Option<i64>, limit: i64) -> Result<u64>;

    /// Takes the outbox for `holder` for some seconds, or on from now if it has it. Returns false
    /// while somebody else has it: two who tell the changes of a run at once would mix their order.
    async fn claim_outbox(&self, holder: &str, seconds: i64) -> Result<bool>;

    /// Gives the outbox back; no harm if `holder` does not have it.
    async fn yield_outbox(&self, holder: &str) -> Result<()>;

    /// Checks that the store answers and is sound; returns what it found, for `causeway doctor`.
    async fn check(&self) -> Result<String>;
}
