//! The embedded store: SQLite in WAL mode, safe to open from several processes.
//!
//! Writes of a process queue at one connection and start with `BEGIN IMMEDIATE`, so that two
//! processes never deadlock on an upgrade; reads take a snapshot on connections of their own. A
//! commit is on the disk when the call returns (`synchronous = FULL`).

mod check;
mod complete;
mod connect;
mod datasets;
mod edges;
mod files;
mod lineage;
mod migrate;
mod names;
mod rows;
mod runs;
mod steps;
#[cfg(test)]
mod tests;
mod walk;
mod write;

use std::path::Path;

use async_trait::async_trait;
use sqlx::SqliteTransaction;

use causeway_model::{
    Catalog, CatalogError, Dataset, DatasetId, DatasetVersion, Direction, LineageRow, NewFile, NewRun, NewStep,
    OperatorUse, Result, Run, RunId, RunState, Step, StepId, StepOutcome, StepState, TableName, VersionId,
};

use crate::error::StoreError;
use connect::Pools;

/// A catalog in one SQLite file. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SqliteCatalog {
    pools: Pools,
}

impl SqliteCatalog {
    /// Opens the catalog at `path`, makes it if there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// [`CatalogError::Newer`] if a newer binary made it, [`CatalogError::Damaged`] if the file is no
    /// sound database, [`CatalogError::Invalid`] if it is somebody else's, [`CatalogError::Backend`]
    /// if it cannot be opened or written.
    pub async fn open(path: &Path) -> Result<Self> {
        Self::ready(connect::file(path).await).await.map_err(|error| at(path, error))
    }

    /// Makes an empty catalog that ends with the value.
    ///
    /// # Errors
    /// [`CatalogError::Backend`] if SQLite refuses.
    pub async fn in_memory() -> Result<Self> {
        Self::ready(connect::memory().await).await
    }

    async fn ready(pools: crate::error::Result<Pools>) -> Result<Self> {
        let pools = pools?;
        migrate::migrate(&pools.writer).await?;
        Ok(Self { pools })
    }

    /// Starts a transaction that writes; it is rolled back unless committed.
    async fn write(&self) -> Result<SqliteTransaction<'static>, StoreError> {
        Ok(self.pools.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Starts a transaction that reads one state of the catalog.
    async fn read(&self) -> Result<SqliteTransaction<'static>, StoreError> {
        Ok(self.pools.readers.begin().await?)
    }
}

/// Adds the file's path to what went wrong with it.
fn at(path: &Path, error: CatalogError) -> CatalogError {
    let with_path = |message| format!("{}: {message}", path.display());
    match error {
        CatalogError::Backend(message) => CatalogError::Backend(with_path(message)),
        CatalogError::Damaged(message) => CatalogError::Damaged(with_path(message)),
        CatalogError::Invalid(message) => CatalogError::Invalid(with_path(message)),
        CatalogError::Busy(message) => CatalogError::Busy(with_path(message)),
        other => other,
    }
}

