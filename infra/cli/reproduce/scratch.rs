//! The place where a step is repeated: a catalog that knows its inputs alone, and a lake that shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use causeway_engine::{Engine, StepRequest};
use causeway_lake::Lake;
use causeway_model::{
    Catalog, Dataset, DatasetKind, DatasetVersion, NewRun, NewStep, OutputVersion, RunId, RunKind, Step, StepOutcome,
    VersionId,
};
use causeway_store::SqliteCatalog;
use causeway_system::System;

use crate::errors::Failure;
use crate::exit::Exit;
use crate::record::Record;
use crate::session::Session;

/// An engine over a scratch catalog and a scratch lake.
pub(super) struct Scratch {
    pub(super) engine: Engine,
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) lake: Lake,
    /// The run that made what is there.
    given: RunId,
    /// Removed with the value.
    _folder: tempfile::TempDir,
}

impl Scratch {
    /// Makes a place in which the versions given are all there is.
    pub(super) async fn new(session: &Session, record: &Record, given: &BTreeSet<VersionId>) -> Result<Self, Failure> {
        let parent = session.project.spill_dir();
        std::fs::create_dir_all(&parent)?;
        let folder = tempfile::Builder::new().prefix("causeway-reproduce-").tempdir_in(parent)?;
        let catalog: Arc<dyn Catalog> = Arc::new(SqliteCatalog::in_memory().await?);
        let lake = session.engine.lake().scratch(folder.path(), &shown(record, given))?;
        let config = causeway_engine::EngineConfig { write_paths: Vec::new(), ..session.engine.config().clone() };
        let system = Arc::new(System::new(Arc::clone(&catalog)));
        let engine = Engine::new(config, Arc::clone(&catalog), lake.clone(), system)?;
        let giver = RunId(uuid::Uuid::now_v7().to_string());
        begin_run(catalog.as_ref(), session, &giver).await?;
        let scratch = Self { engine, catalog, lake, given: giver, _folder: folder };
        scratch.fill(session, record, given).await?;
        Ok(scratch)
    }

    /// Records the tables in the order of their versions, then the views.
    async fn fill(&self, session: &Session, record: &Record, given: &BTreeSet<VersionId>) -> Result<(), Failure> {
        let schemas = StepOutcome { schemas: session.catalog.schemas().await?, ..StepOutcome::default() };
        self.note("schemas", schemas).await?;
        let mut tables: Vec<(&Dataset, &DatasetVersion)> = record.known(given, DatasetKind::Table);
        tables.sort_by_key(|(dataset, version)| (dataset.id, version.version));
        for (dataset, version) in tables {
            let outcome = StepOutcome { outputs: vec![output(dataset, version)], ..StepOutcome::default() };
            self.note(&format!("{}@{}", dataset.name, version.version), outcome).await?;
        }
        for (dataset, version) in record.known(given, DatasetKind::View) {
            self.add_view(record, dataset, version).await?;
        }
        Ok(())
    }

    /// Makes a view as it was: the text that the catalog holds, if it has not changed, else by the
    /// statement that made it.
    async fn add_view(&self, record: &Record, dataset: &Dataset, version: &DatasetVersion) -> Result<(), Failure> {
        let name = format!("{}@{}", dataset.name, version.version);
        let held = dataset.view_sql.as_deref().map(sha256);
        if held.is_some() && held == version.digest {
            let outcome = StepOutcome { outputs: vec![output(dataset, version)], ..StepOutcome::default() };
            return self.note(&name, outcome).await;
        }
        let maker = version.step.and_then(|step| record.step(step));
        if let Some(maker) = maker {
            let given = StepRequest { run: self.given.clone(), name: name.clone(), ..request(maker) };
            self.engine.run_step(&given).await?;
        }
        let made = match self.catalog.dataset(&dataset.name).await? {
            Some(made) => self.catalog.latest_version(made.id).await?,
            None => None,
        };
        if made.is_some_and(|made| made.digest == version.digest) {
            return Ok(());
        }
        Err(Failure::new(Exit::Failed, format!("the text of view {name} is no longer kept")))
    }

    /// Records something that is there.
    async fn note(&self, name: &str, outcome: StepOutcome) -> Result<(), Failure> {
        let step = NewStep {
            run: self.given.clone(),
            ordinal: 0,
            name: name.to_owned(),
            kind: "given".to_owned(),
            sql: String::new(),
            fingerprint: String::new(),
            seed: 0,
            inputs: Vec::new(),
        };
        let step = self.catalog.begin_step(&step).await?;
        self.catalog.complete_step(step.id, step.attempt, &outcome).await?;
        Ok(())
    }
}

impl Record {
    /// Returns the versions of one kind, in the order in which they were recorded.
    fn known(&self, given: &BTreeSet<VersionId>, kind: DatasetKind) -> Vec<(&Dataset, &DatasetVersion)> {
        let all = given.iter().filter_map(|id| self.version(*id));
        all.filter(|(dataset, _)| dataset.kind == kind).collect()
    }
}

/// Returns the newest version of each table by its place.
fn shown(record: &Record, given: &BTreeSet<VersionId>) -> BTreeMap<String, i64> {
    let mut shown = BTreeMap::new();
    for (dataset, version) in record.known(given, DatasetKind::Table) {
        let newest = shown.entry(dataset.location.clone()).or_insert(version.version);
        *newest = version.version.max(*newest);
    }
    shown
}

/// Begins a run in a scratch catalog.
pub(super) async fn begin_run(catalog: &dyn Catalog, session: &Session, run: &RunId) -> Result<(), Failure> {
    let new = NewRun {
        id: run.clone(),
        kind: RunKind::Statement,
        pipeline: None,
        pipeline_digest: None,
        engine_version: session.engine.config().version.clone(),
        actor: causeway_model::Rights::embedded().user,
    };
    Ok(catalog.begin_run(&new).await?)
}

/// Returns a request that does what a recorded step did, under its name: what a load refuses is kept
/// with the name of the load.
pub(super) fn request(step: &Step) -> StepRequest {
    let seed = causeway_core::Seed(u64::from_le_bytes(step.seed.to_le_bytes()));
    StepRequest {
        run: step.run.clone(),
        pipeline: None,
        ordinal: step.ordinal,
        name: step.name.clone(),
        sql: step.sql.clone(),
        force: true,
        context: causeway_engine::StatementContext { seed, ..causeway_engine::StatementContext::default() },
    }
}

fn output(dataset: &Dataset, version: &DatasetVersion) -> OutputVersion {
    OutputVersion {
        name: dataset.name.clone(),
        kind: dataset.kind,
        location: dataset.location.clone(),
        view_sql: dataset.view_sql.clone(),
        policy: Some(dataset.policy.clone()),
        version: version.version,
        n_rows: version.n_rows,
        n_bytes: version.n_bytes,
        n_files: version.n_files,
        digest: version.digest.clone(),
        columns: version.columns.clone(),
        previous: None,
    }
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
