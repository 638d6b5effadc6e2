//! The contract every store keeps. One suite of tests proves it for each of them.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::{
    Dataset, DatasetId, DatasetVersion, Direction, LineageRow, NewFile, NewRun, NewStep, Result, Run, RunId, RunState,
    Step, StepId, StepOutcome, StepState, TableName, VersionId,
};

/// The record of datasets, runs and lineage.
#[async_trait]
pub trait Catalog: Send + Sync + Debug {
    /// Lists the schemas by name.
    async fn schemas(&self) -> Result<Vec<String>>;

    /// Finds a live dataset by name.
    async fn dataset(&self, name: &TableName) -> Result<Option<Dataset>>;

    /// Finds a dataset by id, dropped or not.
    async fn dataset_by_id(&self, id: DatasetId) -> Result<Dataset>;

    /// Lists live datasets by name; `include_dropped` lists the others too.
    async fn datasets(&self, include_dropped: bool) -> Result<Vec<Dataset>>;

    /// Returns the newest version of a dataset.
    async fn latest_version(&self, dataset: DatasetId) -> Result<Option<DatasetVersion>>;

    /// Returns one version of a dataset by its number.
    async fn version(&self, dataset: DatasetId, version: i64) -> Result<Option<DatasetVersion>>;

    /// Returns the newest version recorded at or before an instant (RFC 3339).
    async fn version_at(&self, dataset: DatasetId, instant: &str) -> Result<Option<DatasetVersion>>;

    /// Returns a version by its id.
    async fn version_by_id(&self, id: VersionId) -> Result<DatasetVersion>;

    /// Lists the versions of one dataset, or of all, oldest first.
    async fn versions(&self, dataset: Option<DatasetId>) -> Result<Vec<DatasetVersion>>;

    /// Records a file about to be read and returns its version: the same one for the same path and
    /// digest, the next one for new content.
    async fn register_file(&self, file: &NewFile) -> Result<VersionId>;

    /// Returns true if a file of this content was loaded into the table under this contract.
    async fn is_ingested(&self, table: &TableName, digest: &str, contract_digest: &str) -> Result<bool>;

    /// Starts a run.
    async fn begin_run(&self, run: &NewRun) -> Result<()>;

    /// Ends a run.
    async fn finish_run(&self, run: &RunId, state: RunState) -> Result<()>;

    /// Returns a run.
    async fn run(&self, run: &RunId) -> Result<Run>;

    /// Returns the newest run of a pipeline.
    async fn latest_run(&self, pipeline: &str) -> Result<Option<Run>>;

    /// Lists runs, newest first, at most `limit`.
    async fn runs(&self, limit: i64) -> Result<Vec<Run>>;

    /// Starts a step, or its next attempt if the run has one of that name that did not succeed, and
    /// pins its inputs.
    async fn begin_step(&self, step: &NewStep) -> Result<Step>;

    /// Records all that a step left behind, in one transaction, and returns the ids of its output
    /// versions. Fails with [`crate::CatalogError::Stale`] unless the step is running `attempt`.
    async fn complete_step(&self, step: StepId, attempt: i64, outcome: &StepOutcome) -> Result<Vec<VersionId>>;

    /// Records that a step failed.
    async fn fail_step(&self, step: StepId, attempt: i64, code: &str, error: &str) -> Result<()>;

    /// Records a step that was not started ([`StepState::Blocked`] or [`StepState::UpToDate`]).
    async fn skip_step(&self, step: &NewStep, state: StepState) -> Result<Step>;

    /// Finds a step of a run by name.
    async fn step(&self, run: &RunId, name: &str) -> Result<Option<Step>>;

    /// Lists the steps of one run in order, or of all runs.
    async fn steps(&self, run: Option<&RunId>) -> Result<Vec<Step>>;

    /// Returns the last step of that name that succeeded in any run of the pipeline.
    async fn last_success(&self, pipeline: &str, step: &str) -> Result<Option<Step>>;

    /// Follows column edges from a version, or from one of its columns, at most `depth` steps.
    /// Rows come nearest first, then by name; every edge once.
    async fn lineage(
        &self,
        target: VersionId,
        column: Option<&str>,
        direction: Direction,
        depth: Option<i64>,
    ) -> Result<Vec<LineageRow>>;

    /// Checks that the store answers and is sound; returns what it found, for `causeway doctor`.
    async fn check(&self) -> Result<String>;
}