/// Commits and hands the value on.
async fn commit<T>(tx: SqliteTransaction<'static>, value: T) -> Result<T> {
    tx.commit().await.map_err(StoreError::Sql)?;
    Ok(value)
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn schemas(&self) -> Result<Vec<String>> {
        Ok(datasets::schemas(&mut *self.read().await?).await?)
    }

    async fn dataset(&self, name: &TableName) -> Result<Option<Dataset>> {
        Ok(datasets::live(&mut *self.read().await?, name).await?)
    }

    async fn dataset_by_id(&self, id: DatasetId) -> Result<Dataset> {
        Ok(datasets::by_id(&mut *self.read().await?, id).await?)
    }

    async fn datasets(&self, include_dropped: bool) -> Result<Vec<Dataset>> {
        Ok(datasets::list(&mut *self.read().await?, include_dropped).await?)
    }

    async fn latest_version(&self, dataset: DatasetId) -> Result<Option<DatasetVersion>> {
        Ok(datasets::latest(&mut *self.read().await?, dataset).await?)
    }

    async fn version(&self, dataset: DatasetId, version: i64) -> Result<Option<DatasetVersion>> {
        Ok(datasets::numbered(&mut *self.read().await?, dataset, version).await?)
    }

    async fn version_at(&self, dataset: DatasetId, instant: &str) -> Result<Option<DatasetVersion>> {
        Ok(datasets::at(&mut *self.read().await?, dataset, instant).await?)
    }

    async fn version_by_id(&self, id: VersionId) -> Result<DatasetVersion> {
        Ok(datasets::version(&mut *self.read().await?, id).await?)
    }

    async fn versions(&self, dataset: Option<DatasetId>) -> Result<Vec<DatasetVersion>> {
        Ok(datasets::versions(&mut *self.read().await?, dataset).await?)
    }

    async fn register_file(&self, file: &NewFile) -> Result<VersionId> {
        let mut tx = self.write().await?;
        let version = files::register(&mut tx, file).await?;
        commit(tx, version).await
    }

    async fn is_ingested(&self, table: &TableName, digest: &str, contract_digest: &str) -> Result<bool> {
        Ok(files::is_ingested(&mut *self.read().await?, table, digest, contract_digest).await?)
    }

    async fn begin_run(&self, run: &NewRun) -> Result<()> {
        let mut tx = self.write().await?;
        runs::begin(&mut tx, run).await?;
        commit(tx, ()).await
    }

    async fn resume_run(&self, run: &RunId) -> Result<()> {
        let mut tx = self.write().await?;
        runs::resume(&mut tx, run).await?;
        commit(tx, ()).await
    }

    async fn finish_run(&self, run: &RunId, state: RunState) -> Result<()> {
        let mut tx = self.write().await?;
        runs::finish(&mut tx, run, state).await?;
        commit(tx, ()).await
    }

    async fn run(&self, run: &RunId) -> Result<Run> {
        Ok(runs::one(&mut *self.read().await?, run).await?)
    }

    async fn latest_run(&self, pipeline: &str) -> Result<Option<Run>> {
        Ok(runs::latest(&mut *self.read().await?, pipeline).await?)
    }

    async fn runs(&self, limit: i64) -> Result<Vec<Run>> {
        Ok(runs::list(&mut *self.read().await?, limit).await?)
    }

    async fn begin_step(&self, step: &NewStep) -> Result<Step> {
        let mut tx = self.write().await?;
        let step = steps::begin(&mut tx, step).await?;
        commit(tx, step).await
    }

    async fn complete_step(&self, step: StepId, attempt: i64, outcome: &StepOutcome) -> Result<Vec<VersionId>> {
        let mut tx = self.write().await?;
        let outputs = complete::complete(&mut tx, step, attempt, outcome).await?;
        commit(tx, outputs).await
    }

    async fn fail_step(&self, step: StepId, attempt: i64, code: &str, error: &str) -> Result<()> {
        let mut tx = self.write().await?;
        steps::fail(&mut tx, step, attempt, code, error).await?;
        commit(tx, ()).await
    }

    async fn skip_step(&self, step: &NewStep, state: StepState) -> Result<Step> {
        let mut tx = self.write().await?;
        let step = steps::skip(&mut tx, step, state).await?;
        commit(tx, step).await
    }

    async fn step(&self, run: &RunId, name: &str) -> Result<Option<Step>> {
        Ok(steps::named(&mut *self.read().await?, run, name).await?)
    }

    async fn step_by_id(&self, id: StepId) -> Result<Step> {
        Ok(steps::by_id(&mut *self.read().await?, id).await?)
    }

    async fn steps(&self, run: Option<&RunId>) -> Result<Vec<Step>> {
        Ok(steps::list(&mut *self.read().await?, run).await?)
    }

    async fn operators(&self, step: StepId) -> Result<Vec<OperatorUse>> {
        Ok(steps::operators(&mut *self.read().await?, step).await?)
    }

    async fn last_success(&self, pipeline: &str, step: &str) -> Result<Option<Step>> {
        Ok(steps::last_success(&mut *self.read().await?, pipeline, step).await?)
    }

    async fn lineage(
        &self,
        target: VersionId,
        column: Option<&str>,
        direction: Direction,
        depth: Option<i64>,
    ) -> Result<Vec<LineageRow>> {
        let question = lineage::Question { target, column, direction, depth };
        Ok(lineage::follow(&mut *self.read().await?, &question).await?)
    }

    async fn check(&self) -> Result<String> {
        Ok(check::check(&mut *self.read().await?).await?)
    }
}
